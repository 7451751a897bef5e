r"""The two terms of a variational autoencoder's objective (Kingma and Welling 2014, arXiv:1312.6114, eq. 3 and appendix B).

Indices: $n$ example, $k$ latent variable, $i$ entry of the reconstruction; $\mu$ mean and $s = \log\sigma^2$ log-variance of
the encoder. The divergence of $N(\mu, \sigma^2)$ from the standard normal distribution is
$$ D_n = \tfrac12 \sum_k \left( \mu_{nk}^2 + g(s_{nk}) \right), \qquad g(s) = e^s - 1 - s, $$
and the negative evidence lower bound, with $R_n$ the negative log-likelihood of the example, summed over its entries, and a
weight $\beta$ (Higgins et al. 2017; 1 for the bound itself)
$$ \ell_n = R_n + \beta D_n. $$
$R_n$ is the sigmoid cross-entropy of logits for entries in $[0, 1]$ (Bernoulli), or half the squared error for a normal
distribution of variance 1 (up to a constant).

Stable form.  Near 0, where the terms of $g$ cancel, it is its Taylor series $\frac{s^2}{2}\left(1 + \frac{s}{3}\left(1 +
\frac{s}{4}(1 + \cdots)\right)\right)$.

Derivation.  $\mathrm{d}D_n = \sum_k \left(\mu_{nk}\,\mathrm{d}\mu_{nk} + \tfrac12 (e^{s_{nk}} - 1)\,\mathrm{d}s_{nk}\right)$,
so that with $\bar D_n = \beta\,\bar\ell_n$
$$ \bar\mu_{nk} = \mu_{nk}\,\bar D_n, \qquad \bar s_{nk} = \tfrac12 (e^{s_{nk}} - 1)\,\bar D_n. $$
The gradient of $R_n$ is derived in the files of the two losses.
"""

from functools import partial
from typing import Literal, TypeAlias

import numpy as np
from attrs import frozen

from funcnn.errors import check_choice, check_range, describe
from funcnn.kernels.arrays import flatten_examples
from funcnn.losses.checks import check_no_target, check_tuple
from funcnn.losses.classification import sigmoid_cross_entropy
from funcnn.losses.limits import row_totals
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced, spread
from funcnn.losses.regression import squared_error
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, Empty

Likelihood: TypeAlias = Literal["bernoulli", "gaussian"]
"""The distribution of an entry given its reconstruction."""


# ------------------------------------------------------------------------------------------------------------ the divergence


@frozen(eq=False)
class DivergenceResiduals:
    """The encoder's mean and log-variance."""

    mean: Array
    log_variance: Array


def divergences(prediction: tuple[Array, Array]) -> tuple[Array, DivergenceResiduals]:
    mean, log_variance = check_tuple(prediction, ("mean", "log_variance"), 2)
    each = mean * mean
    each += exp_beyond_linear(log_variance)
    return row_totals(flatten_examples(each)) / 2, DivergenceResiduals(mean, log_variance)


def divergence_pullback(residuals: DivergenceResiduals, dlosses: Array) -> tuple[Array, Array]:
    share = spread(dlosses, residuals.mean.ndim)
    return residuals.mean * share, np.expm1(residuals.log_variance) / 2 * share


def exp_beyond_linear(x: Array) -> Array:
    """Return exp(x) - 1 - x."""
    near = np.abs(x.real) < 1
    small = np.where(near, x, 0)
    series = np.ones_like(small)
    for term in range(24, 2, -1):
        series *= small / term
        series += 1
    return np.where(near, small * small / 2 * series, np.where(x.real == np.inf, x, np.expm1(x) - x))


def kl_losses(prediction: tuple[Array, Array], target: Empty) -> tuple[Array, DivergenceResiduals]:
    check_no_target(target)
    return divergences(prediction)


# ----------------------------------------------------------------------------------------------------------------- the bound


@frozen(eq=False)
class BoundResiduals:
    """The residuals of the reconstruction's loss and of the divergence."""

    reconstruction: sigmoid_cross_entropy.SigmoidResiduals | Array
    divergence: DivergenceResiduals


