"""Explanations by accumulation: a sum that leaves out examples or time steps, or runs over the wrong axis."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from funcnn.check.case.problem import is_floating, output_leaves
from funcnn.check.diagnosis.axes import diagonal
from funcnn.check.diagnosis.probe import Probe
from funcnn.check.diagnosis.sequence import commutes, is_sequence, shorten
from funcnn.check.diagnosis.view import Hypothesis, View
from funcnn.typing import Array

_EXACT = 1e-6
_SHORTEST = 4  # steps of a short sequence, at most
_TRIED = 12  # places of an axis that are tried one by one


def hypotheses(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """Yield sums over too few outputs, over the wrong axis, over too few examples, over too few steps."""
    if view.full:
        yield from _one_output(view, probe)
        yield from _other_sum(view)
        yield from _mixing(view)
        yield from _mixing_in_sum(view, probe)
    yield from _one_at_a_time(view, probe)


def _one_output(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """Of the outputs along one axis a single one contributes, although several should."""
    for axis, length in enumerate(view.out):
        rest = tuple(other for other in range(len(view.out)) if other != axis)
        reached: Array = (view.numeric != 0).any(rest).sum(0)  # how many places of the axis reach each entry
        if length < 2 or reached.max(initial=0) < 2:
            continue
        shape = [-1 if other == axis else 1 for other in range(view.numeric.ndim)]
        tag, what = "missing_batch_sum", "the batch" if axis == 0 else "that axis"
        if any(is_sequence(probe, spot, axis) for spot, leaf in enumerate(probe.arrays) if length in leaf.shape[axis : axis + 1]):
            tag, what = "time", "the steps"
        for index in range(length):
            only = np.where((np.arange(length) == index).reshape(shape), view.numeric, 0)
            text = f"only the outputs at {index} of axis {axis} contribute: the sum over {what} is missing"
            yield Hypothesis(tag, text, view.left(only), 1.5)
            yield Hypothesis(tag, text, view.left(only / length), 1.9)


def _other_sum(view: View) -> Iterator[Hypothesis]:
    """A leaf that was stretched along one axis of the output gets the sum over another."""
    ahead = len(view.out)
    total = view.numeric.sum(tuple(view.axes()), keepdims=True)  # what each output says, to whichever entry
    for q in view.axes():
        axes = [p for p in range(ahead) if view.numeric.shape[p] == view.numeric.shape[q] > 1]
        for p, other in itertools.permutations(axes, 2):
            if diagonal(view.numeric, p, q) and diagonal(view.analytic, other, q) and not diagonal(view.analytic, p, q):
                left = view.left(np.where(view.analytic != 0, total, 0))
                text = f"the sum runs over axis {p} of the cotangent, where it should run over axis {other}"
                yield Hypothesis("wrong_axis", text, left, 1.6)


def _mixing(view: View) -> Iterator[Hypothesis]:
    """The gradient mixes entries along an axis along which the function does not."""
    for p in range(len(view.out)):
        for q in view.axes():
            length = view.numeric.shape[p]
            if length != view.numeric.shape[q] or length < 2 or not diagonal(view.numeric, p, q):
                continue
            if not diagonal(view.analytic, p, q):
                stays = _other_diagonal(view)
                text = f"the gradient mixes entries along axis {q - len(view.out)}, along which the function acts on each alone"
                text += f", and not along axis {stays}" if stays is not None else ""
                yield Hypothesis("wrong_axis", text + ": a sum or a mean runs over the wrong axis", 0.0, 2.7)


def _other_diagonal(view: View) -> int | None:
    """Return an axis of the leaf along which the function mixes entries and the gradient does not."""
    for p in range(len(view.out)):
        for q in view.axes():
            same = view.numeric.shape[p] == view.numeric.shape[q] > 1
            if same and diagonal(view.analytic, p, q) and not diagonal(view.numeric, p, q):
                return q - len(view.out)
    return None


def _mixing_in_sum(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """The same for one number that is a sum over an axis: each part's gradient should depend on that part alone."""
    leaf = probe.arrays[probe.spot]
    if view.out or leaf.ndim < 2 or probe.rows != 1:
        return
    for axis in range(leaf.ndim):
        parts = [slice(index, index + 1) for index in (0, leaf.shape[axis] - 1)]
        if leaf.shape[axis] < 2 or not _additive(probe, axis, parts):
            continue
        cotangent = np.ones(1, probe.dtype)
        plain, moved = (probe.pull(arrays, cotangent) for arrays in (probe.arrays, _nudged(probe, axis, parts[1:])))
        if plain is None or moved is None:
            return
        place = (slice(None),) * axis + (parts[0],)
        change = np.abs((moved - plain).reshape(leaf.shape)[place]).max(initial=0)
        if change > 1e-6 * np.abs(plain).max(initial=0):
            text = (
                f"the gradient mixes the parts along axis {axis}, of which the function is a sum: "
                "a sum or a mean runs over the wrong axis"
            )
            yield Hypothesis("wrong_axis", text, 0.0, 2.7)


