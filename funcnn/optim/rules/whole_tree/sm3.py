r"""SM3 (Anil, Gupta, Koren and Singer 2019, arXiv:1901.11150, algorithm SM3-II): Adagrad in the memory of rows and columns.

Sets $S_r$ cover the numbers of a leaf, and one number $\mu(r)$ is kept for each: here the sets are the slices of the leaf along
each of its axes, $n_1 + \dots + n_k$ of them in place of $n_1 \cdots n_k$ numbers.  Of the gradient $g_i$ of number $i$
$$ \nu_t(i) = \min_{r:\, S_r \ni i} \mu_{t-1}(r) + g_t(i)^2, \qquad \mu_t(r) = \max_{i \in S_r} \nu_t(i), $$
which is at least Adagrad's sum of squares; and with a mean of the steps, as in the paper's experiments,
$$ m_t = \beta\, m_{t-1} + (1-\beta)\, \frac{g_t}{\sqrt{\nu_t} + \epsilon}, \qquad p_t = p_{t-1} - \alpha\, m_t , $$
where 0/0 is 0.  A leaf of one axis keeps Adagrad's sums.

The numbers kept are $\sqrt\mu$: least and greatest are those of the squares, and $\sqrt{\nu_t}$ is the hypotenuse of $\sqrt\mu$
and $g_t$, which no square has to be a number for.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
from attrs import field, frozen

from funcnn.optim.flat import coefficient
from funcnn.optim.hyper import AMOUNT, FRACTION, settle
from funcnn.optim.leafwise import Leafwise
from funcnn.optim.norms import shrunk
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.optim.where import Where, check_where, everywhere, show_where
from funcnn.typing import Array, Shape

_SHARE = 2.0**-20  # of the largest number, for the root of a sum of so many squares


@frozen
class SM3(Leafwise):
    """Made by :func:`funcnn.sm3`.  Its state: of each leaf the mean of the steps, if there is momentum, and the roots."""

    learning_rate: Rate
    momentum: float = 0.9
    eps: float = 0.0
    where: Where = field(default=everywhere, repr=show_where)

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate, momentum=FRACTION, eps=AMOUNT, where=check_where)

    def _slots(self, shape: Shape, chosen: bool) -> tuple[Shape, ...]:
        covers = tuple([(length,) for length in shape]) if chosen and len(shape) > 1 else (shape,)
        return (shape, *covers) if self.momentum else covers

    def _rule(self, count: int, chosen: bool, p: Array, g: Array, kept: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
        g = shrunk(g, _SHARE * float(np.finfo(g.dtype).max))
        before, roots = (kept[:1], kept[1:]) if self.momentum else ((), kept)
        root = np.hypot(_least(roots, g.ndim), g)
        divisor = root + coefficient(self.eps, p.dtype)
        u = np.divide(g, divisor, out=np.zeros_like(g), where=divisor != 0)
        memory: tuple[Array, ...] = tuple([_greatest(root, axis) for axis in range(len(roots))]) if len(roots) > 1 else (root,)
        if before:
            u = p.dtype.type(self.momentum) * before[0] + p.dtype.type(1 - self.momentum) * u
            memory = (u, *memory)
        return p - p.dtype.type(rate_at(self.learning_rate, count)) * u, memory


def _least(roots: tuple[Array, ...], axes: int) -> Array:
    """Return for each number of a leaf the least that is kept for a set with it."""
    if len(roots) == 1:
        return roots[0]
    along = [one.reshape([-1 if axis == own else 1 for axis in range(axes)]) for own, one in enumerate(roots)]
    least: Array = reduce(np.minimum, along)
    return least


def _greatest(root: Array, axis: int) -> Array:
    """Return the greatest number of each slice along an axis."""
    greatest: Array = root.max(tuple([other for other in range(root.ndim) if other != axis]), initial=0.0)
    return greatest


def sm3(learning_rate: Rate = 0.1, *, momentum: float = 0.9, eps: float = 0.0, where: Where = everywhere) -> SM3:
    r"""SM3: Adagrad with one number for each row and each column of a matrix, for tables and layers of many parameters.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$; steps shrink by themselves, so that a warm-up is all the schedule that it needs.
    momentum : float, optional
        $\beta$ in [0, 1); without it nothing of the leaf's own size is kept.
    eps : float, optional
        Added to the root, at least 0; the paper has none.
    where : str or callable, optional
        Which leaves of two axes and more are covered by their slices; all by default.  The others keep a number for each.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Anil, Gupta, Koren & Singer (2019), Memory-efficient adaptive optimization, arXiv:1901.11150, algorithm SM3-II.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.sm3(0.5, momentum=0.0)
    >>> params, grads = (np.ones((100, 200)),), (np.full((100, 200), 7.0),)
    >>> state = opt.init(params)
    >>> [slot.shape for slot in state.slots]
    [(100,), (200,)]
    >>> opt.update(params, grads, state).params[0][0, :2]
    array([0.5, 0.5])
    """
    return SM3(learning_rate, momentum, eps, where)
