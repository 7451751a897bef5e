r"""Softmax and cross-entropy in one, from logits: the loss of classification.

Indices: $n$ row (any number of leading axes), $c$ class of $C$; $z$ logits, $q$ target probabilities, $y$ label.  With
$p_{nc} = e^{z_{nc}} / \sum_k e^{z_{nk}}$
$$ \ell_n = -\sum_c q_{nc} \log p_{nc}. $$
Label smoothing $\varepsilon$ (Szegedy et al. 2016, section 7) replaces $q$ by $(1 - \varepsilon)\,q + \varepsilon / C$.  Class
weights $w$ replace $q_{nc}$ by $w_c q_{nc}$; a row with a label then counts as $w_{y_n}$ in the mean.

Stable form.  Let $m$ be the place of the largest logit of a row, $s_c = z_c - z_m \le 0$, and $E = \sum_{c \ne m} e^{s_c}$.  Then
$$ -\log p_c = \operatorname{log1p}(E) - s_c, $$
two non-negative terms: nothing overflows, nothing cancels, and where $p_m$ is so near 1 that it rounds to it, $E$ still holds
the small difference.

Derivation.  With $Q = \sum_c q_c$, $\ell = Q \log \sum_k e^{z_k} - \sum_c q_c z_c$, and the derivative of the logarithm is $p_c$:
$$ \bar z_c = (Q p_c - q_c)\,\bar\ell. $$
For $c \ne m$, $p_c = e^{s_c} / (1 + E)$; for $m$ itself $1 - p_m = E / (1 + E)$, so that
$Q p_m - q_m = (Q - q_m) - Q E / (1 + E)$, which keeps the digits that $1 + E$ has lost.

With a label, $q$ is 1 at $y$ and 0 elsewhere, and the same is written around $y$ in place of $m$: with $s_c$ as before and
$E = \sum_{c \ne y} e^{s_c}$
$$ \ell = \operatorname{log1p}\left(E + (e^{s_y} - 1)\right) - s_y, \qquad
   \bar z_c = \frac{e^{s_c}}{E + e^{s_y}}\,\bar\ell \;\; (c \ne y), \qquad \bar z_y = -\frac{E}{E + e^{s_y}}\,\bar\ell. $$
Where the label has the largest logit, $s_y$ is 0 and the argument is $E$ exactly; elsewhere $E \ge 1$ and $\ell \ge \log 2$
leaves nothing to lose.  While all logits are moderate no shift is needed at all: with $s = z$,
$\ell = \operatorname{log1p}(E / e^{s_y})$, and the gradient as it stands.

Infinite logits.  A class of logit $-\infty$ is out of question: $p_c = 0$, and where $q_c = 0$ too it adds nothing to the loss.
One of logit $+\infty$ is certain, $s_c = 0$ and $-\infty$ for the others (several share the certainty evenly).  A row of nothing
but $-\infty$ has no softmax: NaN.
"""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import TypeAlias, cast

import numpy as np
from attrs import frozen

from funcnn.errors import check_count, check_range, describe, label_advice
from funcnn.kernels.arrays import constant, ones, sum_last
from funcnn.losses.checks import (
    check_labels,
    check_order,
    check_pair,
    check_plain,
    check_prediction,
    check_probabilities,
    is_array,
    positive_numbers,
)
from funcnn.losses.limits import times
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced, spread
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, BoolArray, IntArray

Labels: TypeAlias = IntArray | Array
"""Classes 0 to C - 1, (...,), or probabilities, (..., C)."""


@frozen(eq=False)
class LabelResiduals:
    """The exponentials with 0 at the labels, where the labels are, $E$, and $E + e^{s_y}$."""

    others: Array  # (..., C)
    places: IntArray  # (n,), into others.ravel()
    sums: Array  # (...,)
    whole: Array  # (...,)


