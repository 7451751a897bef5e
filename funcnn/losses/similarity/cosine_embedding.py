r"""Cosine embedding loss: vectors of a pair point in one direction, or else apart.

Indices: $n$ pair (any number of leading axes), $i$ entry of a vector; $x$ and $y$ vectors, $u = x/|x|$ and $v = y/|y|$ their
directions, $c = u \cdot v$ the cosine, $t = \pm 1$ the target, $m$ a margin.
$$ \ell = \begin{cases} 1 - c & t = 1 \\ \max(0,\; c - m) & t = -1. \end{cases} $$

Derivation.  $\mathrm{d}u = (\mathrm{d}x - u\,(u \cdot \mathrm{d}x)) / |x|$: the part of $\mathrm{d}x$ across $x$.  So
$\mathrm{d}c = v \cdot \mathrm{d}u + u \cdot \mathrm{d}v$ gives, with $\bar c = -\bar\ell$ for $t = 1$ and $[c > m]\,\bar\ell$
for $t = -1$
$$ \bar x = \frac{v - c u}{|x|}\,\bar c, \qquad \bar y = \frac{u - c v}{|y|}\,\bar c. $$

Stable form.  With what $y$ has across $x$, $y_\perp = y - \frac{x \cdot y}{x \cdot x}\,x$, the gradient is
$v - c u = y_\perp / |y|$, and with $s^2 = |y_\perp|^2 / |y|^2$, the squared sine, $1 - |c| = s^2 / (1 + |c|)$: nothing cancels
where the vectors are nearly parallel, be they alike or opposite.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_range, describe
from funcnn.kernels.arrays import positive_part
from funcnn.losses.checks import check_plain, check_signs, check_tuple, is_array
from funcnn.losses.limits import row_totals
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.similarity.vectors import across, boxed
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


@frozen(eq=False)
class CosineResiduals:
    """The gradients of the cosine by the vectors that are scaled into a box, their scales, and the derivative by the cosine."""

    first: Array  # (..., D)
    second: Array  # (..., D)
    first_scales: tuple[Array, Array]  # (..., 1)
    second_scales: tuple[Array, Array]  # (..., 1)
    slope: Array  # (...,)


def losses(margin: float, prediction: tuple[Array, Array], target: Array) -> tuple[Array, CosineResiduals]:
    first, second = check_tuple(prediction, ("first", "second"), 2)
    target = check_pair_target(first, target)
    check_signs(target)
    x, y = boxed(first), boxed(second)
    lengths = np.sqrt(x.square) * np.sqrt(y.square)
    cosine = row_totals(x.vector * y.vector) / lengths
    y_across, x_across = across(y.vector, x), across(x.vector, y)
    side = np.sign(cosine.real)
    rest = row_totals(y_across * y_across) / y.square / (1 + side * cosine)  # 1 - |c|
    apart = np.where(cosine.real > 0.5, rest, 1 - cosine)
    excess = np.where(cosine.real > 0.5, (1 - margin) - rest, np.where(cosine.real < -0.5, rest - (1 + margin), cosine - margin))
    together = positive_part(excess)
    slope = np.where(target > 0, -1, together.real > 0).astype(target.dtype)
    kept = CosineResiduals(y_across / lengths[..., None], x_across / lengths[..., None], x.scales, y.scales, slope)
    return np.where(target > 0, apart, together), kept


def pullback(residuals: CosineResiduals, dlosses: Array) -> tuple[Array, Array]:
    dcosine = (residuals.slope * dlosses)[..., None]
    first, second = residuals.first * dcosine, residuals.second * dcosine
    for one, scales in ((first, residuals.first_scales), (second, residuals.second_scales)):
        one *= scales[0]
        one *= scales[1]
    return first, second


def check_pair_target(vectors: Array, target: Array) -> Array:
    """Return a target with one number for each pair, in the vectors' precision; raise when it is another thing."""
    check_plain(target, "target")
    if not is_array(target, "f"):
        raise TypeError(f"target is {describe(target)}, expected a real floating array: use .astype(float)")
    if target.shape != vectors.shape[:-1]:
        raise ValueError(f"target has shape {target.shape}, expected {vectors.shape[:-1]}: one number for each pair of vectors")
    return target.astype(vectors.real.dtype)


def cosine_embedding(margin: float = 0.0, *, reduction: Reduction = "mean") -> Loss[tuple[Array, Array], Array | Weighted[Array]]:
    """Mean over pairs of vectors of ``1 - cosine`` where the target is 1, and of ``max(0, cosine - margin)`` where it is -1.

    Parameters
    ----------
    margin : float, optional
        In [-1, 1): the cosine up to which a pair counts as apart.
    reduction : {"mean", "sum"}, optional
        Over the pairs.

    Returns
    -------
    Loss
        Of a prediction ``(first, second)``, two floating arrays of vectors (n, ..., D), and a target (n, ...), floating, of 1
        for pairs that belong together and -1 for others. A vector of length 0 has cosine 0 with all others, and gradient 0.
        Weights (see :class:`funcnn.Weighted`) have the shape (n,) or up to the target's.

    Raises
    ------
    TypeError, ValueError
        When the margin is out of its range; in ``forward``, when arrays are not floating or of unlike shapes, a target is not
        -1 or 1, or the batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.cosine_embedding()
    >>> made = loss.forward((np.array([[1.0, 1.0]]), np.array([[0.0, 2.0]])), np.array([1.0]))
    >>> round(float(made.value), 6)
    0.292893
    >>> loss.backward(made.residuals)[0].round(6)
    array([[ 0.353553, -0.353553]])
    """
    margin = check_range(margin, "margin", -1, 1, open_high=True)
    return reduced(f"cosine_embedding({margin:g})", Rule(partial(losses, margin), pullback, features=1), reduction)
