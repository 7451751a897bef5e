"""What happens when a loss is no longer a finite number: say where NaN or infinity came from, and lose nothing."""

from __future__ import annotations

import math
from typing import Any, Generic, TypeVar

import numpy as np

from funcnn import tree
from funcnn.grad import loss_and_grad
from funcnn.instrument import Seen, watch
from funcnn.layer import Backward, Forward, Layer, Mode
from funcnn.losses.loss import Loss
from funcnn.train.history import History
from funcnn.train.record import Fit, Point
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")


class DivergenceError(ArithmeticError, Generic[P, S]):
    """Training met a number that is not finite.

    Attributes
    ----------
    fit : Fit
        The result up to there: the parameters are those of the last step whose loss was finite (or early stopping's best), the
        history has all completed epochs, and ``stopped`` is ``"diverged"``.
    epoch, step : int
        Where it happened: the epoch, and the step of this epoch, both from 1 on.
    path : str
        The layer in which NaN or infinity first appeared, as the path of its parameters, such as ``[2][0]``; ``loss`` for the
        loss itself, and the path of a parameter, such as ``[2].weight``, when the optimizer's update made it so.
    """

    def __init__(self, message: str, fit: Fit[P, S], epoch: int, step: int, path: str) -> None:
        super().__init__(message, fit, epoch, step, path)
        self.fit, self.epoch, self.step, self.path = fit, epoch, step, path

    def __str__(self) -> str:
        return str(self.args[0])


def diverged(
    model: Layer[P, S, X, Y],
    loss: Loss[Y, T],
    now: Point[P, S],
    batch: tuple[X, T, Mode] | None,
    before: tuple[Point[P, S], tuple[X, T, Mode]] | None,
    step: int,
    history: History,
    best: Point[P, S] | None,
) -> DivergenceError[P, S]:
    """Return the error to raise.

    Parameters
    ----------
    now : Point
        Where training stands.
    batch : (x, target, mode) or None
        What was computed when it failed; None when only the parameters were looked at.
    before : (Point, batch) or None
        The last step with a finite loss.
    step : int
        From 0 on, within the epoch that follows the history.
    """
    path, story = find(model, loss, now, batch, before)
    good = best or (now if before is None else before[0])
    epoch = len(history) + 1
    message = (
        f"training diverged in epoch {epoch}, step {step + 1}: {story}.  The parameters before it are kept in this error's"
        " fit.params (try a lower learning rate, fn.clip_by_global_norm, or scaled inputs)"
    )
    fit = Fit(good.params, good.state, good.opt_state, history, "diverged")
    return DivergenceError(message, fit, epoch, step + 1, path)


def find(
    model: Layer[P, S, X, Y],
    loss: Loss[Y, T],
    now: Point[P, S],
    batch: tuple[X, T, Mode] | None,
    before: tuple[Point[P, S], tuple[X, T, Mode]] | None,
) -> tuple[str, str]:
    """Return the path and the description of the first value that is not finite."""
    broken = first_not_finite(now.params)
    if broken is not None and before is not None:  # the last update brought it in: was it given a gradient that is not finite?
        point, (x, target, mode) = before
        culprit = replay(model, loss, point, x, target, mode)
        if culprit is not None:
            return culprit[0], f"{culprit[1]}, in the step before"
        return broken, f"the optimizer's update made the parameter {broken} {worst(now.params)} from finite gradients"
    if broken is not None:
        return broken, f"the parameter {broken} holds {worst(now.params)}"
    if batch is not None:
        culprit = replay(model, loss, now, *batch)
        if culprit is not None:
            return culprit
    return "loss", f"{loss.name} is not finite, though the network's output is"


class Found(Exception):  # noqa: N818  # not an error: the end of a search
    """Ends a replay at the layer that was looked for."""


def replay(model: Layer[P, S, X, Y], loss: Loss[Y, T], point: Point[P, S], x: X, target: T, mode: Mode) -> tuple[str, str] | None:
    """Run a step again and return (path, description) of the first layer whose result is not finite, or None."""

    def look(seen: Seen) -> None:
        values: Any = seen.result
        if isinstance(values, Forward):
            checked, what = values.output, "output"
        elif isinstance(values, Backward):
            checked, what = (values.params, values._input), "gradient"
        else:
            return
        if not is_finite(checked):
            largest = max([float(np.abs(leaf).max()) for leaf in floats(seen.given) if leaf.size], default=0.0)
            raise Found(
                seen.path,
                f"{worst(checked)} first appeared in the {what} of {f'layer {seen.path} ' if seen.path else ''}{seen.layer.name}"
                f" ({seen.phase} pass; what it was given is at most {largest:.3g} in size)",
            )

    try:
        with np.errstate(all="ignore"):
            loss_and_grad(watch(look, model), loss)(point.params, point.state, x, target, mode)
    except Found as found:
        path, story = found.args
        return path, story
    except Exception:  # a layer or a loss that cannot work on such values: the search ends without an answer
        return None
    return None


def floats(values: object) -> list[Array]:
    """Return the floating arrays of a tree; what is not a tree (a cotangent that was not asked for, None) has none."""
    try:
        return [leaf for leaf in tree.leaves(values) if leaf.dtype.kind in "fc"]
    except TypeError:
        return [leaf for value in values for leaf in floats(value)] if isinstance(values, tuple) else []


def is_finite(values: object) -> bool:
    """Tell whether all numbers of a tree are finite."""
    return all(math.isfinite(leaf.sum()) or np.isfinite(leaf).all() for leaf in floats(values))  # a sum alone may overflow


def first_not_finite(values: object) -> str | None:
    """Return the path of the first leaf with a number that is not finite."""
    for path, leaf in tree.walk(values):
        if not is_finite(leaf):
            return path
    return None


def worst(values: object) -> str:
    """Return what the first bad number is."""
    for leaf in floats(values):
        bad = leaf[~np.isfinite(leaf)]
        if bad.size:
            return "NaN" if np.isnan(bad).any() else "infinity"
    return "finite numbers"
