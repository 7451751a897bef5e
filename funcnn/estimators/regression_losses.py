r"""What the prediction of each loss of numbers means: how a regressor makes of it the number that it predicts.

A network learns best from targets of mean 0 and variance 1.  Of a target that is shifted and scaled the minimizer of a squared,
absolute, Huber or pinball error is shifted and scaled alike.  Counts, amounts and relative errors know where 0 is: their
minimizer is scaled alike, and so their targets are divided by their mean size.  (Of a Poisson likelihood: with $y = m\,t$ and
the rate $m\,r$ it is $m r - y \log(m r) = m\,(r - t \log r)$, up to a constant.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from attrs import frozen

from funcnn.combinators.branch import branch
from funcnn.data.scaling import Standardize
from funcnn.estimators.standardizing import standardization
from funcnn.layer import AnyLayer
from funcnn.layers.linear.dense import dense
from funcnn.losses.loss import Loss
from funcnn.tree import freeze
from funcnn.typing import Array


def as_it_is(prediction: Array) -> Array:
    return prediction


@frozen
class Meaning:
    """What a loss's prediction is."""

    moves: Literal["shift and scale", "scale", "not"] = "not"
    """Which changes of the target the best prediction goes along with."""
    parts: int = 1
    """Arrays of the prediction, of which the first is the location."""
    link: Callable[[Array], Array] = as_it_is
    """From the (first) prediction to the target's scale."""


_LOCATION = Meaning("shift and scale")
_WITH_SCALE = Meaning("shift and scale", parts=2)
_LOGARITHM = Meaning("scale", link=np.exp)
_RELATIVE = Meaning("scale")
_MEANINGS = {
    "mean_squared_error": _LOCATION,
    "half_squared_error": _LOCATION,
    "mean_absolute_error": _LOCATION,
    "huber": _LOCATION,
    "smooth_l1": _LOCATION,
    "log_cosh_error": _LOCATION,
    "quantile_error": _LOCATION,
    "gaussian_nll": _WITH_SCALE,
    "gaussian_crps": _WITH_SCALE,
    "student_t_nll": _WITH_SCALE,
    "poisson_nll": _LOGARITHM,
    "tweedie_nll": _LOGARITHM,
    "mean_absolute_percentage_error": _RELATIVE,
    "symmetric_mean_absolute_percentage_error": _RELATIVE,
}


def meaning(loss: Loss[object, object]) -> Meaning:
    """Return what a loss's prediction is; that of a loss which is not known here is the target itself."""
    name, _, options = loss.name.partition("(")
    if "log_rate=False" in options:
        return _RELATIVE
    return _MEANINGS.get(name, Meaning())


def head(kind: Meaning, outputs: int) -> AnyLayer:
    """Return the last layer of a network for a loss of that kind."""
    if kind.parts == 1:
        return dense(outputs)
    made: AnyLayer = branch(dense(outputs), dense(outputs))
    return made


def target_scaling(kind: Meaning, columns: Array, weight: Array | None) -> Standardize | None:
    """Return what is done to a target (n, outputs) before the network learns it, for a loss of that kind."""
    if kind.moves == "not":
        return None
    if kind.moves == "shift and scale":
        return standardization(columns, weight)
    size = np.average(np.abs(columns), axis=0, weights=weight).astype(columns.dtype)
    return freeze(Standardize(np.zeros_like(size), np.zeros_like(size), np.where(size > 0, size, 1).astype(columns.dtype)))
