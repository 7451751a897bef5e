r"""Adafactor: Adam's second moment in the memory of its rows and columns.

After Shazeer & Stern (2018), arXiv:1804.04235, algorithms 4 and 5.

For a matrix, and for each matrix of the last two axes of a leaf with more, with $\hat\beta_t = 1 - t^{-c}$
$$ R_i \leftarrow \hat\beta_t R_i + (1-\hat\beta_t) \operatorname{mean}_j(g_{ij}^2 + \epsilon_1), \qquad
   C_j \leftarrow \hat\beta_t C_j + (1-\hat\beta_t) \operatorname{mean}_i(g_{ij}^2 + \epsilon_1), \qquad
   v_{ij} = \frac{R_i C_j}{\operatorname{mean}_i R_i} ; $$
a leaf of one axis keeps all of $v$.  With the root mean square $\operatorname{rms}(x) = \sqrt{\operatorname{mean}(x^2)}$ the
step is
$$ u = \frac{g}{\sqrt v}, \qquad \hat u = \frac{u}{\max(1, \operatorname{rms}(u)/d)}, \qquad
   p \leftarrow p - \max(\epsilon_2, \operatorname{rms}(p))\, \rho_t\, \hat u . $$
The paper writes sums for our means: the quotient is the same.
"""

from __future__ import annotations

import math

import numpy as np
from attrs import field, frozen

from funcnn.optim.hyper import AMOUNT, FLAG, LIMIT, POSITIVE, between, settle
from funcnn.optim.leafwise import Leafwise
from funcnn.optim.norms import bound_of, bounded, root_mean_square, shrunk
from funcnn.optim.schedules.rate import Rate, Schedule, check_rate, rate_at
from funcnn.optim.where import Where, check_where, everywhere, show_where
from funcnn.typing import Array, Shape


def relative_step(count: int) -> float:
    r"""Return the paper's step size relative to the parameters, $\rho_t = \min(10^{-2}, 1/\sqrt t)$ with $t = c + 1$."""
    return min(1e-2, 1 / math.sqrt(count + 1))


RELATIVE_STEP = Schedule("min(0.01, 1/sqrt(t))", relative_step)


@frozen
class Adafactor(Leafwise):
    """Made by :func:`funcnn.adafactor`."""

    learning_rate: Rate = RELATIVE_STEP
    scale_parameter: bool = True
    decay_power: float = 0.8
    clip_threshold: float = 1.0
    eps1: float = 1e-30
    eps2: float = 1e-3
    where: Where = field(default=everywhere, repr=show_where)

    def __attrs_post_init__(self) -> None:
        settle(
            self,
            learning_rate=check_rate,
            scale_parameter=FLAG,
            decay_power=between(0.0, 1.0, open_low=True),
            clip_threshold=LIMIT,
        )
        settle(self, eps1=POSITIVE, eps2=AMOUNT, where=check_where)

    def _slots(self, shape: Shape, chosen: bool) -> tuple[Shape, ...]:
        if len(shape) < 2 or not chosen:
            return (shape,)  # v
        return shape[:-1], (*shape[:-2], shape[-1])  # R, C

    def _rule(self, count: int, chosen: bool, p: Array, g: Array, kept: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
        rest = (count + 1) ** -self.decay_power
        keep = 1 - rest
        g = bounded(g, 1.0) if len(kept) == 1 else shrunk(g, bound_of(g.dtype, 1.0))
        square = g * g + max(self.eps1, float(np.finfo(g.dtype).tiny))
        memory: tuple[Array, ...]
        if len(kept) == 1:
            v = keep * kept[0] + rest * square
            u, memory = g / np.sqrt(v), (v,)
        else:
            rows = keep * kept[0] + rest * square.mean(-1)
            columns = keep * kept[1] + rest * square.mean(-2)
            scale = np.sqrt(rows / rows.mean(-1, keepdims=True))  # two roots: a product of two small numbers may vanish
            u, memory = g / (scale[..., None] * np.sqrt(columns)[..., None, :]), (rows, columns)
        u /= max(1.0, root_mean_square(u) / self.clip_threshold)
        rate = rate_at(self.learning_rate, count)
        if self.scale_parameter:
            rate *= max(self.eps2, root_mean_square(p))
        return p - rate * u, memory


def adafactor(
    learning_rate: Rate = RELATIVE_STEP,
    *,
    scale_parameter: bool = True,
    decay_power: float = 0.8,
    clip_threshold: float = 1.0,
    eps1: float = 1e-30,
    eps2: float = 1e-3,
    where: Where = everywhere,
) -> Adafactor:
    r"""Adafactor: adaptive steps with a factored second moment, in memory of the rows and columns of each matrix.

    There is no momentum, as in the paper's recommended settings.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        $\rho_t$; by default the paper's $\min(10^{-2}, 1/\sqrt t)$.
    scale_parameter : bool, optional
        Whether the learning rate is multiplied by the root mean square of each leaf.
    decay_power : float, optional
        $c$ in (0, 1].
    clip_threshold : float, optional
        $d$, above 0: the largest root mean square of a step.
    eps1, eps2 : float, optional
        Added to squared gradients; the least root mean square that a leaf is taken to have.
    where : str or callable, optional
        Which leaves of two axes and more are factored; all by default.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Shazeer & Stern (2018), Adafactor: adaptive learning rates with sublinear memory cost, arXiv:1804.04235, algorithms 4 and 5.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.adafactor(0.5)
    >>> params, grads = (np.ones((100, 200)),), (np.full((100, 200), 7.0),)
    >>> state = opt.init(params)
    >>> [slot.shape for slot in state.slots]
    [(100,), (200,)]
    >>> opt.update(params, grads, state).params[0][0, :2]
    array([0.5, 0.5])
    """
    return Adafactor(learning_rate, scale_parameter, decay_power, clip_threshold, eps1, eps2, where)
