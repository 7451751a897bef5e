r"""Sum and product of several inputs, entry by entry.

Indices: $j, l$ input of $k$.  An input that is 1 long along an axis, where others are longer, counts for all of the axis.

Forward
$$ y = \sum_j x_j, \qquad y = \prod_j x_j . $$

Derivation.  $\mathrm{d}y = \sum_j \mathrm{d}x_j$, and by the product rule
$\mathrm{d}y = \sum_j \mathrm{d}x_j \prod_{l \ne j} x_l$; so
$$ \bar x_j = \bar y, \qquad \bar x_j = \bar y \prod_{l \ne j} x_l , $$
summed over the axes along which $x_j$ is 1 long and $y$ is not, since each of its numbers stands in all of those places.

The products of all but one are those of the inputs before it times those of the inputs after it: a quotient $y / x_j$ would not
do where $x_j$ is 0.
"""

from functools import reduce

import numpy as np
from attrs import frozen

from funcnn.combinators.pick_input import check_arrays, check_shapes
from funcnn.errors import check_cotangent, describe
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, Shape, Shapes


@frozen(eq=False)
class AddResiduals:
    """The shapes of the inputs."""

    shapes: tuple[Shape, ...]


@frozen(eq=False)
class MultiplyResiduals:
    """The inputs."""

    inputs: tuple[Array, ...]


def init(key: Key, in_shape: Shapes) -> Init[Empty, Empty]:
    return Init((), (), together(check_shapes(key, in_shape)))


def together(shapes: tuple[Shape, ...]) -> Shape:
    """Return the shape of the result; raise unless along each axis the shapes are as long as one another, or 1 long."""
    whole = tuple([max(lengths) for lengths in zip(*shapes, strict=False)])
    if any(len(shape) != len(whole) or any(n not in (1, m) for n, m in zip(shape, whole, strict=True)) for shape in shapes):
        raise ValueError(f"the inputs' shapes are {shapes}, expected one shape (an axis of an input may be 1 long)")
    return whole


def checked(x: object) -> tuple[Array, ...]:
    """Return the inputs, or raise unless they fit one another."""
    arrays = check_arrays(x)
    if any(one.shape != arrays[0].shape for one in arrays):
        together(tuple([one.shape[1:] for one in arrays]))
        if any(0 in one.shape[1:] for one in arrays):
            raise ValueError(f"the inputs are {describe(arrays)}, expected at least one number along each axis of the examples")
    return arrays


def over_repeats(dx: Array, shape: Shape) -> Array:
    """Return a cotangent summed over the axes along which an input of this shape is 1 long: a new array."""
    axes = tuple([axis for axis, (n, m) in enumerate(zip(shape, dx.shape, strict=True)) if n != m])
    summed: Array = dx.sum(axes, keepdims=True) if axes else dx.copy()
    return summed


def add_forward(params: Empty, state: Empty, x: tuple[Array, ...], mode: Mode) -> Forward[Array, Empty, AddResiduals]:
    arrays = checked(x)
    return Forward(reduce(np.add, arrays), state, AddResiduals(tuple([one.shape for one in arrays])))


def add_backward(params: Empty, residuals: AddResiduals, dy: Array) -> Backward[Empty, tuple[Array, ...]]:
    check_cotangent(dy, np.broadcast_shapes(*residuals.shapes))
    return Backward(params, tuple([over_repeats(dy, shape) for shape in residuals.shapes]))


def multiply_forward(params: Empty, state: Empty, x: tuple[Array, ...], mode: Mode) -> Forward[Array, Empty, MultiplyResiduals]:
    arrays = checked(x)
    return Forward(reduce(np.multiply, arrays), state, MultiplyResiduals(arrays))


def multiply_backward(params: Empty, residuals: MultiplyResiduals, dy: Array) -> Backward[Empty, tuple[Array, ...]]:
    first, *others = residuals.inputs
    check_cotangent(dy, np.broadcast_shapes(*[one.shape for one in residuals.inputs]), first.dtype)
    before: list[Array] = [dy]  # the cotangent times the inputs before each
    for one in (first, *others[:-1]):
        before.append(before[-1] * one)
    dx = [over_repeats(before[-1], others[-1].shape)]
    after = others[-1]  # the product of the inputs after each
    for one, product in zip((*reversed(others[:-1]), first), reversed(before[:-1]), strict=True):
        dx.append(over_repeats(product * after, one.shape))
        after = one * after
    return Backward(params, tuple(reversed(dx)))


def add_inputs() -> Layer[Empty, Empty, tuple[Array, ...], Array]:
    """Add several inputs.

    Returns
    -------
    Layer
        From a tuple of arrays to their sum; along an axis other than the batch, an input may be 1 long and then counts for all
        of it.

    Raises
    ------
    TypeError, ValueError
        In ``init`` and ``forward``, when the inputs do not fit one another.

    See Also
    --------
    add : the sum of the outputs of several layers of one input.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.add_inputs(), (), (), (np.ones((1, 3)), np.full((1, 3), 2.0)))
    array([[3., 3., 3.]])
    """
    return define_layer("add_inputs", init, add_forward, add_backward, random=False, inputs=None)


def multiply_inputs() -> Layer[Empty, Empty, tuple[Array, ...], Array]:
    """Multiply several inputs, entry by entry: a gate, or attention over channels.

    Returns
    -------
    Layer
        From a tuple of arrays to their product; along an axis other than the batch, an input may be 1 long and then counts for
        all of it.

    Raises
    ------
    TypeError, ValueError
        In ``init`` and ``forward``, when the inputs do not fit one another.

    References
    ----------
    Hu et al. (2018), Squeeze-and-excitation networks, arXiv:1709.01507: channels of images multiplied by gates of their own.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> gated = fn.branch(fn.identity(), fn.dense(3) >> fn.sigmoid()) >> fn.multiply_inputs()
    >>> gated.init(fn.Key(0), (3,)).out_shape
    (3,)
    >>> fn.apply(fn.multiply_inputs(), (), (), (np.array([[2.0, 3.0]]), np.array([[10.0]])))
    array([[20., 30.]])
    """
    return define_layer("multiply_inputs", init, multiply_forward, multiply_backward, random=False, inputs=None)
