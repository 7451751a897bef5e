"""Right gradients of functions that are hard to differentiate by differences: scales, saturation, cancellation, curvature."""

from __future__ import annotations

import math

import numpy as np

from funcnn.typing import Array
from tests.check.corpus.attention import softmax_of, softmax_pull
from tests.check.corpus.entry import Grads, normal, tricky, uniform
from tests.check.corpus.norm import standardize, standardize_pull


def tiny(x: Array) -> object:
    return 1e-10 * np.sin(x).sum()


@tricky(tiny, (normal(3, 4),))
def tiny_output(x: Array, dy: Array) -> Grads:
    """Everything is small."""
    return (1e-10 * dy * np.cos(x),)


def unlike(a: Array, b: Array, c: Array) -> object:
    return np.sin(a * 1e-7) + np.cos(b * 1e7) * c


@tricky(unlike, (normal(4) * 1e7, normal(4) * 1e-7, normal(4)))
def unlike_scales(a: Array, b: Array, c: Array, dy: Array) -> Grads:
    """Leaves whose gradients differ by fourteen orders of magnitude."""
    return 1e-7 * dy * np.cos(a * 1e-7), -1e7 * dy * np.sin(b * 1e7) * c, dy * np.cos(b * 1e7)


def logarithm(x: Array) -> object:
    return np.log(x)


@tricky(logarithm, (np.array([1e-6, 1e-3, 1.0, 1e3, 1e6]),))
def logarithm_of_decades(x: Array, dy: Array) -> Grads:
    """Entries and gradients over twelve orders of magnitude in one leaf."""
    return (dy / x,)


def features(x: Array) -> object:
    return np.stack([1e6 * np.sin(x), 1e-6 * np.cos(x)])


@tricky(features, (normal(5),))
def feature_scales(x: Array, dy: Array) -> Grads:
    """One output is a million millionth of the other."""
    return (1e6 * dy[0] * np.cos(x) - 1e-6 * dy[1] * np.sin(x),)


def offset(x: Array) -> object:
    return 1e6 + np.sin(x)


@tricky(offset, (normal(3, 3),))
def large_offset(x: Array, dy: Array) -> Grads:
    """A large constant is added to a small signal."""
    return (dy * np.cos(x),)


def cancelling(x: Array) -> object:
    big = 1e4 + x
    return big - 1e4 + x * x


@tricky(cancelling, (normal(6),))
def internal_cancellation(x: Array, dy: Array) -> Grads:
    """The function loses digits inside that its output does not show."""
    return (dy * (1 + 2 * x),)


def wave(x: Array) -> object:
    return np.sin(1000 * x)


@tricky(wave, (normal(5),))
def high_curvature(x: Array, dy: Array) -> Grads:
    """The function turns within any usual step."""
    return (1000 * dy * np.cos(1000 * x),)


def ripple(x: Array) -> object:
    return np.exp(3 * x) + 1e-3 * np.sin(500 * x)


@tricky(ripple, (normal(5),))
def ripple_on_slope(x: Array, dy: Array) -> Grads:
    """A fast ripple on a steep slope."""
    return (dy * (3 * np.exp(3 * x) + 0.5 * np.cos(500 * x)),)


def softmax(x: Array) -> object:
    return softmax_of(x)


@tricky(softmax, (np.array([[0.0, 50.0, -3.0], [1.0, 2.0, 3.0]]),))
def softmax_saturated(x: Array, dy: Array) -> Grads:
    """One probability is one, to the last digit."""
    return (softmax_pull(softmax_of(x), dy),)


@tricky(softmax, (np.array([[0.0, 60.0, -3.0]]),))
def softmax_all_saturated(x: Array, dy: Array) -> Grads:
    """The whole gradient is smaller than the rounding of its terms."""
    return (softmax_pull(softmax_of(x), dy),)


def unit_sum(x: Array) -> object:
    return softmax_of(x).sum(-1) + 0.5


@tricky(unit_sum, (normal(3, 4),))
def gradient_of_constant(x: Array, dy: Array) -> Grads:
    """The true gradient is zero; what is computed is its rounding error."""
    y = softmax_of(x)
    return (softmax_pull(y, dy[:, None] * np.ones_like(y)),)


def log_sum(x: Array) -> object:
    return np.logaddexp.reduce(x, axis=-1)


@tricky(log_sum, (np.array([[1e4, 1e4 + 1, 1e4 - 2], [-1e4, -1e4 + 3, -1e4]]),))
def log_sum_at_ten_thousand(x: Array, dy: Array) -> Grads:
    """Logits of ten thousand."""
    return (softmax_of(x) * dy[:, None],)


