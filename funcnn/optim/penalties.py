r"""Penalties on the size of parameters, added to a loss: what is also called L1 and L2 regularization.

With the chosen entries $p_i$ of the parameters and a strength $\lambda$
$$ R_1 = \lambda \sum_i |p_i|, \qquad R_2 = \frac{\lambda}{2} \sum_i p_i^2. $$

Derivation.  $\partial R_1 / \partial p_i = \lambda \operatorname{sign} p_i$, which is taken as 0 at $p_i = 0$, and $\partial
R_2 / \partial p_i = \lambda p_i$.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, TypeVar

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.errors import check_function
from funcnn.grad import LossAndGrad, LossAndGradFunction
from funcnn.kernels.arrays import absolute
from funcnn.layer import Mode
from funcnn.optim.hyper import AMOUNT, settle
from funcnn.optim.where import Where, check_where, everywhere, selects, show_where
from funcnn.typing import Array, Scalar

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")


@frozen
class Penalty:
    """Made by :func:`l1_penalty` and :func:`l2_penalty`.

    Parameters
    ----------
    power : {1, 2}
    strength : float
    where : str or callable
    """

    power: Literal[1, 2]
    strength: float
    where: Where = field(default=everywhere, repr=show_where)

    def __attrs_post_init__(self) -> None:
        settle(self, strength=AMOUNT, where=check_where)

    def value(self, params: object) -> Scalar:
        """Return the penalty on a parameter tree, in the precision of its leaves."""
        chosen = [leaf for path, leaf in tree.walk(params) if self._takes(path, leaf)]
        sums: list[Scalar] = [absolute(leaf).sum() if self.power == 1 else (leaf * leaf).sum() / 2 for leaf in chosen]
        total = self.strength * sum(sums[1:], sums[0]) if sums else np.float64(0)
        if self.power == 2 and not np.isfinite(total):  # squares are too large for a number, which times the strength need not be
            sums = [(self.strength / 2 * leaf * leaf).sum() for leaf in chosen]
            total = sum(sums[1:], sums[0])
        return total

    def gradient(self, params: P) -> P:
        """Return the derivative of :meth:`value`: a tree like the parameters, 0 on the leaves that are not chosen."""
        leaves = [self._slope(leaf) if self._takes(path, leaf) else np.zeros_like(leaf) for path, leaf in tree.walk(params)]
        return tree.rebuild(params, iter(leaves))

    def _takes(self, path: str, leaf: Array) -> bool:
        return leaf.dtype.kind in "fc" and selects(self.where, path, leaf.shape)

    def _slope(self, leaf: Array) -> Array:
        slope: Array = self.strength * (np.sign(leaf.real) if self.power == 1 else leaf)
        return slope


def l1_penalty(strength: float, *, where: Where = everywhere) -> Penalty:
    r"""Penalty on the sum of absolute values, $\lambda \sum |p|$ (Tibshirani 1996): draws small parameters to 0.

    Parameters
    ----------
    strength : float
        $\lambda$, at least 0.
    where : str or callable, optional
        Which leaves: a regular expression that is searched in the leaf's path, or a pure function of path and shape such as
        :func:`funcnn.is_matrix`.  All by default.

    Returns
    -------
    Penalty
        With ``value(params)`` and ``gradient(params)``; :func:`penalized` adds it to a loss.

    Raises
    ------
    TypeError, ValueError
        When the strength is negative, or ``where`` is no regular expression and no function.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> penalty = fn.l1_penalty(0.5, where="weight")
    >>> params = {"weight": np.array([2.0, -4.0]), "bias": np.array([9.0])}
    >>> penalty.value(params)
    np.float64(3.0)
    >>> penalty.gradient(params)
    {'weight': array([ 0.5, -0.5]), 'bias': array([0.])}
    """
    return _penalty(1, strength, where)


def l2_penalty(strength: float, *, where: Where = everywhere) -> Penalty:
    r"""Penalty on the sum of squares, $\frac{\lambda}{2} \sum p^2$: keeps parameters small.

    Parameters
    ----------
    strength : float
        $\lambda$, at least 0.
    where : str or callable, optional
        As for :func:`l1_penalty`.

    Returns
    -------
    Penalty
        With ``value(params)`` and ``gradient(params)``; :func:`penalized` adds it to a loss.

    Raises
    ------
    TypeError, ValueError
        As :func:`l1_penalty`.

    See Also
    --------
    weight_decay : the same gradient, without the value in the loss.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> penalty = fn.l2_penalty(0.5, where=fn.is_matrix)
    >>> penalty.value((np.array([[2.0, -4.0]]), np.array([9.0])))
    np.float64(5.0)
    """
    return _penalty(2, strength, where)


def _penalty(power: Literal[1, 2], strength: float, where: Where) -> Penalty:
    return Penalty(power, strength, where)


def penalized(function: LossAndGradFunction[P, S, X, Y, T], *penalties: Penalty) -> LossAndGradFunction[P, S, X, Y, T]:
    """Return a function like the given one whose loss and gradients include penalties on the parameters.

    Parameters
    ----------
    function : callable
        As :func:`funcnn.loss_and_grad` returns.
    *penalties : Penalty
        Such as :func:`l1_penalty` and :func:`l2_penalty` give; both together are the elastic net.

    Returns
    -------
    callable
        ``(params, state, x, target, mode) -> LossAndGrad``.

    Raises
    ------
    TypeError
        When ``function`` is no function, or something is not a penalty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> step = fn.penalized(fn.loss_and_grad(model, fn.mean_squared_error()), fn.l2_penalty(1e-3, where="weight"))
    >>> step(start.params, start.state, np.ones((4, 2)), np.ones((4, 1)), fn.Train(fn.Key(1))).grads.weight.shape
    (2, 1)

    In training: ``fn.fit(..., wrap=lambda step: fn.penalized(step, fn.l2_penalty(1e-3)))``.
    """
    for one in penalties:
        if not isinstance(one, Penalty):
            raise TypeError(f"penalized takes penalties such as l2_penalty(1e-3), got {one!r}")
    check_function(function, "function", "what loss_and_grad returns")
    return partial(_penalized, function, penalties)


def _penalized(
    function: LossAndGradFunction[P, S, X, Y, T],
    penalties: tuple[Penalty, ...],
    params: P,
    state: S,
    x: X,
    target: T,
    mode: Mode,
) -> LossAndGrad[P, S, Y]:
    made = function(params, state, x, target, mode)
    loss, grads = made.loss, made.grads
    for penalty in penalties:
        loss = loss + penalty.value(params)
        grads = tree.map(np.add, grads, penalty.gradient(params))
    return LossAndGrad(loss, grads, made.state, made.output)
