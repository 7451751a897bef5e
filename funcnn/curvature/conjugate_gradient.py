r"""Conjugate gradients: $A x = b$ for a symmetric positive matrix that is known by its products.

Let $f(x) = \tfrac12 x^\top A x - b^\top x$, whose gradient is $A x - b = -r$.  Along directions $d_k$ that are conjugate,
$d_j^\top A d_k = 0$, minimizing along one does not undo what was reached along the others:
$$ \alpha = \frac{r^\top z}{d^\top A d}, \quad x \leftarrow x + \alpha d, \quad r \leftarrow r - \alpha A d, \quad z = M^{-1}
   r, \quad d \leftarrow z + \frac{r^\top z}{(r^\top z)_{\text{before}}}\, d , $$
with a preconditioner $M \approx A$, or $z = r$ (Hestenes & Stiefel 1952, doi:10.6028/jres.049.044).  After k steps x is the
best in the Krylov space of k dimensions: D steps solve, and with condition number $\kappa$ some $\tfrac12 \sqrt\kappa
\log(2/\varepsilon)$ are enough.

A direction with $d^\top A d \le 0$ shows that A is not positive: there is no minimum, and the step would go uphill.  That, and
an end of the steps before the residual is small, are errors.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.combinators.implicit.convergence import ConvergenceError
from funcnn.curvature.operator import Operator, Product, check_finite_tree, moved, norm, operator
from funcnn.errors import check_count, check_range
from funcnn.typing import Array

P = TypeVar("P")


class NegativeCurvatureError(ValueError):
    """Raised where a matrix has to be positive definite and is not."""


@frozen(eq=False)
class Solved(Generic[P]):
    """What :func:`conjugate_gradient` gives."""

    solution: P
    """A tree like the right-hand side."""
    residual: float
    r"""What is left, $\\lVert b - A x \\rVert / \\lVert b \\rVert$, computed anew at the end."""
    steps: int
    """Products that the steps took."""


def conjugate_gradient(
    product: Product[P],
    target: P,
    *,
    damping: float = 0.0,
    tolerance: float = 1e-8,
    max_steps: int | None = None,
    preconditioner: Product[P] | None = None,
) -> Solved[P]:
    r"""Solve $(A + \lambda I) x = b$ by conjugate gradients over trees.

    Parameters
    ----------
    product : callable
        ``product(vector) -> tree``: A times a vector, symmetric and positive.
    target : tree
        The right-hand side b: a tree like the parameters, of one precision.
    damping : float, optional
        $\lambda$, at least 0.
    tolerance : float, optional
        The residual at which to end, as a part of b's length; more than 0.
    max_steps : int, optional
        Products at most; by default ten times as many as b has numbers, and 100 at least.
    preconditioner : callable, optional
        ``preconditioner(vector) -> tree``: an approximate inverse of A, symmetric and positive, such as
        :func:`funcnn.curvature.KroneckerFactors.solve`.

    Returns
    -------
    Solved

    Raises
    ------
    NegativeCurvatureError
        When a direction is met along which A is not positive.
    ConvergenceError
        When the residual is not small after ``max_steps`` products, or falls no further because of rounding.
    TypeError, ValueError
        When an argument is not as said, or a product has another structure or is not finite: the leaf is named.

    References
    ----------
    Hestenes & Stiefel (1952), Methods of conjugate gradients for solving linear systems, doi:10.6028/jres.049.044.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> matrix = np.array([[2.0, 1.0], [1.0, 3.0]])
    >>> made = fn.curvature.conjugate_gradient(lambda v: (matrix @ v[0],), (np.array([1.0, 2.0]),))
    >>> made.solution[0].round(12), made.steps
    (array([0.2, 0.6]), 2)
    """
    of = operator(product, target, space="target")
    check_finite_tree(target, "target")
    before = None if preconditioner is None else operator(preconditioner, target, "preconditioner", "target")
    damping = check_range(damping, "damping", 0.0, np.inf, open_high=True)
    tolerance = check_range(tolerance, "tolerance", 0.0, 1.0, open_low=True)
    steps = max(100, 10 * of.size) if max_steps is None else check_count(max_steps, "max_steps")
    vector = tree.ravel(target).vector
    x, used = solve(of, vector, damping, tolerance * norm(vector), steps, before)
    left = norm(vector - moved(of(x), damping, x)) if norm(vector) else 0.0
    if left > 10 * tolerance * norm(vector):
        raise ConvergenceError(
            f"conjugate gradients believed in a residual of {tolerance:g}, and it is"
            f" {left / norm(vector):.2g}: rounding limits it (a condition number near the precision's limit);"
            " add damping=, take a larger tolerance= or float64"
        )
    return Solved(of.unravel(tree.freeze(x)), left / norm(vector) if norm(vector) else 0.0, used)


def solve(
    of: Operator[P], b: Array, damping: float, goal: float, max_steps: int, preconditioner: Operator[P] | None
) -> tuple[Array, int]:
    """Return the solution and how many products it took; raise where there is none to be had."""
    x: Array = np.zeros_like(b)
    r = b.copy()
    z = r if preconditioner is None else preconditioner(r)
    d = z
    rz = float(r @ z)
    for step in range(max_steps + 1):
        if norm(r) <= goal:
            return x, step
        if step == max_steps:
            break
        if rz <= 0:
            raise NegativeCurvatureError(
                f"the preconditioner is not positive: r M r = {rz:.3g} at step {step}; use one with damping, or none"
            )
        ad = moved(of(d), damping, d)
        curvature = float(d @ ad)
        if curvature <= np.finfo(of.dtype).eps * norm(d) * norm(ad):
            raise NegativeCurvatureError(
                f"conjugate gradients met a direction without positive curvature (d A d / d d = {curvature / float(d @ d):.3g},"
                f" step {step + 1}): the matrix is indefinite or singular; use a Gauss-Newton product (fn.ggn_product) in place"
                f" of a Hessian, or more damping= than {damping:g}"
            )
        alpha = rz / curvature
        x = moved(x, alpha, d)
        r = moved(r, -alpha, ad)
        z = r if preconditioner is None else preconditioner(r)
        rz, last = float(r @ z), rz
        d = moved(z, rz / last, d)
    raise ConvergenceError(
        f"conjugate gradients left a residual of {norm(r) / norm(b):.2g} of the target after {max_steps} products, expected"
        f" {goal / norm(b):.2g}: give more max_steps=, add damping=, or a preconditioner="
    )
