"""A third lot of mistakes written after the diagnosis: flows, gates, kernels, contrastive losses, unusual pooling."""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array, IntArray
from tests.check.corpus.entry import Grads, integers, normal, uniform, wrong


def sig(x: Array) -> Array:
    y: Array = 1 / (1 + np.exp(-x))
    return y


def swiglu(x: Array, u: Array, v: Array) -> object:
    a, b = x @ u, x @ v
    return a * sig(a) * b


def swiglu_vjp(x: Array, u: Array, v: Array, dy: Array) -> Grads:
    a, b = x @ u, x @ v
    s = sig(a)
    da, db = dy * b * s * (1 + a * (1 - s)), dy * a * s
    return da @ u.T + db @ v.T, x.T @ da, x.T @ db


SWIGLU = (normal(5, 3), normal(3, 4), normal(3, 4, seed=1))


@wrong(swiglu, SWIGLU, "missing_term", "[0]", right=swiglu_vjp)
def swiglu_one_branch(x: Array, u: Array, v: Array, dy: Array) -> object:
    """The value branch is left out of the input's gradient."""
    dx, du, dv = swiglu_vjp(x, u, v, dy)
    return dx - (dy * (x @ u) * sig(x @ u)) @ v.T, du, dv


@wrong(swiglu, SWIGLU, "swapped_leaf", "[1]", "[2]", right=swiglu_vjp)
def swiglu_gate_and_value(x: Array, u: Array, v: Array, dy: Array) -> object:
    """Gate and value weights exchanged."""
    dx, du, dv = swiglu_vjp(x, u, v, dy)
    return dx, dv, du


@wrong(swiglu, SWIGLU, "row_or_column", "[2]", right=swiglu_vjp)
def swiglu_column(x: Array, u: Array, v: Array, dy: Array) -> object:
    """One unit's column is negated."""
    dx, du, dv = swiglu_vjp(x, u, v, dy)
    dv[:, 1] *= -1
    return dx, du, dv


def coupling(x: Array, w: Array) -> object:
    """Affine coupling: output and log-determinant."""
    a, b = x[:, :2], x[:, 2:]
    s = np.tanh(a @ w)
    return np.concatenate([a, b * np.exp(s)], axis=1), s.sum(1)


def coupling_vjp(x: Array, w: Array, dy: tuple[Array, Array]) -> Grads:
    a, b = x[:, :2], x[:, 2:]
    s = np.tanh(a @ w)
    ds = (dy[0][:, 2:] * b * np.exp(s) + dy[1][:, None]) * (1 - s * s)
    return np.concatenate([dy[0][:, :2] + ds @ w.T, dy[0][:, 2:] * np.exp(s)], axis=1), a.T @ ds


COUPLING = (normal(4, 5), normal(2, 3))


@wrong(coupling, COUPLING, "missing_term", "[1]", right=coupling_vjp)
def coupling_without_determinant(x: Array, w: Array, dy: tuple[Array, Array]) -> object:
    """The log-determinant's cotangent is dropped."""
    return coupling_vjp(x, w, dy)[0], coupling_vjp(x, w, (dy[0], 0 * dy[1]))[1]


@wrong(coupling, COUPLING, "zero_gradient", "[1]", right=coupling_vjp)
def coupling_scale_detached(x: Array, w: Array, dy: tuple[Array, Array]) -> object:
    """The scale network is not trained."""
    return coupling_vjp(x, w, dy)[0], np.zeros_like(w)


def rbf(x: Array, c: Array, width: Array) -> object:
    return np.exp(-((x[:, None] - c) ** 2).sum(-1) / (2 * width**2))


def rbf_vjp(x: Array, c: Array, width: Array, dy: Array) -> Grads:
    d = x[:, None] - c
    q = (d * d).sum(-1)
    g = dy * np.exp(-q / (2 * width**2))
    e = g[..., None] * d / (width**2)[:, None]
    return -e.sum(1), e.sum(0), (g * q / width**3).sum(0)


RBF = (normal(5, 2), normal(3, 2), uniform(3))


@wrong(rbf, RBF, "sign_flip", "[0]", right=rbf_vjp)
def rbf_input_sign(x: Array, c: Array, width: Array, dy: Array) -> object:
    """x - c for c - x."""
    dx, dc, dw = rbf_vjp(x, c, width, dy)
    return -dx, dc, dw


