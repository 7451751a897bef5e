r"""Central differences along lines, with the two errors that they have.

Along a line $x + t u$ with outputs $y(t)$ and the cotangent $v$,
$$ D(h) = \frac{\langle v, y(h)\rangle - \langle v, y(-h)\rangle}{2h} = D + C_2 h^2 + C_4 h^4 + \dots $$
Outputs are subtracted first and contracted with $v$ after, so that a small output among huge ones stays visible.  Rounding
adds at most
$$ \rho(h) = \frac{1}{h} \sum_{j\ \text{moved}} |v_j|\, e_j, \qquad e_j = \max(\varepsilon |y_j|, \text{measured noise}), $$
with absolute values before the sum, for the contracted sum may cancel.  Truncation is removed by Richardson's
extrapolation in $h^2$; what is left of it is estimated from the difference of neighbouring extrapolations.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen

from funcnn.typing import Array, BoolArray


@frozen(eq=False)
class Slopes:
    """Differences of several lines (first axis) at several steps (second axis)."""

    central: Array
    forward: Array  # one-sided: (y(h) - y(0)) / h
    backward: Array  # (y(0) - y(-h)) / h
    roundoff: Array  # error bar of central by rounding; the one-sided ones have twice that


@frozen(eq=False)
class Contraction:
    """The cotangent and what is known about the rounding errors of the outputs."""

    cotangent: Array
    weight: Array  # |cotangent|
    y: Array  # outputs at the point
    eps: float  # relative spacing of the outputs' arithmetic
    noise: Array  # measured noise of each output
    inside: BoolArray  # which outputs have rounding inside that hides their motion: it counts where they stand still, too

    def slopes(self, above: Array, below: Array, up: Array, down: Array) -> Slopes:
        """Return the slopes from outputs (lines, steps, outputs) at +up and -down (lines, steps)."""
        change = above - below
        span = up + down
        level = np.maximum(np.maximum(np.abs(above), np.abs(below)) * self.eps, self.noise)
        rounding = np.where((change != 0) | self.inside, level, 0) @ self.weight
        return Slopes(
            (change @ self.cotangent) / span,
            ((above - self.y) @ self.cotangent) / up,
            ((self.y - below) @ self.cotangent) / down,
            2 * rounding / span,
        )


def richardson(values: Array, steps: Sequence[float]) -> tuple[Array, Array]:
    """Extrapolate D(h) (last axis: steps, finest first) to h = 0 in even powers of h.

    Returns
    -------
    value, spread : array
        The extrapolation from all steps, and its distance from the one without the coarsest step.
    """
    squares = np.asarray(steps, values.dtype) ** 2
    row, spread = values, np.full(values.shape[:-1], np.inf, values.dtype)
    for order in range(1, len(steps)):
        ratio = squares[order:] / squares[: len(steps) - order]
        better = row[..., :-1] + (row[..., :-1] - row[..., 1:]) / (ratio - 1)
        spread = np.abs(better[..., 0] - row[..., 0])
        row = better
    return row[..., 0], spread


def power_of_two(scale: float) -> float:
    """Return the power of two at or below a positive number: steps by it are exact."""
    return float(2.0 ** np.floor(np.log2(scale)))
