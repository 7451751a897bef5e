r"""Squared errors: the mean over all entries, and one half of the sum over each example.

Indices: $n$ example of $N$, $i$ entry of an example of $I$; $p$ prediction, $t$ target.

Forward
$$ \ell_{ni} = (p_{ni} - t_{ni})^2 \quad\text{(mean squared error)}, \qquad \ell_n = \tfrac12 \sum_i (p_{ni} - t_{ni})^2
\quad\text{(half squared error)}. $$

Derivation.  $\mathrm{d}\ell_{ni} = 2 (p_{ni} - t_{ni})\,\mathrm{d}p_{ni}$ and
$\mathrm{d}\ell_n = \sum_i (p_{ni} - t_{ni})\,\mathrm{d}p_{ni}$, so that
$$ \bar p_{ni} = 2 (p_{ni} - t_{ni})\,\bar\ell_{ni}, \qquad \bar p_{ni} = (p_{ni} - t_{ni})\,\bar\ell_n. $$
The mean over the losses divides the first by $NI$, the second by $N$: with the half squared error the gradient of one example
is its residual.
"""

from funcnn.kernels.arrays import flatten_examples
from funcnn.losses.checks import check_pair
from funcnn.losses.limits import row_totals
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced, spread
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


def losses(prediction: Array, target: Array) -> tuple[Array, Array]:
    target = check_pair(prediction, target)
    difference = prediction - target
    return difference * difference, difference


def pullback(difference: Array, dlosses: Array) -> Array:
    return difference * (dlosses + dlosses)


def half_losses(prediction: Array, target: Array) -> tuple[Array, Array]:
    target = check_pair(prediction, target)
    difference = prediction - target
    sums = row_totals(flatten_examples(difference * difference))
    sums *= 0.5
    return sums, difference


def half_pullback(difference: Array, dlosses: Array) -> Array:
    return difference * spread(dlosses, difference.ndim)


def mean_squared_error(*, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Mean over all entries of ``(prediction - target) ** 2``.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of a prediction and a target of one shape, (n, ...), floating.  Weights (see :class:`funcnn.Weighted`) may be given to
        examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when the two are not floating arrays of one shape (a loss never broadcasts), the batch is empty, or the
        target holds NaN or infinity.

    See Also
    --------
    half_squared_error : one half of the sum over each example's entries, whose gradient carries no factor.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.mean_squared_error()
    >>> made = loss.forward(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]]))
    >>> made.value
    np.float64(2.0)
    >>> loss.backward(made.residuals)
    array([[ 0., -2.]])
    """
    return reduced("mean_squared_error", Rule(losses, pullback, features=0), reduction)


def half_squared_error(*, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """One half of the sum of squares over each example's entries; the mean over the batch.

    The loss of the textbooks, ``|prediction - target|**2 / 2`` for each example: on a prediction of one entry it is half of the
    mean squared error, on one of I entries I/2 times it.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over the examples; over the entries of an example it is always the sum.

    Returns
    -------
    Loss
        Of a prediction and a target of one shape, (n, ...), floating; a weight (see :class:`funcnn.Weighted`) has the shape (n,).

    Raises
    ------
    TypeError, ValueError
        In ``forward``, as for :func:`mean_squared_error`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.half_squared_error()
    >>> made = loss.forward(np.array([[1.0, 2.0]]), np.array([[1.0, 5.0]]))
    >>> made.value
    np.float64(4.5)
    >>> loss.backward(made.residuals)
    array([[ 0., -3.]])
    """
    return reduced("half_squared_error", Rule(half_losses, half_pullback, features=None), reduction)
