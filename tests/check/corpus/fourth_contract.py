"""A fourth lot of mistakes: what a gradient promises beyond its values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funcnn.typing import Array, IntArray
from tests.check.corpus.entry import Function, Grads, integers, normal, remembering, uniform, wrong


def centred(x: Array) -> object:
    return np.exp(x - x.mean(0))


def centred_vjp(x: Array, dy: Array) -> Grads:
    d = dy * np.exp(x - x.mean(0))
    return (d - d.mean(0),)


X = (normal(5, 4, seed=20),)


@wrong(centred, X, "mutates_input", "[0]", right=centred_vjp)
def centred_in_place(x: Array, dy: Array) -> object:
    """x is centred in place."""
    x -= x.mean(0)
    d = dy * np.exp(x)
    return (d - d.mean(0),)


@wrong(centred, X, "nonlinear_in_dy", "[0]", right=centred_vjp)
def centred_normalized(x: Array, dy: Array) -> object:
    """The cotangent is normalized."""
    return centred_vjp(x, dy / np.sqrt((dy * dy).sum()))


@wrong(centred, X, "nonlinear_in_dy", "[0]", right=centred_vjp)
def centred_absolute(x: Array, dy: Array) -> object:
    """|dy| for dy."""
    return centred_vjp(x, np.abs(dy))


@wrong(centred, X, "mutates_dy", "dy", right=centred_vjp)
def centred_dy(x: Array, dy: Array) -> object:
    """dy is multiplied in place."""
    dy *= np.exp(x - x.mean(0))
    return (dy - dy.mean(0),)


def bowl(p: dict[str, Array], x: Array) -> object:
    return x * np.exp(p["log_scale"]) + p["shift"]


def bowl_vjp(p: dict[str, Array], x: Array, dy: Array) -> tuple[dict[str, Array], Array]:
    s = np.exp(p["log_scale"])
    return {"log_scale": (dy * x * s).sum(0), "shift": dy.sum(0)}, dy * s


BOWL = ({"log_scale": normal(3), "shift": normal(3, seed=1)}, normal(4, 3))


@wrong(bowl, BOWL, "mutates_input", "[0]['log_scale']", right=bowl_vjp)
def bowl_exponential(p: dict[str, Array], x: Array, dy: Array) -> object:
    """np.exp(..., out=) of a parameter."""
    s = np.exp(p["log_scale"], out=p["log_scale"])
    return {"log_scale": (dy * x * s).sum(0), "shift": dy.sum(0)}, dy * s


@wrong(bowl, BOWL, "structure", "[0]", right=bowl_vjp)
def bowl_wrong_key(p: dict[str, Array], x: Array, dy: Array) -> object:
    """Another name for the scale."""
    d, dx = bowl_vjp(p, x, dy)
    return {"scale": d["log_scale"], "shift": d["shift"]}, dx


@wrong(bowl, BOWL, "missing_term", "[0]['log_scale']", right=bowl_vjp)
def bowl_inner(p: dict[str, Array], x: Array, dy: Array) -> object:
    """The inner derivative of the exponential."""
    d, dx = bowl_vjp(p, x, dy)
    return d | {"log_scale": (dy * x).sum(0)}, dx


def taken(x: Array, index: IntArray) -> object:
    return np.sin(x[index])


def taken_vjp(x: Array, index: IntArray, dy: Array) -> tuple[Array, None]:
    d = np.zeros_like(x)
    np.add.at(d, index, dy * np.cos(x[index]))
    return d, None


@wrong(taken, (normal(6), np.array([4, 1, 5])), "mutates_input", "[1]", right=taken_vjp)
def taken_sorts(x: Array, index: IntArray, dy: Array) -> object:
    """The indices are sorted in place."""
    order = np.argsort(index)
    index.sort()
    return taken_vjp(x, index, dy[order])


@wrong(taken, (normal(6), np.array([4, 1, 5])), "structure", "[1]", right=taken_vjp)
def taken_zeros(x: Array, index: IntArray, dy: Array) -> object:
    """Zeros for the indices, which have no derivative."""
    return taken_vjp(x, index, dy)[0], np.zeros_like(index)


def positive(x: Array, w: Array) -> object:
    return np.maximum(x, 0) @ w


def positive_vjp(x: Array, w: Array, dy: Array) -> Grads:
    return (dy @ w.T) * (x > 0), np.maximum(x, 0).T @ dy


PLUS = (normal(4, 3, seed=21), normal(3, 2))


@wrong(positive, PLUS, "mutates_input", "[0]", right=positive_vjp)
def positive_clamps(x: Array, w: Array, dy: Array) -> object:
    """The negative part of x is set to zero."""
    on = x > 0
    x[~on] = 0
    return (dy @ w.T) * on, x.T @ dy


@wrong(positive, PLUS, "mutates_dy", "dy", right=positive_vjp)
def positive_dy(x: Array, w: Array, dy: Array) -> object:
    """dy is scaled and scaled back, but for rounding."""
    d = positive_vjp(x, w, dy)
    dy += 1
    return d


@wrong(positive, PLUS, "mutates_dy", "dy", right=positive_vjp)
def positive_zeroes(x: Array, w: Array, dy: Array) -> object:
    """Small cotangents are set to zero in place, after their use."""
    d = positive_vjp(x, w, dy)
    dy[dy < 0.9] = 0
    return d


@wrong(centred, X, "mutates_dy", "dy", right=centred_vjp)
def centred_takes_mean_off(x: Array, dy: Array) -> object:
    """A mean is taken off in place."""
    d = centred_vjp(x, dy)
    np.subtract(dy, dy.mean(0), out=dy)
    return d


def plain_sum(x: Array, y: Array) -> object:
    return x + y


def plain_sum_vjp(x: Array, y: Array, dy: Array) -> Grads:
    return dy.copy(), dy.copy()


SUM = (normal(3, 4), normal(3, 4, seed=1))


@wrong(plain_sum, SUM, "aliasing", "[1]", right=plain_sum_vjp)
def plain_sum_twice(x: Array, y: Array, dy: Array) -> object:
    """One array for both."""
    d = dy.copy()
    return d, d


@wrong(plain_sum, SUM, "aliasing", "[0]", right=plain_sum_vjp)
def plain_sum_view(x: Array, y: Array, dy: Array) -> object:
    """A view of the cotangent."""
    return dy[:], dy.copy()


@wrong(plain_sum, SUM, "structure", "", right=plain_sum_vjp)
def plain_sum_one(x: Array, y: Array, dy: Array) -> object:
    """One gradient for two arguments."""
    return (dy.copy(),)


@wrong(plain_sum, SUM, "structure", "[1]", right=plain_sum_vjp)
def plain_sum_none(x: Array, y: Array, dy: Array) -> object:
    """None for an argument that has a gradient."""
    return dy.copy(), None


def turned(x: Array) -> object:
    return x.T


@wrong(turned, (normal(3, 4),), "aliasing", "[0]", right=lambda x, dy: (dy.T.copy(),))
def turned_view(x: Array, dy: Array) -> object:
    """The transposed view of dy."""
    return (dy.T,)


def squares(x: Array) -> object:
    return x * x / 2


def squares_vjp(x: Array, dy: Array) -> Grads:
    return (x * dy,)


@remembering((normal(6, seed=3),), "aliasing", "[0]", right=squares_vjp)
def squares_buffer() -> tuple[Function, Function]:
    """Every call writes into the same buffer."""
    buffers: dict[Any, Array] = {}

    def vjp(x: Array, dy: Array) -> object:
        kind = (x.dtype, x.shape)
        if kind not in buffers:
            buffers[kind] = np.empty_like(x)
        return (np.multiply(x, dy, out=buffers[kind]),)

    return squares, vjp


@wrong(squares, (normal(6, seed=3),), "nondeterministic", "[0]", right=squares_vjp)
def squares_noise(x: Array, dy: Array) -> object:
    """Gradient noise."""
    return ((x * dy * (1 + 0.01 * np.random.default_rng().standard_normal(x.shape))).astype(x.dtype),)


@wrong(squares, (normal(8, seed=3),), "nondeterministic", "[0]", right=squares_vjp)
def squares_subset(x: Array, dy: Array) -> object:
    """A random half of the entries, doubled."""
    return (2 * x * dy * (np.random.default_rng().random(x.shape) < 0.5),)


@wrong(squares, (normal(12, seed=3),), "nondeterministic", "[0]", right=squares_vjp)
def squares_rounding(x: Array, dy: Array) -> object:
    """Stochastic rounding to multiples of 2**-10."""
    return ((np.floor(x * dy * 1024 + np.random.default_rng().random(x.shape)) / 1024).astype(x.dtype),)


def with_noise(x: Array) -> object:
    """Drawn anew at each call."""
    return x * (1 + 0.1 * np.random.default_rng().standard_normal())


@wrong(with_noise, (normal(5),), "nondeterministic", "")
def with_noise_vjp(x: Array, dy: Array) -> object:
    """The function itself is random."""
    return (dy.copy(),)


def tanh(x: Array) -> object:
    return np.tanh(x)


def tanh_vjp(x: Array, dy: Array) -> Grads:
    return (dy * (1 - np.tanh(x) ** 2),)


@remembering(X, "stale_state", "[0]", right=tanh_vjp)
def tanh_first_output() -> tuple[Function, Function]:
    """The output is computed once and kept."""
    kept: list[Array] = []

    def vjp(x: Array, dy: Array) -> object:
        if not kept:
            kept.append(np.tanh(x))
        return ((dy * (1 - kept[0] ** 2)).astype(x.dtype),)

    return tanh, vjp


@remembering(X, "stale_state", "[0]", right=tanh_vjp)
def tanh_accumulates() -> tuple[Function, Function]:
    """Gradients add up from call to call, as in a framework without zero_grad."""
    total: dict[Any, Array] = {}

    def vjp(x: Array, dy: Array) -> object:
        total[x.dtype] = total.get(x.dtype, np.zeros_like(x)) + dy * (1 - np.tanh(x) ** 2)
        return (total[x.dtype].copy(),)

    return tanh, vjp


@remembering(X, "stale_state", "[0]", right=tanh_vjp)
def tanh_cached_by_shape() -> tuple[Function, Function]:
    """A cache whose key is the shape."""
    cache: dict[Any, Array] = {}

    def vjp(x: Array, dy: Array) -> object:
        slope = cache.setdefault((x.shape, x.dtype), 1 - np.tanh(x) ** 2)
        return (dy * slope,)

    return tanh, vjp


@remembering(X, "stale_state", "[0]", right=tanh_vjp)
def tanh_told_nothing() -> tuple[Function, Function]:
    """An object that keeps the output of its last forward, of which backward is not told."""
    last: list[Array] = []

    def f(x: Array) -> object:
        last[:] = [np.tanh(x)]
        return last[0].copy()

    def vjp(x: Array, dy: Array) -> object:
        return ((dy * (1 - last[0] ** 2)).astype(x.dtype),)

    return f, vjp


# ------------------------------------------------------------------------------------------------------- dtype and precision


@wrong(tanh, X, "dtype", "[0]", right=tanh_vjp, dtypes=("float32",))
def tanh_in_double(x: Array, dy: Array) -> object:
    """A float64 constant array promotes the result."""
    return (dy * (np.ones(x.shape) - np.tanh(x) ** 2),)


@wrong(tanh, X, "dtype", "[0]", right=tanh_vjp, dtypes=("float64",))
def tanh_in_single(x: Array, dy: Array) -> object:
    """The result is stored in single precision."""
    return ((dy * (1 - np.tanh(x) ** 2)).astype(np.float32),)


@wrong(tanh, X, "dtype", "[0]", right=tanh_vjp)
def tanh_in_half(x: Array, dy: Array) -> object:
    """The result is stored in half precision."""
    return ((dy * (1 - np.tanh(x) ** 2)).astype(np.float16),)


def chosen(x: Array, t: IntArray) -> object:
    return x[np.arange(len(x)), t]


def chosen_vjp(x: Array, t: IntArray, dy: Array) -> tuple[Array, None]:
    return dy[:, None] * np.eye(x.shape[1], dtype=x.dtype)[t], None


@wrong(chosen, (normal(5, 3), integers(5, below=3)), "dtype", "[0]", right=chosen_vjp, dtypes=("float32",))
def chosen_one_hot(x: Array, t: IntArray, dy: Array) -> object:
    """np.eye is float64."""
    return dy[:, None] * np.eye(x.shape[1])[t], None


@wrong(centred, X, "precision_loss", "[0]", right=centred_vjp, dtypes=("float64",))
def centred_single_inside(x: Array, dy: Array) -> object:
    """Computed in single precision, returned in double."""
    return (centred_vjp(x.astype(np.float32), dy.astype(np.float32))[0].astype(x.dtype),)


def softplus(x: Array) -> object:
    return np.log1p(np.exp(-x))


@wrong(softplus, (uniform(6, low=14, high=18),), "precision_loss", "[0]", right=lambda x, dy: (-dy / (1 + np.exp(x)),))
def softplus_cancels(x: Array, dy: Array) -> object:
    """Minus one plus sigmoid, which cancels."""
    return (-dy * (1 - 1 / (1 + np.exp(-x))),)


def bend(x: Array) -> object:
    """exp x - 1 - x for small x, by its series."""
    return x * x / 2 * (1 + x / 3 + x * x / 12)


@wrong(bend, (uniform(5, low=1e-5, high=3e-5),), "precision_loss", "[0]", right=lambda x, dy: (dy * np.expm1(x),))
def bend_cancels(x: Array, dy: Array) -> object:
    """exp x - 1, of which half the digits are lost."""
    return (dy * (np.exp(x) - 1),)


def chord(x: Array) -> object:
    return 2 * np.sin(x / 2) ** 2


@wrong(chord, (uniform(5, low=2e-3, high=3e-3),), "precision_loss", "[0]", right=lambda x, dy: (dy * np.sin(x),))
def chord_pythagoras(x: Array, dy: Array) -> object:
    """The sine by the cosine near one."""
    return (dy * np.sqrt(1 - np.cos(x) ** 2),)


# ------------------------------------------------------------------------------------------------------------------- not finite


def lengths(x: Array) -> object:
    return np.sqrt((x * x).sum(-1))


def lengths_vjp(x: Array, dy: Array) -> Grads:
    n = np.sqrt((x * x).sum(-1))
    return (x * (dy / np.where(n > 0, n, 1))[:, None],)


@wrong(lengths, (np.array([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]]),), "nonfinite", "[0]", right=lengths_vjp)
def lengths_at_zero(x: Array, dy: Array) -> object:
    """0/0 at the origin."""
    return (x * (dy / np.sqrt((x * x).sum(-1)))[:, None],)


def powers(x: Array, p: Array) -> object:
    return x**p


def powers_vjp(x: Array, p: Array, dy: Array) -> Grads:
    return dy * p * x ** (p - 1), dy * x**p * np.log(np.where(x > 0, x, 1))


@wrong(powers, (np.array([0.0, 0.5, 2.0]), np.array([2.0, 3.0, 1.5])), "nonfinite", "[1]", right=powers_vjp)
def powers_of_zero(x: Array, p: Array, dy: Array) -> object:
    """0 log 0 in the exponent's gradient."""
    return dy * p * x ** (p - 1), dy * x**p * np.log(x)


