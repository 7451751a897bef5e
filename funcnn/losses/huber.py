r"""Huber's loss (Huber 1964, "Robust estimation of a location parameter", section 3) and its other scaling, smooth L1.

For each entry, with $d = p - t$ and the width $\delta$ of the quadratic part
$$ \ell = \begin{cases} d^2 / 2 & |d| \le \delta \\ \delta\,(|d| - \delta / 2) & |d| > \delta. \end{cases} $$
Smooth L1 (Girshick 2015, arXiv:1504.08083, eq. 3) with $\beta = \delta$ is $\ell / \delta$: of slope 1 in the tails, whatever
the width.

One formula.  With $c = \min(\max(d, -\delta), \delta)$ both cases are $\ell = c\,(d - c / 2)$.

Derivation.  Inside, $c = d$ and $\mathrm{d}\ell = d\,\mathrm{d}d$; outside, $c$ is constant and
$\mathrm{d}\ell = c\,\mathrm{d}d$.  In either case $\bar p = c\,\bar\ell$, which is continuous: there is no kink.
"""

from functools import partial

import numpy as np

from funcnn.errors import check_range
from funcnn.losses.checks import check_pair
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.numerics import constant
from funcnn.typing import Array


def losses(delta: float, slope: float, prediction: Array, target: Array) -> tuple[Array, Array]:
    """Return ``slope / delta`` times Huber's losses, and the clipped differences: slope is that of the tails."""
    target = check_pair(prediction, target)
    difference = prediction - target
    clipped: Array = np.maximum(difference, constant(-delta, target.dtype))
    np.minimum(clipped, constant(delta, target.dtype), out=clipped)
    each = clipped * constant(-0.5, target.dtype)
    each += difference
    each *= clipped
    each *= constant(slope / delta, target.dtype)
    return each, clipped


def pullback(delta: float, slope: float, clipped: Array, dlosses: Array) -> Array:
    return clipped * (constant(slope / delta, clipped.real.dtype) * dlosses)


def huber(delta: float = 1.0, *, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Huber's loss: half the square of small errors, and of large ones the absolute value, times ``delta``.

    Parameters
    ----------
    delta : float, optional
        Positive: where the square ends, and the slope from there on.
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
        When ``delta`` is not a positive number; in ``forward``, when the two are not floating arrays of one shape, the batch is
        empty, or the target holds NaN or infinity.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.huber(1.0)
    >>> made = loss.forward(np.array([[0.5], [-3.0]]), np.zeros((2, 1)))
    >>> made.value
    np.float64(1.3125)
    >>> loss.backward(made.residuals)
    array([[ 0.25],
           [-0.5 ]])
    """
    check_range(delta, "delta", 0, np.inf, open_low=True, open_high=True)
    options = (float(delta), float(delta))
    return reduced(f"huber({delta:g})", Rule(partial(losses, *options), partial(pullback, *options), features=0), reduction)


def smooth_l1(beta: float = 1.0, *, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Absolute error whose kink is rounded off: :func:`huber` divided by its ``delta``, here called ``beta``.

    Parameters
    ----------
    beta : float, optional
        Positive: the width of the quadratic part.
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        As :func:`huber`.

    Raises
    ------
    TypeError, ValueError
        As :func:`huber`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.smooth_l1(2.0).forward(np.array([[1.0], [-3.0]]), np.zeros((2, 1))).value
    np.float64(1.125)
    """
    check_range(beta, "beta", 0, np.inf, open_low=True, open_high=True)
    options = (float(beta), 1.0)
    return reduced(f"smooth_l1({beta:g})", Rule(partial(losses, *options), partial(pullback, *options), features=0), reduction)
