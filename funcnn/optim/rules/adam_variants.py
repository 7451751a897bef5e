r"""Variants of Adam: AMSGrad, Adamax, Nadam, RAdam, AdaBelief and Yogi.

All keep the moving mean $m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t$ of the gradients and, but for those that say otherwise,
$v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2$; hats are the corrections $\hat m_t = m_t/(1-\beta_1^t)$,
$\hat v_t = v_t/(1-\beta_2^t)$.

AMSGrad (Reddi, Kale & Kumar 2018, arXiv:1904.09237, algorithm 2) never lets the denominator shrink: $w_t = \max(w_{t-1}, v_t)$,
$$ p_t = p_{t-1} - \alpha\, \frac{\hat m_t}{\sqrt{w_t/(1-\beta_2^t)} + \epsilon}, \quad\text{in the paper}\quad
   p_t = p_{t-1} - \alpha\, \frac{m_t}{\sqrt{w_t} + \epsilon} . $$

Adamax (Kingma & Ba 2015, arXiv:1412.6980, algorithm 2) takes the largest past gradient: $u_t = \max(\beta_2 u_{t-1}, |g_t|)$,
$$ p_t = p_{t-1} - \alpha\, \frac{\hat m_t}{u_t + \epsilon} . $$

Nadam (Dozat 2016, algorithm 2, with a constant $\beta_1$) looks one step ahead, as Nesterov does:
$$ p_t = p_{t-1} - \frac{\alpha}{\sqrt{\hat v_t} + \epsilon}
   \Bigl( \frac{\beta_1 m_t}{1-\beta_1^{t+1}} + \frac{(1-\beta_1)\, g_t}{1-\beta_1^t} \Bigr) . $$

RAdam (Liu et al. 2020, arXiv:1908.03265, algorithm 2) waits until the variance of the second moment is known.  With
$\rho_\infty = 2/(1-\beta_2) - 1$ and $\rho_t = \rho_\infty - 2 t \beta_2^t/(1-\beta_2^t)$
$$ p_t = p_{t-1} - \alpha\, r_t \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}, \quad
   r_t = \sqrt{\frac{(\rho_t-4)(\rho_t-2)\rho_\infty}{(\rho_\infty-4)(\rho_\infty-2)\rho_t}}
   \quad\text{if } \rho_t > \rho_{\min}, \quad\text{else}\quad p_t = p_{t-1} - \alpha\, \hat m_t . $$

AdaBelief (Zhuang et al. 2020, arXiv:2010.07468, algorithm 2) measures the gradient against its mean:
$s_t = \beta_2 s_{t-1} + (1-\beta_2)(g_t - m_t)^2 + \epsilon$,
$$ p_t = p_{t-1} - \alpha\, \frac{\hat m_t}{\sqrt{s_t/(1-\beta_2^t)} + \epsilon} . $$

Yogi (Zaheer et al. 2018, algorithm 2) changes the second moment by at most $(1-\beta_2) g_t^2$ whatever its size:
$v_t = v_{t-1} - (1-\beta_2)\operatorname{sign}(v_{t-1} - g_t^2)\, g_t^2$,
$$ p_t = p_{t-1} - \alpha\, \frac{m_t}{\sqrt{v_t} + \epsilon} . $$
"""

from __future__ import annotations

import math

import numpy as np
from attrs import frozen

from funcnn.optim.blocks import Coefficients
from funcnn.optim.hyper import AMOUNT, FLAG, between, settle
from funcnn.optim.layout import Label
from funcnn.optim.moments import Moments
from funcnn.optim.schedules.rate import Rate, rate_at
from funcnn.typing import Array


@frozen
class AMSGrad(Moments):
    """Made by :func:`funcnn.amsgrad`."""

    bias_correction: bool = True

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        settle(self, bias_correction=FLAG)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("mean", "square", "largest")

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        rate, t = rate_at(self.learning_rate, count), count + 1
        if not self.bias_correction:
            return rate, 1.0, self.eps
        return rate / (1 - self.beta1**t), math.sqrt(1 - self.beta2**t), self.eps

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        rate, root, eps = c
        m, v = self._moments(g, slots[0], slots[1])
        w = np.maximum(slots[2], v)
        return p - rate * m / (np.sqrt(w) / root + eps), m, v, w


@frozen
class Adamax(Moments):
    """Made by :func:`funcnn.adamax`."""

    @property
    def _square_share(self) -> float | None:
        return None  # it takes no squares

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("mean", "largest")

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        rate, t = rate_at(self.learning_rate, count), count + 1
        return rate / (1 - self.beta1**t), self.beta1, 1 - self.beta1, self.beta2, self.eps

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        rate, beta1, rest, beta2, eps = c
        m = beta1 * slots[0] + rest * g
        u = np.maximum(beta2 * slots[1], np.abs(g))
        return p - rate * m / (u + eps), m, u


@frozen
class Nadam(Moments):
    """Made by :func:`funcnn.nadam`."""

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        rate, t, beta1 = rate_at(self.learning_rate, count), count + 1, self.beta1
        ahead, now = rate * beta1 / (1 - beta1 ** (t + 1)), rate * (1 - beta1) / (1 - beta1**t)
        return ahead, now, math.sqrt(1 - self.beta2**t), self.eps

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        ahead, now, root, eps = c
        m, v = self._moments(g, *slots)
        return p - (ahead * m + now * g) / (np.sqrt(v) / root + eps), m, v