@wrong(rbf, RBF, "missing_term", "[2]", right=rbf_vjp)
def rbf_width_power(x: Array, c: Array, width: Array, dy: Array) -> object:
    """width squared for width cubed."""
    dx, dc, dw = rbf_vjp(x, c, width, dy)
    return dx, dc, dw * width


@wrong(rbf, RBF, "constant_factor", "[1]", right=rbf_vjp)
def rbf_half(x: Array, c: Array, width: Array, dy: Array) -> object:
    """The exponent's one half is not cancelled."""
    dx, dc, dw = rbf_vjp(x, c, width, dy)
    return dx, dc / 2, dw


def contrastive(a: Array, b: Array) -> object:
    s = a @ b.T / 0.3
    return (np.logaddexp.reduce(s, axis=1) - np.diagonal(s)).mean()


def contrastive_vjp(a: Array, b: Array, dy: Array) -> Grads:
    s = a @ b.T / 0.3
    p = np.exp(s - np.logaddexp.reduce(s, axis=1)[:, None])
    p[np.diag_indices(len(a))] -= 1
    p *= dy / (0.3 * len(a))
    return p @ b, p.T @ a


CONTRAST = (normal(4, 3), normal(4, 3, seed=1))


@wrong(contrastive, CONTRAST, "constant_factor", "[0]", "[1]", right=contrastive_vjp)
def contrastive_temperature(a: Array, b: Array, dy: Array) -> object:
    """The temperature is missing."""
    da, db = contrastive_vjp(a, b, dy)
    return 0.3 * da, 0.3 * db


@wrong(contrastive, CONTRAST, "missing_term", "[0]", right=contrastive_vjp)
def contrastive_positive_forgotten(a: Array, b: Array, dy: Array) -> object:
    """The positive pair's pull is missing."""
    da, db = contrastive_vjp(a, b, dy)
    return da + b * (dy / (0.3 * len(a))), db


@wrong(contrastive, CONTRAST, "missing_term", "[1]", right=contrastive_vjp)
def contrastive_not_transposed(a: Array, b: Array, dy: Array) -> object:
    """p for p.T in the second gradient."""
    s = a @ b.T / 0.3
    p = np.exp(s - np.logaddexp.reduce(s, axis=1)[:, None])
    p[np.diag_indices(len(a))] -= 1
    return contrastive_vjp(a, b, dy)[0], p @ a * (dy / (0.3 * len(a)))


def dilated(x: Array, w: Array) -> object:
    """(N, L, C) with (K, C, O), dilation 2, causal."""
    k = w.shape[0]
    z = np.pad(x, ((0, 0), (2 * (k - 1), 0), (0, 0)))
    return sum(z[:, 2 * j : 2 * j + x.shape[1]] @ w[j] for j in range(k))


def dilated_vjp(x: Array, w: Array, dy: Array) -> Grads:
    k, n = w.shape[0], x.shape[1]
    z, dw = np.pad(x, ((0, 0), (2 * (k - 1), 0), (0, 0))), np.zeros_like(w)
    dz = np.zeros_like(z)
    for j in range(k):
        dw[j] = np.einsum("nlc,nlo->co", z[:, 2 * j : 2 * j + n], dy)
        dz[:, 2 * j : 2 * j + n] += dy @ w[j].T
    return dz[:, 2 * (k - 1) :], dw


DILATED = (normal(2, 7, 2), normal(3, 2, 3))


@wrong(dilated, DILATED, "shifted", "[0]", right=dilated_vjp)
def dilated_cut_one_late(x: Array, w: Array, dy: Array) -> object:
    """The padding is cut one short."""
    dx, dw = dilated_vjp(x, w, dy)
    return np.concatenate([np.zeros_like(dx[:, :1]), dx[:, :-1]], axis=1), dw


@wrong(dilated, DILATED, "permuted", "[1]", right=dilated_vjp)
def dilated_taps(x: Array, w: Array, dy: Array) -> object:
    """The taps are numbered from the other end."""
    dx, dw = dilated_vjp(x, w, dy)
    return dx, dw[::-1].copy()


@wrong(dilated, DILATED, "channel", "[0]", right=dilated_vjp)
def dilated_channel(x: Array, w: Array, dy: Array) -> object:
    """The second channel is lost."""
    dx, dw = dilated_vjp(x, w, dy)
    dx = dx.copy()
    dx[..., 1] = 0
    return dx, dw


