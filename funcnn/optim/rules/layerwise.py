r"""Step sizes for whole leaves, in proportion to the norm of their parameters: LARS and LAMB, made for large batches.

LARS (You, Gitman & Ginsburg 2017, arXiv:1708.03888, algorithm 1), decay $\lambda$, momentum $\mu$ and trust coefficient $\eta$
$$ r = \eta \frac{\lVert p \rVert}{\lVert g \rVert + \lambda \lVert p \rVert}, \qquad
   v \leftarrow \mu v + \alpha\, r\,(g + \lambda p), \qquad p \leftarrow p - v . $$

LAMB (You et al. 2020, arXiv:1904.00962, algorithm 2, with $\phi$ the identity), with Adam's corrected moments
$$ u = \frac{\hat m}{\sqrt{\hat v} + \epsilon} + \lambda p, \qquad p \leftarrow p - \alpha \frac{\lVert p \rVert}{\lVert u
\rVert}\, u . $$

Where a norm is zero the ratio is taken as 1, as the authors' code does: a leaf that starts at zero can move.  Leaves that are
not chosen, by default the vectors (biases and scales), are neither decayed nor rescaled: the ratio is 1.
"""

from __future__ import annotations

import numpy as np
from attrs import field, frozen

from funcnn.optim.flat import coefficient
from funcnn.optim.hyper import AMOUNT, FRACTION, POSITIVE, settle
from funcnn.optim.leafwise import Leafwise
from funcnn.optim.norms import bounded, in_units, in_units_of, moderate, norm_of
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.optim.where import Where, check_where, is_matrix, show_where
from funcnn.typing import Array, Shape


@frozen
class LARS(Leafwise):
    """Made by :func:`funcnn.lars`."""

    learning_rate: Rate
    momentum: float = 0.9
    weight_decay: float = 0.0
    trust_coefficient: float = 1e-3
    where: Where = field(default=is_matrix, repr=show_where)

    def __attrs_post_init__(self) -> None:
        settle(
            self, learning_rate=check_rate, momentum=FRACTION, weight_decay=AMOUNT, trust_coefficient=POSITIVE, where=check_where
        )

    def _slots(self, shape: Shape, chosen: bool) -> tuple[Shape, ...]:
        return (shape,)  # v

    def _rule(self, count: int, chosen: bool, p: Array, g: Array, kept: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
        rate = rate_at(self.learning_rate, count)
        if chosen:
            size, ((own,), slope, exponent) = norm_of((p,)), moderate((g,))
            if exponent < 0 and self.weight_decay:  # nothing beside the decay
                own, slope, exponent = g, norm_of((g,)), 0
            if size > 0 and slope > 0:
                rate *= self.trust_coefficient * size / (slope + self.weight_decay * in_units(size, exponent))
                g = own + in_units_of(self.weight_decay * p, exponent) if self.weight_decay else own
            else:
                g = g + self.weight_decay * p
        v = self.momentum * kept[0] + rate * g
        return p - v, (v,)


@frozen
class LAMB(Leafwise):
    """Made by :func:`funcnn.lamb`."""

    learning_rate: Rate
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-6
    weight_decay: float = 0.0
    where: Where = field(default=is_matrix, repr=show_where)

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate, beta1=FRACTION, beta2=FRACTION, eps=AMOUNT)
        settle(self, weight_decay=AMOUNT, where=check_where)

    def _slots(self, shape: Shape, chosen: bool) -> tuple[Shape, ...]:
        return (shape, shape)  # m, v

    def _rule(self, count: int, chosen: bool, p: Array, g: Array, kept: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
        rate, t = rate_at(self.learning_rate, count), count + 1
        eps = coefficient(self.eps, p.dtype)
        g = bounded(g, 1.0)
        m = self.beta1 * kept[0] + (1 - self.beta1) * g
        v = self.beta2 * kept[1] + (1 - self.beta2) * (g * g)
        u: Array = (m / (1 - self.beta1**t)) / (np.sqrt(v / (1 - self.beta2**t)) + eps)
        if chosen:
            u += self.weight_decay * p
            size, ((own,), length, _) = norm_of((p,)), moderate((u,))
            if size > 0 and length > 0:
                rate, u = rate * (size / length), own
        return p - rate * u, (m, v)


def lars(
    learning_rate: Rate = 1.0,
    *,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    trust_coefficient: float = 1e-3,
    where: Where = is_matrix,
) -> LARS:
    r"""LARS: momentum with a step for each leaf in proportion to the ratio of the norms of its parameters and gradients.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The global step size $\alpha$; it stands inside of the velocity, as in the paper.
    momentum : float, optional
        $\mu$ in [0, 1).
    weight_decay : float, optional
        $\lambda$, at least 0, added to the gradient.
    trust_coefficient : float, optional
        $\eta$, above 0: how large a step may be, relative to the leaf.
    where : str or callable, optional
        Which leaves are treated so; the others take plain steps of momentum.  The matrices by default.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    You, Gitman & Ginsburg (2017), Large batch training of convolutional networks, arXiv:1708.03888, algorithm 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.lars(1.0, trust_coefficient=0.5)
    >>> params, grads = (np.array([[3.0, 4.0]]),), (np.array([[0.0, 100.0]]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([[3. , 1.5]]),)
    """
    return LARS(learning_rate, momentum, weight_decay, trust_coefficient, where)


def lamb(
    learning_rate: Rate = 1e-3,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-6,
    weight_decay: float = 0.0,
    where: Where = is_matrix,
) -> LAMB:
    r"""LAMB: Adam whose step in each leaf is rescaled to the norm of the leaf's parameters.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$, relative to the norm of each leaf.
    beta1, beta2 : float, optional
        Decay rates of the two moments, in [0, 1).
    eps : float, optional
        Added to the root of the corrected second moment, at least 0.
    weight_decay : float, optional
        $\lambda$, at least 0, added to the step before it is rescaled.
    where : str or callable, optional
        Which leaves are treated so; the others take plain steps of Adam.  The matrices by default.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    You et al. (2020), Large batch optimization for deep learning: training BERT in 76 minutes, arXiv:1904.00962, algorithm 2.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.lamb(0.5)
    >>> params, grads = (np.array([[3.0, 4.0]]),), (np.array([[0.0, 100.0]]),)
    >>> opt.update(params, grads, opt.init(params)).params[0].round(6)
    array([[3. , 1.5]])
    """
    return LAMB(learning_rate, beta1, beta2, eps, weight_decay, where)
