"""The checks of hyper-parameters, each written once.

A frozen optimizer says in ``__attrs_post_init__`` what its fields have to be::

    settle(self, learning_rate=check_rate, beta1=FRACTION, eps=AMOUNT)

and what it keeps are Python's own numbers: a NumPy number would decide the dtype of every result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from funcnn.errors import as_python_number, check_count, check_flag, check_range

Check: TypeAlias = Callable[[Any, str], object]  # Any: whatever a user may give
"""Takes a value and the name of the argument, and returns the value to keep, or raises."""


def settle(record: object, **checks: Check) -> None:
    """Check fields of a frozen record that is being made, and have it keep what the checks return."""
    for name, check in checks.items():
        object.__setattr__(record, name, check(getattr(record, name), name))


def between(low: float, high: float, *, open_low: bool = False, open_high: bool = False, note: str = "") -> Check:
    """Return the check of a number in an interval; a note says where its ends come from."""

    def check(value: float, what: str) -> float:
        return check_range(value, f"{what} ({note})" if note else what, low, high, open_low=open_low, open_high=open_high)

    return check


def at_least(low: int) -> Check:
    """Return the check of an integer that has a least value."""
    return lambda value, what: check_count(value, what, low)


def one_of(*names: str) -> Check:
    """Return the check of a text that is one of several."""

    def check(value: object, what: str) -> object:
        known = as_python_number(value)
        if not isinstance(known, str) or known not in names:
            raise ValueError(f"{what} is {value!r}, expected {' or '.join(map(repr, names))}")
        return str(known)

    return check


FRACTION = between(0.0, 1.0, open_high=True)
"""A decay rate or a momentum: in [0, 1)."""
AMOUNT = between(0.0, math.inf, open_high=True)
"""A finite number of at least 0."""
POSITIVE = between(0.0, math.inf, open_low=True, open_high=True)
"""A finite number above 0."""
LIMIT = between(0.0, math.inf, open_low=True)
"""A number above 0, which may be infinite: no limit at all."""
FLAG: Check = check_flag
"""True or False."""
