"""Explanation by an epsilon: the gradient is right for another epsilon, or for another normalisation of the variance.

A normalisation, a quotient or a logarithm that holds an epsilon is homogeneous but for it: with $k$ times the input the function is that with a
smaller epsilon.  So $k^p N(k x)$, with $N$ the numeric gradient, is the gradient for another epsilon, whatever the formula; and $N(x + \\delta)$ is
that of a function of $x + \\varepsilon$.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from funcnn.check.diagnose_probe import Probe
from funcnn.check.diagnose_view import Hypothesis, View
from funcnn.typing import Array

_EXACT = 1e-8
_WIDE = 2.0 ** np.array([-10.0, -6, -4, -2.5, -1.5, -0.8, -0.4, -0.15, 0.15, 0.4, 0.8, 1.5, 2.5, 4, 6, 10, 20])
_AFFORDABLE = 4000  # evaluations of the function for one Jacobian


def hypotheses(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """Yield another epsilon, one for all or one for each group, and a shifted argument."""
    if not view.full or probe.evidence.wrong.value.size * len(probe.steps) * 2 > _AFFORDABLE:
        return
    size, error = float((view.numeric**2).sum()), view.size
    if not 0 < error < 0.5 * size:
        return
    for spot in _movable(probe):
        yield from _scaled(view, probe, spot)
        yield from _moved(view, probe, spot)


def _movable(probe: Probe) -> tuple[int, ...]:
    """Return the leaves whose scale may matter: the wrong one and those at least as large."""
    own = probe.arrays[probe.spot].size
    return (probe.spot, *(at for at in probe.spots if at != probe.spot and probe.arrays[at].size >= own))


def _at(view: View, probe: Probe, arrays: list[Array]) -> Array | None:
    """Return the numeric Jacobian at another point, in the units of a view."""
    try:
        numeric, _ = probe.numeric(arrays)
    except Exception:  # outside the domain
        return None
    return (numeric / view.unit).astype(np.float64).reshape(view.numeric.shape) if np.isfinite(numeric).all() else None


def _stretched(view: View, probe: Probe, spot: int, factor: Array) -> Array | None:
    arrays = list(probe.arrays)
    arrays[spot] = arrays[spot] * factor.astype(probe.dtype)
    return _at(view, probe, arrays)


def _scaled(view: View, probe: Probe, spot: int) -> Iterator[Hypothesis]:
    """k^p N(k x) for one k, and for one k in each slice."""
    leaf = probe.arrays[spot]
    table = [(k, _stretched(view, probe, spot, np.asarray(k))) for k in _WIDE]
    known = [(k, jacobian) for k, jacobian in table if jacobian is not None]
    if len(known) < 6 or _insensitive(view, known):
        return
    for power in (1, 0, 2):
        groups: list[tuple[int, ...]] = [()]
        if spot == probe.spot:
            every = (axes for count in (1, 2) for axes in itertools.combinations(range(leaf.ndim), count))
            groups += [axes for axes in every if leaf.size >= 2 * np.prod([leaf.shape[axis] for axis in axes])]
        for axes in groups:
            left = _search(view, probe, spot, known, power, axes)
            if left <= _EXACT:
                each = f" in each slice along axis {' and '.join(map(str, axes))}" if axes else ""
                text = (
                    f"the gradient is right for another epsilon{each} (found by scaling {probe.paths[spot]}): an epsilon is missing,"
                    " or the variance is normalised in another way"
                )
                yield Hypothesis("eps_mismatch", text, left, 2.5 + len(axes) * 0.2)
                return


def _insensitive(view: View, known: list[tuple[float, Array]]) -> bool:
    """Tell whether no power of k makes N(k x) look like an epsilon that no longer matters: nearly the same, and steady, for large k."""
    size = float((view.numeric**2).sum())
    for power in (1, 0, 2):
        far = [k**power * n for k, n in known if k > 2.0**9]
        same = all(float(((k**power * n - view.numeric) ** 2).sum()) <= 1e-16 * size for k, n in known)
        if same:
            return True
        steady = len(far) > 1 and float(((far[0] - far[-1]) ** 2).sum()) <= 1e-3 * size
        if steady and _alike(view, far[-1]):
            return False
    return True


def _alike(view: View, far: Array) -> bool:
    """Tell whether two Jacobians have rows and columns of similar size."""
    ahead, behind = tuple(range(len(view.out))), tuple(view.axes())
    for axes in (ahead, behind):
        one, other = np.sqrt((view.numeric**2).sum(axes)), np.sqrt((far**2).sum(axes))
        moving = one > 0
        near = (other < 8 * one) & (other > one / 8)
        if moving.any() and near[moving].mean() < 0.7:
            return False
    return True


def _search(view: View, probe: Probe, spot: int, known: list[tuple[float, Array]], power: int, axes: tuple[int, ...]) -> float:
    """Return the smallest share that is left for the best k in each group: from a table, then by secant steps in log k."""
    ahead = len(view.out)
    kept = tuple(ahead + axis for axis in axes)
    summed = tuple(axis for axis in range(view.numeric.ndim) if axis not in kept)

    def miss(factor: Array, numeric: Array) -> Array:
        return ((view.analytic - factor**power * numeric) ** 2).sum(summed, keepdims=True)

    scores = np.stack([miss(np.asarray(k), n) for k, n in known])
    best = scores.argmin(0)
    if float(scores.min(0).sum()) > 0.3 * view.size:
        return float("inf")
    logs = (
        np.log(np.array([k for k, _ in known]))[best].reshape(
            [-1 if a in kept else 1 for a in range(ahead, view.numeric.ndim)] or ()
        )
        if len(kept) <= 1
        else np.log(np.array([k for k, _ in known]))[best].reshape(best.shape[ahead:])
    )
    left = float(scores.min(0).sum()) / view.size
    width = 1e-4
    for _ in range(8):
        if left <= _EXACT**1.5 or np.abs(logs).max() > np.log(2.0**12):
            break
        here, near = (_stretched(view, probe, spot, np.exp(log)) for log in (logs, logs + width))
        if here is None or near is None:
            break
        lead = (1,) * ahead
        one, two = (np.exp(log).reshape(lead + log.shape) if log.ndim else np.exp(log) for log in (logs, logs + width))
        base = one**power * here
        slope = (two**power * near - base) / width
        rest = view.analytic - base
        step = (rest * slope).sum(summed, keepdims=True) / np.maximum((slope**2).sum(summed, keepdims=True), np.finfo(float).tiny)
        logs = logs + np.clip(step, -1, 1).reshape(logs.shape)
        left = float((rest**2).sum()) / view.size
    return left


def _moved(view: View, probe: Probe, spot: int) -> Iterator[Hypothesis]:
    """N(x + delta) for one small delta."""
    leaf = probe.arrays[spot]
    unit = float(np.median(np.abs(leaf))) if leaf.size else 0.0
    delta, width = 0.0, 1e-5 * unit
    left = 1.0
    for _ in range(8):
        ends = []
        for shift in (delta, delta + width):
            arrays = list(probe.arrays)
            arrays[spot] = leaf + probe.dtype.type(shift)
            ends.append(_at(view, probe, arrays))
        here, near = ends
        if here is None or near is None:
            return
        rest = view.analytic - here
        left = float((rest**2).sum()) / view.size
        slope = (near - here) / width
        norm = float((slope**2).sum())
        if left <= _EXACT**1.5 or norm == 0:
            break
        delta += float((rest * slope).sum()) / norm
        if abs(delta) > 0.5 * unit:
            return
    if left <= _EXACT and delta:
        text = f"the gradient is that at {probe.paths[spot]} {'+' if delta > 0 else '-'} {abs(delta):.4g}: an epsilon is added on one side only"
        yield Hypothesis("eps_mismatch", text, left, 2.8)