def label_losses(prediction: Array, labels: IntArray) -> tuple[Array, LabelResiduals]:
    labels = check_labels(labels, prediction)
    if not prediction.flags.c_contiguous:
        prediction = np.ascontiguousarray(prediction)
    places = labels.ravel() + starts(labels.size, prediction.shape[-1])
    unit = ones(prediction.shape[-1], prediction.dtype)
    if is_moderate(prediction):
        others: Array = np.exp(prediction)
        flat = others.ravel()  # a view: writing through it changes others
        at_label = flat[places].reshape(labels.shape)
        flat[places] = 0
        sums = others.dot(unit)
        whole = sums + at_label
        np.divide(sums, at_label, at_label)
        each: Array = np.log1p(at_label, at_label)
    else:
        others = np.empty(prediction.shape, prediction.dtype)
        np.subtract(prediction, largest(prediction), others)
        flat = others.ravel()
        at_label = flat[places].reshape(labels.shape)
        np.exp(others, others)
        flat[places] = 0
        sums = others.dot(unit)
        whole = np.expm1(at_label)
        whole += sums
        each = np.log1p(whole)
        each -= at_label
        whole += 1
    return each, LabelResiduals(others, places, sums, whole)


def label_pullback(residuals: LabelResiduals, dlosses: Array) -> Array:
    share = dlosses / residuals.whole
    gradient = residuals.others * share[..., None]
    share *= residuals.sums
    gradient.ravel()[residuals.places] = np.negative(share, share).ravel()
    return gradient


def is_moderate(logits: Array) -> bool:
    """Tell whether no sum and no ratio of the logits' exponentials can overflow or lose digits to underflow."""
    real, bound = logits.real, moderate_bound(logits.real.dtype)
    return bool(real.size) and real.item(real.argmax()) <= bound and real.item(real.argmin()) >= -bound


