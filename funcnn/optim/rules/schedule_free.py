r"""Schedule-free learning: averaging in place of a decaying rate.

After Defazio et al. (2024), arXiv:2405.15682, eq. 3-5 and algorithm 1.

Three sequences: $z$ takes the steps, $x$ is its weighted mean and is what to evaluate, and the gradient is taken between, at
$y$, which are the parameters that the optimizer is given and gives back:
$$ y_t = (1-\beta)\, z_t + \beta\, x_t, \qquad z_{t+1} = z_t - \gamma_t\,(d_t + \lambda\, y_t), \qquad
   x_{t+1} = (1 - c_t)\, x_t + c_t\, z_{t+1}, \qquad c_t = \frac{\gamma_t^2}{\sum_{i \le t} \gamma_i^2} . $$
For gradient descent $d_t = g_t$ and $\gamma_t = \gamma \min(1, t/T)$ with $T$ updates of warm-up.  For AdamW
$$ v_t = \beta_2 v_{t-1} + (1-\beta_2)\, g_t^2, \qquad d_t = \frac{g_t}{\sqrt{v_t} + \epsilon}, \qquad
   \gamma_t = \gamma \sqrt{1-\beta_2^t}\, \min(1, t/T) . $$
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import ClassVar, TypeVar

import numpy as np
from attrs import frozen

from funcnn.errors import check_range
from funcnn.optim.blocks import Coefficients
from funcnn.optim.flat import Elementwise
from funcnn.optim.hyper import AMOUNT, FLAG, FRACTION, at_least, settle
from funcnn.optim.layout import Label
from funcnn.optim.optimizer import OptState
from funcnn.typing import Array

P = TypeVar("P")


@frozen
class ScheduleFree(Elementwise):
    """Made by :func:`funcnn.schedule_free` and :func:`funcnn.schedule_free_adamw`."""

    unscalable: ClassVar[str] = "its mean of the iterates rests on a rate that does not change, and needs no reduction"

    learning_rate: float
    beta: float = 0.9
    weight_decay: float = 0.0
    warmup_steps: int = 0
    adaptive: bool = False
    beta2: float = 0.999
    eps: float = 1e-8

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=AMOUNT, beta=FRACTION, weight_decay=AMOUNT, warmup_steps=at_least(0))
        settle(self, adaptive=FLAG, beta2=FRACTION, eps=AMOUNT)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("z", "x", "square") if self.adaptive else ("z", "x")

    def _start(self, p: Array) -> tuple[Array, ...]:
        return (p, p, np.zeros_like(p)) if self.adaptive else (p, p)

    @property
    def _square_share(self) -> float | None:
        return 1.0 if self.adaptive else None

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        beta2 = self.beta2 if self.adaptive else 0.0
        weight, total = weights(count + 1, self.warmup_steps, beta2)
        return self.learning_rate * math.sqrt(weight), weight / total, self.weight_decay, self.beta, self.eps

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        rate, share, decay, beta, eps = c
        z, x, *square = slots
        d, memory = g, []
        if self.adaptive:
            v = self.beta2 * square[0] + (1 - self.beta2) * (g * g)
            d, memory = g / (np.sqrt(v) + eps), [v]
        z = z - rate * (d + decay * p)
        x = x + share * (z - x)
        return z + beta * (x - z), z, x, *memory

    def evaluation(self, params: P, state: OptState[P]) -> P:
        """Return x, the parameters to evaluate with, as a tree like the parameters.

        Parameters
        ----------
        params : tree
            Gives the structure.
        state : OptState
            As ``update`` gave it.
        """
        return self.slot("x", params, state)


def weights(t: int, warmup: int, beta2: float) -> tuple[float, float]:
    r"""Return $w_t$ and $\sum_{i \le t} w_i$ for $w_i = (1 - \beta_2^i) \min(1, i/T)^2$, which is $(\gamma_i/\gamma)^2$."""
    start = min(t, warmup)
    last = (1 - beta2**t) * (t / warmup if t < warmup else 1.0) ** 2
    rest = t - start  # updates after the warm-up, whose weights are 1 - beta2^i
    tail = rest - (beta2 ** (start + 1) * (1 - beta2**rest) / (1 - beta2) if rest else 0.0)
    return last, _sum_of_warmup(start, warmup, beta2) + tail


@lru_cache(maxsize=64)
def _sum_of_warmup(t: int, warmup: int, beta2: float) -> float:
    i = np.arange(1, t + 1)
    return float(np.sum((1 - beta2**i) * (i / warmup) ** 2)) if t else 0.0


def schedule_free(
    learning_rate: float = 1.0, *, beta: float = 0.9, weight_decay: float = 0.0, warmup_steps: int = 0
) -> ScheduleFree:
    r"""Schedule-free gradient descent.

    Evaluate with ``opt.evaluation(params, state)``, not with the parameters that ``update`` gives: those are where gradients
    are taken.

    Parameters
    ----------
    learning_rate : float, optional
        $\gamma$, at least 0: a number, since no schedule is needed.
    beta : float, optional
        $\beta$ in [0, 1).
    weight_decay : float, optional
        $\lambda$, at least 0, taken at $y$.
    warmup_steps : int, optional
        $T$, at least 0.

    Returns
    -------
    Optimizer
        With a method ``evaluation(params, state)``.

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Defazio et al. (2024), The road less scheduled, arXiv:2405.15682, eq. 3-5.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.schedule_free(1.0, beta=0.5)
    >>> params, grads = (np.array([1.0]),), (np.array([2.0]),)
    >>> once = opt.update(params, grads, opt.init(params))
    >>> twice = opt.update(once.params, grads, once.state)
    >>> twice.params, opt.evaluation(twice.params, twice.state)
    ((array([-2.5]),), (array([-2.]),))
    """
    return ScheduleFree(learning_rate, beta, weight_decay, warmup_steps)


def schedule_free_adamw(
    learning_rate: float = 2.5e-3,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    warmup_steps: int = 0,
) -> ScheduleFree:
    r"""Schedule-free AdamW.

    Evaluate with ``opt.evaluation(params, state)``, not with the parameters that ``update`` gives: those are where gradients
    are taken.

    Parameters
    ----------
    learning_rate : float, optional
        $\gamma$, at least 0: a number, since no schedule is needed.
    beta1, beta2 : float, optional
        $\beta$ and the decay rate of the second moment, in [0, 1).
    eps : float, optional
        Added to the root of the second moment, at least 0.
    weight_decay : float, optional
        $\lambda$, at least 0, taken at $y$.
    warmup_steps : int, optional
        $T$, at least 0.

    Returns
    -------
    Optimizer
        With a method ``evaluation(params, state)``.

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Defazio et al. (2024), The road less scheduled, arXiv:2405.15682, algorithm 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.schedule_free_adamw(0.5, eps=0.0)
    >>> params, grads = (np.array([1.0]),), (np.array([2.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([0.5]),)
    """
    beta1 = check_range(beta1, "beta1", 0.0, 1.0, open_high=True)  # which the record calls beta
    return ScheduleFree(learning_rate, beta1, weight_decay, warmup_steps, adaptive=True, beta2=beta2, eps=eps)
