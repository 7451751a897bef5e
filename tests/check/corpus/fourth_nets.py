"""A fourth lot of mistakes, written without a look at the others: the layers and losses of a first course."""

from __future__ import annotations

import attrs
import numpy as np

from funcnn.typing import Array, BoolArray, IntArray
from tests.check.corpus.entry import Grads, integers, normal, uniform, wrong


@attrs.frozen(eq=False)
class Affine:
    """The parameters of a layer."""

    weight: Array
    bias: Array


def perceptron(x: Array, layer: Affine) -> object:
    return np.tanh(x @ layer.weight + layer.bias)


def perceptron_vjp(x: Array, layer: Affine, dy: Array) -> tuple[Array, Affine]:
    y = np.tanh(x @ layer.weight + layer.bias)
    dz = dy * (1 - y * y)
    return dz @ layer.weight.T, Affine(x.T @ dz, dz.sum(0))


PERCEPTRON = (normal(5, 3), Affine(normal(3, 4), normal(4)))
SQUARE = (normal(4, 4, seed=8), Affine(normal(4, 4, seed=9), normal(4)))


@wrong(perceptron, PERCEPTRON, "missing_batch_sum", "[1].bias", right=perceptron_vjp)
def perceptron_last_example(x: Array, layer: Affine, dy: Array) -> object:
    """The bias hears of the last example only."""
    dx, d = perceptron_vjp(x, layer, dy)
    y = np.tanh(x @ layer.weight + layer.bias)
    return dx, Affine(d.weight, (dy * (1 - y * y))[-1])


@wrong(perceptron, SQUARE, "wrong_axis", "[1].bias", right=perceptron_vjp)
def perceptron_bias_axis(x: Array, layer: Affine, dy: Array) -> object:
    """The bias' gradient is summed over features; batch and features have the same length."""
    dx, d = perceptron_vjp(x, layer, dy)
    y = np.tanh(x @ layer.weight + layer.bias)
    return dx, Affine(d.weight, (dy * (1 - y * y)).sum(1))


@wrong(perceptron, SQUARE, "transpose", "[1].weight", right=perceptron_vjp)
def perceptron_weight_transposed(x: Array, layer: Affine, dy: Array) -> object:
    """dz'x for x'dz."""
    dx, d = perceptron_vjp(x, layer, dy)
    return dx, Affine(d.weight.T.copy(), d.bias)


@wrong(perceptron, PERCEPTRON, "zero_gradient", "[1].bias", right=perceptron_vjp)
def perceptron_frozen_bias(x: Array, layer: Affine, dy: Array) -> object:
    """The bias was forgotten."""
    dx, d = perceptron_vjp(x, layer, dy)
    return dx, Affine(d.weight, np.zeros_like(layer.bias))


@wrong(perceptron, PERCEPTRON, "row_or_column", "[1].weight", right=perceptron_vjp)
def perceptron_last_unit(x: Array, layer: Affine, dy: Array) -> object:
    """A loop over units that ends one too early."""
    dx, d = perceptron_vjp(x, layer, dy)
    d.weight[:, -1] = 0
    return dx, d


@wrong(perceptron, PERCEPTRON, "single_entry", "[1].weight", right=perceptron_vjp)
def perceptron_one_weight(x: Array, layer: Affine, dy: Array) -> object:
    """One weight is half a percent off."""
    dx, d = perceptron_vjp(x, layer, dy)
    d.weight[2, 1] *= 1.005
    return dx, d


@wrong(perceptron, PERCEPTRON, "missing_term", "[0]", "[1].weight", "[1].bias", right=perceptron_vjp)
def perceptron_linear(x: Array, layer: Affine, dy: Array) -> object:
    """The derivative of tanh is left out."""
    return dy @ layer.weight.T, Affine(x.T @ dy, dy.sum(0))


@wrong(perceptron, PERCEPTRON, "constant_factor", "[1].weight", "[1].bias", right=perceptron_vjp)
def perceptron_averaged(x: Array, layer: Affine, dy: Array) -> object:
    """Averaged over the batch although the function is not."""
    dx, d = perceptron_vjp(x, layer, dy)
    return dx, Affine(d.weight / len(x), d.bias / len(x))


