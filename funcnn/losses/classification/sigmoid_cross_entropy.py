r"""Sigmoid and binary cross-entropy in one, from logits.

For each entry, with the logit $z$, the target $t \in [0, 1]$, $\sigma(z) = 1/(1 + e^{-z})$ and a weight $w$ of the positive
class (1 if none is given)
$$ \ell = -w t \log \sigma(z) - (1 - t) \log \sigma(-z). $$

Stable form.  $-\log\sigma(\pm z) = \log(1 + e^{-|z|}) + \max(\mp z, 0)$.  With $a = w t$, $b = 1 - t$, $c = a + b$ and
$s = \operatorname{sign} z$ the two logarithms share the first term, and $b \max(z, 0) + a \max(-z, 0)$ is linear on each side
of 0, with slope $b$ to the right and $-a$ to the left:
$$ \ell = c \log(1 + e^{-|z|}) + h z, \qquad h = \tfrac12 (s c + b - a). $$
Nothing overflows, and nothing cancels: for $t \in \{0, 1\}$ the slope is exactly 0 on the side of the right answer, where an
infinite logit costs nothing: $h z$ is then 0.

Label smoothing $\varepsilon$ replaces $t$ by $(1 - \varepsilon)\,t + \varepsilon / 2$.

Derivation.  $\mathrm{d}\ell = \left(b\,\sigma(z) - a\,\sigma(-z)\right)\mathrm{d}z$, since $(\log\sigma)'(z) = \sigma(-z)$.
With $r = \sigma(-|z|) = e^{-|z|} / (1 + e^{-|z|})$ it is $b(1 - r) - a r = b - c r$ on the right and
$b r - a(1 - r) = -a + c r$ on the left, that is
$$ \bar z = (h - s c r)\,\bar\ell, $$
where again nothing cancels.  With $w = 1$ this is $\sigma(z) - t$.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_range, describe
from funcnn.kernels.arrays import constant
from funcnn.losses.checks import check_between, check_pair, positive_numbers
from funcnn.losses.limits import times
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


@frozen(eq=False)
class SigmoidResiduals:
    """What the derivation calls $h$, $s c$ and $e^{-|z|}$."""

    slope: Array
    sign: Array
    decay: Array


def smoothed_losses(
    smoothing: float, pos_weight: float | tuple[float, ...], prediction: Array, target: Array
) -> tuple[Array, SigmoidResiduals]:
    return losses(pos_weight, prediction, smoothed(smoothing, prediction, target))


def smoothed_limits(
    smoothing: float, pos_weight: float | tuple[float, ...], prediction: Array, target: Array
) -> tuple[Array, SigmoidResiduals]:
    """Return the same at infinite logits too."""
    return limits(pos_weight, prediction, smoothed(smoothing, prediction, target))


def smoothed(smoothing: float, prediction: Array, target: Array) -> Array:
    """Return targets drawn towards one half: 0 becomes half of the smoothing, and 1 as much less than 1."""
    t = check_between(check_pair(prediction, target), 0, 1, "target")
    half: Array = t * t.dtype.type(1 - smoothing) + t.dtype.type(smoothing / 2)
    return half


def losses(pos_weight: float | tuple[float, ...], prediction: Array, target: Array) -> tuple[Array, SigmoidResiduals]:
    z, t = prediction, check_between(check_pair(prediction, target), 0, 1, "target")
    half = constant(0.5, t.dtype)
    sign: Array = np.sign(z.real)
    decay = sign * z
    np.negative(decay, decay)
    np.exp(decay, decay)
    each: Array = np.log1p(decay)
    if pos_weight == 1:
        slope = half * sign
        slope += half - t
    else:
        a, b = weights(pos_weight, z) * t, 1 - t
        c = a + b
        each *= c
        sign *= c
        slope = np.where(sign > 0, b, np.where(sign < 0, -a, half * (b - a)))  # of the sum s c + b - a small parts would vanish
    each += slope * z
    return each, SigmoidResiduals(slope, sign, decay)


def limits(pos_weight: float | tuple[float, ...], prediction: Array, target: Array) -> tuple[Array, SigmoidResiduals]:
    """Return the same at infinite logits too."""
    infinite = np.isinf(prediction.real)
    each, residuals = losses(pos_weight, np.where(infinite, np.sign(prediction.real), prediction), target)
    each = np.where(infinite, times(residuals.slope, prediction), each)
    return each, SigmoidResiduals(residuals.slope, residuals.sign, np.where(infinite, 0, residuals.decay))


def weights(pos_weight: float | tuple[float, ...], prediction: Array) -> Array:
    """Return the weights of the positive class as an array; raise unless there is one for all, or one for each position."""
    if isinstance(pos_weight, tuple) and len(pos_weight) != prediction.shape[-1]:
        raise ValueError(
            f"pos_weight has {len(pos_weight)} numbers and the prediction, {describe(prediction)}, {prediction.shape[-1]}"
            " positions in its last axis: give one for each"
        )
    return constant(pos_weight, prediction.real.dtype)


def pullback(residuals: SigmoidResiduals, dlosses: Array) -> Array:
    decay = residuals.decay
    gradient = decay + constant(1, decay.dtype)
    np.divide(decay, gradient, gradient)
    gradient *= residuals.sign
    np.subtract(residuals.slope, gradient, gradient)
    gradient *= dlosses
    return gradient


def sigmoid_cross_entropy(
    *, pos_weight: float | Sequence[float] = 1.0, label_smoothing: float = 0.0, reduction: Reduction = "mean"
) -> Loss[Array, Array | Weighted[Array]]:
    r"""Binary cross-entropy of ``sigmoid(prediction)``, entry by entry: the prediction is a logit.

    Parameters
    ----------
    pos_weight : float or sequence of floats, optional
        Weight of the positive class (one for all, or one for each position of the last axis): above 1 it raises recall, below 1
        precision.
    label_smoothing : float, optional
        In [0, 1): targets are drawn towards one half by it, $t \to (1 - \varepsilon)\,t + \varepsilon / 2$ (Szegedy et al. 2016,
        arXiv:1512.00567, section 7).
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
        When ``pos_weight`` is not positive, or ``label_smoothing`` out of its range; in ``forward``, when the two are not
        floating arrays of one shape, the batch is empty, or a target is not in [0, 1].

    Notes
    -----
    The network ends with its last affine layer: the sigmoid is part of the loss, which keeps its digits at any logit.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.sigmoid_cross_entropy()
    >>> made = loss.forward(np.array([[0.0], [1e4]]), np.array([[1.0], [1.0]]))
    >>> made.value
    np.float64(0.34657359027997264)
    >>> loss.backward(made.residuals)
    array([[-0.25],
           [ 0.  ]])
    """
    weight = positive_numbers(pos_weight, "pos_weight")
    smoothing = check_range(label_smoothing, "label_smoothing", 0, 1, open_high=True)
    options = {"pos_weight": None if weight == 1 else weight, "label_smoothing": smoothing or None}
    shown = ", ".join(f"{name}={value}" for name, value in options.items() if value is not None)
    bound, at_ends = partial(losses, weight), partial(limits, weight)
    if smoothing:
        bound, at_ends = partial(smoothed_losses, smoothing, weight), partial(smoothed_limits, smoothing, weight)
    rule = Rule(bound, pullback, features=0, limits=at_ends)
    return reduced(f"sigmoid_cross_entropy({shown})" if shown else "sigmoid_cross_entropy", rule, reduction)
