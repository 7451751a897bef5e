"""Layers made of layers: they remember what their parts do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from operator import add as plus
from typing import Any

import numpy as np

from funcnn.combinators import add, branch, concatenate, frozen, parallel, recompute, residual
from funcnn.errors import add_step
from funcnn.kernels.arrays import matmul_last
from funcnn.layer import AnyLayer
from funcnn.layer.chain_rule import chain_forward, refuse_parts
from funcnn.layers.embedding import tied_embedding
from funcnn.layers.embedding.embedding import look_up
from funcnn.models.generation.rules import Rule, Step, bound, last_of

StepOf = Callable[[AnyLayer, str], Step]
Steps = tuple[tuple[str, Step], ...]
"""The names of parts, for messages, and their steps."""


def steps_of(layers: tuple[AnyLayer, ...], path: str, step_of: StepOf) -> Steps:
    """Return the steps of parts whose parameters are a tuple."""
    return tuple([(one.name, step_of(one, f"{path}[{index}]")) for index, one in enumerate(layers)])


def check_parts(steps: Steps, params: object, state: object) -> None:
    """Raise unless parameters and state are tuples with an entry for each part."""
    if any(type(one) is not tuple or len(one) != len(steps) for one in (params, state)):
        refuse_parts(len(steps), params, state)


def each(steps: Steps, params: Any, state: Any, cache: Any, xs: tuple[Any, ...], last: bool) -> tuple[list[Any], Any]:
    """Return what the parts give for an input each, and what they remember."""
    check_parts(steps, params, state)
    made = []
    caches = cache or ((),) * len(steps)
    for index, (name, step) in enumerate(steps):
        try:
            made.append(step(params[index], state[index], caches[index], xs[index], last))
        except Exception as error:
            add_step(error, index, name, xs[index])
            raise
    return [y for y, _ in made], tuple([new for _, new in made])


def chain_step(steps: Steps, params: Any, state: Any, cache: Any, x: Any, last: bool) -> tuple[Any, Any]:
    check_parts(steps, params, state)
    caches: list[Any] = list(cache or ((),) * len(steps))
    for index, (name, step) in enumerate(steps):
        try:
            x, caches[index] = step(params[index], state[index], caches[index], x, last and index == len(steps) - 1)
        except Exception as error:
            add_step(error, index, name, x)
            raise
    return x, tuple(caches)


def residual_step(inner: Step, params: Any, state: Any, cache: Any, x: Any, last: bool) -> tuple[Any, Any]:
    y, new = inner(params, state, cache, x, last)
    return last_of(x, last) + y, new


def tied_step(inner: Step, params: Any, state: Any, cache: Any, x: Any, last: bool) -> tuple[Any, Any]:
    hidden, new = inner(params.inner, state, cache, look_up(None, params.table, x), last)
    return matmul_last(hidden, params.table.T), new


def branch_step(steps: Steps, params: Any, state: Any, cache: Any, x: Any, last: bool) -> tuple[Any, Any]:
    made, new = each(steps, params, state, cache, (x,) * len(steps), last)
    return tuple(made), new


def parallel_step(steps: Steps, params: Any, state: Any, cache: Any, x: Any, last: bool) -> tuple[Any, Any]:
    made, new = each(steps, params, state, cache, x, last)
    return tuple(made), new


def add_step_of(steps: Steps, params: Any, state: Any, cache: Any, x: Any, last: bool) -> tuple[Any, Any]:
    made, new = each(steps, params, state, cache, (x,) * len(steps), last)
    return reduce(plus, made), new


def concatenate_step(steps: Steps, params: Any, state: Any, cache: Any, x: Any, last: bool) -> tuple[Any, Any]:
    made, new = each(steps, params, state, cache, (x,) * len(steps), last)
    return np.concatenate(made, axis=-1), new


def of_parts(step: Callable[..., tuple[Any, Any]]) -> Rule:
    """Return the rule of a combination whose parameters are the tuple of its parts'."""

    def rule(layer: AnyLayer, path: str, step_of: StepOf, /) -> Step:
        return partial(step, steps_of(bound(layer).arguments[0], path, step_of))

    return rule


def of_inner(step: Callable[..., tuple[Any, Any]] | None, inside: str = "") -> Rule:
    """Return the rule of a layer around another one: with a step of its own, or None where it is the other one's."""

    def rule(layer: AnyLayer, path: str, step_of: StepOf, /) -> Step:
        inner = step_of(bound(layer).arguments[0], path + inside)
        return inner if step is None else partial(step, inner)

    return rule


COMBINATIONS: dict[Callable[..., object], Rule] = {
    chain_forward: of_parts(chain_step),
    branch.forward: of_parts(branch_step),
    parallel.forward: of_parts(parallel_step),
    add.forward: of_parts(add_step_of),
    concatenate.forward: of_parts(concatenate_step),
    residual.forward: of_inner(residual_step),
    tied_embedding.forward: of_inner(tied_step, ".inner"),
    recompute.forward: of_inner(None),
    frozen.forward: of_inner(None),
}
"""By the function that forward binds."""
