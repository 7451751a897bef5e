r"""Margin loss of several labels: each label of an example is to score higher than each class that is none.

Indices: $n$ row (any number of leading axes), $c, k$ class of $C$; $x$ scores, $t_c = 1$ for the labels and 0 for the others.
With $h_{ck} = \max(0, 1 - x_c + x_k)$
$$ \ell_n = \frac1C \sum_{c,\,k} t_{nc} (1 - t_{nk})\, h_{nck} . $$

Derivation.  Where $h_{ck} > 0$, $\mathrm{d}h_{ck} = \mathrm{d}x_k - \mathrm{d}x_c$; with $m_{ck} = t_c (1 - t_k) [h_{ck} > 0]$
$$ \bar x_{nc} = \frac1C \Big(\sum_k m_{nkc} - \sum_k m_{nck}\Big)\,\bar\ell_n . $$
At a kink, $x_c - x_k = 1$, the slope taken is 0.
"""

import numpy as np
from attrs import frozen

from funcnn.kernels.arrays import positive_part
from funcnn.losses.checks import check_pair, first, show
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced, spread
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


@frozen(eq=False)
class MultilabelResiduals:
    """The slope of each loss in each score."""

    slope: Array  # (..., C)


def losses(prediction: Array, target: Array) -> tuple[Array, MultilabelResiduals]:
    labels = check_pair(prediction, target, 2)
    wrong = (labels != 0) & (labels != 1)
    if wrong.any():
        row = first(wrong)
        raise ValueError(f"target {labels[row]} at row {show(row)}, expected 0 or 1")
    classes = prediction.shape[-1]
    pairs = (labels[..., :, None] == 1) & (labels[..., None, :] == 0)
    apart = np.where(pairs, prediction[..., :, None], 0) - np.where(pairs, prediction[..., None, :], 0)
    missing: Array = np.where(pairs, positive_part(1 - apart), 0)
    lost = (missing.real > 0).astype(labels.dtype)
    slope = (lost.sum(-2) - lost.sum(-1)) / classes
    return missing.sum((-2, -1)) / classes, MultilabelResiduals(slope)


def pullback(residuals: MultilabelResiduals, dlosses: Array) -> Array:
    return residuals.slope * spread(dlosses, residuals.slope.ndim)


def multilabel_margin(*, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Hinge loss of several labels: each label's score is to be higher by 1 than that of each class that is none.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over the rows.

    Returns
    -------
    Loss
        Of scores and targets of one shape, (n, ..., C), floating; a target is 1 for the labels and 0 for the other classes.
        Weights (see :class:`funcnn.Weighted`) have the shape (n,) or up to (n, ...).

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when the two are not floating arrays of one shape, a target is not 0 or 1, or the batch is empty.

    See Also
    --------
    multi_margin : for one label.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.multilabel_margin()
    >>> made = loss.forward(np.array([[2.0, 1.5, 0.0]]), np.array([[1.0, 0.0, 1.0]]))
    >>> made.value
    np.float64(1.0)
    >>> loss.backward(made.residuals).round(6)
    array([[-0.333333,  0.666667, -0.333333]])
    """
    return reduced("multilabel_margin", Rule(losses, pullback, features=1), reduction)