@wrong(perceptron, PERCEPTRON, "structure", "[1]", right=perceptron_vjp)
def perceptron_as_tuple(x: Array, layer: Affine, dy: Array) -> object:
    """The parameters' gradient is a tuple, not the class."""
    dx, d = perceptron_vjp(x, layer, dy)
    return dx, (d.weight, d.bias)


@wrong(perceptron, PERCEPTRON, "shape", "[1].bias", right=perceptron_vjp)
def perceptron_keepdims(x: Array, layer: Affine, dy: Array) -> object:
    """keepdims leaves an axis that the bias does not have."""
    dx, d = perceptron_vjp(x, layer, dy)
    return dx, Affine(d.weight, d.bias[None])


# ----------------------------------------------------------------------------------------------------------------- two layers


def two_layers(p: dict[str, Array], x: Array) -> object:
    h = np.maximum(x @ p["w1"] + p["b1"], 0)
    return h @ p["w2"] + p["b2"]


def two_layers_vjp(p: dict[str, Array], x: Array, dy: Array) -> tuple[dict[str, Array], Array]:
    z = x @ p["w1"] + p["b1"]
    h = np.maximum(z, 0)
    dz = (dy @ p["w2"].T) * (z > 0)
    return {"w1": x.T @ dz, "b1": dz.sum(0), "w2": h.T @ dy, "b2": dy.sum(0)}, dz @ p["w1"].T


TWO = ({"w1": normal(3, 4), "b1": normal(4), "w2": normal(4, 4), "b2": normal(4, seed=1)}, normal(6, 3))


@wrong(two_layers, TWO, "swapped_leaf", "[0]['b1']", "[0]['b2']", right=two_layers_vjp)
def two_layers_biases(p: dict[str, Array], x: Array, dy: Array) -> object:
    """The biases' gradients are stored under each other's names."""
    d, dx = two_layers_vjp(p, x, dy)
    d["b1"], d["b2"] = d["b2"], d["b1"]
    return d, dx


@wrong(two_layers, TWO, "transpose", "[0]['w2']", right=two_layers_vjp)
def two_layers_second(p: dict[str, Array], x: Array, dy: Array) -> object:
    """dy'h for h'dy in the square second layer."""
    d, dx = two_layers_vjp(p, x, dy)
    h = np.maximum(x @ p["w1"] + p["b1"], 0)
    return d | {"w2": dy.T @ h}, dx


@wrong(two_layers, TWO, "structure", "[0]", right=two_layers_vjp)
def two_layers_lost_bias(p: dict[str, Array], x: Array, dy: Array) -> object:
    """A key is missing."""
    d, dx = two_layers_vjp(p, x, dy)
    del d["b1"]
    return d, dx


@wrong(two_layers, TWO, "nonlinear_in_dy", "[0]['w1']", "[0]['b1']", "[1]", right=two_layers_vjp)
def two_layers_mask(p: dict[str, Array], x: Array, dy: Array) -> object:
    """The mask is taken of the cotangent, not of the input."""
    h = np.maximum(x @ p["w1"] + p["b1"], 0)
    dz = dy @ p["w2"].T
    dz = dz * (dz > 0)
    return {"w1": x.T @ dz, "b1": dz.sum(0), "w2": h.T @ dy, "b2": dy.sum(0)}, dz @ p["w1"].T


@wrong(two_layers, TWO, "region", "[1]", right=two_layers_vjp)
def two_layers_negative(p: dict[str, Array], x: Array, dy: Array) -> object:
    """Somebody masked the input's gradient by the input."""
    d, dx = two_layers_vjp(p, x, dy)
    return d, dx * (x > 0)


# --------------------------------------------------------------------------------------------------------------- convolution


def conv1d(x: Array, w: Array, b: Array) -> object:
    """Valid: (batch, time, channels) with (taps, channels, filters)."""
    length = x.shape[1] - len(w) + 1
    return sum(x[:, k : k + length] @ w[k] for k in range(len(w))) + b


def conv1d_vjp(x: Array, w: Array, b: Array, dy: Array) -> Grads:
    length = dy.shape[1]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for k in range(len(w)):
        dx[:, k : k + length] += dy @ w[k].T
        dw[k] = np.einsum("btc,btd->cd", x[:, k : k + length], dy)
    return dx, dw, dy.sum((0, 1))


CONV1 = (normal(2, 7, 3), normal(3, 3, 4), normal(4))


