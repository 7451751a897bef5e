r"""Newton's method for large trees: conjugate gradients within a trust region.

Near p the function is about $m(\delta) = f + g^\top \delta + \tfrac12 \delta^\top B \delta$, with the Hessian or the
Gauss-Newton matrix for B. Its minimum within $\lVert \delta \rVert \le \Delta$ is approached by conjugate gradients from 0,
whose lengths only grow (Steihaug 1983, doi:10.1137/0720042; Nocedal & Wright 2006, algorithm 7.2).  They end

* where the residual is $\min(\tfrac12, \sqrt{\lVert g \rVert}) \lVert g \rVert$, which keeps the convergence superlinear,
* at the border of the region, which the path is followed to,
* on a direction of negative curvature, $d^\top B d \le 0$, which is followed to the border as well: an indefinite Hessian is
no obstacle.

The step is taken when a fair part of the predicted decrease has come, $\rho = (f(p) - f(p + \delta)) / (m(0) - m(\delta))$.
Below 1/4 the region shrinks to a quarter of the step, and the same path is cut earlier, without another product; above 3/4 at
the border it doubles.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.curvature.operator import Operator, moved, norm, operator
from funcnn.errors import describe
from funcnn.optim.hyper import POSITIVE, at_least, settle
from funcnn.optim.optimizer import OptState, check_shape, check_trainable, counter, updates_done
from funcnn.optim.rules.lbfgs import Stepped
from funcnn.typing import Array, Scalar

P = TypeVar("P")


class HasProduct(Protocol[P]):
    """A value, its gradient, and products with its curvature, such as :class:`funcnn.curvature.LossAndProduct`."""

    @property
    def loss(self) -> Scalar | float:
        """The value."""
        ...

    @property
    def grads(self) -> P:
        """Its gradient: a tree like the parameters."""
        ...

    def product(self, vector: P, /) -> P:
        """Return the curvature there times a vector: trees like the parameters."""
        ...


@frozen(eq=False)
class Path:
    """The way of conjugate gradients to the border: points, what the matrix makes of them, and whether the border was met."""

    points: list[Array]
    images: list[Array]

    def within(self, radius: float) -> tuple[Array, Array, bool]:
        """Return the last point of the path within a radius, what the matrix makes of it, and whether it is at the border."""
        for low, high, image, above in zip(self.points, self.points[1:], self.images, self.images[1:], strict=False):
            if norm(high) >= radius:
                share = _crossing(low, high - low, radius)
                return moved(low, share, high - low), moved(image, share, above - image), True
        return self.points[-1], self.images[-1], False


def _crossing(start: Array, along: Array, radius: float) -> float:
    """Return the positive root of |start + t along| = radius."""
    a, b, c = norm(along) ** 2, 2 * float(start @ along), norm(start) ** 2 - radius**2
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    return -2 * c / (b + root) if b > 0 else (root - b) / (2 * a)


def steihaug(of: Operator[P], g: Array, radius: float, goal: float, max_products: int) -> Path:
    """Return the way of conjugate gradients to the minimum of the quadratic model, or to the border."""
    point, image = np.zeros_like(g), np.zeros_like(g)
    path = Path([point], [image])
    r, d = -g, -g
    for _ in range(max_products):
        bd = of(d)
        curvature, rr = float(d @ bd), float(r @ r)
        if curvature <= float(np.finfo(g.dtype).eps) * norm(d) * norm(bd):
            alpha = _crossing(point, d, radius) * (1 + 1e-6)  # to the border, and no further
        else:
            alpha = rr / curvature
        point, image = moved(point, alpha, d), moved(image, alpha, bd)
        path.points.append(point)
        path.images.append(image)
        r = moved(r, -alpha, bd)
        if norm(point) >= radius or norm(r) <= goal:
            break
        d = moved(r, float(r @ r) / rr, d)
    return path


@frozen
class NewtonCG:
    """Newton's method by conjugate gradients in a trust region.  Made by :func:`newton_cg`."""

    radius: float = 1.0
    max_products: int = 200
    max_evaluations: int = 20

    def __attrs_post_init__(self) -> None:
        settle(self, radius=POSITIVE, max_products=at_least(1), max_evaluations=at_least(1))

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first step: the radius.

        Raises
        ------
        TypeError
            When a leaf does not hold floating-point numbers.
        """
        for path, leaf in tree.walk(params):
            check_trainable(path, leaf.dtype)
        return OptState(counter(0), tree.freeze((np.array(self.radius),)))

    def step(self, function: Callable[[P], HasProduct[P]], params: P, state: OptState[P]) -> Stepped[P]:
        """Return the parameters after one step that lowers the value, and the next state.

        Parameters
        ----------
        function : callable
            Takes parameters and gives a record with ``loss``, ``grads`` and ``product(vector)``; pure.
        params : tree
            Where to step from.
        state : OptState
            As ``init`` or the last step gave it.

        Raises
        ------
        ValueError
            When the value, the gradient or a product at the parameters is not finite, or not a tree like the parameters.
        """
        done = updates_done(state, self)
        check_shape(state, self, 0, 1)
        radius = float(state.slots[0])
        x, unravel = tree.ravel(params)
        here = function(params)
        value, g = measured(here, params)
        if not (math.isfinite(value) and bool(np.isfinite(g).all())):
            raise ValueError(f"the function or its gradient is not finite at the parameters (value {value}): start elsewhere")
        used, size = 1, norm(g)
        path = None
        while size > 0 and used <= self.max_evaluations:
            if path is None:
                goal = min(0.5, math.sqrt(size)) * size
                path = steihaug(operator(here.product, params), g, radius, goal, self.max_products)
            delta, image, at_border = path.within(radius)
            at = x + delta
            with np.errstate(all="ignore"):  # a step that is too long is found out by its value
                there, gradient = measured(function(unravel(tree.freeze(at))), params)
            used += 1
            predicted = -(_dot(g, delta) + _dot(delta, image) / 2)
            if self.improves(value - there, predicted, value, norm(gradient), size):
                ratio = (value - there) / predicted if predicted > 0 else 1.0
                if at_border and ratio > 0.75:
                    radius *= 2
                elif ratio < 0.25:
                    radius = norm(delta) / 2
                kept = OptState[P](counter(done + 1), tree.freeze((np.array(radius),)))
                return Stepped(unravel(at), kept, there, _largest(gradient), used, moved=True)
            radius = norm(delta) / 4
            if np.array_equal(at, x):
                break
        kept = OptState[P](counter(done + 1), tree.freeze((np.array(radius),)))
        return Stepped(params, kept, value, _largest(g), used, moved=False)

    @staticmethod
    def improves(lowered: float, predicted: float, value: float, slope: float, before: float) -> bool:
        """Tell whether a step is taken: a part of the promise has come, or, where rounding hides it, the gradient is smaller."""
        if not math.isfinite(lowered):
            return False
        if predicted <= 1e-13 * abs(value) and abs(lowered) <= 1e-12 * abs(value):
            return slope < before
        return lowered > 1e-4 * predicted and predicted > 0


def measured(result: HasProduct[P], params: P) -> tuple[float, Array]:
    """Return the value and the gradient as a vector, or raise when a function gave something else."""
    if not (hasattr(result, "loss") and hasattr(result, "grads") and callable(getattr(result, "product", None))):
        raise TypeError(
            f"function gave {describe(result)}, expected a record with loss, grads and a method product, such as what"
            " fn.curvature.loss_and_product(model, loss)(...) gives"
        )
    tree.check_like(params, result.grads, "the gradients")
    return float(result.loss), tree.ravel(result.grads).vector


def _dot(a: Array, b: Array) -> float:
    wide = np.result_type(a.dtype, np.float64)
    return float(a.astype(wide, copy=False) @ b.astype(wide, copy=False))


def _largest(g: Array) -> float:
    return float(np.max(np.abs(g), initial=0.0))


def newton_cg(*, radius: float = 1.0, max_products: int = 200, max_evaluations: int = 20) -> NewtonCG:
    r"""Newton's method by conjugate gradients within a trust region: for smooth functions of all the data, of any size.

    ``fn.minimize(function, params, fn.curvature.newton_cg())`` takes as many steps as are needed; its method
    ``step(function, params, state)`` takes one.  The function gives the value, its gradient and products with its curvature,
    such as :func:`loss_and_product` does.

    Parameters
    ----------
    radius : float, optional
        How long the first step may be, $\Delta$; more than 0.
    max_products : int, optional
        Products in one step at most.
    max_evaluations : int, optional
        Evaluations of the function in one step at most, besides the one at its start.

    Returns
    -------
    NewtonCG

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Steihaug (1983), The conjugate gradient method and trust regions in large scale optimization, doi:10.1137/0720042; Nocedal &
    Wright (2006), Numerical optimization, algorithms 4.1 and 7.2.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model, x = fn.dense(2), np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> start = model.init(fn.Key(0), (1,))
    >>> both = fn.curvature.loss_and_product(model, fn.softmax_cross_entropy())
    >>> found = fn.minimize(
    ...     lambda params: both(params, start.state, x, np.array([0, 1, 0, 1]), fn.Eval()),
    ...     start.params,
    ...     fn.curvature.newton_cg(),
    ... )
    >>> found.converged, found.steps < 8
    (True, True)
    """
    return NewtonCG(radius, max_products, max_evaluations)
