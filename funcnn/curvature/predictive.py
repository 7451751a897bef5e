r"""Outputs that are normally distributed: mean and covariance, and probabilities of classes from them.

Indices: $n$ example, $k$ output of an example of $K$.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from attrs import field, frozen

from funcnn.curvature.output_gradients import OutputGradients, run_apart
from funcnn.derivatives.complex_step import parts
from funcnn.layer import Eval, params_only
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
T = TypeVar("T")

_EVAL = Eval()


@frozen(eq=False)
class Predictive:
    """Outputs that are normally distributed."""

    mean: Array = field(repr=False)
    """(n, K), the network's outputs."""
    covariance: Array = field(repr=False)
    """(n, K, K), of the outputs of each example: what the parameters leave open."""
    noise: float
    """The standard deviation of the noise about the outputs; 0 where they are logits."""

    @property
    def deviations(self) -> Array:
        """Return the standard deviations (n, K) of targets: of the outputs, and of the noise."""
        variances = np.diagonal(self.covariance, axis1=1, axis2=2)
        made: Array = np.sqrt(variances + variances.dtype.type(self.noise**2))
        return made


def output_rows(outputs: OutputGradients[P, S, X, T], params: P, state: S, x: X) -> tuple[Array, list[list[Array]]]:
    """Return the outputs, and for each k the gradients of the k-th output of every example: leaves (n, ...)."""
    network = run_apart(outputs.apart, params, state, x, _EVAL)
    output = network.output
    size = int(np.prod(output.shape[1:]))
    rows: list[list[Array]] = []
    for k in range(size):
        unit: Array = np.zeros((len(output), size), output.dtype)
        unit[:, k] = 1
        made = params_only(outputs.apart, params, network.residuals, unit.reshape(output.shape)).params
        rows.append([leaf for leaf in parts(made) if leaf is not None])
    return output, rows


def probit(predictive: Predictive) -> Array:
    r"""Return $\operatorname{softmax}(f / \sqrt{1 + \pi v / 8})$: about the mean probabilities of normal logits."""
    variances = np.diagonal(predictive.covariance, axis1=1, axis2=2)
    logits = predictive.mean / np.sqrt(1 + variances * variances.dtype.type(np.pi / 8))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    made: Array = powers / powers.sum(axis=1, keepdims=True)
    return made
