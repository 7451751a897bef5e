"""A second lot of mistakes written after the diagnosis: other layouts, losses that are one number, less usual layers."""

from __future__ import annotations

import math

import numpy as np

from funcnn.typing import Array, IntArray
from tests.check.corpus.entry import Function, Grads, integers, normal, remembering, uniform, wrong


def sigmoid(x: Array) -> Array:
    y: Array = 1 / (1 + np.exp(-x))
    return y


# Networks that end in one number


def regression(w: Array, b: Array, x: Array, t: Array) -> object:
    return ((np.tanh(x @ w + b).sum(1) - t) ** 2).sum()


def regression_vjp(w: Array, b: Array, x: Array, t: Array, dy: Array) -> Grads:
    h = np.tanh(x @ w + b)
    r = 2 * (h.sum(1) - t) * dy
    da = r[:, None] * (1 - h * h)
    return x.T @ da, da.sum(0), da @ w.T, -r


REGRESSION = (normal(3, 4), normal(4), normal(6, 3), normal(6))


@wrong(regression, REGRESSION, "missing_batch_sum", "[1]", right=regression_vjp)
def regression_bias_of_first_example(w: Array, b: Array, x: Array, t: Array, dy: Array) -> object:
    """da[0] for da.sum(0)."""
    dw, _, dx, dt = regression_vjp(w, b, x, t, dy)
    r = 2 * (np.tanh(x @ w + b).sum(1) - t) * dy
    return dw, (r[:, None] * (1 - np.tanh(x @ w + b) ** 2))[0].copy(), dx, dt


@wrong(regression, REGRESSION, "constant_factor", "[0]", right=regression_vjp)
def regression_weight_mean(w: Array, b: Array, x: Array, t: Array, dy: Array) -> object:
    """Averaged where the loss is a sum."""
    dw, db, dx, dt = regression_vjp(w, b, x, t, dy)
    return dw / len(x), db, dx, dt


@wrong(regression, REGRESSION, "missing_term", "[0]", "[1]", "[2]", right=regression_vjp)
def regression_linear_unit(w: Array, b: Array, x: Array, t: Array, dy: Array) -> object:
    """tanh is taken for the identity."""
    r = 2 * (np.tanh(x @ w + b).sum(1) - t) * dy
    da = r[:, None] * np.ones_like(b)
    return x.T @ da, da.sum(0), da @ w.T, -r


def tagger(x: Array, wx: Array, wh: Array) -> object:
    """A recurrent network whose last state is squared and summed."""
    h = np.zeros((x.shape[0], wh.shape[0]), x.dtype)
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ wx + h @ wh)
    return 0.5 * (h * h).sum()


def tagger_pull(x: Array, wx: Array, wh: Array, dy: Array, steps: int) -> tuple[Array, Array, Array]:
    hs = [np.zeros((x.shape[0], wh.shape[0]), x.dtype)]
    for t in range(x.shape[1]):
        hs.append(np.tanh(x[:, t] @ wx + hs[-1] @ wh))
    dx, dwx, dwh, dh = np.zeros_like(x), np.zeros_like(wx), np.zeros_like(wh), hs[-1] * dy
    for t in range(x.shape[1] - 1, x.shape[1] - 1 - steps, -1):
        da = dh * (1 - hs[t + 1] ** 2)
        dx[:, t] = da @ wx.T
        dwx += x[:, t].T @ da
        dwh += hs[t].T @ da
        dh = da @ wh.T
    return dx, dwx, dwh


def tagger_vjp(x: Array, wx: Array, wh: Array, dy: Array) -> Grads:
    return tagger_pull(x, wx, wh, dy, x.shape[1])


TAGGER = (normal(3, 5, 2), normal(2, 4), normal(4, 4) * 0.5)


@wrong(tagger, TAGGER, "time", "[1]", right=tagger_vjp)
def tagger_one_step(x: Array, wx: Array, wh: Array, dy: Array) -> object:
    """Only the last step's input weight."""
    dx, _, dwh = tagger_vjp(x, wx, wh, dy)
    return dx, tagger_pull(x, wx, wh, dy, 1)[1], dwh


