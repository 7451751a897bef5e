r"""SOAP: Adam in the eigenvectors of Shampoo's matrices.

After Vyas et al. (2024), arXiv:2409.11321, algorithms 3 and 4.

For a matrix, with $L$ and $R$ the means of $G G^\top$ and $G^\top G$, and $Q_L$, $Q_R$ bases of (nearly) their eigenvectors,
$$ M_t = \beta_1 M_{t-1} + (1-\beta_1)\, G_t, \qquad
   V_t = \beta_2 V_{t-1} + (1-\beta_2)\, (Q_L^\top G_t Q_R)^2, \qquad
   P_t = P_{t-1} - \alpha
      \Big( Q_L \frac{Q_L^\top \hat M_t Q_R}{\sqrt{\hat V_t} + \epsilon}\, Q_R^\top + \lambda P_{t-1} \Big) , $$
where the hats are Adam's corrections.  Then $L_t = \beta_2 L_{t-1} + (1-\beta_2)\, G_t G_t^\top$, R alike, and at each
``every``-th step each basis takes a step of orthogonal iteration, $Q \leftarrow \operatorname{qr}(L_t Q)$.

The first gradient makes $L$, $R$ and their eigenvectors, and no step is taken with it: in its own eigenvectors it is no fair
sample.  A leaf of more than two axes has a basis for each.  An axis that is too long has none (the paper's one-sided form), and a
leaf without any basis is Adam, which takes the first step too.
"""

from __future__ import annotations

import math

import numpy as np
from attrs import field, frozen

from funcnn.optim.flat import coefficient
from funcnn.optim.hyper import AMOUNT, FRACTION, at_least, settle
from funcnn.optim.leafwise import Leafwise
from funcnn.optim.norms import shrunk
from funcnn.optim.rules.kronecker.axes import LONGEST, eigenvectors, gram, square_bound, times, turned
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.optim.where import Where, check_where, is_matrix, show_where
from funcnn.typing import Array, Shape


@frozen
class SOAP(Leafwise):
    """Made by :func:`funcnn.soap`.  Its state: of each leaf M and V, and of each axis with a basis L and Q."""

    learning_rate: Rate
    beta1: float = 0.95
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.0
    every: int = 10
    max_axis_length: int = LONGEST
    where: Where = field(default=is_matrix, repr=show_where)

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate, beta1=FRACTION, beta2=FRACTION, eps=AMOUNT, weight_decay=AMOUNT)
        settle(self, every=at_least(1), max_axis_length=at_least(1), where=check_where)

    def _turned_axes(self, shape: Shape, chosen: bool) -> list[int]:
        return [axis for axis, length in enumerate(shape) if chosen and length <= self.max_axis_length]

    def _slots(self, shape: Shape, chosen: bool) -> tuple[Shape, ...]:
        lengths = [shape[axis] for axis in self._turned_axes(shape, chosen)]
        return shape, shape, *[(length, length) for length in lengths for _ in range(2)]

    def _rule(self, count: int, chosen: bool, p: Array, g: Array, kept: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
        kind = p.dtype.type
        axes, (m, v), (grams, bases) = self._turned_axes(p.shape, chosen), kept[:2], (kept[2::2], kept[3::2])
        g = shrunk(g, square_bound(g.dtype))
        share = kind(1 - self.beta2)
        grams = tuple([kind(self.beta2) * old + share * gram(g, axis) for axis, old in zip(axes, grams, strict=True)])
        if axes and count == 0:
            return p.copy(), (m, v, *_beside(grams, tuple([eigenvectors(one).astype(p.dtype) for one in grams])))
        t = count if axes else count + 1
        m = kind(self.beta1) * m + kind(1 - self.beta1) * g
        mean: Array = m
        own: Array = g
        for axis, basis in zip(axes, bases, strict=True):
            mean, own = times(basis.T, mean, axis), times(basis.T, own, axis)
        v = kind(self.beta2) * v + share * (own * own)
        step: Array = mean / (np.sqrt(v) / kind(math.sqrt(1 - self.beta2**t)) + coefficient(self.eps, p.dtype))
        for axis, basis in zip(axes, bases, strict=True):
            step = times(basis, step, axis)
        if count % self.every == 0:
            bases = tuple([turned(one, basis) for one, basis in zip(grams, bases, strict=True)])
        rate = rate_at(self.learning_rate, count)
        decay = kind(rate * self.weight_decay) if chosen else kind(0)
        return p - kind(rate / (1 - self.beta1**t)) * step - decay * p, (m, v, *_beside(grams, bases))


def _beside(grams: tuple[Array, ...], bases: tuple[Array, ...]) -> tuple[Array, ...]:
    """Return the arrays of the axes, one axis after the other."""
    return tuple([array for pair in zip(grams, bases, strict=True) for array in pair])


def soap(
    learning_rate: Rate = 3e-3,
    *,
    beta1: float = 0.95,
    beta2: float = 0.95,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    every: int = 10,
    max_axis_length: int = LONGEST,
    where: Where = is_matrix,
) -> SOAP:
    r"""SOAP: Adam in the eigenvectors of Shampoo's matrices, which are taken anew now and then.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    beta1, beta2 : float, optional
        Decay rates of the means of gradients, and of their squares and matrices, in [0, 1).
    eps : float, optional
        $\epsilon$, at least 0.
    weight_decay : float, optional
        Decoupled decay $\lambda$, at least 0.
    every : int, optional
        Steps from one change of the bases to the next.
    max_axis_length : int, optional
        Axes that are longer, such as that of a vocabulary, are not turned.
    where : str or callable, optional
        Which leaves are turned and decayed; those of two axes and more by default.  The others are Adam's.

    Returns
    -------
    Optimizer
        Its first update makes the bases, and leaves the parameters that are turned as they are.

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    See Also
    --------
    shampoo : the roots of these matrices in place of Adam.

    References
    ----------
    Vyas et al. (2024), SOAP: improving and stabilizing Shampoo using Adam, arXiv:2409.11321.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.soap(0.1)
    >>> params, grads = (np.zeros((2, 2)),), (np.array([[3.0, 0.0], [0.0, -0.01]]),)
    >>> first = opt.update(params, grads, opt.init(params))
    >>> opt.update(first.params, grads, first.state).params[0].round(3) + 0.0
    array([[-0.1,  0. ],
           [ 0. ,  0.1]])
    """
    return SOAP(learning_rate, beta1, beta2, eps, weight_decay, every, max_axis_length, where)
