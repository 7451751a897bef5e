r"""What Adam and its variants share: their hyper-parameters, two moments of the gradients, and the step that these make.

With decay rates $\beta_1, \beta_2$, the learning rate $\alpha$ and a small $\epsilon$, at step $t = 1, 2, \dots$
$$ m_t = \beta_1 m_{t-1} + (1-\beta_1)\, g_t, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2)\, g_t^2, $$
corrected for their start at zero
$$ \hat m_t = \frac{m_t}{1-\beta_1^t}, \qquad \hat v_t = \frac{v_t}{1-\beta_2^t} . $$
Variants put something else in the place of $v$, and take the step
$$ p_t = p_{t-1} - \alpha \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}
      = p_{t-1} - a_t \frac{m_t}{\sqrt{v_t}/r_t + \epsilon}, \qquad
   a_t = \frac{\alpha}{1-\beta_1^t}, \quad r_t = \sqrt{1-\beta_2^t} . $$
Without the correction $a_t = \alpha$ and $r_t = 1$.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from attrs import frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.flat import Elementwise
from funcnn.optim.hyper import AMOUNT, FRACTION, Check, settle
from funcnn.optim.layout import Label
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.typing import Array


@frozen
class Moments(Elementwise):
    """Base of Adam and its variants: the hyper-parameters, and the names of what they remember."""

    learning_rate: Rate
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    _checks: ClassVar[Mapping[str, Check]] = {"learning_rate": check_rate, "beta1": FRACTION, "beta2": FRACTION, "eps": AMOUNT}
    """Of the hyper-parameters; a variant adds those of its own."""

    def __attrs_post_init__(self) -> None:
        settle(self, **self._checks)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("mean", "square")

    @property
    def _square_share(self) -> float | None:
        return 1 - self.beta2

    @property
    def _squares(self) -> tuple[int, float] | None:
        return 2, 1 - self.beta2  # it is v

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        """Return a, r and epsilon of the step."""
        rate, t = rate_at(self.learning_rate, count), count + 1
        return rate / (1 - self.beta1**t), math.sqrt(1 - self.beta2**t), self.eps

    def _mean(self, g: Array, m: Array) -> Array:
        """Return the next m."""
        return self.beta1 * m + (1 - self.beta1) * g

    def _mean_square(self, g: Array, v: Array) -> Array:
        """Return the next v, or what a variant measures in place of the gradient."""
        return self.beta2 * v + (1 - self.beta2) * (g * g)


def stepped(c: Coefficients, p: Array, m: Array, v: Array) -> Array:
    """Return the next parameters: the step of the module's docstring."""
    a, r, eps = c
    return p - a * m / (np.sqrt(v) / r + eps)
