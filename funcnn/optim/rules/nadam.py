r"""Nadam (Dozat 2016, ICLR workshop, algorithm 2, with a constant $\beta_1$): Adam that looks one step ahead, as Nesterov does.

With Adam's moments $m$ and $v$ (:mod:`funcnn.optim.moments`)
$$ p_t = p_{t-1} - \frac{\alpha}{\sqrt{\hat v_t} + \epsilon}
   \Bigl( \frac{\beta_1 m_t}{1-\beta_1^{t+1}} + \frac{(1-\beta_1)\, g_t}{1-\beta_1^t} \Bigr) . $$
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from attrs import field, frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.hyper import AMOUNT, Check
from funcnn.optim.layout import Label
from funcnn.optim.moments import Moments
from funcnn.optim.schedules.rate import Rate, rate_at
from funcnn.optim.where import Where, check_where, everywhere, show_where
from funcnn.typing import Array


@frozen
class Nadam(Moments):
    """Made by :func:`funcnn.nadam`."""

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        rate, t, beta1 = rate_at(self.learning_rate, count), count + 1, self.beta1
        ahead, now = rate * beta1 / (1 - beta1 ** (t + 1)), rate * (1 - beta1) / (1 - beta1**t)
        return ahead, now, math.sqrt(1 - self.beta2**t), self.eps

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        (ahead, now, r, eps), (m, v) = c, slots
        m, v = self._mean(g, m), self._mean_square(g, v)
        return p - (ahead * m + now * g) / (np.sqrt(v) / r + eps), m, v


@frozen
class NadamW(Nadam):
    """Made by :func:`funcnn.nadamw`."""

    weight_decay: float = 0.01
    where: Where = field(default=everywhere, repr=show_where)

    _checks: ClassVar[Mapping[str, Check]] = {**Nadam._checks, "weight_decay": AMOUNT, "where": check_where}

    @property
    def _divided_by(self) -> Where | None:
        return self.where if self.weight_decay > 0 and self.where is not everywhere else None  # decayed or not

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        decay = 0.0 if label is False else self.weight_decay
        return (*super()._coefficients(count, label), 1 - rate_at(self.learning_rate, count) * decay)

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        *plain, keep = c
        return super()._rule(plain, keep * p, g, *slots)


def nadam(learning_rate: Rate = 2e-3, *, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Nadam:
    r"""Nadam: Adam with Nesterov's momentum.

    The variant has a constant $\beta_1$; the paper's warming schedule of $\beta_1$ is left out.

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
    Dozat (2016), Incorporating Nesterov momentum into Adam, ICLR workshop, algorithm 2.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.nadam(1.0, beta1=0.0, eps=0.0)
    >>> params, grads = (np.array([1.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([0.]),)
    """
    return Nadam(learning_rate, beta1, beta2, eps)


def nadamw(
    learning_rate: Rate = 2e-3,
    *,
    weight_decay: float = 0.01,
    where: Where = everywhere,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> NadamW:
    r"""Nadam with decoupled weight decay, $p \leftarrow (1 - \alpha\lambda)\, p - \ldots$, as AdamW has it.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    weight_decay : float, optional
        $\lambda$, at least 0.
    where : str or callable, optional
        Which leaves are decayed: a regular expression that is searched in the leaf's path, or a pure function of path and shape
        such as :func:`funcnn.is_matrix`.  All by default.
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
    Dozat (2016), algorithm 2; Loshchilov & Hutter (2019), Decoupled weight decay regularization, arXiv:1711.05101.

    Examples
    --------
    Without a gradient only the decay is left.

    >>> import numpy as np, funcnn as fn
    >>> opt = fn.nadamw(0.1, weight_decay=0.5)
    >>> params, grads = (np.array([1.0]),), (np.array([0.0]),)
    >>> opt.update(params, grads, opt.init(params)).params[0].round(12)
    array([0.95])
    """
    return NadamW(learning_rate, beta1, beta2, eps, weight_decay, where)
