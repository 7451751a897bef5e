"""How much memory training takes at its peak: measured on a rehearsal, before any data are there.

A step of training has two heights: the end of the forward, when all that backward needs is there and backward begins to make
gradients, and the optimizer's update, when old and new parameters stand side by side.  Both are rehearsed with zeros in place of
data, and Python counts the bytes of the arrays that are made.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.key import Key
from funcnn.layer import AnyLayer, Forward, Train, params_only
from funcnn.optim.optimizer import Optimizer

T = TypeVar("T")

REHEARSED = 64
"""Up to as many examples the batch itself is rehearsed.  A larger one is taken from this one and twice this one, in a straight
line: kernels that work in blocks have filled theirs by then."""


@frozen(eq=False)
class Traced:
    """What a function returned, the bytes of it that stay, and the most bytes while it ran."""

    result: Any  # Any: the result of any function
    kept: int
    peak: int


def traced(function: Callable[[], object]) -> Traced:
    """Call a function and count the bytes that it allocates (a trace that is already running loses its own peak)."""
    running = tracemalloc.is_tracing()
    if not running:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        result = function()
        now, peak = tracemalloc.get_traced_memory()
    finally:
        if not running:
            tracemalloc.stop()
    return Traced(result, now - before, peak - before)


def peak_nbytes(
    model: AnyLayer, params: Any, state: Any, examples: Callable[[int], Any], batch_size: int, optimizer: Optimizer | None
) -> int:
    """Return the most bytes that a loop of ``loss_and_grad`` and ``update`` holds, the batch included.

    Parameters
    ----------
    model : Layer
    params, state : tree
        In the precision of training.
    examples : callable
        Makes an input of so many examples.
    batch_size : int
    optimizer : Optimizer or None
        Without one the gradient alone is rehearsed.
    """
    sizes = (batch_size,) if batch_size <= REHEARSED else (REHEARSED, 2 * REHEARSED)
    heights = [_heights(model, params, state, examples(size)) for size in sizes]
    first, last, further = heights[0], heights[-1], (batch_size - sizes[0]) / REHEARSED
    gradient, update = (round(first[height] + (last[height] - first[height]) * further) for height in (0, 1))
    own = tree.nbytes(params)
    resting = own + tree.nbytes(state)
    if optimizer is None:
        return resting + gradient
    start = traced(lambda: optimizer.init(params))
    grads = tree.map(np.zeros_like, params)
    second = optimizer.update(params, grads, start.result).state  # the first update makes more than arrays
    updated = traced(lambda: optimizer.update(params, grads, second))
    return resting + start.kept + own + max(gradient, update + updated.peak)  # own: the gradients, of this step or the last


def _heights(model: AnyLayer, params: Any, state: Any, x: Any) -> tuple[int, int]:
    """Return the bytes at the height of the gradient, and those that a batch still holds when the optimizer begins."""

    def gradient() -> Forward[Any, Any, Any]:
        made = model.forward(params, state, x, Train(Key(0)))
        cotangents: list[Any] = [leaf.copy() if leaf.dtype.kind == "f" else None for leaf in tree.leaves(made.output)]
        by_loss = tree.map(np.copy, made.output)  # what a loss keeps
        params_only(model, params, made.residuals, tree.rebuild(made.output, iter(cotangents)))
        del by_loss
        return Forward(made.output, made.state, ())

    with np.errstate(all="ignore"):
        gradient()  # the first one makes more than arrays
        seen = traced(gradient)
    given = sum(leaf.nbytes for leaf in tree.leaves(x))
    return given + seen.peak, given + seen.kept
