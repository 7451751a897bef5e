"""Mistakes in recurrent networks and other functions of time; (batch, time, features)."""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array
from tests.check.corpus.elementwise import sigmoid_of
from tests.check.corpus.entry import Grads, normal, uniform, wrong


def run_rnn(x: Array, wx: Array, wh: Array, b: Array, h: Array) -> list[Array]:
    states = [h]
    for t in range(x.shape[1]):
        states.append(np.tanh(x[:, t] @ wx + states[-1] @ wh + b))
    return states


def rnn(x: Array, wx: Array, wh: Array, b: Array, h: Array) -> object:
    """All hidden states."""
    return np.stack(run_rnn(x, wx, wh, b, h)[1:], axis=1)


def rnn_pull(
    x: Array, wx: Array, wh: Array, b: Array, h: Array, dy: Array, lags: int = 99, late: int = 0
) -> tuple[Array, Array, Array, Array, Array]:
    """Back-propagation through time; ``lags`` truncates it, ``late`` takes h_t for h_{t-1} in the gradient of wh."""
    states = run_rnn(x, wx, wh, b, h)
    dx, dwx, dwh, db, dh0 = (np.zeros_like(a) for a in (x, wx, wh, b, h))
    for start in range(x.shape[1] - 1, -1, -1):
        dh = dy[:, start]
        for t in range(start, max(-1, start - 1 - lags), -1):
            da = dh * (1 - states[t + 1] ** 2)
            dx[:, t] += da @ wx.T
            dwx += x[:, t].T @ da
            dwh += states[t + late].T @ da
            db += da.sum(0)
            dh = da @ wh.T
            if t == 0:
                dh0 += dh
    return dx, dwx, dwh, db, dh0


def rnn_vjp(x: Array, wx: Array, wh: Array, b: Array, h: Array, dy: Array) -> Grads:
    return rnn_pull(x, wx, wh, b, h, dy)


RNN = (normal(2, 4, 3), normal(3, 2), normal(2, 2) * 0.7, normal(2), normal(2, 2, seed=1))


@wrong(rnn, RNN, "time", "[0]", "[1]", "[2]", "[3]", "[4]", right=rnn_vjp)
def rnn_no_carry(x: Array, wx: Array, wh: Array, b: Array, h: Array, dy: Array) -> object:
    """The gradient does not flow from one step to the one before."""
    dx, dwx, dwh, db, _ = rnn_pull(x, wx, wh, b, h, dy, lags=0)
    da = dy[:, 0] * (1 - np.tanh(x[:, 0] @ wx + h @ wh + b) ** 2)
    return dx, dwx, dwh, db, da @ wh.T


@wrong(rnn, RNN, "time", "[0]", "[1]", "[2]", "[3]", "[4]", right=rnn_vjp)
def rnn_truncated(x: Array, wx: Array, wh: Array, b: Array, h: Array, dy: Array) -> object:
    """Back-propagation through time stops after two steps."""
    return rnn_pull(x, wx, wh, b, h, dy, lags=1)


@wrong(rnn, RNN, "time", "[2]", right=rnn_vjp)
def rnn_recurrent_weight_one_step_off(x: Array, wx: Array, wh: Array, b: Array, h: Array, dy: Array) -> object:
    """The recurrent weight's gradient uses the new state where the previous one is due."""
    dx, dwx, _, db, dh = rnn_pull(x, wx, wh, b, h, dy)
    return dx, dwx, rnn_pull(x, wx, wh, b, h, dy, late=1)[2], db, dh


@wrong(rnn, RNN, "permuted", "[0]", right=rnn_vjp)
def rnn_input_in_reverse(x: Array, wx: Array, wh: Array, b: Array, h: Array, dy: Array) -> object:
    """The input's gradients are appended backward in time and never reversed."""
    dx, dwx, dwh, db, dh = rnn_pull(x, wx, wh, b, h, dy)
    return dx[:, ::-1], dwx, dwh, db, dh


