r"""Negative log-likelihood of labels, from log-probabilities.

Indices: $n$ row (any number of leading axes), $c$ class; $x$ log-probabilities, $y$ label, $w$ class weights.
$$ \ell_n = -w_{y_n} x_{n y_n}, $$
and a row counts as $w_{y_n}$ in the mean.

Derivation.  $\ell_n$ is linear in one entry of its row: $\bar x_{nc} = -w_{y_n} [c = y_n]\,\bar\ell_n$.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from attrs import frozen

from funcnn.losses.checks import check_label_array, check_labels
from funcnn.losses.classification.softmax_cross_entropy import (
    check_class_weight,
    check_ignore_index,
    class_mass,
    kept_labels,
    starts,
    weight_row,
)
from funcnn.losses.limits import times
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, BoolArray, IntArray, Shape


@frozen(eq=False)
class LikelihoodResiduals:
    """The shape of the prediction, where the labels are in it, and their weights."""

    shape: Shape
    places: IntArray  # (n,), into the raveled prediction
    weight: Array  # (...,), or () without class weights


def losses(class_weight: tuple[float, ...] | None, prediction: Array, target: IntArray) -> tuple[Array, LikelihoodResiduals]:
    labels = check_labels(target, prediction)
    places = labels.ravel() + starts(labels.size, prediction.shape[-1])
    weight = np.ones((), prediction.real.dtype) if class_weight is None else weight_row(class_weight, prediction)[labels]
    each = times(-weight, prediction.ravel()[places].reshape(labels.shape))
    return each, LikelihoodResiduals(prediction.shape, places, weight)


def pullback(residuals: LikelihoodResiduals, dlosses: Array) -> Array:
    share = -residuals.weight * dlosses
    gradient = np.zeros(residuals.shape, share.dtype)
    gradient.ravel()[residuals.places] = np.broadcast_to(share, residuals.shape[:-1]).ravel()
    return gradient


def mask(ignore_index: int, prediction: Array, target: IntArray) -> BoolArray:
    check_label_array(target, prediction)
    kept: BoolArray = target != ignore_index
    return kept


def negative_log_likelihood(
    *, class_weight: Sequence[float] | None = None, ignore_index: int | None = None, reduction: Reduction = "mean"
) -> Loss[Array, IntArray | Weighted[IntArray]]:
    """Minus the log-probability of the label: the loss for a network that ends with ``log_softmax``.

    Parameters
    ----------
    class_weight : sequence of C floats, optional
        At least 0.  What each class counts; the mean is the weighted one.
    ignore_index : int, optional
        Rows with this label are left out, of the mean as well.
    reduction : {"mean", "sum"}, optional
        Over the rows.

    Returns
    -------
    Loss
        Of log-probabilities (n, ..., C), floating, and labels 0 to C - 1, (n, ...), integers.  Weights (see
        :class:`funcnn.Weighted`) have the shape (n,) or up to that of the labels.

    Raises
    ------
    TypeError, ValueError
        When an option is out of its range; in ``forward``, when labels are not integers from 0 to C - 1, one for each row, when
        the prediction is not floating, or no row is left.

    See Also
    --------
    softmax_cross_entropy : the same from logits, in one step and with more digits.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.negative_log_likelihood()
    >>> made = loss.forward(np.array([[-2.0, -0.5], [-1.0, -3.0]]), np.array([1, 0]))
    >>> made.value
    np.float64(0.75)
    >>> loss.backward(made.residuals)
    array([[ 0. , -0.5],
           [-0.5,  0. ]])
    """
    weights, ignored = check_class_weight(class_weight), check_ignore_index(ignore_index)
    rule = Rule(
        partial(losses, weights),
        pullback,
        features=1,
        mass=None if weights is None else partial(class_mass, weights),
        mask=None if ignored is None else partial(mask, ignored),
        counted=None if ignored is None else partial(kept_labels, ignored),
    )
    return reduced("negative_log_likelihood", rule, reduction)
