r"""Negative log-likelihood of a mixture of normal distributions (mixture density network: Bishop 1994, eq. 22 to 34).

Indices: $n$ row (any number of leading axes, left out below), $k$ component of $K$, $d$ entry of a vector of $D$; $a_k$ logits
of the components and $\pi_k$ their softmax, $\mu_{kd}$ means, $s_{kd} = \log\sigma_{kd}^2$, $t_d$ the target.
$$ \ell = -\log \sum_k \pi_k \prod_d \mathcal N(t_d;\, \mu_{kd}, \sigma_{kd}^2) = -\log \sum_k \pi_k\, e^{-g_k}, \qquad
   g_k = \tfrac12 \sum_d \left(s_{kd} + z_{kd}^2 + \log 2\pi\right), \quad z_{kd} = (\mu_{kd} - t_d)\,e^{-s_{kd}/2} . $$

Derivation.  With the responsibilities $r_k = \pi_k e^{-g_k} / \sum_j \pi_j e^{-g_j}$ (Bishop's eq. 22),
$\mathrm{d}\ell = \sum_k r_k (\mathrm{d}g_k - \mathrm{d}\log\pi_k)$, and $\sum_k r_k = 1$:
$$ \bar a_k = (\pi_k - r_k)\,\bar\ell, \qquad \bar\mu_{kd} = r_k\, (\mu_{kd} - t_d)\,e^{-s_{kd}}\,\bar\ell, \qquad
   \bar s_{kd} = \tfrac12\, r_k (1 - z_{kd}^2)\,\bar\ell . $$

Stable form.  All is in logarithms, each over its largest; the deviations are those of :func:`funcnn.gaussian_nll`.  The
cotangents of the logits sum to 0, from which that of the largest $\pi_k$ is had: $\pi_k - r_k$ loses its digits where both are
nearly 1.
"""

import numpy as np
from attrs import frozen

from funcnn.errors import describe
from funcnn.losses.checks import check_plain, check_prediction, is_array
from funcnn.losses.limits import row_totals
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced, spread
from funcnn.losses.regression import gaussian
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array

Mixture = tuple[Array, Array, Array]
"""Logits (n, ..., K), means and logarithms of variances (n, ..., K, D)."""


@frozen(eq=False)
class MixtureResiduals:
    """The cotangents of the logits, the responsibilities, and what the normal distributions kept."""

    dlogits: Array  # (..., K)
    responsibilities: Array  # (..., K)
    components: gaussian.GaussianResiduals  # (..., K, D)


def losses(prediction: Mixture, target: Array) -> tuple[Array, MixtureResiduals]:
    logits, mean, log_variance = check_mixture(prediction)
    target = np.broadcast_to(check_vectors(mean, target)[..., None, :], mean.shape)
    each, components = gaussian.losses((mean, log_variance), target)
    log_pi = logits - log_sum(logits)
    joint = log_pi - row_totals(each)
    log_p = log_sum(joint)
    with np.errstate(invalid="ignore"):  # where no component reaches the target at all
        responsibilities: Array = np.exp(joint - log_p)
    dlogits = np.exp(log_pi) - responsibilities
    largest = logits.argmax(-1)[..., None]
    np.put_along_axis(dlogits, largest, 0, -1)
    np.put_along_axis(dlogits, largest, -row_totals(dlogits)[..., None], -1)
    return -log_p[..., 0], MixtureResiduals(dlogits, responsibilities, components)


def pullback(residuals: MixtureResiduals, dlosses: Array) -> Mixture:
    dlosses = spread(dlosses, residuals.dlogits.ndim)
    dmean, dlog_variance = gaussian.pullback(residuals.components, (residuals.responsibilities * dlosses)[..., None])
    return residuals.dlogits * dlosses, dmean, dlog_variance


def log_sum(logs: Array) -> Array:
    """Return the logarithm of the sum of rows of numbers given by their logarithms, as a column."""
    largest = np.take_along_axis(logs, logs.argmax(-1)[..., None], -1)
    largest = np.where(np.isneginf(largest.real), 0, largest)
    with np.errstate(divide="ignore"):
        total: Array = np.log(row_totals(np.exp(logs - largest)))[..., None]
    return total + largest


def check_mixture(prediction: Mixture) -> Mixture:
    """Return the prediction; raise unless it is three floating arrays of one precision whose shapes fit."""
    names = ("logits", "mean", "log_variance")
    if type(prediction) is not tuple or len(prediction) != 3:
        raise TypeError(f"the prediction is {describe(prediction)}, expected a tuple ({', '.join(names)}) of arrays")
    for name, array, axes in zip(names, prediction, (2, 3, 3), strict=True):
        check_prediction(array, axes, f"the prediction's {name}")
    logits, mean, log_variance = prediction
    if mean.shape[:-1] != logits.shape or mean.dtype != logits.dtype:
        raise ValueError(
            f"the prediction's mean is {describe(mean)} and its logits {describe(logits)}: expected (..., components, entries)"
            " and (..., components) of one precision"
        )
    if log_variance.shape != mean.shape or log_variance.dtype != mean.dtype:
        raise ValueError(
            f"the prediction's log_variance is {describe(log_variance)} and its mean {describe(mean)}: they must be alike"
        )
    return prediction


def check_vectors(mean: Array, target: Array) -> Array:
    """Return the target in the prediction's precision; raise unless it is one vector for each row."""
    check_plain(target, "target")
    if not is_array(target, "f"):
        raise TypeError(f"target is {describe(target)}, expected a real floating array: use .astype(float)")
    wanted = (*mean.shape[:-2], mean.shape[-1])
    if target.shape != wanted:
        raise ValueError(f"target has shape {target.shape}, expected {wanted}: one vector for each row of components")
    return target.astype(mean.real.dtype)


def gaussian_mixture_nll(*, reduction: Reduction = "mean") -> Loss[Mixture, Array | Weighted[Array]]:
    """Negative log-likelihood of the target under a mixture of normal distributions: a regression with several answers.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over the rows.

    Returns
    -------
    Loss
        Of a prediction ``(logits, mean, log_variance)``, floating, of shapes (n, ..., K), (n, ..., K, D) and (n, ..., K, D), and
        a target (n, ..., D), floating.  The components weigh ``softmax(logits)``, and the D entries of one are independent.
        Weights (see :class:`funcnn.Weighted`) have the shape (n,) or up to that of the rows.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when arrays are not floating or their shapes do not fit, the batch is empty, or the target holds NaN or
        infinity.

    References
    ----------
    Bishop (1994), Mixture density networks, NCRG/94/004, Aston University.

    Examples
    --------
    The last layers of a network for it, with 3 components of vectors of 2:

    >>> import numpy as np, funcnn as fn
    >>> heads = fn.branch(fn.dense(3), fn.dense(6) >> fn.reshape((3, 2)), fn.dense(6) >> fn.reshape((3, 2)))
    >>> start = heads.init(fn.Key(0), (4,))
    >>> prediction = fn.apply(heads, start.params, start.state, np.ones((5, 4)))
    >>> loss = fn.gaussian_mixture_nll()
    >>> made = loss.forward(prediction, np.zeros((5, 2)))
    >>> [part.shape for part in loss.backward(made.residuals)]
    [(5, 3), (5, 3, 2), (5, 3, 2)]
    """
    return reduced("gaussian_mixture_nll", Rule(losses, pullback, features=1), reduction)
