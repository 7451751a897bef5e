r"""Cross-entropy of probabilities: for networks that end with a softmax or a sigmoid.

Indices: $n$ row (any number of leading axes), $c$ class; $p$ predicted probabilities, $q$ target probabilities, $y$ label.
$$ \ell_n = -\sum_c q_{nc} \log p_{nc} = -\log p_{n y_n}, \qquad\text{binary}\qquad
   \ell = -t \log p - (1 - t) \log(1 - p) . $$
A term whose factor is 0 is 0, whatever the probability.

Derivation.  $\bar p_{nc} = -\frac{q_{nc}}{p_{nc}}\,\bar\ell_n$, and $\bar p = \left(\frac{1 - t}{1 - p} - \frac{t}{p}\right)
\bar\ell$.

A probability that has rounded to 1 has lost the digits in which the loss of a right answer lives, and one of 0 costs infinity:
the losses of logits (:func:`funcnn.softmax_cross_entropy`, :func:`funcnn.sigmoid_cross_entropy`) keep both.
"""

from typing import cast

import numpy as np
from attrs import frozen

from funcnn.losses.checks import check_between, check_labels, check_pair, check_probabilities, first, show
from funcnn.losses.classification.softmax_cross_entropy import Labels, has_labels, starts
from funcnn.losses.limits import row_totals, times
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced, spread
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, IntArray


@frozen(eq=False)
class ProbabilityResiduals:
    """The slope of each loss in each probability."""

    slope: Array


def check_predicted(prediction: Array) -> None:
    """Raise unless predictions are from 0 to 1; NaN is passed (the loss will be NaN)."""
    wrong = (prediction.real < 0) | (prediction.real > 1)
    if wrong.any():
        row = first(wrong)
        raise ValueError(
            f"prediction {prediction[row]} at row {show(row)}, expected a probability, 0 to 1: of logits take the loss of logits"
        )


def over(weight: Array, p: Array) -> Array:
    """Return ``weight / p``, and 0 where the weight is 0; infinite where the probability alone is."""
    with np.errstate(divide="ignore"):
        return times(weight, 1 / p)


def losses(prediction: Array, target: Labels) -> tuple[Array, ProbabilityResiduals]:
    if has_labels(prediction, target):
        labels = check_labels(cast(IntArray, target), prediction)
        check_predicted(prediction)
        places = labels.ravel() + starts(labels.size, prediction.shape[-1])
        own = prediction.ravel()[places]
        slope = np.zeros(prediction.shape, prediction.dtype)
        slope.ravel()[places] = -over(np.ones_like(own.real), own)
        with np.errstate(divide="ignore"):
            return (0 - np.log(own)).reshape(labels.shape), ProbabilityResiduals(slope)
    soft = check_probabilities(check_pair(prediction, cast(Array, target), 2))
    check_predicted(prediction)
    with np.errstate(divide="ignore"):
        each = row_totals(times(soft, 0 - np.log(prediction)))
    return each, ProbabilityResiduals(-over(soft, prediction))


def pullback(residuals: ProbabilityResiduals, dlosses: Array) -> Array:
    return residuals.slope * spread(dlosses, residuals.slope.ndim)


def binary_losses(prediction: Array, target: Array) -> tuple[Array, ProbabilityResiduals]:
    t = check_between(check_pair(prediction, target), 0, 1, "target")
    check_predicted(prediction)
    with np.errstate(divide="ignore"):
        each = times(t, 0 - np.log(prediction)) + times(1 - t, 0 - np.log1p(-prediction))
    return each, ProbabilityResiduals(over(1 - t, 1 - prediction) - over(t, prediction))


def cross_entropy(*, reduction: Reduction = "mean") -> Loss[Array, Labels | Weighted[Labels]]:
    """Cross-entropy of predicted probabilities over the last axis: for a network that ends with ``softmax``.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over the rows.

    Returns
    -------
    Loss
        Of probabilities (n, ..., C), floating, and either labels 0 to C - 1, (n, ...), integers, or probabilities (n, ..., C)
        whose rows sum to 1.  Weights (see :class:`funcnn.Weighted`) have the shape (n,) or up to that of the labels.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when a prediction is not from 0 to 1, the target is neither labels nor probabilities, or the batch is
        empty.

    Notes
    -----
    Where there is a choice, let the network end with its last affine layer and take :func:`softmax_cross_entropy`: it keeps its
    digits at any logits, and has class weights, label smoothing and labels to ignore.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.cross_entropy()
    >>> made = loss.forward(np.array([[0.5, 0.5], [0.2, 0.8]]), np.array([0, 1]))
    >>> round(float(made.value), 6)
    0.458145
    >>> loss.backward(made.residuals)
    array([[-1.   ,  0.   ],
           [ 0.   , -0.625]])
    """
    return reduced("cross_entropy", Rule(losses, pullback, features=1), reduction)


def binary_cross_entropy(*, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Binary cross-entropy of predicted probabilities, entry by entry: for a network that ends with ``sigmoid``.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of probabilities and targets of one shape, (n, ...), floating, from 0 to 1.  Weights (see :class:`funcnn.Weighted`) may be
        given to examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when the two are not floating arrays of one shape, one is not from 0 to 1, or the batch is empty.

    Notes
    -----
    Where there is a choice, take :func:`sigmoid_cross_entropy` of logits, which keeps its digits at any logit.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.binary_cross_entropy()
    >>> made = loss.forward(np.array([[0.5], [0.75]]), np.array([[1.0], [0.0]]))
    >>> round(float(made.value), 6)
    1.039721
    >>> loss.backward(made.residuals)
    array([[-1.],
           [ 2.]])
    """
    return reduced("binary_cross_entropy", Rule(binary_losses, pullback, features=0), reduction)