def transposed_conv(x: Array, w: Array) -> object:
    """(N, C, L) with (C, O, K), stride 2."""
    n, _, length = x.shape
    k = w.shape[2]
    y = np.zeros((n, w.shape[1], 2 * (length - 1) + k), x.dtype)
    for i in range(length):
        y[:, :, 2 * i : 2 * i + k] += np.einsum("nc,cok->nok", x[:, :, i], w)
    return y


def transposed_conv_vjp(x: Array, w: Array, dy: Array) -> Grads:
    k = w.shape[2]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i in range(x.shape[2]):
        part = dy[:, :, 2 * i : 2 * i + k]
        dx[:, :, i] = np.einsum("nok,cok->nc", part, w)
        dw += np.einsum("nok,nc->cok", part, x[:, :, i])
    return dx, dw


TRANSPOSED = (normal(2, 2, 4), normal(2, 3, 3))


@wrong(transposed_conv, TRANSPOSED, "border", "[0]", right=transposed_conv_vjp)
def transposed_conv_edges(x: Array, w: Array, dy: Array) -> object:
    """The two ends are skipped."""
    dx, dw = transposed_conv_vjp(x, w, dy)
    dx[:, :, 0] = dx[:, :, -1] = 0
    return dx, dw


@wrong(transposed_conv, TRANSPOSED, "missing_batch_sum", "[1]", right=transposed_conv_vjp)
def transposed_conv_first_example(x: Array, w: Array, dy: Array) -> object:
    """The kernel's gradient of the first example."""
    return transposed_conv_vjp(x, w, dy)[0], transposed_conv_vjp(x[:1], w, dy[:1])[1]


def top_two(x: Array) -> object:
    """Mean of the two largest along the last axis."""
    return np.sort(x, axis=-1)[..., -2:].mean(-1)


def top_two_vjp(x: Array, dy: Array) -> Grads:
    rank = np.argsort(np.argsort(x, axis=-1), axis=-1)
    return ((rank >= x.shape[-1] - 2) * dy[..., None] / 2,)


@wrong(top_two, (normal(3, 6),), "region", "[0]", right=top_two_vjp)
def top_two_everyone(x: Array, dy: Array) -> object:
    """All entries share the gradient."""
    return (np.ones_like(x) * dy[..., None] / 2,)


@wrong(top_two, (normal(3, 6),), "region", "[0]", right=top_two_vjp)
def top_two_only_first(x: Array, dy: Array) -> object:
    """Only the largest receives it."""
    return ((x == x.max(-1, keepdims=True)) * dy[..., None] / 2,)


@wrong(top_two, (normal(3, 6),), "constant_factor", "[0]", right=top_two_vjp)
def top_two_sum(x: Array, dy: Array) -> object:
    """The mean's one half is missing."""
    return (2 * top_two_vjp(x, dy)[0],)


def response_norm(x: Array) -> object:
    """Across all channels: x / (1 + mean x^2)^0.75."""
    return x / (1 + (x * x).mean(-1, keepdims=True)) ** 0.75


def response_norm_vjp(x: Array, dy: Array) -> Grads:
    d = 1 + (x * x).mean(-1, keepdims=True)
    return (dy / d**0.75 - 1.5 * x * (dy * x).mean(-1, keepdims=True) / d**1.75,)


@wrong(response_norm, (normal(4, 5),), "missing_term", "[0]", right=response_norm_vjp)
def response_norm_neighbours(x: Array, dy: Array) -> object:
    """The neighbours in the denominator are constants."""
    return (dy / (1 + (x * x).mean(-1, keepdims=True)) ** 0.75,)


@wrong(response_norm, (normal(5, 5),), "wrong_axis", "[0]", right=response_norm_vjp)
def response_norm_axis(x: Array, dy: Array) -> object:
    """The correction's mean runs over the batch."""
    d = 1 + (x * x).mean(-1, keepdims=True)
    return (dy / d**0.75 - 1.5 * x * (dy * x).mean(0, keepdims=True) / d**1.75,)


def smooth_root(x: Array) -> object:
    return np.sqrt(x + 1e-2)


def smooth_root_vjp(x: Array, dy: Array) -> Grads:
    return (dy / (2 * np.sqrt(x + 1e-2)),)


@wrong(smooth_root, (uniform(3, 4, low=0.05, high=2),), "eps_mismatch", "[0]", right=smooth_root_vjp)
def smooth_root_plain(x: Array, dy: Array) -> object:
    """1/(2 sqrt x)."""
    return (dy / (2 * np.sqrt(x)),)


