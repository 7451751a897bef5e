"""Recurrent layers: ONNX's nodes RNN, LSTM and GRU, whose steps come first and whose gates have an order of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import evolve

from funcnn.deploy.onnx.graph import Graph, MaskedTensor, Tensor, Translation
from funcnn.deploy.onnx.operators import binary, cast, over, reshape
from funcnn.deploy.onnx.translations.masks import cleared
from funcnn.layers.recurrent import cells, gru, lstm, peephole_lstm, simple_rnn
from funcnn.typing import Array

# Any: the parameters and states of layers of all types.


def by_gate(weight: Array, order: tuple[int, ...]) -> Array:
    """Return a weight (in, gates H) as ONNX has it, (1, gates H, in), its gates in another order."""
    gates = np.split(weight, len(order), axis=-1)
    return np.concatenate([gates[one] for one in order], axis=-1).T[np.newaxis]


def steps_first(g: Graph, x: Tensor) -> Tensor:
    return g.node("Transpose", [g.channels_last(x)], x.shape, perm=(1, 0, 2))


def run(g: Graph, kind: str, options: Any, x: Any, constants: tuple[Array, Array, Array], states: int, **more: Any) -> Any:
    """Write a recurrent node, and what stands around it: initial and final states, and masks."""
    sequence, start = x if options.initial else (x, ())
    initial = start if isinstance(start, tuple) else (start,)
    values, mask = (sequence.values, sequence.mask) if options.masked else (sequence, None)
    size, steps = constants[1].shape[-1], values.shape[0]
    order = None if mask is None else real_steps_first(g, mask)
    given = values if order is None else picked(g, values, order[0])
    peepholes = more.pop("peepholes", None)
    names = ("input_weight", "recurrent_weight", "bias")
    begin: list[Tensor | None] = [one_direction(g, one) for one in initial]
    inputs: list[Tensor | None] = [
        steps_first(g, given),
        *[g.constant(one, name, given.dtype) for one, name in zip(constants, names, strict=True)],
        None if order is None else order[2],
        *(begin or [None]),
    ]
    if peepholes is not None:
        inputs += [None] * (7 - len(inputs)) + [g.constant(peepholes, "peepholes")]
    wanted = ("hidden", "last_hidden", "last_cell")[: 1 + states]
    made = g.outputs(kind, inputs, wanted, hidden_size=size, **more)
    squeezed = g.node("Squeeze", [made[0], g.integers(1)], ())
    y = g.node("Transpose", [squeezed], (steps, size), perm=(1, 0, 2))
    output: Any = y
    if order is not None and mask is not None:
        output = MaskedTensor(cleared(g, picked(g, y, order[1]), mask), mask)
    if not options.final:
        return output
    last = [evolve(g.node("Squeeze", [one, g.integers(0)], (size,)), dtype=y.dtype) for one in made[1:]]
    return output, tuple(last) if len(last) > 1 else last[0]


def one_direction(g: Graph, state: Tensor) -> Tensor:
    return g.node("Unsqueeze", [state, g.integers(0)], state.shape)


def real_steps_first(g: Graph, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return where the steps are to be taken from so that real ones come first, where each has gone, and how many are real.

    ONNX's nodes know lengths and no masks, and a step that is no real one changes nothing: so the real ones are put together.
    """
    steps = mask.shape[0]
    real = cast(g, mask, np.int64)
    rank = binary(g, "Sub", binary(g, "Mul", real, 2 * steps), g.constant(np.arange(steps), "places"))
    _, order = g.outputs("TopK", [rank, g.integers(steps)], ("values", "indices"), axis=1, largest=1, sorted=1)
    count = g.node("CumSum", [real, g.constant(np.asarray(1, np.int64), "axis")], mask.shape)
    gone = binary(g, "Max", binary(g, "Sub", count, 1), 0)
    lengths = g.node("Cast", [over(g, "ReduceSum", real, (1,))], (), np.int32, to=6)
    return evolve(order, shape=mask.shape, dtype=np.dtype(np.int64)), gone, lengths


def picked(g: Graph, x: Tensor, places: Tensor) -> Tensor:
    """Return the steps of each example at its own places."""
    x = g.channels_last(x)
    whole = g.node("Expand", [reshape(g, places, (places.shape[0], 1)), g.integers(1, 1, x.shape[-1])], x.shape, np.int64)
    return g.node("GatherElements", [x, whole], x.shape, axis=1)


def rnn(g: Graph, activation: str, options: Any, params: Any, state: Any, x: Any) -> Any:
    weights = (params.input_weight.T[np.newaxis], params.recurrent_weight.T[np.newaxis])
    bias = np.concatenate([params.bias, np.zeros_like(params.bias)])[np.newaxis]
    return run(g, "RNN", options, x, (*weights, bias), 1, activations=({"tanh": "Tanh", "relu": "Relu"}[activation],))


LSTM_ORDER = (0, 2, 1, 3)
"""Input, output, forget and candidate: here they stand as input, forget, output and candidate."""

GRU_ORDER = (1, 0, 2)
"""Update, reset and candidate: here they stand as reset, update and candidate."""


def lstm_constants(params: Any) -> tuple[Array, Array, Array]:
    weights = by_gate(params.input_weight, LSTM_ORDER), by_gate(params.recurrent_weight, LSTM_ORDER)
    bias = by_gate(params.bias[np.newaxis], LSTM_ORDER)[..., 0]
    return (*weights, np.concatenate([bias, np.zeros_like(bias)], axis=1))


def long_short(g: Graph, options: Any, params: Any, state: Any, x: Any) -> Any:
    return run(g, "LSTM", options, x, lstm_constants(params), 2)


def with_peepholes(g: Graph, options: Any, params: Any, state: Any, x: Any) -> Any:
    i, f, o = params.peepholes
    return run(g, "LSTM", options, x, lstm_constants(params), 2, peepholes=np.concatenate([i, o, f])[np.newaxis])


def gated(g: Graph, after: bool, options: Any, params: Any, state: Any, x: Any) -> Any:
    weights = by_gate(params.input_weight, GRU_ORDER), by_gate(params.recurrent_weight, GRU_ORDER)
    bias = by_gate(params.bias[np.newaxis], GRU_ORDER)[..., 0]
    size = len(params.candidate_bias)
    recurrent_bias = np.concatenate([np.zeros(2 * size, bias.dtype), params.candidate_bias])[np.newaxis]
    constants = (*weights, np.concatenate([bias, recurrent_bias], axis=1))
    return run(g, "GRU", options, x, constants, 1, linear_before_reset=int(after))


def one_step(g: Graph, inner: Any, params: Any, state: Any, x: tuple[Tensor, Any]) -> Any:
    values, before = x
    _, after = g.layer(inner, params, state, (reshape(g, values, (1, *values.shape)), before))
    return after


TRANSLATIONS: dict[Callable[..., Any], Translation] = {
    simple_rnn.forward: rnn,
    lstm.forward: long_short,
    peephole_lstm.forward: with_peepholes,
    gru.forward: gated,
    cells.forward: one_step,
}
