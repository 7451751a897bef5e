"""Small networks, and their curvature as matrices: what every product is compared with."""

from typing import Any

import numpy as np

import funcnn as fn
from funcnn import tree

EVAL = fn.Eval()


class Case:
    """A network with data, and its Gauss-Newton matrix by the definition."""

    def __init__(self, model: Any, loss: Any, x: Any, target: Any, dtype: Any = np.float64) -> None:
        start = model.init(fn.Key(3), x.shape[1:])
        self.model, self.loss, self.x, self.target = model, loss, x, target
        self.params: Any = tree.astype(start.params, dtype)
        self.state = start.state
        self.at = self.params, self.state, x, target

    def ggn_product(self, vector: Any) -> Any:
        return fn.ggn_product(self.model, self.loss)(*self.at, vector, EVAL)

    def hvp(self, vector: Any) -> Any:
        return fn.hvp(self.model, self.loss)(*self.at, vector, EVAL)

    def ggn(self) -> Any:
        """The Gauss-Newton matrix, from the Jacobian and differences of the loss's gradient in the outputs."""
        made = fn.jacobian(self.model)(self.params, self.state, self.x, EVAL)
        output = fn.apply(self.model, self.params, self.state, self.x)
        jacobian = np.concatenate([leaf.reshape(output.size, -1) for leaf in tree.leaves(made)], axis=1)
        curvature = np.empty((output.size, output.size))
        for k in range(output.size):
            step = np.zeros(output.size)
            step[k] = 1e-5
            ends = [self.loss.forward(output + sign * step.reshape(output.shape), self.target) for sign in (1, -1)]
            slopes = [self.loss.backward(one.residuals).ravel() for one in ends]
            curvature[:, k] = (slopes[0] - slopes[1]) / 2e-5
        return jacobian.T @ curvature @ jacobian

    def hessian(self) -> Any:
        return fn.hessian(self.model, self.loss)(*self.at, EVAL)


def flat(values: Any) -> Any:
    return np.concatenate([leaf.ravel() for leaf in tree.leaves(values)])


GENERATOR = np.random.default_rng(5)
X = GENERATOR.normal(size=(7, 3))
LABELS = GENERATOR.integers(0, 3, 7)


def classifier() -> Case:
    return Case(fn.dense(4) >> fn.tanh() >> fn.dense(3), fn.softmax_cross_entropy(), X, LABELS)


def regressor() -> Case:
    target = GENERATOR.normal(size=(7, 2))
    return Case(fn.dense(4) >> fn.tanh() >> fn.dense(2), fn.half_squared_error(), X, target)


def convolutional() -> Case:
    model = fn.conv2d(2, 2) >> fn.tanh() >> fn.flatten() >> fn.linear(3)
    return Case(model, fn.softmax_cross_entropy(), GENERATOR.normal(size=(5, 4, 4, 2)), GENERATOR.integers(0, 3, 5))


def sequence() -> Case:
    model = fn.dense(3) >> fn.layer_norm() >> fn.tanh() >> fn.dense(2) >> fn.global_avg_pool()
    return Case(model, fn.half_squared_error(), GENERATOR.normal(size=(5, 4, 2)), GENERATOR.normal(size=(5, 2)))
