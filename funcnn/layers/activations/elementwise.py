r"""What every elementwise layer shares: $y = f(x)$ entry by entry, and so $\bar x = f'(x)\,\bar y$.

Derivation.  $\mathrm{d}y_k = f'(x_k)\,\mathrm{d}x_k$ for each entry $k$: the Jacobian is diagonal and its own transpose.

An activation is written in one of two ways.

- *From the output*: f, and its pullback (y, dy) -> f' dy.  Right where the slope can be told from y without loss (relu); y
  costs no memory, since the next layer keeps it anyway.
- *With the slope*: f, and a function that gives f(x) and f'(x) together, which share most of their work.  The slope is
  kept, in the place of x, and backward is one product.  Not from y: $1 - y^2$ for tanh, or
  $y(1-y)$ for the sigmoid, have lost their digits by the time that a unit is saturated (in float32, tanh(10) is exactly 1,
  and the slope 8e-9, not 0).  Where derivatives move x by an imaginary step (:mod:`funcnn.kernels.steps`), the
  slope tells how the value moves; how the slope moves is told by a third function, x, f(x), f'(x) -> f''(x), or found in
  complex numbers.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from attrs import frozen

from funcnn.errors import check_array, check_cotangent_like, refuse_without_residuals
from funcnn.kernels.steps import is_step, value_along, value_and_slope_along
from funcnn.key import Key
from funcnn.layer import Backward, Eval, Forward, Init, Layer, Mode, Train, define_layer
from funcnn.typing import Array, Empty, Shape

Function: TypeAlias = Callable[[Array], Array]
Curvature: TypeAlias = Callable[[Array, Array, Array], Array]
WithSlope: TypeAlias = Callable[[Array], tuple[Array, Array]]
Pullback: TypeAlias = Callable[[Array, Array], Array]


@frozen(eq=False)
class Output:
    """The output of the activation."""

    value: Array


@frozen(eq=False)
class Slope:
    """The derivative of the activation at the input."""

    value: Array


def init(key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    return Init((), (), in_shape)


def forward_keeping_output(
    function: Function, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, Output]:
    check_array(x, min_ndim=1)
    y = function(x)
    return Forward(y, state, Output(y))


def backward_from_output(pullback: Pullback, params: Empty, residuals: Output, dy: Array) -> Backward[Empty, Array]:
    y = residuals.value
    check_cotangent_like(dy, y)
    return Backward(params, pullback(y, dy))


def forward_keeping_slope(
    function: Function, with_slope: WithSlope, curvature: Curvature | None, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, Slope | Empty]:
    check_array(x, min_ndim=1)
    if x.dtype.kind == "c" and is_step(x):
        return forward_along(with_slope, curvature, state, x, mode)
    if isinstance(mode, Train) or mode.residuals:
        y, slope = with_slope(x)
        return Forward(y, state, Slope(slope))
    return Forward(function(x), state, ())


def forward_along(
    with_slope: WithSlope, curvature: Curvature | None, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, Slope | Empty]:
    """Return what :func:`forward_keeping_slope` does where x is moved by an imaginary step."""
    if isinstance(mode, Eval) and not mode.residuals:
        return Forward(value_along(with_slope, x), state, ())
    y, slope = with_slope(x) if curvature is None else value_and_slope_along(with_slope, curvature, x)
    return Forward(y, state, Slope(slope))


def backward_from_slope(params: Empty, residuals: Slope | Empty, dy: Array) -> Backward[Empty, Array]:
    if not isinstance(residuals, Slope):
        refuse_without_residuals()
    slope = residuals.value
    check_cotangent_like(dy, slope)
    return Backward(params, slope * dy)


def from_output(name: str, function: Function, pullback: Pullback) -> Layer[Empty, Empty, Array, Array]:
    """Make an elementwise layer of y = f(x) and the pullback (y, dy) -> dx."""
    return define_layer(
        name, init, partial(forward_keeping_output, function), partial(backward_from_output, pullback), random=False
    )


def from_slope(
    name: str, function: Function, with_slope: WithSlope, curvature: Curvature | None = None
) -> Layer[Empty, Empty, Array, Array]:
    """Make an elementwise layer of f and the function x -> (f(x), f'(x)); with (x, f, f') -> f'' second ones are faster."""
    forward = partial(forward_keeping_slope, function, with_slope, curvature)
    return define_layer(name, init, forward, backward_from_slope, random=False)
