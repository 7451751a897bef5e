r"""Adagrad: steps over the root of the sum of squared gradients.

Adagrad (Duchi, Hazan & Singer 2011, figure 1, the diagonal form) divides by the root of the sum of squared gradients
$$ s_{t} = s_{t-1} + g_t^2, \qquad p_{t} = p_{t-1} - \alpha \frac{g_t}{\sqrt{s_t} + \epsilon} . $$
"""

from __future__ import annotations

import numpy as np
from attrs import frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.flat import Elementwise
from funcnn.optim.hyper import AMOUNT, settle
from funcnn.optim.layout import Label
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.typing import Array


@frozen
class Adagrad(Elementwise):
    """Made by :func:`funcnn.adagrad`."""

    learning_rate: Rate
    initial_accumulator_value: float = 0.0
    eps: float = 1e-10

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate, initial_accumulator_value=AMOUNT, eps=AMOUNT)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("sum",)

    def _start(self, p: Array) -> tuple[Array, ...]:
        return (np.full_like(p, self.initial_accumulator_value),)

    @property
    def _square_share(self) -> float | None:
        return 2.0**-20  # a million of the largest

    @property
    def _squares(self) -> tuple[int, float] | None:
        return 1, 1.0

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        return rate_at(self.learning_rate, count), self.eps

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        rate, eps = c
        s = slots[0] + g * g
        return p - rate * g / (np.sqrt(s) + eps), s


def adagrad(learning_rate: Rate = 0.01, *, initial_accumulator_value: float = 0.0, eps: float = 1e-10) -> Adagrad:
    r"""Adagrad, $s \leftarrow s + g^2$, $p \leftarrow p - \alpha\, g / (\sqrt{s} + \epsilon)$.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    initial_accumulator_value : float, optional
        What $s$ starts from, at least 0.
    eps : float, optional
        Added to the square root, at least 0.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Duchi, Hazan & Singer (2011), Adaptive subgradient methods for online learning and stochastic optimization, JMLR 12, figure 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.adagrad(0.5, eps=0.0)
    >>> params, grads = (np.array([1.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([0.5]),)
    """
    return Adagrad(learning_rate, initial_accumulator_value, eps)
