"""Checks of plain functions: anything with a gradient written by hand, from whatever library."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from funcnn.check.problem import pose
from funcnn.check.report import Report
from funcnn.check.verify import verify


def check_vjp(
    f: Callable[..., object],
    vjp: Callable[..., object],
    *args: object,
    cotangent: object | None = None,
    seed: int = 0,
    reference: str = "auto",
) -> Report:
    """Check ``vjp(*args, dy)``, the gradient of ``f(*args)`` pulled back, against finite differences.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.check.check_vjp(np.sin, lambda x, dy: (dy * np.cos(x),), np.ones(3)).ok
    True
    """
    names = argument_names(f, len(args))
    return verify(pose(name_of(f), f, vjp, args, names), cotangent=cotangent, seed=seed, reference=reference)


def name_of(f: Callable[..., object]) -> str:
    return getattr(f, "__name__", None) or getattr(getattr(f, "func", None), "__name__", None) or type(f).__name__


def argument_names(f: Callable[..., object], count: int) -> tuple[str, ...]:
    """Return the names of a function's positional parameters, where they can be found."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [one.name for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)][:count]
    return tuple(names + [f"argument {index}" for index in range(len(names), count)])