@wrong(rnn, RNN, "zero_gradient", "[4]", right=rnn_vjp)
def rnn_initial_state_constant(x: Array, wx: Array, wh: Array, b: Array, h: Array, dy: Array) -> object:
    """The initial state is an argument but gets no gradient."""
    dx, dwx, dwh, db, _ = rnn_pull(x, wx, wh, b, h, dy)
    return dx, dwx, dwh, db, np.zeros_like(h)


@wrong(rnn, RNN, "transpose", "[2]", right=rnn_vjp)
def rnn_recurrent_weight_transposed(x: Array, wx: Array, wh: Array, b: Array, h: Array, dy: Array) -> object:
    """da and h change places in the outer product."""
    dx, dwx, dwh, db, dh = rnn_pull(x, wx, wh, b, h, dy)
    return dx, dwx, dwh.T.copy(), db, dh


def last_state(x: Array, wx: Array, wh: Array, b: Array) -> object:
    return run_rnn(x, wx, wh, b, np.zeros_like(x[:, 0] @ wx))[-1]


def last_state_vjp(x: Array, wx: Array, wh: Array, b: Array, dy: Array) -> Grads:
    h = np.zeros_like(dy)
    everywhere = np.zeros((*x.shape[:2], dy.shape[1]), dy.dtype)
    everywhere[:, -1] = dy
    return rnn_pull(x, wx, wh, b, h, everywhere)[:4]


LAST = (normal(3, 4, 2), normal(2, 3), normal(3, 3) * 0.6, normal(3))


@wrong(last_state, LAST, "time", "[1]", right=last_state_vjp)
def last_state_input_weight_last_step(x: Array, wx: Array, wh: Array, b: Array, dy: Array) -> object:
    """The input weight's gradient is that of the last step alone."""
    dx, _, dwh, db = last_state_vjp(x, wx, wh, b, dy)
    states = run_rnn(x, wx, wh, b, np.zeros_like(dy))
    return dx, x[:, -1].T @ (dy * (1 - states[-1] ** 2)), dwh, db


@wrong(last_state, LAST, "time", "[2]", right=last_state_vjp)
def last_state_recurrent_weight_last_step(x: Array, wx: Array, wh: Array, b: Array, dy: Array) -> object:
    """The recurrent weight's gradient is that of the last step alone: = where += is due."""
    dx, dwx, _, db = last_state_vjp(x, wx, wh, b, dy)
    states = run_rnn(x, wx, wh, b, np.zeros_like(dy))
    return dx, dwx, states[-2].T @ (dy * (1 - states[-1] ** 2)), db


@wrong(last_state, LAST, "time", "[0]", right=last_state_vjp)
def last_state_input_last_step(x: Array, wx: Array, wh: Array, b: Array, dy: Array) -> object:
    """Only the last input receives a gradient."""
    dx, dwx, dwh, db = last_state_vjp(x, wx, wh, b, dy)
    dx[:, :-1] = 0
    return dx, dwx, dwh, db


@wrong(last_state, LAST, "time", "[3]", right=last_state_vjp)
def last_state_bias_last_step(x: Array, wx: Array, wh: Array, b: Array, dy: Array) -> object:
    """The bias's gradient is that of the last step alone."""
    dx, dwx, dwh, _ = last_state_vjp(x, wx, wh, b, dy)
    states = run_rnn(x, wx, wh, b, np.zeros_like(dy))
    return dx, dwx, dwh, (dy * (1 - states[-1] ** 2)).sum(0)


def average(x: Array, a: Array) -> object:
    """Exponential moving average, y_t = a y_{t-1} + (1 - a) x_t, of (batch, time)."""
    ys = [(1 - a) * x[:, 0]]
    for t in range(1, x.shape[1]):
        ys.append(a * ys[-1] + (1 - a) * x[:, t])
    return np.stack(ys, axis=1)


