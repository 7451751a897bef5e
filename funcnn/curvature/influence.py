r"""What single training examples did to a network: influence functions and TracIn.

Indices: $n$ training example of N, $q$ an example that is asked about.

*Influence.*  Let $p_*$ minimize $L(p) = \frac1N \sum_n \ell_n(p) + \frac\lambda2 \lVert p \rVert^2$, and let the weight of
example n be $\epsilon$ more.  The gradient is zero at the minimum, whatever the weight: $\nabla L + \epsilon \nabla \ell_n =
0$, and its derivative gives
$$ \frac{\mathrm{d} p_*}{\mathrm{d} \epsilon} = -H^{-1} g_n, \qquad H = \nabla^2 L, \quad g_n = \nabla \ell_n $$
(Cook & Weisberg 1982; Koh & Liang 2017, arXiv:1703.04730).  Leaving the example out is $\epsilon = -1/N$, so that the loss at an
example q moves by about
$$ \ell_q(p_{-n}) - \ell_q(p_*) \approx \frac1N\, g_q^\top H^{-1} g_n . $$
Where examples have weights, the part of the mean that each is stands in the place of 1/N.
One solve $s = H^{-1} g_q$ by conjugate gradients serves all n, and the products $\langle g_n, s \rangle = \langle \bar y_n,
J_n s \rangle$ come from one tangent along s: no gradients of single examples are made.

*TracIn* (Pruthi et al. 2020, arXiv:2002.08484) follows training instead.  A step of gradient descent on example n moves the
loss at q by about $-\eta\, g_q^\top g_n$; summed over parameters that were kept on the way,
$$ \text{TracIn}(n, q) = \sum_k \eta_k\, g_n(p_k)^\top g_q(p_k) : $$
positive where n has lowered the loss at q.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np
from attrs import frozen

from funcnn.curvature.conjugate_gradient import conjugate_gradient
from funcnn.curvature.loss_and_product import CurvatureKind
from funcnn.curvature.output_gradients import flat_rows
from funcnn.derivatives.apart import batch_size
from funcnn.derivatives.complex_step import parts
from funcnn.derivatives.ggn import ggn_product
from funcnn.derivatives.hvp import hvp
from funcnn.derivatives.jvp import JVPFunction, jvp
from funcnn.derivatives.per_example import PerExampleGradsFunction, cotangents, per_example_grads, shares
from funcnn.errors import check_choice, check_count, check_range, describe
from funcnn.grad import LossAndGradFunction, loss_and_grad
from funcnn.layer import Eval, Layer
from funcnn.losses.loss import Loss
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")

_EVAL = Eval()


def influence(
    model: Layer[P, S, X, Y],
    loss: Loss[Y, T],
    *,
    damping: float = 0.0,
    kind: CurvatureKind = "hessian",
    tolerance: float = 1e-8,
    max_steps: int | None = None,
) -> InfluenceFunction[P, S, X, Y, T]:
    r"""Return the function that says how leaving out each training example would change the loss at others.

    Parameters
    ----------
    model : Layer
    loss : Loss
        With reduction "mean".
    damping : float, optional
        $\lambda$ of the penalty $\frac\lambda2 \lVert p \rVert^2$ that the network was trained with; more where the Hessian is
        not positive.
    kind : {"hessian", "ggn"}, optional
        The Hessian, which is right at a minimum; or the Gauss-Newton matrix, which is positive anywhere.
    tolerance, max_steps : optional
        As for :func:`conjugate_gradient`.

    Returns
    -------
    callable
        ``(params, state, data, query) -> array (N,)`` for two pairs ``(x, target)``, in evaluation: about by how much the mean
        loss at the query would grow without each example of the data.  Pure, and picklable.

        It raises a :class:`NegativeCurvatureError` where the Hessian is not positive with this damping, and a ConvergenceError
        where conjugate gradients do not end: both say what to do.

    Raises
    ------
    TypeError, ValueError
        When an argument is not as said.

    References
    ----------
    Koh & Liang (2017), Understanding black-box predictions via influence functions, arXiv:1703.04730.

    Examples
    --------
    A mean is moved by an example as far as it lies from it; the loss at 3 is half of its squared distance:

    >>> import numpy as np, funcnn as fn
    >>> model = fn.linear(1)
    >>> start = model.init(fn.Key(0), (1,))
    >>> params = fn.tree.map(lambda leaf: np.full_like(leaf, 2.0), start.params)
    >>> data = np.ones((3, 1)), np.array([[1.0], [2.0], [3.0]])
    >>> influence = fn.curvature.influence(model, fn.half_squared_error())
    >>> influence(params, (), data, (np.ones((1, 1)), np.array([[3.0]]))).round(3) + 0
    array([-0.333,  0.   ,  0.333])

    See Also
    --------
    tracin : follows training, and needs no minimum.
    """
    damping = check_range(damping, "damping", 0.0, np.inf, open_high=True)
    tolerance = check_range(tolerance, "tolerance", 0.0, 1.0, open_low=True)
    max_steps = None if max_steps is None else check_count(max_steps, "max_steps")
    product: Any = (hvp if check_choice(kind, ("hessian", "ggn"), "kind") == "hessian" else ggn_product)(model, loss)
    if loss.reduction != "mean":
        raise ValueError(f"the loss {loss.name} has reduction 'sum', expected 'mean': an example's share is then 1 / N of it")
    solver = partial(conjugate_gradient, damping=damping, tolerance=tolerance, max_steps=max_steps)
    return InfluenceFunction(loss_and_grad(model, loss), jvp(model), loss, product, solver)


@frozen
class InfluenceFunction(Generic[P, S, X, Y, T]):
    """What :func:`influence` returns."""

    gradient: LossAndGradFunction[P, S, X, Y, T]
    tangent: JVPFunction[P, S, X, Y]
    loss: Loss[Y, T]
    product: Any  # Any: one of the two kinds
    solver: Any  # Any: conjugate gradients with their options

    def __call__(self, params: P, state: S, data: tuple[X, T], query: tuple[X, T], /) -> Array:
        """Return by how much the mean loss at the query would grow without each example."""
        (x, target), (asked, answers) = checked_pair(data, "data"), checked_pair(query, "query")
        goal = self.gradient(params, state, asked, answers, _EVAL).grads
        solved = self.solver(partial(_bound, self.product, (params, state, x, target)), goal)
        slopes, count = self.along(params, state, x, target, solved.solution), batch_size(x)
        share = shares(self.loss, target, count)
        return slopes / max(1, count) if share is None else slopes * share.astype(slopes.dtype)

    def along(self, params: P, state: S, x: X, target: T, direction: P) -> Array:
        r"""Return $\\langle g_n, s \\rangle$ for each example."""
        pushed = self.tangent(params, state, x, direction, None, _EVAL)
        slopes = cotangents(self.loss, pushed.output, target)
        total: Array = np.zeros(())
        for one, other in zip(parts(slopes), parts(pushed.tangent), strict=True):
            if one is not None and other is not None:
                total = total + np.einsum("ni,ni->n", one.reshape(len(one), -1), other.reshape(len(other), -1))
        return total


def _bound(product: Any, at: tuple[Any, Any, Any, Any], vector: Any) -> Any:
    """Return a product at one place."""
    return product(*at, vector, _EVAL)


def checked_pair(pair: tuple[X, T], what: str) -> tuple[X, T]:
    """Return a pair of inputs and targets, or raise."""
    given: object = pair
    if type(given) is not tuple or len(given) != 2:
        raise TypeError(f"{what} is {describe(given)}, expected a pair (x, target)")
    return pair


def tracin(model: Layer[P, S, X, Y], loss: Loss[Y, T]) -> TracInFunction[P, S, X, Y, T]:
    r"""Return the function that says how much steps on each training example lowered the loss at others: TracIn.

    Parameters
    ----------
    model : Layer
    loss : Loss

    Returns
    -------
    callable
        ``(path, state, data, query) -> array (Q, N)``, where ``path`` is a sequence of pairs ``(params, learning_rate)``,
        parameters that were kept in training, and ``data`` and ``query`` are pairs ``(x, target)``; in evaluation.  Positive
        where an example has lowered the loss.  Pure, and picklable.

    Raises
    ------
    TypeError, ValueError
        When the model is not a layer, the loss not a loss, or one that compares the examples of a batch.

    References
    ----------
    Pruthi, Liu, Kale & Sundararajan (2020), Estimating training data influence by tracing gradient descent, arXiv:2002.08484.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.linear(1)
    >>> start = model.init(fn.Key(0), (1,))
    >>> params = fn.tree.map(np.zeros_like, start.params)
    >>> scores = fn.curvature.tracin(model, fn.half_squared_error())
    >>> data = np.array([[1.0], [2.0]]), np.array([[1.0], [-1.0]])
    >>> scores([(params, 0.1)], (), data, (np.ones((1, 1)), np.ones((1, 1)))).round(3)
    array([[ 0.1, -0.2]])
    """
    return TracInFunction(per_example_grads(model, loss))


@frozen
class TracInFunction(Generic[P, S, X, Y, T]):
    """What :func:`tracin` returns."""

    gradients: PerExampleGradsFunction[P, S, X, Y, T]

    def __call__(self, path: Sequence[tuple[P, float]], state: S, data: tuple[X, T], query: tuple[X, T], /) -> Array:
        """Return the scores of the examples of the data for those of the query."""
        (x, target), (asked, answers) = checked_pair(data, "data"), checked_pair(query, "query")
        total: Array = np.zeros(())
        for params, rate in path:
            rate = check_range(rate, "a learning rate of the path", -np.inf, np.inf, open_low=True, open_high=True)
            ours, theirs = [flat_rows(self.gradients(params, state, *pair, _EVAL)) for pair in ((asked, answers), (x, target))]
            total = total + ours.dtype.type(rate) * (ours @ theirs.T)
        if not total.ndim:
            raise ValueError("path is empty, expected pairs (params, learning_rate) that were kept in training")
        return total
