r"""Margin ranking loss: of two scores, the one that should be higher is to be higher by a margin.

For each entry, with the scores $a$ and $b$, the target $t = \pm 1$ ($1$ if $a$ should be the higher) and the margin $m$
$$ \ell = h = \max\left(0,\; m - t\,(a - b)\right). $$

Derivation.  Where $h > 0$, $\mathrm{d}\ell = -t\,(\mathrm{d}a - \mathrm{d}b)$, elsewhere 0:
$$ \bar a = -t\,[h > 0]\,\bar\ell, \qquad \bar b = -\bar a. $$
"""

from functools import partial

import numpy as np

from funcnn.errors import check_range
from funcnn.kernels.arrays import positive_part
from funcnn.losses.checks import check_pair, check_signs, check_tuple
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


def losses(margin: float, prediction: tuple[Array, Array], target: Array) -> tuple[Array, Array]:
    first, second = check_tuple(prediction, ("first", "second"))
    target = check_pair(first, target)
    check_signs(target)
    each = positive_part(margin - target * (first - second))
    return each, -target * (each.real > 0)


def pullback(slope: Array, dlosses: Array) -> tuple[Array, Array]:
    gradient = slope * dlosses
    return gradient, -gradient


def margin_ranking(margin: float = 0.0, *, reduction: Reduction = "mean") -> Loss[tuple[Array, Array], Array | Weighted[Array]]:
    """Mean over all entries of ``max(0, margin - target * (first - second))``: learning to rank from pairs.

    Parameters
    ----------
    margin : float, optional
        At least 0.
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of a prediction ``(first, second)``, two floating arrays of scores, and a target, all of one shape (n, ...); the target
        is 1 where the first should be higher and -1 where the second should.  Weights (see :class:`funcnn.Weighted`) may be
        given to examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        When the margin is negative; in ``forward``, when the three are not floating arrays of one shape, a target is not -1 or
        1, or the batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.margin_ranking(1.0)
    >>> made = loss.forward((np.array([0.5]), np.array([0.0])), np.array([1.0]))
    >>> made.value
    np.float64(0.5)
    >>> loss.backward(made.residuals)
    (array([-1.]), array([1.]))
    """
    margin = check_range(margin, "margin", 0, np.inf, open_high=True)
    return reduced(f"margin_ranking({margin:g})", Rule(partial(losses, margin), pullback, features=0), reduction)