def tanh(x: Array) -> object:
    return np.tanh(x)


@tricky(tanh, (np.array([-12.0, 8.0, 0.1, 19.0, -30.0]),))
def tanh_saturated(x: Array, dy: Array) -> Grads:
    """Some units are saturated: their derivative is all rounding, next to one that is not."""
    return (dy * (1 - np.tanh(x) ** 2),)


def layer_norm(x: Array) -> object:
    return standardize(x, -1, eps=1e-5)[0]


@tricky(layer_norm, (1e-6 * normal(2, 4) + 0.5,))
def layer_norm_of_tiny_variance(x: Array, dy: Array) -> Grads:
    """The variance is 1e-12, far below epsilon."""
    xhat, inv = standardize(x, -1, eps=1e-5)
    return (standardize_pull(xhat, inv, dy, -1),)


@tricky(layer_norm, (np.ones((2, 4)),))
def layer_norm_of_constant(x: Array, dy: Array) -> Grads:
    """The variance is zero."""
    xhat, inv = standardize(x, -1, eps=1e-5)
    return (standardize_pull(xhat, inv, dy, -1),)


def steep(x: Array) -> object:
    return np.exp(x)


@tricky(steep, (np.array([-50.0, -20.0, 0.0, 20.0, 50.0]),))
def steep_exponential(x: Array, dy: Array) -> Grads:
    """Gradients from 1e-22 to 1e+21."""
    return (dy * np.exp(x),)


def small_sigmoid(x: Array) -> object:
    return 1 / (1 + np.exp(-x))


@tricky(small_sigmoid, (np.array([-40.0, -38.5, -45.0]),))
def sigmoid_far_left(x: Array, dy: Array) -> Grads:
    """The whole leaf has gradients of 1e-18."""
    y = 1 / (1 + np.exp(-x))
    return (dy * y * (1 - y),)


def sixth(x: Array) -> object:
    return (x * x * x).sum() ** 2


@tricky(sixth, (np.array([1.0, -1.0, 0.5, -0.5]),))
def stationary_point(x: Array, dy: Array) -> Grads:
    """The gradient is exactly zero in all entries, although the function is not flat."""
    return (6 * dy * (x * x * x).sum() * x * x,)


def double_only_erf(x: Array) -> object:
    return np.vectorize(math.erf, otypes=[float])(x).astype(x.dtype)


@tricky(double_only_erf, (normal(3, 3),))
def float64_inside(x: Array, dy: Array) -> Grads:
    """The function takes long double, and computes in float64."""
    return (dy * (2 / math.sqrt(math.pi)) * np.exp(-x * x),)


def solve(a: Array, b: Array) -> object:
    return np.linalg.solve(a, b)


@tricky(solve, (normal(3, 3) + 3 * np.eye(3), normal(3, 2)))
def linear_solve(a: Array, b: Array, dy: Array) -> Grads:
    """LAPACK takes float32 and float64 only."""
    y, db = np.linalg.solve(a, b), np.linalg.solve(a.T, dy)
    return -db @ y.T, db


def log_det(a: Array) -> object:
    return np.linalg.slogdet(a)[1]


@tricky(log_det, (normal(4, 4) + 4 * np.eye(4),))
def log_determinant(a: Array, dy: Array) -> Grads:
    """A matrix inverse; float64 only."""
    return (dy * np.linalg.inv(a).T,)


def spectrum(x: Array) -> object:
    f = np.fft.rfft(x)
    return f.real**2 + f.imag**2


@tricky(spectrum, (normal(2, 6),))
def power_spectrum(x: Array, dy: Array) -> Grads:
    """Complex numbers inside."""
    n = x.shape[-1]
    f = np.fft.rfft(x) * dy
    k, t = np.arange(n // 2 + 1), np.arange(n)
    angle = (2 * math.pi / n) * (np.outer(k, t) % n).astype(x.dtype)
    d: Array = 2 * (f.real @ np.cos(angle) - f.imag @ np.sin(angle))
    return (d.astype(x.dtype),)


def ratio(x: Array, s: Array) -> object:
    return x / (s * s)


@tricky(ratio, (normal(3), uniform(3) * 1e-3))
def ill_conditioned_quotient(x: Array, s: Array, dy: Array) -> Grads:
    """Gradients of a million and of a billion."""
    return dy / (s * s), -2 * dy * x / s**3
