r"""Gradient descent, with and without momentum.

Plain gradient descent (Cauchy 1847; stochastic: Robbins & Monro 1951), with the learning rate $\alpha$
$$ p_{t+1} = p_t - \alpha\, g_t . $$

Momentum (Polyak 1964, eq. 9; in the form of Sutskever et al. 2013 with the learning rate outside of the velocity, so that a
schedule acts at once), with the coefficient $\mu$
$$ v_{t+1} = \mu\, v_t + g_t, \qquad p_{t+1} = p_t - \alpha\, v_{t+1} . $$

Nesterov's (1983) accelerated gradient takes the gradient where the momentum is about to lead.  Written, as usual, for the
point at which the gradient is taken (Bengio et al. 2013, arXiv:1212.0901, eq. 7)
$$ v_{t+1} = \mu\, v_t + g_t, \qquad p_{t+1} = p_t - \alpha\,(g_t + \mu\, v_{t+1}) . $$
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from numpy import add, multiply, subtract

from funcnn.optim.blocks import Coefficients
from funcnn.optim.flat import Elementwise
from funcnn.optim.hyper import FLAG, FRACTION, settle
from funcnn.optim.layout import Label
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.typing import Array


@frozen
class SGD(Elementwise):
    """Gradient descent.  Made by :func:`funcnn.sgd`."""

    learning_rate: Rate

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate)

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        return (rate_at(self.learning_rate, count),)

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        (rate,) = c
        return (p - rate * g,)

    def _kernel(self, c: Coefficients, p: Array, g: Array, slots: Sequence[Array], out: Sequence[Array]) -> None:
        (rate,), (new,) = c, out
        multiply(g, rate, new)
        subtract(p, new, new)


@frozen
class Momentum(Elementwise):
    """Gradient descent with momentum.  Made by :func:`funcnn.momentum` and :func:`funcnn.nesterov`."""

    learning_rate: Rate
    momentum: float = 0.9
    nesterov: bool = False

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate, momentum=FRACTION, nesterov=FLAG)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("velocity",)

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        return rate_at(self.learning_rate, count), self.momentum

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        rate, mu = c
        v = mu * slots[0] + g
        return p - rate * (g + mu * v if self.nesterov else v), v

    def _kernel(self, c: Coefficients, p: Array, g: Array, slots: Sequence[Array], out: Sequence[Array]) -> None:
        (rate, mu), (new, v) = c, out
        multiply(slots[0], mu, v)
        add(v, g, v)
        if self.nesterov:
            multiply(v, mu, new)
            add(new, g, new)
            multiply(new, rate, new)
        else:
            multiply(v, rate, new)
        subtract(p, new, new)


def sgd(learning_rate: Rate = 0.01) -> SGD:
    r"""Gradient descent, $p \leftarrow p - \alpha\, g$.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When the learning rate is negative or not finite.

    See Also
    --------
    momentum, nesterov : with memory of past gradients.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.sgd(0.5)
    >>> params, grads = (np.array([1.0, 2.0]),), (np.array([0.0, 1.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([1. , 1.5]),)
    """
    return SGD(learning_rate)


def momentum(learning_rate: Rate = 0.01, *, momentum: float = 0.9) -> Momentum:
    r"""Gradient descent with momentum, $v \leftarrow \mu v + g$, $p \leftarrow p - \alpha v$.

    The learning rate stands outside of the velocity (Sutskever et al. 2013): a change of it acts at once.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    momentum : float, optional
        $\mu$ in [0, 1).

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Polyak (1964), Some methods of speeding up the convergence of iteration methods.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.momentum(0.5, momentum=0.5)
    >>> params, grads = (np.array([1.0]),), (np.array([1.0]),)
    >>> once = opt.update(params, grads, opt.init(params))
    >>> opt.update(once.params, grads, once.state).params
    (array([-0.25]),)
    """
    return Momentum(learning_rate, momentum)


def nesterov(learning_rate: Rate = 0.01, *, momentum: float = 0.9) -> Momentum:
    r"""Nesterov's accelerated gradient, $v \leftarrow \mu v + g$, $p \leftarrow p - \alpha (g + \mu v)$.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    momentum : float, optional
        $\mu$ in [0, 1).

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Nesterov (1983), A method of solving a convex programming problem with convergence rate O(1/k^2); the form of
    Bengio, Boulanger-Lewandowski & Pascanu (2013), arXiv:1212.0901, eq. 7.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.nesterov(0.5, momentum=0.5)
    >>> params, grads = (np.array([1.0]),), (np.array([1.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([0.25]),)
    """
    return Momentum(learning_rate, momentum, nesterov=True)