def average_pull(x: Array, a: Array, dy: Array, carry: bool) -> Grads:
    ys = np.asarray(average(x, a))
    dx, g, da = np.zeros_like(x), np.zeros_like(x[:, 0]), np.zeros_like(a)
    for t in range(x.shape[1] - 1, -1, -1):
        g = dy[:, t] + (a * g if carry else 0)
        dx[:, t] = (1 - a) * g
        da = da + (g * ((ys[:, t - 1] if t else 0) - x[:, t])).sum()
    return dx, np.asarray(da)


def average_vjp(x: Array, a: Array, dy: Array) -> Grads:
    return average_pull(x, a, dy, carry=True)


@wrong(average, (normal(2, 5), np.array(0.6)), "time", "[0]", "[1]", right=average_vjp)
def average_without_carry(x: Array, a: Array, dy: Array) -> object:
    """The recursion of the backward pass is missing."""
    return average_pull(x, a, dy, carry=False)


def cumulate(x: Array) -> object:
    return np.cumsum(x, axis=1)


def cumulate_vjp(x: Array, dy: Array) -> Grads:
    return (np.cumsum(dy[:, ::-1], axis=1)[:, ::-1],)


@wrong(cumulate, (normal(2, 5),), "shifted", "[0]", right=cumulate_vjp)
def cumulate_excludes_itself(x: Array, dy: Array) -> object:
    """The reversed sum is exclusive where it should be inclusive: one step late."""
    return (np.cumsum(dy[:, ::-1], axis=1)[:, ::-1] - dy,)


GATES = (normal(2, 3), normal(2, 2), normal(2, 2, seed=1), normal(5, 8) * 0.6, normal(8) * 0.5)


def lstm_gates(x: Array, h: Array, w: Array, b: Array) -> tuple[Array, Array, Array, Array]:
    i, f, o, g = np.split(np.concatenate([x, h], axis=1) @ w + b, 4, axis=1)
    return sigmoid_of(i), sigmoid_of(f), sigmoid_of(o), np.tanh(g)


def lstm_cell(x: Array, h: Array, c: Array, w: Array, b: Array) -> object:
    i, f, o, g = lstm_gates(x, h, w, b)
    c2 = f * c + i * g
    return o * np.tanh(c2), c2


def lstm_pull(x: Array, h: Array, c: Array, w: Array, b: Array, dy: tuple[Array, Array]) -> tuple[list[Array], Array]:
    """Return the gates' cotangents and that of the cell."""
    i, f, o, g = lstm_gates(x, h, w, b)
    t = np.tanh(f * c + i * g)
    dc = dy[1] + dy[0] * o * (1 - t * t)
    return [dc * g * i * (1 - i), dc * c * f * (1 - f), dy[0] * t * o * (1 - o), dc * i * (1 - g * g)], dc * f


def lstm_finish(x: Array, h: Array, w: Array, gates: list[Array], dc: Array) -> Grads:
    da = np.concatenate(gates, axis=1)
    dz = da @ w.T
    n = x.shape[1]
    return dz[:, :n], dz[:, n:], dc, np.concatenate([x, h], axis=1).T @ da, da.sum(0)


def lstm_cell_vjp(x: Array, h: Array, c: Array, w: Array, b: Array, dy: tuple[Array, Array]) -> Grads:
    gates, dc = lstm_pull(x, h, c, w, b, dy)
    return lstm_finish(x, h, w, gates, dc)


@wrong(lstm_cell, GATES, "permuted", "[3]", right=lstm_cell_vjp)
def lstm_gate_order(x: Array, h: Array, c: Array, w: Array, b: Array, dy: tuple[Array, Array]) -> object:
    """The weight's gradient has input and forget gates in each other's place."""
    gates, dc = lstm_pull(x, h, c, w, b, dy)
    dx, dh, dc, _, db = lstm_finish(x, h, w, gates, dc)
    turned = np.concatenate([gates[1], gates[0], gates[2], gates[3]], axis=1)
    return dx, dh, dc, np.concatenate([x, h], axis=1).T @ turned, db


