r"""The gradient of a network in its input, as a layer.

For a network with one output an example, $y_n = f(p, x_n)$, forward is $g = \nabla_x \sum_n y_n$, a backward
with a cotangent of ones.

Derivation.  With $w = \bar g$ the cotangents of p and x are the derivatives of $\langle w, \nabla_x f \rangle$, which is the
derivative of f along w.  Derivatives commute: they are the derivatives along w, in the input, of the gradient,
$$ \bar p = \frac{\partial}{\partial p} \langle w, \nabla_x f \rangle
   = \frac{\mathrm d}{\mathrm d s}\Big|_0 f_p(p, x + s w)^\top 1
   = \frac1h \operatorname{Im} f_p(p, x + i h w)^\top 1, $$
and $\bar x$ likewise: one forward and one backward in complex numbers, however many inputs there are (the mixed product; compare
:func:`funcnn.mixed_product`).

A backward that an outer derivative has moved takes a circle in s, and one in the outer direction:
:mod:`funcnn.derivatives.outer`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar

import numpy as np
from attrs import evolve, frozen

from funcnn import tree
from funcnn.derivatives.cauchy import circle_within, find_reach, roots, whole_weights
from funcnn.derivatives.complex_step import as_complex, moved, step_size, tangent
from funcnn.derivatives.outer import (
    POINTS,
    MovedResiduals,
    at,
    flat,
    is_moved,
    largest,
    moved_backward,
    outer_circle,
    split,
    step_of,
)
from funcnn.derivatives.sums import remake, try_own_layers
from funcnn.errors import check_array, check_cotangent, describe
from funcnn.key import Key
from funcnn.layer import (
    AnyLayer,
    Backward,
    Eval,
    Forward,
    Init,
    Layer,
    Mode,
    Train,
    backward_without_input,
    check_layer,
    keeps_residuals,
)
from funcnn.typing import Array, Shapes

P = TypeVar("P")
S = TypeVar("S")


@frozen(eq=False)
class GradientResiduals:
    """Where the gradient was taken, and its dtype."""

    x: Array
    state: Any
    mode: Mode
    dtype: np.dtype[np.floating]


def gradient_init(inner: AnyLayer, key: Key, in_shape: Shapes) -> Init[Any, Any]:
    made = inner.init(key, in_shape)
    if made.out_shape not in ((), (1,)):
        raise ValueError(
            f"input_gradient needs a network with one number for each example; {inner.name} maps the shape {in_shape} to"
            f" {made.out_shape}: end it with fn.dense(1)"
        )
    return Init(made.params, made.state, in_shape)


def gradient_at(inner: AnyLayer, params: Any, state: Any, x: Array, mode: Mode) -> tuple[Backward[Any, Array], Any]:
    """Return the gradients of the sum of the outputs, and the next state."""
    made = inner.forward(params, state, x, mode)
    output: object = made.output
    if not isinstance(output, np.ndarray) or output.size != len(x):
        raise ValueError(f"{inner.name} gives {describe(output)}, expected one number for each of {len(x)} examples")
    return inner.backward(params, made.residuals, np.ones_like(output)), made.state


def gradient_forward(
    inner: AnyLayer, params: Any, state: Any, x: Array, mode: Mode
) -> Forward[Array, Any, GradientResiduals | tuple[()]]:
    check_array(x, min_ndim=1)
    keep = isinstance(mode, Train) or keeps_residuals(mode)
    made, after = gradient_at(inner, params, state, x, mode if keep else Eval())
    if not keep:
        return Forward(made.input, after, ())
    return Forward(made.input, after, GradientResiduals(x, state, mode, made.input.dtype))


def gradient_backward(
    inner: AnyLayer, params: Any, residuals: GradientResiduals, dy: Array, input_grad: bool = True
) -> Backward[Any, Array]:
    x, state = residuals.x, residuals.state
    check_cotangent(dy, x.shape, residuals.dtype)
    if is_moved(params, x, dy):
        return moved_gradient_backward(inner, params, residuals, dy, input_grad)
    try_own_layers(inner, params, state, x, residuals.mode)
    along: list[Array | None] = [np.where(np.isfinite(dy), dy, 0)]
    h = step_size((params, x), along)  # of the finite numbers: one that is not finite spoils its own example
    at, _ = gradient_at(inner, as_complex(params), state, moved(x, [dy], h), residuals.mode)
    made = Backward(tangent(at.params, h), tangent(at.input, h))
    return made if input_grad else backward_without_input(made.params)


# ------------------------------------------------------------------------------------------------- moved by an outer derivative


def moved_gradient_backward(
    inner: AnyLayer, params: Any, residuals: GradientResiduals, dy: Array, input_grad: bool
) -> Backward[Any, Array]:
    """Return the cotangents at a moved point, of which the imaginary parts are their derivatives along the step."""
    name, state, mode = f"input_gradient({inner.name})", residuals.state, residuals.mode
    step = step_of(name, params, residuals.x)
    kept = MovedResiduals(name, step, state, mode, GradientResiduals(step.x, state, mode, step.x.dtype), None, None)
    if step.h and len(step.x):
        kept = with_circles(inner, kept, *split(dy, step.h)[:2])
    return moved_backward(partial(gradient_backward, inner), partial(slope_on_circle, inner, kept), kept, dy, input_grad)


def with_circles(inner: AnyLayer, kept: MovedResiduals, dy: Array, along: Array) -> MovedResiduals:
    """Return what backward needs at complex points, with the circles that a few examples allow; the inner one in units of dy."""
    few, dtype = kept.step.few(), kept.step.x.dtype
    dy, along = (one[:: max(1, len(dy) // 8)][:8] for one in (dy, along))
    params, size = as_complex(few.params), largest(dy) or 1.0

    def gradient(s: Any) -> Array:
        return flat(gradient_at(inner, params, kept.state, few.x + (s / size) * dy, kept.mode)[0].input)

    with np.errstate(all="ignore"):
        circle = circle_within(find_reach(gradient, dtype), 1, POINTS, dtype)
    kept = evolve(kept, inner=evolve(circle, radius=circle.radius / size, reach=circle.reach / size))

    def slope(tau: Any) -> Array:
        return flat(slope_on_circle(inner, kept, few.at(tau), at(tau, dy, along))[1])

    return evolve(kept, circle=outer_circle(kept.name, slope, dtype))


def slope_on_circle(inner: AnyLayer, kept: MovedResiduals, point: tuple[Any, Any], dy: Array) -> tuple[Any, Array]:
    """Return the derivative of the gradients along dy in the input, at a complex point: the sum over a whole circle."""
    params, x = as_complex(point[0]), point[1]
    dtype = x.real.dtype
    total: Any = None
    for factor, root in zip(whole_weights(kept.inner, 1, dtype)[1], roots(POINTS, dtype), strict=True):
        shifted = x + dtype.type(kept.inner.radius) * root * dy
        made, _ = gradient_at(inner, params, kept.state, shifted, kept.mode)
        term = tree.map_cotangents(partial(np.multiply, factor), (made.params, made.input))
        total = term if total is None else tree.map_cotangents(np.add, total, term)
    grads, dx = total
    return grads, dx


def input_gradient(inner: Layer[P, S, Array, Array]) -> Layer[P, S, Array, Array]:
    """Give the gradient of a network in its input.

    Parameters
    ----------
    inner : Layer
        A network with one number for each example, (N, 1) or (N,).

    Returns
    -------
    Layer
        From x (N, ...) to the gradient, of its shape, with the parameters of ``inner``: forward is one gradient, and backward one
        in complex numbers.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is not a layer; in ``init`` and ``forward``, when the network gives more than one number for an example.
    NotAnalyticError
        In ``backward``, when a layer of one's own loses the imaginary part of a complex step.

    Notes
    -----
    At a kink (relu) the derivative is that of the smooth piece.  A penalty on the gradient of a critic (Gulrajani et al. 2017,
    arXiv:1704.00028) is a loss of this layer's output.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.input_gradient(fn.exponential() >> fn.dense(1, weight_init=fn.initializers.ones))
    >>> start = model.init(fn.Key(0), (2,))
    >>> fn.apply(model, start.params, start.state, np.array([[0.0, np.log(2)]]))
    array([[1., 2.]])
    """
    check_layer(inner, "inner")
    part: Any = inner
    # Any: the residuals' type is hidden from here on
    kept: Any = partial(gradient_forward, part)
    pulled: Any = partial(gradient_backward, part)
    return Layer(
        f"input_gradient({inner.name})",
        partial(gradient_init, part),
        kept,
        pulled,
        inner.random,
        (part,),
        partial(remake, input_gradient, {}),
    )
