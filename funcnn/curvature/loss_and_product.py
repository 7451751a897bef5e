"""A loss, its gradient, and products with its curvature at one place: what Newton's method needs."""

from __future__ import annotations

from functools import partial
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from attrs import field, frozen

from funcnn.derivatives.ggn import ggn_product
from funcnn.derivatives.hvp import hvp
from funcnn.errors import check_choice
from funcnn.grad import LossAndGradFunction, loss_and_grad
from funcnn.layer import Layer, Mode
from funcnn.losses.loss import Loss
from funcnn.typing import Scalar

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")

CurvatureKind: TypeAlias = Literal["hessian", "ggn"]


@frozen(eq=False)
class LossAndProduct(Generic[P]):
    """A loss and its gradient; the curvature is there for products."""

    loss: Scalar
    """The value of the loss."""
    grads: P
    """Its gradient: a tree like the parameters."""
    _product: Any = field(repr=False)  # Any: a product bound to a place

    def product(self, vector: P, /) -> P:
        """Return the curvature at this place times a vector."""
        made: P = self._product(vector)
        return made


def loss_and_product(
    model: Layer[P, S, X, Y], loss: Loss[Y, T], kind: CurvatureKind = "hessian"
) -> LossAndProductFunction[P, S, X, Y, T]:
    """Return the function that computes a loss and its gradient, and gives products with its curvature at the same place.

    Parameters
    ----------
    model : Layer
    loss : Loss
    kind : {"hessian", "ggn"}, optional
        Of the Hessian, or of the generalized Gauss-Newton matrix, which is never negative where the loss is convex.

    Returns
    -------
    callable
        ``(params, state, x, target, mode) -> LossAndProduct(loss, grads, product)``; pure, and picklable.

    Raises
    ------
    TypeError
        When the model is not a layer, or the loss is not a loss.
    ValueError
        When the kind is neither of the two.

    See Also
    --------
    newton_cg : minimizes such a function.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.linear(1)
    >>> start = model.init(fn.Key(0), (1,))
    >>> both = fn.curvature.loss_and_product(model, fn.half_squared_error())
    >>> made = both(start.params, (), np.array([[1.0], [2.0]]), np.zeros((2, 1)), fn.Eval())
    >>> made.product(fn.tree.map(np.ones_like, start.params)).weight
    array([[2.5]])
    """
    made: Any = (hvp if check_choice(kind, ("hessian", "ggn"), "kind") == "hessian" else ggn_product)(model, loss)
    return LossAndProductFunction(loss_and_grad(model, loss), made)


@frozen
class LossAndProductFunction(Generic[P, S, X, Y, T]):
    """What :func:`loss_and_product` returns."""

    gradient: LossAndGradFunction[P, S, X, Y, T]
    curvature: Any = field(repr=False)  # Any: one of the two kinds

    def __call__(self, params: P, state: S, x: X, target: T, mode: Mode, /) -> LossAndProduct[P]:
        """Return the loss, its gradient, and the curvature for products."""
        made = self.gradient(params, state, x, target, mode)
        return LossAndProduct(made.loss, made.grads, partial(_bound, self.curvature, (params, state, x, target), mode))


def _bound(curvature: Any, at: tuple[Any, Any, Any, Any], mode: Mode, vector: Any) -> Any:
    """Return a product at one place."""
    return curvature(*at, vector, mode)
