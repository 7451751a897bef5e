r"""How alike two inputs are, example by example: the cosine of their angle, or their distance.

Indices: $n$ example (any number of leading axes), $i$ feature of $D$.

Forward.  With $u = x/|x|$ and $v = z/|z|$ (:mod:`funcnn.layers.normalization.unit_norm`)
$$ y_n = \sum_i u_{ni} v_{ni} \quad\text{(cosine)}, \qquad
   y_n = \Big(\sum_i |x_{ni} - z_{ni}|^p\Big)^{1/p} \quad\text{(distance)} . $$

Derivation.  The cosine is bilinear in $u$ and $v$: $\bar u_{ni} = \bar y_n v_{ni}$, $\bar v_{ni} = \bar y_n u_{ni}$, and from
there as for the unit norm.  For the distance, with $d = x - z$,
$$ \bar d_{ni} = \bar y_n\, \operatorname{sign}(d_{ni}) \Big(\frac{|d_{ni}|}{y_n}\Big)^{p - 1}, \qquad \bar x = \bar d, \qquad
   \bar z = -\bar d , $$
and 0 where the distance is 0: a kink.  Differences are divided by the largest before they are taken to a power.
"""

from functools import partial
from typing import cast

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_cotangent, check_range, describe
from funcnn.kernels.arrays import absolute, as_matrix, dot_last
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.normalization.unit_norm import UnitRows, check_small, unit_rows, unit_rows_cotangent
from funcnn.typing import Array, Empty, Shape, Shapes

Pair = tuple[Array, Array]


@frozen(eq=False)
class CosineResiduals:
    """Both inputs divided by their lengths, and their shape."""

    u: UnitRows
    v: UnitRows
    shape: Shape


@frozen(eq=False)
class DistanceResiduals:
    """The differences, the distances, and the shape of the inputs."""

    d: Array  # (m, D)
    y: Array  # (m,)
    shape: Shape


def init(key: Key, in_shape: Shapes) -> Init[Empty, Empty]:
    if len(in_shape) != 2 or not all(isinstance(shape, tuple) for shape in in_shape):
        raise ValueError(f"in_shape is {in_shape}, expected the shapes of a pair of inputs, ((..., D), (..., D))")
    first, second = cast("tuple[Shape, Shape]", in_shape)
    if not first or first != second:
        raise ValueError(f"the inputs' shapes are {in_shape}, expected two that are alike, with features in the last axis")
    return Init((), (), (*first[:-1], 1))


def check_pair(inputs: object) -> Pair:
    """Return two arrays of one shape, or raise."""
    if not isinstance(inputs, tuple) or len(inputs) != 2:
        raise TypeError(f"the input is {describe(inputs)}, expected a pair of arrays")
    for index, one in enumerate(inputs):
        check_array(one, f"input [{index}]")
    x, z = cast(Pair, inputs)
    if x.shape != z.shape or not x.shape[-1] or x.real.dtype.type is not z.real.dtype.type:
        raise ValueError(
            f"the inputs are {describe(inputs)}, expected two of one shape and dtype, with features in the last axis"
        )
    return x, z


def cosine_forward(eps: float, params: Empty, state: Empty, inputs: object, mode: Mode) -> Forward[Array, Empty, CosineResiduals]:
    x, z = check_pair(inputs)
    u, v = unit_rows(as_matrix(x), eps), unit_rows(as_matrix(z), eps)
    y = dot_last(u.rows, v.rows).reshape(*x.shape[:-1], 1)
    return Forward(y, state, CosineResiduals(u, v, x.shape))


def cosine_backward(params: Empty, residuals: CosineResiduals, dy: Array) -> Backward[Empty, Pair]:
    u, v, shape = residuals.u, residuals.v, residuals.shape
    check_cotangent(dy, (*shape[:-1], 1), u.rows.dtype)
    g = dy.reshape(len(u.rows), 1)
    dx, dz = unit_rows_cotangent(u, g * v.rows), unit_rows_cotangent(v, g * u.rows)
    return Backward(params, (dx.reshape(shape), dz.reshape(shape)))


def distance_forward(
    power: float, params: Empty, state: Empty, inputs: object, mode: Mode
) -> Forward[Array, Empty, DistanceResiduals]:
    x, z = check_pair(inputs)
    d: Array = as_matrix(x - z)
    size: Array = np.where(d.real == 0, 0, absolute(d))  # at the kink the slope between both sides, for a complex step too
    largest = size.real.max(1)
    unit = np.where((largest > 0) & (largest < np.inf), largest, 1)
    sums = np.power(size / unit[:, np.newaxis], power).sum(1)
    alike = largest == 0
    y: Array = np.where(alike, 0, np.power(np.where(alike, 1, sums), x.real.dtype.type(1) / power) * unit)
    return Forward(y.reshape(*x.shape[:-1], 1), state, DistanceResiduals(d, y, x.shape))


def distance_backward(power: float, params: Empty, residuals: DistanceResiduals, dy: Array) -> Backward[Empty, Pair]:
    d, y, shape = residuals.d, residuals.y, residuals.shape
    check_cotangent(dy, (*shape[:-1], 1), y.dtype)
    share = absolute(d) / np.where(y == 0, 1, y)[:, np.newaxis]
    sign = np.sign(d.real)
    slope = sign if power == 1 else sign * np.power(share, power - 1)
    dd = (slope * dy.reshape(len(d), 1)).reshape(shape)
    return Backward(params, (dd, -dd))


def cosine_similarity(*, eps: float = 1e-8) -> Layer[Empty, Empty, Pair, Array]:
    """Cosine of the angle between two inputs: a pair (..., D), (..., D) to (..., 1).

    Parameters
    ----------
    eps : float, optional
        The least length that an input counts as, more than 0.

    Returns
    -------
    Layer
        Without parameters; the output keeps an axis of 1 for the feature that it is.

    Raises
    ------
    TypeError, ValueError
        When ``eps`` is not positive; in ``init`` and ``forward``, when the two are not alike.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> pair = np.array([[3.0, 4.0]]), np.array([[1.0, 0.0]])
    >>> fn.apply(fn.cosine_similarity(), (), (), pair)
    array([[0.6]])
    """
    eps = check_small(eps)
    return define_layer("cosine_similarity", init, partial(cosine_forward, eps), cosine_backward, random=False, inputs=None)


def pairwise_distance(power: float = 2.0) -> Layer[Empty, Empty, Pair, Array]:
    """Distance between two inputs, the p-norm of their difference: a pair (..., D), (..., D) to (..., 1).

    Parameters
    ----------
    power : float, optional
        p, at least 1: 2 for Euclidean distance, 1 for the sum of the absolute differences.

    Returns
    -------
    Layer
        Without parameters; the gradient is 0 where both are equal.

    Raises
    ------
    TypeError, ValueError
        When ``power`` is less than 1; in ``init`` and ``forward``, when the two are not alike.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> pair = np.array([[3.0, 4.0]]), np.array([[0.0, 0.0]])
    >>> fn.apply(fn.pairwise_distance(), (), (), pair)
    array([[5.]])
    """
    power = check_range(power, "power", 1, float("inf"), open_high=True)
    return define_layer(
        f"pairwise_distance({power:g})",
        init,
        partial(distance_forward, power),
        partial(distance_backward, power),
        random=False,
        inputs=None,
    )
