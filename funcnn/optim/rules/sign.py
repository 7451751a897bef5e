r"""Steps of the gradient's sign: sign SGD, Lion and Rprop.

Sign SGD, and with a momentum Signum (Bernstein et al. 2018, arXiv:1802.04434, algorithms 1 and 2)
$$ m_t = \mu\, m_{t-1} + (1-\mu)\, g_t, \qquad p_t = p_{t-1} - \alpha \operatorname{sign}(m_t) . $$

Lion (Chen et al. 2023, arXiv:2302.06675, algorithm 2), with decoupled decay $\lambda$
$$ p_t = p_{t-1} - \alpha\bigl(\operatorname{sign}(\beta_1 m_{t-1} + (1-\beta_1)\, g_t) + \lambda\, p_{t-1}\bigr), \qquad
   m_t = \beta_2 m_{t-1} + (1-\beta_2)\, g_t . $$

Rprop keeps a step size $\Delta$ for each parameter, which grows while the gradient keeps its sign and shrinks when that
changes.  The variant is iRprop$^-$ (Igel & Hüsken 2000, algorithm 4, after Riedmiller & Braun 1993): with $s = g_{t-1} g_t$
$$ \Delta_t = \begin{cases} \min(\eta^+ \Delta_{t-1}, \Delta_{\max}) & s > 0 \\ \max(\eta^- \Delta_{t-1}, \Delta_{\min}) & s < 0
\\
   \Delta_{t-1} & s = 0 \end{cases} \qquad g_t \leftarrow 0 \text{ if } s < 0, \qquad
   p_t = p_{t-1} - \operatorname{sign}(g_t)\, \Delta_t . $$
It compares the signs of successive gradients and so is made for whole-batch training.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from attrs import field, frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.flat import Elementwise
from funcnn.optim.hyper import AMOUNT, FRACTION, POSITIVE, between, settle
from funcnn.optim.layout import Label
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.optim.where import Where, check_where, everywhere, show_where
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


@frozen
class Lion(Elementwise):
    """Made by :func:`funcnn.lion`."""

    learning_rate: Rate
    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.0
    where: Where = field(default=everywhere, repr=show_where)

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate, beta1=FRACTION, beta2=FRACTION, weight_decay=AMOUNT, where=check_where)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("mean",)

    @property
    def _divided_by(self) -> Where | None:
        return self.where if self.where is not everywhere else None  # decayed or not

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        rate = rate_at(self.learning_rate, count)
        decay = 0.0 if label is False else self.weight_decay
        return rate, 1 - rate * decay, self.beta1, 1 - self.beta1, self.beta2, 1 - self.beta2

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        rate, keep, beta1, rest1, beta2, rest2 = c
        u = np.sign(beta1 * slots[0] + rest1 * g)
        return keep * p - rate * u, beta2 * slots[0] + rest2 * g


@frozen
class Rprop(Elementwise):
    """Made by :func:`funcnn.rprop`."""

    unscalable: ClassVar[str] = "it has none: the size of each step is found from the signs of the gradients"

    initial: float = 0.01
    increase: float = 1.2
    decrease: float = 0.5
    min_step_size: float = 1e-6
    max_step_size: float = 50.0

    def __attrs_post_init__(self) -> None:
        settle(self, min_step_size=POSITIVE, increase=between(1.0, math.inf, open_high=True))
        settle(self, decrease=between(0.0, 1.0, open_low=True, open_high=True))
        settle(self, max_step_size=between(self.min_step_size, math.inf, open_high=True, note="min_step_size is its least"))
        settle(self, initial=between(self.min_step_size, self.max_step_size, note="between min_step_size and max_step_size"))

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("step", "gradient")

    def _start(self, p: Array) -> tuple[Array, ...]:
        return np.full_like(p, self.initial), np.zeros_like(p)

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        return self.increase, self.decrease, self.min_step_size, self.max_step_size

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        increase, decrease, smallest, largest = c
        agreement = np.sign(g) * np.sign(slots[1])
        grown, shrunk = np.minimum(increase * slots[0], largest), np.maximum(decrease * slots[0], smallest)
        step = np.where(agreement > 0, grown, np.where(agreement < 0, shrunk, slots[0]))
        g = np.where(agreement < 0, 0, g)
        return p - np.sign(g) * step, step, g


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


def lion(
    learning_rate: Rate = 1e-4,
    *,
    beta1: float = 0.9,
    beta2: float = 0.99,
    weight_decay: float = 0.0,
    where: Where = everywhere,
) -> Lion:
    r"""Lion, $p \leftarrow p - \alpha(\operatorname{sign}(\beta_1 m + (1-\beta_1) g) + \lambda p)$.

    What is remembered is $m \leftarrow \beta_2 m + (1-\beta_2) g$.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$; the authors advise a third to a tenth of AdamW's.
    beta1, beta2 : float, optional
        Decay rates of what is stepped along and of what is remembered, in [0, 1).
    weight_decay : float, optional
        Decoupled decay $\lambda$, at least 0.
    where : str or callable, optional
        Which leaves are decayed: a regular expression that is searched in the leaf's path, or a pure function of path and
        shape such as :func:`funcnn.is_matrix`.  All by default.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Chen et al. (2023), Symbolic discovery of optimization algorithms, arXiv:2302.06675, algorithm 2.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.lion(0.5, weight_decay=0.5)
    >>> params, grads = (np.array([1.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([0.25]),)
    """
    return Lion(learning_rate, beta1, beta2, weight_decay, where)


def rprop(
    initial: float = 0.01,
    *,
    increase: float = 1.2,
    decrease: float = 0.5,
    min_step_size: float = 1e-6,
    max_step_size: float = 50.0,
) -> Rprop:
    r"""Resilient propagation (iRprop$^-$): a step size for each parameter, adapted by the signs of successive gradients.

    For whole-batch training: noise in a gradient's sign shrinks its step.

    Parameters
    ----------
    initial : float, optional
        The first step size, between the smallest and the largest.
    increase, decrease : float, optional
        $\eta^+ \ge 1$ and $\eta^-$ in (0, 1).
    min_step_size, max_step_size : float, optional
        The bounds of the step sizes.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Riedmiller & Braun (1993), A direct adaptive method for faster backpropagation learning; Igel & Hüsken (2000), Improving the
    Rprop learning algorithm, algorithm 4.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.rprop(0.5)
    >>> params, grads = (np.array([2.0]),), (np.array([7.0]),)
    >>> once = opt.update(params, grads, opt.init(params))
    >>> once.params, opt.update(once.params, grads, once.state).params
    ((array([1.5]),), (array([0.9]),))
    """
    return Rprop(initial, increase, decrease, min_step_size, max_step_size)
