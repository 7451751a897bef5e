r"""Explanation by an epsilon: the gradient is right for another epsilon, or for another normalization of the variance.

A normalization, a quotient or a logarithm that holds an epsilon is homogeneous but for it: at $k$ times the input it is the
function with a smaller epsilon.  So $k^p N(k x)$, where $N$ is the numeric gradient and $p$ is read off its decay at large
$k$, is the gradient for another epsilon, whatever the formula; and $N(x + \delta)$ is that of a function of $x + \varepsilon$.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from funcnn.check.diagnosis.probe import Probe
from funcnn.check.diagnosis.view import ACCEPT, Hypothesis, View
from funcnn.typing import Array, IntArray

_EXACT = 1e-8
_SAME = 1e-11  # of a mere shift: anything more is left by differences with a step
_FAR = (2.0**20, 2.0**40)
_NEAR = (
    2.0**-10,
    2.0**-8,
    2.0**-6,
    0.03,
    0.06,
    0.1,
    0.18,
    0.35,
    0.57,
    0.76,
    0.9,
    1.1,
    1.3,
    1.7,
    2.8,
    5.6,
    16.0,
    64.0,
    2.0**10,
)
_AFFORDABLE = 4000  # evaluations of the function for one Jacobian
_TINY = float(np.finfo(np.float64).tiny)


def hypotheses(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """Yield another epsilon, one for all or one for each group, and a shifted argument."""
    if not view.full or probe.evidence.wrong.value.size * len(probe.steps) * 2 > _AFFORDABLE:
        return
    if not 0 < view.size < 0.2 * float((view.numeric**2).sum()):
        return
    own = probe.arrays[probe.spot].size
    large = tuple(at for at in probe.spots if at == probe.spot or probe.arrays[at].size >= own)
    for spots in (*((at,) for at in large), *([probe.spots] if len(probe.spots) > 1 else [])):
        yield from _scaled(view, probe, spots)
    for spot in large:
        yield from _moved(view, probe, spot)


def _at(view: View, probe: Probe, arrays: list[Array]) -> Array | None:
    """Return the numeric Jacobian at another point, in the units of a view."""
    numeric, _ = probe.numeric(arrays)
    made: Array = (numeric / view.unit).astype(np.float64).reshape(view.numeric.shape)
    return made if np.isfinite(made).all() else None


def _stretched(view: View, probe: Probe, spots: tuple[int, ...], factor: Array) -> Array | None:
    """Return the numeric Jacobian with some leaves scaled: by numbers, or by one for each entry of the wrong leaf."""
    arrays = list(probe.arrays)
    for spot in spots:
        scale = factor if spot == probe.spot or factor.ndim == 0 else factor.reshape(-1)[0]
        arrays[spot] = arrays[spot] * scale.astype(probe.dtype)
    return _at(view, probe, arrays)


def _scaled(view: View, probe: Probe, spots: tuple[int, ...]) -> Iterator[Hypothesis]:
    """k^p N(k x) for one k, and for one k in each slice of the wrong leaf."""
    far = {k: _stretched(view, probe, spots, np.asarray(k)) for k in _FAR}
    power = _power(view, *far.values())
    if power is None:
        return
    near = {k: _stretched(view, probe, spots, np.asarray(k)) for k in _NEAR}
    known = {k: made for k, made in (near | far).items() if made is not None}
    for count, (said, labels) in enumerate(_groupings(view, alone=spots == (probe.spot,))):
        left = _search(view, probe, spots, known, power, labels)
        if left <= _EXACT:
            what = " and ".join(probe.paths[spot] for spot in spots)
            text = (
                f"the gradient is right for another epsilon{said}: "
                "an epsilon is left out or another one, or the variance is divided by another n"
            )
            yield Hypothesis("eps_mismatch", f"{text} (found by scaling {what})", left, 2.5 + 0.2 * min(count, 2))
            return


def _groupings(view: View, *, alone: bool) -> Iterator[tuple[str, IntArray]]:
    """Yield the ways in which entries of the leaf may share an epsilon: all, by axes, or those that the function mixes."""
    shape = view.leaf
    yield "", np.zeros(shape, int)
    if not alone:
        return
    for count in (1, 2):
        for axes in itertools.combinations(range(len(shape)), count):
            lengths = [shape[axis] if axis in axes else 1 for axis in range(len(shape))]
            places: IntArray = np.broadcast_to(np.arange(math.prod(lengths)).reshape(lengths), shape)
            if math.prod(shape) >= 2 * math.prod(lengths):
                yield f", one for each index of axis {' and '.join(map(str, axes))}", places
    labels = _mixed(view)
    if 1 < labels.max() + 1 <= labels.size // 2:
        yield ", one for each group of entries that depend on one another", labels.reshape(shape)


def _mixed(view: View) -> IntArray:
    """Return a label for each entry, the same for entries that meet in an output."""
    meets = (view.numeric != 0).reshape(-1, math.prod(view.leaf))
    labels = np.arange(meets.shape[1])
    for _ in range(meets.shape[1]):
        before = labels
        lowest = np.where(meets, labels, meets.shape[1]).min(1)  # of each output
        labels = np.minimum(labels, np.where(meets, lowest[:, None], meets.shape[1]).min(0, initial=meets.shape[1]))
        if np.array_equal(labels, before):
            break
    return np.unique(labels, return_inverse=True)[1]


def _power(view: View, near: Array | None, far: Array | None) -> float | None:
    """Return p such that k^p N(k x) settles at large k, near N(x); None where there is no such p, or no epsilon."""
    if near is None or far is None or not near.any() or not far.any():
        return None
    power = 0.5 * round(float(np.log((near**2).sum() / (far**2).sum()) / np.log(_FAR[1] / _FAR[0])))
    first, last = (k**power * made for k, made in zip(_FAR, (near, far), strict=True))
    size = float((view.numeric**2).sum())
    distance = float(((last - view.numeric) ** 2).sum())
    unsteady = float(((first - last) ** 2).sum()) > 1e-3 * size
    if unsteady or not 1e-26 * size < distance <= 0.2 * size or not _alike(view, last):
        return None  # the last: where it is N(x) itself, the function is homogeneous, without an epsilon
    return power


def _alike(view: View, far: Array) -> bool:
    """Tell whether most rows and columns of two Jacobians have similar sizes."""
    for axes in (tuple(range(len(view.out))), tuple(view.axes())):
        one, other = np.sqrt((view.numeric**2).sum(axes)), np.sqrt((far**2).sum(axes))
        moving = one > 0
        near = (other < 8 * one) & (other > one / 8)
        if moving.any() and near[moving].mean() < 0.7:
            return False
    return True


def _search(view: View, probe: Probe, spots: tuple[int, ...], known: dict[float, Array], power: float, labels: IntArray) -> float:
    """Return the smallest share that is left for the best k in each group: from a table, then by Gauss-Newton steps in log k."""
    place = labels.reshape(-1)

    def summed(table: Array) -> Array:
        sums: Array = np.zeros(int(place.max()) + 1)
        np.add.at(sums, place, table.reshape(-1, labels.size).sum(0))
        return sums

    misses = np.stack([summed((view.analytic - k**power * made) ** 2) for k, made in known.items()])
    logs = np.log(np.array(list(known)))[misses.argmin(0)]
    left = float(misses.min(0).sum()) / view.size
    width = 1e-4
    for turn in range(8):
        hopeless = left > (0.99 if turn < 2 else 0.3)
        if left <= _EXACT**1.5 or hopeless or np.abs(logs).max() > np.log(2.0**12):
            break
        here, there = (_stretched(view, probe, spots, np.exp(at)[labels]) for at in (logs, logs + width))
        if here is None or there is None:
            break
        base = np.exp(power * logs)[labels] * here
        slope = (np.exp(power * (logs + width))[labels] * there - base) / width
        rest = view.analytic - base
        logs = logs + np.clip(summed(rest * slope) / np.maximum(summed(slope**2), _TINY), -1, 1)
        left = float((rest**2).sum()) / view.size
    return left


def _moved(view: View, probe: Probe, spot: int) -> Iterator[Hypothesis]:
    """N(x + delta) for one small delta."""
    leaf = probe.arrays[spot]
    unit = float(np.median(np.abs(leaf))) if leaf.size else 0.0
    delta, width, left = 0.0, 1e-5 * unit, 1.0
    for _ in range(8):
        ends = []
        for shift in (delta, delta + width):
            arrays = list(probe.arrays)
            arrays[spot] = leaf + probe.dtype.type(shift)
            ends.append(_at(view, probe, arrays))
        here, there = ends
        if here is None or there is None:
            return
        rest, slope = view.analytic - here, (there - here) / width if width else 0 * here
        left = float((rest**2).sum()) / view.size
        norm = float((slope**2).sum())
        if left <= _EXACT**1.5 or norm == 0:
            break
        delta += float((rest * slope).sum()) / norm
        if abs(delta) > 0.5 * unit:
            return
    if left <= ACCEPT and delta:
        place = f"{probe.paths[spot]} {'+' if delta > 0 else '-'} {abs(delta):.4g}"
        text = f"the gradient is that at {place}: an epsilon is added on one side only"
        tag = "eps_mismatch"
        if left > _SAME:  # near it, not there
            tag, text = "approximation", f"the gradient is nearly that at {place}: as differences with too long a step would give"
        yield Hypothesis(tag, text, left, 2.8)
