r"""Focal losses (Lin et al. 2017, arXiv:1708.02002, eq. 4 and 5): cross-entropy that counts what is already right for less.

With $p$ the probability given to the truth, an exponent $\gamma \ge 0$ and a weight $w$
$$ \ell = -w\,(1 - p)^\gamma \log p. $$

Sigmoid.  For the logit $z$ of an entry and a target $t \in [0, 1]$, with $a = \alpha t$ and $b = (1 - \alpha)(1 - t)$ (or $t$
and $1 - t$)
$$ \ell = a\,A(z) + b\,A(-z), \qquad
   A(z) = -\sigma(-z)^\gamma \log\sigma(z) = e^{-\gamma \operatorname{sp}(z)} \operatorname{sp}(-z), $$
where $\operatorname{sp}(z) = \log(1 + e^z)$ is taken as $\max(z, 0) + \operatorname{log1p}(e^{-|z|})$: nothing overflows or
cancels.

Derivation.  $\operatorname{sp}' = \sigma$, so that $A'(z) = -e^{-\gamma\operatorname{sp}(z)} \left(\gamma\,\sigma(z)
\operatorname{sp}(-z) + \sigma(-z)\right)$ with both terms of one sign, and
$$ \bar z = \left(a\,A'(z) - b\,A'(-z)\right)\bar\ell. $$

Softmax.  For the logits of a row and its label, with $\kappa = -\log p$ the cross-entropy and $q = 1 - p$, $\ell = w\,q^\gamma
\kappa$.

Derivation.  $\mathrm{d}q = -\mathrm{d}p = p\,\mathrm{d}\kappa$, so that $\mathrm{d}\ell = w\left(\gamma q^{\gamma - 1}
p\,\kappa + q^\gamma\right)\mathrm{d}\kappa$:
$$ \bar\kappa = w\,q^\gamma \left(1 + \gamma\,p\,\kappa / q\right) \bar\ell, $$
and from there on as derived for the cross-entropy.  $\kappa / q$ tends to 1 as $q$ goes to 0.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_range
from funcnn.kernels.arrays import absolute, negative_part, positive_part
from funcnn.losses.checks import check_between, check_pair
from funcnn.losses.classification.softmax_cross_entropy import (
    LabelResiduals,
    certain,
    check_class_weight,
    class_mass,
    label_losses,
    label_pullback,
    weight_row,
)
from funcnn.losses.limits import times
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, IntArray

# ------------------------------------------------------------------------------------------------------------------ sigmoid


@frozen(eq=False)
class SigmoidFocalResiduals:
    """The weights $a$ and $b$, and the softplus of the logit and of its negative."""

    positive: Array
    negative: Array
    above: Array
    below: Array


def sigmoid_losses(gamma: float, alpha: float | None, prediction: Array, target: Array) -> tuple[Array, SigmoidFocalResiduals]:
    target = check_pair(prediction, target)
    target = check_between(target, 0, 1, "target")
    positive, negative = (target, 1 - target) if alpha is None else (alpha * target, (1 - alpha) * (1 - target))
    tail: Array = np.log1p(np.exp(-absolute(prediction)))
    above, below = tail + positive_part(prediction), tail - negative_part(prediction)
    each = times(positive, times(power(gamma, above), below)) + times(negative, times(power(gamma, below), above))
    return each, SigmoidFocalResiduals(positive, negative, above, below)


def power(gamma: float, softplus: Array) -> Array:
    """Return the power of a probability whose negative logarithm is given: 1 for the exponent 0, whatever that is."""
    factor: Array = np.exp(-gamma * softplus) if gamma else np.ones_like(softplus)
    return factor


def sigmoid_pullback(gamma: float, residuals: SigmoidFocalResiduals, dlosses: Array) -> Array:
    above, below = residuals.above, residuals.below
    sigmoid, opposite = np.exp(-below), np.exp(-above)
    rising = power(gamma, below) * (times(gamma * opposite, above) + sigmoid)
    falling = power(gamma, above) * (times(gamma * sigmoid, below) + opposite)
    gradient: Array = (times(residuals.negative, rising) - times(residuals.positive, falling)) * dlosses
    return gradient


# ------------------------------------------------------------------------------------------------------------------ softmax


@frozen(eq=False)
class SoftmaxFocalResiduals:
    """The residuals of the cross-entropy, and the derivative of the losses by it."""

    entropy: LabelResiduals
    slope: Array  # (...,)


def softmax_losses(
    gamma: float, class_weight: tuple[float, ...] | None, prediction: Array, target: IntArray
) -> tuple[Array, SoftmaxFocalResiduals]:
    entropy, residuals = label_losses(prediction, target)
    wrong = residuals.sums / residuals.whole
    factor = np.power(wrong, gamma)
    if class_weight is not None:
        factor = factor * weight_row(class_weight, prediction)[target]
    ratio = np.divide(entropy, wrong, out=np.ones_like(entropy), where=wrong != 0)
    slope = factor * (1 + times(gamma * np.exp(-entropy), ratio))
    return times(factor, entropy), SoftmaxFocalResiduals(residuals, slope)


def softmax_limits(
    gamma: float, class_weight: tuple[float, ...] | None, prediction: Array, target: IntArray
) -> tuple[Array, SoftmaxFocalResiduals]:
    """Return the same at infinite logits too."""
    return softmax_losses(gamma, class_weight, certain(prediction), target)


def softmax_pullback(residuals: SoftmaxFocalResiduals, dlosses: Array) -> Array:
    return label_pullback(residuals.entropy, residuals.slope * dlosses)


# -------------------------------------------------------------------------------------------------------------- the factories


def sigmoid_focal(
    gamma: float = 2.0, alpha: float | None = None, *, reduction: Reduction = "mean"
) -> Loss[Array, Array | Weighted[Array]]:
    """Focal loss of two classes, entry by entry: the prediction is a logit.

    Parameters
    ----------
    gamma : float, optional
        At least 0; 0 gives the cross-entropy.
    alpha : float, optional
        In (0, 1): the weight of the positive class, that of the negative being ``1 - alpha``; without it both are 1.
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of logits and targets of one shape, (n, ...); the targets are floating, from 0 to 1.  Weights (see
        :class:`funcnn.Weighted`) may be given to examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        When an option is out of its range; in ``forward``, when the two are not floating arrays of one shape, a target is not
        in [0, 1], or the batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.sigmoid_focal()
    >>> made = loss.forward(np.array([[0.0]]), np.array([[1.0]]))
    >>> round(float(made.value), 12)
    0.17328679514
    """
    gamma = check_range(gamma, "gamma", 0, np.inf, open_high=True)
    if alpha is not None:
        alpha = check_range(alpha, "alpha", 0, 1, open_low=True, open_high=True)
    rule = Rule(partial(sigmoid_losses, gamma, alpha), partial(sigmoid_pullback, gamma), features=0)
    return reduced(f"sigmoid_focal({gamma:g}, alpha={alpha})", rule, reduction)


def softmax_focal(
    gamma: float = 2.0, *, class_weight: Sequence[float] | None = None, reduction: Reduction = "mean"
) -> Loss[Array, IntArray | Weighted[IntArray]]:
    """Focal loss of several classes: the prediction is the logits of C classes.

    Parameters
    ----------
    gamma : float, optional
        At least 0; 0 gives :func:`softmax_cross_entropy`.
    class_weight : sequence of C floats, optional
        At least 0.  What each class counts; the mean is the weighted one.
    reduction : {"mean", "sum"}, optional
        Over the rows.

    Returns
    -------
    Loss
        Of logits (n, ..., C), floating, and labels 0 to C - 1, (n, ...), integers.  Weights (see :class:`funcnn.Weighted`) have
        the shape (n,) or up to that of the labels.

    Raises
    ------
    TypeError, ValueError
        When an option is out of its range; in ``forward``, when labels are not integers from 0 to C - 1, one for each row, when
        the prediction is not floating, or the batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.softmax_focal()
    >>> made = loss.forward(np.array([[0.0, 0.0], [9.0, 0.0]]), np.array([1, 0]))
    >>> round(float(made.value), 9)
    0.086643398
    """
    gamma = check_range(gamma, "gamma", 0, np.inf, open_high=True)
    weights = check_class_weight(class_weight)
    rule = Rule(
        partial(softmax_losses, gamma, weights),
        softmax_pullback,
        features=1,
        limits=partial(softmax_limits, gamma, weights),
        mass=None if weights is None else partial(class_mass, weights),
    )
    return reduced(f"softmax_focal({gamma:g})", rule, reduction)
