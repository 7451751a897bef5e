r"""NovoGrad (Ginsburg et al. 2019, arXiv:1905.11286, algorithm 1): one second moment for each leaf.

For the gradient $g$ of a leaf, with $v_1 = \lVert g_1 \rVert^2$ and $m_1 = g_1 / (\sqrt{v_1} + \epsilon) + \lambda\, p_0$
$$ v_t = \beta_2 v_{t-1} + (1-\beta_2) \lVert g_t \rVert^2, \qquad
   m_t = \beta_1 m_{t-1} + \Bigl( \frac{g_t}{\sqrt{v_t} + \epsilon} + \lambda\, p_{t-1} \Bigr), \qquad
   p_t = p_{t-1} - \alpha\, m_t . $$
What is kept is $\sqrt{v / N}$ with the N numbers of the leaf, whose square never has to be a number.
"""

from __future__ import annotations

import math

import numpy as np
from attrs import field, frozen

from funcnn.optim.flat import coefficient
from funcnn.optim.hyper import AMOUNT, FRACTION, settle
from funcnn.optim.leafwise import Leafwise
from funcnn.optim.norms import moderate
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.optim.where import Where, check_where, everywhere, show_where
from funcnn.typing import Array, Shape


@frozen
class NovoGrad(Leafwise):
    """Made by :func:`funcnn.novograd`."""

    learning_rate: Rate
    beta1: float = 0.95
    beta2: float = 0.98
    eps: float = 1e-8
    weight_decay: float = 0.0
    where: Where = field(default=everywhere, repr=show_where)

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate, beta1=FRACTION, beta2=FRACTION, eps=AMOUNT)
        settle(self, weight_decay=AMOUNT, where=check_where)

    def _slots(self, shape: Shape, chosen: bool) -> tuple[Shape, ...]:
        return shape, ()

    def _rule(self, count: int, chosen: bool, p: Array, g: Array, kept: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
        m, root = kept
        length = math.sqrt(max(1, g.size))
        _, norm, exponent = moderate((g,))
        size = math.ldexp(norm / length, exponent)
        if count:
            size = math.hypot(math.sqrt(self.beta2) * float(root), math.sqrt(1 - self.beta2) * size)
        divisor = size + self.eps / length
        u = g / p.dtype.type(length) / coefficient(divisor, p.dtype) if divisor else 0 * g
        if chosen and self.weight_decay:
            u = u + p.dtype.type(self.weight_decay) * p
        m = p.dtype.type(self.beta1) * m + u
        rate = p.dtype.type(rate_at(self.learning_rate, count))
        return p - rate * m, (m, np.asarray(size, p.dtype))


def novograd(
    learning_rate: Rate = 0.01,
    *,
    beta1: float = 0.95,
    beta2: float = 0.98,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    where: Where = everywhere,
) -> NovoGrad:
    r"""NovoGrad: each leaf's gradient over the root of a mean of its squared length, with momentum: half the memory of Adam.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    beta1, beta2 : float, optional
        Decay rates of the steps and of the squared lengths, in [0, 1).
    eps : float, optional
        Added to the root, at least 0.
    weight_decay : float, optional
        $\lambda$, at least 0; it goes through the momentum.
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
    Ginsburg et al. (2019), Stochastic gradient methods with layer-wise adaptive moments, arXiv:1905.11286, algorithm 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.novograd(0.5, eps=0.0)
    >>> params, grads = (np.array([1.0, 1.0]),), (np.array([30.0, 40.0]),)
    >>> opt.update(params, grads, opt.init(params)).params[0].round(12)
    array([0.7, 0.6])
    """
    return NovoGrad(learning_rate, beta1, beta2, eps, weight_decay, where)
