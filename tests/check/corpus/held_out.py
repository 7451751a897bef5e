"""Mistakes written after the rules of the diagnosis were done, to measure them on cases for which they were not made."""

from __future__ import annotations

import math

import numpy as np

from funcnn.typing import Array, BoolArray, IntArray
from tests.check.corpus.entry import Function, Grads, integers, normal, remembering, uniform, wrong

# Dense


def affine_relu(x: Array, w: Array, b: Array) -> object:
    return np.maximum(x @ w.T + b, 0)


def affine_relu_vjp(x: Array, w: Array, b: Array, dy: Array) -> Grads:
    g = dy * (x @ w.T + b > 0)
    return g @ w, g.T @ x, g.sum(0)


AFFINE = (normal(7, 4), normal(5, 4), normal(5))


@wrong(affine_relu, AFFINE, "constant_factor", "[1]", right=affine_relu_vjp)
def affine_weight_scaled_by_batch(x: Array, w: Array, b: Array, dy: Array) -> object:
    """A batch size too many."""
    dx, dw, db = affine_relu_vjp(x, w, b, dy)
    return dx, dw * len(x), db


@wrong(affine_relu, AFFINE, "region", "[0]", "[1]", "[2]", right=affine_relu_vjp)
def affine_mask_dropped(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The relu is not in the backward pass."""
    return dy @ w, dy.T @ x, dy.sum(0)


@wrong(affine_relu, AFFINE, "missing_batch_sum", "[1]", right=affine_relu_vjp)
def affine_weight_third_example(x: Array, w: Array, b: Array, dy: Array) -> object:
    """An index left over from a loop."""
    g = dy * (x @ w.T + b > 0)
    return g @ w, np.outer(g[2], x[2]), g.sum(0)


@wrong(affine_relu, AFFINE, "row_or_column", "[1]", right=affine_relu_vjp)
def affine_unit_frozen(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The weights of unit 3 are frozen."""
    dx, dw, db = affine_relu_vjp(x, w, b, dy)
    dw[3] = 0
    return dx, dw, db


def embed_project(z: Array, a: Array, c: Array) -> object:
    return np.tanh(z @ a) @ c


def embed_project_vjp(z: Array, a: Array, c: Array, dy: Array) -> Grads:
    h = np.tanh(z @ a)
    g = dy @ c.T * (1 - h**2)
    return g @ a.T, z.T @ g, h.T @ dy


SQUARES = (normal(6, 4), normal(4, 4), normal(4, 4, seed=9))


@wrong(embed_project, SQUARES, "transpose", "[2]", right=embed_project_vjp)
def project_outer_product_backwards(z: Array, a: Array, c: Array, dy: Array) -> object:
    """dy.T h for h.T dy."""
    dz, da, _ = embed_project_vjp(z, a, c, dy)
    return dz, da, dy.T @ np.tanh(z @ a)


@wrong(embed_project, SQUARES, "missing_term", "[1]", right=embed_project_vjp)
def project_wrong_back_weight(z: Array, a: Array, c: Array, dy: Array) -> object:
    """The error travels back through c where its transpose is due, inside the chain."""
    h = np.tanh(z @ a)
    g = dy @ c * (1 - h**2)
    dz, _, dc = embed_project_vjp(z, a, c, dy)
    return dz, z.T @ g, dc


@wrong(embed_project, SQUARES, "sign_flip", "[1]", right=embed_project_vjp)
def project_descent_direction(z: Array, a: Array, c: Array, dy: Array) -> object:
    """The descent direction is returned for one weight."""
    dz, da, dc = embed_project_vjp(z, a, c, dy)
    return dz, -da, dc


# Elementwise


def hard_swish(x: Array) -> object:
    return x * np.clip(x + 3, 0, 6) / 6


def hard_swish_vjp(x: Array, dy: Array) -> Grads:
    return (dy * np.where(x <= -3, 0, np.where(x >= 3, 1, (2 * x + 3) / 6)),)


@wrong(hard_swish, (normal(5, 6) * 3,), "region", "[0]", right=hard_swish_vjp)
def hard_swish_upper_branch(x: Array, dy: Array) -> object:
    """Beyond 3 the middle formula goes on."""
    return (dy * np.where(x <= -3, 0, (2 * x + 3) / 6),)


def selu(x: Array) -> object:
    return 1.0507 * np.where(x > 0, x, 1.67326 * np.expm1(np.minimum(x, 0)))


def selu_vjp(x: Array, dy: Array) -> Grads:
    return (1.0507 * dy * np.where(x > 0, 1, 1.67326 * np.exp(np.minimum(x, 0))),)


@wrong(selu, (normal(3, 8),), "constant_factor", "[0]", right=selu_vjp)
def selu_without_lambda(x: Array, dy: Array) -> object:
    """The outer scale is forgotten."""
    return (selu_vjp(x, dy)[0] / 1.0507,)


@wrong(selu, (normal(3, 8),), "region", "[0]", right=selu_vjp)
def selu_without_alpha(x: Array, dy: Array) -> object:
    """alpha is forgotten on the negative side."""
    return (1.0507 * dy * np.where(x > 0, 1, np.exp(np.minimum(x, 0))),)


def arctangent(x: Array) -> object:
    return np.arctan(x)


def arctangent_vjp(x: Array, dy: Array) -> Grads:
    return (dy / (1 + x * x),)


@wrong(arctangent, (normal(9),), "missing_term", "[0]", right=arctangent_vjp)
def arctangent_like_log(x: Array, dy: Array) -> object:
    """1/(1 + x) for 1/(1 + x^2)."""
    return (dy / (1 + abs(x)),)


@wrong(arctangent, (normal(10) / 4,), "approximation", "[0]", right=arctangent_vjp)
def arctangent_series(x: Array, dy: Array) -> object:
    """1 - x^2 + x^4: a series for small arguments."""
    return (dy * (1 - x**2 + x**4),)


@wrong(arctangent, (normal(2, 4),), "ignores_dy", "[0]", right=arctangent_vjp)
def arctangent_unit_cotangent(x: Array, dy: Array) -> object:
    """dy is taken for one."""
    return (np.ones_like(dy) / (1 + x * x),)


@wrong(arctangent, (normal(2, 4),), "nonlinear_in_dy", "[0]", right=arctangent_vjp)
def arctangent_signed(x: Array, dy: Array) -> object:
    """signSGD has moved into the layer."""
    return (np.sign(dy) / (1 + x * x),)


def mish(x: Array) -> object:
    return x * np.tanh(np.logaddexp(x, 0))


def mish_vjp(x: Array, dy: Array) -> Grads:
    t = np.tanh(np.logaddexp(x, 0))
    return (dy * (t + x * (1 - t * t) / (1 + np.exp(-x))),)


@wrong(mish, (normal(4, 4, seed=3),), "missing_term", "[0]", right=mish_vjp)
def mish_inner_sigmoid(x: Array, dy: Array) -> object:
    """The softplus's derivative is missing."""
    t = np.tanh(np.logaddexp(x, 0))
    return (dy * (t + x * (1 - t * t)),)


@wrong(mish, (normal(4, 4, seed=3),), "approximation", "[0]", right=mish_vjp)
def mish_central_difference(x: Array, dy: Array) -> object:
    """A difference quotient, in place of a formula."""
    h = 0.05

    def f(v: Array) -> Array:
        y: Array = v * np.tanh(np.logaddexp(v, 0))
        return y

    return (dy * (f(x + h) - f(x - h)) / (2 * h),)


# Normalization


def batch_norm2d(x: Array, g: Array, b: Array) -> object:
    """(N, C, H, W)."""
    m = x.mean((0, 2, 3), keepdims=True)
    v = ((x - m) ** 2).mean((0, 2, 3), keepdims=True)
    return g[:, None, None] * (x - m) / np.sqrt(v + 1e-3) + b[:, None, None]


def batch_norm2d_pull(x: Array, g: Array, dy: Array, eps: float, mean: bool = True) -> tuple[Array, Array, Array]:
    ax = (0, 2, 3)
    m = x.mean(ax, keepdims=True)
    i = 1 / np.sqrt(((x - m) ** 2).mean(ax, keepdims=True) + eps)
    xh = (x - m) * i
    d = dy * g[:, None, None]
    dx = i * (d - (d.mean(ax, keepdims=True) if mean else 0) - xh * (d * xh).mean(ax, keepdims=True))
    return dx, (dy * xh).sum(ax), dy.sum(ax)


def batch_norm2d_vjp(x: Array, g: Array, b: Array, dy: Array) -> Grads:
    return batch_norm2d_pull(x, g, dy, 1e-3)


BN2D = (normal(2, 3, 2, 3), uniform(3), normal(3))


@wrong(batch_norm2d, BN2D, "eps_mismatch", "[0]", right=batch_norm2d_vjp)
def batch_norm2d_other_eps(x: Array, g: Array, b: Array, dy: Array) -> object:
    """1e-3 forward, 1e-5 backward."""
    return batch_norm2d_pull(x, g, dy, 1e-5)[0], *batch_norm2d_pull(x, g, dy, 1e-3)[1:]


@wrong(batch_norm2d, BN2D, "missing_term", "[0]", right=batch_norm2d_vjp)
def batch_norm2d_mean_path(x: Array, g: Array, b: Array, dy: Array) -> object:
    """The path through the mean is missing."""
    return batch_norm2d_pull(x, g, dy, 1e-3, mean=False)[0], *batch_norm2d_pull(x, g, dy, 1e-3)[1:]


@wrong(batch_norm2d, BN2D, "channel", "[0]", right=batch_norm2d_vjp)
def batch_norm2d_first_channel_only_scaled(x: Array, g: Array, b: Array, dy: Array) -> object:
    """The first channel's gradient is doubled."""
    dx, dg, db = batch_norm2d_vjp(x, g, b, dy)
    dx[:, 0] *= 2
    return dx, dg, db


@wrong(batch_norm2d, BN2D, "swapped_leaf", "[1]", "[2]", right=batch_norm2d_vjp)
def batch_norm2d_returns_in_wrong_order(x: Array, g: Array, b: Array, dy: Array) -> object:
    """dbeta, dgamma for dgamma, dbeta."""
    dx, dg, db = batch_norm2d_vjp(x, g, b, dy)
    return dx, db, dg


def softmax1(x: Array) -> object:
    """Over the second of three axes."""
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def softmax1_vjp(x: Array, dy: Array) -> Grads:
    y = np.asarray(softmax1(x))
    return (y * (dy - (dy * y).sum(1, keepdims=True)),)


@wrong(softmax1, (normal(2, 3, 3),), "wrong_axis", "[0]", right=softmax1_vjp)
def softmax1_last_axis(x: Array, dy: Array) -> object:
    """axis=-1 by habit."""
    y = np.asarray(softmax1(x))
    return (y * (dy - (dy * y).sum(-1, keepdims=True)),)


# Pictures


def conv2d(x: Array, w: Array) -> object:
    """(N, C, H, W) with (O, C, 3, 3), padding 1."""
    z = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    v = np.lib.stride_tricks.sliding_window_view(z, (3, 3), axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", v, w)


def conv2d_dx(w: Array, dy: Array, turn: bool = True) -> Array:
    z = np.pad(dy, ((0, 0), (0, 0), (1, 1), (1, 1)))
    v = np.lib.stride_tricks.sliding_window_view(z, (3, 3), axis=(2, 3))
    dx: Array = np.einsum("nohwij,ocij->nchw", v, w[:, :, ::-1, ::-1] if turn else w)
    return dx


def conv2d_vjp(x: Array, w: Array, dy: Array) -> Grads:
    z = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    v = np.lib.stride_tricks.sliding_window_view(z, (3, 3), axis=(2, 3))
    return conv2d_dx(w, dy), np.einsum("nchwij,nohw->ocij", v, dy)


CONV2D = (normal(2, 2, 4, 5), normal(3, 2, 3, 3))


@wrong(conv2d, CONV2D, "permuted", "[0]", right=conv2d_vjp)
def conv2d_kernel_as_it_is(x: Array, w: Array, dy: Array) -> object:
    """The kernel is not rotated for the input's gradient."""
    return conv2d_dx(w, dy, turn=False), conv2d_vjp(x, w, dy)[1]


@wrong(conv2d, CONV2D, "channel", "[1]", right=conv2d_vjp)
def conv2d_skips_input_channel(x: Array, w: Array, dy: Array) -> object:
    """for c in range(C - 1)."""
    dx, dw = conv2d_vjp(x, w, dy)
    dw[:, -1] = 0
    return dx, dw


@wrong(conv2d, CONV2D, "shifted", "[0]", right=conv2d_vjp)
def conv2d_unpadded_too_late(x: Array, w: Array, dy: Array) -> object:
    """The padding is cut off one row too far down."""
    dx, dw = conv2d_vjp(x, w, dy)
    return np.concatenate([dx[:, :, 1:], np.zeros_like(dx[:, :, :1])], axis=2), dw


@wrong(conv2d, CONV2D, "border", "[0]", right=conv2d_vjp)
def conv2d_no_gradient_at_the_edge(x: Array, w: Array, dy: Array) -> object:
    """Pixels at the edge are taken for padding."""
    dx, dw = conv2d_vjp(x, w, dy)
    mask = np.zeros_like(dx)
    mask[:, :, 1:-1, 1:-1] = 1
    return dx * mask, dw


@wrong(conv2d, CONV2D, "missing_batch_sum", "[1]", right=conv2d_vjp)
def conv2d_kernel_of_last_image(x: Array, w: Array, dy: Array) -> object:
    """= for += in the loop over images."""
    return conv2d_dx(w, dy), conv2d_vjp(x[-1:], w, dy[-1:])[1]


def sum_pool(x: Array) -> object:
    n, length, c = x.shape
    return x.reshape(n, length // 3, 3, c).sum(2)


def sum_pool_vjp(x: Array, dy: Array) -> Grads:
    return (dy.repeat(3, axis=1),)


@wrong(sum_pool, (normal(2, 6, 2),), "constant_factor", "[0]", right=sum_pool_vjp)
def sum_pool_as_mean(x: Array, dy: Array) -> object:
    """The gradient of the mean."""
    return (dy.repeat(3, axis=1) / 3,)


@wrong(sum_pool, (normal(2, 6, 2),), "permuted", "[0]", right=sum_pool_vjp)
def sum_pool_tiles(x: Array, dy: Array) -> object:
    """tile for repeat."""
    return (np.tile(dy, (1, 3, 1)),)


# Time


def leaky_integrator(x: Array, w: Array, tau: Array) -> object:
    """(time, batch, features), time first."""
    h = np.zeros_like(x[0] @ w)
    out = []
    for t in range(len(x)):
        h = tau * h + np.tanh(x[t] @ w)
        out.append(h)
    return np.stack(out)


def leaky_integrator_pull(x: Array, w: Array, tau: Array, dy: Array, carry: float) -> tuple[Array, Array, Array]:
    hs = np.asarray(leaky_integrator(x, w, tau))
    dx, dw, dtau, g = np.zeros_like(x), np.zeros_like(w), np.zeros_like(tau), np.zeros_like(hs[0])
    for t in range(len(x) - 1, -1, -1):
        g = dy[t] + carry * tau * g
        da = g * (1 - np.tanh(x[t] @ w) ** 2)
        dx[t] = da @ w.T
        dw += x[t].T @ da
        if t:
            dtau += (g * hs[t - 1]).sum(0)
    return dx, dw, dtau


def leaky_integrator_vjp(x: Array, w: Array, tau: Array, dy: Array) -> Grads:
    return leaky_integrator_pull(x, w, tau, dy, 1.0)


LEAKY = (normal(5, 2, 3), normal(3, 2), uniform(2, low=0.4, high=0.8))


@wrong(leaky_integrator, LEAKY, "time", "[1]", right=leaky_integrator_vjp)
def integrator_forgets_memory(x: Array, w: Array, tau: Array, dy: Array) -> object:
    """The adjoint state is not carried back."""
    dx, _, dtau = leaky_integrator_vjp(x, w, tau, dy)
    return dx, leaky_integrator_pull(x, w, tau, dy, 0.0)[1], dtau


@wrong(leaky_integrator, LEAKY, "time", "[0]", right=leaky_integrator_vjp)
def integrator_input_of_last_steps(x: Array, w: Array, tau: Array, dy: Array) -> object:
    """The loop backward ends two steps early."""
    dx, dw, dtau = leaky_integrator_vjp(x, w, tau, dy)
    dx[:2] = 0
    return dx, dw, dtau


@wrong(leaky_integrator, LEAKY, "missing_term", "[0]", "[1]", right=leaky_integrator_vjp)
def integrator_activation_forgotten(x: Array, w: Array, tau: Array, dy: Array) -> object:
    """tanh' is missing."""
    dx, dw, dtau, g = np.zeros_like(x), np.zeros_like(w), leaky_integrator_vjp(x, w, tau, dy)[2], np.zeros_like(dy[0])
    for t in range(len(x) - 1, -1, -1):
        g = dy[t] + tau * g
        dx[t] = g @ w.T
        dw += x[t].T @ g
    return dx, dw, dtau


@wrong(leaky_integrator, LEAKY, "zero_gradient", "[2]", right=leaky_integrator_vjp)
def integrator_time_constant_fixed(x: Array, w: Array, tau: Array, dy: Array) -> object:
    """The time constant is not trained."""
    dx, dw, dtau = leaky_integrator_vjp(x, w, tau, dy)
    return dx, dw, dtau * 0


# Losses and indices


def nll(logits: Array, target: IntArray, weight: Array) -> object:
    """Sequences: (batch, time, classes), weights (batch, time)."""
    z = np.logaddexp.reduce(logits, axis=-1) - np.take_along_axis(logits, target[..., None], axis=-1)[..., 0]
    return (z * weight).sum() / weight.size


def nll_vjp(logits: Array, target: IntArray, weight: Array, dy: Array) -> tuple[Array, None, Array]:
    lse = np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    hot = (np.arange(logits.shape[-1]) == target[..., None]).astype(logits.dtype)
    z = (lse - (logits * hot).sum(-1, keepdims=True))[..., 0]
    return dy * (np.exp(logits - lse) - hot) * weight[..., None] / weight.size, None, dy * z / weight.size


NLL = (normal(2, 3, 4), integers(2, 3, below=4), uniform(2, 3))


@wrong(nll, NLL, "constant_factor", "[0]", right=nll_vjp)
def nll_mean_over_batch_only(logits: Array, target: IntArray, weight: Array, dy: Array) -> object:
    """The number of time steps is missing in the denominator."""
    dl, _, dw = nll_vjp(logits, target, weight, dy)
    return dl * weight.shape[1], None, dw


@wrong(nll, NLL, "missing_term", "[0]", right=nll_vjp)
def nll_weight_forgotten(logits: Array, target: IntArray, weight: Array, dy: Array) -> object:
    """The weights do not appear in the logits' gradient."""
    dl, _, dw = nll_vjp(logits, target, weight, dy)
    return dl / weight[..., None], None, dw


@wrong(nll, NLL, "single_entry", "[2]", right=nll_vjp)
def nll_first_token_weight(logits: Array, target: IntArray, weight: Array, dy: Array) -> object:
    """The first token of the first sequence is taken for a marker."""
    dl, _, dw = nll_vjp(logits, target, weight, dy)
    dw[0, 0] = 0
    return dl, None, dw


def smooth_l1(p: Array, t: Array) -> object:
    d = abs(p - t)
    return np.where(d < 1, 0.5 * d * d, d - 0.5).mean(1)


def smooth_l1_vjp(p: Array, t: Array, dy: Array) -> Grads:
    g = np.clip(p - t, -1, 1) * dy[:, None] / p.shape[1]
    return g, -g


@wrong(smooth_l1, (normal(4, 6), normal(4, 6, seed=2)), "region", "[1]", right=smooth_l1_vjp)
def smooth_l1_target_unclipped(p: Array, t: Array, dy: Array) -> object:
    """The target's gradient is not clipped."""
    return smooth_l1_vjp(p, t, dy)[0], (t - p) * dy[:, None] / p.shape[1]


def scatter_mean(x: Array, owner: IntArray) -> object:
    y = np.zeros((3, x.shape[1]), x.dtype)
    np.add.at(y, owner, x**2)
    return y / np.bincount(owner, minlength=3)[:, None].astype(x.dtype)


def scatter_mean_vjp(x: Array, owner: IntArray, dy: Array) -> tuple[Array, None]:
    return 2 * x * (dy / np.bincount(owner, minlength=3)[:, None].astype(x.dtype))[owner], None


@wrong(scatter_mean, (normal(7, 2), np.array([2, 0, 0, 1, 2, 2, 2])), "missing_term", "[0]", right=scatter_mean_vjp)
def scatter_mean_as_sum(x: Array, owner: IntArray, dy: Array) -> object:
    """The groups' sizes are missing: a factor of its own for each group."""
    return 2 * x * dy[owner], None


def logsumexp_rows(x: Array) -> object:
    return np.logaddexp.reduce(x, axis=0)


def logsumexp_rows_vjp(x: Array, dy: Array) -> Grads:
    return (np.exp(x - np.logaddexp.reduce(x, axis=0)) * dy,)


@wrong(logsumexp_rows, (normal(4, 4, seed=6),), "wrong_axis", "[0]", right=logsumexp_rows_vjp)
def logsumexp_normalized_along_rows(x: Array, dy: Array) -> object:
    """The softmax inside runs along the other axis, and so does dy."""
    return (np.exp(x - np.logaddexp.reduce(x, axis=1)[:, None]) * dy[:, None],)


def inverse_distance(x: Array, c: Array) -> object:
    return 1 / (((x[:, None] - c) ** 2).sum(-1) + 0.05)


def inverse_distance_vjp(x: Array, c: Array, dy: Array) -> Grads:
    diff = x[:, None] - c
    g = -2 * dy[..., None] * diff / ((diff**2).sum(-1, keepdims=True) + 0.05) ** 2
    return g.sum(1), -g.sum(0)


@wrong(inverse_distance, (normal(3, 2) * 2, normal(4, 2) * 2), "eps_mismatch", "[0]", right=inverse_distance_vjp)
def inverse_distance_without_eps(x: Array, c: Array, dy: Array) -> object:
    """The regularization of the denominator is missing backward."""
    diff = x[:, None] - c
    return (-2 * dy[..., None] * diff / ((diff**2).sum(-1, keepdims=True)) ** 2).sum(1), inverse_distance_vjp(x, c, dy)[1]


# Contract


@wrong(arctangent, (normal(3, 2),), "mutates_input", "[0]", right=arctangent_vjp)
def arctangent_squares_in_place(x: Array, dy: Array) -> object:
    """x *= x."""
    x *= x
    return (dy / (1 + x),)


@wrong(affine_relu, AFFINE, "mutates_dy", "dy", right=affine_relu_vjp)
def affine_masks_the_cotangent(x: Array, w: Array, b: Array, dy: Array) -> object:
    """np.multiply(..., out=dy)."""
    np.multiply(dy, x @ w.T + b > 0, out=dy)
    return dy @ w, dy.T @ x, dy.sum(0)


def add_bias(x: Array, b: Array) -> object:
    return x + b


@wrong(add_bias, (normal(3, 4), normal(4)), "aliasing", "[0]", right=lambda x, b, dy: (dy.copy(), dy.sum(0)))
def add_bias_passes_through(x: Array, b: Array, dy: Array) -> object:
    """A view of dy."""
    return dy[:], dy.sum(0)


@remembering((normal(5, 3),), "stale_state", "[0]", right=arctangent_vjp)
def arctangent_cached_denominator() -> tuple[Function, Function]:
    """The denominator is cached once."""
    cache: list[Array] = []

    def vjp(x: Array, dy: Array) -> object:
        if not cache or cache[0].shape != x.shape:
            cache[:] = [1 + x * x]
        return ((dy / cache[0]).astype(x.dtype),)

    return arctangent, vjp


@wrong(mish, (normal(4, 4, seed=3),), "nondeterministic", "[0]", right=mish_vjp)
def mish_stochastic_rounding(x: Array, dy: Array) -> object:
    """The gradient is rounded at random to a grid."""
    dx = mish_vjp(x, dy)[0] * 256
    return ((np.floor(dx + np.random.default_rng().random(x.shape)) / 256).astype(x.dtype),)


@wrong(mish, (normal(4, 4, seed=3),), "dtype", "[0]", right=mish_vjp)
def mish_half(x: Array, dy: Array) -> object:
    """float16 gradients."""
    return (mish_vjp(x, dy)[0].astype(np.float16),)


@wrong(smooth_l1, (normal(4, 6), normal(4, 6, seed=2)), "structure", "", right=smooth_l1_vjp)
def smooth_l1_no_target(p: Array, t: Array, dy: Array) -> object:
    """No gradient for the target."""
    return (smooth_l1_vjp(p, t, dy)[0],)


@wrong(conv2d, CONV2D, "shape", "[1]", right=conv2d_vjp)
def conv2d_kernel_layout(x: Array, w: Array, dy: Array) -> object:
    """(C, O, 3, 3) for (O, C, 3, 3)."""
    dx, dw = conv2d_vjp(x, w, dy)
    return dx, dw.swapaxes(0, 1).copy()


@wrong(softmax1, (normal(2, 3, 3) * 5,), "precision_loss", "[0]", right=softmax1_vjp, dtypes=("float64",))
def softmax1_single(x: Array, dy: Array) -> object:
    """The exponentials are float32."""
    y = np.asarray(softmax1(x.astype(np.float32)))
    return ((y * (dy - (dy * y).sum(1, keepdims=True))).astype(x.dtype),)


def geometric(x: Array) -> object:
    return np.exp(np.log(np.maximum(x, 0.1)).mean(-1))


def geometric_vjp(x: Array, dy: Array) -> Grads:
    y = np.asarray(geometric(x))
    live: BoolArray = x > 0.1
    return (np.where(live, (dy * y)[:, None] / np.where(live, x, 1), 0) / x.shape[1],)


@wrong(geometric, (np.array([[1.0, 2.0, 0.5], [0.3, 0.0, 1.1]]),), "nonfinite", "[0]", right=geometric_vjp)
def geometric_of_zero(x: Array, dy: Array) -> object:
    """1/0 where the function clips."""
    with np.errstate(all="ignore"):
        return ((dy * np.asarray(geometric(x)))[:, None] / x / x.shape[1],)


def whiten(x: Array) -> object:
    return (x - x.mean(0)) / math.sqrt(len(x) - 1)


def whiten_vjp(x: Array, dy: Array) -> Grads:
    return ((dy - dy.mean(0)) / math.sqrt(len(x) - 1),)


@wrong(whiten, (normal(6, 3),), "missing_term", "[0]", right=whiten_vjp)
def whiten_mean_constant(x: Array, dy: Array) -> object:
    """The mean is taken for a constant."""
    return (dy / math.sqrt(len(x) - 1),)


@wrong(whiten, (normal(6, 3),), "constant_factor", "[0]", right=whiten_vjp)
def whiten_other_normalization(x: Array, dy: Array) -> object:
    """1/sqrt(n) for 1/sqrt(n - 1)."""
    return ((dy - dy.mean(0)) / math.sqrt(len(x)),)
