r"""Ordinal cross-entropy of ranks (CORAL: Cao, Mirjalili and Raschka 2020, arXiv:1901.07884, eq. 4).

Indices: $n$ row (any number of leading axes), $k$ one of the $K - 1$ borders between $K$ ranks.  The logit $z_k$ asks whether
the rank $y$ is above $k$:
$$ \ell_n = -\sum_k \left( [y_n > k] \log \sigma(z_{nk}) + [y_n \le k] \log \sigma(-z_{nk}) \right) . $$

Derivation.  It is the binary cross-entropy of the $K - 1$ answers, and so
$\bar z_{nk} = (\sigma(z_{nk}) - [y_n > k])\,\bar\ell_n$, in the stable form of :func:`funcnn.sigmoid_cross_entropy`.
"""

import numpy as np

from funcnn.errors import describe, label_advice
from funcnn.losses.checks import check_order, check_plain, check_prediction, first, is_array, show
from funcnn.losses.classification import sigmoid_cross_entropy as binary
from funcnn.losses.classification.sigmoid_cross_entropy import SigmoidResiduals
from funcnn.losses.limits import row_totals
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced, spread
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, IntArray


def answers(prediction: Array, target: IntArray) -> Array:
    """Return for each border whether the rank is above it; raise unless ranks are integers from 0 to the number of borders."""
    check_order(prediction, target)
    check_prediction(prediction, 2)
    if not is_array(target, "iu"):
        check_plain(target, "ranks")
        raise TypeError(f"ranks (the labels) are {describe(target)}, expected an integer array{label_advice(target)}")
    borders = prediction.shape[-1]
    if target.shape != prediction.shape[:-1]:
        raise ValueError(f"ranks have shape {target.shape}, expected {prediction.shape[:-1]}: one label for each row of logits")
    wrong = (target < 0) | (target > borders)
    if wrong.any():
        row = first(wrong)
        raise ValueError(
            f"rank {target[row]} at row {show(row)}, expected 0 to {borders}: {borders} logits stand between {borders + 1} ranks"
        )
    above: Array = (target[..., None] > np.arange(borders)).astype(prediction.real.dtype)
    return above


def losses(prediction: Array, target: IntArray) -> tuple[Array, SigmoidResiduals]:
    each, residuals = binary.losses(1.0, prediction, answers(prediction, target))
    return row_totals(each), residuals


def limits(prediction: Array, target: IntArray) -> tuple[Array, SigmoidResiduals]:
    """Return the same at infinite logits too."""
    each, residuals = binary.limits(1.0, prediction, answers(prediction, target))
    return row_totals(each), residuals


def pullback(residuals: SigmoidResiduals, dlosses: Array) -> Array:
    return binary.pullback(residuals, spread(dlosses, residuals.decay.ndim))


def ordinal_cross_entropy(*, reduction: Reduction = "mean") -> Loss[Array, IntArray | Weighted[IntArray]]:
    """Cross-entropy of ordered classes: each logit asks whether the rank is above one of the borders between them.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over the rows.

    Returns
    -------
    Loss
        Of logits (n, ..., K - 1), floating, and ranks 0 to K - 1, (n, ...), integers.  The predicted rank is the number of
        positive logits.  Weights (see :class:`funcnn.Weighted`) have the shape (n,) or up to that of the ranks.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when ranks are not integers from 0 to K - 1, one for each row, when the prediction is not floating, or
        the batch is empty.

    Notes
    -----
    With one score for all borders and a bias for each (``fn.linear(1)`` and a learned shift) the borders cannot cross, as the
    paper has it; with a ``dense(K - 1)`` they can.

    References
    ----------
    Cao, Mirjalili and Raschka (2020), Rank consistent ordinal regression for neural networks, arXiv:1901.07884.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.ordinal_cross_entropy()
    >>> made = loss.forward(np.array([[2.0, -1.0]]), np.array([1]))
    >>> round(float(made.value), 6)
    0.44019
    >>> loss.backward(made.residuals).round(6)
    array([[-0.119203,  0.268941]])
    """
    return reduced("ordinal_cross_entropy", Rule(losses, pullback, features=1, limits=limits), reduction)
