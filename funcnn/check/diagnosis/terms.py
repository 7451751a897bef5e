"""Explanations by the formula: a term or a factor of the chain is missing, wrong or only approximate."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from funcnn.check.diagnosis.features import fitting
from funcnn.check.diagnosis.probe import Probe
from funcnn.check.diagnosis.view import Hypothesis, View, contract
from funcnn.typing import Array, BoolArray

_STEEP = 2.8  # the power of the entry with which the error of a series falls, at least
_SMALL = 0.15  # an approximation is off by less, relative to the largest slope


def hypotheses(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """Yield missing factors, missing terms, and, failing these, an approximation or an unknown term."""
    yield from _factors(view, probe)
    yield from _terms(view, probe)
    yield from _constant_along(view)
    yield from _proportional(view, probe)
    yield from _series(view, probe)
    yield from last_resort(view)


def _functions(name: str, value: Array) -> Iterator[tuple[str, Array]]:
    """Yield the factors that chains are made of."""
    with np.errstate(all="ignore"):
        forms = {
            name: value,
            f"{name}^2": value**2,
            f"(1 - {name})": 1 - value,
            f"(1 + {name})": 1 + value,
            f"(1 - {name}^2)": 1 - value**2,
            f"{name} (1 - {name})": value * (1 - value),
            f"exp({name})": np.exp(np.minimum(value, 100)),
            f"cos({name})": np.cos(value),
        }
        for said, form in forms.items():
            yield said, form
            yield f"1/{said}", 1 / form


def _factors(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """The gradient is the right one times a number of its own at each entry, or at each output."""
    numeric, analytic = view.numeric, view.analytic
    for of_output in (False, True) if view.full and view.out else (False,):
        ahead = tuple(range(len(view.out))) if not of_output else tuple(view.axes())
        norm = (numeric**2).sum(ahead, keepdims=True)
        ratio = (analytic * numeric).sum(ahead, keepdims=True) / np.where(norm > 0, norm, 1)
        left = view.left(ratio * numeric)
        if left > 1e-6:
            continue
        shape = view.out if of_output else view.leaf
        where = norm.reshape(shape) > 0
        found = _named(ratio.reshape(shape), where, probe, shape)
        place = "at each output" if of_output else "at each entry"
        if found:
            yield Hypothesis(
                "missing_term",
                f"the gradient is the right one times {found}: a factor of the chain is missing or doubled",
                left,
                3.0,
            )
        else:
            yield Hypothesis(
                "missing_term",
                f"the gradient is the right one times a factor of its own {place}: a factor of the chain is wrong",
                left,
                8.5,
            )


def _named(ratio: Array, where: BoolArray, probe: Probe, shape: tuple[int, ...]) -> str:
    """Return the name of a function of the case's values that equals a ratio up to a constant, or the empty string."""
    if where.sum() < 3:
        return ""
    for name, value in fitting(probe, shape):
        for said, form in _functions(name, value):
            with np.errstate(all="ignore"):
                quotient = (ratio / form)[where]
            if np.isfinite(quotient).all() and quotient.any():
                middle = float(np.median(quotient))
                if np.abs(quotient - middle).max() <= 1e-5 * abs(middle):
                    return said if abs(middle - 1) < 1e-5 else f"{middle:.6g} {said}"
    return ""


_OF_GRADIENT = "the mean of the gradient"


