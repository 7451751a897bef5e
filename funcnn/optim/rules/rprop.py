r"""Rprop: each parameter has a step size of its own, found from the signs of successive gradients.

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
from attrs import frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.flat import Elementwise
from funcnn.optim.hyper import POSITIVE, between, settle
from funcnn.optim.layout import Label
from funcnn.typing import Array


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
