"""Which leaves of a parameter tree are meant: by their path, or by path and shape."""

from __future__ import annotations

from funcnn.tree.parts import Where as Where  # for the optimizers: which leaves are meant is told in one way everywhere
from funcnn.tree.parts import check_where as check_where
from funcnn.tree.parts import selects as selects
from funcnn.typing import Shape


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