@wrong(smooth_root, (uniform(3, 4, low=0.05, high=2),), "missing_term", "[0]", right=smooth_root_vjp)
def smooth_root_not_inverted(x: Array, dy: Array) -> object:
    """sqrt for 1/sqrt."""
    return (dy * np.sqrt(x + 1e-2) / 2,)


def adam_like(g: Array, v: Array) -> object:
    return g / (np.sqrt(v) + 1e-2)


def adam_like_vjp(g: Array, v: Array, dy: Array) -> Grads:
    r = np.sqrt(v)
    return dy / (r + 1e-2), -dy * g / (2 * r * (r + 1e-2) ** 2)


@wrong(adam_like, (normal(6), uniform(6, low=0.05, high=1)), "eps_mismatch", "[0]", right=adam_like_vjp)
def adam_like_without_eps(g: Array, v: Array, dy: Array) -> object:
    """The epsilon is missing."""
    return dy / np.sqrt(v), adam_like_vjp(g, v, dy)[1]


def discounted(r: Array, gamma: Array) -> object:
    """Discounted sum of a sequence (batch, time)."""
    y = np.zeros_like(r[:, 0])
    for t in range(r.shape[1] - 1, -1, -1):
        y = r[:, t] + gamma * y
    return y


def discounted_vjp(r: Array, gamma: Array, dy: Array) -> Grads:
    n = r.shape[1]
    tails = [np.zeros_like(r[:, 0])]
    for t in range(n - 1, -1, -1):
        tails.append(r[:, t] + gamma * tails[-1])
    powers = gamma ** np.arange(n)
    dgamma = sum((dy * gamma**t * tails[n - 1 - t]).sum() for t in range(n))
    return (dy[:, None] * powers).astype(r.dtype), np.asarray(dgamma)


DISCOUNT = (normal(3, 5), np.array(0.8))


@wrong(discounted, DISCOUNT, "time", "[0]", right=discounted_vjp)
def discounted_first_reward(r: Array, gamma: Array, dy: Array) -> object:
    """Only the first reward has a gradient."""
    d = np.zeros_like(r)
    d[:, 0] = dy
    return d, discounted_vjp(r, gamma, dy)[1]


@wrong(discounted, DISCOUNT, "permuted", "[0]", right=discounted_vjp)
def discounted_backwards(r: Array, gamma: Array, dy: Array) -> object:
    """The powers run the wrong way."""
    dr, dg = discounted_vjp(r, gamma, dy)
    return dr[:, ::-1], dg


def minimal_gru(x: Array, wz: Array, wh: Array) -> object:
    """A gated unit with all states returned, (batch, time, features)."""
    h, out = np.zeros_like(x[:, 0] @ wz), []
    for t in range(x.shape[1]):
        z = sig(x[:, t] @ wz)
        h = (1 - z) * h + z * np.tanh(x[:, t] @ wh)
        out.append(h)
    return np.stack(out, 1)


def minimal_gru_pull(x: Array, wz: Array, wh: Array, dy: Array, carry: bool = True) -> tuple[Array, Array, Array]:
    hs = np.asarray(minimal_gru(x, wz, wh))
    dx, dwz, dwh, g = np.zeros_like(x), np.zeros_like(wz), np.zeros_like(wh), np.zeros_like(hs[:, 0])
    for t in range(x.shape[1] - 1, -1, -1):
        g = g + dy[:, t]
        z, n = sig(x[:, t] @ wz), np.tanh(x[:, t] @ wh)
        before = hs[:, t - 1] if t else np.zeros_like(n)
        dz, dn = g * (n - before) * z * (1 - z), g * z * (1 - n * n)
        dx[:, t] = dz @ wz.T + dn @ wh.T
        dwz += x[:, t].T @ dz
        dwh += x[:, t].T @ dn
        g = g * (1 - z) if carry else 0 * g
    return dx, dwz, dwh


def minimal_gru_vjp(x: Array, wz: Array, wh: Array, dy: Array) -> Grads:
    return minimal_gru_pull(x, wz, wh, dy)


GRU = (normal(2, 4, 3), normal(3, 2), normal(3, 2, seed=1))


@wrong(minimal_gru, GRU, "time", "[2]", right=minimal_gru_vjp)
def minimal_gru_no_carry(x: Array, wz: Array, wh: Array, dy: Array) -> object:
    """The state's cotangent is not carried back."""
    dx, dwz, _ = minimal_gru_vjp(x, wz, wh, dy)
    return dx, dwz, minimal_gru_pull(x, wz, wh, dy, carry=False)[2]


