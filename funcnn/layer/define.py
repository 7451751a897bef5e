"""Making a layer of its functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeVar, cast, overload

from funcnn import tree
from funcnn.errors import check_count, shown
from funcnn.key import Key, check_key
from funcnn.layer.layer import Layer
from funcnn.layer.modes import Mode
from funcnn.layer.results import Backward, Forward, Init, Residuals
from funcnn.layer.shapes import check_init, checked_shape
from funcnn.typing import Shape, Shapes

P = TypeVar("P")  # parameter tree
S = TypeVar("S")  # state tree
X = TypeVar("X")  # input
Y = TypeVar("Y")  # output
R = TypeVar("R")  # residuals


@overload
def define_layer(
    name: str,
    init: Callable[[Key, Shape], Init[P, S]],
    forward: Callable[[P, S, X, Mode], Forward[Y, S, R]],
    backward: Callable[[P, R, Y], Backward[P, X]],
    *,
    random: bool = True,
    inputs: Literal[1] = 1,
) -> Layer[P, S, X, Y]: ...
@overload
def define_layer(
    name: str,
    init: Callable[[Key, tuple[Shape, ...]], Init[P, S]],
    forward: Callable[[P, S, X, Mode], Forward[Y, S, R]],
    backward: Callable[[P, R, Y], Backward[P, X]],
    *,
    random: bool = True,
    inputs: int,
) -> Layer[P, S, X, Y]: ...
@overload
def define_layer(
    name: str,
    init: Callable[[Key, Shapes], Init[P, S]],
    forward: Callable[[P, S, X, Mode], Forward[Y, S, R]],
    backward: Callable[[P, R, Y], Backward[P, X]],
    *,
    random: bool = True,
    inputs: None,
) -> Layer[P, S, X, Y]: ...
def define_layer(
    name: str,
    init: Callable[[Key, Any], Init[P, S]],  # Any: the overloads say
    forward: Callable[[P, S, X, Mode], Forward[Y, S, R]],
    backward: Callable[[P, R, Y], Backward[P, X]],
    *,
    random: bool = True,
    inputs: int | None = 1,
) -> Layer[P, S, X, Y]:
    """Make a layer of its functions; that forward and backward agree on the residuals is checked statically.

    Parameters
    ----------
    name : str
        What messages and tables call the layer.
    init : callable
        ``init(key, in_shape) -> Init(params, state, out_shape)``; shapes are without the batch axis.
    forward : callable
        ``forward(params, state, x, mode) -> Forward(output, state, residuals)``.
    backward : callable
        ``backward(params, residuals, doutput) -> Backward(params, input)``.  It may take a further argument ``input_grad=True``;
        then, when that is False, it returns :func:`backward_without_input` of the parameters' gradient and saves the rest.
    random : bool, optional
        Whether forward draws random numbers in training.  When it does not, False saves making a key.
    inputs : int or None, optional
        Of how many inputs x is a tuple.  With more than one, ``init`` is given the tuple of their shapes, and the cotangent that
        ``backward`` returns is a tuple as well.  None is for any number of inputs, and for tuples within tuples: ``init`` is
        given lengths of at least 1, in tuples however nested, and looks itself at whether they are those that it wants.

    Returns
    -------
    Layer
        Its ``init`` also checks the shape that it is given and marks the parameters read-only.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> double = fn.define_layer(
    ...     "double",
    ...     init=lambda key, in_shape: fn.Init((), (), in_shape),
    ...     forward=lambda params, state, x, mode: fn.Forward(2 * x, state, ()),
    ...     backward=lambda params, residuals, dy: fn.Backward(params, 2 * dy),
    ... )
    >>> fn.apply(double, (), (), np.ones((1, 2)))
    array([[2., 2.]])

    One of two inputs:

    >>> gate = fn.define_layer(
    ...     "gate",
    ...     init=lambda key, in_shapes: fn.Init((), (), in_shapes[0]),
    ...     forward=lambda params, state, x, mode: fn.Forward(x[0] * x[1], state, x),
    ...     backward=lambda params, x, dy: fn.Backward(params, (dy * x[1], dy * x[0])),
    ...     inputs=2,
    ... )
    >>> gate.init(fn.Key(0), ((3,), (3,))).out_shape
    (3,)
    """
    checked: Callable[[Key, Shapes], Init[P, S]]
    if inputs is None:
        checked = partial(_checked_init_of_any, init)
    else:
        inputs = check_count(inputs, "inputs")
        checked = partial(_checked_init, init) if inputs == 1 else partial(_checked_init_of_several, init, inputs)
    return Layer(
        name,
        checked,
        cast("Callable[[P, S, X, Mode], Forward[Y, S, Residuals]]", forward),
        cast("Callable[[P, Residuals, Y], Backward[P, X]]", backward),
        random,
    )


def _checked_init(init: Callable[[Key, Shape], Init[P, S]], key: Key, in_shape: Shapes) -> Init[P, S]:
    check_key(key)
    made = init(key, checked_shape(in_shape))
    tree.freeze((made.params, made.state))
    return made


def _checked_init_of_any(init: Callable[[Key, Shapes], Init[P, S]], key: Key, in_shape: Shapes) -> Init[P, S]:
    check_init(key, in_shape)
    made = init(key, in_shape)
    tree.freeze((made.params, made.state))
    return made


def _checked_init_of_several(
    init: Callable[[Key, tuple[Shape, ...]], Init[P, S]], inputs: int, key: Key, in_shape: Shapes
) -> Init[P, S]:
    check_init(key, in_shape)
    if len(in_shape) != inputs or not all(isinstance(one, tuple) for one in in_shape):
        raise ValueError(f"in_shape is {shown(in_shape)}, expected a tuple of the shapes of {inputs} inputs")
    made = init(key, cast("tuple[Shape, ...]", in_shape))
    tree.freeze((made.params, made.state))
    return made