@wrong(tagger, TAGGER, "time", "[2]", right=tagger_vjp)
def tagger_three_steps(x: Array, wx: Array, wh: Array, dy: Array) -> object:
    """Truncated after three steps."""
    dx, dwx, _ = tagger_vjp(x, wx, wh, dy)
    return dx, dwx, tagger_pull(x, wx, wh, dy, 3)[2]


# Channels first


def instance_scale(x: Array, g: Array) -> object:
    """(N, C, L)."""
    c = x - x.mean(2, keepdims=True)
    return g[:, None] * c / np.sqrt((c * c).mean(2, keepdims=True) + 1e-3)


def instance_scale_pull(x: Array, g: Array, dy: Array, eps: float, less: int = 0) -> tuple[Array, Array]:
    c = x - x.mean(2, keepdims=True)
    i = 1 / np.sqrt((c * c).sum(2, keepdims=True) / (x.shape[2] - less) + eps)
    d = dy * g[:, None]
    return i * (d - d.mean(2, keepdims=True) - c * i * (d * c * i).mean(2, keepdims=True)), (dy * c * i).sum((0, 2))


def instance_scale_vjp(x: Array, g: Array, dy: Array) -> Grads:
    return instance_scale_pull(x, g, dy, 1e-3)


INSTANCE = (normal(2, 3, 6), uniform(3))


@wrong(instance_scale, INSTANCE, "eps_mismatch", "[0]", right=instance_scale_vjp)
def instance_scale_bessel(x: Array, g: Array, dy: Array) -> object:
    """n - 1 in the backward pass."""
    return instance_scale_pull(x, g, dy, 1e-3, less=1)[0], instance_scale_vjp(x, g, dy)[1]


@wrong(instance_scale, INSTANCE, "channel", "[0]", right=instance_scale_vjp)
def instance_scale_channel_missed(x: Array, g: Array, dy: Array) -> object:
    """Channel 1 is skipped."""
    dx, dg = instance_scale_vjp(x, g, dy)
    dx[:, 1] = 0
    return dx, dg


@wrong(instance_scale, INSTANCE, "missing_batch_sum", "[1]", right=instance_scale_vjp)
def instance_scale_gain_first(x: Array, g: Array, dy: Array) -> object:
    """The gain's gradient is that of the first example."""
    return instance_scale_vjp(x, g, dy)[0], instance_scale_pull(x[:1], g, dy[:1], 1e-3)[1]


def conv1d(x: Array, w: Array, b: Array) -> object:
    """(N, C, L) with (O, C, K)."""
    v = np.lib.stride_tricks.sliding_window_view(x, w.shape[2], axis=2)
    return np.einsum("nclk,ock->nol", v, w) + b[:, None]


def conv1d_vjp(x: Array, w: Array, b: Array, dy: Array) -> Grads:
    k = w.shape[2]
    v = np.lib.stride_tricks.sliding_window_view(x, k, axis=2)
    z = np.lib.stride_tricks.sliding_window_view(np.pad(dy, ((0, 0), (0, 0), (k - 1, k - 1))), k, axis=2)
    return np.einsum("nolk,ock->ncl", z, w[:, :, ::-1]), np.einsum("nclk,nol->ock", v, dy), dy.sum((0, 2))


CONV1D = (normal(2, 3, 8), normal(4, 3, 3), normal(4))


