"""Mistakes that are not in the formula: what a gradient does to its arguments, what it remembers, and the form of its results."""

from __future__ import annotations

from itertools import count

import numpy as np

from funcnn.typing import Array, BoolArray
from tests.check.corpus.attention import softmax_of, softmax_pull
from tests.check.corpus.dense import DENSE, dense, dense_vjp
from tests.check.corpus.elementwise import relu, relu_vjp, sigmoid, sigmoid_vjp, tanh, tanh_vjp
from tests.check.corpus.entry import Function, Grads, normal, remembering, uniform, wrong

X = (normal(4, 3, seed=5),)


# What it does to its arguments


@wrong(relu, X, "mutates_input", "[0]", right=relu_vjp)
def relu_masks_in_place(x: Array, dy: Array) -> object:
    """The input is overwritten by its own mask."""
    x[x < 0] = 0
    return (dy * (x > 0),)


def softmax(x: Array) -> object:
    return softmax_of(x)


def softmax_vjp(x: Array, dy: Array) -> Grads:
    return (softmax_pull(softmax_of(x), dy),)


@wrong(softmax, X, "mutates_input", "[0]", right=softmax_vjp)
def softmax_shifts_in_place(x: Array, dy: Array) -> object:
    """``x -= x.max()`` for stability, in the caller's array."""
    x -= x.max(-1, keepdims=True)
    e = np.exp(x)
    return (softmax_pull(e / e.sum(-1, keepdims=True), dy),)


