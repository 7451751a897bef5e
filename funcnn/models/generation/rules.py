"""What the rules for single layers share: how a step looks, and what a layer's forward binds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeAlias, cast

from attrs import frozen

from funcnn.layer import AnyLayer

# Any: layers of any types are taken apart here.
Step: TypeAlias = Callable[[Any, Any, Any, Any, bool], tuple[Any, Any]]
"""``(params, state, cache, x, last) -> (y, cache)``: x is (n, t, ...), and so is y, or where only the last step is asked for
(n, 1, ...); the cache before the first step is ``()``."""


class Rule(Protocol):
    """Makes the step of a layer."""

    def __call__(self, layer: AnyLayer, path: str, step_of: Callable[[AnyLayer, str], Step], /) -> Step:
        """Return the step; ``step_of`` gives that of a part at a path."""
        ...


class NotStepwiseError(TypeError):
    """A layer that cannot be computed step by step."""

    def __init__(self, layer: AnyLayer, path: str, why: str) -> None:
        super().__init__(
            f"the layer {layer.name} at {path or 'the root'} cannot be computed step by step: {why}. Give the whole sequence to"
            " fn.apply, or let fn.generate do so"
        )


@frozen
class Bound:
    """A layer's forward: the function at module level, and the arguments that the factory has bound."""

    function: Callable[..., object]
    arguments: tuple[Any, ...]


def bound(layer: AnyLayer) -> Bound:
    """Return what a layer's forward binds."""
    forward = layer.forward
    if isinstance(forward, partial) and not forward.keywords:
        return Bound(forward.func, forward.args)
    return Bound(cast("Callable[..., object]", forward), ())


def last_of(x: Any, last: bool) -> Any:
    """Return the last step of x, or of every array of a tuple, if that is all that is asked for; else x."""
    if not last:
        return x
    return tuple([last_of(one, last) for one in x]) if isinstance(x, tuple) else x[:, -1:]
