r"""Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1) and AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2).

With the moments of :mod:`funcnn.optim.moments`
$$ p_t = p_{t-1} - \alpha \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon} - \alpha\,\lambda\, p_{t-1} , $$
where the last term is AdamW's decoupled decay $\lambda$, which Adam does not have.

What runs.  The recursions are linear, so the state may hold $M = m/(1-\beta_1)$ and $V = v/(1-\beta_2)$, which saves two of
twelve passes: $M_t = \beta_1 M_{t-1} + g_t$, $V_t = \beta_2 V_{t-1} + g_t^2$.  With $s_t = \sqrt{(1-\beta_2^t)/(1-\beta_2)}$,
so that $\sqrt{\hat v_t} = \sqrt{V_t}/s_t$,
$$ \alpha \frac{\hat m_t}{\sqrt{\hat v_t}+\epsilon} = a_t \frac{M_t}{\sqrt{V_t} + \epsilon s_t},
   \qquad a_t = \alpha\, s_t\, \frac{1-\beta_1}{1-\beta_1^t} . $$
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
from attrs import field, frozen
from numpy import add, divide, multiply, sqrt, subtract

from funcnn import tree
from funcnn.optim.blocks import Coefficients
from funcnn.optim.fused import Numbers
from funcnn.optim.hyper import AMOUNT, Check
from funcnn.optim.layout import Label
from funcnn.optim.moments import Moments
from funcnn.optim.optimizer import OptState
from funcnn.optim.schedules.rate import Rate, rate_at
from funcnn.optim.where import Where, check_where, everywhere, show_where
from funcnn.typing import Array

P = TypeVar("P")


@frozen
class Adam(Moments):
    """Adam.  Made by :func:`funcnn.adam` and :func:`funcnn.adamw`; its moments are M and V of the module's docstring."""

    weight_decay: float = 0.0
    where: Where = field(default=everywhere, repr=show_where)

    _checks: ClassVar[Mapping[str, Check]] = {**Moments._checks, "weight_decay": AMOUNT, "where": check_where}

    @property
    def _divided_by(self) -> Where | None:
        return self.where if self.weight_decay > 0 and self.where is not everywhere else None  # decayed or not

    @property
    def _squares(self) -> tuple[int, float] | None:
        return 2, 1.0  # it is V

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        """Return beta1, beta2, a and epsilon s of the module's docstring, and where leaves decay what is left of them."""
        rate, t, beta1, beta2 = rate_at(self.learning_rate, count), count + 1, self.beta1, self.beta2
        s = math.sqrt((1 - beta2**t) / (1 - beta2))
        a = rate * s * (1 - beta1) / (1 - beta1**t)
        if self.weight_decay and label is not False:
            return beta1, beta2, a, self.eps * s, 1 - rate * self.weight_decay
        return beta1, beta2, a, self.eps * s

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        return adam_rule(c, p, g, *slots)

    def _kernel(self, c: Coefficients, p: Array, g: Array, slots: Sequence[Array], out: Sequence[Array]) -> None:
        """Do :func:`adam_rule` with one array for all that it needs between: the same operations in the same order."""
        (beta1, beta2, a, eps, *keep), (new, m, v) = c, out
        multiply(slots[0], beta1, m)
        add(m, g, m)
        multiply(slots[1], beta2, v)
        work: Array = multiply(g, g)
        add(v, work, v)
        sqrt(v, work)
        add(work, eps, work)
        divide(m, work, work)
        multiply(work, a, work)
        subtract(multiply(p, keep[0], new) if keep else p, work, new)

    @property
    def _numbers(self) -> Numbers:
        return adam_rule

    def slot(self, name: str, params: P, state: OptState[P]) -> P:
        """Return m ("mean") or v ("square") of the paper as a tree like the parameters."""
        kept = super().slot(name, params, state)
        scale = 1 - (self.beta1 if name == "mean" else self.beta2)
        return tree.freeze(tree.map(lambda leaf: np.asarray(scale * leaf), kept))


def adam_rule(c: Any, p: Any, g: Any, m: Any, v: Any) -> tuple[Any, Any, Any]:  # Any: arrays, or Numba's numbers
    """Return the next p, M and V: of arrays, or compiled (:mod:`funcnn.optim.fused`) of one number after the other."""
    beta1, beta2, a, eps = c[0], c[1], c[2], c[3]
    m = m * beta1 + g
    v = v * beta2 + g * g
    step = m / (np.sqrt(v) + eps) * a
    if len(c) == 5:
        p = p * c[4]
    return p - step, m, v


def adam(learning_rate: Rate = 1e-3, *, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Adam:
    r"""Adam, $p \leftarrow p - \alpha\, \hat m / (\sqrt{\hat v} + \epsilon)$ with bias-corrected moments.

    The variant is algorithm 1 of the paper: both moments are corrected for their start at zero, and $\epsilon$ is added to
    the square root of the corrected second moment.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    beta1, beta2 : float, optional
        Decay rates of the two moments, in [0, 1).
    eps : float, optional
        Added to the denominator, at least 0.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Kingma & Ba (2015), Adam: a method for stochastic optimization, arXiv:1412.6980.

    See Also
    --------
    adamw : with decoupled weight decay.

    Examples
    --------
    The first step is the learning rate times the gradient's sign, whatever its size.

    >>> import numpy as np, funcnn as fn
    >>> opt = fn.adam(0.5, eps=0.0)
    >>> params, grads = (np.array([1.0, 1.0]),), (np.array([1e-3, -1e3]),)
    >>> opt.update(params, grads, opt.init(params)).params[0].round(12)
    array([0.5, 1.5])
    """
    return Adam(learning_rate, beta1, beta2, eps)


def adamw(
    learning_rate: Rate = 1e-3,
    *,
    weight_decay: float = 0.01,
    where: Where = everywhere,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> Adam:
    r"""Adam with decoupled weight decay, $p \leftarrow (1 - \alpha\lambda)\, p - \alpha\, \hat m / (\sqrt{\hat v} + \epsilon)$.

    The decay does not pass through the moments, and it is multiplied by the learning rate: $\alpha\lambda$ is the paper's
    $\eta_t\lambda$, so that a schedule acts on both.

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
        Added to the denominator, at least 0.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Loshchilov & Hutter (2019), Decoupled weight decay regularization, arXiv:1711.05101, algorithm 2.

    Examples
    --------
    Without a gradient only the decay is left.

    >>> import numpy as np, funcnn as fn
    >>> opt = fn.adamw(0.1, weight_decay=0.5)
    >>> params, grads = (np.array([1.0]),), (np.array([0.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([0.95]),)
    """
    return Adam(learning_rate, beta1, beta2, eps, weight_decay, where)
