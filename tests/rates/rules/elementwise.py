"""Rules that act on each entry: smooth ones and ones with kinks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from funcnn.typing import Array
from tests.rates.maths import arctan, cos, cosh, exp, expm1, log, log1p, sigmoid, sin, sqrt, tanh
from tests.rates.program import Rule

Slope = Callable[..., Array]


def elementwise(name: str, value: Callable[..., Array], slope: Slope) -> Rule:
    """Return the rule of a function of each entry, with ``slope(x, *constants)`` its derivative."""

    def reverse(xs: tuple[Array, ...], y: Array, dy: Array, *constants: object) -> tuple[Array, ...]:
        return (dy * slope(xs[0], *constants),)

    return Rule(name, value, reverse)


def _gelu(x: Array) -> Array:
    return x * sigmoid(1.702 * x)


def _gelu_slope(x: Array) -> Array:
    s = sigmoid(1.702 * x)
    return s + 1.702 * x * s * sigmoid(-1.702 * x)


def _sech2(x: Array) -> Array:
    return 1 / cosh(x) ** 2


SMOOTH = {
    rule.name: rule
    for rule in (
        elementwise("tanh", tanh, _sech2),
        elementwise("sigmoid", sigmoid, lambda x: sigmoid(x) * sigmoid(-x)),
        elementwise("softplus", lambda x: np.where(x > 0, x, 0 * x) + log1p(exp(-abs(x))), sigmoid),
        elementwise("plain softplus", lambda x: log(1 + exp(x)), sigmoid),
        elementwise("arctan", arctan, lambda x: 1 / (1 + x * x)),
        elementwise("sin", sin, cos),
        elementwise("cos", cos, lambda x: -sin(x)),
        elementwise("square", lambda x: x * x, lambda x: 2 * x),
        elementwise("cube", lambda x: x**3, lambda x: 3 * x**2),
        elementwise("bump", lambda x: exp(-x * x), lambda x: -2 * x * exp(-x * x)),
        elementwise("exp", exp, exp),
        elementwise("silu", lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * sigmoid(-x))),
        elementwise("quick gelu", _gelu, _gelu_slope),
        elementwise("algebraic", lambda x: x / sqrt(1 + x * x), lambda x: 1 / sqrt(1 + x * x) ** 3),
        elementwise("softsign", lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2),
        elementwise("log of 1 + square", lambda x: log1p(x * x), lambda x: 2 * x / (1 + x * x)),
        elementwise("elu", lambda x: np.where(x > 0, x, expm1(np.minimum(x, 0 * x))), lambda x: exp(np.minimum(x, 0 * x))),
        elementwise("reciprocal", lambda x: 1 / (2 + sin(x)), lambda x: -cos(x) / (2 + sin(x)) ** 2),
    )
}
"""Smooth functions: some of them, such as the softplus and the elu, in forms that real numbers alone can take."""


def _step(x: Array, at_zero: float) -> Array:
    return np.where(x > 0, 1 + 0 * x, np.where(x == 0, at_zero + 0 * x, 0 * x))


def _leak(x: Array, at_zero: float) -> Array:
    return 0.1 + 0.9 * _step(x, at_zero)


def _between(x: Array, at_edge: float) -> Array:
    return np.where(abs(x) < 1, 1 + 0 * x, np.where(abs(x) == 1, at_edge + 0 * x, 0 * x))


def _clip(x: Array, at_edge: float) -> Array:
    return np.minimum(np.maximum(x, -1 + 0 * x), 1 + 0 * x)


def _shrink(x: Array, at_edge: float) -> Array:
    return np.where(abs(x) > 1, x - np.where(x > 0, 1 + 0 * x, -1 + 0 * x), 0 * x)


KINKED = {
    rule.name: rule
    for rule in (
        elementwise("relu", lambda x, c: np.maximum(x, 0 * x), _step),
        elementwise("relu by mask", lambda x, c: x * (x > 0), _step),
        elementwise("leaky relu", lambda x, c: np.where(x > 0, x, 0.1 * x), _leak),
        elementwise("abs", lambda x, c: abs(x), lambda x, c: 2 * _step(x, c) - 1),
        elementwise("clip", _clip, _between),
        elementwise("soft shrinkage", _shrink, lambda x, c: 1 - _between(x, 1 - c)),
        elementwise("squared relu", lambda x, c: np.maximum(x, 0 * x) ** 2, lambda x, c: 2 * np.maximum(x, 0 * x)),
        elementwise("hinge", lambda x, c: np.maximum(1 - x, 0 * x), lambda x, c: -_step(1 - x, c)),
    )
}
"""Functions with kinks.  Their constant is where between its one-sided values the derivative at a kink lies: 0, 1/2 or 1."""

SCALE = elementwise("scale", lambda x, c: x * c, lambda x, c: c + 0 * x)
SHIFT = elementwise("shift", lambda x, c: x + c, lambda x, c: 1 + 0 * x)