@wrong(dense, DENSE, "mutates_input", "[1]", right=dense_vjp)
def dense_updates_weight(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The optimizer's step has moved into the backward pass."""
    dx, dw, db = dense_vjp(x, w, b, dy)
    w -= 0.1 * dw
    return dx, dw, db


def scaled_inputs(params: dict[str, Array], x: Array) -> object:
    return np.tanh(x * params["scale"])


def scaled_inputs_vjp(params: dict[str, Array], x: Array, dy: Array) -> tuple[dict[str, Array], Array]:
    da = dy * (1 - np.tanh(x * params["scale"]) ** 2)
    return {"scale": (da * x).sum(0)}, da * params["scale"]


@wrong(scaled_inputs, ({"scale": uniform(3)}, normal(4, 3)), "mutates_input", "[1]", right=scaled_inputs_vjp)
def scaled_inputs_reuses_buffer(params: dict[str, Array], x: Array, dy: Array) -> object:
    """The input's memory is reused as scratch."""
    da = dy * (1 - np.tanh(x * params["scale"]) ** 2)
    dscale = (da * x).sum(0)
    np.multiply(da, params["scale"], out=x)
    return {"scale": dscale}, x.copy()


@wrong(relu, X, "mutates_dy", "dy", right=relu_vjp)
def relu_masks_cotangent(x: Array, dy: Array) -> object:
    """``dy[x <= 0] = 0`` in the caller's array."""
    dy[x <= 0] = 0
    return (dy.copy(),)


@wrong(tanh, X, "mutates_dy", "dy", right=tanh_vjp)
def tanh_multiplies_cotangent(x: Array, dy: Array) -> object:
    """``dy *= 1 - y**2`` saves an array."""
    dy *= 1 - np.tanh(x) ** 2
    return (1.0 * dy,)


@wrong(dense, DENSE, "mutates_dy", "dy", right=dense_vjp)
def dense_averages_cotangent(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The cotangent is changed after its last use here: the caller still holds it."""
    made = dense_vjp(x, w, b, dy)
    dy /= len(x)
    return made


# What its results share


def shift(x: Array, b: Array) -> object:
    return x + b


def shift_vjp(x: Array, b: Array, dy: Array) -> Grads:
    return dy.copy(), dy.copy()


@wrong(shift, (normal(3, 4), normal(3, 4, seed=1)), "aliasing", "[0]", right=shift_vjp)
def shift_returns_cotangent(x: Array, b: Array, dy: Array) -> object:
    """The cotangent itself is returned: whoever adds to the gradient in place changes it."""
    return dy, dy.copy()


@wrong(shift, (normal(3, 4), normal(3, 4, seed=1)), "aliasing", "[1]", right=shift_vjp)
def shift_shares_result(x: Array, b: Array, dy: Array) -> object:
    """Both gradients are one array."""
    d = dy.copy()
    return d, d


def flatten(x: Array) -> object:
    return x.reshape(len(x), -1) * 1


@wrong(flatten, (normal(2, 3, 2),), "aliasing", "[0]", right=lambda x, dy: (dy.reshape(x.shape).copy(),))
def flatten_returns_view(x: Array, dy: Array) -> object:
    """A reshape of the cotangent is a view of it."""
    return (dy.reshape(x.shape),)


def half_square(x: Array) -> object:
    return 0.5 * (x * x).sum()


@wrong(half_square, (normal(5),), "aliasing", "[0]", right=lambda x, dy: (x * dy,))
def half_square_returns_input(x: Array, dy: Array) -> object:
    """For dy = 1 the gradient is x, so x is returned when dy is 1."""
    return (x if dy == 1 else x * dy,)


@remembering(X, "aliasing", "[0]", right=sigmoid_vjp)
def sigmoid_into_buffer() -> tuple[Function, Function]:
    """Every call returns the same buffer: an earlier result changes with a later call."""
    buffers: dict[str, Array] = {}

    def vjp(x: Array, dy: Array) -> object:
        out = buffers.setdefault(f"{x.shape}{x.dtype}", np.empty_like(x))
        np.copyto(out, sigmoid_vjp(x, dy)[0])
        return (out,)

    return sigmoid, vjp


# What it remembers


def drop(x: Array) -> object:
    return x * (np.random.default_rng(3).random(x.shape) < 0.7) / 0.7


def drop_vjp(x: Array, dy: Array) -> Grads:
    return (dy * (np.random.default_rng(3).random(x.shape) < 0.7) / 0.7,)


@wrong(drop, X, "nondeterministic", "[0]", right=drop_vjp)
def dropout_mask_drawn_again(x: Array, dy: Array) -> object:
    """The mask is drawn anew in the backward pass."""
    return (dy * (np.random.default_rng().random(x.shape) < 0.7) / 0.7,)


@wrong(drop, X, "constant_factor", "[0]", right=drop_vjp)
def dropout_without_keep(x: Array, dy: Array) -> object:
    """The survivors are scaled forward and not backward."""
    return (dy * (np.random.default_rng(3).random(x.shape) < 0.7),)


@wrong(drop, X, "region", "[0]", right=drop_vjp)
def dropout_mask_forgotten(x: Array, dy: Array) -> object:
    """Dropped units receive a gradient too."""
    return (dy / 0.7,)


@wrong(tanh, X, "nondeterministic", "[0]", right=tanh_vjp)
def tanh_gradient_noise(x: Array, dy: Array) -> object:
    """Gradient noise against overfitting, drawn from a global generator."""
    return (tanh_vjp(x, dy)[0] * (1 + 1e-3 * np.random.default_rng().standard_normal(x.shape)).astype(x.dtype),)


def jitter(x: Array) -> object:
    """Random features without a key."""
    return np.tanh(x + 0.01 * np.random.default_rng().standard_normal(x.shape).astype(x.dtype))


@wrong(jitter, X, "nondeterministic", "")
def jitter_in_forward(x: Array, dy: Array) -> object:
    """The function itself is random: nothing can be compared."""
    return (dy * (1 - np.tanh(x) ** 2),)


@remembering(X, "nondeterministic", "[0]", right=tanh_vjp)
def tanh_warms_up() -> tuple[Function, Function]:
    """A factor grows with the number of calls."""
    calls = count(1)

    def vjp(x: Array, dy: Array) -> object:
        return (tanh_vjp(x, dy)[0] * min(1.0, next(calls) / 1000000),)

    return tanh, vjp


@remembering(X, "stale_state", "[0]", right=relu_vjp)
def relu_mask_by_shape() -> tuple[Function, Function]:
    """The mask is remembered by the input's shape: right at the first point, stale at the second."""
    masks: dict[tuple[int, ...], BoolArray] = {}

    def vjp(x: Array, dy: Array) -> object:
        return (dy * masks.setdefault(x.shape, x > 0),)

    return relu, vjp


@remembering(X, "stale_state", "[0]", right=tanh_vjp)
def tanh_of_last_forward() -> tuple[Function, Function]:
    """The output of the last forward call is used, whatever x is given."""
    kept: dict[str, Array] = {}

    def forward(x: Array) -> object:
        kept["y"] = np.tanh(x)
        return kept["y"].copy()

    def vjp(x: Array, dy: Array) -> object:
        y = kept.get("y")
        return (dy * (1 - (np.tanh(x) if y is None else y.astype(x.dtype)) ** 2),)

    return forward, vjp


def centred_square(x: Array) -> object:
    return (x - x.mean(0)) ** 2


def centred_square_vjp(x: Array, dy: Array) -> Grads:
    d = 2 * dy * (x - x.mean(0))
    return (d - d.mean(0),)


@remembering(X, "stale_state", "[0]", right=centred_square_vjp)
def centred_by_first_mean() -> tuple[Function, Function]:
    """The mean of the first batch is kept for all later ones."""
    means: dict[tuple[int, ...], Array] = {}

    def vjp(x: Array, dy: Array) -> object:
        c = x - means.setdefault(x.shape, x.mean(0)).astype(x.dtype)
        return (2 * dy * c - 2 * (dy * c).mean(0),)

    return centred_square, vjp


# The form of its results


@wrong(sigmoid, X, "dtype", "[0]", right=sigmoid_vjp, dtypes=("float64",))
def sigmoid_returns_single(x: Array, dy: Array) -> object:
    """The gradient is float32 for a float64 input."""
    return (sigmoid_vjp(x, dy)[0].astype(np.float32),)


@wrong(dense, DENSE, "dtype", "[1]", right=dense_vjp, dtypes=("float32",))
def dense_weight_double(x: Array, w: Array, b: Array, dy: Array) -> object:
    """A float64 scalar raises the precision of a float32 gradient."""
    dx, dw, db = dense_vjp(x, w, b, dy)
    return dx, dw * np.float64(1), db


@wrong(tanh, X, "dtype", "[0]", right=tanh_vjp)
def tanh_complex(x: Array, dy: Array) -> object:
    """The gradient is complex with a zero imaginary part."""
    return (tanh_vjp(x, dy)[0] + 0j,)


@wrong(relu, (np.array([[1.0, -2.0, 3.0]]),), "dtype", "[0]", right=relu_vjp)
def relu_boolean(x: Array, dy: Array) -> object:
    """The mask itself is returned."""
    return ((dy * (x > 0)).astype(bool),)


@wrong(sigmoid, X, "precision_loss", "[0]", right=sigmoid_vjp, dtypes=("float64",))
def sigmoid_single_inside(x: Array, dy: Array) -> object:
    """The work is done in float32 and cast back."""
    return (sigmoid_vjp(x.astype(np.float32), dy.astype(np.float32))[0].astype(x.dtype),)


@wrong(dense, DENSE, "precision_loss", "[1]", right=dense_vjp)
def dense_weight_half_inside(x: Array, w: Array, b: Array, dy: Array) -> object:
    """One product goes through float16."""
    dx, _, db = dense_vjp(x, w, b, dy)
    return dx, (x.astype(np.float16).T @ dy.astype(np.float16)).astype(w.dtype), db


def variance(x: Array) -> object:
    c = x - x.mean(0)
    return np.sqrt((c * c).mean(0))


def variance_vjp(x: Array, dy: Array) -> Grads:
    c = x - x.mean(0)
    return (dy * c / np.sqrt((c * c).mean(0)) / len(x),)


@wrong(variance, (normal(6, 2) + 3000,), "precision_loss", "[0]", right=variance_vjp)
def variance_of_squares(x: Array, dy: Array) -> object:
    """E[x^2] - E[x]^2 cancels at a large offset."""
    v = abs((x * x).mean(0) - x.mean(0) ** 2)
    return (dy * (x - x.mean(0)) / np.sqrt(v + 1e-30) / len(x),)


@wrong(tanh, X, "structure", "", right=tanh_vjp)
def tanh_bare_array(x: Array, dy: Array) -> object:
    """The gradient is an array where a tuple of one array is due."""
    return tanh_vjp(x, dy)[0]


@wrong(dense, DENSE, "structure", "", right=dense_vjp)
def dense_forgets_bias(x: Array, w: Array, b: Array, dy: Array) -> object:
    """Two gradients for three arguments."""
    return dense_vjp(x, w, b, dy)[:2]


@wrong(dense, DENSE, "structure", "[2]", right=dense_vjp)
def dense_none_for_bias(x: Array, w: Array, b: Array, dy: Array) -> object:
    """None where an array is due."""
    return *dense_vjp(x, w, b, dy)[:2], None


@wrong(dense, DENSE, "structure", "", right=dense_vjp)
def dense_list_of_gradients(x: Array, w: Array, b: Array, dy: Array) -> object:
    """A list where a tuple is due."""
    return list(dense_vjp(x, w, b, dy))


@wrong(scaled_inputs, ({"scale": uniform(3)}, normal(4, 3)), "structure", "[0]", right=scaled_inputs_vjp)
def scaled_inputs_key_renamed(params: dict[str, Array], x: Array, dy: Array) -> object:
    """The gradient's key is another one than the parameter's."""
    grads, dx = scaled_inputs_vjp(params, x, dy)
    return {"dscale": grads["scale"]}, dx


@wrong(dense, DENSE, "shape", "[1]", right=dense_vjp)
def dense_weight_left_transposed(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The weight's gradient has the shape of its transpose."""
    return dy @ w.T, dy.T @ x, dy.sum(0)


@wrong(half_square, (normal(5),), "shape", "[0]", right=lambda x, dy: (x * dy,))
def half_square_summed(x: Array, dy: Array) -> object:
    """The gradient was summed to one number."""
    return (np.asarray((x * dy).sum()),)


@wrong(relu, (normal(4, 1),), "shape", "[0]", right=relu_vjp)
def relu_squeezed(x: Array, dy: Array) -> object:
    """An axis of one is lost on the way."""
    return ((dy * (x > 0))[:, 0],)


def norm(x: Array) -> object:
    return np.sqrt((x * x).sum(1))


def norm_vjp(x: Array, dy: Array) -> Grads:
    r = np.sqrt((x * x).sum(1))
    return (x * (dy / np.where(r == 0, 1, r))[:, None],)


@wrong(norm, (np.array([[3.0, -4.0], [0.0, 0.0], [1.0, 1.0]]),), "nonfinite", "[0]", right=norm_vjp)
def norm_at_zero(x: Array, dy: Array) -> object:
    """0 / 0 at the origin."""
    with np.errstate(all="ignore"):
        return (x * (dy / np.sqrt((x * x).sum(1)))[:, None],)


@wrong(tanh, (normal(3, 4) * 3,), "nonfinite", "[0]", right=tanh_vjp)
def tanh_through_logarithm(x: Array, dy: Array) -> object:
    """The derivative goes through a logarithm that is not defined for negative inputs."""
    with np.errstate(all="ignore"):
        return (dy * (1 - np.tanh(np.exp(np.log(x))) ** 2),)
