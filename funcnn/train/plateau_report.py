"""Optimizers that are told how training goes, and those that cannot be part of it."""

from __future__ import annotations

from typing import TypeVar

from funcnn.optim.composite import Goal, finished, goals, hidden, walk
from funcnn.optim.composite import told as told_state
from funcnn.optim.donation import Donating
from funcnn.optim.optimizer import Optimizer
from funcnn.optim.transformations.accumulation import Accumulated
from funcnn.train.history import Row
from funcnn.train.record import Point

P = TypeVar("P")
S = TypeVar("S")


def report_metric(optimizer: Optimizer, now: Point[P, S], row: Row) -> Point[P, S]:
    """Return the point after every :func:`reduce_on_plateau` in an optimizer was told its figure of the epoch."""
    if not goals(optimizer):
        return now
    columns = tuple([name for name, _ in row.values])
    return Point(now.params, now.state, told_state(optimizer, now.opt_state, lambda goal: row[reported_column(goal, columns)]))


def complete(optimizer: Optimizer, now: Point[P, S]) -> Point[P, S]:
    """Return the point after an update with what :func:`accumulated` has left over: the same one, if there is nothing."""
    last = finished(optimizer, now.params, now.opt_state)
    return now if last.params is now.params else Point(last.params, now.state, last.state)


def reported_column(goal: Goal, columns: tuple[str, ...]) -> str:
    """Return the column that a plateau is told: the loss or the first metric, in validation if there is one."""
    wanted = "loss"
    if goal == "max":
        metrics = [name for name in columns if name != "loss" and not name.startswith("val_")]
        if not metrics:
            raise ValueError("the optimizer reduces its steps by a measure that rises, and there is none: give metrics={...}")
        wanted = metrics[0]
    return f"val_{wanted}" if f"val_{wanted}" in columns else wanted


_HOW = "make it a class on funcnn.optim.composite.Wrapper"


def check_listening(optimizer: Optimizer, columns: tuple[str, ...]) -> None:
    """Raise a ValueError when ``fit`` cannot train with an optimizer, wherever in it the reason lies."""
    for one in walk(optimizer):
        if isinstance(one, Donating):
            raise ValueError(
                "fit goes back to the step before when a loss is not finite, and this optimizer writes over that step's state:"
                f" give fit the optimizer itself, {one.rule!r}, in place of donate_state(...)"
            )
        if hasattr(one, "parts") and not hasattr(one, "finish") and any(isinstance(part, Accumulated) for part in walk(one)):
            raise ValueError(
                f"what accumulated has left over at the end cannot take its step: {one!r} has no method finish; {_HOW}"
            )
    for holder, one in hidden(optimizer):
        if isinstance(one, (Donating, Accumulated)) or goals(one):
            raise ValueError(f"optimizer holds {one!r}, which fit cannot reach: {holder!r} does not tell its parts; {_HOW}")
    for goal in goals(optimizer):
        reported_column(goal, columns)