@wrong(minimal_gru, GRU, "swapped_leaf", "[1]", "[2]", right=minimal_gru_vjp)
def minimal_gru_weights(x: Array, wz: Array, wh: Array, dy: Array) -> object:
    """Gate and candidate weights exchanged."""
    dx, dwz, dwh = minimal_gru_vjp(x, wz, wh, dy)
    return dx, dwh, dwz


def covariance(x: Array) -> object:
    c = x - x.mean(0)
    return c.T @ c / (len(x) - 1)


def covariance_vjp(x: Array, dy: Array) -> Grads:
    d = (x - x.mean(0)) @ (dy + dy.T) / (len(x) - 1)
    return (d - d.mean(0),)


@wrong(covariance, (normal(6, 3),), "missing_term", "[0]", right=covariance_vjp)
def covariance_one_sided(x: Array, dy: Array) -> object:
    """2 dy for dy + dy.T."""
    d = 2 * (x - x.mean(0)) @ dy / (len(x) - 1)
    return (d - d.mean(0),)


@wrong(covariance, (normal(6, 3),), "constant_factor", "[0]", right=covariance_vjp)
def covariance_biased(x: Array, dy: Array) -> object:
    """n for n - 1."""
    return (covariance_vjp(x, dy)[0] * (len(x) - 1) / len(x),)


def masked_nll(x: Array, t: IntArray, keep: IntArray) -> object:
    z = np.logaddexp.reduce(x, axis=1) - x[np.arange(len(x)), t]
    return (z * keep.astype(x.dtype)).sum() / keep.sum().astype(x.dtype)


def masked_nll_vjp(x: Array, t: IntArray, keep: IntArray, dy: Array) -> tuple[Array, None, None]:
    p = np.exp(x - np.logaddexp.reduce(x, axis=1)[:, None])
    p[np.arange(len(x)), t] -= 1
    return (p * (keep / keep.sum())[:, None] * dy).astype(x.dtype), None, None


NLL = (normal(7, 3), integers(7, below=3), np.array([1, 0, 1, 1, 0, 1, 0]))


@wrong(masked_nll, NLL, "region", "[0]", right=masked_nll_vjp)
def masked_nll_padding(x: Array, t: IntArray, keep: IntArray, dy: Array) -> object:
    """Padding receives a gradient."""
    p = np.exp(x - np.logaddexp.reduce(x, axis=1)[:, None])
    p[np.arange(len(x)), t] -= 1
    return (p * dy / keep.sum()).astype(x.dtype), None, None


@wrong(masked_nll, NLL, "constant_factor", "[0]", right=masked_nll_vjp)
def masked_nll_by_batch(x: Array, t: IntArray, keep: IntArray, dy: Array) -> object:
    """Divided by the batch, not by the number that counts."""
    return (masked_nll_vjp(x, t, keep, dy)[0] * keep.sum() / len(x)).astype(x.dtype), None, None


def gaussian_cdf_like(x: Array) -> object:
    return np.tanh(0.8 * x + 0.035 * x**3)


def gaussian_cdf_like_vjp(x: Array, dy: Array) -> Grads:
    return (dy * (1 - np.tanh(0.8 * x + 0.035 * x**3) ** 2) * (0.8 + 0.105 * x * x),)


@wrong(gaussian_cdf_like, (normal(12),), "approximation", "[0]", right=gaussian_cdf_like_vjp)
def density_for_derivative(x: Array, dy: Array) -> object:
    """The normal density, which the formula only approximates."""
    return (dy * 0.7979 * np.exp(-0.5 * x * x),)


@wrong(gaussian_cdf_like, (normal(12),), "approximation", "[0]", right=gaussian_cdf_like_vjp)
def table_for_derivative(x: Array, dy: Array) -> object:
    """The derivative is interpolated from a table."""
    grid = np.linspace(-4, 4, 33)
    d = (1 - np.tanh(0.8 * grid + 0.035 * grid**3) ** 2) * (0.8 + 0.105 * grid * grid)
    return ((dy * np.interp(x.astype(float), grid, d)).astype(x.dtype),)


@wrong(gaussian_cdf_like, (normal(12),), "single_entry", "[0]", right=gaussian_cdf_like_vjp)
def entry_guarded(x: Array, dy: Array) -> object:
    """The entry of largest size is zeroed as an outlier."""
    d = gaussian_cdf_like_vjp(x, dy)[0]
    d[abs(x).argmax()] = 0
    return (d,)
