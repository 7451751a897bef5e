"""Explanations by place: the right numbers, in the wrong places."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from funcnn.check.diagnosis.probe import Probe
from funcnn.check.diagnosis.sequence import is_sequence
from funcnn.check.diagnosis.view import Hypothesis, View, jacobian_view
from funcnn.typing import Array, IntArray

_ANCHORS = 3


def hypotheses(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """Yield transposes, swaps, shifts and permutations."""
    yield from _transposes(view)
    yield from _exchanges(view)
    yield from _behind(view)
    yield from _backwards(view, probe)
    yield from _swaps(view, probe)
    yield from _flips(view)
    yield from _shifts(view)
    yield from _permutations(view)
    yield from _elsewhere(view)


def _name(view: View, axis: int) -> str:
    ahead = len(view.out)
    return f"axis {axis - ahead}" if axis >= ahead else f"axis {axis} of the output"


def _transposes(view: View) -> Iterator[Hypothesis]:
    """The leaf's axes in another order."""
    axes = list(view.axes())
    for order in itertools.permutations(axes) if len(axes) <= 4 else ():
        moved = [axis for axis, source in zip(axes, order, strict=True) if axis != source]
        if not moved or any(view.numeric.shape[a] != view.numeric.shape[s] for a, s in zip(axes, order, strict=True)):
            continue
        if all(view.numeric.shape[axis] == 1 for axis in moved):
            continue
        turned = view.numeric.transpose(*range(len(view.out)), *order)
        names = " and ".join(str(axis - len(view.out)) for axis in moved)
        text = f"the gradient is transposed: its axes {names} are exchanged"
        yield Hypothesis("transpose", text, view.left(turned), 1 + 0.2 * (len(moved) - 2))


def _exchanges(view: View) -> Iterator[Hypothesis]:
    """An axis of the output in the place of an axis of the leaf: J where its transpose is due, or two axes of the output."""
    shape, outs = view.numeric.shape, range(len(view.out))
    pairs = [(p, q) for p in outs for q in view.axes() if shape[p] == shape[q] > 1]
    for count in (1, 2):
        for chosen in itertools.combinations(pairs, count):
            if len({axis for pair in chosen for axis in pair}) < 2 * count:
                continue
            turned = view.numeric
            for p, q in chosen:
                turned = turned.swapaxes(p, q)
            places = " and ".join(str(q - len(view.out)) for _, q in chosen)
            text = f"a linear map is applied where its transpose is due (along axis {places})"
            tag = "transpose"
            if view.monomial:  # the transpose of a permutation is its inverse
                tag, text = "permuted", f"a permutation is applied where its inverse is due (along axis {places})"
            yield Hypothesis(tag, text, view.left(turned), 1.5 + 0.3 * (count - 1))
    for p, q in itertools.combinations(outs, 2):
        if shape[p] == shape[q] > 1:
            text = f"the cotangent's axes {p} and {q} are exchanged: a sum or a product runs over the wrong one"
            yield Hypothesis("wrong_axis", text, view.left(view.numeric.swapaxes(p, q)), 1.6)


def _pairs(view: View) -> Iterator[tuple[int, int, Array, Array]]:
    """Yield an axis of the output and one of the leaf of one length, with (analytic, numeric) as stacks of square matrices."""
    for p in range(len(view.out)) if view.full else ():
        for q in view.axes():
            length = view.numeric.shape[p]
            if length == view.numeric.shape[q] > 2:
                ours, true = (
                    np.moveaxis(one, (p, q), (-2, -1)).reshape(-1, length, length) for one in (view.analytic, view.numeric)
                )
                yield p, q, ours, true


def _behind(view: View) -> Iterator[Hypothesis]:
    """A linear map where its transpose is due, behind a function of single entries: $D M^T$ in the place of $D M$."""
    for _, q, ours, true in _pairs(view):
        turned = np.swapaxes(true, -2, -1)
        with np.errstate(all="ignore"):
            ratio = np.where(turned != 0, ours / turned, 0)
        whole = float(((ours - true) ** 2).sum())
        for anchor in range(min(_ANCHORS, ours.shape[-1])):
            slope = ratio[:, :, anchor]  # of the single entries, relative to one of them
            with np.errstate(all="ignore"):
                made = np.where(slope[:, None, :] != 0, turned * slope[:, :, None] / slope[:, None, :], 0)
            diagonal = np.abs(slope[:, anchor] - 1) < 1e-6
            left = float(((ours - made) ** 2).sum()) / whole if whole > 0 and diagonal[true.any((1, 2))].all() else np.inf
            where = f"(axis {q - len(view.out)})"
            text = f"behind a function of single entries, a linear map is applied where its transpose is due {where}"
            yield Hypothesis("transpose", text, left, 2.1)


