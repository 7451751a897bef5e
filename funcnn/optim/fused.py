"""An optimizer's rule in a single pass over memory, where Numba is installed (``pip install 'funcnn[fast]'``).

NumPy passes over the numbers once for each operation of a rule.  Written for single numbers and compiled, the rule reads and
writes each of them once.  The operations are the same in the same order, and no two are contracted: results are equal to the last
bit, with Numba and without.  It takes a second or so to compile, and is therefore for many parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np

from funcnn.typing import Array

Numbers: TypeAlias = Callable[..., tuple[Any, ...]]
"""A rule ``(coefficients, p, g, slots) -> (new p, *new slots)`` for single numbers of any precision."""


def two_slots(rule: Numbers) -> Callable[..., None]:
    """Return the loop over a rule for single numbers with two slots."""

    def loop(c: Any, p: Any, g: Any, first: Any, second: Any, new: Any, new_first: Any, new_second: Any) -> None:
        for i in range(p.size):
            new[i], new_first[i], new_second[i] = rule(c, p[i], g[i], first[i], second[i])

    return loop


@lru_cache(maxsize=32)
def compiled(rule: Numbers) -> Callable[..., None] | None:
    """Return the compiled loop over a rule, or None where Numba is not installed."""
    try:
        numba: Any = import_module("numba")  # Any: it has no types
    except ImportError:
        return None
    compile_it = numba.njit(nogil=True, error_model="numpy")  # division by zero as in NumPy
    loop: Callable[..., None] = compile_it(two_slots(compile_it(rule)))
    return loop


def kernel(
    loop: Callable[..., None], c: Sequence[Array], p: Array, g: Array, slots: Sequence[Array], out: Sequence[Array]
) -> None:
    """Run a compiled loop in place of a rule's kernel."""
    given = [array.view() for array in (p, g, *slots)]
    for array in given:
        array.flags.writeable = False  # the loop is compiled anew for arrays of another kind
    loop(tuple([number[()] for number in c]), *given, *out)


def fits(dtype: np.dtype[np.floating]) -> bool:
    """Tell whether numbers of this precision can be compiled."""
    return dtype.char in "fd"