def _terms(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """The difference is a multiple of one array of the case: dy, the leaf, the output, a mean of the gradient."""
    count = 4 if view.full else 1
    vectors = probe.normal(30, count, *view.out).astype(np.float64)
    analytic, numeric = contract(view, vectors)
    error = analytic - numeric
    whole = float((error**2).sum())
    if whole == 0 or error.size < 4:
        return
    for name, term in _candidates(view, probe, vectors, numeric):
        norm = float((term**2).sum())
        if norm > 0 and np.isfinite(norm):
            factor = float((error * term).sum()) / norm
            left = float(((error - factor * term) ** 2).sum()) / whole
            times = -factor * (1.0 if name.startswith(_OF_GRADIENT) else view.unit)
            yield Hypothesis("missing_term", f"the gradient lacks a term: {times:.4g} times {name}", left, 3.2)


def _candidates(view: View, probe: Probe, vectors: Array, numeric: Array) -> Iterator[tuple[str, Array]]:
    total = (
        vectors.reshape(len(vectors), -1).sum(1).reshape(-1, *(1,) * len(view.leaf))
        if view.full
        else np.ones((1,) * (1 + len(view.leaf)))
    )
    yield "a constant", total * np.ones(numeric.shape)
    values = list(fitting(probe, view.leaf))
    for name, value in values:
        yield name, total * value
    if view.full and view.out == view.leaf:
        yield "dy", vectors
        for name, value in values:
            yield f"dy times {name}", vectors * value
        for axis in range(1, numeric.ndim):
            yield f"the sum of dy over axis {axis - 1}", vectors.sum(axis, keepdims=True) + 0 * numeric
            for name, value in values:
                yield f"{name} times the sum of dy over axis {axis - 1}", value * vectors.sum(axis, keepdims=True)
                inner = (vectors * value).sum(axis, keepdims=True)
                yield f"the sum of dy times {name} over axis {axis - 1}", inner + 0 * numeric
                yield f"{name} times the sum of dy times {name} over axis {axis - 1}", value * inner
    for axis in range(1, numeric.ndim):
        yield f"{_OF_GRADIENT} over axis {axis - 1}", numeric.mean(axis, keepdims=True) + 0 * numeric
    for path, leaf in zip(probe.paths, probe.arrays, strict=True):  # labels
        if leaf.dtype.kind in "iu" and len(view.leaf) == leaf.ndim + 1 and leaf.shape == view.leaf[:-1]:
            hot = (np.arange(view.leaf[-1]) == leaf[..., None]).astype(float)
            yield f"the one-hot labels {path}", total * hot
            yield f"the one-hot labels {path} less their mean", total * (hot - 1 / view.leaf[-1])


def _constant_along(view: View) -> Iterator[Hypothesis]:
    """The difference is the same, or proportional to the deviation from the mean, along an axis of the leaf."""
    for axis in view.axes():
        if view.numeric.shape[axis] < 3 or (view.full and not view.out and view.numeric.size < 6):
            continue
        mean = view.error.mean(axis, keepdims=True)
        left = view.left(view.numeric + mean)
        place = axis - len(view.out)
        text = f"the difference is constant along axis {place}: a mean or sum over it is missing or has the wrong weight"
        yield Hypothesis("missing_term", text, left, 3.4)


def _proportional(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """The difference is, along an axis, proportional to the leaf or to its deviation from the mean."""
    value = np.asarray(probe.evidence.wrong.value, np.float64)
    for axis in view.axes():
        place = axis - len(view.out)
        if view.numeric.shape[axis] < 3:
            continue
        for name, one in (("the leaf", value), ("the leaf less its mean", value - value.mean(place, keepdims=True))):
            norm = (one**2).sum(place, keepdims=True)
            factor = (view.error * one).sum(axis, keepdims=True) / np.where(norm > 0, norm, 1)
            text = (
                f"the difference is proportional to {name} along axis {place}: "
                "the term of the norm or variance is missing or has the wrong weight"
            )
            yield Hypothesis("missing_term", text, view.left(view.numeric + factor * one), 3.5)


def _series(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """The error of a function of single entries vanishes with a high power of the entry: a series was cut off."""
    if not view.monomial or view.out != view.leaf:
        return
    value = np.abs(np.asarray(probe.evidence.wrong.value, np.float64)).reshape(-1)
    error, slope = (np.abs(one).reshape(-1, value.size).max(0) for one in (view.error, view.numeric))
    order = np.argsort(value)[: max(4, value.size // 2)]
    order = order[(error[order] > 0) & (value[order] > 0)]
    if len(order) < 4:
        return
    near, far = order[0], order[-1]
    power = np.log(error[far] / error[near]) / np.log(value[far] / value[near])
    if power > _STEEP and error[near] < 0.02 * slope[near]:
        text = f"the difference falls with about the power {power:.1f} of the entry: an approximation for small arguments"
        yield Hypothesis("approximation", text, 0.0, 7)


def last_resort(view: View) -> Iterator[Hypothesis]:
    """Small everywhere: an approximation; otherwise some term is wrong."""
    error, numeric = np.abs(view.error), np.abs(view.numeric)
    peak = float(numeric.max(initial=0))
    ratio = float(error.max(initial=0)) / peak if peak else float("inf")
    total = float(np.sqrt((error**2).sum() / max(float((numeric**2).sum()), np.finfo(float).tiny)))
    if not view.error.any():  # the Jacobians do not show it: nothing is known
        return
    stays = not (view.error[view.numeric == 0] != 0).any()
    if ratio < _SMALL and total < _SMALL and stays:
        text = (
            f"the difference is small everywhere (at most {ratio:.2g} of the largest slope) and follows no simple "
            "pattern: an approximation"
        )
        yield Hypothesis("approximation", text, 0.0, 8)
    yield Hypothesis("missing_term", "a term or a factor of the derivative is missing or wrong", 0.0, 9)