def sigmoid(x: Array) -> object:
    return np.where(x > 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


def sigmoid_vjp(x: Array, dy: Array) -> Grads:
    e = np.exp(-np.abs(x))
    return (dy * e / (1 + e) ** 2,)


@wrong(sigmoid, (np.array([0.3, -800.0, 1.2, -0.7]),), "nonfinite", "[0]", right=sigmoid_vjp)
def sigmoid_overflows(x: Array, dy: Array) -> object:
    """exp(-x)/(1 + exp(-x))^2 of a large negative number."""
    return (dy * np.exp(-x) / (1 + np.exp(-x)) ** 2,)


def entropy(p: Array) -> object:
    return -np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(-1)


@wrong(
    entropy,
    (np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]),),
    "nonfinite",
    "[0]",
    right=lambda p, dy: (-dy[:, None] * (np.log(p) + 1),),
)
def entropy_masked_twice(p: Array, dy: Array) -> object:
    """-inf times 0 where a term is masked."""
    with np.errstate(all="ignore"):
        return (-dy[:, None] * np.where(p > 0.2, np.log(p) + 1, (np.log(0 * p)) * 0),)


@remembering(BOWL, "stale_state", "[0]['log_scale']", "[1]", right=bowl_vjp)
def bowl_remembers_scale() -> tuple[Callable[..., object], Callable[..., object]]:
    """The exponential of the scale is computed at the first call only."""
    kept: list[Array] = []

    def vjp(p: dict[str, Array], x: Array, dy: Array) -> object:
        if not kept:
            kept.append(np.exp(p["log_scale"]))
        s = kept[0].astype(x.dtype)
        return {"log_scale": (dy * x * s).sum(0), "shift": dy.sum(0)}, dy * s

    return bowl, vjp
