r"""The diagonal of a curvature matrix: exact, and estimated.

*From products.*  The entry d is $e_d^\top A e_d$: D products.  With random signs $\omega$ the mean of $\omega \odot A \omega$
is the diagonal too, $\mathbb{E}\, \omega_d \sum_e A_{de} \omega_e = A_{dd}$, with the variance $\sum_{e \ne d} A_{de}^2$
(Bekas, Kokiopoulou & Saad 2007, doi:10.1016/j.apnum.2007.01.003).

*Of the Gauss-Newton matrix* there is a shorter way.  Let $S_n S_n^\top = \ell_{yy}$ at example n, with columns $s_{nc}$.  Then
$$ G = \sum_n J_n^\top \ell_{yy} J_n = \sum_{nc} (J_n^\top s_{nc}) (J_n^\top s_{nc})^\top, \qquad
   G_{dd} = \sum_{nc} (J_n^\top s_{nc})_d^2 , $$
the squares of the gradients of single examples for as many cotangents as an example has outputs, whatever D is (Dangel,
Kunstner & Hennig 2020, arXiv:1912.10985; :mod:`funcnn.derivatives.rules.square_sums`).  The columns come from the loss's
own backward (:mod:`funcnn.curvature.loss_curvature`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.curvature.operator import Product, check_products, generator_of, operator, signs
from funcnn.curvature.output_gradients import OutputGradients, in_stretches, leaves_beside, output_gradients
from funcnn.derivatives.rules.pairs import Outer
from funcnn.derivatives.rules.square_sums import square_sum_of_columns
from funcnn.key import Key
from funcnn.layer import Layer, Mode
from funcnn.losses.loss import Loss
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
T = TypeVar("T")


def diagonal(product: Product[P], like: P) -> P:
    """Return the diagonal of a matrix that is known by its products, exactly: one product for each number.

    Parameters
    ----------
    product : callable
        ``product(vector) -> tree``: a symmetric matrix times a tree like the parameters.
    like : tree
        The parameters, or a tree like them.

    Returns
    -------
    tree
        Like the parameters.

    Raises
    ------
    TypeError, ValueError
        When a product has another structure or is not finite: the leaf is named.

    See Also
    --------
    ggn_diagonal : of a Gauss-Newton matrix, in less time.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> matrix = np.array([[2.0, 1.0], [1.0, 3.0]])
    >>> fn.curvature.diagonal(lambda v: matrix @ v, np.zeros(2))
    array([2., 3.])
    """
    of = operator(product, like)
    found: Array = np.empty(of.size, of.dtype)
    unit = np.zeros_like(found)
    for index in range(of.size):
        unit[index] = 1
        found[index] = of(unit.copy())[index]
        unit[index] = 0
    return of.unravel(tree.freeze(found))


@frozen(eq=False)
class DiagonalEstimate(Generic[P]):
    """What :func:`estimate_diagonal` gives."""

    values: P
    """The estimate: a tree like the parameters."""
    errors: P
    """The standard error of each number, from the spread of the samples; NaN where there is one sample alone."""


def estimate_diagonal(product: Product[P], like: P, *, key: Key, products: int = 30) -> DiagonalEstimate[P]:
    r"""Estimate the diagonal of a matrix: the mean of $\omega \odot A \omega$ over vectors of random signs.

    Parameters
    ----------
    product, like
        As for :func:`diagonal`.
    key : Key
        Of the vectors.
    products : int, optional
        How many products are taken.

    Returns
    -------
    DiagonalEstimate

    Raises
    ------
    TypeError, ValueError
        As :func:`diagonal`.

    References
    ----------
    Bekas, Kokiopoulou & Saad (2007), An estimator for the diagonal of a matrix, doi:10.1016/j.apnum.2007.01.003.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> made = fn.curvature.estimate_diagonal(lambda v: np.arange(3.0) * v, np.zeros(3), key=fn.Key(0), products=2)
    >>> made.values, made.errors
    (array([0., 1., 2.]), array([0., 0., 0.]))
    """
    of = operator(product, like)
    count, generator = check_products(products), generator_of(key)
    mean: Array = np.zeros(of.size, of.dtype)
    spread: Array = np.zeros(of.size, of.dtype)
    for index in range(count):  # Welford's recursion: no difference of large numbers
        omega = signs(generator, (of.size,), of.dtype)
        sample = omega * of(omega)
        away = sample - mean
        mean = mean + away / (index + 1)
        spread = spread + away * (sample - mean)
    errors = np.sqrt(spread / (count * (count - 1))) if count > 1 else np.full_like(mean, np.nan)
    return DiagonalEstimate(of.unravel(tree.freeze(mean)), of.unravel(tree.freeze(errors)))


def ggn_diagonal(model: Layer[P, S, X, Array], loss: Loss[Array, T]) -> GGNDiagonalFunction[P, S, X, T]:
    r"""Return the function that computes the diagonal of the generalized Gauss-Newton matrix of a loss, exactly.

    Parameters
    ----------
    model : Layer
        With an output of one array.
    loss : Loss
        Convex in the output.

    Returns
    -------
    callable
        ``(params, state, x, target, mode) -> tree`` like the parameters, with None in the place of integers.  Pure, and
        picklable.  It takes a backward for each output of an example, and the memory of one gradient.

        It raises a :class:`NegativeCurvatureError` where the loss is not convex in the output, and a ValueError where examples
        depend on each other.

    Raises
    ------
    TypeError, ValueError
        When the model is not a layer, the loss not a loss, or one that compares the examples of a batch.

    See Also
    --------
    diagonal : of any matrix, such as a Hessian.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.linear(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> x = np.array([[1.0, 2.0], [0.0, 1.0]])
    >>> made = fn.curvature.ggn_diagonal(model, fn.half_squared_error(reduction="sum"))
    >>> made(start.params, start.state, x, np.zeros((2, 1)), fn.Eval()).weight
    array([[1.],
           [5.]])
    """
    return GGNDiagonalFunction(output_gradients(model, loss, "square sums"))


@frozen
class GGNDiagonalFunction(Generic[P, S, X, T]):
    """What :func:`ggn_diagonal` returns."""

    gradients: OutputGradients[P, S, X, T]

    def __call__(self, params: P, state: S, x: X, target: T, mode: Mode, /) -> P:
        """Return the diagonal of the generalized Gauss-Newton matrix."""
        totals: list[Any] = [np.zeros_like(leaf) if leaf.dtype.kind == "f" else None for leaf in tree.leaves(params)]
        for held in in_stretches(self._columns(params, state, x, target, mode), _size):
            for total, *column in zip(totals, *held, strict=True):
                if total is not None:
                    total += square_sum_of_columns(column).reshape(total.shape)
        return tree.rebuild(params, iter(totals))

    def _columns(self, params: P, state: S, x: X, target: T, mode: Mode) -> Iterator[list[Any]]:
        """Yield what was taken for each leaf, column by column."""
        for taken in self.gradients(params, state, x, target, mode):
            yield leaves_beside(params, taken)


def _size(column: list[Any]) -> int:
    return sum(one.size for one in column if isinstance(one, Outer))
