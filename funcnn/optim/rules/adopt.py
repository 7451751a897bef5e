r"""ADOPT (Taniguchi et al. 2024, arXiv:2411.02853, algorithm 2): Adam that converges with any $\beta_2$.

The gradient is divided by the root of the *earlier* squares, which do not depend on it, and only then averaged.  The first
update sets $v_0 = g_0^2$ and takes no step; at $t = 1, 2, \dots$, with the bound $c_t = t^{1/4}$
$$ m_t = \beta_1 m_{t-1} + (1-\beta_1) \operatorname{clip}\Bigl(\frac{g_t}{\max(\sqrt{v_{t-1}}, \epsilon)}, c_t\Bigr), \qquad
   p_t = p_{t-1} - \alpha\, m_t - \alpha\, \lambda\, p_{t-1}, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2)\, g_t^2 . $$
"""

from __future__ import annotations

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
class Adopt(Moments):
    """Made by :func:`funcnn.adopt`."""

    weight_decay: float = 0.0
    where: Where = field(default=everywhere, repr=show_where)

    _checks: ClassVar[Mapping[str, Check]] = {**Moments._checks, "weight_decay": AMOUNT, "where": check_where}

    @property
    def _divided_by(self) -> Where | None:
        return self.where if self.weight_decay > 0 and self.where is not everywhere else None  # decayed or not

    @property
    def _square_share(self) -> float | None:
        return 1.0  # v begins with a whole square

    @property
    def _squares(self) -> tuple[int, float] | None:
        return None  # clipping would hide it

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        """Return the rate, what decay leaves, the bound (0 at the first update) and epsilon."""
        rate = rate_at(self.learning_rate, count)
        decay = 0.0 if label is False else self.weight_decay
        return rate, 1 - rate * decay, float(count) ** 0.25, self.eps

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        (rate, keep, bound, eps), (m, v) = c, slots
        if not bound:
            return p.copy(), m.copy(), g * g
        m = self._mean(np.clip(g / np.maximum(np.sqrt(v), eps), -bound, bound), m)
        return keep * p - rate * m, m, self._mean_square(g, v)


def adopt(
    learning_rate: Rate = 1e-3,
    *,
    beta1: float = 0.9,
    beta2: float = 0.9999,
    eps: float = 1e-6,
    weight_decay: float = 0.0,
    where: Where = everywhere,
) -> Adopt:
    r"""ADOPT: Adam whose second moment leaves out the gradient that it divides, so that it converges with any $\beta_2$.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    beta1, beta2 : float, optional
        Decay rates of the two moments, in [0, 1).
    eps : float, optional
        The least that is divided by, at least 0.
    weight_decay : float, optional
        Decoupled decay $\lambda$, at least 0.
    where : str or callable, optional
        Which leaves are decayed: a regular expression that is searched in the leaf's path, or a pure function of path and
        shape such as :func:`funcnn.is_matrix`.  All by default.

    Returns
    -------
    Optimizer
        Its first update looks at the gradient and takes no step.

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Taniguchi et al. (2024), ADOPT: modified Adam can converge with any beta2 with the optimal rate, arXiv:2411.02853,
    algorithm 2.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.adopt(0.5, beta1=0.0)
    >>> params, grads = (np.array([1.0]),), (np.array([10.0]),)
    >>> first = opt.update(params, grads, opt.init(params))
    >>> first.params, opt.update(first.params, grads, first.state).params
    ((array([1.]),), (array([0.5]),))
    """
    return Adopt(learning_rate, beta1, beta2, eps, weight_decay, where)
