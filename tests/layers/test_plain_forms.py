"""Backwards that write in place, against the formula of their docstring as it stands: one line for each cotangent."""

from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.layer import AnyLayer
from funcnn.typing import Array

EPS = 1e-3


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def pulled(layer: AnyLayer, x: Array, seed: int = 1) -> tuple[Any, Array, Any]:
    """Return parameters, drawn at random, the cotangent of the output, and what backward gives in training."""
    start = layer.init(fn.Key(0), x.shape[1:])
    params = tree.map(lambda leaf: leaf + 0.5 * numbers(*leaf.shape, seed=5), start.params)
    made = layer.forward(params, start.state, x, fn.Train(fn.Key(0)))
    dy = numbers(*made.output.shape, seed=seed)
    return params, dy, layer.backward(params, made.residuals, dy)


def close(ours: Any, theirs: tuple[Array, ...]) -> None:
    leaves = (*tree.leaves(ours.params), ours.input)
    for mine, plain in zip(leaves, theirs, strict=True):
        np.testing.assert_allclose(mine, plain, rtol=1e-11, atol=1e-12)  # rounding of a few dozen terms


def standardized(x: Array, axes: Any) -> tuple[Array, Array]:
    r = 1 / np.sqrt(x.var(axes, keepdims=True) + EPS)
    return (x - x.mean(axes, keepdims=True)) * r, r


def mean_and_projection_removed(g: Array, xhat: Array, axes: Any) -> Array:
    out: Array = g - g.mean(axes, keepdims=True) - xhat * (xhat * g).mean(axes, keepdims=True)
    return out


@pytest.mark.parametrize("shape", [(5, 7), (2, 3, 4)])
def test_layer_norm(shape: tuple[int, ...]) -> None:
    x, rows = numbers(*shape), tuple(range(len(shape) - 1))
    params, dy, ours = pulled(fn.layer_norm(eps=EPS), x)
    xhat, r = standardized(x, -1)
    dx = r * mean_and_projection_removed(params.scale * dy, xhat, -1)
    close(ours, ((dy * xhat).sum(rows), dy.sum(rows), dx))


@pytest.mark.parametrize("shape", [(5, 7), (2, 3, 4)])
def test_rms_norm(shape: tuple[int, ...]) -> None:
    x, rows = numbers(*shape), tuple(range(len(shape) - 1))
    params, dy, ours = pulled(fn.rms_norm(eps=EPS), x)
    r = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + EPS)
    xhat, g = x * r, params.scale * dy
    close(ours, ((dy * xhat).sum(rows), r * (g - xhat * (xhat * g).mean(-1, keepdims=True))))


