r"""Huber's loss (Huber 1964, "Robust estimation of a location parameter", section 3) and its other scaling, smooth L1.

For each entry, with $d = p - t$ and the width $\delta$ of the quadratic part
$$ \ell = \begin{cases} d^2 / 2 & |d| \le \delta \\ \delta\,(|d| - \delta / 2) & |d| > \delta. \end{cases} $$
Smooth L1 (Girshick 2015, arXiv:1504.08083, eq. 3) with $\beta = \delta$ is $\ell / \delta$: of slope 1 in the tails, whatever
the width.

One formula.  With $c = \min(\max(d, -\delta), \delta)$ both cases are $\ell = c\,(d - c / 2)$; for smooth L1, with
$r = c / \delta$ from -1 to 1, $\ell / \delta = r\,(d - c / 2)$: no power of a small or a large width occurs.

Derivation.  Inside, $c = d$ and $\mathrm{d}\ell = d\,\mathrm{d}d$; outside, $c$ is constant and
$\mathrm{d}\ell = c\,\mathrm{d}d$.  In either case $\bar p = c\,\bar\ell$ (or $r\,\bar\ell$), which is continuous: there is no
kink.
"""

from functools import partial

import numpy as np

from funcnn.errors import check_range
from funcnn.kernels.arrays import constant
from funcnn.losses.checks import check_pair
from funcnn.losses.limits import within
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


def losses(delta: float, prediction: Array, target: Array) -> tuple[Array, Array]:
    """Return Huber's losses, and the clipped differences."""
    target = check_pair(prediction, target)
    difference = prediction - target
    clipped = clip(difference, within(delta, target.dtype))
    each = clipped * constant(-0.5, target.dtype)
    each += difference
    each *= clipped
    return each, clipped


def pullback(clipped: Array, dlosses: Array) -> Array:
    return clipped * dlosses


def smooth_losses(beta: float, prediction: Array, target: Array) -> tuple[Array, Array]:
    """Return the losses of smooth L1, and the ratios of the clipped differences to beta."""
    target = check_pair(prediction, target)
    if beta > np.finfo(target.dtype).max:
        raise ValueError(
            f"beta is {beta:g}, which is too large for a prediction of {target.dtype}: use np.float64 or a smaller one"
        )
    difference = prediction - target
    width = within(beta, target.dtype)
    clipped = clip(difference, width)
    ratio = clipped / constant(width, target.dtype)  # clipped first: this does not overflow
    each = clipped * constant(-0.5, target.dtype)
    each += difference
    each *= ratio
    return each, ratio


def clip(x: Array, bound: float) -> Array:
    """Return x cut at -bound and bound, as a new array."""
    clipped: Array = np.maximum(x, constant(-bound, x.real.dtype))
    np.minimum(clipped, constant(bound, x.real.dtype), out=clipped)
    return clipped


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
    delta = check_range(delta, "delta", 0, np.inf, open_low=True, open_high=True)
    return reduced(f"huber({delta:g})", Rule(partial(losses, delta), pullback, features=0), reduction)


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
        As :func:`huber`; also in ``forward``, when ``beta`` is beyond the largest number of the prediction's precision.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.smooth_l1(2.0).forward(np.array([[1.0], [-3.0]]), np.zeros((2, 1))).value
    np.float64(1.125)
    """
    beta = check_range(beta, "beta", 0, np.inf, open_low=True, open_high=True)
    return reduced(f"smooth_l1({beta:g})", Rule(partial(smooth_losses, beta), pullback, features=0), reduction)