@frozen
class RAdam(Moments):
    """Made by :func:`funcnn.radam`."""

    threshold: float = 4.0

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        settle(self, threshold=between(4.0, math.inf))

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        rate, t, decay = rate_at(self.learning_rate, count), count + 1, self.beta2 ** (count + 1)
        limit = 2 / (1 - self.beta2) - 1
        length = limit - 2 * t * decay / (1 - decay)  # rho: how many gradients the second moment has averaged
        if length <= self.threshold:
            return (rate / (1 - self.beta1**t),)
        rectifier = math.sqrt((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length))
        return rate * rectifier / (1 - self.beta1**t), math.sqrt(1 - decay), self.eps

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        m, v = self._moments(g, *slots)
        if len(c) == 1:
            return p - c[0] * m, m, v
        rate, root, eps = c
        return p - rate * m / (np.sqrt(v) / root + eps), m, v


@frozen
class AdaBelief(Moments):
    """Made by :func:`funcnn.adabelief`."""

    @property
    def _squares(self) -> tuple[int, float] | None:
        return None  # of what surprises, not of gradients

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        rate, t = rate_at(self.learning_rate, count), count + 1
        return rate / (1 - self.beta1**t), math.sqrt(1 - self.beta2**t), self.eps

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        rate, root, eps = c
        m = self.beta1 * slots[0] + (1 - self.beta1) * g
        surprise = g - m
        s = self.beta2 * slots[1] + (1 - self.beta2) * (surprise * surprise) + eps
        return p - rate * m / (np.sqrt(s) / root + eps), m, s


@frozen
class Yogi(Moments):
    """Made by :func:`funcnn.yogi`."""

    initial_accumulator_value: float = 1e-6

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        settle(self, initial_accumulator_value=AMOUNT)

    def _start(self, p: Array) -> tuple[Array, ...]:
        return np.zeros_like(p), np.full_like(p, self.initial_accumulator_value)

    @property
    def _squares(self) -> tuple[int, float] | None:
        return None  # they may be taken away

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        return rate_at(self.learning_rate, count), self.eps

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        rate, eps = c
        square = g * g
        m = self.beta1 * slots[0] + (1 - self.beta1) * g
        v = slots[1] - (1 - self.beta2) * np.sign(slots[1] - square) * square
        return p - rate * m / (np.sqrt(v) + eps), m, v


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


def adamax(learning_rate: Rate = 2e-3, *, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Adamax:
    r"""Adamax: Adam with the infinity norm, $p \leftarrow p - \alpha\, \hat m/(u + \epsilon)$.

    The largest past gradient is $u \leftarrow \max(\beta_2 u, |g|)$.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    beta1, beta2 : float, optional
        Decay rates of the mean and of the largest gradient, in [0, 1).
    eps : float, optional
        Added to the denominator, at least 0; the paper has none, and divides by zero where the gradient has always been zero.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Kingma & Ba (2015), Adam: a method for stochastic optimization, arXiv:1412.6980, algorithm 2.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.adamax(0.5, eps=0.0)
    >>> params, grads = (np.array([1.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params[0].round(12)
    array([0.5])
    """
    return Adamax(learning_rate, beta1, beta2, eps)


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


def radam(
    learning_rate: Rate = 1e-3,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    threshold: float = 4.0,
) -> RAdam:
    r"""RAdam: Adam whose adaptive step is rectified, and replaced by plain momentum during the first steps.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    beta1, beta2 : float, optional
        Decay rates of the two moments, in [0, 1).
    eps : float, optional
        Added to the root of the corrected second moment, at least 0.
    threshold : float, optional
        $\rho_{\min}$, at least 4 as in the paper; several libraries take 5.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Liu et al. (2020), On the variance of the adaptive learning rate and beyond, arXiv:1908.03265, algorithm 2.

    Examples
    --------
    The first step is that of gradient descent.

    >>> import numpy as np, funcnn as fn
    >>> opt = fn.radam(0.25)
    >>> params, grads = (np.array([1.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([-1.5]),)
    """
    return RAdam(learning_rate, beta1, beta2, eps, threshold)


def adabelief(learning_rate: Rate = 1e-3, *, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-16) -> AdaBelief:
    r"""AdaBelief: Adam that divides by how far gradients are from their mean, $(g - m)^2$ in place of $g^2$.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    beta1, beta2 : float, optional
        Decay rates of the two moments, in [0, 1).
    eps : float, optional
        Added at both places of the paper's algorithm: to $s$ at each step, and to the root of the corrected $s$.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Zhuang et al. (2020), AdaBelief optimizer: adapting stepsizes by the belief in observed gradients, arXiv:2010.07468,
    algorithm 2.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.adabelief(0.5, beta1=0.5, eps=0.0)
    >>> params, grads = (np.array([2.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params[0].round(12)
    array([1.])
    """
    return AdaBelief(learning_rate, beta1, beta2, eps)


def yogi(
    learning_rate: Rate = 1e-2,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-3,
    initial_accumulator_value: float = 1e-6,
) -> Yogi:
    r"""Yogi: Adam whose second moment grows and falls by at most $(1-\beta_2) g^2$ a step.

    The variant is the paper's: the moments are not corrected for their start.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    beta1, beta2 : float, optional
        Decay rates of the two moments, in [0, 1).
    eps : float, optional
        Added to the root of the second moment, at least 0.
    initial_accumulator_value : float, optional
        What the second moment starts from, at least 0.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Zaheer, Reddi, Sachan, Kale & Kumar (2018), Adaptive methods for nonconvex optimization, NeurIPS, algorithm 2.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.yogi(0.5, beta1=0.0, beta2=0.0, eps=0.0, initial_accumulator_value=0.0)
    >>> params, grads = (np.array([1.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([0.5]),)
    """
    return Yogi(learning_rate, beta1, beta2, eps, initial_accumulator_value)
