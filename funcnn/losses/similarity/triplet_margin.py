r"""Triplet loss (Schroff et al. 2015, arXiv:1503.03832, eq. 3, with plain distances): an anchor is nearest to its like.

Indices: $n$ triplet (any number of leading axes), $i$ entry of a vector; $a$ anchor, $p$ positive, $q$ negative, $m$ the margin.
$$ \ell = \max\left(0,\; |a - p| - |a - q| + m\right). $$

Derivation.  With the directions $u = (a - p) / |a - p|$ and $v = (a - q) / |a - q|$, where the loss is positive
$\mathrm{d}\ell = u \cdot (\mathrm{d}a - \mathrm{d}p) - v \cdot (\mathrm{d}a - \mathrm{d}q)$, elsewhere 0:
$$ \bar a = (u - v)\,\bar\ell, \qquad \bar p = -u\,\bar\ell, \qquad \bar q = v\,\bar\ell. $$
The direction of a distance 0 is taken as 0.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_range
from funcnn.kernels.arrays import positive_part
from funcnn.losses.checks import check_no_target, check_tuple
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced, spread
from funcnn.losses.similarity.vectors import polar
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, Empty


@frozen(eq=False)
class TripletResiduals:
    """The directions to the anchor from the positive and from the negative, 0 where the loss is."""

    positive: Array
    negative: Array


def losses(margin: float, prediction: tuple[Array, Array, Array], target: Empty) -> tuple[Array, TripletResiduals]:
    anchor, positive, negative = check_tuple(prediction, ("anchor", "positive", "negative"), 2)
    check_no_target(target)
    near, far = anchor - positive, anchor - negative
    near_polar, far_polar = polar(near), polar(far)
    each = positive_part(near_polar.length - far_polar.length + margin)
    active = (each.real > 0)[..., None]
    return each, TripletResiduals(near_polar.direction * active, far_polar.direction * active)


def pullback(residuals: TripletResiduals, dlosses: Array) -> tuple[Array, Array, Array]:
    share = spread(dlosses, residuals.positive.ndim)
    positive, negative = residuals.positive * share, residuals.negative * share
    return positive - negative, -positive, negative


def triplet_margin(
    margin: float = 1.0, *, reduction: Reduction = "mean"
) -> Loss[tuple[Array, Array, Array], Empty | Weighted[Empty]]:
    """Mean over triplets of what the distance to the negative lacks to be larger, by a margin, than that to the positive.

    Parameters
    ----------
    margin : float, optional
        At least 0.
    reduction : {"mean", "sum"}, optional
        Over the triplets.

    Returns
    -------
    Loss
        Of a prediction ``(anchor, positive, negative)``, three floating arrays of vectors, all (n, ..., D); its target is the
        empty tuple, or ``Weighted((), weight)`` with a weight (n,) or up to (n, ...).

    Raises
    ------
    TypeError, ValueError
        When the margin is negative; in ``forward``, when the three are not floating arrays of one shape, or the batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.triplet_margin()
    >>> made = loss.forward((np.array([[0.0, 0.0]]), np.array([[2.0, 0.0]]), np.array([[0.0, 2.5]])), ())
    >>> made.value
    np.float64(0.5)
    >>> loss.backward(made.residuals)
    (array([[-1.,  1.]]), array([[ 1., -0.]]), array([[ 0., -1.]]))
    """
    margin = check_range(margin, "margin", 0, np.inf, open_high=True)
    return reduced(f"triplet_margin({margin:g})", Rule(partial(losses, margin), pullback, features=1), reduction)
