r"""Layer of learned functions of single inputs: Kolmogorov-Arnold network (Liu et al. 2024, arXiv:2404.19756, eq. 2.10).

Indices: $n$ example (any number of leading axes), $i$ input of $I$, $o$ output of $O$, $k$ spline of $K = G + p$.

Forward.  Every output is a sum of functions of single inputs, each a multiple of silu and a spline:
$$ y_{no} = \sum_i \Big(W_{io}\, \operatorname{silu}(x_{ni}) + \sum_k C_{iko}\, B_k(x_{ni})\Big) . $$
The basis functions $B_k = B_{k,p}$ of degree $p$ stand on the knots $t_k = l + (k - p)\,h$, $h = (u - l)/G$, which go on $p$
intervals beyond both ends (Cox and de Boor):
$$ B_{k,0}(x) = [t_k \le x < t_{k+1}], \qquad
   B_{k,q}(x) = \frac{x - t_k}{q h}\, B_{k,q-1}(x) + \frac{t_{k+q+1} - x}{q h}\, B_{k+1,q-1}(x) . $$
They sum to 1 between $l$ and $u$, and are 0 from $p$ intervals beyond on.

Derivation.  $y$ is linear in $W$ and $C$; the slope of a spline is a difference of splines of the degree below,
$$ B'_{k,p}(x) = \tfrac1h \big(B_{k,p-1}(x) - B_{k+1,p-1}(x)\big), $$
$$ \bar W_{io} = \sum_n \operatorname{silu}(x_{ni})\, \bar y_{no}, \qquad \bar C_{iko} = \sum_n B_k(x_{ni})\, \bar y_{no}, $$
$$ \bar x_{ni} = \sum_o \Big(W_{io} \operatorname{silu}'(x_{ni}) + \sum_k C_{iko}\, B'_k(x_{ni})\Big)\, \bar y_{no} . $$
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_cotangent, check_count, check_features, check_has_features, check_range
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.arrays import as_matrix
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.activations.sigmoids import silu_and_slope
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, Shape

SMALL_NORMAL = initializers.normal(0.1)


@frozen
class Knots:
    """Where the splines stand: G intervals between the ends, and the degree p."""

    intervals: int
    degree: int
    low: float
    high: float

    @property
    def splines(self) -> int:
        """How many basis functions there are."""
        return self.intervals + self.degree


@read_only_again
@frozen(eq=False)
class SplineParams:
    """Parameters of a layer of splines."""

    base: Array  # (I, O), W
    spline: Array  # (I, G + p, O), C


@frozen(eq=False)
class SplineResiduals:
    """Silu, the splines, and the slopes of both."""

    base: Array  # (n, I)
    base_slope: Array  # (n, I)
    basis: Array  # (n, I, K)
    basis_slope: Array  # (n, I, K)
    shape: Shape  # of the input


def basis_and_slope(knots: Knots, x: Array) -> tuple[Array, Array]:
    """Return all splines (..., K) of x (...), and their slopes."""
    kind, degree = x.real.dtype.type, knots.degree
    width = (kind(knots.high) - kind(knots.low)) / knots.intervals
    count = knots.intervals + 2 * degree
    inside = (x.real > kind(knots.low) - degree * width) & (x.real < kind(knots.high) + degree * width)
    near = np.where(inside, x, kind(knots.low))  # a number far out may be too large to be divided by the width
    place: Array = (near - kind(knots.low)) / width + degree  # in intervals from the first knot
    z: Array = np.where(inside, place, kind(-1))[..., np.newaxis]  # where all are 0
    first = np.arange(count, dtype=kind)
    basis: Array = ((z.real >= first) & (z.real < first + 1)).astype(x.dtype)
    lower = basis
    for q in range(1, degree + 1):
        lower = basis
        knot = first[: count - q]
        basis = ((z - knot) * lower[..., :-1] + (knot + (q + 1) - z) * lower[..., 1:]) / q
    slope: Array = (lower[..., :-1] - lower[..., 1:]) / width
    return basis, slope


def init(
    features: int, knots: Knots, weight_init: Initializer, spline_init: Initializer, key: Key, in_shape: Shape
) -> Init[SplineParams, Empty]:
    check_has_features(in_shape, "spline")
    inputs = in_shape[-1]
    base = weight_init(key.child(0), (inputs, features))
    spline = spline_init(key.child(1), (inputs, knots.splines, features))
    return Init(SplineParams(base, spline), (), (*in_shape[:-1], features))


def forward(knots: Knots, params: SplineParams, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, SplineResiduals]:
    check_features(x, params.base)
    rows = as_matrix(x)
    base, base_slope = silu_and_slope(rows)
    basis, basis_slope = basis_and_slope(knots, rows)
    flat = params.spline.reshape(-1, params.spline.shape[-1])
    y: Array = base @ params.base + basis.reshape(len(rows), len(flat)) @ flat
    residuals = SplineResiduals(base, base_slope, basis, basis_slope, x.shape)
    return Forward(y.reshape(*x.shape[:-1], y.shape[-1]), state, residuals)


def backward(params: SplineParams, residuals: SplineResiduals, dy: Array) -> Backward[SplineParams, Array]:
    check_cotangent(dy, (*residuals.shape[:-1], params.base.shape[1]), params.base.dtype)
    rows, basis = as_matrix(dy), residuals.basis
    flat = params.spline.reshape(-1, params.spline.shape[-1])
    dspline = basis.reshape(len(rows), len(flat)).T @ rows
    grads = SplineParams(residuals.base.T @ rows, dspline.reshape(params.spline.shape))
    dbasis = (rows @ flat.T).reshape(basis.shape)
    dx: Array = (rows @ params.base.T) * residuals.base_slope + (dbasis * residuals.basis_slope).sum(-1)
    return Backward(grads, dx.reshape(residuals.shape))


def spline(
    features: int,
    *,
    intervals: int = 5,
    degree: int = 3,
    low: float = -1.0,
    high: float = 1.0,
    weight_init: Initializer = initializers.glorot_uniform,
    spline_init: Initializer = SMALL_NORMAL,
) -> Layer[SplineParams, Empty, Array, Array]:
    """Sum learned functions of single inputs: the layer of a Kolmogorov-Arnold network (KAN), (..., I) to (..., features).

    Parameters
    ----------
    features : int
        Number of outputs O.
    intervals : int, optional
        The number G of intervals between ``low`` and ``high``: how fine the functions can be.
    degree : int, optional
        The degree p of the splines; from 2 on the layer has a continuous slope.
    low, high : float, optional
        Where inputs are expected.  Beyond ``high`` and below ``low`` the splines fall to 0 within p intervals, and silu is left.
    weight_init : callable, optional
        Initializer ``(key, shape) -> array`` of the factors of silu (I, O).
    spline_init : callable, optional
        Initializer of the coefficients of the splines (I, G + p, O); normal with standard deviation 0.1.

    Returns
    -------
    Layer
        Parameters :class:`SplineParams`.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``forward``, when x has not the features that it was initialized for.

    References
    ----------
    Liu et al. (2024), KAN: Kolmogorov-Arnold networks, arXiv:2404.19756.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.spline(4) >> fn.spline(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> start.params[0].spline.shape
    (2, 8, 4)
    >>> fn.apply(model, start.params, start.state, np.zeros((3, 2))).shape
    (3, 1)
    """
    features, intervals = check_count(features, "features"), check_count(intervals, "intervals")
    degree = check_count(degree, "degree", most=20)
    low = check_range(low, "low", float("-inf"), float("inf"), open_low=True, open_high=True)
    high = check_range(high, "high", low, float("inf"), open_low=True, open_high=True)
    weight_init = check_initializer(weight_init, "weight_init")
    spline_init = check_initializer(spline_init, "spline_init")
    knots = Knots(intervals, degree, low, high)
    return define_layer(
        f"spline({features})",
        partial(init, features, knots, weight_init, spline_init),
        partial(forward, knots),
        backward,
        random=False,
    )
