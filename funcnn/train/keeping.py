"""Nothing that was learned is lost: whatever ends training carries the result up to there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from funcnn.train.finite import is_finite
from funcnn.train.record import Fit, Point, Reached, Stopped

P = TypeVar("P")
S = TypeVar("S")


def last_good(
    now: Point[P, S], before: tuple[Point[P, S], object] | None, reached: Reached[P, S], begin: Callable[[], Reached[P, S]]
) -> tuple[Point[P, S], str]:
    """Return the point to give when training ends at once, and in words which one it is.

    It is early stopping's best, or the last whose numbers are all finite: where training stands, the step before it, or, when a
    loss did not show that both are broken, the beginning.

    Parameters
    ----------
    now : Point
        Where training stands.
    before : (Point, batch) or None
        Where the last step with a finite loss began.
    reached : Reached
        The end of the last whole epoch.
    begin : callable
        Makes where training began.
    """
    if reached.best is not None:
        return reached.best, "of the best epoch"
    if is_finite((now.params, now.state)):
        return now, "of the last step"
    if before is not None and is_finite((before[0].params, before[0].state)):
        return before[0], "of the step before"
    return beginning(begin, now), "of the beginning, since those before it were broken as well,"


def beginning(begin: Callable[[], Reached[P, S]], otherwise: Point[P, S]) -> Point[P, S]:
    """Return where training began; another point when the file that it went on from is gone or replaced by now."""
    try:
        return begin().point
    except (OSError, ValueError):
        return otherwise


def fitted(point: Point[P, S], reached: Reached[P, S], stopped: Stopped) -> Fit[P, S]:
    """Return what ``fit`` gives, or its error carries."""
    return Fit(point.params, point.state, point.opt_state, reached.history, stopped)


def carry(error: BaseException, fit: Fit[P, S], kept: str) -> None:
    """Give an error the attribute ``fit``, and a note that says so; its type stays what it is, so that it is caught as ever."""
    error.__dict__["fit"] = fit  # not setattr: an error of somebody's own may be frozen
    if fit.history.rows or int(fit.opt_state.count):
        error.add_note(
            f"in fit, after {len(fit.history)} whole epochs; what was learned is not lost: this error's .fit has the history and"
            f" the parameters {kept}"
        )
