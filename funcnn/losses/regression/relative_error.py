r"""Relative errors: the absolute percentage error and its symmetric form (Makridakis 1993, "Accuracy measures", eq. 3).

For each entry, with the prediction $p$ and the target $t$
$$ \ell = \frac{|p - t|}{|t|}, \qquad\text{symmetric}\qquad \ell = \frac{2\,|p - t|}{|p| + |t|}, $$
the latter 0 where both are 0, and from 0 to 2 everywhere.

Derivation.  With $s = \operatorname{sign}(p - t)$ the first has the slope $s / |t|$: $\bar p = s\,\bar\ell / |t|$.  For the
second, where $p$ and $t$ have one sign, $|p - t| = s (p - t)$ and the quotient rule gives
$$ \bar p = \frac{4\,s\,|t|}{(|p| + |t|)^2}\,\bar\ell; $$
where their signs differ the loss is 2 and its slope 0.  At $p = t$, at $p = 0$ and where the target is 0 the slope taken is 0.

In the symmetric form both numbers are first multiplied by a power of two that brings the larger of them to about 1: it
cancels, and their sum does not overflow.
"""

import numpy as np
from attrs import frozen

from funcnn.kernels.arrays import balancing
from funcnn.losses.checks import check_pair, first, show
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


@frozen(eq=False)
class RelativeResiduals:
    """The slope of each loss."""

    slope: Array


def losses(prediction: Array, target: Array) -> tuple[Array, RelativeResiduals]:
    target = check_pair(prediction, target)
    zero = target == 0
    if zero.any():
        row = first(zero)
        raise ValueError(
            f"target {target[row]} at row {show(row)}: an error relative to it has no value; use"
            " symmetric_mean_absolute_percentage_error, or leave the entry out by a weight of 0"
        )
    difference = prediction - target
    sign = np.sign(difference.real)
    size = np.abs(target)
    return sign * difference / size, RelativeResiduals(sign / size)


def symmetric_losses(prediction: Array, target: Array) -> tuple[Array, RelativeResiduals]:
    target = check_pair(prediction, target)
    scale = balancing(np.maximum(np.abs(prediction.real), np.abs(target)))
    p, t = prediction * scale, target * scale
    sign, side = np.sign(prediction.real - target), np.sign(prediction.real)  # the smaller one may vanish when scaled
    whole = side * p + np.abs(t)
    whole = np.where(whole.real == 0, 1, whole)
    same = side * np.sign(target) > 0
    each = np.where(same, 2 * sign * (p - t) / whole, np.where(p.real == t, 0, 2).astype(t.dtype) + 0 * (p - t))
    slope = np.where(same, 4 * sign * (np.abs(t) * scale / whole) / whole, 0)
    return each, RelativeResiduals(slope)


def symmetric_limits(prediction: Array, target: Array) -> tuple[Array, RelativeResiduals]:
    """Return the same at infinite predictions too: 2, and as good as constant."""
    infinite = np.isinf(prediction.real)
    each, residuals = symmetric_losses(np.where(infinite, 1, prediction), target)
    return np.where(infinite, 2, each), RelativeResiduals(np.where(infinite, 0, residuals.slope))


def pullback(residuals: RelativeResiduals, dlosses: Array) -> Array:
    gradient: Array = residuals.slope * dlosses
    return gradient


def mean_absolute_percentage_error(*, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Mean over all entries of ``abs(prediction - target) / abs(target)``: 0.1 is an error of ten percent.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of a prediction and a target of one shape, (n, ...), floating; no target is 0.  Weights (see :class:`funcnn.Weighted`)
        may be given to examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when the two are not floating arrays of one shape, a target is 0, or the batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.mean_absolute_percentage_error()
    >>> made = loss.forward(np.array([[9.0], [6.0]]), np.array([[10.0], [4.0]]))
    >>> made.value
    np.float64(0.3)
    >>> loss.backward(made.residuals)
    array([[-0.05 ],
           [ 0.125]])
    """
    return reduced("mean_absolute_percentage_error", Rule(losses, pullback, features=0), reduction)


def symmetric_mean_absolute_percentage_error(*, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Mean over all entries of ``2 abs(prediction - target) / (abs(prediction) + abs(target))``: from 0 to 2.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of a prediction and a target of one shape, (n, ...), floating.  Where their signs differ the loss is 2 and has no slope.
        Weights (see :class:`funcnn.Weighted`) may be given to examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when the two are not floating arrays of one shape, or the batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.symmetric_mean_absolute_percentage_error()
    >>> loss.forward(np.array([[3.0], [0.0]]), np.array([[1.0], [0.0]])).value
    np.float64(0.5)
    """
    rule = Rule(symmetric_losses, pullback, features=0, limits=symmetric_limits)
    return reduced("symmetric_mean_absolute_percentage_error", rule, reduction)
