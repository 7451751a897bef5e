r"""Products with the generalized Gauss-Newton matrix.

Indices: $p$ the parameters, $y = f(p, x)$ the output, $\ell(y)$ the loss as a function of it, $J = \partial y / \partial p$.

The Hessian of $\ell(f(p))$ is
$$ H = J^\top \ell_{yy} J + \sum_k \frac{\partial \ell}{\partial y_k} \frac{\partial^2 y_k}{\partial p^2} , $$
and its first term $G = J^\top \ell_{yy} J$ is the generalized Gauss-Newton matrix (Schraudolph 2002,
doi:10.1162/08997660260028683): never negative where the loss is convex in the output, and the Hessian of the network that is
linear about p.  The product with a vector is three steps,
$$ \dot y = J v , \qquad \bar y = \ell_{yy}\, \dot y = \tfrac{1}{h} \operatorname{Im} \ell_y(y + i h \dot y) , \qquad G v = J^\top
\bar y , $$
a forward in complex numbers, the loss's own backward at a complex step, and the network's backward in real numbers.  Both ends
are at hand, so that $\langle \dot y, \bar y \rangle = \langle v, G v \rangle$ is looked at each time.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

import numpy as np
from attrs import Factory, field, frozen

from funcnn.derivatives import tangents
from funcnn.derivatives.analytic import NotAnalyticError
from funcnn.derivatives.complex_step import check_mode, inner, inner_size, length, moved, parts, rounding, step_size, tangent
from funcnn.derivatives.hvp import checked
from funcnn.derivatives.jvp import along
from funcnn.grad import check_loss_gradient
from funcnn.layer import Layer, Mode, params_only
from funcnn.losses.loss import Loss

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")


def ggn_product(model: Layer[P, S, X, Y], loss: Loss[Y, T], *, probe: bool = True) -> GGNProductFunction[P, S, X, Y, T]:
    r"""Return the function that multiplies the generalized Gauss-Newton matrix with a vector: $J^\top \ell_{yy} J v$.

    Parameters
    ----------
    model : Layer
    loss : Loss
    probe : bool, optional
        As for :func:`jvp`.

    Returns
    -------
    callable
        ``(params, state, x, target, vector, mode) -> product``: vector and product are like the parameters.  Pure, and
        picklable.

    Raises
    ------
    TypeError
        When the model is not a layer, or the loss is not a loss.

    Notes
    -----
    For losses that are negative log-likelihoods with the output as natural parameter (squared errors, cross-entropies of logits,
    Poisson with a logarithmic rate) this is also the Fisher information: see :func:`fisher_product`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(3) >> fn.tanh() >> fn.dense(2)
    >>> start = model.init(fn.Key(0), (2,))
    >>> x, labels = np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([0, 1])
    >>> vector = fn.tree.map(np.ones_like, start.params)
    >>> product = fn.ggn_product(model, fn.softmax_cross_entropy())
    >>> made = product(start.params, start.state, x, labels, vector, fn.Eval())
    >>> sum((a * b).sum() for a, b in zip(fn.tree.leaves(vector), fn.tree.leaves(made))) >= 0
    np.True_

    See Also
    --------
    hvp : with the Hessian.
    """
    return GGNProductFunction(*checked(model, loss, probe))


@frozen
class GGNProductFunction(Generic[P, S, X, Y, T]):
    """What :func:`ggn_product` returns."""

    model: Layer[P, S, X, Y]
    loss: Loss[Y, T]
    watched: Layer[P, S, X, Y] = field(repr=False)
    watched_loss: Loss[Y, T] = field(repr=False)
    plain: bool = field(init=False, repr=False, default=Factory(tangents.takes_model_of, takes_self=True))
    """Whether the output's derivative is had in real numbers."""

    def __call__(self, params: P, state: S, x: X, target: T, vector: P, mode: Mode, /) -> P:
        """Return the generalized Gauss-Newton matrix times a vector."""
        check_mode(mode)
        way = along(self.watched, (params, state, x), (vector, None), mode, ("vector", ""), self.plain).tangent
        network = self.model.forward(params, state, x, mode)
        doutput = curved(self.watched_loss, network.output, target, way)
        product: P = params_only(self.model, params, network.residuals, doutput).params
        check_transpose((vector, product), (way, doutput))
        return product


def curved(loss: Loss[Y, T], output: Y, target: T, along: Y) -> Y:
    """Return the Hessian of a loss in the prediction, times a direction there."""
    ways = parts(along)
    h = step_size(output, ways)
    stepped = moved(output, ways, h)
    doutput: Any = loss.backward(loss.forward(stepped, target).residuals)  # Any: most often an array, which is looked at
    if type(doutput) is not np.ndarray or doutput.shape != getattr(output, "shape", None):
        check_loss_gradient(doutput, output, loss.name)
    return cast(Y, tangent(doutput, h))


def check_transpose(vectors: tuple[Any, Any], outputs: tuple[Any, Any]) -> None:
    """Raise unless the inner products of what went through a network and of what came back agree, to half of the digits."""
    forwards, backwards = inner(*outputs), inner(*vectors)
    eps = max((float(np.finfo(leaf.dtype).eps) for leaf in parts(outputs[0]) if leaf is not None), default=0.0)
    if abs(forwards - backwards) <= np.sqrt(eps) * abs(forwards):  # the terms are larger than their sum: within the bar
        return
    size = inner_size(*outputs) + inner_size(*vectors)
    if np.isfinite(size) and abs(forwards - backwards) > rounding(eps, size, length(vectors[0]) * length(vectors[1])):
        raise NotAnalyticError(
            f"the output moves by {forwards:.6g} along its cotangent in a complex step, and by {backwards:.6g} by the gradient: a"
            " layer is not analytic, or its gradient is wrong; fn.check.check_layer tells which"
        )
