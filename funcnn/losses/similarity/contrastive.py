r"""Contrastive loss (Hadsell, Chopra and LeCun 2006, eq. 4): pairs that belong together come close, others keep a distance.

Indices: $n$ pair (any number of leading axes), $i$ entry of a vector; $d = x - y$, $D = |d|$, $m$ the margin, and the target
$t$ is 1 for a pair that belongs together and 0 for another (the paper has it the other way round).
$$ \ell = \tfrac12\,t D^2 + \tfrac12 (1 - t)\,h^2, \qquad h = \max(0,\; m - D). $$

Derivation.  $\mathrm{d}D = u \cdot \mathrm{d}d$ with the direction $u = d / D$, so that $\mathrm{d}\ell = \left(t D - (1 -
t)\,h\right) u \cdot \mathrm{d}d$:
$$ \bar x = \left(t\,d - (1 - t)\,h\,u\right) \bar\ell, \qquad \bar y = -\bar x. $$
At $D = 0$, where $u$ is not defined, it is taken as 0.
"""

from functools import partial

import numpy as np

from funcnn.errors import check_range
from funcnn.kernels.arrays import positive_part
from funcnn.losses.checks import check_between, check_tuple
from funcnn.losses.limits import times
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced, spread
from funcnn.losses.similarity.cosine_embedding import check_pair_target
from funcnn.losses.similarity.vectors import polar
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


def losses(margin: float, prediction: tuple[Array, Array], target: Array) -> tuple[Array, Array]:
    x, y = check_tuple(prediction, ("first", "second"), 2)
    target = check_pair_target(x, target)
    target = check_between(target, 0, 1, "target")
    difference = x - y
    parts = polar(difference)
    distance = parts.length
    missing = positive_part(margin - distance)
    each = times(target, distance * distance / 2) + (1 - target) * missing * missing / 2
    pull, push = target[..., None], ((1 - target) * missing)[..., None]
    return each, times(pull, difference) - push * parts.direction


def pullback(gradient: Array, dlosses: Array) -> tuple[Array, Array]:
    first = gradient * spread(dlosses, gradient.ndim)
    return first, -first


def contrastive(margin: float = 1.0, *, reduction: Reduction = "mean") -> Loss[tuple[Array, Array], Array | Weighted[Array]]:
    """Half the squared distance of pairs that belong together, and half the square of what others lack of a margin.

    Parameters
    ----------
    margin : float, optional
        Positive.
    reduction : {"mean", "sum"}, optional
        Over the pairs.

    Returns
    -------
    Loss
        Of a prediction ``(first, second)``, two floating arrays of vectors (n, ..., D), and a target (n, ...), floating: 1 for
        pairs that belong together, 0 for others. Weights (see :class:`funcnn.Weighted`) have the shape (n,) or up to the
        target's.

    Raises
    ------
    TypeError, ValueError
        When the margin is not positive; in ``forward``, when arrays are not floating or of unlike shapes, a target is not in
        [0, 1], or the batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.contrastive(6.0)
    >>> made = loss.forward((np.array([[3.0, 4.0]]), np.zeros((1, 2))), np.array([0.0]))
    >>> made.value
    np.float64(0.5)
    >>> loss.backward(made.residuals)
    (array([[-0.6, -0.8]]), array([[0.6, 0.8]]))
    """
    margin = check_range(margin, "margin", 0, np.inf, open_low=True, open_high=True)
    return reduced(f"contrastive({margin:g})", Rule(partial(losses, margin), pullback, features=1), reduction)