@wrong(lstm_cell, GATES, "missing_term", "[2]", right=lstm_cell_vjp)
def lstm_cell_path_of_output(x: Array, h: Array, c: Array, w: Array, b: Array, dy: tuple[Array, Array]) -> object:
    """The old cell's gradient counts the next cell, not the output that depends on it."""
    gates, _ = lstm_pull(x, h, c, w, b, dy)
    dx, dh, _, dw, db = lstm_finish(x, h, w, gates, c)
    return dx, dh, dy[1] * lstm_gates(x, h, w, b)[1], dw, db


def gru(x: Array, h: Array, wz: Array, wn: Array) -> object:
    z = sigmoid_of((x + h) @ wz)
    return (1 - z) * np.tanh(x @ wn) + z * h


def gru_vjp(x: Array, h: Array, wz: Array, wn: Array, dy: Array) -> Grads:
    z, n = sigmoid_of((x + h) @ wz), np.tanh(x @ wn)
    dz, dn = dy * (h - n) * z * (1 - z), dy * (1 - z) * (1 - n * n)
    back = dz @ wz.T
    return back + dn @ wn.T, back + dy * z, (x + h).T @ dz, x.T @ dn


GRU = (normal(4, 3), normal(4, 3, seed=1), normal(3, 3), normal(3, 3, seed=1))


@wrong(gru, GRU, "missing_term", "[1]", right=gru_vjp)
def gru_state_through_gate(x: Array, h: Array, wz: Array, wn: Array, dy: Array) -> object:
    """The state's gradient forgets the path through the gate."""
    dx, _, dwz, dwn = gru_vjp(x, h, wz, wn, dy)
    return dx, dy * sigmoid_of((x + h) @ wz), dwz, dwn


@wrong(gru, GRU, "sign_flip", "[2]", right=gru_vjp)
def gru_gate_sign(x: Array, h: Array, wz: Array, wn: Array, dy: Array) -> object:
    """n - h where h - n is due."""
    dx, dh, dwz, dwn = gru_vjp(x, h, wz, wn, dy)
    return dx, dh, -dwz, dwn


def bag(x: Array, w: Array) -> object:
    return np.tanh(x.mean(1) @ w)


def bag_vjp(x: Array, w: Array, dy: Array) -> Grads:
    m = x.mean(1)
    da = dy * (1 - np.tanh(m @ w) ** 2)
    return np.broadcast_to((da @ w.T / x.shape[1])[:, None], x.shape), m.T @ da


@wrong(bag, (normal(3, 5, 2), uniform(2, 4)), "constant_factor", "[0]", right=bag_vjp)
def bag_without_length(x: Array, w: Array, dy: Array) -> object:
    """The mean over time is differentiated as a sum: a factor of T."""
    dx, dw = bag_vjp(x, w, dy)
    return dx * x.shape[1], dw


def value(r: Array, v: Array) -> object:
    """Discounted returns that end in a value, y_t = r_t + 0.9 y_{t+1}, of (time, batch)."""
    ys = [v]
    for t in range(len(r) - 1, -1, -1):
        ys.append(r[t] + 0.9 * ys[-1])
    return np.stack(ys[:0:-1])


def value_vjp(r: Array, v: Array, dy: Array) -> Grads:
    dr, g = np.zeros_like(r), np.zeros_like(v)
    for t in range(len(r)):
        g = dy[t] + 0.9 * g
        dr[t] = g
    return dr, 0.9 * g


@wrong(value, (normal(5, 2), normal(2)), "time", "[1]", right=value_vjp)
def value_last_step_only(r: Array, v: Array, dy: Array) -> object:
    """The final value's gradient counts the last step only, not the earlier ones that it reaches through the discount."""
    return value_vjp(r, v, dy)[0], 0.9 * dy[-1]
