"""Explanations by where: which entries are wrong, while all others are right."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from funcnn.check.diagnosis.axes import slice_name, spatial_axes
from funcnn.check.diagnosis.features import Feature, features
from funcnn.check.diagnosis.probe import Probe
from funcnn.check.diagnosis.view import Hypothesis, View
from funcnn.typing import BoolArray


def hypotheses(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """Yield single entries, rows, channels, borders and regions."""
    bad, alive = view.bad, view.alive
    if not bad.any():
        return
    if (alive & ~bad).any():
        yield from _single(bad)
        yield from _slices(bad, alive, view, probe)
        yield from _shared(bad, alive, view, probe)
        yield from _border(bad, alive, view)
    yield from _flat(view)
    yield from _regions(view, probe)


def _exact(tag: str, text: str, cost: float) -> Hypothesis:
    return Hypothesis(tag, text, 0.0, cost)


def _single(bad: BoolArray) -> Iterator[Hypothesis]:
    if bad.sum() == 1:
        index = tuple(int(place[0]) for place in np.nonzero(bad))
        yield _exact("single_entry", f"entry {list(index)} alone is wrong", 1.5)


def _slices(bad: BoolArray, alive: BoolArray, view: View, probe: Probe) -> Iterator[Hypothesis]:
    """Whole slices along one axis are wrong and all others are right (entries without a gradient do not count)."""
    if bad.ndim < 2 or bad.sum() < 2:
        return
    for axis in range(bad.ndim):
        length = bad.shape[axis]
        rest = tuple(other for other in range(bad.ndim) if other != axis)
        hit, whole = np.asarray(bad.any(rest)), np.asarray((bad | ~alive).all(rest))
        if length < 2 or hit.all() or not whole[hit].all() or not np.asarray(alive.any(rest))[~hit].any():
            continue
        chosen = [int(index) for index in np.flatnonzero(hit)]
        what, tag = slice_name(axis, chosen, view, probe)
        said = f"{what} {chosen[0]}" if len(chosen) == 1 else f"{what}s {', '.join(map(str, chosen))}"
        cost = 1.6 if len(chosen) == 1 else 2.25 + min(0.05 * len(chosen), 0.2)
        if 2 * len(chosen) >= length > 2 and not _multiple(view, bad):
            cost += 7  # half of all or more are wrong, and not for being empty: those that are right are the exception
        verb = "is" if len(chosen) == 1 else "are"
        yield _exact(tag, f"{said} (axis {axis}) of the gradient {verb} wrong, the rest is right", cost)


def _multiple(view: View, bad: BoolArray) -> bool:
    """Tell whether the wrong entries are the right ones times one constant, such as zero."""
    ours, true = (one.reshape(-1, *view.leaf)[:, bad] for one in (view.analytic, view.numeric))
    norm = float((true**2).sum())
    factor = float((ours * true).sum()) / norm if norm else 0.0
    return float(((ours - factor * true) ** 2).sum()) <= 1e-9 * norm


def _shared(bad: BoolArray, alive: BoolArray, view: View, probe: Probe) -> Iterator[Hypothesis]:
    """Exactly the rows that several places of the output use are wrong: of their contributions one survives."""
    if not view.out or bad.ndim < 2:
        return
    rest = tuple(range(1, bad.ndim))
    rows_of_each = (view.numeric != 0).reshape(-1, *view.leaf).any(tuple(axis + 1 for axis in rest)).sum(1)
    if rows_of_each.max() > 1 and not any(leaf.dtype.kind in "iu" for leaf in probe.arrays):
        return  # outputs that mix rows, and nothing that says which
    uses = (view.numeric != 0).reshape(-1, *view.leaf).sum(0).max(rest)
    hit, live = bad.any(rest), alive.any(rest)
    if hit.any() and (live & ~hit).any() and uses[hit].min() > uses[live & ~hit].max():
        rows = ", ".join(map(str, np.flatnonzero(hit)[:8].tolist()))
        text = f"exactly the rows that are used more than once ({rows}) are wrong"
        if any(leaf.dtype.kind in "iu" and np.unique(leaf).size < leaf.size for leaf in probe.arrays):
            text += ": repeated indices are not added up"
        yield _exact("row_or_column", text, 2.4)


def _border(bad: BoolArray, alive: BoolArray, view: View) -> Iterator[Hypothesis]:
    """A frame of some width is wrong, at both ends of one axis or around two."""
    for count in (1, 2):
        for chosen in itertools.combinations(spatial_axes(view), count):
            distance = np.full(bad.shape, max(bad.shape))
            for axis in chosen:
                length = bad.shape[axis]
                place = np.minimum(np.arange(length), np.arange(length)[::-1])
                distance = np.minimum(distance, place.reshape([-1 if one == axis else 1 for one in range(bad.ndim)]))
            for width in (1, 2):
                frame = alive & (distance < width)
                inner = alive & (distance >= width)
                if inner.sum() >= 2 and not bad[inner].any() and _fills(bad, frame, chosen):
                    names = " and ".join(map(str, chosen))
                    text = f"only the border (width {width}) along axis {names} is wrong"
                    yield _exact("border", text, 2.1 + 0.1 * count + 0.1 * width)


def _fills(bad: BoolArray, frame: BoolArray, axes: tuple[int, ...]) -> bool:
    """Tell whether the error fills a frame, but for a few entries, and touches all of its sides."""
    if bad[frame].mean() < 0.75:
        return False
    return all(bad.take(end, axis).any() for axis in axes for end in (0, -1))


def _flat(view: View) -> Iterator[Hypothesis]:
    """The gradient flows where the function is flat, and is right elsewhere."""
    error, moving = view.error != 0, view.numeric != 0
    if error.any() and moving.any() and not (error & moving).any():
        still = ~moving.reshape(-1, *view.leaf).any(0)
        everywhere = still.any() and (view.bad == still).all()
        text = "the gradient flows where the function is flat (its true slope is zero), and is right elsewhere"
        yield _exact("region", text, 2.0 if everywhere else 2.75)


def _regions(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """The error is where some value is above or below a threshold: entries of the leaf, or outputs."""
    alive_out = ((view.numeric != 0) | (view.analytic != 0)).reshape(*view.out, -1).any(-1)
    bad_out = (view.error != 0).reshape(*view.out, -1).any(-1)
    tried = list(features(view, probe))
    for feature in tried:
        bad, alive = (bad_out, alive_out) if feature.of_output else (view.bad, view.alive)
        if bad.any() and (alive & ~bad).any():
            fades = 6.0 if _fades(view) else 0.0
            yield from _split(feature, bad, alive, len(tried), fades)


def _split(feature: Feature, bad: BoolArray, alive: BoolArray, tried: int, extra: float) -> Iterator[Hypothesis]:
    wrong, right = feature.value[bad], feature.value[alive & ~bad]
    for side, gap in ((">", (right.max(), wrong.min())), ("<", (wrong.max(), right.min()))):
        if gap[0] < gap[1]:
            text = f"wrong exactly where {feature.name} {side} {_round_number(*gap)}"
            yield _exact("region", text, 2.3 + feature.cost + _luck(len(wrong), len(right), tried) + extra)


def _fades(view: View) -> bool:
    """Tell whether some errors are a millionth of others: then the right entries are those with an error too small to see."""
    sizes = np.abs(view.error).reshape(-1, *view.leaf).max(0)
    return bool(sizes[view.bad].min() < 1e-6 * sizes.max())


def _luck(wrong: int, right: int, tried: int) -> float:
    """Return what a separation costs that one of so many values would make by chance."""
    chance = np.log10(2.0 * tried) - np.log10(float(math.comb(wrong + right, wrong)))
    return 2.0 * max(0.0, 3.0 + float(chance))


def _round_number(low: float, high: float) -> str:
    """Return the roundest number between two."""
    if low < 0 < high:
        return "0"
    for digits in range(12):
        for number in (float(f"{(low + high) / 2:.{digits}e}"),):
            if low < number < high:
                return f"{number:g}"
    return f"{(low + high) / 2:g}"
