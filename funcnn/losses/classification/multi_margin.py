r"""Hinge loss of several classes (Crammer and Singer 2001, in the summed form of Weston and Watkins 1999, eq. 4).

Indices: $n$ row (any number of leading axes), $c$ class of $C$; $x$ scores, $y$ label, $m$ margin, $p$ power (1 or 2).
$$ \ell_n = \frac1C \sum_{c \ne y_n} h_{nc}^p, \qquad h_{nc} = \max(0,\; m - x_{n y_n} + x_{nc}). $$

Derivation.  Where $h_{nc} > 0$, $\mathrm{d}h_{nc} = \mathrm{d}x_{nc} - \mathrm{d}x_{n y_n}$.  With $g_{nc} = \frac{p}{C}
h_{nc}^{p-1} [h_{nc} > 0]$ for $c \ne y_n$
$$ \bar x_{nc} = g_{nc}\,\bar\ell_n \;\;(c \ne y_n), \qquad \bar x_{n y_n} = -\sum_{c \ne y_n} g_{nc}\,\bar\ell_n. $$
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_count, check_range
from funcnn.kernels.arrays import positive_part
from funcnn.losses.checks import check_labels
from funcnn.losses.classification.softmax_cross_entropy import starts
from funcnn.losses.limits import row_totals
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced, spread
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, IntArray


@frozen(eq=False)
class MarginResiduals:
    """The missing margins $h$, 0 at the label, and where the labels are."""

    missing: Array  # (..., C)
    places: IntArray  # (n,), into missing.ravel()


def losses(margin: float, power: int, prediction: Array, target: IntArray) -> tuple[Array, MarginResiduals]:
    labels = check_labels(target, prediction)
    scores = np.ascontiguousarray(prediction)
    places = labels.ravel() + starts(labels.size, scores.shape[-1])
    own = scores.ravel()[places].reshape(*labels.shape, 1)
    missing = positive_part(scores - own + margin)
    missing.ravel()[places] = 0
    each = row_totals(missing if power == 1 else missing * missing) / scores.shape[-1]
    return each, MarginResiduals(missing, places)


def pullback(power: int, residuals: MarginResiduals, dlosses: Array) -> Array:
    missing = residuals.missing
    gradient = (missing.real > 0).astype(dlosses.dtype) if power == 1 else 2 * missing
    gradient /= missing.shape[-1]
    gradient.ravel()[residuals.places] = -row_totals(gradient).ravel()
    return gradient * spread(dlosses, gradient.ndim)


def multi_margin(
    margin: float = 1.0, *, power: int = 1, reduction: Reduction = "mean"
) -> Loss[Array, IntArray | Weighted[IntArray]]:
    """Hinge loss of several classes: the label's score is to be higher than every other by a margin.

    Parameters
    ----------
    margin : float, optional
        Positive.
    power : {1, 2}, optional
        Of each missing margin; 2 makes the loss smooth.
    reduction : {"mean", "sum"}, optional
        Over the rows.

    Returns
    -------
    Loss
        Of scores (n, ..., C), floating, and labels 0 to C - 1, (n, ...), integers.  Weights (see :class:`funcnn.Weighted`) have
        the shape (n,) or up to that of the labels.

    Raises
    ------
    TypeError, ValueError
        When an option is out of its range; in ``forward``, when labels are not integers from 0 to C - 1, one for each row, when
        the prediction is not floating, or the batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.multi_margin()
    >>> made = loss.forward(np.array([[2.0, 1.5]]), np.array([0]))
    >>> made.value
    np.float64(0.25)
    >>> loss.backward(made.residuals)
    array([[-0.5,  0.5]])
    """
    margin = check_range(margin, "margin", 0, np.inf, open_low=True, open_high=True)
    power = check_count(power, "power")
    if power not in (1, 2):
        raise ValueError(f"power is {power}, expected 1 or 2")
    rule = Rule(partial(losses, margin, power), partial(pullback, power), features=1)
    return reduced(f"multi_margin({margin:g}, power={power})", rule, reduction)
