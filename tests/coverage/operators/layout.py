"""Channels first to channels last, and examples without a batch."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tests.coverage.bridge import run


def alone(layer: Any, x: Tensor, *parameters: Tensor) -> Any:
    """Run a layer on a tensor that has no batch axis."""
    return run(layer, x[None], *parameters)[0]


def over_space(layer: Any, x: Tensor, axes: int, *parameters: Tensor) -> Any:
    """Run a layer of ``axes`` spatial axes on ([n,] c, *space); of results of several arrays, each is (n, *space, c)."""
    batch = x if x.dim() == axes + 2 else x[None]
    made = run(layer, batch.movedim(1, -1), *parameters)
    back = [part.movedim(-1, 1) if x.dim() == axes + 2 else part.movedim(-1, 1)[0] for part in every(made)]
    return back[0] if isinstance(made, Tensor) else tuple(back)


def every(made: Any) -> tuple[Tensor, ...]:
    """Return a result as a tuple."""
    return (made,) if isinstance(made, Tensor) else tuple(made)


def per_axis(value: Any, axes: int) -> tuple[Any, ...]:
    """Return a setting of each spatial axis."""
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    return values * axes if len(values) == 1 else values
