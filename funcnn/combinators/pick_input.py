r"""One of several inputs, and several inputs beside one another in one array.

Picking.  Forward: $y = x_i$ of the tuple $(x_1, \dots, x_k)$.  Backward: $\bar x_i = \bar y$, and $\bar x_j = 0$ for the others.

Joining.  Forward: $y$ is the $x_j$, one after the other along an axis.  Backward: each $\bar x_j$ is the part of $\bar y$ that
came from it.

Derivation.  Both are linear and copy each number at most once, so that the transpose puts each cotangent where the number came
from, and 0 where it went nowhere.
"""

from functools import partial
from itertools import accumulate
from typing import Any, cast

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.combinators.cotangents import check_cotangents, like
from funcnn.combinators.stop_gradient import zeros_like
from funcnn.errors import check_array, check_cotangent, check_count, describe
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, check_init, define_layer
from funcnn.layers.activations.softmax import check_axis
from funcnn.typing import Array, Empty, Shape, Shapes

# Any: the inputs that are not picked may be of any type; the factories' types say what goes in and out.


def check_inputs(x: object, least: int = 2) -> tuple[Any, ...]:
    """Return the input of a layer of several inputs, a tuple with at least so many entries, or raise."""
    if type(x) is not tuple or len(x) < least:
        raise TypeError(f"the input is {describe(x)}, expected a tuple of at least {least} inputs")
    return x


def check_trees(inputs: tuple[Any, ...]) -> None:
    """Raise a TypeError unless each input is an array or a tree of arrays."""
    for place, one in enumerate(inputs):
        try:
            tree.leaves(one)
        except TypeError as error:
            raise TypeError(f"input [{place}] is no tree of arrays: {error}") from None


def check_arrays(x: object) -> tuple[Array, ...]:
    """Return several inputs, floating arrays of one precision with as many axes and examples as one another, or raise."""
    arrays = check_inputs(x)
    for index, one in enumerate(arrays):
        check_array(one, f"input [{index}]")
        if one.real.dtype.type is not arrays[0].real.dtype.type or one.ndim != arrays[0].ndim or len(one) != len(arrays[0]):
            raise ValueError(
                f"the inputs are {describe(arrays)}, expected arrays of one dtype with as many axes and examples as one another"
            )
    return arrays


def check_shapes(key: Key, in_shape: Shapes, least: int = 2) -> tuple[Shape, ...]:
    """Return the shapes of several inputs, or raise."""
    check_init(key, in_shape)
    if len(in_shape) < least or not all(isinstance(shape, tuple) for shape in in_shape):
        raise ValueError(f"in_shape is {in_shape}, expected the shapes of at least {least} inputs, such as ((4,), (3,))")
    return cast("tuple[Shape, ...]", in_shape)


# ------------------------------------------------------------------------------------------------------------------- picking


def pick_init(index: int, key: Key, in_shape: Shapes) -> Init[Empty, Empty]:
    return Init((), (), check_shapes(key, in_shape, index + 1)[index])


def pick_forward(index: int, params: Empty, state: Empty, x: Any, mode: Mode) -> Forward[Any, Empty, Any]:
    inputs = check_inputs(x, index + 1)
    if isinstance(inputs[index], np.ndarray) and inputs[index].dtype.kind == "f":
        check_array(inputs[index], f"input [{index}]", min_ndim=1)
    check_trees(inputs)
    return Forward(tree.map(np.copy, inputs[index]), state, inputs)


def pick_backward(index: int, params: Empty, inputs: Any, dy: Any) -> Backward[Empty, Any]:
    check_cotangents(dy, like(inputs[index]))
    dx = [zeros_like(one) for one in inputs]
    dx[index] = tree.map_cotangents(np.copy, dy)
    return Backward(params, tuple(dx))