@wrong(conv1d, CONV1D, "permuted", "[1]", right=conv1d_vjp)
def conv1d_kernel_backwards(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The kernel's gradient is reversed."""
    dx, dw, db = conv1d_vjp(x, w, b, dy)
    return dx, dw[..., ::-1].copy(), db


@wrong(conv1d, CONV1D, "border", "[0]", right=conv1d_vjp)
def conv1d_edges(x: Array, w: Array, b: Array, dy: Array) -> object:
    """Both ends get nothing."""
    dx, dw, db = conv1d_vjp(x, w, b, dy)
    dx[..., [0, -1]] = 0
    return dx, dw, db


@wrong(conv1d, CONV1D, "shifted", "[0]", right=conv1d_vjp)
def conv1d_late(x: Array, w: Array, b: Array, dy: Array) -> object:
    """One sample late."""
    dx, dw, db = conv1d_vjp(x, w, b, dy)
    return np.roll(dx, 1, axis=2), dw, db


@wrong(conv1d, CONV1D, "missing_batch_sum", "[2]", right=conv1d_vjp)
def conv1d_bias_of_last(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The bias's gradient of the last signal."""
    dx, dw, _ = conv1d_vjp(x, w, b, dy)
    return dx, dw, dy[-1].sum(1)


@wrong(conv1d, CONV1D, "channel", "[1]", right=conv1d_vjp)
def conv1d_filter_frozen(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The gradient of the third input channel's taps is doubled."""
    dx, dw, db = conv1d_vjp(x, w, b, dy)
    dw[:, 2] *= 2
    return dx, dw, db


# Attention and others


def cross(q: Array, k: Array, v: Array) -> object:
    s = np.exp(q @ k.swapaxes(1, 2) / 2)
    return s / s.sum(-1, keepdims=True) @ v


def cross_vjp(q: Array, k: Array, v: Array, dy: Array) -> Grads:
    s = np.exp(q @ k.swapaxes(1, 2) / 2)
    p = s / s.sum(-1, keepdims=True)
    dp = dy @ v.swapaxes(1, 2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / 2
    return ds @ k, ds.swapaxes(1, 2) @ q, p.swapaxes(1, 2) @ dy


CROSS = (normal(2, 4, 4), normal(2, 4, 4, seed=1), normal(2, 4, 4, seed=2))


@wrong(cross, CROSS, "swapped_leaf", "[0]", "[1]", "[2]", right=cross_vjp)
def cross_rotated(q: Array, k: Array, v: Array, dy: Array) -> object:
    """v, q, k for q, k, v."""
    dq, dk, dv = cross_vjp(q, k, v, dy)
    return dv, dq, dk


@wrong(cross, CROSS, "constant_factor", "[0]", "[1]", right=cross_vjp)
def cross_scale_missing(q: Array, k: Array, v: Array, dy: Array) -> object:
    """1/sqrt(d) is missing in both."""
    dq, dk, dv = cross_vjp(q, k, v, dy)
    return 2 * dq, 2 * dk, dv


@wrong(cross, CROSS, "wrong_axis", "[2]", right=cross_vjp)
def cross_normalized_over_queries(q: Array, k: Array, v: Array, dy: Array) -> object:
    """The weights are normalized along the batch in the value's gradient."""
    dq, dk, _ = cross_vjp(q, k, v, dy)
    s = np.exp(q @ k.swapaxes(1, 2) / 2)
    p = s / s.sum(-1, keepdims=True)
    return dq, dk, np.einsum("bqk,bqd->bkd", p, dy.sum(0, keepdims=True) + 0 * dy)


def layer_norm3(x: Array) -> object:
    c = x - x.mean(-1, keepdims=True)
    return c / np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5)


def layer_norm3_vjp(x: Array, dy: Array) -> Grads:
    c = x - x.mean(-1, keepdims=True)
    i = 1 / np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5)
    return (i * (dy - dy.mean(-1, keepdims=True) - c * i * (dy * c * i).mean(-1, keepdims=True)),)


@wrong(layer_norm3, (normal(2, 3, 5),), "wrong_axis", "[0]", right=layer_norm3_vjp)
def layer_norm3_middle_axis(x: Array, dy: Array) -> object:
    """One of the means runs over the middle axis."""
    c = x - x.mean(-1, keepdims=True)
    i = 1 / np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5)
    return (i * (dy - dy.mean(1, keepdims=True) - c * i * (dy * c * i).mean(-1, keepdims=True)),)


def erf(x: Array) -> Array:
    y: Array = np.vectorize(math.erf, otypes=[float])(x).astype(x.dtype)
    return y


def exact_gelu(x: Array) -> object:
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))


def exact_gelu_vjp(x: Array, dy: Array) -> Grads:
    return (dy * (0.5 * (1 + erf(x / math.sqrt(2))) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)),)


