r"""AMSGrad (Reddi, Kale & Kumar 2018, arXiv:1904.09237, algorithm 2), whose denominator never shrinks.

With Adam's moments $m$ and $v$ (:mod:`funcnn.optim.moments`) and $w_t = \max(w_{t-1}, v_t)$
$$ p_t = p_{t-1} - \alpha\, \frac{\hat m_t}{\sqrt{w_t/(1-\beta_2^t)} + \epsilon}, \quad\text{in the paper}\quad
   p_t = p_{t-1} - \alpha\, \frac{m_t}{\sqrt{w_t} + \epsilon} . $$
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from attrs import frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.hyper import FLAG, Check
from funcnn.optim.layout import Label
from funcnn.optim.moments import Moments, stepped
from funcnn.optim.schedules.rate import Rate, rate_at
from funcnn.typing import Array


@frozen
class AMSGrad(Moments):
    """Made by :func:`funcnn.amsgrad`."""

    bias_correction: bool = True

    _checks: ClassVar[Mapping[str, Check]] = {**Moments._checks, "bias_correction": FLAG}

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("mean", "square", "largest")

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        return (
            super()._coefficients(count, label) if self.bias_correction else (rate_at(self.learning_rate, count), 1.0, self.eps)
        )

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        m, v, w = slots
        m, v = self._mean(g, m), self._mean_square(g, v)
        w = np.maximum(w, v)
        return stepped(c, p, m, w), m, v, w


def amsgrad(
    learning_rate: Rate = 1e-3,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    bias_correction: bool = True,
) -> AMSGrad:
    r"""AMSGrad: Adam whose denominator never shrinks, $w \leftarrow \max(w, v)$.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    beta1, beta2 : float, optional
        Decay rates of the two moments, in [0, 1).
    eps : float, optional
        Added to the root, at least 0.
    bias_correction : bool, optional
        Whether the moments are corrected for their start at zero, as in most libraries; the paper's algorithm does not.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Reddi, Kale & Kumar (2018), On the convergence of Adam and beyond, arXiv:1904.09237, algorithm 2.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.amsgrad(0.5, eps=0.0)
    >>> params, grads = (np.array([1.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([0.5]),)
    """
    return AMSGrad(learning_rate, beta1, beta2, eps, bias_correction)
