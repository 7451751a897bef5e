"""Optimizers that are told how training goes: reduction on a plateau."""

from __future__ import annotations

from typing import TypeVar

from funcnn.optim.optimizer import Optimizer
from funcnn.optim.plateau import ReduceOnPlateau
from funcnn.train.history import Row
from funcnn.train.record import Point

P = TypeVar("P")
S = TypeVar("S")


def told(optimizer: Optimizer, now: Point[P, S], row: Row, column: str) -> Point[P, S]:
    """Return the point after an optimizer that listens was told a figure of the epoch."""
    if isinstance(optimizer, ReduceOnPlateau):
        return Point(now.params, now.state, optimizer.report(row[column], now.opt_state))
    return now


def told_column(optimizer: Optimizer, columns: tuple[str, ...]) -> str:
    """Return the column that such an optimizer is told: the loss or the first metric, in validation if there is one."""
    wanted = "loss"
    if isinstance(optimizer, ReduceOnPlateau) and optimizer.goal == "max":
        metrics = [name for name in columns if name != "loss" and not name.startswith("val_")]
        if not metrics:
            raise ValueError("the optimizer reduces its steps by a measure that rises, and there is none: give metrics={...}")
        wanted = metrics[0]
    return f"val_{wanted}" if f"val_{wanted}" in columns else wanted
