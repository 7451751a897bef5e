r"""Schedules: a learning rate, or any other number, as a function of the number of updates done so far.

A schedule is a pure function $c \mapsto \alpha_c$; the first update has $c = 0$.  The formulas stand in the factories'
docstrings. Any callable ``int -> float`` serves as one; those made here also print, compare, pickle and say what is wrong with
their arguments.
"""

from __future__ import annotations

from funcnn.optim.schedules.cycles import CyclicMode, cyclic, one_cycle, warm_restarts
from funcnn.optim.schedules.decay import cosine, exponential, inverse_time, linear, polynomial
from funcnn.optim.schedules.pieces import constant, join, multi_step, piecewise, product, step
from funcnn.optim.schedules.rate import Rate, Schedule
from funcnn.optim.schedules.rising import inverse_sqrt, noam, warmup, warmup_cosine, warmup_stable_decay
from funcnn.runtime.lazy_imports import listing

__all__ = [
    "CyclicMode",
    "Rate",
    "Schedule",
    "constant",
    "cosine",
    "cyclic",
    "exponential",
    "inverse_sqrt",
    "inverse_time",
    "join",
    "linear",
    "multi_step",
    "noam",
    "one_cycle",
    "piecewise",
    "polynomial",
    "product",
    "step",
    "warm_restarts",
    "warmup",
    "warmup_cosine",
    "warmup_stable_decay",
]
__dir__ = listing(__name__, __all__)
