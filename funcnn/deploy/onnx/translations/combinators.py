"""Layers made of layers: what a graph knows as values that go several ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import evolve

from funcnn.combinators import (
    add as sums,
)
from funcnn.combinators import (
    bidirectional,
    branch,
    frozen,
    memory,
    multiply_inputs,
    parallel,
    pick_input,
    recompute,
    residual,
    reverse_time,
    shared,
    spectral_norm,
    stop_gradient,
    trained_start,
    weight_norm,
)
from funcnn.combinators import (
    concatenate as joins,
)
from funcnn.combinators.around import lora, time_distributed, without_bias
from funcnn.combinators.implicit import runge_kutta
from funcnn.combinators.implicit.field import time_shape
from funcnn.combinators.implicit.tableau import coefficients
from funcnn.combinators.inputs import average, dot, extreme
from funcnn.combinators.stacked import ensemble, recurrent_stack, repeat
from funcnn.combinators.stacked.stacking import member
from funcnn.deploy.onnx.graph import Graph, MaskedTensor, Tensor, Translation
from funcnn.deploy.onnx.operators import (
    add,
    concatenate,
    cut,
    for_each_example,
    matmul,
    multiply,
    over,
    regroup,
    reshape,
    total,
)
from funcnn.deploy.onnx.translations.masks import cleared
from funcnn.kernels.arrays import vector_length
from funcnn.layer.chain_rule import chain_forward
from funcnn.sharding import shard

# Any: the parameters and states of layers of all types.


def in_a_row(g: Graph, layers: Any, params: Any, state: Any, x: Any, offset: int = 0) -> Any:
    for index, one in enumerate(layers):
        x = g.layer(one, params[index], state[index], x, index + offset)
    return x


def in_stretches(g: Graph, parts: Any, params: Any, state: Any, x: Any) -> Any:
    for one in parts:
        x = g.layer(one.layers, params[one.place], state[one.place], x)
    return x


def each(g: Graph, layers: Any, params: Any, state: Any, inputs: Any) -> list[Any]:
    return [g.layer(one, params[i], state[i], inputs[i], i) for i, one in enumerate(layers)]


def added(g: Graph, layers: Any, params: Any, state: Any, x: Any) -> Any:
    return total(g, "Add", each(g, layers, params, state, (x,) * len(layers)))


def side_by_side(g: Graph, layers: Any, params: Any, state: Any, x: Any) -> Any:
    return concatenate(g, each(g, layers, params, state, (x,) * len(layers)))


def branched(g: Graph, layers: Any, params: Any, state: Any, x: Any) -> Any:
    return tuple(each(g, layers, params, state, (x,) * len(layers)))


def paralleled(g: Graph, layers: Any, params: Any, state: Any, x: Any) -> Any:
    return tuple(each(g, layers, params, state, x))


def with_input(g: Graph, inner: Any, params: Any, state: Any, x: Any) -> Any:
    return add(g, x, g.layer(inner, params, state, x))


def inner_alone(g: Graph, inner: Any, params: Any, state: Any, x: Any) -> Any:
    return g.layer(inner, params, state, x)


def of_parts(g: Graph, inner: Any, workers: int, params: Any, state: Any, x: Any) -> Any:
    return g.layer(inner, params, state, x)


def with_zeros(g: Graph, inner: Any, params: Any, state: Any, x: Any) -> Any:
    return g.layer(inner, without_bias.params_of(inner)(params), state, x)


def used_again(g: Graph, inner: Any, uses: int, params: Any, state: Any, x: Any) -> Any:
    return tuple([g.layer(inner, params, state, one, index) for index, one in enumerate(x)])


# Sequences and memories.


def flipped(g: Graph, x: Any) -> Any:
    if isinstance(x, MaskedTensor):
        return MaskedTensor(flipped(g, x.values), flipped(g, x.mask))
    if isinstance(x, tuple):
        return (flipped(g, x[0]), *x[1:])
    return cut(g, x, 1, x.shape[0] - 1, -1, -1)


def backwards(g: Graph, inner: Any, params: Any, state: Any, x: Any) -> Any:
    return flipped(g, g.layer(inner, params, state, flipped(g, x)))


def both_ways(g: Graph, layers: Any, params: Any, state: Any, x: Any) -> Any:
    return together(g, *each(g, layers, params, state, bidirectional.each_way(x, isinstance(x, tuple), "the input")))


def together(g: Graph, first: Any, second: Any) -> Any:
    if isinstance(first, tuple):
        return together(g, first[0], second[0]), (first[1], second[1])
    if isinstance(first, MaskedTensor):
        return MaskedTensor(together(g, first.values, second.values), first.mask)
    return concatenate(g, [first, second])


def one_above_the_other(g: Graph, layers: Any, params: Any, state: Any, x: Any) -> Any:
    (sequence, starts), finals = x, []
    for index, one in enumerate(layers):
        sequence, final = g.layer(one, params[index], state[index], (sequence, starts[index]), index)
        finals.append(final)
    return sequence, tuple(finals)


def from_start(g: Graph, inner: Any, params: Any, state: Any, x: Any) -> Any:
    sequence, start = x.values if isinstance(x, MaskedTensor) else x, params.start
    if isinstance(start, tuple):
        made: Any = tuple([for_each_example(g, one, sequence) for one in start])
    else:
        made = for_each_example(g, start, sequence)
    return g.layer(inner, params.inner, state, (x, made), ".inner")


def beside(g: Graph, inner: Any, params: Any, state: Any, x: Any) -> Any:
    return g.layer(inner, params, state, x[0]), x[1]


def dropped(g: Graph, params: Any, state: Any, x: Any) -> Any:
    return x[0]


def with_sequence(g: Graph, inner: Any, params: Any, state: Any, x: Any) -> Any:
    y, sequence = g.layer(inner, params, state, x), x[0]
    if isinstance(sequence, MaskedTensor):
        return MaskedTensor(cleared(g, add(g, sequence.values, y.values), sequence.mask), sequence.mask), x[1]
    return add(g, sequence, y), x[1]


# Several inputs.


def picked(g: Graph, index: int, params: Any, state: Any, x: Any) -> Any:
    return x[index]


def joined(g: Graph, axis: int, params: Any, state: Any, x: Any) -> Any:
    return concatenate(g, x, axis)


def of_all(kind: str) -> Translation:
    """Return the translation of an operator from the first input to the last."""
    return lambda g, params, state, x: total(g, kind, [g.channels_last(one) for one in x])


def averaged(g: Graph, params: Any, state: Any, x: Any) -> Any:
    return multiply(g, total(g, "Add", [g.channels_last(one) for one in x]), 1 / len(x))


def extremes(g: Graph, which: str, params: Any, state: Any, x: Any) -> Any:
    return total(g, {"largest": "Max", "smallest": "Min"}[which], [g.channels_last(one) for one in x])


def dotted(g: Graph, params: Any, state: Any, x: Any) -> Any:
    return over(g, "ReduceSum", multiply(g, *x), (-1,), keep=True)


# Parameters that are made of others.


def of_length(g: Graph, inner: Any, axis: int, params: Any, state: Any, x: Any) -> Any:
    direction, length = weight_norm.direction_and_length(params.inner.weight, axis)
    weight = direction * params.gain.reshape(length.shape)
    return g.layer(inner, evolve(params.inner, weight=weight), state, x)


def of_norm(g: Graph, inner: Any, axis: int, iterations: int, params: Any, state: Any, x: Any) -> Any:
    u = np.asarray(state.u).astype(params.weight.dtype)
    sigma = vector_length(spectral_norm.as_matrix(params.weight, axis).dot(u))
    return g.layer(inner, evolve(params, weight=params.weight / (sigma or 1)), state.inner, x)


def with_correction(g: Graph, inner: Any, alpha: float, params: Any, state: Any, x: Any) -> Any:
    y = g.layer(inner, params.inner, state, x, ".inner")
    low = matmul(g, x, g.constant(params.down, "down"))
    return add(g, y, matmul(g, low, g.constant(params.up * lora.share(alpha, params.up), "up")))


def copies(g: Graph, inner: Any, members: int, params: Any, state: Any, x: Any) -> Any:
    made = [g.layer(inner, member(params, i), member(state, i), x, i) for i in range(members)]
    return concatenate(g, [reshape(g, one, (1, *one.shape)) for one in made], 1)


def repeated(g: Graph, inner: Any, layers: int, params: Any, state: Any, x: Any) -> Any:
    for index in range(layers):
        x = g.layer(inner, member(params, index), member(state, index), x, index)
    return x


def at_each_step(g: Graph, inner: Any, axes: int, params: Any, state: Any, x: Any) -> Any:
    lead, rest = x.shape[:axes], x.shape[axes:]
    y = g.layer(inner, params, state, regroup(g, x, rest))
    return regroup(g, y, (*lead, *y.shape))


# Equations.


def steps_of_runge_kutta(
    g: Graph, inner: Any, tableau: Any, grid: Any, adjoint: Any, params: Any, state: Any, x: Tensor
) -> Tensor:
    """Write every step of the solver: their number and lengths are known."""
    table, outputs, y = coefficients(tableau, np.dtype(x.dtype)), [], g.channels_last(x)
    for index in range(len(grid.times)):
        begin, h = grid.step(index, np.dtype(x.dtype).type)
        for number in range(grid.steps):
            y = runge_kutta_step(g, inner, table, grid.timed, params, state, (y, begin + number * h, h))
        outputs.append(y)
    if grid.single:
        return outputs[0]
    return concatenate(g, [reshape(g, one, (1, *one.shape)) for one in outputs], 1)


def runge_kutta_step(g: Graph, inner: Any, table: Any, timed: bool, params: Any, state: Any, place: Any) -> Tensor:
    y, t, h = place
    slopes: list[Tensor] = []
    for row, c in zip(table.a, table.c, strict=True):
        at: Any = moved(g, y, h, row, slopes)
        if timed:
            now = np.full(time_shape(y.shape), t + c * h, y.dtype)
            at = (at, for_each_example(g, now, y))
        slopes.append(g.channels_last(g.layer(inner, params, state, at)))
    return moved(g, y, h, table.b, slopes)


def moved(g: Graph, y: Tensor, h: Any, weights: Any, slopes: list[Tensor]) -> Tensor:
    parts = [multiply(g, slope, float(h * weight)) for weight, slope in zip(weights, slopes, strict=False) if weight]
    return total(g, "Add", [y, *parts])


TRANSLATIONS: dict[Callable[..., Any], Translation] = {
    chain_forward: in_a_row,
    recompute.forward: inner_alone,
    recompute.forward_in_stretches: in_stretches,
    sums.forward: added,
    joins.forward: side_by_side,
    branch.forward: branched,
    parallel.forward: paralleled,
    residual.forward: with_input,
    frozen.forward: inner_alone,
    stop_gradient.forward: inner_alone,
    shard.forward: of_parts,
    without_bias.forward: with_zeros,
    shared.forward: used_again,
    reverse_time.forward: backwards,
    bidirectional.forward: both_ways,
    recurrent_stack.forward: one_above_the_other,
    trained_start.forward: from_start,
    memory.beside_forward: beside,
    memory.drop_forward: dropped,
    memory.residual_forward: with_sequence,
    pick_input.pick_forward: picked,
    pick_input.join_forward: joined,
    multiply_inputs.add_forward: of_all("Add"),
    multiply_inputs.multiply_forward: of_all("Mul"),
    average.subtract_forward: of_all("Sub"),
    average.average_forward: averaged,
    extreme.forward: extremes,
    dot.forward: dotted,
    weight_norm.forward: of_length,
    spectral_norm.forward: of_norm,
    lora.forward: with_correction,
    ensemble.forward: copies,
    repeat.forward: repeated,
    time_distributed.forward: at_each_step,
    runge_kutta.forward: steps_of_runge_kutta,
}
