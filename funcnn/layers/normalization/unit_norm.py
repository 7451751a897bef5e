r"""Normalization to length 1 along an axis (L2 normalization).

Indices: $i$ entry along the axis; every other axis is a batch axis.

Forward
$$ y_i = \frac{x_i}{\max(r, \epsilon)}, \qquad r = \sqrt{\textstyle\sum_i x_i^2} . $$

Derivation.  Where $r > \epsilon$, $\mathrm{d}r = \sum_j y_j\,\mathrm{d}x_j$ and so $\mathrm{d}y_i = \tfrac1r (\mathrm{d}x_i -
y_i \sum_j y_j\,\mathrm{d}x_j)$, a symmetric map:
$$ \bar x_i = \frac1r \Big(\bar y_i - y_i \sum_j y_j\, \bar y_j\Big) . $$
Elsewhere $\bar x_i = \bar y_i / \epsilon$.  Numbers are divided by their largest, a power of two, before they are squared, so
that no square overflows or vanishes.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent_like, check_range
from funcnn.kernels.arrays import dot_last
from funcnn.layer import Backward, Forward, Layer, Mode, define_layer
from funcnn.layers.activations.softmax import along, back, check_axis, check_lines, init
from funcnn.typing import Array, Empty


@frozen(eq=False)
class UnitRows:
    """Rows of length 1, or shorter where they were shorter than eps, and what they were divided by."""

    rows: Array  # (m, D)
    length: Array  # (m,), or eps
    short: Array  # (m,), 1 where a row was divided by eps


def unit_rows(x: Array, eps: float) -> UnitRows:
    """Return the rows of a matrix divided by their length, or by eps where that is more."""
    kind = x.real.dtype.type
    largest = np.abs(x.real).max(1, initial=0)
    power = np.ldexp(np.ones_like(largest), np.frexp(np.where(np.isfinite(largest), largest, 1))[1])
    scaled = x / power[:, np.newaxis]
    ratio: Array = np.sqrt(dot_last(scaled, scaled))
    short = (ratio * power).real <= kind(eps)
    divisor = np.where(short, kind(eps), ratio * power)
    own = np.where(short[:, np.newaxis], x, 0) / kind(eps)
    rows: Array = np.where(short[:, np.newaxis], own, scaled / np.where(short, 1, ratio)[:, np.newaxis])
    return UnitRows(rows, divisor, short.astype(x.real.dtype))


def unit_rows_cotangent(unit: UnitRows, dy: Array) -> Array:
    """Return the cotangent of the rows before they were divided."""
    share = dot_last(unit.rows, dy) * (1 - unit.short)
    dx: Array = (dy - unit.rows * share[:, np.newaxis]) / unit.length[:, np.newaxis]
    return dx


@frozen(eq=False)
class UnitNormResiduals:
    """The rows, and the output, whose shape a cotangent has."""

    unit: UnitRows
    y: Array


def forward(axis: int, eps: float, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, UnitNormResiduals]:
    check_lines(axis, x)
    unit = unit_rows(along(axis, x), eps)
    y = back(axis, unit.rows, x.shape)
    return Forward(y, state, UnitNormResiduals(unit, y))


def backward(axis: int, params: Empty, residuals: UnitNormResiduals, dy: Array) -> Backward[Empty, Array]:
    check_cotangent_like(dy, residuals.y)
    return Backward(params, back(axis, unit_rows_cotangent(residuals.unit, along(axis, dy)), dy.shape))


def check_small(eps: float) -> float:
    """Return the length below which a row counts as of length eps, or raise."""
    return check_range(eps, "eps", 0, float("inf"), open_low=True, open_high=True)


def unit_norm(axis: int = -1, *, eps: float = 1e-12) -> Layer[Empty, Empty, Array, Array]:
    """Divide by the Euclidean length along an axis (L2 normalization).

    Parameters
    ----------
    axis : int, optional
        Axis of the input array, the batch axis being 0: negative, or at least 1.
    eps : float, optional
        The least divisor, more than 0.

    Returns
    -------
    Layer
        From any shape to the same, without parameters.

    Raises
    ------
    ValueError
        When the axis is the batch axis or, in ``init``, does not exist; when ``eps`` is not positive.
    TypeError
        When an argument is not a number; in ``forward``, when x is not a floating array.

    See Also
    --------
    rms_norm_without_scale : the same times the root of the number of features.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.unit_norm(), (), (), np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    axis, eps = check_axis(axis), check_small(eps)
    return define_layer(
        f"unit_norm({axis})", partial(init, axis), partial(forward, axis, eps), partial(backward, axis), random=False
    )