@wrong(exact_gelu, (normal(4, 5),), "approximation", "[0]", right=exact_gelu_vjp)
def gelu_derivative_of_tanh_form(x: Array, dy: Array) -> object:
    """erf forward, the tanh formula's derivative backward."""
    c = math.sqrt(2 / math.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return (dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x)),)


def pinball(p: Array, t: Array) -> object:
    d = t - p
    return np.maximum(0.9 * d, -0.1 * d).mean(1)


def pinball_vjp(p: Array, t: Array, dy: Array) -> Grads:
    g = np.where(t > p, 0.9, -0.1).astype(p.dtype) * dy[:, None] / p.shape[1]
    return -g, g


@wrong(pinball, (normal(5, 4), normal(5, 4, seed=1)), "region", "[0]", right=pinball_vjp)
def pinball_one_sided(p: Array, t: Array, dy: Array) -> object:
    """Overestimates get no gradient."""
    dp, dt = pinball_vjp(p, t, dy)
    return dp * (t > p), dt


def soft_shrink(x: Array) -> object:
    return np.sign(x) * np.maximum(abs(x) - 0.5, 0)


def soft_shrink_vjp(x: Array, dy: Array) -> Grads:
    return (dy * (abs(x) > 0.5),)


@wrong(soft_shrink, (normal(4, 6),), "region", "[0]", right=soft_shrink_vjp)
def soft_shrink_positive_only(x: Array, dy: Array) -> object:
    """The negative side is forgotten."""
    return (dy * (x > 0.5),)


def gated(x: Array) -> object:
    """A gated linear unit: the halves of the last axis."""
    a, b = np.split(x, 2, axis=-1)
    return a * sigmoid(b)


def gated_vjp(x: Array, dy: Array) -> Grads:
    a, b = np.split(x, 2, axis=-1)
    s = sigmoid(b)
    return (np.concatenate([dy * s, dy * a * s * (1 - s)], axis=-1),)


@wrong(gated, (normal(3, 6),), "permuted", "[0]", right=gated_vjp)
def gated_halves_exchanged(x: Array, dy: Array) -> object:
    """The halves are concatenated in the wrong order."""
    a, b = np.split(x, 2, axis=-1)
    s = sigmoid(b)
    return (np.concatenate([dy * a * s * (1 - s), dy * s], axis=-1),)


@wrong(gated, (normal(3, 6),), "missing_term", "[0]", right=gated_vjp)
def gated_derivative_of_gate(x: Array, dy: Array) -> object:
    """1 - s is forgotten in the gate's half."""
    a, b = np.split(x, 2, axis=-1)
    s = sigmoid(b)
    return (np.concatenate([dy * s, dy * a * s], axis=-1),)


def lookup(table: Array, ids: IntArray) -> object:
    return table[ids].mean(1)


def lookup_vjp(table: Array, ids: IntArray, dy: Array) -> tuple[Array, None]:
    d = np.zeros_like(table)
    np.add.at(d, ids, np.repeat(dy[:, None] / ids.shape[1], ids.shape[1], axis=1))
    return d, None


LOOKUP = (normal(7, 3), integers(4, 5, below=7))


@wrong(lookup, LOOKUP, "constant_factor", "[0]", right=lookup_vjp)
def lookup_sum(table: Array, ids: IntArray, dy: Array) -> object:
    """The length of the bag is missing."""
    return lookup_vjp(table, ids, dy * ids.shape[1])


@wrong(lookup, LOOKUP, "row_or_column", "[0]", right=lookup_vjp)
def lookup_last_word_unknown(table: Array, ids: IntArray, dy: Array) -> object:
    """The last row is reserved for unknown words."""
    d, _ = lookup_vjp(table, ids, dy)
    d[-1] = 0
    return d, None


@wrong(lookup, LOOKUP, "permuted", "[0]", right=lookup_vjp)
def lookup_rows_in_other_order(table: Array, ids: IntArray, dy: Array) -> object:
    """The table was sorted in the meantime."""
    d, _ = lookup_vjp(table, ids, dy)
    return d[np.argsort(table[:, 0])], None


def log_ratio(a: Array, b: Array) -> object:
    return (np.log(a + 1e-2) - np.log(b + 1e-2)).sum(-1)


