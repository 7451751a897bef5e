r"""Optimistic steps (Daskalakis et al. 2018, arXiv:1711.00141, eq. 3 and algorithm 1): for games, such as two networks make.

A step along what the next gradient would be if it went on as it did, $g_t + (g_t - g_{t-1})$
$$ p_t = p_{t-1} - \alpha\,(2\, g_t - g_{t-1}) , $$
and with Adam's direction $u_t = \hat m_t / (\sqrt{\hat v_t} + \epsilon)$ (:mod:`funcnn.optim.moments`) in its place
$$ p_t = p_{t-1} - \alpha\,(2\, u_t - u_{t-1}) . $$
Before the first step there is nothing to go by: it is the plain one.
"""

from __future__ import annotations

import math

import numpy as np
from attrs import frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.flat import Elementwise
from funcnn.optim.hyper import settle
from funcnn.optim.layout import Label
from funcnn.optim.moments import Moments
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.typing import Array


@frozen
class OptimisticSGD(Elementwise):
    """Made by :func:`funcnn.optimistic_sgd`."""

    learning_rate: Rate

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("previous",)

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        return rate_at(self.learning_rate, count), float(count == 0)

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        rate, first = c
        ahead = g if first else g + (g - slots[0])
        return p - rate * ahead, g.copy()


@frozen
class OptimisticAdam(Moments):
    """Made by :func:`funcnn.optimistic_adam`."""

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("mean", "square", "direction")

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        t = count + 1
        rate = rate_at(self.learning_rate, count)
        return rate, 1 / (1 - self.beta1**t), math.sqrt(1 - self.beta2**t), self.eps, float(count == 0)

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        (rate, a, r, eps, first), (m, v, before) = c, slots
        m, v = self._mean(g, m), self._mean_square(g, v)
        u = a * m / (np.sqrt(v) / r + eps)
        return p - rate * (u if first else u + (u - before)), m, v, u


def optimistic_sgd(learning_rate: Rate = 0.01) -> OptimisticSGD:
    r"""Gradient descent that steps along $2 g_t - g_{t-1}$: where two networks play against one another it does not circle.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When the learning rate is out of its range.

    References
    ----------
    Daskalakis et al. (2018), Training GANs with optimism, arXiv:1711.00141, eq. 3.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.optimistic_sgd(0.5)
    >>> params = (np.array([1.0]),)
    >>> first = opt.update(params, (np.array([1.0]),), opt.init(params))
    >>> first.params, opt.update(first.params, (np.array([2.0]),), first.state).params
    ((array([0.5]),), (array([-1.]),))
    """
    return OptimisticSGD(learning_rate)


def optimistic_adam(learning_rate: Rate = 1e-4, *, beta1: float = 0.5, beta2: float = 0.9, eps: float = 1e-8) -> OptimisticAdam:
    r"""Adam that steps along $2 u_t - u_{t-1}$, with $u$ its own direction.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    beta1, beta2 : float, optional
        Decay rates of the two moments, in [0, 1).
    eps : float, optional
        Added to the root of the corrected second moment, at least 0.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Daskalakis et al. (2018), Training GANs with optimism, arXiv:1711.00141, algorithm 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.optimistic_adam(0.5, eps=0.0)
    >>> params, grads = (np.array([1.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params[0].round(12)
    array([0.5])
    """
    return OptimisticAdam(learning_rate, beta1, beta2, eps)
