r"""Follow the regularized leader, with exact zeros (McMahan et al. 2013, "Ad click prediction", algorithm 1).

With the learning rate $\alpha$, $\beta$, and the strengths $\lambda_1$ and $\lambda_2$
$$ n_t = n_{t-1} + g_t^2, \qquad z_t = z_{t-1} + g_t - \frac{\sqrt{n_t} - \sqrt{n_{t-1}}}{\alpha}\, p_{t-1}, $$
$$ p_t = \begin{cases} 0 & |z_t| \le \lambda_1 \\
   -\left(\frac{\beta + \sqrt{n_t}}{\alpha} + \lambda_2\right)^{-1} (z_t - \operatorname{sign}(z_t)\, \lambda_1) & \text{else.}
   \end{cases} $$
The paper starts from parameters of 0.  From others $z_0$ is what makes them the solution,
$z_0 = -\left(\frac{\beta + \sqrt{n_0}}{\alpha} + \lambda_2\right) p_0 - \operatorname{sign}(p_0)\, \lambda_1$.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from attrs import frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.flat import Elementwise
from funcnn.optim.hyper import AMOUNT, POSITIVE, settle
from funcnn.optim.layout import Label
from funcnn.typing import Array


@frozen
class Ftrl(Elementwise):
    """Made by :func:`funcnn.ftrl`."""

    unscalable: ClassVar[str] = "the sum of its gradients is in units of a rate that does not change"

    learning_rate: float
    beta: float = 1.0
    l1: float = 0.0
    l2: float = 0.0
    initial_accumulator_value: float = 0.0

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=POSITIVE, beta=AMOUNT, l1=AMOUNT, l2=AMOUNT, initial_accumulator_value=AMOUNT)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("linear", "sum")

    def _start(self, p: Array) -> tuple[Array, ...]:
        weight = (self.beta + math.sqrt(self.initial_accumulator_value)) / self.learning_rate + self.l2
        n = np.full_like(p, self.initial_accumulator_value)
        return -p.dtype.type(weight) * p - p.dtype.type(self.l1) * np.sign(p), n

    @property
    def _square_share(self) -> float | None:
        return 2.0**-20  # a million of the largest

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        return self.learning_rate, self.beta, self.l1, self.l2

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        (rate, beta, l1, l2), (z, n) = c, slots
        total = n + g * g
        z = z + g - (np.sqrt(total) - np.sqrt(n)) / rate * p
        weight = (beta + np.sqrt(total)) / rate + l2
        new = np.divide(l1 * np.sign(z) - z, weight, out=p.copy(), where=weight != 0)  # 0: nothing was seen yet
        return np.where(np.abs(z) <= l1, 0 * new, new) if l1 else new, z, total


def ftrl(
    learning_rate: float = 0.1,
    *,
    beta: float = 1.0,
    l1: float = 0.0,
    l2: float = 0.0,
    initial_accumulator_value: float = 0.0,
) -> Ftrl:
    r"""Follow the regularized leader: steps as Adagrad takes them, and parameters that are exactly 0 where they do not pay.

    Parameters
    ----------
    learning_rate : float, optional
        $\alpha$, above 0: a number, since steps shrink by themselves.
    beta : float, optional
        $\beta$, at least 0: added to the root of the sum of squares.
    l1, l2 : float, optional
        The strengths $\lambda_1$ of absolute values and $\lambda_2$ of half the squares, at least 0.
    initial_accumulator_value : float, optional
        What the sum of squares starts from, at least 0.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    McMahan et al. (2013), Ad click prediction: a view from the trenches, algorithm 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.ftrl(0.5, beta=0.0, l1=3.0)
    >>> params, grads = (np.array([0.0, 0.0]),), (np.array([2.0, 4.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([ 0.   , -0.125]),)
    """
    return Ftrl(learning_rate, beta, l1, l2, initial_accumulator_value)
