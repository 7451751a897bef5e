r"""The range test for learning rates (Smith 2017): train while the rate rises, and see where the loss falls fastest.

The rate of step $k$ of $n$ is $\alpha_k = \alpha_0 (\alpha_1/\alpha_0)^{k/(n-1)}$.  The losses of batches are smoothed as Adam
does its moments, $s_k = \sum_{j \le k} \beta^{k-j} \ell_j \,/\, \sum_{j \le k} \beta^{k-j}$ with $\beta = 0.9$, which tells where
the loss is least.  Up to there lines of least squares are laid through a tenth of the losses at a time, against $\log\alpha$: the
suggestion is the rate in the middle of the steepest.  Below it training is slower than it need be, and some way above it the loss
rises.  (The slope of $s$ itself would be that of the noise of single batches, at its beginning above all.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from attrs import field, frozen

from funcnn.errors import check_count, check_function, check_range
from funcnn.key import Key
from funcnn.layer import Layer
from funcnn.losses.loss import Loss
from funcnn.optim.optimizer import Optimizer
from funcnn.optim.schedules import Schedule, exponential
from funcnn.train.divergence import DivergenceError
from funcnn.train.loop import fit
from funcnn.train.record import OnStep, Step
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")

_BETA = 0.9
_LEAST = 10  # steps before which nothing is concluded


@frozen(eq=False)
class LearningRateCurve:
    """What :func:`find_learning_rate` found: the loss as a function of the rate."""

    rates: Array = field(repr=lambda rates: f"<{len(rates)} rates>")
    """(steps,), rising."""
    losses: Array = field(repr=False)
    """(steps,), the loss of each step's batch, before the step."""
    smoothed: Array = field(repr=False)
    """(steps,), a running mean of them."""
    suggestion: float
    """The rate at which the loss falls fastest; NaN when it never falls."""
    ended: str
    """"finished", "rising" when the loss had risen far, or "diverged"."""


def find_learning_rate(
    model: Layer[P, S, X, Y],
    loss: Loss[Y, T],
    optimizer: Callable[[Schedule], Optimizer],
    x: X,
    y: T,
    *,
    key: Key,
    batch_size: int,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
) -> LearningRateCurve:
    """Try rising learning rates, a step each, on a network that begins anew.

    It ends before the last rate when the loss has risen far above its least value, or is no longer finite.

    Parameters
    ----------
    model : Layer
    loss : Loss
    optimizer : callable
        Makes an optimizer of a schedule: ``fn.adam``, or ``lambda rate: fn.momentum(rate, 0.95)``.
    x, y : array or tree of arrays
        As those of :func:`fit`.
    key : Key
        As that of :func:`fit`: with it a training begins with the same parameters, and sees the same batches.
    batch_size : int
        That of the training to come.
    low, high : float, optional
        The first and the last rate.
    steps : int, optional
        How many rates are tried, at least 10.

    Returns
    -------
    LearningRateCurve

    Raises
    ------
    TypeError, ValueError
        When an argument is wrong, as those of :func:`fit`.

    References
    ----------
    Smith (2017), Cyclical learning rates for training neural networks, arXiv:1506.01186, section 3.3.

    Examples
    --------
    >>> import funcnn as fn
    >>> data = fn.data.digits()
    >>> model = fn.dense(32) >> fn.relu() >> fn.dense(10)
    >>> curve = fn.find_learning_rate(
    ...     model, fn.softmax_cross_entropy(), fn.adam, data.x, data.y, key=fn.Key(0), batch_size=64
    ... )
    >>> 1e-3 < curve.suggestion < 1e-1
    True
    """
    steps = check_count(steps, "steps", _LEAST)
    low = check_range(low, "low", 0.0, math.inf, open_low=True, open_high=True)
    high = check_range(high, "high", low, math.inf, open_low=True, open_high=True)
    check_function(optimizer, "optimizer", "a function of a schedule, such as fn.adam")
    rate = exponential(low, high / low, steps - 1)
    losses: list[float] = []

    def look(step: Step[Any, Any]) -> bool:
        losses.append(step.loss)
        return len(losses) == steps or has_risen(losses)

    ended = "finished"
    try:
        fit(
            model,
            loss,
            optimizer(rate),
            x,
            y,
            key=key,
            epochs=steps,  # at most: where nothing counts in most of the batches an epoch is a single step
            batch_size=batch_size,
            callbacks=[OnStep(look)],
            progress=False,
        )
    except DivergenceError:
        ended = "diverged"
    if ended == "finished" and len(losses) < steps:
        ended = "rising"
    rates = np.array([rate(count) for count in range(len(losses))])
    smoothed = running_mean(losses)
    lowest = int(smoothed.argmin()) if len(smoothed) else 0
    return LearningRateCurve(rates, np.array(losses), smoothed, steepest(rates, np.array(losses), lowest), ended)


def running_mean(losses: list[float]) -> Array:
    """Return the smoothed losses."""
    total, weight, found = 0.0, 0.0, []
    for one in losses:
        total, weight = _BETA * total + one, _BETA * weight + 1
        found.append(total / weight)
    return np.array(found)


def has_risen(losses: list[float]) -> bool:
    """Tell whether the smoothed loss is far above its least value: by three times as much as it had fallen."""
    if len(losses) < _LEAST:
        return False
    smoothed = running_mean(losses)
    least = smoothed.min()
    fallen = max(smoothed[0] - least, 0.1 * abs(smoothed[0]))
    return bool(smoothed[-1] - least > 3 * fallen)


def steepest(rates: Array, losses: Array, lowest: int) -> float:
    """Return the rate at which the loss falls fastest against the logarithm of the rate; NaN where it falls nowhere.

    Parameters
    ----------
    rates, losses : array (steps,)
    lowest : int
        Where the loss is least: what comes behind it is not looked at.
    """
    beside = max(2, len(rates) // 20)
    logarithms = np.log(rates)
    best, steepest_slope = math.nan, 0.0
    for middle in range(beside, min(lowest + 1, len(rates) - beside)):
        around = slice(middle - beside, middle + beside + 1)
        x = logarithms[around] - logarithms[around].mean()
        slope = float(x @ losses[around] / (x @ x))  # of the line of least squares
        if slope < steepest_slope:
            best, steepest_slope = float(rates[middle]), slope
    return best
