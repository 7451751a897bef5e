r"""Losses of overlap, for segmentation: Dice and Tversky.

Milletari et al. 2016, arXiv:1606.04797 (section 3), and Salehi et al. 2017, arXiv:1706.05721 (eq. 3).

Indices: $n$ example, $i$ entry of an example; $p \in [0, 1]$ predicted and $t \in [0, 1]$ true membership.  With the true
positives $T_n = \sum_i p_{ni} t_{ni}$, the false positives and negatives $P_n = \sum_i p_{ni} (1 - t_{ni})$ and $M_n = \sum_i
(1 - p_{ni})\,t_{ni}$, their weights $\alpha$ and $\beta$ and a smoothing $\varepsilon > 0$
$$ \ell_n = 1 - \frac{T_n + \varepsilon}{T_n + \alpha P_n + \beta M_n + \varepsilon} = \frac{N_n}{D_n}, \qquad
   N_n = \alpha P_n + \beta M_n, \quad D_n = T_n + \varepsilon + N_n, $$
of which the second form loses no digits where the overlap is nearly whole.  Dice is $\alpha = \beta = \tfrac12$, with half of
its own smoothing: $1 - \frac{2 T + 2\varepsilon}{\sum p + \sum t + 2\varepsilon}$.

Derivation.  $\partial N / \partial p_i = \alpha (1 - t_i) - \beta t_i$ and $\partial (T + \varepsilon) / \partial p_i = t_i$.
By the quotient rule, with $D = (T + \varepsilon) + N$
$$ \bar p_i = \frac{(T + \varepsilon)\left(\alpha (1 - t_i) - \beta t_i\right) - N t_i}{D^2}\,\bar\ell. $$
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_range
from funcnn.kernels.arrays import flatten_examples
from funcnn.losses.checks import check_between, check_pair
from funcnn.losses.limits import row_totals, times, within
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced, spread
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


@frozen(eq=False)
class OverlapResiduals:
    r"""The target, $T + \varepsilon$ and $N$."""

    target: Array  # (n, ...)
    shared: Array  # (n,)
    missed: Array  # (n,)


def losses(alpha: float, beta: float, smooth: float, prediction: Array, target: Array) -> tuple[Array, OverlapResiduals]:
    target = check_pair(prediction, target)
    target = check_between(target, 0, 1, "target")
    real = prediction.real
    inside = check_between(real, 0, 1, "prediction")
    if inside is not real:
        prediction = prediction + (inside - real)
    p, t = flatten_examples(prediction), flatten_examples(target)
    shared = row_totals(p * t) + within(smooth, target.dtype)
    missed = alpha * row_totals(p * (1 - t)) + beta * row_totals((1 - p) * t)
    return missed / (shared + missed), OverlapResiduals(target, shared, missed)


def pullback(alpha: float, beta: float, residuals: OverlapResiduals, dlosses: Array) -> Array:
    t, shared, missed = residuals.target, residuals.shared, residuals.missed
    whole = shared + missed
    share = dlosses / whole
    inside = spread(-times(beta * (shared / whole) + missed / whole, share), t.ndim)
    outside = spread(times(alpha * (shared / whole), share), t.ndim)
    return times(1 - t, outside) + times(t, inside)


def dice(smooth: float = 1.0, *, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Dice loss, ``1 - (2 * sum(p * t) + smooth) / (sum(p) + sum(t) + smooth)`` of each example.

    Parameters
    ----------
    smooth : float, optional
        Positive: keeps the ratio defined where both are empty.
    reduction : {"mean", "sum"}, optional
        Over the examples.

    Returns
    -------
    Loss
        Of predicted memberships (what a sigmoid or a softmax gives) and true ones, floating arrays of one shape (n, ...) with
        entries in [0, 1].  A weight (see :class:`funcnn.Weighted`) has the shape (n,).

    Raises
    ------
    TypeError, ValueError
        When ``smooth`` is not positive; in ``forward``, when the two are not floating arrays of one shape, an entry is not in
        [0, 1], or the batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.dice()
    >>> made = loss.forward(np.array([[1.0, 0.0, 0.5]]), np.array([[1.0, 0.0, 0.0]]))
    >>> round(float(made.value), 12)
    0.142857142857
    """
    smooth = check_range(smooth, "smooth", 0, np.inf, open_low=True, open_high=True)
    rule = Rule(partial(losses, 0.5, 0.5, smooth / 2), partial(pullback, 0.5, 0.5), features=None)
    return reduced(f"dice({smooth:g})", rule, reduction)


def tversky(
    alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0, *, reduction: Reduction = "mean"
) -> Loss[Array, Array | Weighted[Array]]:
    """Tversky loss, an overlap in which false positives and false negatives have weights of their own.

    Parameters
    ----------
    alpha, beta : float, optional
        At least 0: the weights of false positives and of false negatives.  More ``beta`` finds more of small objects.
    smooth : float, optional
        Positive: keeps the ratio defined where both are empty.
    reduction : {"mean", "sum"}, optional
        Over the examples.

    Returns
    -------
    Loss
        As :func:`dice`.

    Raises
    ------
    TypeError, ValueError
        As :func:`dice`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.tversky().forward(np.array([[1.0, 0.0]]), np.array([[1.0, 1.0]])).value
    np.float64(0.25925925925925924)
    """
    alpha = check_range(alpha, "alpha", 0, np.inf, open_high=True)
    beta = check_range(beta, "beta", 0, np.inf, open_high=True)
    smooth = check_range(smooth, "smooth", 0, np.inf, open_low=True, open_high=True)
    rule = Rule(partial(losses, alpha, beta, smooth), partial(pullback, alpha, beta), features=None)
    return reduced(f"tversky({alpha:g}, {beta:g}, {smooth:g})", rule, reduction)
