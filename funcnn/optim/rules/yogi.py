r"""Yogi (Zaheer et al. 2018, NeurIPS, algorithm 2), whose second moment changes by at most $(1-\beta_2) g_t^2$ whatever its size.

With Adam's mean $m$ (:mod:`funcnn.optim.moments`) and
$v_t = v_{t-1} - (1-\beta_2)\operatorname{sign}(v_{t-1} - g_t^2)\, g_t^2$, neither corrected for its start,
$$ p_t = p_{t-1} - \alpha\, \frac{m_t}{\sqrt{v_t} + \epsilon} . $$
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from attrs import frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.hyper import AMOUNT, Check
from funcnn.optim.layout import Label
from funcnn.optim.moments import Moments
from funcnn.optim.schedules.rate import Rate, rate_at
from funcnn.typing import Array


@frozen
class Yogi(Moments):
    """Made by :func:`funcnn.yogi`."""

    initial_accumulator_value: float = 1e-6

    _checks: ClassVar[Mapping[str, Check]] = {**Moments._checks, "initial_accumulator_value": AMOUNT}

    def _start(self, p: Array) -> tuple[Array, ...]:
        return np.zeros_like(p), np.full_like(p, self.initial_accumulator_value)

    @property
    def _squares(self) -> tuple[int, float] | None:
        return None  # they may be taken away

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        return rate_at(self.learning_rate, count), self.eps

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        (rate, eps), (m, v) = c, slots
        square = g * g
        m = self._mean(g, m)
        v = v - (1 - self.beta2) * np.sign(v - square) * square
        return p - rate * m / (np.sqrt(v) + eps), m, v


def yogi(
    learning_rate: Rate = 1e-2,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-3,
    initial_accumulator_value: float = 1e-6,
) -> Yogi:
    r"""Yogi: Adam whose second moment grows and falls by at most $(1-\beta_2) g^2$ a step.

    The variant is the paper's: the moments are not corrected for their start.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    beta1, beta2 : float, optional
        Decay rates of the two moments, in [0, 1).
    eps : float, optional
        Added to the root of the second moment, at least 0.
    initial_accumulator_value : float, optional
        What the second moment starts from, at least 0.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Zaheer, Reddi, Sachan, Kale & Kumar (2018), Adaptive methods for nonconvex optimization, NeurIPS, algorithm 2.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.yogi(0.5, beta1=0.0, beta2=0.0, eps=0.0, initial_accumulator_value=0.0)
    >>> params, grads = (np.array([1.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([0.5]),)
    """
    return Yogi(learning_rate, beta1, beta2, eps, initial_accumulator_value)
