r"""What every elementwise layer shares: $y = f(x)$ entry by entry, and so $\bar x = f'(x)\,\bar y$.

Derivation.  $\mathrm{d}y_k = f'(x_k)\,\mathrm{d}x_k$ for each entry $k$: the Jacobian is diagonal and its own transpose.

An activation is a pair of functions: f, and its pullback (saved, dy) -> f' dy.  Where f' is cheapest from the output (tanh,
sigmoid, relu), the output is kept, which the next
layer keeps anyway; where it needs the input, the input is.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from attrs import frozen

from funcnn.errors import check_array
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, Shape

Function: TypeAlias = Callable[[Array], Array]
Pullback: TypeAlias = Callable[[Array, Array], Array]


@frozen(eq=False)
class Saved:
    """The input or the output of the activation, whichever its derivative is written in."""

    value: Array


def init(key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    return Init((), (), in_shape)


def forward_keeping_input(function: Function, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, Saved]:
    check_array(x, min_ndim=1)
    return Forward(function(x), state, Saved(x))


def forward_keeping_output(function: Function, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, Saved]:
    check_array(x, min_ndim=1)
    y = function(x)
    return Forward(y, state, Saved(y))


def backward(pullback: Pullback, params: Empty, residuals: Saved, dy: Array) -> Backward[Empty, Array]:
    return Backward(params, pullback(residuals.value, dy))


def from_input(name: str, function: Function, pullback: Pullback) -> Layer[Empty, Empty, Array, Array]:
    """Make an elementwise layer of f(x) and the pullback (x, dy) -> dx."""
    return define_layer(name, init, partial(forward_keeping_input, function), partial(backward, pullback), random=False)


def from_output(name: str, function: Function, pullback: Pullback) -> Layer[Empty, Empty, Array, Array]:
    """Make an elementwise layer of y = f(x) and the pullback (y, dy) -> dx."""
    return define_layer(name, init, partial(forward_keeping_output, function), partial(backward, pullback), random=False)
