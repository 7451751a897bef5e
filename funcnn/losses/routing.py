r"""Losses of the router of a mixture of experts: its experts are to be asked alike, and its scores are to stay small.

Indices: $n$ vector of $N$ (all axes but the last), $e, f$ expert of $E$; $s_{ne}$ the router's scores, $p_{ne} = e^{s_{ne}} /
\sum_f e^{s_{nf}}$, and $w_n$ the weight of a vector as a share, $\sum_n w_n = 1$: $1/N$ if none are given.

Load balancing (Fedus et al. 2021, arXiv:2101.03961, eq. 4 to 6), with the share of the vectors whose first choice is an expert,
$$ q_e = \sum_n w_n\,[e = \operatorname{argmax}_f s_{nf}], \qquad L = E \sum_e q_e \sum_n w_n p_{ne} . $$
It is 1 where the experts are asked alike and $E$ where one is asked alone.

Derivation.  $q$ is a constant but where scores are equal: there $L$ jumps.  So $\bar p_{ne} = E q_e w_n$, and through the softmax
$$ \bar s_{ne} = E\, w_n\, p_{ne}\,\Big(q_e - \sum_f q_f\, p_{nf}\Big) . $$

Router z-loss (Zoph et al. 2022, arXiv:2202.08906, eq. 5)
$$ \ell_n = \Lambda_n^2, \qquad \Lambda_n = \log \sum_e e^{s_{ne}} . $$
Derivation.  $\mathrm{d}\Lambda_n = \sum_e p_{ne}\,\mathrm{d}s_{ne}$, so $\bar s_{ne} = 2 \Lambda_n\, p_{ne}\,\bar\ell_n$.
"""

import numpy as np
from attrs import frozen

from funcnn.kernels.arrays import as_matrix
from funcnn.losses.batch_rule import BatchRule, batchwise
from funcnn.losses.checks import check_no_target, check_prediction
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, positive_sum, reduced, spread
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, Empty, Scalar, Shape


@frozen(eq=False)
class BalanceResiduals:
    """The probabilities, the share of each expert times how many there are, and the shares of the vectors."""

    probabilities: Array  # (m, E)
    slopes: Array  # (E,)
    shares: Array  # (m, 1)
    shape: Shape


@frozen(eq=False)
class ZResiduals:
    """The probabilities, and the logarithm of the sum of the scores' exponentials."""

    probabilities: Array  # (n, ..., E)
    logarithm: Array  # (n, ..., 1)


def log_sum_exp(scores: Array) -> tuple[Array, Array]:
    """Return the logarithm of the sum of the last axis' exponentials, which is kept as an axis, and the softmax."""
    top = scores.real.max(-1, keepdims=True)
    e = np.exp(scores - top)
    total = e.sum(-1, keepdims=True)
    return np.log(total) + top, e / total


def check(prediction: Array, target: Empty) -> Empty:
    check_prediction(prediction, 2)
    check_no_target(target)
    return target


def value(prediction: Array, target: Empty, weight: Array, mean: bool) -> tuple[Scalar, BalanceResiduals]:
    scores = as_matrix(prediction)
    count, experts = scores.shape
    places = count // len(weight)
    shares = np.repeat(weight / (places * positive_sum(weight, "weights")), places)[:, None]
    _, probabilities = log_sum_exp(scores)
    first = scores.real.argmax(-1)[:, None] == np.arange(experts)
    slopes: Array = experts * (shares * first).sum(0)
    found: Scalar = (slopes * (shares * probabilities).sum(0)).sum()
    return found, BalanceResiduals(probabilities, slopes, shares, prediction.shape)


def pullback(kept: BalanceResiduals) -> Array:
    p, slopes = kept.probabilities, kept.slopes
    dscores: Array = kept.shares * p * (slopes - (p * slopes).sum(-1, keepdims=True))
    return dscores.reshape(kept.shape)


def load_balancing_loss() -> Loss[Array, Empty | Weighted[Empty]]:
    """Load balancing: a router's vectors are to be spread evenly over the experts.

    Returns
    -------
    Loss
        Of a router's scores (n, ..., experts), floating, the second output of :func:`mixture_of_experts_with_routing`; its target
        is the empty tuple, or ``Weighted((), weight)`` with a weight (n,).  It is a number of the batch: 1 where all experts are
        asked alike, and as large as there are experts where one is asked alone.  Of several choices of a vector the first counts.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when the prediction is not a floating array (n, ..., experts), there is a target, or the batch is empty.

    See Also
    --------
    router_z_loss : keeps the scores small.
    combined_loss : adds both to the loss of the output.

    References
    ----------
    Fedus, Zoph & Shazeer (2021), Switch Transformers, arXiv:2101.03961, eq. 4.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.load_balancing_loss()
    >>> float(loss.forward(np.array([[9.0, -9.0], [-9.0, 9.0]]), ()).value)
    1.0
    >>> round(float(loss.forward(np.array([[9.0, -9.0], [9.0, -9.0]]), ()).value), 6)
    2.0
    """
    return batchwise("load_balancing_loss", BatchRule(check, value, pullback), "mean")


def z_losses(prediction: Array, target: Empty) -> tuple[Array, ZResiduals]:
    check(prediction, target)
    logarithm, probabilities = log_sum_exp(prediction)
    return (logarithm * logarithm)[..., 0], ZResiduals(probabilities, logarithm)


def z_pullback(kept: ZResiduals, dlosses: Array) -> Array:
    dscores: Array = 2 * kept.logarithm * kept.probabilities * spread(dlosses, kept.probabilities.ndim)
    return dscores


def router_z_loss(*, reduction: Reduction = "mean") -> Loss[Array, Empty | Weighted[Empty]]:
    """Router z-loss: the square of the logarithm of a router's summed exponentials, which keeps its scores small.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over the vectors.

    Returns
    -------
    Loss
        Of a router's scores (n, ..., experts), floating, the second output of :func:`mixture_of_experts_with_routing`; its target
        is the empty tuple, or ``Weighted((), weight)`` with a weight for examples or for single vectors.

    Raises
    ------
    TypeError, ValueError
        When the reduction is neither of the two; in ``forward``, when the prediction is not a floating array (n, ..., experts),
        there is a target, or the batch is empty.

    See Also
    --------
    load_balancing_loss : spreads the vectors over the experts.

    References
    ----------
    Zoph et al. (2022), ST-MoE: designing stable and transferable sparse expert models, arXiv:2202.08906, eq. 5.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.router_z_loss()
    >>> round(float(loss.forward(np.zeros((3, 4)), ()).value), 6)  # log(4) ** 2
    1.921812

    Beside the output's loss, with both losses on the scores of one router:

    >>> routed = fn.mixture_of_experts_with_routing(fn.dense(4), 3)
    >>> model = routed >> fn.parallel(fn.dense(2), fn.branch(fn.identity(), fn.identity()))
    >>> of_router = fn.combined_loss(fn.load_balancing_loss(), fn.router_z_loss(), weights=(0.01, 0.001))
    >>> loss = fn.combined_loss(fn.mean_squared_error(), of_router)
    >>> x, y = np.ones((5, 4)), np.ones((5, 2))
    >>> fn.check.check_model(model, loss, x, (y, ((), ()))).ok
    True
    """
    return reduced("router_z_loss", Rule(z_losses, z_pullback, features=1), reduction)
