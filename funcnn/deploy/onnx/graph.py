"""A graph of ONNX operators under construction: its tensors, nodes and constants, and where in a network a node comes from.

Nothing here needs the ``onnx`` package: :mod:`funcnn.deploy.onnx.write` turns the finished graph into a file.

The networks of this library keep channels last, ONNX's convolutions and pools want them first.  A tensor knows in which order it
lies (``channels_first``); its ``shape`` is that of this library in either case.  Operators of single entries keep the order they
find, all others ask for :meth:`Graph.channels_last`, so that between a convolution, its activation and its pool nothing is
transposed at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from attrs import evolve, field, frozen

from funcnn.layer import AnyLayer
from funcnn.typing import Shape

Attribute: TypeAlias = int | float | str | Sequence[int] | Sequence[float] | Sequence[str]

# Any: a translation has the signature of the forward that it stands for, and forwards have all kinds.
Translation: TypeAlias = Callable[..., Any]


class ExportError(ValueError):
    """A layer that the target of an export cannot express; the message names its path in the network."""


@frozen(eq=False)
class Tensor:
    """A value in the graph."""

    name: str
    shape: Shape
    """Of one example, channels last; of a constant, the whole shape."""
    dtype: np.dtype[Any]  # Any: floating numbers, integers and booleans
    batched: bool = True
    """Whether axis 0 is that of the examples, which ``shape`` leaves out."""
    channels_first: bool = False

    @property
    def ndim(self) -> int:
        """The number of axes, that of the examples included."""
        return len(self.shape) + self.batched


@frozen(eq=False)
class MaskedTensor:
    """What :class:`funcnn.Masked` is in the graph."""

    values: Tensor
    mask: Tensor


@frozen(eq=False)
class PooledTensor:
    """What :class:`funcnn.Pooled` is in the graph."""

    values: Tensor
    indices: Tensor


@frozen(eq=False)
class Node:
    """One operator."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]


@frozen(eq=False)
class Graph:
    """Collects nodes and constants; a translation is given one and writes into it."""

    dtype: np.dtype[np.floating]
    """The precision of the parameters."""
    table: Mapping[Callable[..., Any], Translation]  # Any: forwards of all kinds
    """The translation of each forward that has one."""
    refused: Mapping[Callable[..., Any], str]  # Any: forwards of all kinds
    """Why others have none."""
    nodes: list[Node] = field(factory=list, init=False)
    constants: dict[str, np.ndarray[Any, Any]] = field(factory=dict, init=False)  # Any: of all kinds
    _known: dict[tuple[bytes, str, Shape], str] = field(factory=dict, init=False)
    _taken: set[str] = field(factory=set, init=False)
    _path: list[str] = field(factory=list, init=False)
    _layers: list[str] = field(factory=list, init=False)

    # Names and places.

    def fresh(self, hint: str) -> str:
        """Return a name that nothing has yet: the path of the layer and the hint."""
        wanted = f"{''.join(self._path)}{'/' if self._path else ''}{hint}"
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name

    @contextmanager
    def step(self, step: int | str) -> Iterator[None]:
        """Put one step behind the path, for what is written inside."""
        self._path.append(f"[{step}]" if isinstance(step, int) else step)
        try:
            yield
        finally:
            self._path.pop()

    def refuse(self, reason: str) -> ExportError:
        """Return the error that says which layer cannot be expressed, and why."""
        path = "".join(self._path)
        layer = self._layers[-1] if self._layers else "the network"
        where = f"layer {path} {layer}" if path else layer
        return ExportError(f"{where} cannot be expressed in ONNX: {reason}")

    # Layers.

    def layer(self, layer: AnyLayer, params: Any, state: Any, x: Any, step: int | str | None = None) -> Any:
        """Write a layer's prediction and return its output; all are trees of any kind.

        Raises
        ------
        ExportError
            When the layer has no translation, or one inside of it has none.
        """
        if step is not None:
            with self.step(step):
                return self.layer(layer, params, state, x)
        function, args, keywords = unwrapped(layer.forward)
        self._layers.append(layer.name)
        try:
            if function in self.refused:
                raise self.refuse(self.refused[function])
            if function not in self.table:
                raise self.refuse(
                    "there is no translation of it; give its translation, translations={its forward: function}, or make it of"
                    " layers that have one"
                )
            return self.table[function](self, *args, params, state, x, **keywords)
        finally:
            self._layers.pop()

    # Nodes and constants.

    def node(
        self,
        kind: str,
        inputs: Sequence[Tensor | None],
        shape: Shape,
        dtype: Any = None,  # Any: what NumPy takes for a dtype
        **attributes: Any,  # Any: attributes of ONNX, numbers, words or sequences of such
    ) -> Tensor:
        """Write an operator of one output and return that; its dtype is by default that of the first input."""
        name = self.fresh(kind)
        given = tuple(["" if one is None else one.name for one in inputs])
        self.nodes.append(Node(kind, name, given, (name,), attributes))
        first = next((one.dtype for one in inputs if one is not None), self.dtype)
        return Tensor(name, shape, np.dtype(first if dtype is None else dtype))

    def outputs(self, kind: str, inputs: Sequence[Tensor | None], wanted: Sequence[str], **attributes: Any) -> list[Tensor]:
        """Write an operator of several outputs, of which "" is left out; their shapes are for the caller to say."""
        name = self.fresh(kind)
        names = tuple([one and self.fresh(f"{kind}.{one}") for one in wanted])
        given = tuple(["" if one is None else one.name for one in inputs])
        self.nodes.append(Node(kind, name, given, names, attributes))
        return [Tensor(one, (), self.dtype) for one in names]

    def constant(self, value: Any, hint: str = "constant", dtype: np.dtype[Any] | type | None = None) -> Tensor:
        """Return a tensor for numbers that are known now; equal ones are stored once."""
        array = np.ascontiguousarray(value, dtype).reshape(np.shape(value))
        key = (array.tobytes(), array.dtype.str, array.shape)
        if key not in self._known:
            self._known[key] = self.fresh(hint)
            self.constants[self._known[key]] = array
        return Tensor(self._known[key], array.shape, array.dtype, batched=False)

    def number(self, value: float) -> Tensor:
        """Return a number in the network's precision."""
        return self.constant(np.asarray(value, self.dtype), "number")

    def integers(self, *values: int) -> Tensor:
        """Return a list of integers, as shapes and axes are given."""
        return self.constant(np.asarray(values, np.int64), "integers")

    def hand_out(self, x: Tensor, name: str) -> Tensor:
        """Give a tensor the name of an output; it may be an input, or an output already."""
        self.nodes.append(Node("Identity", self.fresh(f"hand_out_{name}"), (x.name,), (name,), {}))
        return evolve(x, name=name)

    # The order of the axes.

    def channels_last(self, x: Tensor) -> Tensor:
        """Return x with its axes as this library has them."""
        if not x.channels_first:
            return x
        return self.node("Transpose", [x], x.shape, perm=(0, *range(2, x.ndim), 1))

    def channels_first(self, x: Tensor) -> Tensor:
        """Return x with the channels behind the axis of the examples."""
        if x.channels_first:
            return x
        made = self.node("Transpose", [x], x.shape, perm=(0, x.ndim - 1, *range(1, x.ndim - 1)))
        return evolve(made, channels_first=True)


def unwrapped(function: Callable[..., Any]) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """Return what a partial calls, with the arguments that are bound to it."""
    args: tuple[Any, ...] = ()
    keywords: dict[str, Any] = {}
    while isinstance(function, partial):
        args, keywords = (*function.args, *args), {**function.keywords, **keywords}
        function = function.func
    return function, args, keywords
