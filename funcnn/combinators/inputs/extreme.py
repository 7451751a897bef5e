r"""The largest and the smallest of several inputs, entry by entry.

Indices: $j$ input of $k$.  An input that is 1 long along an axis, where others are longer, counts for all of the axis.

Forward, with $j^*$ the first input that is extreme at an entry
$$ y = \max_j x_j = x_{j^*} \qquad\text{or}\qquad y = \min_j x_j = x_{j^*} . $$

Derivation.  Where one input is extreme alone, $\mathrm{d}y = \mathrm{d}x_{j^*}$; so
$$ \bar x_j = [j = j^*]\,\bar y , $$
summed over the axes along which $x_j$ is 1 long and $y$ is not.  Where several are equal, the slope of the first is taken, which
is one of the one-sided ones, as in max pooling.  NaN is neither larger nor smaller, and wins.
"""

from functools import partial
from typing import Literal

import numpy as np
from attrs import frozen

from funcnn.combinators.inputs.average import init
from funcnn.combinators.multiply_inputs import checked, over_repeats
from funcnn.errors import check_cotangent
from funcnn.layer import Backward, Forward, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, IntArray, Shape


@frozen(eq=False)
class ExtremeResiduals:
    """Which input was taken, and the shapes of the inputs."""

    chosen: IntArray  # of the output's shape
    shapes: tuple[Shape, ...]
    dtype: np.dtype[np.floating]


def forward(
    which: Literal["largest", "smallest"], params: Empty, state: Empty, x: tuple[Array, ...], mode: Mode
) -> Forward[Array, Empty, ExtremeResiduals]:
    arrays = checked(x)
    behind = np.less_equal if which == "largest" else np.greater_equal
    shapes = tuple([one.shape for one in arrays])
    y: Array = np.broadcast_to(arrays[0], np.broadcast_shapes(*shapes)).copy()
    chosen = np.zeros(y.shape, np.intp)
    for index, one in enumerate(arrays[1:], 1):
        beats = ~(behind(one.real, y.real) | np.isnan(y.real))
        np.copyto(y, one, where=beats)
        chosen[beats] = index
    return Forward(y, state, ExtremeResiduals(chosen, shapes, y.dtype))


def backward(params: Empty, residuals: ExtremeResiduals, dy: Array) -> Backward[Empty, tuple[Array, ...]]:
    check_cotangent(dy, residuals.chosen.shape, residuals.dtype)
    zero = dy.dtype.type(0)
    own = [np.where(residuals.chosen == index, dy, zero) for index in range(len(residuals.shapes))]
    return Backward(params, tuple([over_repeats(part, shape) for part, shape in zip(own, residuals.shapes, strict=True)]))


def maximum_inputs() -> Layer[Empty, Empty, tuple[Array, ...], Array]:
    """Take the largest of several inputs, entry by entry.

    Returns
    -------
    Layer
        From a tuple of arrays to their maximum; along an axis other than the batch, an input may be 1 long and then counts for
        all of it.

    Raises
    ------
    TypeError, ValueError
        In ``init`` and ``forward``, when the inputs do not fit one another.

    See Also
    --------
    maxout : the largest of several affine maps, as one layer.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.maximum_inputs(), (), (), (np.array([[1.0, 4.0]]), np.array([[3.0, 2.0]])))
    array([[3., 4.]])
    """
    return define_layer("maximum_inputs", init, partial(forward, "largest"), backward, random=False, inputs=None)


def minimum_inputs() -> Layer[Empty, Empty, tuple[Array, ...], Array]:
    """Take the smallest of several inputs, entry by entry.

    Returns
    -------
    Layer
        As :func:`maximum_inputs`.

    Raises
    ------
    TypeError, ValueError
        In ``init`` and ``forward``, when the inputs do not fit one another.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.minimum_inputs(), (), (), (np.array([[1.0, 4.0]]), np.array([[3.0, 2.0]])))
    array([[1., 2.]])
    """
    return define_layer("minimum_inputs", init, partial(forward, "smallest"), backward, random=False, inputs=None)
