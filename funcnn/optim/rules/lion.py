r"""Lion: steps of the sign of a mean of the gradient and its past.

Lion (Chen et al. 2023, arXiv:2302.06675, algorithm 2), with decoupled decay $\lambda$
$$ p_t = p_{t-1} - \alpha\bigl(\operatorname{sign}(\beta_1 m_{t-1} + (1-\beta_1)\, g_t) + \lambda\, p_{t-1}\bigr), \qquad
   m_t = \beta_2 m_{t-1} + (1-\beta_2)\, g_t . $$
"""

from __future__ import annotations

import numpy as np
from attrs import field, frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.flat import Elementwise
from funcnn.optim.hyper import AMOUNT, FRACTION, settle
from funcnn.optim.layout import Label
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.optim.where import Where, check_where, everywhere, show_where
from funcnn.typing import Array


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
