r"""Difference of two inputs and mean of several, entry by entry.

Indices: $j$ input of $k$.  An input that is 1 long along an axis, where others are longer, counts for all of the axis.

Forward
$$ y = x_1 - x_2, \qquad y = \frac1k \sum_j x_j . $$

Derivation.  $\mathrm{d}y = \mathrm{d}x_1 - \mathrm{d}x_2$ and $\mathrm{d}y = \frac1k \sum_j \mathrm{d}x_j$; so
$$ \bar x_1 = \bar y, \quad \bar x_2 = -\bar y, \qquad \bar x_j = \frac{\bar y}{k} , $$
summed over the axes along which $x_j$ is 1 long and $y$ is not, since each of its numbers stands in all of those places.
"""

from functools import reduce

import numpy as np

from funcnn.combinators.multiply_inputs import AddResiduals, checked, over_repeats, together
from funcnn.combinators.pick_input import check_shapes
from funcnn.errors import check_cotangent, describe
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, Shapes


def init(key: Key, in_shape: Shapes) -> Init[Empty, Empty]:
    return Init((), (), together(check_shapes(key, in_shape)))


def pair(x: object) -> tuple[Array, Array]:
    """Return two inputs; raise unless there are two, and they fit one another."""
    arrays = checked(x)
    if len(arrays) != 2:
        raise TypeError(f"the input is {describe(x)}, expected a tuple of 2 inputs")
    return arrays[0], arrays[1]


def subtract_forward(params: Empty, state: Empty, x: tuple[Array, Array], mode: Mode) -> Forward[Array, Empty, AddResiduals]:
    first, second = pair(x)
    return Forward(first - second, state, AddResiduals((first.shape, second.shape)))


def subtract_backward(params: Empty, residuals: AddResiduals, dy: Array) -> Backward[Empty, tuple[Array, Array]]:
    first, second = residuals.shapes
    check_cotangent(dy, np.broadcast_shapes(first, second))
    return Backward(params, (over_repeats(dy, first), over_repeats(-dy, second)))


def average_forward(params: Empty, state: Empty, x: tuple[Array, ...], mode: Mode) -> Forward[Array, Empty, AddResiduals]:
    arrays = checked(x)
    share = arrays[0].real.dtype.type(1) / len(arrays)
    mean = reduce(np.add, [one * share for one in arrays])  # shares first: a sum of large numbers would overflow
    return Forward(mean, state, AddResiduals(tuple([one.shape for one in arrays])))


def average_backward(params: Empty, residuals: AddResiduals, dy: Array) -> Backward[Empty, tuple[Array, ...]]:
    check_cotangent(dy, np.broadcast_shapes(*residuals.shapes))
    share = dy * (dy.real.dtype.type(1) / len(residuals.shapes))
    return Backward(params, tuple([over_repeats(share, shape) for shape in residuals.shapes]))


def subtract_inputs() -> Layer[Empty, Empty, tuple[Array, Array], Array]:
    """Subtract the second of two inputs from the first.

    Returns
    -------
    Layer
        From a pair of arrays to their difference; along an axis other than the batch, one may be 1 long and then counts for all
        of it.

    Raises
    ------
    TypeError, ValueError
        In ``init`` and ``forward``, when there are not two inputs, or they do not fit one another.

    Examples
    --------
    What a network says of two examples, compared:

    >>> import numpy as np, funcnn as fn
    >>> compared = fn.branch(fn.identity(), fn.tanh()) >> fn.subtract_inputs()
    >>> start = compared.init(fn.Key(0), (1,))
    >>> fn.apply(compared, start.params, start.state, np.zeros((1, 1)))
    array([[0.]])
    """
    return define_layer("subtract_inputs", init, subtract_forward, subtract_backward, random=False, inputs=2)


def average_inputs() -> Layer[Empty, Empty, tuple[Array, ...], Array]:
    """Take the mean of several inputs, entry by entry.

    Returns
    -------
    Layer
        From a tuple of arrays to their mean; along an axis other than the batch, an input may be 1 long and then counts for all
        of it.

    Raises
    ------
    TypeError, ValueError
        In ``init`` and ``forward``, when the inputs do not fit one another.

    See Also
    --------
    ensemble : members that are alike, with their parameters in one array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.average_inputs(), (), (), (np.ones((1, 2)), np.full((1, 2), 2.0)))
    array([[1.5, 1.5]])
    """
    return define_layer("average_inputs", init, average_forward, average_backward, random=False, inputs=None)
