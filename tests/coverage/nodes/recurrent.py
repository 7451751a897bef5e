"""Recurrent layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import funcnn as fn
from tests.coverage.bridge import run, unless
from tests.coverage.onnx_samples import node


def blocks(weight: Tensor, order: list[int], gates: int) -> Tensor:
    """Return the gates of (G H, ...) in another order."""
    return weight.unflatten(0, (gates, -1))[order].flatten(0, 1)


def of_rnn(inner: Tensor, outer: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
    """Return the weights, and the sum of the two biases."""
    first, second = bias.chunk(2)
    return inner.t(), outer.t(), first + second


def of_lstm(inner: Tensor, outer: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
    """Return the gates input, output, forget, cell as input, forget, output, cell."""
    order = [0, 2, 1, 3]
    first, second = bias.chunk(2)
    return blocks(inner, order, 4).t(), blocks(outer, order, 4).t(), blocks(first + second, order, 4)


def of_gru(inner: Tensor, outer: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
    """Return the gates update, reset, candidate as reset, update, candidate, which keeps both of its biases."""
    order = [1, 0, 2]
    first, second = (blocks(part, order, 3) for part in bias.chunk(2))
    size = outer.shape[1]
    joined = torch.cat([(first + second)[: 2 * size], first[2 * size :]])
    return blocks(inner, order, 3).t(), blocks(outer, order, 3).t(), joined, second[2 * size :]


def recurrent(
    attributes: dict[str, Any], kind: Any, parameters: Any, gates: int, inputs: tuple[Tensor | None, ...], states: int
) -> Any:
    """Run it in one direction or both; sequences of unequal length are masked."""
    x, inner, outer, bias, lengths, *start = (*inputs, None, None, None, None)
    assert x is not None
    assert inner is not None
    assert outer is not None
    unless("activations" in attributes or "clip" in attributes, "other activations, or a bound, of a recurrent layer")
    first = attributes.get("layout", 0) == 1
    x = x if first else x.transpose(0, 1)
    rows, steps = x.shape[:2]
    masked = lengths is not None and bool((lengths < steps).any())
    directions = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[attributes.get("direction", "forward")]
    unless(masked and True in directions, "sequences of unequal length, backwards")
    size = attributes["hidden_size"]
    sequences, finals = [], []
    for place, backwards in enumerate(directions):
        begin = []
        for state in start[:states]:
            given = state if state is None or not first else state.transpose(0, 1)
            begin.append(x.new_zeros(rows, size) if given is None else given[place])
        own = x.new_zeros(2 * gates * size) if bias is None else bias[place]
        mask = np.arange(steps) < (lengths.numpy()[:, None] if masked and lengths is not None else steps + np.zeros((rows, 1)))

        def pack(x: Any, h: Any, *c: Any, mask: Any = mask) -> Any:
            return (fn.Masked(x, mask) if masked else x), ((h, *c) if c else h)

        layer = kind(size, initial=True, final=True, masked=masked)
        made = run(layer, (x.flip(1) if backwards else x, *begin), *parameters(inner[place], outer[place], own), pack=pack)
        y, last = made[0], made[2:] if masked else made[1:]
        sequences.append(y.flip(1) if backwards else y)
        finals.append(last)
    y = torch.stack(sequences, 2 if first else 1)
    ends = [torch.stack(parts, 1 if first else 0) for parts in zip(*finals, strict=True)]
    return (y if first else y.permute(2, 1, 0, 3), *ends)


@node("RNN")
def rnn(attributes: dict[str, Any], *inputs: Tensor | None) -> Any:
    return recurrent(attributes, fn.rnn, of_rnn, 1, inputs, 1)


@node("GRU")
def gru(attributes: dict[str, Any], *inputs: Tensor | None) -> Any:
    after = bool(attributes.get("linear_before_reset", 0))
    return recurrent(attributes, lambda size, **settings: fn.gru(size, reset_after=after, **settings), of_gru, 3, inputs, 1)


@node("LSTM")
def lstm(attributes: dict[str, Any], *inputs: Tensor | None) -> Any:
    """With peepholes ONNX orders them input, output, forget."""
    if len(inputs) < 8 or inputs[7] is None:
        return recurrent(attributes, fn.lstm, of_lstm, 4, inputs[:7], 2)
    holes = blocks(inputs[7][0], [0, 2, 1], 3)
    parameters = fn.peephole_lstm(attributes["hidden_size"]).init(fn.Key(0), (1, 1)).params
    unless(inputs[7].shape[0] > 1 or not hasattr(parameters, "peepholes"), "peepholes in both directions")
    return recurrent(
        attributes, fn.peephole_lstm, lambda *weights: (*of_lstm(*weights), holes.unflatten(0, (3, -1))), 4, inputs[:7], 2
    )
