"""Every layer of a network observed while it works: outputs, cotangents and gradients, in evaluation and in training."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeAlias, TypeVar

from attrs import evolve, frozen

from funcnn.errors import check_function, shown, takes_arguments
from funcnn.key import Key
from funcnn.layer.instrument import map_layers
from funcnn.layer.layer import AnyLayer, Layer
from funcnn.layer.modes import Mode
from funcnn.layer.results import NOT_ASKED, Backward, Forward, Init
from funcnn.typing import Shapes

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")


@frozen(eq=False)
class Seen:
    """One call of a layer's function: what went in and what came out."""

    path: str
    """Where the layer's parameters stand in the network's."""
    layer: Layer[Any, Any, Any, Any]  # Any: layers of any types pass here
    phase: Literal["init", "forward", "backward"]
    params: Any
    given: Any
    """The shape, the input, or the cotangent of the output."""
    result: Init[Any, Any] | Forward[Any, Any, Any] | Backward[Any, Any]
    mode: Mode | None = None
    """In which mode forward ran; None elsewhere."""

    @property
    def output(self) -> Any:
        """The layer's output.

        Raises
        ------
        ValueError
            When it was not forward that was seen.
        """
        if not isinstance(self.result, Forward):
            raise ValueError(f"{self.path or 'the model'} was seen in {self.phase}, and only forward has an output")
        return self.result.output

    @property
    def doutput(self) -> Any:
        """The cotangent of the layer's output.

        Raises
        ------
        ValueError
            When it was not backward that was seen.
        """
        self._pulled("doutput")
        return self.given

    @property
    def dparams(self) -> Any:
        """The gradient with respect to the layer's parameters; the same errors."""
        return self._pulled("dparams").params

    @property
    def dinput(self) -> Any:
        """The cotangent of the layer's input, or None where it was not asked for; the same errors."""
        pulled = self._pulled("dinput")._input
        return None if pulled is NOT_ASKED else pulled

    def _pulled(self, what: str) -> Backward[Any, Any]:
        if not isinstance(self.result, Backward):
            raise ValueError(f"{self.path or 'the model'} was seen in {self.phase}, and only backward has a {what}")
        return self.result


Look: TypeAlias = Callable[[Seen], None]
"""What is called with each thing that was seen."""

Which: TypeAlias = str | Callable[[str, Layer[Any, Any, Any, Any]], bool]
"""A regular expression to search in ``"path name"``, such as ``"conv"`` or ``r"^\\[2\\]"``, or a function of path and layer."""


def watch(look: Look, model: Layer[P, S, X, Y], *, which: Which = "") -> Layer[P, S, X, Y]:
    """Return the network that calls ``look`` after every call of a layer's function, in the order in which they are computed.

    It computes the same in every way, and goes wherever the network goes: into :func:`funcnn.fit`, :func:`funcnn.loss_and_grad`
    or :func:`funcnn.apply`.  What ``look`` raises ends the computation; what it is given it must not write to.  Where the parts
    of a batch are computed side by side (:func:`funcnn.shard`) it is called by each, from several threads.

    Parameters
    ----------
    look : callable
        Takes a :class:`Seen`.
    model : Layer
    which : str or callable, optional
        Which layers are watched: a regular expression that is searched in the path of the layer's parameters, a space, and the
        layer's name; or a function of path and layer.  All by default, combinations after their parts.

    Returns
    -------
    Layer
        Of the types of the model.

    Raises
    ------
    TypeError, ValueError
        When ``look`` is no function, the model no layer, ``which`` neither, or no layer is meant.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.watch(lambda seen: print(seen.phase, seen.path, seen.layer.name), fn.serial(fn.dense(2), fn.tanh()))
    >>> start = model.init(fn.Key(0), (3,))
    init [0] dense(2)
    init [1] tanh
    init  serial
    >>> y = fn.apply(model, start.params, start.state, np.ones((1, 3)))
    forward [0] dense(2)
    forward [1] tanh
    forward  serial

    What arrives at the dense layers in a step of training:

    >>> def look(seen):
    ...     if seen.phase == "backward":
    ...         print(seen.path, seen.doutput.shape, fn.tree.size(seen.dparams))
    >>> model = fn.serial(fn.dense(4), fn.tanh(), fn.dense(2))
    >>> start = model.init(fn.Key(0), (3,))
    >>> step = fn.loss_and_grad(fn.watch(look, model, which="dense"), fn.mean_squared_error())
    >>> made = step(start.params, start.state, np.ones((5, 3)), np.ones((5, 2)), fn.Train(fn.Key(1)))
    [2] (5, 2) 10
    [0] (5, 4) 16
    """
    check_function(look, "look", "a function of what was seen")
    chosen = _chooser(which)
    met: list[str] = []
    meant = list[str]()

    def wrapped(path: str, layer: AnyLayer) -> AnyLayer:
        name = f"{path} {layer.name}"
        met.append(name)
        if not chosen(path, layer):
            return layer
        meant.append(name)
        return _watched(look, path, layer)

    made = map_layers(wrapped, model)
    if not meant:
        raise ValueError(f"which is {shown(which)}, which means no layer: there are {', '.join(met[:8])}")
    return made


def _chooser(which: Which) -> Callable[[str, AnyLayer], bool]:
    """Return which layers are meant as a function of path and layer, or raise."""
    given: object = which
    if not isinstance(which, str):
        if not callable(given) or not takes_arguments(given, 2):
            raise TypeError(f"which is {shown(given)}, expected a regular expression or a function of path and layer")
        return which
    try:
        pattern = re.compile(which)
    except re.error as error:
        raise ValueError(f"which={which!r} is not a regular expression ({error}); brackets of a path are written \\[") from None
    return lambda path, layer: pattern.search(f"{path} {layer.name}") is not None


def _watched(look: Look, path: str, layer: AnyLayer) -> AnyLayer:
    return evolve(
        layer,
        init=partial(_init, look, path, layer),
        forward=partial(_forward, look, path, layer),
        backward=partial(_selective_backward if layer.selective else _backward, look, path, layer),
    )


def _init(look: Look, path: str, layer: AnyLayer, key: Key, in_shape: Shapes) -> Init[Any, Any]:
    made = layer.init(key, in_shape)
    look(Seen(path, layer, "init", made.params, in_shape, made))
    return made


def _forward(
    look: Look, path: str, layer: AnyLayer, params: Any, state: Any, x: Any, mode: Mode, **options: Any
) -> Forward[Any, Any, Any]:
    made = layer.forward(params, state, x, mode, **options)
    look(Seen(path, layer, "forward", params, x, made, mode))
    return made


def _backward(look: Look, path: str, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Backward[Any, Any]:
    made = layer.backward(params, residuals, dy)
    look(Seen(path, layer, "backward", params, dy, made))
    return made


def _selective_backward(
    look: Look, path: str, layer: AnyLayer, params: Any, residuals: Any, dy: Any, input_grad: bool = True, **options: Any
) -> Backward[Any, Any]:
    function: Any = layer.backward  # which takes input_grad, as its signature says
    made: Backward[Any, Any] = function(params, residuals, dy, input_grad=input_grad, **options)
    look(Seen(path, layer, "backward", params, dy, made))
    return made