def _backwards(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """What each output of a scan says goes to the steps after it, not to those before it, or the other way round."""
    for _, q, ours, true in _pairs(view):
        below, above = np.tril(np.ones(ours.shape[-2:], bool), -1), np.triu(np.ones(ours.shape[-2:], bool), 1)
        sides = [bool((one[:, part] != 0).any()) for one in (true, ours) for part in (below, above)]
        if sides in ([True, False, False, True], [False, True, True, False]):
            place = q - len(view.out)
            text = f"the slopes go the wrong way along axis {place}: an output speaks to the steps on the other side of it"
            yield Hypothesis("time" if is_sequence(probe, probe.spot, place) else "wrong_axis", text, 0.0, 2.6)


def _swaps(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """Another leaf's gradient."""
    for other, (leaf, spot) in enumerate(zip(probe.evidence.leaves, probe.spots, strict=True)):
        if other == probe.evidence.leaf or leaf.value.shape != view.leaf or not leaf.value.size:
            continue
        text, cost = f"this is the gradient of {leaf.path}: two results are in each other's place", 1.1
        if not leaf.wrong.any():  # which has its own as well
            text, cost = f"this is the gradient of {leaf.path}, which has it too", 1.7
        if view.full:
            theirs = jacobian_view(probe, leaf, spot)
            numeric = theirs.numeric * (theirs.unit / view.unit) if theirs else None
        else:
            numeric = np.nan_to_num((leaf.numeric / view.unit).astype(np.float64))
        if numeric is not None:
            yield Hypothesis("swapped_leaf", text, view.left(numeric), cost)


def _flips(view: View) -> Iterator[Hypothesis]:
    """Reversed order along axes of the leaf, of the output, or of both (a kernel that is not turned)."""
    leaf_axes = [axis for axis in view.axes() if view.numeric.shape[axis] > 1]
    for count in (1, 2, 3):
        for axes in itertools.combinations(leaf_axes, count):
            places = " and ".join(str(axis - len(view.out)) for axis in axes)
            text = f"the order along axis {places} is reversed"
            yield Hypothesis("permuted", text, view.left(np.flip(view.numeric, axes)), 1.3 + 0.1 * count)
    outs = [axis for axis in range(len(view.out)) if view.numeric.shape[axis] > 1]
    for axis in outs:
        text = f"the cotangent is read in reverse order along axis {axis}"
        yield Hypothesis("permuted", text, view.left(np.flip(view.numeric, axis)), 1.5)
    pairs = list(itertools.product(outs, leaf_axes))
    for count in () if view.monomial else (1, 2):
        for chosen in itertools.combinations(pairs, count):
            axes = tuple(axis for pair in chosen for axis in pair)
            if len(set(axes)) == 2 * count:
                places = " and ".join(str(q - len(view.out)) for _, q in chosen)
                text = f"a kernel is applied without being turned (along axis {places}): its order is reversed"
                turned = np.flip(view.numeric, axes)
                yield Hypothesis("permuted", text, view.left(turned), 1.4 + 0.1 * count)
                if count == 1:
                    yield from _moved_back(view, turned, axes[1], text)


def _moved_back(view: View, turned: Array, axis: int, text: str) -> Iterator[Hypothesis]:
    """A kernel that is not turned, of a filter that looks one way: the reversed band lies at another place."""
    length = view.numeric.shape[axis]
    for step in (1, -1, 2, -2, 3, -3, 4, -4):
        if 2 * abs(step) < length:
            place = np.arange(length) - step
            stays = ((place >= 0) & (place < length)).reshape([-1 if one == axis else 1 for one in range(turned.ndim)])
            rolled = np.roll(turned, step, axis)
            yield Hypothesis("permuted", text, view.left(np.where(stays, rolled, 0)), 1.7)
            inside = np.broadcast_to(stays, turned.shape)
            if np.count_nonzero(rolled[inside]) >= 4 and (view.error[inside] != 0).any():
                yield Hypothesis("permuted", f"{text} (but for the entries at the edge)", view.left(rolled, inside), 2.7)


def _shifts(view: View) -> Iterator[Hypothesis]:
    """One or a few places off along one axis, or one place along two."""
    axes = [axis for axis in range(view.numeric.ndim) if view.numeric.shape[axis] > 2]
    for axis in axes:
        length = view.numeric.shape[axis]
        for step in (1, -1, 2, -2, 3, -3):
            if abs(step) < length:
                yield from _shift(view, {axis: step}, 1.5 + 0.1 * (abs(step) - 1))
    for first, second in itertools.combinations(axes, 2):
        if (first < len(view.out)) == (second < len(view.out)):
            for steps in itertools.product((1, -1), repeat=2):
                yield from _shift(view, dict(zip((first, second), steps, strict=True)), 2.0)


def _shift(view: View, steps: dict[int, int], cost: float) -> Iterator[Hypothesis]:
    places = " and ".join(f"{abs(step)} along {_name(view, axis)}" for axis, step in steps.items())
    rolled, inside = view.numeric, np.ones(view.numeric.shape, bool)
    for axis, step in steps.items():
        rolled = np.roll(rolled, step, axis)
        place = np.arange(view.numeric.shape[axis]) - step
        stays = (place >= 0) & (place < view.numeric.shape[axis])
        inside &= stays.reshape([-1 if one == axis else 1 for one in range(view.numeric.ndim)])
    text = f"everything is shifted by {places}"
    if all(2 * abs(step) != view.numeric.shape[axis] for axis, step in steps.items()):
        yield Hypothesis("shifted", text + ", around the end", view.left(rolled), cost)
    yield Hypothesis("shifted", text, view.left(np.where(inside, rolled, 0)), cost)
    if (view.error[inside] != 0).any() and inside.mean() >= 0.5:
        moved = np.count_nonzero(rolled[inside])
        if moved >= 4:
            yield Hypothesis("shifted", text + " (but for the entries at the edge)", view.left(rolled, inside), cost + 1)


def _permutations(view: View) -> Iterator[Hypothesis]:
    """Slices, then single entries, in another order."""
    generator = np.random.default_rng(0)
    for axis in range(view.numeric.ndim):
        if view.numeric.shape[axis] > 2:
            order = _match(view, axis, generator)
            if order is not None:
                text = f"the order along {_name(view, axis)} is permuted: entry i is that of {order.tolist()}"
                yield Hypothesis("permuted", text, view.left(view.numeric.take(order, axis)), 2.0)
    flat = View(
        view.analytic.reshape(int(np.prod(view.out)), -1),
        view.numeric.reshape(int(np.prod(view.out)), -1),
        (int(np.prod(view.out)),),
        (int(np.prod(view.leaf)),),
        view.full,
        view.floor,
        view.unit,
    )
    for axis, what in ((1, "the entries are"), (0, "the cotangent's entries are")):
        if flat.numeric.shape[axis] > 2 and flat.numeric.shape[axis] <= 2000:
            order = _match(flat, axis, generator)
            if order is not None:
                text = f"{what} in another order, as after a reshape without a transpose"
                few = 2 * np.count_nonzero(flat.numeric.any(1 - axis)) < flat.numeric.shape[axis]  # zeros may go anywhere
                yield Hypothesis("permuted", text, flat.left(flat.numeric.take(order, axis)), 2.9 if few else 2.6)


def _elsewhere(view: View) -> Iterator[Hypothesis]:
    """Each entry gets the right amounts, of other places of the cotangent; or each output's amounts go to other entries."""
    if not view.full or not view.out or not view.size:
        return
    ours, true = (one.reshape(math.prod(view.out), -1) for one in (view.analytic, view.numeric))
    for axis, text in (
        (0, "each entry gets the right amounts, but of other places of the cotangent: an index or an order is wrong"),
        (1, "what each output says goes to other entries: an index or an order is wrong"),
    ):
        rest = np.sort(ours, axis) - np.sort(true, axis)
        yield Hypothesis("permuted", text, float((rest**2).sum()) / view.size, 2.95)


def _match(view: View, axis: int, generator: np.random.Generator) -> IntArray | None:
    """Return the order of the numeric slices that makes them the analytic ones, or None."""
    length = view.numeric.shape[axis]
    ours = np.moveaxis(view.analytic, axis, 0).reshape(length, -1)
    true = np.moveaxis(view.numeric, axis, 0).reshape(length, -1)
    weights = generator.uniform(0.5, 1.5, ours.shape[1]) * generator.choice([-1, 1], ours.shape[1])
    a, n = ours @ weights, true @ weights
    order = np.empty(length, int)
    order[np.argsort(a, kind="stable")] = np.argsort(n, kind="stable")
    tolerance = 1e-6 * max(float(np.abs(n).max(initial=0)), np.finfo(float).tiny)
    if np.abs(a - n[order]).max(initial=0) > tolerance or _identical(ours, true, tolerance):
        return None
    return order


def _identical(ours: Array, true: Array, tolerance: float) -> bool:
    return bool(np.abs(ours - true).max(initial=0) <= tolerance)