@lru_cache(maxsize=8)
def moderate_bound(dtype: np.dtype[np.floating]) -> float:
    """Return a fifth of the largest binary exponent: 25 for float32, whose range has room for ratios of e^25 to e^-25."""
    return float(np.finfo(dtype).maxexp // 5)


def largest(logits: Array) -> Array:
    """Return the largest of each row of logits in C order, as a column."""
    return logits.ravel()[places_of_largest(logits)].reshape(*logits.shape[:-1], 1)


def places_of_largest(logits: Array) -> IntArray:
    """Return the place of each row's largest entry in ``logits.ravel()``: ``argmax`` is several times faster than ``max``."""
    places: IntArray = logits.argmax(-1).ravel()
    places += starts(places.size, logits.shape[-1])
    return places


@lru_cache(maxsize=64)
def starts(rows: int, classes: int) -> IntArray:
    """Return the place of each row's first entry, as a read-only array."""
    first = np.arange(rows) * classes
    first.setflags(write=False)
    return first


# ---------------------------------------------------------------------- any target: probabilities, label smoothing, class weights


@frozen(eq=False)
class SoftResiduals:
    """The exponentials of the shifted logits with 0 at the largest, its place, $E$, and $q$ with smoothing and weights in it."""

    others: Array  # (..., C)
    places: IntArray  # (n,), into others.ravel()
    sums: Array  # (...,)
    target: Array  # (..., C)


def soft_losses(prediction: Array, target: Array) -> tuple[Array, SoftResiduals]:
    """Return the losses for any non-negative target q (..., C)."""
    logits = np.ascontiguousarray(prediction)
    shifted = logits - largest(logits)
    places = places_of_largest(shifted)
    others: Array = np.exp(shifted)
    others.ravel()[places] = 0
    sums = sum_last(others)
    minus_log = np.log1p(sums)[..., None] - shifted
    if shifted.size and shifted.item(shifted.argmin()) == -np.inf:
        minus_log[...] = times(target, minus_log)
    else:
        minus_log *= target
    return sum_last(minus_log), SoftResiduals(others, places, sums, target)


def soft_pullback(residuals: SoftResiduals, dlosses: Array) -> Array:
    target, places = residuals.target, residuals.places
    weight = sum_last(target)
    share = weight / (1 + residuals.sums)
    gradient = residuals.others * share[..., None] - target
    gradient.ravel()[places] = weight.ravel() - target.ravel()[places] - (residuals.sums * share).ravel()
    gradient *= spread(dlosses, gradient.ndim)
    return gradient


def soften(smoothing: float, class_weight: tuple[float, ...] | None, prediction: Array, target: Labels) -> Array:
    """Return the target of the rule: probabilities made of labels, smoothed, times the weights of the classes."""
    labels = check_labels(cast(IntArray, target), prediction) if has_labels(prediction, target) else None
    classes, dtype = prediction.shape[-1], prediction.real.dtype
    if labels is not None:
        soft = np.zeros(prediction.shape, dtype)
        soft.ravel()[starts(labels.size, classes) + labels.ravel()] = 1 - smoothing
    else:
        soft = np.array(check_probabilities(check_pair(prediction, cast(Array, target), 2)), dtype, order="C")
        soft *= 1 - smoothing
    soft += smoothing / classes
    if class_weight is not None:
        soft *= weight_row(class_weight, prediction)
    return soft


def weight_row(class_weight: tuple[float, ...], prediction: Array) -> Array:
    """Return the weights of the classes as an array; raise unless there is one for each."""
    if len(class_weight) != prediction.shape[-1]:
        raise ValueError(f"class_weight has {len(class_weight)} entries and the prediction {prediction.shape[-1]} classes")
    return constant(class_weight, prediction.real.dtype)


# ----------------------------------------------------------------------------------------------------------- both together


def has_labels(prediction: Array, target: Labels) -> bool:
    """Tell labels from probabilities; raise when the target is neither."""
    if is_array(target, "iu"):
        return True
    check_order(prediction, target)
    check_prediction(prediction, 2)
    check_plain(target, "target")
    if not is_array(target, "f") or target.shape != prediction.shape:
        mistyped = not is_array(target, "f") or target.ndim < prediction.ndim
        raise (TypeError if mistyped else ValueError)(
            f"target is {describe(target)}, expected integer labels of shape {prediction.shape[:-1]}"
            f" or floating probabilities of shape {prediction.shape}{label_advice(target)}"
        )
    return False


def losses(
    smoothing: float, class_weight: tuple[float, ...] | None, prediction: Array, target: Labels
) -> tuple[Array, LabelResiduals | SoftResiduals]:
    if smoothing == 0 and class_weight is None and has_labels(prediction, target):
        return label_losses(prediction, cast(IntArray, target))
    return soft_losses(prediction, soften(smoothing, class_weight, prediction, target))


def limits(
    smoothing: float, class_weight: tuple[float, ...] | None, prediction: Array, target: Labels
) -> tuple[Array, LabelResiduals | SoftResiduals]:
    """Return the same at infinite logits too."""
    return losses(smoothing, class_weight, certain(prediction), target)


def certain(logits: Array) -> Array:
    """Return logits in which the rows with one of +infinity have 0 there, and -infinity elsewhere: of the same softmax."""
    infinite = logits.real == np.inf
    return np.where(infinite, 0, np.where(infinite.any(-1, keepdims=True), -np.inf, logits))


def pullback(residuals: LabelResiduals | SoftResiduals, dlosses: Array) -> Array:
    if isinstance(residuals, LabelResiduals):
        return label_pullback(residuals, dlosses)
    return soft_pullback(residuals, dlosses)


def class_mass(class_weight: tuple[float, ...], target: Labels) -> Array:
    """Return how much each row counts in the mean: the weight of its label, or 1 where there are probabilities."""
    if is_array(target, "iu"):
        return constant(class_weight, np.dtype(float))[cast(IntArray, target)]
    return np.ones(target.shape[:-1])


def class_mask(ignore_index: int, prediction: Array, target: Labels) -> BoolArray:
    """Return which labels are not the one to ignore; raise when the target has no labels."""
    if not has_labels(prediction, target):
        raise TypeError(
            f"ignore_index is {ignore_index}, and the target {describe(target)} holds probabilities, no labels: leave rows out by"
            " fn.Weighted(target, mask)"
        )
    return kept_labels(ignore_index, target)


def kept_labels(ignore_index: int, target: Labels) -> BoolArray:
    """Return which rows of a right target count: those whose label is not the one to ignore, and all of probabilities."""
    kept: BoolArray = target != ignore_index if is_array(target, "iu") else np.ones(target.shape[:-1], bool)
    return kept


def check_class_weight(class_weight: Sequence[float] | None) -> tuple[float, ...] | None:
    """Return the weights of the classes as a tuple; raise unless they are numbers of at least 0.

    Beyond the bound their sum over a batch would overflow in single precision, and a mean with it.
    """
    if class_weight is None:
        return None
    weights = positive_numbers(class_weight, "class_weight", zero=True, below=1e30)
    if not isinstance(weights, tuple):
        raise TypeError(f"class_weight is {class_weight!r}, expected one number for each class")
    return weights


def check_ignore_index(ignore_index: int | None) -> int | None:
    """Return the label to ignore as a Python int; raise unless it is an integer."""
    return None if ignore_index is None else check_count(ignore_index, "ignore_index", least=-(2**63))


def softmax_cross_entropy(
    *,
    label_smoothing: float = 0.0,
    class_weight: Sequence[float] | None = None,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
) -> Loss[Array, Labels | Weighted[Labels]]:
    """Cross-entropy of ``softmax(prediction)`` over the last axis: the prediction is the logits of C classes.

    Parameters
    ----------
    label_smoothing : float, optional
        In [0, 1): the part of the target that is spread evenly over the classes (Szegedy et al. 2016, arXiv:1512.00567, section
        7).
    class_weight : sequence of C floats, optional
        At least 0.  What each class counts.  With labels, the mean is the weighted one, by the weights of the rows' labels.
    ignore_index : int, optional
        Rows with this label are left out, of the mean as well; a target of probabilities is then an error.
    reduction : {"mean", "sum"}, optional
        Over the rows.

    Returns
    -------
    Loss
        Of logits (n, ..., C), floating, and either labels 0 to C - 1, (n, ...), integers, or probabilities (n, ..., C),
        floating, whose rows sum to 1. Weights (see :class:`funcnn.Weighted`) have the shape (n,) or up to that of the labels.

    Raises
    ------
    TypeError, ValueError
        When an option is out of its range; in ``forward``, when labels are not integers from 0 to C - 1, one for each row, when
        probabilities are negative or don't sum to 1 (to the square root of their precision), when the prediction is not
        floating, or no row is left.

    Notes
    -----
    The network ends with its last affine layer: the softmax is part of the loss, which keeps its digits at any logits.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.softmax_cross_entropy()
    >>> made = loss.forward(np.array([[0.0, 0.0], [1e4, 0.0]]), np.array([1, 0]))
    >>> made.value
    np.float64(0.34657359027997264)
    >>> loss.backward(made.residuals)
    array([[ 0.25, -0.25],
           [-0.  ,  0.  ]])
    """
    label_smoothing = check_range(label_smoothing, "label_smoothing", 0, 1, open_high=True)
    weights, ignored = check_class_weight(class_weight), check_ignore_index(ignore_index)
    smoothed_sum = label_smoothing > 0 and reduction == "sum"  # to which rows add whose own label weighs nothing
    rule = Rule(
        partial(losses, label_smoothing, weights),
        pullback,
        features=1,
        mass=None if weights is None or smoothed_sum else partial(class_mass, weights),
        mask=None if ignored is None else partial(class_mask, ignored),
        counted=None if ignored is None else partial(kept_labels, ignored),
        limits=partial(limits, label_smoothing, weights),
    )
    options = {"label_smoothing": label_smoothing or None, "class_weight": weights, "ignore_index": ignored}
    shown = ", ".join(f"{name}={value}" for name, value in options.items() if value is not None)
    return reduced(f"softmax_cross_entropy({shown})" if shown else "softmax_cross_entropy", rule, reduction)
