"""Positions that are added: they remember how many steps there have been."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from attrs import frozen

from funcnn.layer import AnyLayer
from funcnn.layers.embedding import positions
from funcnn.models.generation.rules import Rule, Step, bound, last_of
from funcnn.typing import Array, IntArray


@frozen(eq=False)
class Steps:
    """How many steps there have been: alike for all sequences, and still batch first as all that is remembered."""

    count: IntArray  # (n,)


def place(cache: Any, x: Array, max_length: int, start: int) -> tuple[slice, Steps]:
    """Return which steps these are, and the steps with them; raise when there are no positions for them."""
    first = int(cache.count[0]) if isinstance(cache, Steps) and len(cache.count) else start
    after = first + x.shape[1]
    positions.check_time(max_length, (after, x.shape[-1]))
    return slice(first, after), Steps(np.full(len(x), after))


def learned_step(start: int, params: Any, state: Any, cache: Any, x: Any, last: bool) -> tuple[Any, Any]:
    where, new = place(cache, x, len(params.table), start)
    return last_of(x + params.table[where], last), new


def sinusoidal_step(max_length: int, start: int, params: Any, state: Any, cache: Any, x: Any, last: bool) -> tuple[Any, Any]:
    where, new = place(cache, x, max_length, start)
    return last_of(x + positions.sinusoids(where.start, x.shape[1], x.shape[-1], x.dtype), last), new


def learned_rule(layer: AnyLayer, path: str, step_of: Callable[[AnyLayer, str], Step]) -> Step:
    return partial(learned_step, *bound(layer).arguments)


def sinusoidal_rule(layer: AnyLayer, path: str, step_of: Callable[[AnyLayer, str], Step]) -> Step:
    return partial(sinusoidal_step, *bound(layer).arguments)


POSITIONS: dict[Callable[..., object], Rule] = {
    positions.learned_forward: learned_rule,
    positions.sinusoidal_forward: sinusoidal_rule,
}
"""By the function that forward binds."""
