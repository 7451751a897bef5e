r"""RMSprop: steps over the root of the moving mean of squared gradients.

RMSprop (Hinton, lecture 6.5 of his 2012 course) divides by the root of the moving mean of squared gradients.  Centered (Graves
2013, arXiv:1308.0850, eq. 38-45) it takes the square of the moving mean gradient off, which leaves the variance; and the quotient
may pass through a momentum $\mu$:
$$ s_t = \rho s_{t-1} + (1-\rho) g_t^2, \quad m_t = \rho m_{t-1} + (1-\rho) g_t, \quad
   d_t = \frac{g_t}{\sqrt{s_t - m_t^2} + \epsilon}, \quad
   v_t = \mu v_{t-1} + d_t, \quad p_t = p_{t-1} - \alpha v_t . $$
"""

from __future__ import annotations

import numpy as np
from attrs import frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.flat import Elementwise
from funcnn.optim.hyper import AMOUNT, FLAG, FRACTION, settle
from funcnn.optim.layout import Label
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.typing import Array


@frozen
class RMSprop(Elementwise):
    """Made by :func:`funcnn.rmsprop`."""

    learning_rate: Rate
    decay: float = 0.9
    eps: float = 1e-8
    momentum: float = 0.0
    centered: bool = False

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate, decay=FRACTION, eps=AMOUNT, momentum=FRACTION, centered=FLAG)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("square", *(("mean",) if self.centered else ()), *(("velocity",) if self.momentum else ()))

    @property
    def _square_share(self) -> float | None:
        return 1.0

    @property
    def _squares(self) -> tuple[int, float] | None:
        return 1, 1 - self.decay

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        return rate_at(self.learning_rate, count), self.decay, 1 - self.decay, self.eps, self.momentum

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        rate, rho, rest, eps, mu = c
        s = rho * slots[0] + rest * (g * g)
        new, spread = [s], s
        if self.centered:
            m = rho * slots[1] + rest * g
            spread = np.maximum(s - m * m, 0)  # rounding may take it below
            new.append(m)
        d = g / (np.sqrt(spread) + eps)
        if self.momentum:
            d += mu * slots[-1]
            new.append(d)
        return p - rate * d, *new


def rmsprop(
    learning_rate: Rate = 1e-2,
    *,
    decay: float = 0.9,
    eps: float = 1e-8,
    momentum: float = 0.0,
    centered: bool = False,
) -> RMSprop:
    r"""RMSprop, $s \leftarrow \rho s + (1-\rho) g^2$, $p \leftarrow p - \alpha\, g / (\sqrt{s} + \epsilon)$.

    The variant: $s$ starts from zero without a correction, $\epsilon$ stands outside of the root, and the learning rate outside
    of the momentum.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    decay : float, optional
        $\rho$ in [0, 1).
    eps : float, optional
        Added to the square root, at least 0.
    momentum : float, optional
        $\mu$ in [0, 1): the quotient $d = g/(\sqrt s + \epsilon)$ becomes $v \leftarrow \mu v + d$.
    centered : bool, optional
        Divide by the root of the gradient's variance, $s - m^2$ with its moving mean $m$.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Hinton (2012), Neural networks for machine learning, lecture 6.5; centred: Graves (2013), arXiv:1308.0850, eq. 38-45.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.rmsprop(0.5, decay=0.75, eps=0.0)
    >>> params, grads = (np.array([2.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([1.]),)
    """
    return RMSprop(learning_rate, decay, eps, momentum, centered)
