r"""An estimate of the diagonal of the Gauss-Newton matrix from targets that the network draws itself.

Indices: $n$ example, with the weight $\omega_n$ in the loss, $L = \sum_n \omega_n \ell(y_n, t_n)$: 1/N of a mean, 1 of a sum.

Let $\ell(y, t) = -\log q(t \mid y)$ up to a constant, and $\hat t_n \sim q(\cdot \mid y_n)$.  Then the cotangents
$s_n = \ell_y(y_n, \hat t_n)$ have the mean 0 and the covariance $\ell_{yy}$ (Bartlett's identity, as in
:mod:`funcnn.derivatives.fisher`), and those of different examples are independent.  So one backward for all examples,
$$ \hat g = \sum_n \sqrt{\omega_n}\, J_n^\top s_n, \qquad
   \mathbb{E}\, \hat g \odot \hat g = \operatorname{diag} \Big( \sum_n \omega_n J_n^\top \ell_{yy} J_n \Big) . $$
With $\omega_n = 1/B$ it is the paper's $B\, \nabla \hat L \odot \nabla \hat L$, the gradient of the mean loss at the drawn
targets: the Gauss-Newton-Bartlett estimator (Liu et al. 2023, arXiv:2305.14342, algorithm 2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.derivatives.analytic import is_foreign
from funcnn.derivatives.matrices import one_array
from funcnn.grad import check_loss_gradient
from funcnn.key import Key
from funcnn.layer import Layer, Mode, check_layer, params_only
from funcnn.losses.loss import Loss, check_loss
from funcnn.losses.per_example import PerExampleLosses, per_example_losses
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
T = TypeVar("T")


def _labels(logits: Array, generator: np.random.Generator) -> Any:
    """Draw a label from each row of logits: the largest of the logits plus Gumbel noise."""
    return np.argmax(logits + generator.gumbel(size=logits.shape), axis=-1)


def _bits(logits: Array, generator: np.random.Generator) -> Any:
    """Draw 1 with the probability sigma(z): where a logistic number is below z."""
    return (generator.logistic(size=logits.shape) < logits).astype(logits.dtype)


def _counts(log_rates: Array, generator: np.random.Generator) -> Any:
    return generator.poisson(np.exp(log_rates)).astype(log_rates.dtype)


def _half_normal(means: Array, generator: np.random.Generator) -> Any:
    """Draw with the density exp(-(y-t)^2): of the variance 1/2."""
    return means + (generator.normal(size=means.shape) * np.sqrt(0.5)).astype(means.dtype)


def _normal(means: Array, generator: np.random.Generator) -> Any:
    return means + generator.normal(size=means.shape).astype(means.dtype)


DRAWN: Mapping[str, Callable[[Array, np.random.Generator], Any]] = {
    "softmax_cross_entropy": _labels,
    "sigmoid_cross_entropy": _bits,
    "half_squared_error": _normal,
    "mean_squared_error": _half_normal,
    "poisson_nll": _counts,
}
"""How the targets of a loss without options are drawn."""


@frozen
class SampledDiagonal(Generic[P, S, X, T]):
    """An estimate of the diagonal of the Gauss-Newton matrix.  Made by :func:`sampled_diagonal`."""

    model: Layer[P, S, X, Array]
    loss: Loss[Array, T]
    each: PerExampleLosses[Array, Any] = field(repr=False)

    def __call__(self, params: P, state: S, x: X, target: T, mode: Mode, /, key: Key) -> P:
        """Return the estimate; of the target the weights alone are looked at."""
        network = self.model.forward(params, state, x, mode)
        one_array(network.output)
        drawn: Any = DRAWN[self.loss.name](network.output, key.generator())
        weight = np.asarray(target.weight, float) if isinstance(target, Weighted) else None
        made = self.each.forward(network.output, drawn if weight is None else Weighted(drawn, weight > 0))
        share = np.ones(made.losses.shape)
        if weight is not None:
            share *= weight.reshape(weight.shape + (1,) * (share.ndim - weight.ndim))
        if self.loss.reduction == "mean":
            share /= max(share.sum(), np.finfo(float).tiny)
        doutput = self.each.backward(made.residuals, np.sqrt(share).astype(made.losses.dtype))
        check_loss_gradient(doutput, network.output, self.loss.name)
        grads: P = params_only(self.model, params, network.residuals, doutput).params
        return tree.map(np.square, grads)


def sampled_diagonal(model: Layer[P, S, X, Array], loss: Loss[Array, T]) -> SampledDiagonal[P, S, X, T]:
    """Return the function that estimates the diagonal; raise for a loss whose targets nobody knows how to draw."""
    check_layer(model, "the model")
    check_loss(loss)
    if loss.name not in DRAWN or is_foreign(loss):
        raise ValueError(
            f"the loss {loss.name} is not known as a negative log-likelihood whose targets can be drawn ({', '.join(DRAWN)},"
            " without options): use estimator='hutchinson'; examples are left out by fn.Weighted"
        )
    return SampledDiagonal(model, loss, per_example_losses(loss))
