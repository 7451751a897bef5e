r"""RAdam (Liu et al. 2020, arXiv:1908.03265, algorithm 2): Adam that waits until the variance of its second moment is known.

With Adam's moments $m$ and $v$ (:mod:`funcnn.optim.moments`), $\rho_\infty = 2/(1-\beta_2) - 1$ and
$\rho_t = \rho_\infty - 2 t \beta_2^t/(1-\beta_2^t)$, which is how many gradients the second moment has averaged,
$$ p_t = p_{t-1} - \alpha\, r_t \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}, \quad
   r_t = \sqrt{\frac{(\rho_t-4)(\rho_t-2)\rho_\infty}{(\rho_\infty-4)(\rho_\infty-2)\rho_t}}
   \quad\text{if } \rho_t > \rho_{\min}, \quad\text{else}\quad p_t = p_{t-1} - \alpha\, \hat m_t . $$
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from attrs import frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.hyper import Check, between
from funcnn.optim.layout import Label
from funcnn.optim.moments import Moments, stepped
from funcnn.optim.schedules.rate import Rate, rate_at
from funcnn.typing import Array


@frozen
class RAdam(Moments):
    """Made by :func:`funcnn.radam`."""

    threshold: float = 4.0

    _checks: ClassVar[Mapping[str, Check]] = {**Moments._checks, "threshold": between(4.0, math.inf)}

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        """Return those of Adam's step with the rate rectified; or the rate alone, for a step along the mean."""
        rate, t, decay = rate_at(self.learning_rate, count), count + 1, self.beta2 ** (count + 1)
        rho_limit = 2 / (1 - self.beta2) - 1
        rho = rho_limit - 2 * t * decay / (1 - decay)
        if rho <= self.threshold:
            return (rate / (1 - self.beta1**t),)
        rectifier = math.sqrt((rho - 4) * (rho - 2) * rho_limit / ((rho_limit - 4) * (rho_limit - 2) * rho))
        return rate * rectifier / (1 - self.beta1**t), math.sqrt(1 - decay), self.eps

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        m, v = slots
        m, v = self._mean(g, m), self._mean_square(g, v)
        return p - c[0] * m if len(c) == 1 else stepped(c, p, m, v), m, v


def radam(
    learning_rate: Rate = 1e-3,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    threshold: float = 4.0,
) -> RAdam:
    r"""RAdam: Adam whose adaptive step is rectified, and replaced by plain momentum during the first steps.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    beta1, beta2 : float, optional
        Decay rates of the two moments, in [0, 1).
    eps : float, optional
        Added to the root of the corrected second moment, at least 0.
    threshold : float, optional
        $\rho_{\min}$, at least 4 as in the paper; several libraries take 5.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Liu et al. (2020), On the variance of the adaptive learning rate and beyond, arXiv:1908.03265, algorithm 2.

    Examples
    --------
    The first step is that of gradient descent.

    >>> import numpy as np, funcnn as fn
    >>> opt = fn.radam(0.25)
    >>> params, grads = (np.array([1.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([-1.5]),)
    """
    return RAdam(learning_rate, beta1, beta2, eps, threshold)