def log_ratio_vjp(a: Array, b: Array, dy: Array) -> Grads:
    return dy[:, None] / (a + 1e-2), -dy[:, None] / (b + 1e-2)


RATIO = (uniform(3, 5, low=0.05, high=1), uniform(3, 5, low=0.05, high=1, seed=1))


@wrong(log_ratio, RATIO, "eps_mismatch", "[1]", right=log_ratio_vjp)
def log_ratio_eps_forgotten(a: Array, b: Array, dy: Array) -> object:
    """1/b for 1/(b + eps)."""
    return log_ratio_vjp(a, b, dy)[0], -dy[:, None] / b


@wrong(log_ratio, RATIO, "sign_flip", "[1]", right=log_ratio_vjp)
def log_ratio_same_sign(a: Array, b: Array, dy: Array) -> object:
    """Both positive."""
    da, db = log_ratio_vjp(a, b, dy)
    return da, -db


def quadratic(x: Array, a: Array) -> object:
    return np.einsum("bi,ij,bj->b", x, a, x)


def quadratic_vjp(x: Array, a: Array, dy: Array) -> Grads:
    return dy[:, None] * (x @ a + x @ a.T), np.einsum("b,bi,bj->ij", dy, x, x)


@wrong(quadratic, (normal(5, 3), normal(3, 3)), "missing_term", "[0]", right=quadratic_vjp)
def quadratic_assumes_symmetry(x: Array, a: Array, dy: Array) -> object:
    """2 a x although a is not symmetric."""
    return 2 * dy[:, None] * (x @ a), quadratic_vjp(x, a, dy)[1]


def scores(x: Array, w: Array) -> object:
    return np.einsum("thd,hde->the", x, w)


def scores_vjp(x: Array, w: Array, dy: Array) -> Grads:
    return np.einsum("the,hde->thd", dy, w), np.einsum("thd,the->hde", x, dy)


@wrong(scores, (normal(4, 2, 3), normal(2, 3, 3)), "transpose", "[1]", right=scores_vjp)
def scores_weight_transposed_per_head(x: Array, w: Array, dy: Array) -> object:
    """Each head's gradient is transposed."""
    dx, dw = scores_vjp(x, w, dy)
    return dx, dw.swapaxes(1, 2).copy()


@wrong(scores, (normal(4, 2, 3), normal(2, 3, 3)), "transpose", "[0]", right=scores_vjp)
def scores_input_through_weight(x: Array, w: Array, dy: Array) -> object:
    """Each head's weight is applied forward."""
    return np.einsum("the,hed->thd", dy, w), scores_vjp(x, w, dy)[1]


@wrong(scores, (normal(4, 2, 3), normal(2, 3, 5)), "single_entry", "[1]", right=scores_vjp)
def scores_last_entry(x: Array, w: Array, dy: Array) -> object:
    """The very last entry is lost."""
    dx, dw = scores_vjp(x, w, dy)
    dw[-1, -1, -1] = 0
    return dx, dw


@wrong(quadratic, (normal(5, 3), normal(3, 3)), "ignores_dy", "[1]", right=quadratic_vjp)
def quadratic_sum_of_all(x: Array, a: Array, dy: Array) -> object:
    """x x' for every cotangent."""
    return quadratic_vjp(x, a, dy)[0], x.T @ x


@wrong(quadratic, (normal(5, 3), normal(3, 3)), "nonlinear_in_dy", "[0]", right=quadratic_vjp)
def quadratic_gradient_clipped_by_norm(x: Array, a: Array, dy: Array) -> object:
    """Clipped by its norm."""
    dx, da = quadratic_vjp(x, a, dy)
    n = math.sqrt(float((dx * dx).sum()))
    return dx * min(1.0, 0.1 / n) if n else dx, da


@remembering((normal(4, 3),), "stale_state", "[0]", right=soft_shrink_vjp)
def soft_shrink_remembers_mask() -> tuple[Function, Function]:
    """The mask belongs to the first call."""
    masks: dict[str, Array] = {}

    def vjp(x: Array, dy: Array) -> object:
        return (dy * masks.setdefault("mask", (abs(x) > 0.5).astype(dy.dtype)),)

    return soft_shrink, vjp