@wrong(conv1d, CONV1, "shifted", "[0]", right=conv1d_vjp)
def conv1d_one_step_late(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The input's gradient starts one step late."""
    dx, dw, db = conv1d_vjp(x, w, b, dy)
    late = np.zeros_like(dx)
    late[:, 1:] = dx[:, :-1]
    return late, dw, db


@wrong(conv1d, CONV1, "permuted", "[1]", right=conv1d_vjp)
def conv1d_reversed(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The taps are in reverse, as for a true convolution."""
    dx, dw, db = conv1d_vjp(x, w, b, dy)
    return dx, dw[::-1].copy(), db


@wrong(conv1d, CONV1, "missing_batch_sum", "[2]", right=conv1d_vjp)
def conv1d_first_example(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The bias hears of the first sequence only."""
    dx, dw, _ = conv1d_vjp(x, w, b, dy)
    return dx, dw, dy[0].sum(0)


@wrong(conv1d, CONV1, "channel", "[1]", right=conv1d_vjp)
def conv1d_filter(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The last filter counts twice."""
    dx, dw, db = conv1d_vjp(x, w, b, dy)
    dw[:, :, -1] *= 2
    return dx, dw, db


def conv2d(x: Array, w: Array) -> object:
    """Same padding, stride one: (batch, height, width, channels) with (3, 3, channels, filters)."""
    p = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    h, v = x.shape[1:3]
    return sum(p[:, i : i + h, j : j + v] @ w[i, j] for i in range(3) for j in range(3))


def conv2d_vjp(x: Array, w: Array, dy: Array) -> Grads:
    p = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    dp, dw = np.zeros_like(p), np.zeros_like(w)
    h, v = x.shape[1:3]
    for i in range(3):
        for j in range(3):
            dp[:, i : i + h, j : j + v] += dy @ w[i, j].T
            dw[i, j] = np.einsum("bhwc,bhwd->cd", p[:, i : i + h, j : j + v], dy)
    return dp[:, 1:-1, 1:-1].copy(), dw


CONV2 = (normal(2, 5, 6, 2), normal(3, 3, 2, 3))


@wrong(conv2d, CONV2, "shifted", "[0]", right=conv2d_vjp)
def conv2d_crop(x: Array, w: Array, dy: Array) -> object:
    """The padding is cropped on one side only."""
    p = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    dp = np.zeros_like(p)
    h, v = x.shape[1:3]
    for i in range(3):
        for j in range(3):
            dp[:, i : i + h, j : j + v] += dy @ w[i, j].T
    return dp[:, 2:, 1:-1].copy(), conv2d_vjp(x, w, dy)[1]


@wrong(conv2d, CONV2, "border", "[0]", right=conv2d_vjp)
def conv2d_no_border(x: Array, w: Array, dy: Array) -> object:
    """The outermost pixels get no gradient."""
    dx, dw = conv2d_vjp(x, w, dy)
    dx[:, [0, -1]] = 0
    dx[:, :, [0, -1]] = 0
    return dx, dw


@wrong(conv2d, CONV2, "channel", "[0]", right=conv2d_vjp)
def conv2d_input_channel(x: Array, w: Array, dy: Array) -> object:
    """The second input channel takes the first one's kernel."""
    dx, dw = conv2d_vjp(x, w, dy)
    dx[..., 1] = dx[..., 0]
    return dx, dw


@wrong(conv2d, CONV2, "transpose", "[1]", right=conv2d_vjp)
def conv2d_kernel_transposed(x: Array, w: Array, dy: Array) -> object:
    """Rows and columns of the kernel are exchanged."""
    dx, dw = conv2d_vjp(x, w, dy)
    return dx, dw.transpose(1, 0, 2, 3).copy()


@wrong(conv2d, CONV2, "single_entry", "[1]", right=conv2d_vjp)
def conv2d_centre(x: Array, w: Array, dy: Array) -> object:
    """The centre of one kernel is left out."""
    dx, dw = conv2d_vjp(x, w, dy)
    dw[1, 1, 0, 2] = 0
    return dx, dw


def average_pool(x: Array) -> object:
    """Windows of three, along time."""
    b, t, c = x.shape
    return x.reshape(b, t // 3, 3, c).mean(2)


def average_pool_vjp(x: Array, dy: Array) -> Grads:
    return (np.repeat(dy, 3, axis=1) / 3,)


@wrong(average_pool, (normal(2, 9, 4),), "constant_factor", "[0]", right=average_pool_vjp)
def average_pool_sum(x: Array, dy: Array) -> object:
    """Each entry gets the whole gradient, not a third."""
    return (np.repeat(dy, 3, axis=1),)


@wrong(average_pool, (normal(2, 9, 4),), "permuted", "[0]", right=average_pool_vjp)
def average_pool_tiled(x: Array, dy: Array) -> object:
    """Tiled for repeated."""
    return (np.tile(dy, (1, 3, 1)) / 3,)


def max_pool(x: Array) -> object:
    b, t, c = x.shape
    return x.reshape(b, t // 2, 2, c).max(2)


def max_pool_vjp(x: Array, dy: Array) -> Grads:
    b, t, c = x.shape
    w = x.reshape(b, t // 2, 2, c)
    first = w[:, :, 0] >= w[:, :, 1]
    return (np.stack([dy * first, dy * ~first], 2).reshape(x.shape),)


@wrong(max_pool, (normal(2, 6, 3, seed=4),), "region", "[0]", right=max_pool_vjp)
def max_pool_everywhere(x: Array, dy: Array) -> object:
    """The whole window gets the gradient."""
    return (np.repeat(dy, 2, axis=1),)


# ------------------------------------------------------------------------------------------------------------- normalization


def layer_norm(x: Array, gamma: Array, beta: Array) -> object:
    c = x - x.mean(-1, keepdims=True)
    return gamma * c / np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5) + beta


def layer_norm_back(x: Array, gamma: Array, dy: Array, eps: float) -> Grads:
    c = x - x.mean(-1, keepdims=True)
    s = np.sqrt((c * c).mean(-1, keepdims=True) + eps)
    n, d = c / s, dy * gamma
    dx = (d - d.mean(-1, keepdims=True) - n * (d * n).mean(-1, keepdims=True)) / s
    return dx, (dy * n).sum(0), dy.sum(0)


def layer_norm_vjp(x: Array, gamma: Array, beta: Array, dy: Array) -> Grads:
    return layer_norm_back(x, gamma, dy, 1e-5)


NORM = (normal(4, 6), uniform(6), normal(6))


@wrong(layer_norm, NORM, "swapped_leaf", "[1]", "[2]", right=layer_norm_vjp)
def layer_norm_swapped(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """Gain and offset exchanged."""
    dx, dgamma, dbeta = layer_norm_vjp(x, gamma, beta, dy)
    return dx, dbeta, dgamma


@wrong(layer_norm, NORM, "eps_mismatch", "[0]", "[1]", right=layer_norm_vjp)
def layer_norm_eps(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """Another epsilon in backward."""
    return layer_norm_back(x, gamma, dy, 1e-3)


@wrong(layer_norm, NORM, "missing_term", "[0]", right=layer_norm_vjp)
def layer_norm_no_projection(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """The derivative of the standard deviation is left out."""
    c = x - x.mean(-1, keepdims=True)
    s = np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5)
    d = dy * gamma
    _, dgamma, dbeta = layer_norm_vjp(x, gamma, beta, dy)
    return (d - d.mean(-1, keepdims=True)) / s, dgamma, dbeta


@wrong(layer_norm, (normal(6, 6), *NORM[1:]), "wrong_axis", "[0]", right=layer_norm_vjp)
def layer_norm_batch_mean(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """The mean of the cotangent is taken over the batch."""
    c = x - x.mean(-1, keepdims=True)
    s = np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5)
    n, d = c / s, dy * gamma
    dx = (d - d.mean(0, keepdims=True) - n * (d * n).mean(-1, keepdims=True)) / s
    return dx, (dy * n).sum(0), dy.sum(0)


@wrong(layer_norm, NORM, "missing_batch_sum", "[1]", right=layer_norm_vjp)
def layer_norm_gain_row(x: Array, gamma: Array, beta: Array, dy: Array) -> object:
    """The gain hears of the first example only."""
    c = x - x.mean(-1, keepdims=True)
    n = c / np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5)
    dx, _, dbeta = layer_norm_vjp(x, gamma, beta, dy)
    return dx, (dy * n)[0], dbeta


def rms_norm(x: Array, g: Array) -> object:
    return g * x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)


def rms_norm_back(x: Array, g: Array, dy: Array, eps: float) -> Grads:
    s = np.sqrt((x * x).mean(-1, keepdims=True) + eps)
    n, d = x / s, dy * g
    return (d - n * (d * n).mean(-1, keepdims=True)) / s, (dy * n).sum(0)


def rms_norm_vjp(x: Array, g: Array, dy: Array) -> Grads:
    return rms_norm_back(x, g, dy, 1e-6)


RMS = (0.05 * normal(3, 5), uniform(5))


@wrong(rms_norm, RMS, "eps_mismatch", "[0]", "[1]", right=rms_norm_vjp)
def rms_norm_no_eps(x: Array, g: Array, dy: Array) -> object:
    """The epsilon is left out of backward."""
    return rms_norm_back(x, g, dy, 0.0)


@wrong(rms_norm, RMS, "missing_term", "[0]", right=rms_norm_vjp)
def rms_norm_gain_missing(x: Array, g: Array, dy: Array) -> object:
    """The gain is left out of the input's gradient."""
    return rms_norm_back(x, np.ones_like(g), dy, 1e-6)[0], rms_norm_vjp(x, g, dy)[1]


def batch_norm(x: Array) -> object:
    c = x - x.mean(0)
    return c / np.sqrt((c * c).mean(0) + 1e-5)


def batch_norm_back(x: Array, dy: Array, count: int) -> Grads:
    c = x - x.mean(0)
    s = np.sqrt((c * c).sum(0) / count + 1e-5)
    n = c / s
    return ((dy - dy.mean(0) - n * (dy * n).mean(0)) / s,)


def batch_norm_vjp(x: Array, dy: Array) -> Grads:
    return batch_norm_back(x, dy, len(x))


@wrong(batch_norm, (normal(6, 3),), "eps_mismatch", "[0]", right=batch_norm_vjp)
def batch_norm_unbiased(x: Array, dy: Array) -> object:
    """The variance of backward is divided by n - 1."""
    return batch_norm_back(x, dy, len(x) - 1)


@wrong(batch_norm, (normal(6, 3),), "missing_term", "[0]", right=batch_norm_vjp)
def batch_norm_fixed_mean(x: Array, dy: Array) -> object:
    """The mean is taken for a constant."""
    c = x - x.mean(0)
    s = np.sqrt((c * c).mean(0) + 1e-5)
    n = c / s
    return ((dy - n * (dy * n).mean(0)) / s,)


def instance_norm(x: Array) -> object:
    """(batch, height, width, channels): each channel of each image by itself."""
    c = x - x.mean((1, 2), keepdims=True)
    return c / np.sqrt((c * c).mean((1, 2), keepdims=True) + 1e-5)


def instance_norm_vjp(x: Array, dy: Array) -> Grads:
    c = x - x.mean((1, 2), keepdims=True)
    s = np.sqrt((c * c).mean((1, 2), keepdims=True) + 1e-5)
    n = c / s
    return ((dy - dy.mean((1, 2), keepdims=True) - n * (dy * n).mean((1, 2), keepdims=True)) / s,)


@wrong(instance_norm, (normal(2, 3, 4, 3),), "channel", "[0]", right=instance_norm_vjp)
def instance_norm_channel(x: Array, dy: Array) -> object:
    """One channel is left out."""
    (dx,) = instance_norm_vjp(x, dy)
    dx[..., 1] = 0
    return (dx,)


# --------------------------------------------------------------------------------------------------- softmax, attention, loss


def soft(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    y: Array = e / e.sum(-1, keepdims=True)
    return y


def soft_back(y: Array, dy: Array) -> Array:
    d: Array = y * (dy - (y * dy).sum(-1, keepdims=True))
    return d


def softmax_vjp(x: Array, dy: Array) -> Grads:
    return (soft_back(soft(x), dy),)


@wrong(soft, (normal(4, 4, seed=5),), "wrong_axis", "[0]", right=softmax_vjp)
def softmax_over_batch(x: Array, dy: Array) -> object:
    """The inner product is summed over the batch."""
    y = soft(x)
    return (y * (dy - (y * dy).sum(0)),)


@wrong(soft, (normal(4, 5),), "missing_term", "[0]", right=softmax_vjp)
def softmax_as_sigmoid(x: Array, dy: Array) -> object:
    """y (1 - y) dy: only the diagonal of the Jacobian."""
    y = soft(x)
    return (y * (1 - y) * dy,)


def log_soft(x: Array) -> object:
    m = x.max(-1, keepdims=True)
    return x - m - np.log(np.exp(x - m).sum(-1, keepdims=True))


def log_soft_vjp(x: Array, dy: Array) -> Grads:
    return (dy - soft(x) * dy.sum(-1, keepdims=True),)


@wrong(log_soft, (normal(5, 5, seed=6),), "wrong_axis", "[0]", right=log_soft_vjp)
def log_soft_over_batch(x: Array, dy: Array) -> object:
    """The cotangent is summed over the batch."""
    return (dy - soft(x) * dy.sum(0),)


def cross_entropy(x: Array, t: IntArray) -> object:
    m = x.max(-1, keepdims=True)
    z = np.log(np.exp(x - m).sum(-1)) + m[:, 0]
    return (z - x[np.arange(len(x)), t]).mean()


def cross_entropy_vjp(x: Array, t: IntArray, dy: Array) -> tuple[Array, None]:
    p = soft(x)
    p[np.arange(len(x)), t] -= 1
    return p * dy / len(x), None


LABELLED = (normal(6, 4), integers(6, below=4))


@wrong(cross_entropy, LABELLED, "missing_term", "[0]", right=cross_entropy_vjp)
def cross_entropy_no_label(x: Array, t: IntArray, dy: Array) -> object:
    """The label is not taken off."""
    return soft(x) * dy / len(x), None


@wrong(cross_entropy, LABELLED, "ignores_dy", "[0]", right=cross_entropy_vjp)
def cross_entropy_alone(x: Array, t: IntArray, dy: Array) -> object:
    """The gradient of the loss, whatever comes after it."""
    return cross_entropy_vjp(x, t, np.ones_like(dy))


@wrong(cross_entropy, LABELLED, "constant_factor", "[0]", right=cross_entropy_vjp)
def cross_entropy_not_averaged(x: Array, t: IntArray, dy: Array) -> object:
    """The mean over the batch is forgotten."""
    return cross_entropy_vjp(x, t, dy)[0] * len(x), None


@wrong(cross_entropy, LABELLED, "sign_flip", "[0]", right=cross_entropy_vjp)
def cross_entropy_ascent(x: Array, t: IntArray, dy: Array) -> object:
    """Label less probability."""
    return -cross_entropy_vjp(x, t, dy)[0], None


def attend(q: Array, k: Array, v: Array) -> object:
    return soft(np.einsum("bid,bjd->bij", q, k) / q.shape[-1] ** 0.5) @ v


def attend_vjp(q: Array, k: Array, v: Array, dy: Array) -> Grads:
    c = q.shape[-1] ** -0.5
    a = soft(np.einsum("bid,bjd->bij", q, k) * c)
    ds = soft_back(a, dy @ v.swapaxes(1, 2)) * c
    return ds @ k, ds.swapaxes(1, 2) @ q, a.swapaxes(1, 2) @ dy


QKV = (normal(2, 4, 5), normal(2, 4, 5, seed=1), normal(2, 4, 5, seed=2))


@wrong(attend, QKV, "constant_factor", "[1]", right=attend_vjp)
def attend_unscaled_keys(q: Array, k: Array, v: Array, dy: Array) -> object:
    """1/sqrt(d) is left out of the keys' gradient."""
    dq, dk, dv = attend_vjp(q, k, v, dy)
    return dq, dk * 5**0.5, dv


@wrong(attend, QKV, "swapped_leaf", "[1]", "[2]", right=attend_vjp)
def attend_keys_values(q: Array, k: Array, v: Array, dy: Array) -> object:
    """Keys and values exchanged."""
    dq, dk, dv = attend_vjp(q, k, v, dy)
    return dq, dv, dk


@wrong(attend, QKV, "zero_gradient", "[1]", right=attend_vjp)
def attend_detached_keys(q: Array, k: Array, v: Array, dy: Array) -> object:
    """Keys are detached."""
    dq, _, dv = attend_vjp(q, k, v, dy)
    return dq, 0 * k, dv


@wrong(attend, QKV, "transpose", "[2]", right=attend_vjp)
def attend_weights_transposed(q: Array, k: Array, v: Array, dy: Array) -> object:
    """The attention matrix is not transposed."""
    a = soft(np.einsum("bid,bjd->bij", q, k) / 5**0.5)
    dq, dk, _ = attend_vjp(q, k, v, dy)
    return dq, dk, a @ dy


# --------------------------------------------------------------------------------------------------------------- recurrence


def rnn(x: Array, u: Array, w: Array, h: Array) -> object:
    """All the states: (batch, time, units)."""
    states = []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ u + h @ w)
        states.append(h)
    return np.stack(states, 1)


def rnn_back(x: Array, u: Array, w: Array, h0: Array, dy: Array, *, carry: bool = True, first: int = 0) -> Grads:
    hs = rnn(x, u, w, h0)
    assert isinstance(hs, np.ndarray)
    before = np.concatenate([h0[:, None], hs[:, :-1]], 1)
    dx, du, dw, dh = np.zeros_like(x), np.zeros_like(u), np.zeros_like(w), np.zeros_like(h0)
    for t in range(x.shape[1] - 1, first - 1, -1):
        da = (dy[:, t] + dh) * (1 - hs[:, t] ** 2)
        dx[:, t], du, dw = da @ u.T, du + x[:, t].T @ da, dw + before[:, t].T @ da
        dh = da @ w.T if carry else np.zeros_like(h0)
    return dx, du, dw, dh


def rnn_vjp(x: Array, u: Array, w: Array, h: Array, dy: Array) -> Grads:
    return rnn_back(x, u, w, h, dy)


RNN = (normal(2, 5, 3), normal(3, 4), 0.5 * normal(4, 4), normal(2, 4))


@wrong(rnn, RNN, "time", "[0]", "[1]", "[2]", right=rnn_vjp)
def rnn_nothing_carried(x: Array, u: Array, w: Array, h: Array, dy: Array) -> object:
    """Nothing is carried back through time."""
    dx, du, dw, _ = rnn_back(x, u, w, h, dy, carry=False)
    return dx, du, dw, rnn_vjp(x, u, w, h, dy)[3]


@wrong(rnn, RNN, "zero_gradient", "[3]", right=rnn_vjp)
def rnn_initial_state(x: Array, u: Array, w: Array, h: Array, dy: Array) -> object:
    """The initial state gets nothing."""
    dx, du, dw, dh = rnn_vjp(x, u, w, h, dy)
    return dx, du, dw, np.zeros_like(dh)


@wrong(rnn, RNN, "transpose", "[2]", right=rnn_vjp)
def rnn_recurrent_transposed(x: Array, u: Array, w: Array, h: Array, dy: Array) -> object:
    """The recurrent matrix's gradient is transposed."""
    dx, du, dw, dh = rnn_vjp(x, u, w, h, dy)
    return dx, du, dw.T.copy(), dh


@wrong(rnn, RNN, "time", "[0]", right=rnn_vjp)
def rnn_last_input(x: Array, u: Array, w: Array, h: Array, dy: Array) -> object:
    """Only the last input gets a gradient."""
    dx, du, dw, dh = rnn_vjp(x, u, w, h, dy)
    dx[:, :-1] = 0
    return dx, du, dw, dh


@wrong(rnn, RNN, "time", "[0]", "[1]", "[2]", right=rnn_vjp)
def rnn_loop_stops_early(x: Array, u: Array, w: Array, h: Array, dy: Array) -> object:
    """range(T - 1, 0, -1): the first step is forgotten."""
    dx, du, dw, _ = rnn_back(x, u, w, h, dy, first=1)
    return dx, du, dw, rnn_vjp(x, u, w, h, dy)[3]


def sig(x: Array) -> Array:
    y: Array = 1 / (1 + np.exp(-x))
    return y


def lstm_cell(x: Array, c: Array, wi: Array, wf: Array, wg: Array) -> object:
    """One step without output gate."""
    return sig(x @ wf) * c + sig(x @ wi) * np.tanh(x @ wg)


def lstm_cell_vjp(x: Array, c: Array, wi: Array, wf: Array, wg: Array, dy: Array) -> Grads:
    i, f, g = sig(x @ wi), sig(x @ wf), np.tanh(x @ wg)
    di, df, dg = dy * g * i * (1 - i), dy * c * f * (1 - f), dy * i * (1 - g * g)
    return di @ wi.T + df @ wf.T + dg @ wg.T, dy * f, x.T @ di, x.T @ df, x.T @ dg


CELL = (normal(5, 3), normal(5, 4), normal(3, 4), normal(3, 4, seed=1), normal(3, 4, seed=2))


@wrong(lstm_cell, CELL, "swapped_leaf", "[2]", "[3]", right=lstm_cell_vjp)
def lstm_gates_swapped(x: Array, c: Array, wi: Array, wf: Array, wg: Array, dy: Array) -> object:
    """Input and forget gate exchanged."""
    dx, dc, di, df, dg = lstm_cell_vjp(x, c, wi, wf, wg, dy)
    return dx, dc, df, di, dg


@wrong(lstm_cell, CELL, "missing_term", "[0]", right=lstm_cell_vjp)
def lstm_forget_path(x: Array, c: Array, wi: Array, wf: Array, wg: Array, dy: Array) -> object:
    """The input's way through the forget gate is left out."""
    f = sig(x @ wf)
    dx, *rest = lstm_cell_vjp(x, c, wi, wf, wg, dy)
    return dx - (dy * c * f * (1 - f)) @ wf.T, *rest


def smooth(x: Array, a: Array) -> object:
    """An exponential moving average along time."""
    s, out = np.zeros_like(x[:, 0]), []
    for t in range(x.shape[1]):
        s = a * s + (1 - a) * x[:, t]
        out.append(s)
    return np.stack(out, 1)


def smooth_vjp(x: Array, a: Array, dy: Array) -> Grads:
    s = smooth(x, a)
    assert isinstance(s, np.ndarray)
    dx, ds, da = np.zeros_like(x), np.zeros_like(x[:, 0]), np.zeros_like(a)
    for t in range(x.shape[1] - 1, -1, -1):
        ds = ds + dy[:, t]
        dx[:, t] = (1 - a) * ds
        da = da + (ds * ((s[:, t - 1] if t else 0) - x[:, t])).sum()
        ds = a * ds
    return dx, da


@wrong(smooth, (normal(3, 6), np.array(0.7)), "time", "[0]", right=smooth_vjp)
def smooth_no_memory(x: Array, a: Array, dy: Array) -> object:
    """Each input is credited with its own step only."""
    return (1 - a) * dy, smooth_vjp(x, a, dy)[1]


@wrong(smooth, (normal(3, 6), np.array(0.7)), "zero_gradient", "[1]", right=smooth_vjp)
def smooth_fixed_rate(x: Array, a: Array, dy: Array) -> object:
    """The rate is taken for a constant."""
    return smooth_vjp(x, a, dy)[0], np.zeros_like(a)


# ------------------------------------------------------------------------------------------------------ embedding and dropout


def embed(table: Array, position: Array, words: IntArray) -> object:
    return table[words] + position


def embed_vjp(table: Array, position: Array, words: IntArray, dy: Array) -> tuple[Array, Array, None]:
    d = np.zeros_like(table)
    np.add.at(d, words, dy)
    return d, dy.sum(0), None


TEXT = (normal(6, 3), normal(4, 3), np.array([[0, 1, 2, 3], [4, 0, 1, 5], [2, 2, 0, 3]]))


@wrong(embed, TEXT, "missing_batch_sum", "[1]", right=embed_vjp)
def embed_positions(table: Array, position: Array, words: IntArray, dy: Array) -> object:
    """The positions hear of the first sentence only."""
    return embed_vjp(table, position, words, dy)[0], dy[0].copy(), None


@wrong(embed, TEXT, "row_or_column", "[0]", right=embed_vjp)
def embed_padding(table: Array, position: Array, words: IntArray, dy: Array) -> object:
    """Row 0 is taken for padding, which it is not."""
    d, dp, _ = embed_vjp(table, position, words, dy)
    d[0] = 0
    return d, dp, None


def drop(x: Array, keep: BoolArray) -> object:
    return x * keep / 0.8


@wrong(
    drop,
    (normal(5, 6), np.random.default_rng(1).random((5, 6)) < 0.8),
    "constant_factor",
    "[0]",
    right=lambda x, keep, dy: (dy * keep / 0.8, None),
)
def drop_unscaled(x: Array, keep: BoolArray, dy: Array) -> object:
    """The survivors are not scaled up."""
    return dy * keep, None


@wrong(
    drop,
    (normal(5, 6), np.random.default_rng(1).random((5, 6)) < 0.8),
    "region",
    "[0]",
    right=lambda x, keep, dy: (dy * keep / 0.8, None),
)
def drop_not_dropped(x: Array, keep: BoolArray, dy: Array) -> object:
    """What was dropped gets a gradient."""
    return dy / 0.8 * np.ones_like(x), None
