r"""Hinge embedding loss: a distance is a loss where things belong together, and what it lacks of a margin where they do not.

For each entry, with the distance $x$, the target $t = \pm 1$ and the margin $m$
$$ \ell = \begin{cases} x & t = 1 \\ \max(0,\; m - x) & t = -1 . \end{cases} $$

Derivation.  $\bar x = \bar\ell$ for $t = 1$, and $-[x < m]\,\bar\ell$ for $t = -1$; at the kink, $x = m$, the slope taken is 0.
"""

from functools import partial

import numpy as np

from funcnn.errors import check_range
from funcnn.kernels.arrays import positive_part
from funcnn.losses.checks import check_pair, check_signs
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


def losses(margin: float, prediction: Array, target: Array) -> tuple[Array, Array]:
    """Return the losses and their slopes."""
    target = check_pair(prediction, target)
    check_signs(target)
    missing = positive_part(margin - prediction)
    each: Array = np.where(target > 0, prediction, missing)
    return each, np.where(target > 0, 1, -(missing.real > 0).astype(target.dtype))


def pullback(slopes: Array, dlosses: Array) -> Array:
    return slopes * dlosses


def hinge_embedding(margin: float = 1.0, *, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Mean over all entries of the prediction where the target is 1, and of ``max(0, margin - prediction)`` where it is -1.

    Parameters
    ----------
    margin : float, optional
        Positive: the distance from which on a pair counts as apart.
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of a prediction, distances such as :func:`pairwise_distance` gives, and a target of one shape, (n, ...), floating; the
        target is 1 or -1.  Weights (see :class:`funcnn.Weighted`) may be given to examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        When the margin is not positive; in ``forward``, when the two are not floating arrays of one shape, a target is not -1
        or 1, or the batch is empty.

    See Also
    --------
    contrastive : of the two vectors themselves, with squares.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.hinge_embedding()
    >>> made = loss.forward(np.array([0.5, 0.25, 3.0]), np.array([1.0, -1.0, -1.0]))
    >>> made.value
    np.float64(0.4166666666666667)
    >>> loss.backward(made.residuals).round(6)
    array([ 0.333333, -0.333333, -0.      ])
    """
    margin = check_range(margin, "margin", 0, np.inf, open_low=True, open_high=True)
    return reduced(f"hinge_embedding({margin:g})", Rule(partial(losses, margin), pullback, features=0), reduction)
