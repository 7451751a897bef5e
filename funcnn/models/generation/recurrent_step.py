"""Recurrent layers: they remember the state after the last step, which they can take and give themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import evolve

from funcnn.layer import AnyLayer
from funcnn.layers.recurrent import gru, lstm, peephole_lstm, simple_rnn
from funcnn.layers.recurrent.recurrent import SequenceOptions
from funcnn.models.generation.rules import NotStepwiseError, Rule, Step, bound, last_of
from funcnn.models.generation.step_alone import QUIET

Run = Callable[..., Any]


def step(first: Run, later: Run, params: Any, state: Any, cache: Any, x: Any, last: bool) -> tuple[Any, Any]:
    made = later(params, state, (x, cache[0]), QUIET) if cache else first(params, state, x, QUIET)
    y, new = made.output
    return last_of(y, last), (new,)


def rule(layer: AnyLayer, path: str, step_of: Callable[[AnyLayer, str], Step]) -> Step:
    function, given = bound(layer).function, bound(layer).arguments
    for one in given:
        if isinstance(one, SequenceOptions) and (one.masked or one.initial or one.final):
            raise NotStepwiseError(layer, path, "it takes or gives more than a plain sequence")
    return partial(step, with_state(function, given, initial=False), with_state(function, given, initial=True))


def with_state(function: Run, given: tuple[Any, ...], *, initial: bool) -> Run:
    """Return a layer's forward that gives the final state, and perhaps takes the initial one."""
    return partial(
        function, *[evolve(one, initial=initial, final=True) if isinstance(one, SequenceOptions) else one for one in given]
    )


RECURRENT: dict[Callable[..., object], Rule] = dict.fromkeys(
    (lstm.forward, gru.forward, simple_rnn.forward, peephole_lstm.forward), rule
)
"""By the function that forward binds."""
