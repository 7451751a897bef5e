r"""AdaBelief (Zhuang et al. 2020, arXiv:2010.07468, algorithm 2), which measures the gradient against its mean.

With Adam's mean $m$ (:mod:`funcnn.optim.moments`) and $s_t = \beta_2 s_{t-1} + (1-\beta_2)(g_t - m_t)^2 + \epsilon$
$$ p_t = p_{t-1} - \alpha\, \frac{\hat m_t}{\sqrt{s_t/(1-\beta_2^t)} + \epsilon} . $$
"""

from __future__ import annotations

from attrs import frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.moments import Moments, stepped
from funcnn.optim.schedules.rate import Rate
from funcnn.typing import Array


@frozen
class AdaBelief(Moments):
    """Made by :func:`funcnn.adabelief`."""

    @property
    def _squares(self) -> tuple[int, float] | None:
        return None  # of what surprises, not of gradients

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        (_, _, eps), (m, s) = c, slots
        m = self._mean(g, m)
        s = self._mean_square(g - m, s) + eps
        return stepped(c, p, m, s), m, s


def adabelief(learning_rate: Rate = 1e-3, *, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-16) -> AdaBelief:
    r"""AdaBelief: Adam that divides by how far gradients are from their mean, $(g - m)^2$ in place of $g^2$.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    beta1, beta2 : float, optional
        Decay rates of the two moments, in [0, 1).
    eps : float, optional
        Added at both places of the paper's algorithm: to $s$ at each step, and to the root of the corrected $s$.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Zhuang et al. (2020), AdaBelief optimizer: adapting stepsizes by the belief in observed gradients, arXiv:2010.07468,
    algorithm 2.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.adabelief(0.5, beta1=0.5, eps=0.0)
    >>> params, grads = (np.array([2.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params[0].round(12)
    array([1.])
    """
    return AdaBelief(learning_rate, beta1, beta2, eps)
