"""What happens when a loss is no longer a finite number: say where NaN or infinity came from, and lose nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np

from funcnn.grad import loss_and_grad
from funcnn.layer import Init, Layer, Mode
from funcnn.layer.watch import Seen, watch
from funcnn.losses.loss import Loss
from funcnn.train.finite import first_not_finite, floats, is_finite, worst
from funcnn.train.keeping import beginning
from funcnn.train.record import Fit, Point, Reached

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
    reached: Reached[P, S],
    begin: Callable[[], Reached[P, S]],
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
        From 0 on, within the epoch that follows.
    reached : Reached
        The end of the last whole epoch.
    begin : callable
        Makes where training began.
    """
    path, story = find(model, loss, now, batch, before)
    good, kept = now, "before it"
    if reached.best is not None:
        good, kept = reached.best, "of the best epoch"
    elif before is not None:
        good = before[0]
    if not is_finite((good.params, good.state)):  # a loss that is finite of parameters that are not: broken unnoticed
        good, kept = beginning(begin, good), "of the beginning, since those before it were broken as well,"
    epoch = len(reached.history) + 1
    message = (
        f"training diverged in epoch {epoch}, step {step + 1}: {story}.  The parameters {kept} are kept in this error's"
        " fit.params (try a lower learning rate, fn.clip_by_global_norm, or scaled inputs)"
    )
    fit = Fit(good.params, good.state, good.opt_state, reached.history, "diverged")
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
    if broken is not None and before is not None and not is_finite(before[0].params):
        return broken, f"the parameter {broken} holds {worst(now.params)} since an earlier step, which the loss did not show"
    if broken is not None and before is not None:  # the last update brought it in: was it given a gradient that is not finite?
        culprit = replay(model, loss, *before, backward=True)
        if culprit is not None:
            return culprit[0], f"{culprit[1]}, in the step before"
        return broken, f"the optimizer's update made the parameter {broken} {worst(now.params)} from finite gradients"
    if broken is not None:
        return broken, f"the parameter {broken} holds {worst(now.params)}"
    if batch is not None:
        culprit = replay(model, loss, now, batch, backward=False)
        if culprit is not None:
            return culprit
    return "loss", f"{loss.name} is not finite, though the network's output is"


class Found(Exception):  # noqa: N818  # not an error: the end of a search
    """Ends a replay at the layer that was looked for."""


def replay(
    model: Layer[P, S, X, Y], loss: Loss[Y, T], point: Point[P, S], batch: tuple[X, T, Mode], *, backward: bool
) -> tuple[str, str] | None:
    """Run a step again and return (path, description) of the first layer whose result is not finite, or None."""

    def look(seen: Seen) -> None:
        if isinstance(seen.result, Init):
            return
        if seen.phase == "backward" and not is_finite(seen.given):
            raise Found("loss", f"{worst(seen.given)} first appeared in the gradient of {loss.name}")
        values: Any = seen.result  # Any: results of layers of any types
        checked = values.output if seen.phase == "forward" else (values.params, values._input)
        if not is_finite(checked):
            largest = max([float(np.abs(leaf).max()) for leaf in floats(seen.given) if leaf.size], default=0.0)
            raise Found(
                seen.path,
                f"{worst(checked)} first appeared in the {'output' if seen.phase == 'forward' else 'gradient'} of"
                f" {f'layer {seen.path} ' if seen.path else ''}{seen.layer.name} ({seen.phase} pass; what it was given is at most"
                f" {largest:.3g} in size)",
            )

    x, target, mode = batch
    watched = watch(look, model)
    try:
        with np.errstate(all="ignore"):
            if backward:
                loss_and_grad(watched, loss)(point.params, point.state, x, target, mode)
            else:
                watched.forward(point.params, point.state, x, mode)
    except Found as found:
        path, story = found.args
        return path, story
    except Exception:  # a layer or a loss that cannot work on such values: the search ends without an answer
        return None
    return None
