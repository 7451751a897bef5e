"""Recurrences that ONNX has no node for: their steps stand in the graph one after the other, as many as an example has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funcnn.deploy.onnx.graph import Graph, MaskedTensor, Tensor, Translation
from funcnn.deploy.onnx.operators import (
    add,
    concatenate,
    cut,
    for_each_example,
    matmul,
    multiply,
    regroup,
    reshape,
    split,
    unary,
    where,
)
from funcnn.deploy.onnx.translations.masks import cleared
from funcnn.layers.recurrent import conv_lstm, projected_lstm, selective_scan

# Any: the parameters and states of layers of all types.


def step_of(g: Graph, x: Tensor, at: int) -> Tensor:
    """Return one step of sequences (n, t, ...), without its axis."""
    return regroup(g, cut(g, x, 1, at, at + 1), x.shape[1:])


def stacked(g: Graph, steps: list[Tensor]) -> Tensor:
    """Return steps (n, ...) along a new axis 1."""
    return concatenate(g, [reshape(g, one, (1, *one.shape)) for one in steps], 1)


def zeros_like(g: Graph, x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return zeros for each example of another tensor."""
    return for_each_example(g, np.zeros(shape, x.dtype), x)


def updated(g: Graph, parts: list[Tensor], cell: Tensor) -> tuple[Tensor, Tensor]:
    """Return what an LSTM gives out and its cell, from what comes before its gates: input, forget, output and candidate."""
    i, f, o = (unary(g, "Sigmoid", one) for one in parts[:3])
    after = add(g, multiply(g, f, cell), multiply(g, i, unary(g, "Tanh", parts[3])))
    return multiply(g, o, unary(g, "Tanh", after)), after


def with_projection(g: Graph, options: Any, params: Any, state: Any, x: Any) -> Any:
    sequence, start = x if options.initial else (x, None)
    values, mask = (sequence.values, sequence.mask) if options.masked else (sequence, None)
    values = g.channels_last(values)
    features, projected = params.projection.shape
    h, c = start if start is not None else (zeros_like(g, values, (projected,)), zeros_like(g, values, (features,)))
    outside = add(g, matmul(g, values, g.constant(params.input_weight, "input_weight")), g.constant(params.bias, "bias"))
    recurrent, projection = g.constant(params.recurrent_weight, "recurrent_weight"), g.constant(params.projection, "projection")
    steps = []
    for at in range(values.shape[0]):
        z = add(g, step_of(g, outside, at), matmul(g, h, recurrent))
        said, cell = updated(g, split(g, z, 1, [features] * 4), c)
        said = matmul(g, said, projection)
        if mask is not None:
            real = cut(g, mask, 1, at, at + 1)  # (n, 1)
            said, cell = where(g, real, said, h), where(g, real, cell, c)
        h, c = said, cell
        steps.append(h)
    output: Any = stacked(g, steps)
    if mask is not None:
        output = MaskedTensor(cleared(g, output, mask), mask)
    return (output, (h, c)) if options.final else output


def with_convolution(g: Graph, setting: Any, params: Any, state: Any, x: Any) -> Any:
    sequence, start = x if setting.initial else (x, None)
    sequence = g.channels_last(sequence)
    own = (*sequence.shape[1:3], setting.features)
    h, c = start if start is not None else (zeros_like(g, sequence, own),) * 2
    steps = []
    for at in range(sequence.shape[0]):
        both = concatenate(g, [step_of(g, sequence, at), h])
        z = g.layer(setting.gates, params, (), both)
        h, c = updated(g, split(g, z, z.ndim - 1, [setting.features] * 4), c)
        steps.append(h)
    output = stacked(g, steps)
    return (output, (h, c)) if setting.final else output


def selected(g: Graph, params: Any, state: Any, x: Any) -> Tensor:
    u, raw, b, c = (g.channels_last(one) for one in x)
    steps, channels = u.shape
    states = params.log_rate.shape[1]
    delta = unary(g, "Softplus", raw)
    rate = g.constant(-np.exp(params.log_rate), "rate")
    decay = unary(g, "Exp", multiply(g, reshape(g, delta, (steps, channels, 1)), rate))
    given = multiply(g, reshape(g, multiply(g, delta, u), (steps, channels, 1)), reshape(g, b, (steps, 1, states)))
    before, made = zeros_like(g, u, (channels, states)), []
    for at in range(steps):
        before = add(g, step_of(g, given, at), multiply(g, step_of(g, decay, at), before))
        made.append(before)
    read = matmul(g, stacked(g, made), reshape(g, c, (steps, states, 1)))
    return add(g, reshape(g, read, (steps, channels)), multiply(g, u, g.constant(params.skip, "skip")))


TRANSLATIONS: dict[Callable[..., Any], Translation] = {
    projected_lstm.forward: with_projection,
    conv_lstm.forward: with_convolution,
    selective_scan.forward: selected,
}
