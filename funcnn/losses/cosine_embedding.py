r"""Cosine embedding loss: vectors of a pair point in one direction, or else apart.

Indices: $n$ pair (any number of leading axes), $i$ entry of a vector; $x$ and $y$ vectors, $u = x/|x|$ and $v = y/|y|$ their
directions, $c = u \cdot v$ the cosine, $t = \pm 1$ the target, $m$ a margin.
$$ \ell = \begin{cases} 1 - c & t = 1 \\ \max(0,\; c - m) & t = -1. \end{cases} $$

Derivation.  $\mathrm{d}u = (\mathrm{d}x - u\,(u \cdot \mathrm{d}x)) / |x|$: the part of $\mathrm{d}x$ across $x$.  So
$\mathrm{d}c = v \cdot \mathrm{d}u + u \cdot \mathrm{d}v$ gives, with $\bar c = -\bar\ell$ for $t = 1$ and $[c > m]\,\bar\ell$
for $t = -1$
$$ \bar x = \frac{v - c u}{|x|}\,\bar c, \qquad \bar y = \frac{u - c v}{|y|}\,\bar c. $$

Stable form.  Where the directions are nearly the same, $1 - c = \tfrac12 |u - v|^2$ and $v - c u = (v - u) + (1 - c)\,u$; where
they are nearly opposite, $1 + c = \tfrac12 |u + v|^2$ and $v - c u = (v + u) - (1 + c)\,u$.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_range, describe
from funcnn.losses.checks import check_signs, check_tuple, is_array
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.vectors import directions, inverse, lengths
from funcnn.losses.weighted import Weighted
from funcnn.numerics import row_sums
from funcnn.typing import Array


@frozen(eq=False)
class CosineResiduals:
    """The directions, the inverse lengths (0 for a vector of length 0), and the derivative of the loss by the cosine."""

    first: Array  # (..., D)
    second: Array  # (..., D)
    first_inverse: Array  # (...,)
    second_inverse: Array  # (...,)
    slope: Array  # (...,)


def losses(margin: float, prediction: tuple[Array, Array], target: Array) -> tuple[Array, CosineResiduals]:
    x, y = check_tuple(prediction, ("first", "second"), 2)
    target = check_pair_target(x, target)
    check_signs(target)
    x_length, y_length = lengths(x), lengths(y)
    u, v = directions(x, x_length), directions(y, y_length)
    cosine = row_sums(u * v)
    apart = np.where(cosine.real > 0.5, row_sums((u - v) * (u - v)) / 2, 1 - cosine)
    together: Array = np.maximum(cosine - margin, 0)
    slope = np.where(target > 0, -1, together.real > 0).astype(target.dtype)
    return np.where(target > 0, apart, together), CosineResiduals(u, v, inverse(x_length), inverse(y_length), slope)


def pullback(residuals: CosineResiduals, dlosses: Array) -> tuple[Array, Array]:
    u, v = residuals.first, residuals.second
    dcosine = residuals.slope * dlosses
    cosine = row_sums(u * v)[..., None]
    side = np.where(np.abs(cosine.real) > 0.5, np.sign(cosine.real), 0).astype(dlosses.dtype)
    between = v - side * u
    rest = np.where(side == 0, -cosine, side * row_sums(between * between)[..., None] / 2)  # side - c
    first = (between + rest * u) * (residuals.first_inverse * dcosine)[..., None]
    second = (u - side * v + rest * v) * (residuals.second_inverse * dcosine)[..., None]
    return first, second


def check_pair_target(vectors: Array, target: Array) -> Array:
    """Return a target with one number for each pair, in the vectors' precision; raise when it is another thing."""
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
    check_range(margin, "margin", -1, 1, open_high=True)
    return reduced(f"cosine_embedding({margin:g})", Rule(partial(losses, float(margin)), pullback, features=1), reduction)
