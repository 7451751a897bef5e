"""The layers of a network by their paths: the same network with every layer wrapped, or with one in the place of another.

A combination of layers knows its parts and how to make itself again from others (:attr:`Layer.parts <funcnn.Layer>`), so a
network can be rebuilt with a wrapper around each layer: one that counts, one that looks for NaN, one that measures gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from attrs import evolve

from funcnn.errors import check_function
from funcnn.layer.layer import AnyLayer, Layer, chain, check_layer
from funcnn.tree.steps import steps_of

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


def get_layer(model: Layer[P, S, X, Y], path: str) -> AnyLayer:
    """Return the layer of a network whose parameters stand at a path.

    Parameters
    ----------
    model : Layer
    path : str
        That of the layer's parameters, such as ``"[2][0]"``; the empty text is the whole network.  Where a combination has the
        parameters of its single part, as ``residual`` has, it is the combination.

    Returns
    -------
    Layer

    Raises
    ------
    TypeError, ValueError
        When the model is no layer, or has none at the path; it says what there is.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.get_layer(fn.dense(4) >> fn.residual(fn.dense(4) >> fn.tanh()), "[1][0]").name
    'dense(4)'
    """
    check_layer(model, "model")
    found: list[AnyLayer] = []

    def note(layer: AnyLayer) -> AnyLayer:
        found.append(layer)
        return layer

    _put(model, steps_of(path), "", note)
    return found[0]


def replace_layer(model: Layer[P, S, X, Y], path: str, new: AnyLayer) -> Layer[P, S, X, Y]:
    """Return a network with another layer at a path: a new head, say, or a part that is frozen.

    Parameters
    ----------
    model : Layer
    path : str
        That of the layer's parameters, as for :func:`get_layer`.
    new : Layer
        It keeps the types of the layer that it takes the place of.

    Returns
    -------
    Layer
        Of the types of the model; ``init`` says whether the shapes fit.

    Raises
    ------
    TypeError, ValueError
        When ``model`` or ``new`` is no layer, or there is none at the path; it says what there is.

    See Also
    --------
    funcnn.tree.replace : the same of the parameters.

    Examples
    --------
    Three classes in place of ten, on a body that stays as it is:

    >>> import funcnn as fn
    >>> trained = fn.serial(fn.dense(8), fn.tanh()) >> fn.dense(10)
    >>> model = fn.replace_layer(trained, "[1]", fn.dense(3))
    >>> model = fn.replace_layer(model, "[0]", fn.frozen(fn.get_layer(model, "[0]")))
    >>> [part.name for part in model.parts]
    ['frozen(serial)', 'dense(3)']
    """
    check_layer(model, "model")
    check_layer(new, "new")
    made: Layer[P, S, X, Y] = _put(model, steps_of(path), "", lambda layer: new)
    return made


def _put(layer: AnyLayer, steps: tuple[str, ...], path: str, make: Callable[[AnyLayer], AnyLayer]) -> AnyLayer:
    """Return a layer with what ``make`` makes of the part at some steps."""
    if not steps:
        return make(layer)
    own = part_steps(layer) if is_composed(layer) else ()
    if own == ("",):  # a combination that has the parameters of its part
        parts: tuple[AnyLayer, ...] = (_put(layer.parts[0], steps, path, make),)
    elif steps[0] in own:
        parts = tuple(
            [
                _put(part, steps[1:], path + step, make) if step == steps[0] else part
                for step, part in zip(own, layer.parts, strict=True)
            ]
        )
    else:
        there = ", ".join(f"{path}{step} {part.name}" for step, part in zip(own, layer.parts, strict=True))
        raise ValueError(
            f"the model has no layer at path {path}{steps[0]}: {path or 'it'} is {layer.name}, of {there or 'no parts'}"
        )
    combine = layer.combine
    assert combine is not None  # it is composed
    return evolve(combine(parts), name=layer.name)
