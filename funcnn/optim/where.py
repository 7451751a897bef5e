"""Which leaves of a parameter tree are meant: by their path, or by path and shape."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from funcnn.errors import describe
from funcnn.typing import Shape

Where: TypeAlias = str | Callable[[str, Shape], bool]
"""A regular expression to search in a leaf's path, such as ``r"\\.weight$"``, or a pure function of its path and shape."""


def selects(where: Where, path: str, shape: Shape) -> bool:
    """Tell whether a leaf is meant."""
    return bool(re.search(where, path)) if isinstance(where, str) else bool(where(path, shape))


def everywhere(path: str, shape: Shape) -> bool:
    """Every leaf."""
    return True


def is_matrix(path: str, shape: Shape) -> bool:
    """Tell whether a leaf has two axes or more, as weights and tables have: what is usually decayed, unlike biases and scales.

    Examples
    --------
    >>> import funcnn as fn
    >>> opt = fn.adamw(1e-3, weight_decay=0.1, where=fn.is_matrix)
    """
    return len(shape) >= 2


def show_where(where: Where) -> str:
    """Return how a ``where`` is printed: a function by its name."""
    return getattr(where, "__name__", repr(where))


def check_where(where: Where, what: str = "where") -> Where:
    """Return a regular expression or a function; raise for anything else."""
    if isinstance(where, str):
        try:
            re.compile(where)
        except re.error as error:
            raise ValueError(
                f"{what}={where!r} is not a regular expression ({error}); brackets and dots of a path are written \\[ and \\."
            ) from None
    elif not callable(where):
        raise TypeError(f"{what} is {where!r}, expected a regular expression for the path or a function of (path, shape)")
    try:
        hash(where)
    except TypeError:
        raise TypeError(f"{what} is {describe(where)}, which has no hash: give a plain function of (path, shape)") from None
    return where
