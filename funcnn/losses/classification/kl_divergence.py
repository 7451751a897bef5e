r"""Divergence of a predicted distribution from a given one (Kullback and Leibler 1951, "On information and sufficiency").

Indices: $n$ row (any number of leading axes), $c$ class; $x = \log q$ predicted log-probabilities, $p$ target probabilities.
$$ \ell_n = \sum_c p_{nc} (\log p_{nc} - x_{nc}), \qquad 0 \log 0 = 0. $$

Derivation.  $\ell_n$ is linear in its row of $x$: $\bar x_{nc} = -p_{nc}\,\bar\ell_n$.
"""

import numpy as np

from funcnn.losses.checks import check_pair, check_probabilities
from funcnn.losses.limits import row_totals
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced, spread
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


def losses(prediction: Array, target: Array) -> tuple[Array, Array]:
    probabilities = check_probabilities(check_pair(prediction, target, 2))
    possible = probabilities > 0  # elsewhere the prediction may be log 0
    logs = np.log(np.where(possible, probabilities, 1))
    return row_totals(np.where(possible, probabilities * (logs - np.where(possible, prediction, 0)), 0)), probabilities


def pullback(probabilities: Array, dlosses: Array) -> Array:
    return -probabilities * spread(dlosses, probabilities.ndim)


def kl_divergence(*, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Divergence of predicted log-probabilities from target probabilities, summed over the classes.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over the rows.

    Returns
    -------
    Loss
        Of log-probabilities, such as ``fn.log_softmax()`` gives, and probabilities whose rows sum to 1, floating arrays of one
        shape (n, ..., C).  Weights (see :class:`funcnn.Weighted`) have the shape (n,) or up to (n, ...).

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when the two are not floating arrays of one shape, the target's rows are not probabilities, or the batch
        is empty.

    See Also
    --------
    softmax_cross_entropy : the same from logits, up to the entropy of the target.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.kl_divergence()
    >>> made = loss.forward(np.log([[0.25, 0.75]]), np.array([[1.0, 0.0]]))
    >>> round(float(made.value), 12)
    1.38629436112
    >>> loss.backward(made.residuals)
    array([[-1., -0.]])
    """
    return reduced("kl_divergence", Rule(losses, pullback, features=1), reduction)