def _nudged(probe: Probe, axis: int, parts: list[slice]) -> list[Array]:
    """Return the arguments with some slices of the wrong leaf moved."""
    arrays = list(probe.arrays)
    moved = np.array(arrays[probe.spot])
    for part in parts:
        place = (slice(None),) * axis + (part,)
        size = float(np.abs(moved).max(initial=0)) or 1.0
        moved[place] += probe.dtype.type(size / 16) * np.abs(probe.normal(50, *moved[place].shape))
    arrays[probe.spot] = moved
    return arrays


def _additive(probe: Probe, axis: int, parts: list[slice]) -> bool:
    """Tell whether the mixed difference over two slices vanishes: the function is a sum of functions of one slice each."""
    values = [probe.vector(_nudged(probe, axis, chosen)) for chosen in ([], parts[:1], parts[1:], parts)]
    mixed = values[3] - values[1] - values[2] + values[0]
    single = np.minimum(np.abs(values[1] - values[0]), np.abs(values[2] - values[0]))
    return bool((single > 0).all() and (np.abs(mixed) <= 1e-9 * single + 1e-15 * np.abs(values[0])).all())


def _one_at_a_time(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """Every example, or every step, alone has the right gradient: what is wrong is how they are put together."""
    seen: set[tuple[tuple[int, ...], int]] = set()
    for spot, leaf in enumerate(probe.arrays):
        for axis in range(leaf.ndim):
            length = leaf.shape[axis]
            made = shorten(probe, spot, axis, slice(0, 1)) if length >= 2 else None
            if made is None or (made[0], axis) in seen:
                continue
            seen.add((made[0], axis))
            if commutes(probe, made[0], axis):
                if probe.spot not in made[0]:
                    yield from _one_example(view, probe, spot, axis)
            elif is_sequence(probe, spot, axis):
                yield from _few_steps(probe, spot, axis)


def _few_steps(probe: Probe, spot: int, axis: int) -> Iterator[Hypothesis]:
    """Sequences of one step, or of a few, are right; longer ones are not."""
    length = probe.arrays[spot].shape[axis]
    for steps in range(1, min(_SHORTEST, length - 1) + 1):
        states = {_state(probe, shorten(probe, spot, axis, slice(at, at + steps))) for at in _some(length - steps + 1)}
        if "right" in states and "wrong" not in states:
            many = f"{steps} step{'s' * (steps > 1)}, wrong for {length} (axis {axis} of {probe.paths[spot]})"
            yield Hypothesis(
                "time", f"right for a sequence of {many}: what joins the steps, or adds them up, is wrong", 0.0, 2.65
            )
            return


def _some(count: int) -> list[int]:
    """Return indices: all, or some of many, the first and the last among them."""
    return sorted({round(at) for at in np.linspace(0, count - 1, min(count, _TRIED))})


def _state(probe: Probe, made: tuple[tuple[int, ...], list[Array]] | None) -> str:
    """Tell whether the gradient is right for some other arguments, wrong, or zero as it should be."""
    return "wrong" if made is None else _judge(probe, made[1])


def _judge(probe: Probe, arrays: list[Array]) -> str:
    output = probe.output(arrays)
    size = sum(leaf.size for leaf in output_leaves(output) if is_floating(leaf))
    moves = False
    for stream in range(2):
        cotangent, direction = probe.normal(stream, size), probe.normal(10 + stream, *arrays[probe.spot].shape)
        pulled = probe.pull(arrays, cotangent, output=output)
        if pulled is None or pulled.size != direction.size:
            return "wrong"
        numeric = probe.slope(arrays, probe.spot, direction, cotangent)
        height = float(np.abs(pulled) @ np.abs(direction.reshape(-1)))
        if not abs(float(pulled @ direction.reshape(-1)) - numeric) <= _EXACT * max(height, abs(numeric)):
            return "wrong"
        moves |= height > 0
    return "right" if moves else "still"


def _one_example(view: View, probe: Probe, spot: int, axis: int) -> Iterator[Hypothesis]:
    """The gradient is that of one example, where those of all should be added up or averaged."""
    if view.full and view.out and len(probe.shapes) == 1 and view.numeric.shape[0] == probe.arrays[spot].shape[axis]:
        return  # each example has outputs of its own: seen in the Jacobian
    length = probe.arrays[spot].shape[axis]
    cotangent = np.ones(probe.rows, probe.dtype) * probe.generator(3).uniform(0.5, 1.5, probe.rows)
    whole = probe.pull(probe.arrays, cotangent)
    for index in _some(length):
        made = shorten(probe, spot, axis, slice(index, index + 1))
        if made is None or _judge(probe, made[1]) != "right":
            continue
        output = probe.output(made[1])
        if sum(leaf.size for leaf in output_leaves(output) if is_floating(leaf)) != probe.rows:
            return
        alone = probe.pull(made[1], cotangent, output=output)
        if whole is None or alone is None or not (alone @ alone) or alone.size < 2:
            continue
        factor = (whole @ alone) / (alone @ alone)
        rest = float(((whole - factor * alone) ** 2).sum() / max(float((whole**2).sum()), np.finfo(float).tiny))
        if rest < 1e-12:
            text = (
                f"the gradient is that of example {index} alone: "
                f"the sum over the batch (axis {axis} of {probe.paths[spot]}) is missing"
            )
            yield Hypothesis("missing_batch_sum", text, 0.0, 1.6)