def pick_input(index: int) -> Layer[Empty, Empty, tuple[Any, ...], Any]:
    """Give one of several inputs, and drop the others.

    Parameters
    ----------
    index : int
        Which of them, from 0.

    Returns
    -------
    Layer
        From a tuple of inputs to the one; the gradient with respect to the others is 0.

    Raises
    ------
    TypeError, ValueError
        When ``index`` is not an integer of at least 0; in ``init`` and ``forward``, when there are no more than ``index`` inputs.

    See Also
    --------
    branch : the tuple of several layers' outputs.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.pick_input(1), (), (), (np.zeros((1, 2)), np.ones((1, 3))))
    array([[1., 1., 1.]])
    """
    index = check_count(index, "index", least=0)
    return Layer(
        f"pick_input({index})", partial(pick_init, index), partial(pick_forward, index), partial(pick_backward, index), False
    )


# ------------------------------------------------------------------------------------------------------------------- joining


@frozen(eq=False)
class JoinResiduals:
    """Where the inputs end along the axis, but for the last, and the shape of the output."""

    cuts: tuple[int, ...]
    shape: Shape  # of the output


def join_init(axis: int, key: Key, in_shape: Shapes) -> Init[Empty, Empty]:
    shapes = [(0, *shape) for shape in check_shapes(key, in_shape)]
    at = _place(axis, len(shapes[0]))
    if len({(*shape[:at], *shape[at + 1 :]) for shape in shapes}) > 1 or any(len(shape) != len(shapes[0]) for shape in shapes):
        raise ValueError(f"the inputs' shapes are {in_shape}, expected shapes that differ along axis {axis} only")
    return Init((), (), (*shapes[0][1:at], sum(shape[at] for shape in shapes), *shapes[0][at + 1 :]))


def _place(axis: int, axes: int) -> int:
    if not -axes < axis < axes:
        raise ValueError(f"axis is {axis}, and the inputs have {axes} axes, batch axis included: expected one from {1 - axes}")
    return axis % axes


def join_forward(
    axis: int, params: Empty, state: Empty, x: tuple[Array, ...], mode: Mode
) -> Forward[Array, Empty, JoinResiduals]:
    arrays = check_arrays(x)
    at = _place(axis, arrays[0].ndim)
    if len({(*one.shape[:at], *one.shape[at + 1 :]) for one in arrays}) > 1:
        raise ValueError(f"the inputs are {describe(x)}, expected arrays that differ along axis {axis} only")
    cuts = tuple(accumulate(one.shape[at] for one in arrays[:-1]))
    y = np.concatenate(arrays, axis=at)
    return Forward(y, state, JoinResiduals(cuts, y.shape))


def join_backward(axis: int, params: Empty, residuals: JoinResiduals, dy: Array) -> Backward[Empty, tuple[Array, ...]]:
    check_cotangent(dy, residuals.shape)
    return Backward(params, tuple([part.copy() for part in np.split(dy, residuals.cuts, axis=axis)]))


def join_inputs(axis: int = -1) -> Layer[Empty, Empty, tuple[Array, ...], Array]:
    """Put several inputs one after the other along an axis.

    Parameters
    ----------
    axis : int, optional
        Counted with the batch axis, which it is not; the features (or channels) by default.

    Returns
    -------
    Layer
        From a tuple of arrays, alike but for the axis, to one array.

    Raises
    ------
    TypeError, ValueError
        When ``axis`` is not an integer, or is the batch axis; in ``init`` and ``forward``, when the inputs do not fit.

    See Also
    --------
    concatenate : the outputs of several layers of one input.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.join_inputs(), (), (), (np.zeros((1, 2)), np.ones((1, 1))))
    array([[0., 0., 1.]])
    >>> two_towers = fn.parallel(fn.dense(4), fn.dense(3)) >> fn.join_inputs() >> fn.dense(1)
    >>> two_towers.init(fn.Key(0), ((5,), (2,))).out_shape
    (1,)
    """
    axis = check_axis(axis)
    return define_layer(
        f"join_inputs({axis})",
        partial(join_init, axis),
        partial(join_forward, axis),
        partial(join_backward, axis),
        random=False,
        inputs=None,
    )
