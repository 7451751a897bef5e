r"""Adadelta: steps in the unit of the parameters.

Adadelta (Zeiler 2012, arXiv:1212.5701, algorithm 1) keeps the moving means of the squared gradients and of the squared
steps, so that a step has the unit of the parameters:
$$ s_t = \rho s_{t-1} + (1-\rho) g_t^2, \quad
   d_t = \frac{\sqrt{u_{t-1} + \epsilon}}{\sqrt{s_t + \epsilon}}\, g_t, \quad
   u_t = \rho u_{t-1} + (1-\rho) d_t^2, \quad p_t = p_{t-1} - \alpha d_t . $$
"""

from __future__ import annotations

import numpy as np
from attrs import frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.flat import Elementwise
from funcnn.optim.hyper import FRACTION, POSITIVE, settle
from funcnn.optim.layout import Label
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.typing import Array


@frozen
class Adadelta(Elementwise):
    """Made by :func:`funcnn.adadelta`."""

    learning_rate: Rate = 1.0
    decay: float = 0.95
    eps: float = 1e-6

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate, decay=FRACTION, eps=POSITIVE)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("square", "step")

    @property
    def _square_share(self) -> float | None:
        return 1.0

    @property
    def _squares(self) -> tuple[int, float] | None:
        return 1, 1 - self.decay

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        return rate_at(self.learning_rate, count), self.decay, 1 - self.decay, self.eps

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        rate, rho, rest, eps = c
        s = rho * slots[0] + rest * (g * g)
        d = np.sqrt((slots[1] + eps) / (s + eps)) * g
        return p - rate * d, s, rho * slots[1] + rest * (d * d)


def adadelta(learning_rate: Rate = 1.0, *, decay: float = 0.95, eps: float = 1e-6) -> Adadelta:
    r"""Adadelta, $p \leftarrow p - \alpha\, g \sqrt{u + \epsilon} / \sqrt{s + \epsilon}$.

    $s$ and $u$ are the moving means of the squared gradients and of the squared steps.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        $\alpha$; 1 in the paper.
    decay : float, optional
        $\rho$ in [0, 1).
    eps : float, optional
        Added inside of both roots, above 0: the first step is about $\sqrt{\epsilon}$.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Zeiler (2012), ADADELTA: an adaptive learning rate method, arXiv:1212.5701, algorithm 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.adadelta(decay=0.75, eps=1.0)
    >>> params, grads = (np.array([2.0]),), (np.array([0.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([2.]),)
    """
    return Adadelta(learning_rate, decay, eps)
