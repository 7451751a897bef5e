"""Mistakes in normalization layers."""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array
from tests.check.corpus.entry import Grads, normal, uniform, wrong

EPS = 1e-2


def standardize(x: Array, axis: int, eps: float = EPS) -> tuple[Array, Array]:
    centred = x - x.mean(axis, keepdims=True)
    inv = 1 / np.sqrt((centred * centred).mean(axis, keepdims=True) + eps)
    return centred * inv, inv


def standardize_pull(xhat: Array, inv: Array, d: Array, axis: int) -> Array:
    dx: Array = inv * (d - d.mean(axis, keepdims=True) - xhat * (d * xhat).mean(axis, keepdims=True))
    return dx


def layer_norm(x: Array, gamma: Array, beta: Array) -> object:
    return gamma * standardize(x, -1)[0] + beta


def layer_norm_vjp(x: Array, gamma: Array, beta: Array, dy: Array) -> Grads:
    xhat, inv = standardize(x, -1)
    return standardize_pull(xhat, inv, dy * gamma, -1), (dy * xhat).sum(0), dy.sum(0)


LAYER = (normal(3, 5), uniform(5), normal(5))
LAYER_SQUARE = (normal(4, 4), uniform(4), normal(4))


@wrong(layer_norm, LAYER, "missing_term", "[0]", right=layer_norm_vjp)
def layer_norm_without_mean(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """The mean's own gradient is left out."""
    xhat, inv = standardize(x, -1)
    d = dy * gamma
    return inv * (d - xhat * (d * xhat).mean(-1, keepdims=True)), (dy * xhat).sum(0), dy.sum(0)


@wrong(layer_norm, LAYER, "missing_term", "[0]", right=layer_norm_vjp)
def layer_norm_without_variance(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """The variance's own gradient is left out."""
    xhat, inv = standardize(x, -1)
    d = dy * gamma
    return inv * (d - d.mean(-1, keepdims=True)), (dy * xhat).sum(0), dy.sum(0)


@wrong(layer_norm, LAYER, "eps_mismatch", "[0]", right=layer_norm_vjp)
def layer_norm_eps_forgotten(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """The backward pass recomputes the statistics without epsilon."""
    xhat, inv = standardize(x, -1, eps=0)
    return standardize_pull(xhat, inv, dy * gamma, -1), (dy * standardize(x, -1)[0]).sum(0), dy.sum(0)


@wrong(layer_norm, LAYER, "eps_mismatch", "[1]", right=layer_norm_vjp)
def layer_norm_gain_other_eps(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """The gain's gradient uses another default of epsilon."""
    xhat, inv = standardize(x, -1)
    return standardize_pull(xhat, inv, dy * gamma, -1), (dy * standardize(x, -1, eps=1e-3)[0]).sum(0), dy.sum(0)


@wrong(layer_norm, LAYER_SQUARE, "wrong_axis", "[0]", right=layer_norm_vjp)
def layer_norm_means_over_batch(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """The two means of the backward pass run over the batch."""
    xhat, inv = standardize(x, -1)
    d = dy * gamma
    dx = inv * (d - d.mean(0) - xhat * (d * xhat).mean(0))
    return dx, (dy * xhat).sum(0), dy.sum(0)


@wrong(layer_norm, LAYER, "missing_term", "[1]", right=layer_norm_vjp)
def layer_norm_gain_by_input(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """The gain's gradient multiplies by the input, not by the standardized one."""
    xhat, inv = standardize(x, -1)
    return standardize_pull(xhat, inv, dy * gamma, -1), (dy * x).sum(0), dy.sum(0)


@wrong(layer_norm, LAYER, "missing_term", "[0]", right=layer_norm_vjp)
def layer_norm_gain_forgotten(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """The gain does not multiply the cotangent."""
    xhat, inv = standardize(x, -1)
    return standardize_pull(xhat, inv, dy, -1), (dy * xhat).sum(0), dy.sum(0)


@wrong(layer_norm, LAYER, "swapped_leaf", "[1]", "[2]", right=layer_norm_vjp)
def layer_norm_gain_and_shift_swapped(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """Gain and shift receive each other's gradient."""
    dx, dgamma, dbeta = layer_norm_vjp(x, gamma, beta, dy)
    return dx, dbeta, dgamma


def batch_norm(x: Array, gamma: Array, beta: Array) -> object:
    return gamma * standardize(x, 0)[0] + beta


def batch_norm_vjp(x: Array, gamma: Array, beta: Array, dy: Array) -> Grads:
    xhat, inv = standardize(x, 0)
    return standardize_pull(xhat, inv, dy * gamma, 0), (dy * xhat).sum(0), dy.sum(0)


BATCH = (normal(6, 3), uniform(3), normal(3))


@wrong(batch_norm, BATCH, "eps_mismatch", "[0]", right=batch_norm_vjp)
def batch_norm_unbiased_variance(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """The backward pass divides the variance by n - 1."""
    n = len(x)
    centred = x - x.mean(0)
    inv = 1 / np.sqrt((centred * centred).sum(0) / (n - 1) + EPS)
    dx = standardize_pull(centred * inv, inv, dy * gamma, 0)
    return dx, (dy * standardize(x, 0)[0]).sum(0), dy.sum(0)


@wrong(batch_norm, BATCH, "missing_term", "[0]", right=batch_norm_vjp)
def batch_norm_statistics_constant(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """The batch's statistics are treated as constants, as in evaluation."""
    xhat, inv = standardize(x, 0)
    return dy * gamma * inv, (dy * xhat).sum(0), dy.sum(0)


@wrong(batch_norm, BATCH, "missing_term", "[0]", right=batch_norm_vjp)
def batch_norm_gain_forgotten(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """The gain does not multiply the cotangent."""
    xhat, inv = standardize(x, 0)
    return standardize_pull(xhat, inv, dy, 0), (dy * xhat).sum(0), dy.sum(0)


@wrong(batch_norm, BATCH, "missing_batch_sum", "[2]", right=batch_norm_vjp)
def batch_norm_shift_first_example(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """The shift's gradient is that of the first example."""
    dx, dgamma, _ = batch_norm_vjp(x, gamma, beta, dy)
    return dx, dgamma, dy[0].copy()


@wrong(batch_norm, BATCH, "constant_factor", "[1]", right=batch_norm_vjp)
def batch_norm_gain_mean(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """The gain's gradient is a mean over the batch."""
    dx, dgamma, dbeta = batch_norm_vjp(x, gamma, beta, dy)
    return dx, dgamma / len(x), dbeta


@wrong(batch_norm, BATCH, "eps_mismatch", "[0]", right=batch_norm_vjp)
def batch_norm_eps_outside_root(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """The backward pass adds epsilon to the standard deviation, not to the variance."""
    centred = x - x.mean(0)
    inv = 1 / (np.sqrt((centred * centred).mean(0)) + EPS)
    dx = standardize_pull(centred * inv, inv, dy * gamma, 0)
    return dx, (dy * standardize(x, 0)[0]).sum(0), dy.sum(0)


def rms_norm(x: Array, gain: Array) -> object:
    return gain * x / np.sqrt((x * x).mean(-1, keepdims=True) + EPS)


def rms_norm_vjp(x: Array, gain: Array, dy: Array) -> Grads:
    inv = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + EPS)
    d = dy * gain
    return inv * (d - x * inv * inv * (d * x).mean(-1, keepdims=True)), (dy * x * inv).sum((0, 1))


RMS = (normal(2, 3, 4), uniform(4))


@wrong(rms_norm, RMS, "missing_term", "[0]", right=rms_norm_vjp)
def rms_norm_scale_constant(x: Array, gain: Array, dy: Array) -> object:
    """The root mean square is treated as a constant."""
    inv = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + EPS)
    return inv * dy * gain, (dy * x * inv).sum((0, 1))


@wrong(rms_norm, RMS, "missing_term", "[0]", right=rms_norm_vjp)
def rms_norm_sum_for_mean(x: Array, gain: Array, dy: Array) -> object:
    """The projection sums over the features where it should average."""
    inv = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + EPS)
    d = dy * gain
    return inv * (d - x * inv * inv * (d * x).sum(-1, keepdims=True)), (dy * x * inv).sum((0, 1))


@wrong(rms_norm, RMS, "eps_mismatch", "[0]", right=rms_norm_vjp)
def rms_norm_eps_forgotten(x: Array, gain: Array, dy: Array) -> object:
    """Epsilon is missing in the backward pass."""
    inv = 1 / np.sqrt((x * x).mean(-1, keepdims=True))
    d = dy * gain
    dx = inv * (d - x * inv * inv * (d * x).mean(-1, keepdims=True))
    return dx, rms_norm_vjp(x, gain, dy)[1]


def group_norm(x: Array, gamma: Array) -> object:
    n, h, w, c = x.shape
    xhat, _ = standardize(x.reshape(n, h * w, c).transpose(0, 2, 1).reshape(n, 2, -1), -1)
    return gamma * xhat.reshape(n, c, h * w).transpose(0, 2, 1).reshape(x.shape)


def group_norm_vjp(x: Array, gamma: Array, dy: Array) -> Grads:
    n, h, w, c = x.shape

    def split(a: Array) -> Array:
        return a.reshape(n, h * w, c).transpose(0, 2, 1).reshape(n, 2, -1)

    def join(a: Array) -> Array:
        return a.reshape(n, c, h * w).transpose(0, 2, 1).reshape(x.shape)

    xhat, inv = standardize(split(x), -1)
    return join(standardize_pull(xhat, inv, split(dy * gamma), -1)), (dy * join(xhat)).sum((0, 1, 2))


GROUP = (normal(2, 2, 3, 4), uniform(4))


@wrong(group_norm, GROUP, "channel", "[0]", right=group_norm_vjp)
def group_norm_second_group_forgotten(x: Array, gamma: Array, dy: Array) -> object:
    """The loop over groups leaves out the last one: its channels get no gradient."""
    dx, dgamma = group_norm_vjp(x, gamma, dy)
    dx[..., 2:] = 0
    return dx, dgamma


@wrong(group_norm, GROUP, "missing_batch_sum", "[1]", right=group_norm_vjp)
def group_norm_gain_one_image(x: Array, gamma: Array, dy: Array) -> object:
    """The gain's gradient is that of the last image."""
    dx, _ = group_norm_vjp(x, gamma, dy)
    n = len(x)
    split = x.reshape(n, 6, 4).transpose(0, 2, 1).reshape(n, 2, -1)
    xhat = standardize(split, -1)[0].reshape(n, 4, 6).transpose(0, 2, 1).reshape(x.shape)
    return dx, (dy * xhat)[-1].sum((0, 1))


def instance_norm(x: Array) -> object:
    n, c = x.shape[0], x.shape[1]
    return standardize(x.reshape(n, c, -1), -1)[0].reshape(x.shape)


def instance_norm_vjp(x: Array, dy: Array) -> Grads:
    n, c = x.shape[0], x.shape[1]
    xhat, inv = standardize(x.reshape(n, c, -1), -1)
    return (standardize_pull(xhat, inv, dy.reshape(n, c, -1), -1).reshape(x.shape),)


@wrong(instance_norm, (normal(2, 3, 2, 2),), "eps_mismatch", "[0]", right=instance_norm_vjp)
def instance_norm_eps(x: Array, dy: Array) -> object:
    """Epsilon is ten times smaller backward than forward."""
    n, c = x.shape[0], x.shape[1]
    xhat, inv = standardize(x.reshape(n, c, -1), -1, eps=EPS / 10)
    return (standardize_pull(xhat, inv, dy.reshape(n, c, -1), -1).reshape(x.shape),)


def unit_rows(x: Array) -> object:
    return x / np.sqrt((x * x).sum(-1, keepdims=True))


def unit_rows_vjp(x: Array, dy: Array) -> Grads:
    r = np.sqrt((x * x).sum(-1, keepdims=True))
    y = x / r
    return ((dy - y * (dy * y).sum(-1, keepdims=True)) / r,)


@wrong(unit_rows, (normal(4, 3),), "missing_term", "[0]", right=unit_rows_vjp)
def unit_rows_without_projection(x: Array, dy: Array) -> object:
    """The norm is treated as a constant."""
    return (dy / np.sqrt((x * x).sum(-1, keepdims=True)),)


@wrong(unit_rows, (normal(4, 4),), "wrong_axis", "[0]", right=unit_rows_vjp)
def unit_rows_projection_axis(x: Array, dy: Array) -> object:
    """The projection sums over the batch."""
    r = np.sqrt((x * x).sum(-1, keepdims=True))
    y = x / r
    return ((dy - y * (dy * y).sum(0, keepdims=True)) / r,)


def weight_norm(v: Array, g: Array) -> object:
    return g * v / np.sqrt((v * v).sum(0))


def weight_norm_vjp(v: Array, g: Array, dy: Array) -> Grads:
    r = np.sqrt((v * v).sum(0))
    u = v / r
    return g / r * (dy - u * (dy * u).sum(0)), (dy * u).sum(0)


WEIGHT = (normal(4, 3), uniform(3))


@wrong(weight_norm, WEIGHT, "missing_term", "[1]", right=weight_norm_vjp)
def weight_norm_gain_not_normalized(v: Array, g: Array, dy: Array) -> object:
    """The gain's gradient multiplies by v where v / |v| is due."""
    return weight_norm_vjp(v, g, dy)[0], (dy * v).sum(0)


@wrong(weight_norm, WEIGHT, "missing_term", "[0]", right=weight_norm_vjp)
def weight_norm_direction_only(v: Array, g: Array, dy: Array) -> object:
    """The direction's gradient is not projected."""
    return g / np.sqrt((v * v).sum(0)) * dy, weight_norm_vjp(v, g, dy)[1]


def deviation(x: Array) -> object:
    c = x - x.mean(0)
    return np.sqrt((c * c).sum(0) / (len(x) - 1))


def deviation_vjp(x: Array, dy: Array) -> Grads:
    c = x - x.mean(0)
    s = np.sqrt((c * c).sum(0) / (len(x) - 1))
    return (dy * c / s / (len(x) - 1),)


@wrong(deviation, (normal(5, 3),), "constant_factor", "[0]", right=deviation_vjp)
def deviation_biased(x: Array, dy: Array) -> object:
    """n - 1 forward, n backward: the factor is (n - 1) / n."""
    c = x - x.mean(0)
    s = np.sqrt((c * c).sum(0) / (len(x) - 1))
    return (dy * c / s / len(x),)
