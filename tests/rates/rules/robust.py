"""Losses of residuals that forgive outliers, as they stand in the books and in forms that lose no digits.

Their constant c is the scale; the derivative is in a form that loses no digits in either case.
"""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array
from tests.rates.maths import cosh, exp, expm1, log, log1p, sqrt, tanh
from tests.rates.rules.elementwise import elementwise


def _cauchy_slope(r: Array, c: float) -> Array:
    return 2 * (r / c) / (1 + (r / c) ** 2) / c


def _root_slope(r: Array, c: float) -> Array:
    return (r / c) / sqrt(1 + (r / c) ** 2) / c


def _bump_slope(r: Array, c: float) -> Array:
    return 2 * (r / c) * exp(-((r / c) ** 2)) / c


def _log_cosh(r: Array, c: float) -> Array:
    size = abs(r / c)
    return size + log1p(expm1(-2 * size) / 2)


def _tukey(r: Array, c: float) -> Array:
    u = r / c
    return np.where(abs(u) < 1, 1 - (1 - u * u) ** 3, 1 + 0 * u)


def _tukey_slope(r: Array, c: float) -> Array:
    u = r / c
    return np.where(abs(u) < 1, 6 * u * (1 - u * u) ** 2 / c, 0 * u)


def _huber(r: Array, c: float) -> Array:
    return np.where(abs(r) < c, r * r / 2, c * (abs(r) - c / 2))


def _geman_slope(r: Array, c: float) -> Array:
    return 2 * (r / c) / (1 + (r / c) ** 2) ** 2 / c


PLAIN = {
    rule.name: rule
    for rule in (
        elementwise("cauchy", lambda r, c: log(1 + (r / c) ** 2), _cauchy_slope),
        elementwise("pseudo-huber", lambda r, c: sqrt(1 + (r / c) ** 2) - 1, _root_slope),
        elementwise("log cosh", lambda r, c: log(cosh(r / c)), lambda r, c: tanh(r / c) / c),
        elementwise("welsch", lambda r, c: 1 - exp(-((r / c) ** 2)), _bump_slope),
        elementwise("geman", lambda r, c: 1 - 1 / (1 + (r / c) ** 2), _geman_slope),
        elementwise("tukey", _tukey, _tukey_slope),
    )
}
"""As in the books: a 1 that is added and taken away hides small residuals."""

STABLE = {
    rule.name: rule
    for rule in (
        elementwise("cauchy by log1p", lambda r, c: log1p((r / c) ** 2), _cauchy_slope),
        elementwise("pseudo-huber by quotient", lambda r, c: (r / c) ** 2 / (1 + sqrt(1 + (r / c) ** 2)), _root_slope),
        elementwise("log cosh by log1p", _log_cosh, lambda r, c: tanh(r / c) / c),
        elementwise("welsch by expm1", lambda r, c: -expm1(-((r / c) ** 2)), _bump_slope),
        elementwise("geman by quotient", lambda r, c: (r / c) ** 2 / (1 + (r / c) ** 2), _geman_slope),
        elementwise("huber", _huber, lambda r, c: np.where(abs(r) < c, r, c * np.sign(r.astype(float)).astype(r.dtype))),
        elementwise("charbonnier", lambda r, c: sqrt(r * r + c * c), lambda r, c: r / sqrt(r * r + c * c)),
    )
}
"""In forms that lose no digits."""
