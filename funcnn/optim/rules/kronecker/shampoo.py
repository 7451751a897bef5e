r"""Shampoo: a whole matrix of squared gradients for each axis of a leaf.

After Gupta, Koren & Singer (2018), arXiv:1802.09568, algorithms 1 and 2.

For a matrix, with $L_0 = \epsilon I$ and $R_0 = \epsilon I$
$$ L_t = L_{t-1} + G_t G_t^\top, \qquad R_t = R_{t-1} + G_t^\top G_t, \qquad
   P_t = P_{t-1} - \alpha\, L_t^{-1/4} G_t R_t^{-1/4} . $$
Adagrad with a whole matrix would divide by the root of $\sum_t \operatorname{vec} G_t \operatorname{vec} G_t^\top$, which has
the bound $L_t^{1/2} \otimes R_t^{1/2}$ up to a factor.  A leaf of k axes has k matrices $H_i$, sums of products of axis i with
itself, and the gradient is multiplied along each axis by $H_i^{-1/2k}$; with one axis it is Adagrad with its whole matrix.

Long axes have a diagonal in place of the matrix, as in the paper: a vector whose axis is too long is Adagrad.  Roots may be taken
at each ``every``-th step alone.  With momentum $\mu$ the steps are $v_t = \mu v_{t-1} + L_t^{-1/4} G_t R_t^{-1/4}$.
"""

from __future__ import annotations

from attrs import field, frozen

from funcnn.optim.hyper import FRACTION, POSITIVE, at_least, settle
from funcnn.optim.leafwise import Leafwise
from funcnn.optim.norms import shrunk
from funcnn.optim.rules.kronecker.axes import LONGEST, gram, gram_diagonal, inverse_root, square_bound, times
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.optim.where import Where, check_where, everywhere, show_where
from funcnn.typing import Array, Shape


@frozen
class Shampoo(Leafwise):
    """Made by :func:`funcnn.shampoo`.  Its state: of each leaf the velocity, if there is momentum; of each axis sums and root."""

    learning_rate: Rate
    momentum: float = 0.0
    eps: float = 1e-4
    every: int = 1
    max_axis_length: int = LONGEST
    where: Where = field(default=everywhere, repr=show_where)

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate, momentum=FRACTION, eps=POSITIVE, every=at_least(1), max_axis_length=at_least(1))
        settle(self, where=check_where)

    def _slots(self, shape: Shape, chosen: bool) -> tuple[Shape, ...]:
        kinds = [(length, length) if chosen and length <= self.max_axis_length else (length,) for length in shape or (1,)]
        axes = tuple([kind for kind in kinds for _ in range(2)])  # the sums, the root
        return (shape, *axes) if self.momentum else axes

    def _rule(self, count: int, chosen: bool, p: Array, g: Array, kept: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
        before, axes = (kept[:1], kept[1:]) if self.momentum else ((), kept)
        own = shrunk(g, square_bound(g.dtype)).reshape(g.shape or (1,))
        step, memory = own, []
        for axis in range(own.ndim):
            sums, root = axes[2 * axis : 2 * axis + 2]
            sums = sums + (gram if sums.ndim == 2 else gram_diagonal)(own, axis)
            if count % self.every == 0:
                root = inverse_root(sums, 2 * own.ndim, self.eps)
            step = times(root, step, axis)
            memory += [sums, root]
        step = step.reshape(p.shape)
        if before:
            step = p.dtype.type(self.momentum) * before[0] + step
            memory = [step, *memory]
        return p - p.dtype.type(rate_at(self.learning_rate, count)) * step, tuple(memory)


def shampoo(
    learning_rate: Rate = 0.1,
    *,
    momentum: float = 0.0,
    eps: float = 1e-4,
    every: int = 1,
    max_axis_length: int = LONGEST,
    where: Where = everywhere,
) -> Shampoo:
    r"""Shampoo: Adagrad with a whole matrix for each axis of a leaf.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$; steps shrink by themselves, as Adagrad's.
    momentum : float, optional
        $\mu$ in [0, 1); without it no velocity is kept.
    eps : float, optional
        $\epsilon$ on the diagonal of each matrix, above 0.
    every : int, optional
        Steps from one time that roots are taken to the next: they are what a step costs, and change slowly.
    max_axis_length : int, optional
        Axes that are longer, such as that of a vocabulary, have a diagonal in place of the matrix.
    where : str or callable, optional
        Which leaves have whole matrices; all by default.  The others have the diagonals.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    See Also
    --------
    soap : Adam in the eigenvectors of the same matrices.

    References
    ----------
    Gupta, Koren & Singer (2018), Shampoo: preconditioned stochastic tensor optimization, arXiv:1802.09568.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.shampoo(0.1, eps=1e-12)
    >>> params, grads = (np.zeros((2, 2)),), (np.array([[3.0, 0.0], [0.0, -0.01]]),)
    >>> opt.update(params, grads, opt.init(params)).params[0].round(3) + 0.0
    array([[-0.1,  0. ],
           [ 0. ,  0.1]])
    """
    return Shampoo(learning_rate, momentum, eps, every, max_axis_length, where)
