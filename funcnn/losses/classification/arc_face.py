r"""Additive angular margin (ArcFace: Deng et al. 2019, arXiv:1801.07698, eq. 3): the angle to the own class counts for more.

Indices: $n$ row (any number of leading axes, left out below), $c$ class of $C$; $x_c = \cos\theta_c$ the cosines of the angles
between a vector and the directions of the classes, $y$ label, $m$ margin and $s$ scale.
$$ \ell = -\log \frac{e^{s\,\varphi}}{e^{s\,\varphi} + \sum_{c \ne y} e^{s\,x_c}}, \qquad \varphi = \cos(\theta_y + m) . $$
Past $\theta_y + m = \pi$ the cosine would rise again, and the loss fall with a growing angle; there it is continued as
$\varphi = -2 - \cos(\theta_y + m)$ (Liu et al. 2017, arXiv:1704.08063, section 3.2), which is smooth and goes on falling.

Derivation.  With $\sin\theta = \sqrt{(1 - x)(1 + x)}$, which keeps its digits near $\pm 1$, and $\sigma = \pm 1$, the sign of
the two branches, $\varphi = \sigma (x_y \cos m - \sin\theta_y \sin m) - (1 - \sigma)$ and
$$ \frac{\mathrm{d}\varphi}{\mathrm{d}x_y} = \sigma \left(\cos m + \frac{x_y}{\sin\theta_y} \sin m\right) . $$
The cotangents of the logits $z = s\,(x$ with $\varphi$ at $y)$ are those of the softmax cross-entropy: $\bar x_c = s\,\bar z_c$
for $c \ne y$, and $\bar x_y = s \frac{\mathrm{d}\varphi}{\mathrm{d}x_y} \bar z_y$.  At $x_y = \pm 1$ the angle has a kink and
the slope no value: 1 is taken.
"""

import math
from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_range
from funcnn.losses.checks import check_between, check_labels
from funcnn.losses.classification.softmax_cross_entropy import LabelResiduals, label_losses, label_pullback
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, IntArray


@frozen(eq=False)
class ArcFaceResiduals:
    """What the cross-entropy kept, and the slope of each own cosine with the margin."""

    kept: LabelResiduals
    slope: Array  # (...,)


def losses(margin: float, scale: float, prediction: Array, target: IntArray) -> tuple[Array, ArcFaceResiduals]:
    labels = check_labels(target, prediction)
    clipped = check_between(prediction.real, -1, 1, "prediction")
    cosines: Array = np.where(clipped == prediction.real, prediction, clipped)
    own: Array = np.take_along_axis(cosines, labels[..., None], -1)[..., 0]
    sine: Array = np.sqrt((1 - own) * (1 + own))
    turned = own * math.cos(margin) - sine * math.sin(margin)
    falling = own.real >= -math.cos(margin)  # where the angle and the margin are at most a half turn
    there = sine.real > 0
    slope = math.cos(margin) + own / np.where(there, sine, 1) * math.sin(margin)
    logits = cosines * scale
    np.put_along_axis(logits, labels[..., None], (scale * np.where(falling, turned, -2 - turned))[..., None], -1)
    each, kept = label_losses(logits, labels)
    return each, ArcFaceResiduals(kept, np.where(there, np.where(falling, slope, -slope), 1))


def pullback(scale: float, residuals: ArcFaceResiduals, dlosses: Array) -> Array:
    gradient = label_pullback(residuals.kept, dlosses)
    gradient *= scale
    gradient.ravel()[residuals.kept.places] *= residuals.slope.ravel()
    return gradient


def arc_face(
    margin: float = 0.5, *, scale: float = 64.0, reduction: Reduction = "mean"
) -> Loss[Array, IntArray | Weighted[IntArray]]:
    """Cross-entropy of cosines, with a margin added to the angle between each example and its class (ArcFace).

    Parameters
    ----------
    margin : float, optional
        In [0, pi/2], in radians.
    scale : float, optional
        Positive: what the cosines are multiplied by.
    reduction : {"mean", "sum"}, optional
        Over the rows.

    Returns
    -------
    Loss
        Of cosines (n, ..., C), floating, in [-1, 1], of embeddings and the directions of the classes, and labels 0 to C - 1,
        (n, ...), integers.  Weights (see :class:`funcnn.Weighted`) have the shape (n,) or up to that of the labels.

    Raises
    ------
    TypeError, ValueError
        When an option is out of its range; in ``forward``, when labels are not integers from 0 to C - 1, one for each row, a
        cosine is not in [-1, 1], or the batch is empty.

    References
    ----------
    Deng, Guo, Xue & Zafeiriou (2019), ArcFace: additive angular margin loss for deep face recognition, arXiv:1801.07698.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> cosines, labels = np.array([[0.5, 0.1, -0.3]]), np.array([0])
    >>> loss = fn.arc_face(0.5, scale=4.0)
    >>> made = loss.forward(cosines, labels)
    >>> round(float(made.value), 6)
    0.967563
    >>> loss.backward(made.residuals).round(3)
    array([[-2.863,  2.063,  0.417]])

    Without a margin it is the softmax cross-entropy of the scaled cosines.

    >>> plain = fn.softmax_cross_entropy().forward(4.0 * cosines, labels).value
    >>> bool(np.isclose(fn.arc_face(0.0, scale=4.0).forward(cosines, labels).value, plain))
    True
    """
    margin = check_range(margin, "margin", 0, math.pi / 2)
    scale = check_range(scale, "scale", 0, np.inf, open_low=True, open_high=True)
    rule = Rule(partial(losses, margin, scale), partial(pullback, scale), features=1)
    return reduced(f"arc_face({margin:g}, scale={scale:g})", rule, reduction)