@pytest.mark.parametrize("shape", [(6, 3), (2, 3, 4, 3)])
def test_batch_norm(shape: tuple[int, ...]) -> None:
    x, rows = numbers(*shape), tuple(range(len(shape) - 1))
    params, dy, ours = pulled(fn.batch_norm(eps=EPS), x)
    xhat, r = standardized(x, rows)
    dx = params.scale * r * mean_and_projection_removed(dy, xhat, rows)
    close(ours, ((dy * xhat).sum(rows), dy.sum(rows), dx))


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_group_norm(groups: int) -> None:
    x = numbers(2, 3, 4, 6)
    params, dy, ours = pulled(fn.group_norm(groups, eps=EPS), x)
    by_group = (2, 12, groups, 6 // groups)
    xhat, r = standardized(x.reshape(by_group), (1, 3))
    dx = r * mean_and_projection_removed((params.scale * dy).reshape(by_group), xhat, (1, 3))
    close(ours, ((dy * xhat.reshape(x.shape)).sum((0, 1, 2)), dy.sum((0, 1, 2)), dx.reshape(x.shape)))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_local_response_norm(size: int) -> None:
    x, alpha, beta, k = numbers(3, 2, 6), 0.3, 0.6, 1.5
    _, dy, ours = pulled(fn.local_response_norm(size, alpha=alpha, beta=beta, k=k), x)
    sees = np.array([[i - size // 2 <= j <= i + (size - 1) // 2 for j in range(6)] for i in range(6)], float)
    s = k + alpha * np.einsum("ij,...j->...i", sees, x * x)
    y = x * s**-beta
    close(ours, (dy * s**-beta - 2 * alpha * beta * x * np.einsum("ij,...i->...j", sees, dy * y / s),))


# --------------------------------------------------------------------------------------------------------------- recurrent


def sigma(z: Array) -> Array:
    out: Array = 1 / (1 + np.exp(-z))
    return out


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_rnn(activation: Any) -> None:
    x, size = numbers(3, 18, 2), 4  # more steps than are derived in one go
    params, dy, ours = pulled(fn.rnn(size, activation=activation), x)
    h: list[Array] = [np.zeros((3, size))]
    for t in range(18):
        z = x[:, t] @ params.input_weight + h[-1] @ params.recurrent_weight + params.bias
        h.append(np.tanh(z) if activation == "tanh" else np.maximum(z, 0))
    dweight, drecurrent, dbias = (np.zeros(leaf.shape) for leaf in tree.leaves(params))
    dx, dh = np.zeros(x.shape), np.zeros((3, size))
    for t in reversed(range(18)):
        dh = dh + dy[:, t]
        dz = dh * (1 - h[t + 1] ** 2 if activation == "tanh" else h[t + 1] > 0)
        dweight, drecurrent, dbias = dweight + x[:, t].T @ dz, drecurrent + h[t].T @ dz, dbias + dz.sum(0)
        dx[:, t], dh = dz @ params.input_weight.T, dz @ params.recurrent_weight.T
    close(ours, (dweight, drecurrent, dbias, dx))


@pytest.mark.parametrize("after", [True, False])
def test_gru(after: bool) -> None:
    x, size = numbers(3, 18, 2), 4
    params, dy, ours = pulled(fn.gru(size, reset_after=after), x)
    ur, uu, un = np.split(params.recurrent_weight, 3, axis=1)
    h: list[Array] = [np.zeros((3, size))]
    kept: list[tuple[Array, ...]] = []
    for t in range(18):
        ar, au, an = np.split(x[:, t] @ params.input_weight + params.bias, 3, axis=1)
        r, u = sigma(ar + h[-1] @ ur), sigma(au + h[-1] @ uu)
        q = h[-1] @ un + params.candidate_bias
        n = np.tanh(an + r * q) if after else np.tanh(an + (r * h[-1]) @ un + params.candidate_bias)
        kept.append((r, u, n, q))
        h.append((1 - u) * n + u * h[-1])
    dweight, drecurrent, dbias, dcandidate = (np.zeros(leaf.shape) for leaf in tree.leaves(params))
    dx, dh = np.zeros(x.shape), np.zeros((3, size))
    for t in reversed(range(18)):
        (r, u, n, q), before = kept[t], h[t]
        dh = dh + dy[:, t]
        dzn = dh * (1 - u) * (1 - n**2)
        dzu = dh * (before - n) * u * (1 - u)
        if after:
            dq, dzr, seen = dzn * r, dzn * q * r * (1 - r), before
            through = dq @ un.T
        else:
            dp = dzn @ un.T
            dq, dzr, seen = dzn, dp * before * r * (1 - r), r * before
            through = dp * r
        dz = np.concatenate([dzr, dzu, dzn], axis=1)
        dweight, dbias, dcandidate = dweight + x[:, t].T @ dz, dbias + dz.sum(0), dcandidate + dq.sum(0)
        drecurrent = drecurrent + np.concatenate([before.T @ dzr, before.T @ dzu, seen.T @ dq], axis=1)
        dx[:, t] = dz @ params.input_weight.T
        dh = dh * u + dzr @ ur.T + dzu @ uu.T + through
    close(ours, (dweight, drecurrent, dbias, dcandidate, dx))


def test_peephole_lstm() -> None:
    x, size = numbers(3, 18, 2), 4
    params, dy, ours = pulled(fn.peephole_lstm(size), x)
    pi, pf, po = params.peepholes
    h: list[Array] = [np.zeros((3, size))]
    c: list[Array] = [np.zeros((3, size))]
    kept: list[tuple[Array, ...]] = []
    for t in range(18):
        zi, zf, zo, zg = np.split(x[:, t] @ params.input_weight + h[-1] @ params.recurrent_weight + params.bias, 4, axis=1)
        i, f, g = sigma(zi + pi * c[-1]), sigma(zf + pf * c[-1]), np.tanh(zg)
        c.append(f * c[-1] + i * g)
        o = sigma(zo + po * c[-1])
        h.append(o * np.tanh(c[-1]))
        kept.append((i, f, o, g))
    dweight, drecurrent, dbias, dpeepholes = (np.zeros(leaf.shape) for leaf in tree.leaves(params))
    dx, dh, dc = np.zeros(x.shape), np.zeros((3, size)), np.zeros((3, size))
    for t in reversed(range(18)):
        (i, f, o, g), top = kept[t], np.tanh(c[t + 1])
        dh = dh + dy[:, t]
        dzo = dh * top * o * (1 - o)
        dc = dc + dh * o * (1 - top**2) + po * dzo
        dzi, dzf, dzg = dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2)
        dz = np.concatenate([dzi, dzf, dzo, dzg], axis=1)
        dweight, drecurrent, dbias = dweight + x[:, t].T @ dz, drecurrent + h[t].T @ dz, dbias + dz.sum(0)
        dpeepholes = dpeepholes + np.stack([(dzi * c[t]).sum(0), (dzf * c[t]).sum(0), (dzo * c[t + 1]).sum(0)])
        dx[:, t], dh = dz @ params.input_weight.T, dz @ params.recurrent_weight.T
        dc = dc * f + pi * dzi + pf * dzf
    close(ours, (dweight, drecurrent, dbias, dpeepholes, dx))
