"""The yardstick ``numpy by hand``: steps of small networks written out, for these sizes and nothing else.

All memory is made beforehand and written over, parameters stand in one vector, and nothing is guarded that these batches leave
unguarded: no logit is large.  What is left is what the calls of NumPy cost.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy import add, divide, exp, greater, log, maximum, multiply, negative, sqrt, subtract, tanh

from tests.benchmarks import jobs
from tests.benchmarks.workload import Arrays

RATE, DECAY_1, DECAY_2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
BLOCK = 1 << 15  # numbers that Adam moves at once: five arrays of them stay in the cache


def number(value: float) -> np.ndarray:
    """Return an operand that costs half of what a Python number does."""
    return np.array(value, np.float32)


class Forward:
    """Dense layers with one activation between them: ``linear`` fills the logits, where the step goes on."""

    def __init__(self, widths: tuple[int, ...], batch: int, activation: str, arrays: Arrays) -> None:
        self.initial = np.concatenate([array.ravel() for array in jobs.parameters(arrays)])
        self.p = self.initial.copy()
        self.shapes = [shape for pair in pairwise(widths) for shape in (pair, pair[1:])]
        parts = views(self.p, self.shapes)
        self.weights, self.biases = parts[::2], parts[1::2]
        self.outputs = [np.zeros((batch, width), np.float32) for width in widths[1:]]
        rows = [bias[None] for bias in self.biases]  # adding like to like is the fastest, where there is one row
        *hidden, self.last = zip(self.weights, rows, self.outputs, strict=True)
        self.hidden = [(*layer, np.zeros_like(layer[2])) for layer in hidden]
        self.relu = activation == "relu"
        self.batches = jobs.batches(arrays)

    def reset(self) -> None:
        self.p[:] = self.initial

    def linear(self, x: Any) -> np.ndarray:
        """Return the logits of a batch."""
        relu = self.relu
        for weight, bias, y, zeros in self.hidden:
            x.dot(weight, y)
            add(y, bias, y)
            if relu:
                maximum(y, zeros, out=y)
            else:
                tanh(y, y)
            x = y
        weight, bias, y = self.last
        x.dot(weight, y)
        add(y, bias, y)
        return y


class Inference(Forward):
    def step(self, x: Any) -> Any:
        return self.linear(x)


class Training(Forward):
    """The step with Adam; the loss is softmax cross-entropy of labels or sigmoid cross-entropy."""

    def __init__(self, widths: tuple[int, ...], batch: int, activation: str, loss: str, arrays: Arrays) -> None:
        super().__init__(widths, batch, activation, arrays)
        self.g, self.m, self.v, scratch = (np.zeros_like(self.p) for _ in range(4))
        grads = views(self.g, self.shapes)
        self.blocks = [
            tuple([array[low : low + BLOCK] for array in (self.p, self.g, self.m, self.v, scratch)])
            for low in range(0, self.p.size, BLOCK)
        ]
        deltas = [np.zeros_like(y) for y in self.outputs]
        self.backwards = [  # of each layer but the first: its input, where the gradients go
            (y, y.T, grads[2 * i + 2], grads[2 * i + 3], self.weights[i + 1].T, deltas[i], zeros, np.zeros(y.shape, bool))
            for i, (_, _, y, zeros) in reversed(list(enumerate(self.hidden)))
        ]
        self.first = grads[:2]
        self.ones, self.columns = np.ones(batch, np.float32), np.ones(widths[-1], np.float32)
        self.starts, self.places = np.arange(batch) * widths[-1], np.zeros(batch, int)
        self.sums, self.other, self.target = (np.zeros(shape, np.float32) for shape in (batch, (batch, 1), (batch, 1)))
        self.one, self.mean, self.rate, self.epsilon = number(1), number(1 / batch), number(0), number(0)
        self.beta_1, self.beta_2 = number(DECAY_1), number(DECAY_2)
        self.score = {"softmax": self.softmax, "sigmoid": self.sigmoid}[loss]

    def reset(self) -> None:
        super().reset()
        self.m[:], self.v[:], self.count = 0, 0, 0

    def softmax(self, z: np.ndarray, t: Any) -> float:
        """Return the loss, and write its gradient over the logits: with s the sum of exp z, log s - z_t and exp z / s - e_t."""
        places, sums, flat = add(self.starts, t, self.places), self.sums, z.reshape(-1)
        at = flat[places]
        exp(z, z)
        z.dot(self.columns, sums)
        divide(z, sums[:, None], z)
        flat[places] -= self.one
        multiply(z, self.mean, z)
        log(sums, sums)
        subtract(sums, at, sums)
        return float(sums.dot(self.ones)) / len(sums)

    def sigmoid(self, z: np.ndarray, t: Any) -> float:
        """Return the loss, and write its gradient over the logits: with s = 1 + exp -z, log s + (1 - t) z and 1 / s - t."""
        one, other, target = self.one, self.other, self.target
        subtract(one, t, target)
        value = target.ravel().dot(z.ravel())
        negative(z, z)
        exp(z, z)
        add(z, one, z)
        log(z, other)
        divide(one, z, z)
        subtract(z, t, z)
        multiply(z, self.mean, z)
        return float(value + other.ravel().dot(self.ones)) / len(z)

    def step(self, x: Any, t: Any) -> float:
        d = self.linear(x)
        value = self.score(d, t)
        ones, one, relu = self.ones, self.one, self.relu
        for y, transposed, dweight, dbias, weight, dy, zeros, mask in self.backwards:
            transposed.dot(d, dweight)
            ones.dot(d, dbias)
            d.dot(weight, dy)
            if relu:
                greater(y, zeros, mask)
                multiply(dy, mask, dy)
            else:
                multiply(y, y, y)
                subtract(one, y, y)
                multiply(dy, y, dy)
            d = dy
        x.T.dot(d, self.first[0])
        ones.dot(d, self.first[1])
        self.adam()
        return value

    def adam(self) -> None:
        """Move the parameters; m and v are sums, so that 1 - beta_1 and 1 - beta_2 are factors of the rate and of epsilon."""
        self.count += 1
        corrected = (1 - DECAY_2**self.count) / (1 - DECAY_2)
        self.rate[()] = RATE * (1 - DECAY_1) / (1 - DECAY_1**self.count) * corrected**0.5
        self.epsilon[()] = EPSILON * corrected**0.5
        beta_1, beta_2, rate, epsilon = self.beta_1, self.beta_2, self.rate, self.epsilon
        for p, g, m, v, scratch in self.blocks:
            multiply(m, beta_1, m)
            add(m, g, m)
            multiply(v, beta_2, v)
            multiply(g, g, scratch)
            add(v, scratch, v)
            sqrt(v, scratch)
            add(scratch, epsilon, scratch)
            divide(m, scratch, scratch)
            multiply(scratch, rate, scratch)
            subtract(p, scratch, p)


def views(vector: np.ndarray, shapes: list[Any]) -> list[np.ndarray]:
    """Return the arrays of these shapes that stand in a vector one after the other."""
    ends = np.cumsum([0, *[int(np.prod(shape)) for shape in shapes]])
    return [vector[low:high].reshape(shape) for (low, high), shape in zip(pairwise(ends), shapes, strict=True)]
