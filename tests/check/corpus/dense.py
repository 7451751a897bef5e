"""Mistakes in dense layers, perceptrons and matrix products."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from funcnn.typing import Array
from tests.check.corpus.entry import Grads, normal, uniform, wrong


def dense(x: Array, w: Array, b: Array) -> object:
    return x @ w + b


def dense_vjp(x: Array, w: Array, b: Array, dy: Array) -> Grads:
    return dy @ w.T, x.T @ dy, dy.sum(0)


DENSE = (normal(5, 3), normal(3, 4), normal(4))
SQUARE = (normal(4, 4, seed=1), normal(4, 4, seed=2), normal(4))


@wrong(dense, DENSE, "constant_factor", "[1]", right=dense_vjp)
def dense_weight_divided_by_batch(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The weight's gradient is a mean over the batch where the sum is due."""
    return dy @ w.T, x.T @ dy / len(x), dy.sum(0)


@wrong(dense, DENSE, "constant_factor", "[2]", right=dense_vjp)
def dense_bias_mean(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The bias's gradient is ``dy.mean(0)``."""
    return dy @ w.T, x.T @ dy, dy.mean(0)


@wrong(dense, DENSE, "missing_batch_sum", "[2]", right=dense_vjp)
def dense_bias_first_row(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The bias's gradient is that of the first example only."""
    return dy @ w.T, x.T @ dy, dy[0].copy()


@wrong(dense, DENSE, "missing_batch_sum", "[1]", right=dense_vjp)
def dense_weight_last_example(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The loop over the batch assigns where it should add, so that the last example wins."""
    dw = np.zeros_like(w)
    for one, done in zip(x, dy, strict=True):
        dw = np.outer(one, done)
    return dy @ w.T, dw, dy.sum(0)


@wrong(dense, SQUARE, "transpose", "[1]", right=dense_vjp)
def dense_weight_transposed(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The weight's gradient is ``dy.T @ x``, which fits a square weight."""
    return dy @ w.T, dy.T @ x, dy.sum(0)


@wrong(dense, SQUARE, "transpose", "[0]", right=dense_vjp)
def dense_input_by_weight(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The input's gradient multiplies by the weight where its transpose is due."""
    return dy @ w, x.T @ dy, dy.sum(0)


@wrong(dense, SQUARE, "wrong_axis", "[2]", right=dense_vjp)
def dense_bias_wrong_axis(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The bias's gradient sums over the features where it should sum over the batch."""
    return dy @ w.T, x.T @ dy, dy.sum(1)


@wrong(dense, DENSE, "row_or_column", "[1]", right=dense_vjp)
def dense_weight_loop_too_short(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The loop over input features ends one too early: the last row stays zero."""
    dw = np.zeros_like(w)
    for i in range(w.shape[0] - 1):
        dw[i] = x[:, i] @ dy
    return dy @ w.T, dw, dy.sum(0)


@wrong(dense, DENSE, "single_entry", "[1]", right=dense_vjp)
def dense_weight_one_entry(x: Array, w: Array, b: Array, dy: Array) -> object:
    """One entry of the weight's gradient is overwritten by a leftover of debugging."""
    dw = x.T @ dy
    dw[1, 2] += dy.sum() * 1e-3
    return dy @ w.T, dw, dy.sum(0)


@wrong(dense, DENSE, "single_entry", "[2]", right=dense_vjp)
def dense_bias_off_by_one(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The loop over the bias starts at one."""
    db = np.zeros_like(b)
    for k in range(1, len(b)):
        db[k] = dy[:, k].sum()
    return dy @ w.T, x.T @ dy, db


@wrong(dense, DENSE, "zero_gradient", "[0]", right=dense_vjp)
def dense_input_forgotten(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The input's gradient was allocated and never filled."""
    return np.zeros_like(x), x.T @ dy, dy.sum(0)


@wrong(dense, DENSE, "shape", "[2]", right=dense_vjp)
def dense_bias_keeps_dims(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The bias's gradient has a batch axis of one."""
    return dy @ w.T, x.T @ dy, dy.sum(0, keepdims=True)


@wrong(dense, DENSE, "shape", "[2]", right=dense_vjp)
def dense_bias_not_summed(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The bias's gradient was not summed over the batch at all."""
    return dy @ w.T, x.T @ dy, 1.0 * dy


@wrong(dense, DENSE, "row_or_column", "[0]", right=dense_vjp)
def dense_input_first_example_twice(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The first example's gradient is counted twice."""
    dx = dy @ w.T
    dx[0] *= 2
    return dx, x.T @ dy, dy.sum(0)


def mlp(x: Array, w1: Array, b1: Array, w2: Array, b2: Array) -> object:
    return np.tanh(x @ w1 + b1) @ w2 + b2


def mlp_vjp(x: Array, w1: Array, b1: Array, w2: Array, b2: Array, dy: Array) -> Grads:
    h = np.tanh(x @ w1 + b1)
    da = (dy @ w2.T) * (1 - h * h)
    return da @ w1.T, x.T @ da, da.sum(0), h.T @ dy, dy.sum(0)


MLP = (normal(4, 3), normal(3, 5), normal(5), normal(5, 2), normal(2))
MLP_SQUARE = (normal(5, 3), normal(3, 3), normal(3), normal(3, 3, seed=3), normal(3, seed=3))


@wrong(mlp, MLP, "missing_term", "[0]", "[1]", "[2]", right=mlp_vjp)
def mlp_activation_forgotten(x: Array, w1: Array, b1: Array, w2: Array, b2: Array, dy: Array) -> object:
    """The hidden layer's derivative is left out of the chain."""
    h = np.tanh(x @ w1 + b1)
    da = dy @ w2.T
    return da @ w1.T, x.T @ da, da.sum(0), h.T @ dy, dy.sum(0)


@wrong(mlp, MLP, "missing_term", "[3]", right=mlp_vjp)
def mlp_output_weight_before_activation(x: Array, w1: Array, b1: Array, w2: Array, b2: Array, dy: Array) -> object:
    """The second weight's gradient uses the hidden values before the activation."""
    a = x @ w1 + b1
    h = np.tanh(a)
    da = (dy @ w2.T) * (1 - h * h)
    return da @ w1.T, x.T @ da, da.sum(0), a.T @ dy, dy.sum(0)


@wrong(mlp, MLP_SQUARE, "swapped_leaf", "[1]", "[3]", right=mlp_vjp)
def mlp_weights_swapped(x: Array, w1: Array, b1: Array, w2: Array, b2: Array, dy: Array) -> object:
    """The two square weights' gradients are returned in each other's place."""
    dx, dw1, db1, dw2, db2 = mlp_vjp(x, w1, b1, w2, b2, dy)
    return dx, dw2, db1, dw1, db2


@wrong(mlp, MLP, "missing_term", "[1]", right=mlp_vjp)
def mlp_weight_decay_left_in(x: Array, w1: Array, b1: Array, w2: Array, b2: Array, dy: Array) -> object:
    """The first weight's gradient still holds the weight decay of an earlier loss."""
    dx, dw1, db1, dw2, db2 = mlp_vjp(x, w1, b1, w2, b2, dy)
    return dx, dw1 + 0.01 * w1 * dy.sum(), db1, dw2, db2


class Head(NamedTuple):
    weight: Array
    bias: Array


def heads(params: dict[str, Head], x: Array) -> object:
    return x @ params["left"].weight + params["left"].bias, np.tanh(x @ params["right"].weight + params["right"].bias)


def heads_vjp(params: dict[str, Head], x: Array, dy: tuple[Array, Array]) -> tuple[dict[str, Head], Array]:
    left, right = params["left"], params["right"]
    y = np.tanh(x @ right.weight + right.bias)
    da = dy[1] * (1 - y * y)
    dleft, dright = Head(x.T @ dy[0], dy[0].sum(0)), Head(x.T @ da, da.sum(0))
    return {"left": dleft, "right": dright}, dy[0] @ left.weight.T + da @ right.weight.T


HEADS = (
    {"left": Head(normal(3, 2), normal(2)), "right": Head(normal(3, 2, seed=1), normal(2, seed=1))},
    normal(4, 3),
)


@wrong(heads, HEADS, "sign_flip", "[0]['right'].bias", right=heads_vjp)
def heads_bias_sign(params: dict[str, Head], x: Array, dy: tuple[Array, Array]) -> object:
    """The second head's bias is subtracted in the backward pass."""
    grads, dx = heads_vjp(params, x, dy)
    return {"left": grads["left"], "right": Head(grads["right"].weight, -grads["right"].bias)}, dx


@wrong(heads, HEADS, "missing_term", "[1]", right=heads_vjp)
def heads_input_one_branch(params: dict[str, Head], x: Array, dy: tuple[Array, Array]) -> object:
    """The input's gradient collects one of the two heads only."""
    return heads_vjp(params, x, dy)[0], dy[0] @ params["left"].weight.T


@wrong(heads, HEADS, "swapped_leaf", "[0]['left'].bias", "[0]['right'].bias", right=heads_vjp)
def heads_biases_swapped(params: dict[str, Head], x: Array, dy: tuple[Array, Array]) -> object:
    """The heads' biases receive each other's gradient."""
    grads, dx = heads_vjp(params, x, dy)
    left, right = grads["left"], grads["right"]
    return {"left": Head(left.weight, right.bias), "right": Head(right.weight, left.bias)}, dx


@wrong(heads, HEADS, "structure", "[0]", right=heads_vjp)
def heads_missing_key(params: dict[str, Head], x: Array, dy: tuple[Array, Array]) -> object:
    """The frozen head is left out of the gradient's dict."""
    grads, dx = heads_vjp(params, x, dy)
    return {"left": grads["left"]}, dx


@wrong(heads, HEADS, "structure", "[0]['left']", right=heads_vjp)
def heads_list_for_record(params: dict[str, Head], x: Array, dy: tuple[Array, Array]) -> object:
    """One head's gradient is a list where the record is due."""
    grads, dx = heads_vjp(params, x, dy)
    return {"left": list(grads["left"]), "right": grads["right"]}, dx


def autoencoder(x: Array, w: Array) -> object:
    return np.tanh(x @ w) @ w.T


def autoencoder_vjp(x: Array, w: Array, dy: Array) -> Grads:
    h = np.tanh(x @ w)
    da = (dy @ w) * (1 - h * h)
    return da @ w.T, x.T @ da + dy.T @ h


@wrong(autoencoder, (normal(4, 5), normal(5, 2)), "missing_term", "[1]", right=autoencoder_vjp)
def tied_weight_one_use(x: Array, w: Array, dy: Array) -> object:
    """The tied weight is used twice; the gradient counts the encoder only."""
    h = np.tanh(x @ w)
    da = (dy @ w) * (1 - h * h)
    return da @ w.T, x.T @ da


def residual(x: Array, w: Array) -> object:
    return x + np.tanh(x) @ w


def residual_vjp(x: Array, w: Array, dy: Array) -> Grads:
    h = np.tanh(x)
    return dy + (dy @ w.T) * (1 - h * h), h.T @ dy


@wrong(residual, (normal(3, 4), normal(4, 4)), "missing_term", "[0]", right=residual_vjp)
def residual_skip_forgotten(x: Array, w: Array, dy: Array) -> object:
    """The skip connection's own gradient is missing."""
    h = np.tanh(x)
    return (dy @ w.T) * (1 - h * h), h.T @ dy


def product(a: Array, b: Array) -> object:
    return a @ b


def product_vjp(a: Array, b: Array, dy: Array) -> Grads:
    return dy @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ dy


@wrong(product, (normal(2, 3, 3), normal(2, 3, 3, seed=1)), "transpose", "[1]", right=product_vjp)
def product_not_transposed(a: Array, b: Array, dy: Array) -> object:
    """The second factor's gradient is ``a @ dy`` where ``a.T @ dy`` is due."""
    return dy @ b.swapaxes(-1, -2), a @ dy


@wrong(product, (normal(3, 3), normal(3, 3, seed=1)), "transpose", "[0]", right=product_vjp)
def product_gradient_transposed(a: Array, b: Array, dy: Array) -> object:
    """The first factor's gradient comes out transposed: ``b @ dy.T``."""
    return b @ dy.T, a.T @ dy


def bilinear(x: Array, w: Array, z: Array) -> object:
    return np.einsum("bi,oij,bj->bo", x, w, z)


def bilinear_vjp(x: Array, w: Array, z: Array, dy: Array) -> Grads:
    return (
        np.einsum("bo,oij,bj->bi", dy, w, z),
        np.einsum("bo,bi,bj->oij", dy, x, z),
        np.einsum("bo,oij,bi->bj", dy, w, x),
    )


BILINEAR = (normal(4, 3), normal(2, 3, 3), normal(4, 3, seed=1))


@wrong(bilinear, BILINEAR, "transpose", "[1]", right=bilinear_vjp)
def bilinear_weight_axes_exchanged(x: Array, w: Array, z: Array, dy: Array) -> object:
    """The two vectors change places in the weight's gradient."""
    dx, _, dz = bilinear_vjp(x, w, z, dy)
    return dx, np.einsum("bo,bi,bj->oij", dy, z, x), dz


@wrong(bilinear, BILINEAR, "swapped_leaf", "[0]", "[2]", right=bilinear_vjp)
def bilinear_vectors_swapped(x: Array, w: Array, z: Array, dy: Array) -> object:
    """The two vectors' gradients are returned in each other's place."""
    dx, dw, dz = bilinear_vjp(x, w, z, dy)
    return dz, dw, dx


def scale(x: Array, s: Array) -> object:
    return x * s


def scale_vjp(x: Array, s: Array, dy: Array) -> Grads:
    return dy * s, (dy * x).sum(0, keepdims=True)


@wrong(scale, (normal(4, 3), uniform(1, 3)), "missing_batch_sum", "[1]", right=scale_vjp)
def scale_broadcast_not_summed(x: Array, s: Array, dy: Array) -> object:
    """The broadcast factor's gradient takes the first example instead of the sum."""
    return dy * s, (dy * x)[:1].copy()


@wrong(scale, (normal(4, 3), uniform(1, 3)), "zero_gradient", "[1]", right=scale_vjp)
def scale_treated_as_constant(x: Array, s: Array, dy: Array) -> object:
    """The factor is learned, but its gradient is returned as zeros."""
    return dy * s, np.zeros_like(s)


def lora(x: Array, w: Array, a: Array, b: Array) -> object:
    return x @ w + 8 / 3 * (x @ a @ b)


def lora_vjp(x: Array, w: Array, a: Array, b: Array, dy: Array) -> Grads:
    dlow = 8 / 3 * dy
    return dy @ w.T + dlow @ b.T @ a.T, x.T @ dy, x.T @ (dlow @ b.T), (x @ a).T @ dlow


LORA = (normal(5, 4), normal(4, 2), normal(4, 3), normal(3, 2))


@wrong(lora, LORA, "constant_factor", "[2]", right=lora_vjp)
def lora_scale_forgotten(x: Array, w: Array, a: Array, b: Array, dy: Array) -> object:
    """The low-rank branch's scale alpha/rank is missing in one factor."""
    dx, dw, _, db = lora_vjp(x, w, a, b, dy)
    return dx, dw, x.T @ (dy @ b.T), db


def highway(x: Array, gate: Array, h: Array) -> object:
    t = 1 / (1 + np.exp(-gate))
    return t * h + (1 - t) * x


def highway_vjp(x: Array, gate: Array, h: Array, dy: Array) -> Grads:
    t = 1 / (1 + np.exp(-gate))
    return dy * (1 - t), dy * (h - x) * t * (1 - t), dy * t


HIGHWAY = (normal(3, 4), normal(3, 4, seed=1), normal(3, 4, seed=2))


@wrong(highway, HIGHWAY, "missing_term", "[1]", right=highway_vjp)
def highway_gate_forgets_carry(x: Array, gate: Array, h: Array, dy: Array) -> object:
    """The gate's gradient forgets that 1 - t multiplies the input."""
    t = 1 / (1 + np.exp(-gate))
    return dy * (1 - t), dy * h * t * (1 - t), dy * t


@wrong(highway, HIGHWAY, "swapped_leaf", "[0]", "[2]", right=highway_vjp)
def highway_branches_exchanged(x: Array, gate: Array, h: Array, dy: Array) -> object:
    """t and 1 - t change places."""
    t = 1 / (1 + np.exp(-gate))
    return dy * t, dy * (h - x) * t * (1 - t), dy * (1 - t)


def ridge(w: Array, x: Array, y: Array) -> object:
    return ((x @ w - y) ** 2).mean() + 0.1 * (w * w).sum()


def ridge_vjp(w: Array, x: Array, y: Array, dy: Array) -> Grads:
    r = 2 * (x @ w - y) * dy / len(x)
    return x.T @ r + 0.2 * dy * w, np.outer(r, w), -r


RIDGE = (normal(3), normal(6, 3), normal(6))


@wrong(ridge, RIDGE, "missing_term", "[0]", right=ridge_vjp)
def ridge_penalty_forgotten(w: Array, x: Array, y: Array, dy: Array) -> object:
    """The penalty's own gradient is left out."""
    dw, dx, dt = ridge_vjp(w, x, y, dy)
    return dw - 0.2 * dy * w, dx, dt


@wrong(ridge, RIDGE, "missing_term", "[0]", right=ridge_vjp)
def ridge_penalty_without_two(w: Array, x: Array, y: Array, dy: Array) -> object:
    """The penalty's gradient is lambda w where 2 lambda w is due."""
    dw, dx, dt = ridge_vjp(w, x, y, dy)
    return dw - 0.1 * dy * w, dx, dt


@wrong(ridge, RIDGE, "sign_flip", "[2]", right=ridge_vjp)
def ridge_target_sign(w: Array, x: Array, y: Array, dy: Array) -> object:
    """The target enters with a minus that its gradient forgets."""
    dw, dx, dt = ridge_vjp(w, x, y, dy)
    return dw, dx, -dt


def similarity(a: Array, b: Array) -> object:
    return (a @ b.T) / math.sqrt(a.shape[1])


def similarity_vjp(a: Array, b: Array, dy: Array) -> Grads:
    s = 1 / math.sqrt(a.shape[1])
    return dy @ b * s, dy.T @ a * s


@wrong(similarity, (normal(3, 5), normal(4, 5)), "constant_factor", "[1]", right=similarity_vjp)
def similarity_divided_twice(a: Array, b: Array, dy: Array) -> object:
    """The scores' scale is applied twice to one side."""
    da, db = similarity_vjp(a, b, dy)
    return da, db / math.sqrt(a.shape[1])


def centre_distance(x: Array, c: Array) -> object:
    return ((x[:, None, :] - c[None, :, :]) ** 2).sum(-1)


def centre_distance_vjp(x: Array, c: Array, dy: Array) -> Grads:
    d = 2 * dy[:, :, None] * (x[:, None, :] - c[None, :, :])
    return d.sum(1), -d.sum(0)


@wrong(centre_distance, (normal(4, 2), normal(4, 2, seed=1)), "wrong_axis", "[0]", right=centre_distance_vjp)
def centre_distance_axis(x: Array, c: Array, dy: Array) -> object:
    """The points' gradient sums the pairs over the points instead of the centres."""
    d = 2 * dy[:, :, None] * (x[:, None, :] - c[None, :, :])
    return d.sum(0), -d.sum(0)


@wrong(centre_distance, (normal(4, 2), normal(3, 2)), "sign_flip", "[1]", right=centre_distance_vjp)
def centre_distance_sign(x: Array, c: Array, dy: Array) -> object:
    """Points and centres have gradients of opposite sign; here of the same."""
    d = 2 * dy[:, :, None] * (x[:, None, :] - c[None, :, :])
    return d.sum(1), d.sum(0)


def outer_sum(a: Array, b: Array) -> object:
    return np.tanh(2 * a[:, None] + b[None, :])


def outer_sum_vjp(a: Array, b: Array, dy: Array) -> Grads:
    d = dy * (1 - np.tanh(2 * a[:, None] + b[None, :]) ** 2)
    return 2 * d.sum(1), d.sum(0)


@wrong(outer_sum, (normal(5), normal(5, seed=1)), "wrong_axis", "[0]", right=outer_sum_vjp)
def outer_sum_axis(a: Array, b: Array, dy: Array) -> object:
    """The broadcast sum of the first vector is undone over the wrong axis."""
    d = dy * (1 - np.tanh(2 * a[:, None] + b[None, :]) ** 2)
    return 2 * d.sum(0), d.sum(0)
