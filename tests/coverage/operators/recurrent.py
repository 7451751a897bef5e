"""Recurrent layers and cells."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import funcnn as fn
from tests.coverage.bridge import run, unless
from tests.coverage.translated import translates


def rnn_parameters(weights: list[Tensor]) -> tuple[Tensor, ...]:
    """Return torch's (H, I), (H, H) and two biases, which are added, as this library's."""
    inner, outer, *biases = weights
    bias = biases[0] + biases[1] if biases else inner.new_zeros(len(inner))
    return inner.t(), outer.t(), bias


def lstm_parameters(weights: list[Tensor]) -> tuple[Tensor, ...]:
    """Return the four gates' weights: torch has the candidate before the output gate, this library after it."""
    gates = [weight.unflatten(0, (4, -1))[[0, 1, 3, 2]].flatten(0, 1) for weight in weights]
    return rnn_parameters(gates)


def projected_parameters(weights: list[Tensor]) -> tuple[Tensor, ...]:
    """Return those of an LSTM, and the projection."""
    *gates, projection = weights
    return *lstm_parameters(gates), projection.t()


def projected(recurrent_weight: Tensor, **options: Any) -> Any:
    """Return the layer for a recurrent weight (4 H, R)."""
    return fn.projected_lstm(len(recurrent_weight) // 4, recurrent_weight.shape[1], **options)


def gru_parameters(weights: list[Tensor]) -> tuple[Tensor, ...]:
    """Return the three gates' weights; the candidate keeps both of its biases."""
    inner, outer, *biases = weights
    size = len(inner) // 3
    first, second = biases if biases else (inner.new_zeros(len(inner)),) * 2
    return inner.t(), outer.t(), torch.cat([(first + second)[: 2 * size], first[2 * size :]]), second[2 * size :]


def stacked(kind: Any, parameters: Any, states: int, x: Tensor, start: Any, weights: Any, settings: Any) -> tuple[Tensor, ...]:
    """Run layers upon one another, in one direction or both, and return the sequence and the final states."""
    has_bias, layers, dropout, training, both_ways, batch_first = settings
    unless(training and dropout > 0, "random: other numbers are drawn")
    each = 4 if has_bias else 2
    if len(weights) > layers * each * (1 + both_ways):  # torch keeps the projection (R, H) last
        each, kind, parameters = each + 1, projected, projected_parameters
    unbatched = x.dim() == 2
    x = x[None] if unbatched else x if batch_first else x.transpose(0, 1)
    finals: list[tuple[Tensor, ...]] = []
    for layer in range(layers):
        outputs = []
        for backwards in range(1 + both_ways):
            place = layer * (1 + both_ways) + backwards
            own = list(weights[place * each : (place + 1) * each])
            begin = tuple(state[place][None] if unbatched else state[place] for state in start)
            made = kind(own[1] if kind is projected else own[1].shape[1], initial=True, final=True)
            pack = (lambda x, h: (x, h)) if states == 1 else (lambda x, h, c: (x, (h, c)))
            y, *last = run(made, (x.flip(1) if backwards else x, *begin), *parameters(own), pack=pack)
            outputs.append(y.flip(1) if backwards else y)
            finals.append(tuple(last))
        x = torch.cat(outputs, -1)
    final = tuple(torch.stack(state) for state in zip(*finals, strict=True))
    if unbatched:
        return x[0], *(state[:, 0] for state in final)
    return x if batch_first else x.transpose(0, 1), *final


def of_torch(parameters: Any, states: int, function: Any, kind: Any) -> None:
    """Register what torch's modules call."""

    @translates(function)
    def translator(x: Tensor, start: Any, weights: Any, *settings: Any) -> Any:
        unless(isinstance(weights, Tensor), "packed sequences")
        return stacked(kind, parameters, states, x, (start,) if states == 1 else start, weights, settings)


of_torch(lstm_parameters, 2, torch.lstm, fn.lstm)
of_torch(gru_parameters, 1, torch.gru, fn.gru)
of_torch(rnn_parameters, 1, torch.rnn_tanh, fn.rnn)
of_torch(rnn_parameters, 1, torch.rnn_relu, lambda features, **options: fn.rnn(features, activation="relu", **options))


def cell(parameters: Any, function: Any, kind: Any) -> None:
    """Register a single step."""

    @translates(function)
    def translator(x: Tensor, start: Any, *weights: Tensor | None) -> Any:
        states = (start,) if isinstance(start, Tensor) else tuple(start)
        own = parameters([weight for weight in weights if weight is not None])
        pack = (lambda x, h: (x, h)) if len(states) == 1 else (lambda x, h, c: (x, (h, c)))
        return run(kind(states[0].shape[-1]), (x, *states), *own, pack=pack)


cell(lstm_parameters, torch.lstm_cell, fn.lstm_cell)
cell(gru_parameters, torch.gru_cell, fn.gru_cell)
cell(rnn_parameters, torch.rnn_tanh_cell, fn.rnn_cell)
cell(rnn_parameters, torch.rnn_relu_cell, lambda features: fn.rnn_cell(features, activation="relu"))
