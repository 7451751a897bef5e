"""An optimizer's rule in a single pass over memory, where Numba is installed (``pip install 'funcnn[fast]'``).

NumPy passes over the numbers once for each operation of a rule.  Compiled for single numbers, the same function reads and writes
each of them once.  The operations are the same in the same order, and no two are contracted: results are equal to the last
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

    def loop(c: Any, bound: Any, p: Any, g: Any, slots: Any, new: Any, new_slots: Any) -> None:
        (first, second), (new_first, new_second) = slots, new_slots
        for i in range(p.size):
            x = g[i]
            if abs(x) > bound and abs(x) < np.inf:
                x = np.copysign(bound, x)
            new[i], new_first[i], new_second[i] = rule(c, p[i], x, first[i], second[i])

    return loop


def two_slots_in_place(rule: Numbers) -> Callable[..., None]:
    """Return the same loop with the next slots in the place of the slots: told so, the compiler need not fear an overlap."""

    def loop(c: Any, bound: Any, p: Any, g: Any, slots: Any, new: Any) -> None:
        first, second = slots
        for i in range(p.size):
            x = g[i]
            if abs(x) > bound and abs(x) < np.inf:
                x = np.copysign(bound, x)
            new[i], first[i], second[i] = rule(c, p[i], x, first[i], second[i])

    return loop


Loops: TypeAlias = tuple[Callable[..., None], Callable[..., None]]
"""The compiled loops over a rule: the next slots beside the slots, or in their place."""


@lru_cache(maxsize=32)
def compiled(rule: Numbers) -> Loops | None:
    """Return the compiled loops over a rule, or None where Numba is not installed; each is compiled when it is first called."""
    try:
        numba: Any = import_module("numba")  # Any: it has no types
    except ImportError:
        return None
    compile_it = numba.njit(nogil=True, error_model="numpy")  # division by zero as in NumPy
    number = compile_it(rule)
    return compile_it(two_slots(number)), compile_it(two_slots_in_place(number))


def kernel(
    loops: Loops, bound: float, c: Sequence[Array], p: Array, g: Array, slots: Sequence[Array], out: Sequence[Array]
) -> None:
    """Run a compiled loop in place of a rule's kernel; finite gradients beyond a bound count as that bound."""
    numbers, most = tuple([number[()] for number in c]), p.dtype.type(bound)
    if np.may_share_memory(slots[0], out[1]):
        loops[1](numbers, most, read_only(p), read_only(g), tuple(out[1:]), out[0])
    else:
        loops[0](numbers, most, read_only(p), read_only(g), tuple(map(read_only, slots)), out[0], tuple(out[1:]))


def read_only(array: Array) -> Array:
    """Return a view that cannot be written: a loop is compiled anew for arrays of another kind."""
    view = array.view()
    view.flags.writeable = False
    return view


def fits(dtype: np.dtype[np.floating]) -> bool:
    """Tell whether numbers of this precision can be compiled."""
    return dtype.char in "fd"
