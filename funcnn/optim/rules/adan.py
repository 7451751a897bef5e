r"""Adan (Xie et al. 2022, arXiv:2208.06677, algorithm 1): Nesterov's momentum, from differences of gradients.

With the difference $d_t = g_t - g_{t-1}$, which is 0 at first
$$ m_t = \beta_1 m_{t-1} + (1-\beta_1)\, g_t, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2)\, d_t, \qquad
   n_t = \beta_3 n_{t-1} + (1-\beta_3)\,(g_t + \beta_2 d_t)^2, $$
$$ p_t = \frac{1}{1 + \alpha \lambda} \Bigl( p_{t-1} - \frac{\alpha}{\sqrt{\hat n_t} + \epsilon}\,
   (\hat m_t + \beta_2 \hat v_t) \Bigr) , $$
where $\hat m$, $\hat v$ and $\hat n$ are corrected for their start at zero, as in the authors' program; the paper's rates are
$1 - \beta$.
"""

from __future__ import annotations

import math

import numpy as np
from attrs import field, frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.flat import Elementwise
from funcnn.optim.hyper import AMOUNT, FRACTION, settle
from funcnn.optim.layout import Label
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.optim.where import Where, check_where, everywhere, show_where
from funcnn.typing import Array


@frozen
class Adan(Elementwise):
    """Made by :func:`funcnn.adan`."""

    learning_rate: Rate
    beta1: float = 0.98
    beta2: float = 0.92
    beta3: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0
    where: Where = field(default=everywhere, repr=show_where)

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate, beta1=FRACTION, beta2=FRACTION, beta3=FRACTION, eps=AMOUNT)
        settle(self, weight_decay=AMOUNT, where=check_where)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("mean", "difference", "square", "previous")

    @property
    def _divided_by(self) -> Where | None:
        return self.where if self.weight_decay > 0 and self.where is not everywhere else None  # decayed or not

    @property
    def _square_share(self) -> float | None:
        return 0.1  # what is squared may be three times a gradient

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        """Return the rates of both means, the root of the correction of n, epsilon, what decay leaves, and if it is the first."""
        rate, t = rate_at(self.learning_rate, count), count + 1
        keep = 1.0 if label is False else 1 / (1 + rate * self.weight_decay)
        mean, difference = rate / (1 - self.beta1**t), rate * self.beta2 / (1 - self.beta2**t)
        return mean, difference, math.sqrt(1 - self.beta3**t), self.eps, keep, float(count == 0)

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        (mean, difference, r, eps, keep, first), (m, v, n, previous) = c, slots
        d = np.zeros_like(g) if first else g - previous
        if first:
            d = d * g  # NaN and infinity stay what they are
        m = self.beta1 * m + (1 - self.beta1) * g
        v = self.beta2 * v + (1 - self.beta2) * d
        ahead = g + self.beta2 * d
        n = self.beta3 * n + (1 - self.beta3) * (ahead * ahead)
        return keep * (p - (mean * m + difference * v) / (np.sqrt(n) / r + eps)), m, v, n, g.copy()


def adan(
    learning_rate: Rate = 1e-3,
    *,
    beta1: float = 0.98,
    beta2: float = 0.92,
    beta3: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    where: Where = everywhere,
) -> Adan:
    r"""Adan: Adam with Nesterov's momentum that is estimated from differences of gradients.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$; the authors advise five to ten times AdamW's.
    beta1, beta2, beta3 : float, optional
        Decay rates of the means of gradients, of their differences, and of squares, in [0, 1).
    eps : float, optional
        Added to the root, at least 0.
    weight_decay : float, optional
        $\lambda$, at least 0: what is left is divided by $1 + \alpha\lambda$.
    where : str or callable, optional
        Which leaves are decayed: a regular expression that is searched in the leaf's path, or a pure function of path and
        shape such as :func:`funcnn.is_matrix`.  All by default.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Xie et al. (2022), Adan: adaptive Nesterov momentum algorithm for faster optimizing deep models, arXiv:2208.06677,
    algorithm 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.adan(0.5, eps=0.0)
    >>> params, grads = (np.array([1.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params[0].round(12)
    array([0.5])
    """
    return Adan(learning_rate, beta1, beta2, beta3, eps, weight_decay, where)
