r"""Adamax (Kingma & Ba 2015, arXiv:1412.6980, algorithm 2): Adam with the infinity norm.

With Adam's mean $m$ (:mod:`funcnn.optim.moments`) and the largest past gradient $u_t = \max(\beta_2 u_{t-1}, |g_t|)$
$$ p_t = p_{t-1} - \alpha\, \frac{\hat m_t}{u_t + \epsilon} . $$
"""

from __future__ import annotations

import numpy as np
from attrs import frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.moments import Moments
from funcnn.optim.schedules.rate import Rate
from funcnn.typing import Array


@frozen
class Adamax(Moments):
    """Made by :func:`funcnn.adamax`."""

    @property
    def _square_share(self) -> float | None:
        return None  # it takes no squares

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("mean", "largest")

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        (a, _, eps), (m, u) = c, slots
        m = self._mean(g, m)
        u = np.maximum(self.beta2 * u, np.abs(g))
        return p - a * m / (u + eps), m, u


def adamax(learning_rate: Rate = 2e-3, *, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Adamax:
    r"""Adamax: Adam with the infinity norm, $p \leftarrow p - \alpha\, \hat m/(u + \epsilon)$.

    The largest past gradient is $u \leftarrow \max(\beta_2 u, |g|)$.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    beta1, beta2 : float, optional
        Decay rates of the mean and of the largest gradient, in [0, 1).
    eps : float, optional
        Added to the denominator, at least 0; the paper has none, and divides by zero where the gradient has always been zero.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Kingma & Ba (2015), Adam: a method for stochastic optimization, arXiv:1412.6980, algorithm 2.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.adamax(0.5, eps=0.0)
    >>> params, grads = (np.array([1.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params[0].round(12)
    array([0.5])
    """
    return Adamax(learning_rate, beta1, beta2, eps)
