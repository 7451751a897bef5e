r"""Explicit Runge-Kutta methods, each as its table of coefficients (Butcher 1964).

A step of length $h$ from $y$ at the time $t$ evaluates the right-hand side $f$ at the stages $i = 1, \ldots, s$,
$$ Y_i = y + h \sum_{j<i} a_{ij} k_j, \qquad k_i = f(t + c_i h,\ Y_i), \qquad y_+ = y + h \sum_i b_i k_i. $$

The methods are those of Hairer, Nørsett & Wanner, Solving Ordinary Differential Equations I (2nd ed. 1993): Euler, the midpoint
rule, Heun's trapezoidal rule and the classical method in section II.1, and Dormand & Prince's pair of orders 5 and 4 in table
II.5.2 (Dormand & Prince 1980, J. Comp. Appl. Math. 6, table 2).
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from attrs import frozen

from funcnn.typing import Scalar

Row: TypeAlias = tuple[Fraction, ...]


def _row(text: str) -> Row:
    return tuple([Fraction(word) for word in text.split()])


@frozen
class Tableau:
    """The coefficients of a method, as fractions."""

    name: str
    order: int
    a: tuple[Row, ...]
    """Row i has the i coefficients of the slopes before."""
    b: Row
    error: Row = ()
    """Those of the step less those of the embedded method: the estimate of the error, over h."""

    @property
    def c(self) -> Row:
        """Where in the step the stages are: the sums of the rows."""
        return tuple([sum(row, Fraction(0)) for row in self.a])


@frozen
class Coefficients:
    """The coefficients of a method in one precision, with all its digits."""

    a: tuple[tuple[Scalar, ...], ...]
    b: tuple[Scalar, ...]
    c: tuple[Scalar, ...]
    error: tuple[Scalar, ...]


@lru_cache
def coefficients(tableau: Tableau, dtype: np.dtype[np.floating]) -> Coefficients:
    """Return the coefficients of a method as numbers of a dtype, or of its real part's."""
    kind = np.empty(0, dtype).real.dtype.type

    def rounded(row: Row) -> tuple[Scalar, ...]:
        return tuple([kind(one.numerator) / kind(one.denominator) for one in row])

    return Coefficients(
        tuple([rounded(row) for row in tableau.a]), rounded(tableau.b), rounded(tableau.c), rounded(tableau.error)
    )


_STAGES = tuple(
    [
        _row(text)
        for text in (
            "",
            "1/5",
            "3/40 9/40",
            "44/45 -56/15 32/9",
            "19372/6561 -25360/2187 64448/6561 -212/729",
            "9017/3168 -355/33 46732/5247 49/176 -5103/18656",
        )
    ]
)
_FIFTH = _row("35/384 0 500/1113 125/192 -2187/6784 11/84")

EULER = Tableau("euler", 1, (_row(""),), _row("1"))
MIDPOINT = Tableau("midpoint", 2, (_row(""), _row("1/2")), _row("0 1"))
HEUN = Tableau("heun", 2, (_row(""), _row("1")), _row("1/2 1/2"))
RK4 = Tableau("rk4", 4, (_row(""), _row("1/2"), _row("0 1/2"), _row("0 0 1")), _row("1/6 1/3 1/3 1/6"))
RK5 = Tableau("rk5", 5, _STAGES, _FIFTH)
DORMAND_PRINCE = Tableau(
    "dormand_prince",
    5,
    (*_STAGES, _FIFTH),  # the last stage is the step itself, and so its slope the first one of the next step
    (*_FIFTH, Fraction(0)),
    _row("71/57600 0 -71/16695 71/1920 -17253/339200 22/525 -1/40"),
)

METHODS = {one.name: one for one in (EULER, MIDPOINT, HEUN, RK4, RK5)}
"""The methods of fixed step, by name."""
