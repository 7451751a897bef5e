r"""Quantile error, also called pinball loss (Koenker and Bassett 1978, "Regression quantiles", eq. 2.1).

For each entry, with the quantile $q$, the prediction $p$, the target $t$ and $d = p - t$
$$ \ell = s d, \qquad s = \begin{cases} 1 - q & d > 0 \\ -q & d < 0 \end{cases} $$
which is positive on both sides: too low costs $q$, too high $1 - q$ for each unit.

Derivation.  $s$ is constant on each side, and so $\bar p = s\,\bar\ell$.  At $d = 0$, where every slope from $-q$ to $1 - q$ is
a subgradient, it is 0.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from funcnn.errors import describe
from funcnn.kernels.arrays import constant
from funcnn.losses.checks import check_pair, positive_numbers
from funcnn.losses.limits import within
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


def losses(quantile: float | tuple[float, ...], prediction: Array, target: Array) -> tuple[Array, Array]:
    target = check_pair(prediction, target)
    difference = prediction - target
    low, high = slopes(quantile, prediction)
    slope: Array = np.sign(difference.real)
    slope *= np.where(slope > 0, high, low)
    return slope * difference, slope


def slopes(quantile: float | tuple[float, ...], prediction: Array) -> tuple[Array, Array]:
    """Return the costs of a unit below and above, as they are before either is rounded to the prediction's precision."""
    dtype = prediction.real.dtype
    if not isinstance(quantile, tuple):
        return constant(within(quantile, dtype), dtype), constant(within(1 - quantile, dtype), dtype)
    if len(quantile) != prediction.shape[-1]:
        raise ValueError(
            f"quantile has {len(quantile)} numbers and the prediction, {describe(prediction)}, {prediction.shape[-1]} positions"
            " in its last axis: give one for each"
        )
    low = tuple(within(q, dtype) for q in quantile)
    return constant(low, dtype), constant(tuple(within(1 - q, dtype) for q in quantile), dtype)


def pullback(slope: Array, dlosses: Array) -> Array:
    return slope * dlosses


def quantile_error(
    quantile: float | Sequence[float] = 0.5, *, reduction: Reduction = "mean"
) -> Loss[Array, Array | Weighted[Array]]:
    """Mean over all entries of the pinball loss: the prediction learns a quantile of the target, and several of them an interval.

    Parameters
    ----------
    quantile : float or sequence of floats, optional
        In (0, 1): one for all entries, or one for each position of the last axis.
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of a prediction and a target of one shape, (n, ...), floating; for several quantiles of one number, repeat the target
        along the last axis.  Weights (see :class:`funcnn.Weighted`) may be given to examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        When a quantile is not in (0, 1); in ``forward``, when the two are not floating arrays of one shape, the batch is empty,
        or the target holds NaN or infinity.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.quantile_error(0.75)
    >>> made = loss.forward(np.array([[0.0], [4.0]]), np.array([[2.0], [2.0]]))
    >>> made.value
    np.float64(1.0)
    >>> loss.backward(made.residuals)
    array([[-0.375],
           [ 0.125]])
    """
    numbers = positive_numbers(quantile, "quantile", below=1)
    return reduced(f"quantile_error({numbers})", Rule(partial(losses, numbers), pullback, features=0), reduction)
