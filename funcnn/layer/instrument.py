"""Looking inside a network: the same network with every layer wrapped.

A combination of layers knows its parts and how to make itself again from others (:attr:`Layer.parts <funcnn.Layer>`), so a
network can be rebuilt with a wrapper around each layer: one that counts, one that looks for NaN, one that measures gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Literal, TypeAlias, TypeVar

from attrs import evolve, frozen

from funcnn.errors import check_function
from funcnn.key import Key
from funcnn.layer.layer import AnyLayer, Layer, chain, check_layer
from funcnn.layer.modes import Mode
from funcnn.layer.results import Backward, Forward, Init
from funcnn.typing import Shapes

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")


def map_layers(function: Callable[[str, AnyLayer], AnyLayer], model: Layer[P, S, X, Y]) -> Layer[P, S, X, Y]:
    """Apply a function to every layer of a network, the parts before the combinations made of them.

    Parameters
    ----------
    function : callable
        ``(path, layer) -> layer``; the path is that of the layer's parameters in the network's, such as ``[2][0]`` (a combination
        with a single part, like ``residual``, has the parameters of its part).  The layer must keep its types.
    model : Layer

    Returns
    -------
    Layer
        Of the types of the model.

    Examples
    --------
    >>> import funcnn as fn
    >>> seen = []
    >>> same = fn.map_layers(lambda path, layer: seen.append((path, layer.name)) or layer, fn.dense(2) >> fn.tanh())
    >>> seen
    [('[0]', 'dense(2)'), ('[1]', 'tanh'), ('', 'serial')]
    """
    check_function(function, "function", "a function (path, layer) -> layer")
    check_layer(model, "model")
    mapped: Layer[P, S, X, Y] = _map(function, model, "")
    return mapped


def _map(function: Callable[[str, AnyLayer], AnyLayer], layer: AnyLayer, path: str) -> AnyLayer:
    if is_composed(layer) and layer.combine is not None:
        parts = tuple([_map(function, part, path + step) for step, part in zip(part_steps(layer), layer.parts, strict=True)])
        layer = evolve(layer.combine(parts), name=layer.name)
    return function(path, layer)


def is_composed(layer: AnyLayer) -> bool:
    """Tell whether a layer is no more than the combination of its parts: not one whose gradient was replaced, for example."""
    if not layer.parts or layer.combine is None:
        return False
    return evolve(layer.combine(layer.parts), name=layer.name) == layer  # a model has a name of its own


def part_steps(layer: AnyLayer) -> tuple[str, ...]:
    """Return the step from the parameters of a combination to those of each part."""
    if len(layer.parts) == 1 and not (isinstance(layer.combine, partial) and layer.combine.func is chain):
        return ("",)
    return tuple([f"[{index}]" for index in range(len(layer.parts))])


@frozen(eq=False)
class Seen:
    """One call of a layer's function: what went in and what came out."""

    path: str
    layer: AnyLayer
    phase: Literal["init", "forward", "backward"]
    params: Any  # Any: layers of any types pass here
    given: Any
    """The shape, the input, or the cotangent of the output."""
    result: Init[Any, Any] | Forward[Any, Any, Any] | Backward[Any, Any]


Look: TypeAlias = Callable[[Seen], None]


def watch(look: Look, model: Layer[P, S, X, Y]) -> Layer[P, S, X, Y]:
    """Return the network that calls ``look`` after every call of a layer's function, in the order in which they are computed.

    What ``look`` raises ends the computation.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> from funcnn.layer.instrument import watch
    >>> model = watch(lambda seen: print(seen.phase, seen.path, seen.layer.name), fn.serial(fn.dense(2), fn.tanh()))
    >>> start = model.init(fn.Key(0), (3,))
    init [0] dense(2)
    init [1] tanh
    init  serial
    >>> y = fn.apply(model, start.params, start.state, np.ones((1, 3)))
    forward [0] dense(2)
    forward [1] tanh
    forward  serial
    """
    return map_layers(partial(_watched, look), model)


def _watched(look: Look, path: str, layer: AnyLayer) -> AnyLayer:
    def init(key: Key, in_shape: Shapes) -> Init[Any, Any]:
        made = layer.init(key, in_shape)
        look(Seen(path, layer, "init", made.params, in_shape, made))
        return made

    def forward(params: Any, state: Any, x: Any, mode: Mode) -> Forward[Any, Any, Any]:
        made = layer.forward(params, state, x, mode)
        look(Seen(path, layer, "forward", params, x, made))
        return made

    @wraps(layer.backward)  # keeps the signature, by which a layer says that it can leave out its input's cotangent
    def backward(params: Any, residuals: Any, dy: Any, **options: Any) -> Backward[Any, Any]:
        made = layer.backward(params, residuals, dy, **options)
        look(Seen(path, layer, "backward", params, dy, made))
        return made

    return evolve(layer, init=init, forward=forward, backward=backward)
