r"""Sign SGD: steps of the gradient's sign.

Sign SGD, and with a momentum Signum (Bernstein et al. 2018, arXiv:1802.04434, algorithms 1 and 2)
$$ m_t = \mu\, m_{t-1} + (1-\mu)\, g_t, \qquad p_t = p_{t-1} - \alpha \operatorname{sign}(m_t) . $$
"""

from __future__ import annotations

import numpy as np
from attrs import frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.flat import Elementwise
from funcnn.optim.hyper import FRACTION, settle
from funcnn.optim.layout import Label
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.typing import Array


@frozen
class SignSGD(Elementwise):
    """Made by :func:`funcnn.sign_sgd`."""

    learning_rate: Rate
    momentum: float = 0.0

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate, momentum=FRACTION)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("mean",) if self.momentum else ()

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        return rate_at(self.learning_rate, count), self.momentum, 1 - self.momentum

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        rate, mu, rest = c
        if not self.momentum:
            return (p - rate * np.sign(g),)
        m = mu * slots[0] + rest * g
        return p - rate * np.sign(m), m


def sign_sgd(learning_rate: Rate = 1e-3, *, momentum: float = 0.0) -> SignSGD:
    r"""Step by the learning rate along the signs, $p \leftarrow p - \alpha \operatorname{sign}(m)$.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    momentum : float, optional
        $\mu$ in [0, 1) of the moving mean $m \leftarrow \mu m + (1-\mu) g$ (Signum); without it $m$ is the gradient.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Bernstein et al. (2018), signSGD: compressed optimisation for non-convex problems, arXiv:1802.04434.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.sign_sgd(0.5)
    >>> params, grads = (np.array([1.0, 1.0, 1.0]),), (np.array([10.0, -0.1, 0.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([0.5, 1.5, 1. ]),)
    """
    return SignSGD(learning_rate, momentum)


def signum(learning_rate: Rate = 1e-4, *, momentum: float = 0.9) -> SignSGD:
    r"""Step along the signs of a moving mean of the gradients: :func:`sign_sgd` with a momentum, by the paper's name.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    momentum : float, optional
        $\mu$ in [0, 1) of the moving mean $m \leftarrow \mu m + (1-\mu) g$.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Bernstein et al. (2018), signSGD: compressed optimisation for non-convex problems, arXiv:1802.04434, algorithm 2.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.signum(0.5) == fn.sign_sgd(0.5, momentum=0.9)
    True
    """
    return SignSGD(learning_rate, momentum)