def bound_losses(
    likelihood: Likelihood, beta: float, prediction: tuple[Array, Array, Array], target: Array, *, limits: bool = False
) -> tuple[Array, BoundResiduals]:
    if type(prediction) is not tuple or len(prediction) != 3:
        raise TypeError(
            f"the prediction is {describe(prediction)}, expected a tuple (reconstruction, mean, log_variance) of arrays"
        )
    reconstruction, *latent = prediction
    residuals: sigmoid_cross_entropy.SigmoidResiduals | Array
    if likelihood == "bernoulli":
        form = sigmoid_cross_entropy.limits if limits else sigmoid_cross_entropy.losses
        entries, residuals = form(1.0, reconstruction, target)
        each = row_totals(flatten_examples(entries))
    else:
        each, residuals = squared_error.half_losses(reconstruction, target)
    divergence, kept = divergences((latent[0], latent[1]))
    if divergence.shape != each.shape:
        raise ValueError(
            f"the reconstruction is {describe(reconstruction)} and the mean {describe(latent[0])}: of unlike batches"
        )
    return each + (beta * divergence if beta else 0), BoundResiduals(residuals, kept)


def bound_pullback(beta: float, residuals: BoundResiduals, dlosses: Array) -> tuple[Array, Array, Array]:
    if isinstance(residuals.reconstruction, sigmoid_cross_entropy.SigmoidResiduals):
        share = spread(dlosses, residuals.reconstruction.slope.ndim)
        reconstruction = sigmoid_cross_entropy.pullback(residuals.reconstruction, share)
    else:
        reconstruction = squared_error.half_pullback(residuals.reconstruction, dlosses)
    mean, log_variance = divergence_pullback(residuals.divergence, np.asarray(beta * dlosses))
    return reconstruction, mean, log_variance


# --------------------------------------------------------------------------------------------------------------- the factories


def gaussian_kl(*, reduction: Reduction = "mean") -> Loss[tuple[Array, Array], Empty | Weighted[Empty]]:
    """Divergence of independent normal distributions from the standard normal one: what keeps a latent space in shape.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over the examples; over the entries of an example it is always the sum.

    Returns
    -------
    Loss
        Of a prediction ``(mean, log_variance)``, two floating arrays of one shape (n, ...); its target is the empty tuple, or
        ``Weighted((), weight)`` with a weight (n,).

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when the two are not floating arrays of one shape, or the batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.gaussian_kl()
    >>> made = loss.forward((np.array([[1.0, 0.0]]), np.zeros((1, 2))), ())
    >>> made.value
    np.float64(0.5)
    >>> loss.backward(made.residuals)
    (array([[1., 0.]]), array([[0., 0.]]))
    """
    return reduced("gaussian_kl", Rule(kl_losses, divergence_pullback, features=None), reduction)


def negative_elbo(
    likelihood: Likelihood = "bernoulli", *, beta: float = 1.0, reduction: Reduction = "mean"
) -> Loss[tuple[Array, Array, Array], Array | Weighted[Array]]:
    """Negative evidence lower bound: the loss of a variational autoencoder.

    Parameters
    ----------
    likelihood : {"bernoulli", "gaussian"}, optional
        Of an entry: the reconstruction is its logit, for entries in [0, 1], or its mean, for any entries, of variance 1.
    beta : float, optional
        At least 0: the weight of the divergence.
    reduction : {"mean", "sum"}, optional
        Over the examples; over the entries of an example it is always the sum.

    Returns
    -------
    Loss
        Of a prediction ``(reconstruction, mean, log_variance)`` and a target of the reconstruction's shape (n, ...); mean and
        log-variance are of one shape (n, ...).  A weight (see :class:`funcnn.Weighted`) has the shape (n,).

    Raises
    ------
    TypeError, ValueError
        When an option is out of its range; in ``forward``, when an array is not floating, shapes don't fit, a target is out of
        [0, 1], or the batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.negative_elbo("gaussian")
    >>> made = loss.forward((np.array([[1.0, 3.0]]), np.array([[1.0]]), np.array([[0.0]])), np.array([[1.0, 1.0]]))
    >>> made.value
    np.float64(2.5)
    """
    likelihood = check_choice(likelihood, ("bernoulli", "gaussian"), "likelihood")
    beta = check_range(beta, "beta", 0, np.inf, open_high=True)
    rule = Rule(
        partial(bound_losses, likelihood, beta),
        partial(bound_pullback, beta),
        features=None,
        limits=partial(bound_losses, likelihood, beta, limits=True),
    )
    return reduced(f"negative_elbo({likelihood!r}, beta={beta:g})", rule, reduction)
