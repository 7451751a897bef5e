r"""Second derivatives of a loss along a direction.

Indices: $p$ the parameters, $x$ the input, $L(p, x) = \ell(f(p, x), t)$ the loss of a network at a batch.

The gradient $g = \partial L / \partial p$, $\bar x = \partial L / \partial x$ comes from the layers' own forward and
backward, and these are analytic.  At a point moved by an imaginary step its imaginary part is therefore its derivative along
the step:
$$ \frac{1}{h} \operatorname{Im} \begin{pmatrix} g \\ \bar x \end{pmatrix} (p + i h \dot p,\, x + i h \dot x)
   = \begin{pmatrix} L_{pp} & L_{px} \\ L_{xp} & L_{xx} \end{pmatrix} \begin{pmatrix} \dot p \\ \dot x \end{pmatrix} . $$
With $\dot x = 0$ the first row is the Hessian-vector product $H \dot p$ (Pearlmutter 1994, doi:10.1162/neco.1994.6.1.147, who
derives a rule for each layer: here none is needed); with $\dot p = 0$ the second is the one in the input, and the first the
gradient with respect to the parameters of $\langle \bar x, \dot x \rangle$, a derivative of the input gradient.

The loss's own imaginary part is $h \langle g, \dot p \rangle + h \langle \bar x, \dot x \rangle$, and g
and $\bar x$ are at hand: that the two agree is looked at each time, and would not hold if a step had been lost on the way.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Generic, TypeVar, cast

import numpy as np
from attrs import field, frozen

from funcnn.derivatives.analytic import NotAnalyticError, watched, watched_loss
from funcnn.derivatives.complex_step import check_mode, inner, inner_size, length, parts, real_part, rounding, tangent
from funcnn.derivatives.jvp import push
from funcnn.grad import check_loss_gradient
from funcnn.layer import Layer, Mode, check_layer, params_only
from funcnn.losses.loss import Loss, check_loss
from funcnn.typing import Scalar

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")


@frozen(eq=False)
class GradientJVP(Generic[P, S, X, Y]):
    """What a function made by :func:`gradient_jvp` gives: loss and gradient, and the derivative of both along a direction."""

    loss: Scalar
    """The value of the loss."""
    grads: P
    """Its gradient: a tree like the parameters."""
    input: X
    """Its gradient with respect to the input: None in the place of integers."""
    loss_tangent: Scalar
    """The derivative of the loss along the direction."""
    grads_tangent: P
    """That of the gradient: a row of the Hessian's blocks times the direction."""
    input_tangent: X
    """That of the gradient with respect to the input."""
    output: Y
    """The network's output."""
    state: S
    """The next state."""


def gradient_jvp(model: Layer[P, S, X, Y], loss: Loss[Y, T], *, probe: bool = True) -> GradientJVPFunction[P, S, X, Y, T]:
    r"""Return the function that differentiates a loss and its whole gradient along a direction in parameters and input.

    Parameters
    ----------
    model : Layer
    loss : Loss
    probe : bool, optional
        As for :func:`jvp`.

    Returns
    -------
    callable
        ``(params, state, x, target, dparams, dx, mode) -> GradientJVP``; pure, and picklable.  Directions are as for :func:`jvp`.

    Raises
    ------
    TypeError
        When the model is not a layer, or the loss is not a loss.

    Examples
    --------
    The penalty $\frac12 |\bar x|^2$ on the gradient with respect to the input has the gradient $L_{px} \bar x$:

    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(4) >> fn.tanh() >> fn.dense(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> x, target = np.ones((3, 2)), np.zeros((3, 1))
    >>> both = fn.gradient_jvp(model, fn.half_squared_error())
    >>> at = start.params, start.state, x, target
    >>> dx = both(*at, None, None, fn.Eval()).input
    >>> penalty_gradient = both(*at, None, dx, fn.Eval()).grads_tangent
    >>> penalty_gradient[0].weight.shape
    (2, 4)
    """
    return GradientJVPFunction(*checked(model, loss, probe))


def checked(model: Layer[P, S, X, Y], loss: Loss[Y, T], probe: bool) -> tuple[Any, Any, Any, Any]:
    """Return a model and a loss, and the forms of both that try what is one's own; raise when they are something else."""
    check_layer(model, "the model")
    check_loss(loss)
    return (model, loss, watched(model), watched_loss(loss)) if probe else (model, loss, model, loss)


@frozen
class GradientJVPFunction(Generic[P, S, X, Y, T]):
    """What :func:`gradient_jvp` returns."""

    model: Layer[P, S, X, Y]
    loss: Loss[Y, T]
    watched: Layer[P, S, X, Y] = field(repr=False)
    watched_loss: Loss[Y, T] = field(repr=False)

    def __call__(
        self, params: P, state: S, x: X, target: T, dparams: P | None, dx: X | None, mode: Mode, /
    ) -> GradientJVP[P, S, X, Y]:
        """Return the loss, its gradient, and the derivative of both along a direction."""
        return differentiated(
            self.watched, self.watched_loss, (params, state, x, target), (dparams, dx), mode, ("dparams", "dx"), True
        )


def differentiated(
    model: Layer[P, S, X, Y],
    loss: Loss[Y, T],
    at: tuple[P, S, X, T],
    along: tuple[P | None, X | None],
    mode: Mode,
    names: tuple[str, str] = ("vector", "vector"),
    input_grad: bool = False,
) -> GradientJVP[P, S, X, Y]:
    """Return loss and gradient, and the derivative of both along a direction; the input's part if it is asked for, or moved."""
    params, state, x, target = at
    check_mode(mode)
    pushed = push(model, (params, state, x), along, mode, names)
    output, h = pushed.network.output, pushed.h
    scored = loss.forward(output, target)
    doutput: Any = loss.backward(scored.residuals)  # Any: most often an array, which is looked at
    if type(doutput) is not np.ndarray or doutput.shape != getattr(output, "shape", None):
        check_loss_gradient(doutput, output, loss.name)
    input_grad = input_grad or along[1] is not None
    pull: Any = model.backward if input_grad else partial(params_only, model)
    pulled = pull(pushed.params, pushed.network.residuals, doutput)
    grads, dx = real_part(pulled.params), real_part(pulled.input) if input_grad else None
    slope = slope_of(scored.value, h)
    check_alive(slope, (grads, dx), along, (tangent(output, h), real_part(doutput)), h)
    return GradientJVP(
        scored.value.real,
        grads,
        cast(X, dx),
        slope,
        tangent(pulled.params, h),
        cast(X, tangent(pulled.input, h) if input_grad else None),
        real_part(output),
        real_part(pushed.network.state),
    )


def slope_of(value: Scalar, h: float) -> Scalar:
    """Return the derivative of a loss's value, a number."""
    return cast(Scalar, np.asarray(value).imag[()] / value.real.dtype.type(h))


def check_alive(slope: Scalar, grads: tuple[Any, Any], along: tuple[Any, Any], output: tuple[Any, Any], h: float) -> None:
    """Raise unless the loss's complex step is the inner product of its gradient with the direction, to half of the digits.

    What rounding may do is measured at the network's output, where the terms of the sum have not cancelled yet.  A slope of 0 has
    a third order of the step in its place.
    """
    moved = [(one, way) for one, way in zip(grads, along, strict=True) if way is not None and one is not None]
    found, ways = [[leaf for one in both for leaf in parts(one)] for both in zip(*moved, strict=True)] or ([], [])
    expected, eps = inner(found, ways), float(np.finfo(slope.dtype).eps)
    if abs(float(slope) - expected) <= np.sqrt(eps) * abs(expected):  # the terms are larger than their sum: within the bar
        return
    size = inner_size(*output) + inner_size(found, ways)
    lengths = length(ways) * (length(found) + length(output[1]))
    bar = rounding(eps, size, lengths) + h
    if np.isfinite(size) and abs(float(slope) - expected) > bar:
        raise NotAnalyticError(
            f"the loss moves by {float(slope):.6g} along the direction in a complex step, and by {expected:.6g} by its gradient:"
            " a layer or the loss is not analytic, or its gradient is wrong; fn.check.check_model tells which"
        )


def hvp(model: Layer[P, S, X, Y], loss: Loss[Y, T], *, probe: bool = True) -> HVPFunction[P, S, X, Y, T]:
    r"""Return the function that multiplies the Hessian of a loss with a vector: $H v$, $H = \partial^2 L / \partial p^2$.

    One forward and one backward in complex numbers; the product is right to rounding, and the matrix is never made.

    Parameters
    ----------
    model : Layer
    loss : Loss
    probe : bool, optional
        As for :func:`jvp`.

    Returns
    -------
    callable
        ``(params, state, x, target, vector, mode) -> product``: vector and product are like the parameters, with None in the
        place of integers.  Pure, and picklable.

    Raises
    ------
    TypeError
        When the model is not a layer, or the loss is not a loss.

    Notes
    -----
    At kinks the product is that of the branch that backward takes: a network of relu layers has the Hessian of its linear piece.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.linear(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> x, target = np.array([[1.0, 2.0], [0.0, 1.0]]), np.zeros((2, 1))
    >>> vector = fn.tree.map(np.ones_like, start.params)
    >>> fn.hvp(model, fn.half_squared_error())(start.params, start.state, x, target, vector, fn.Eval()).weight
    array([[1.5],
           [3.5]])

    See Also
    --------
    ggn_product : of the Gauss-Newton matrix, which is never negative.
    gradient_jvp : the products with the blocks of parameters and input, and the gradient besides.
    """
    return HVPFunction(*checked(model, loss, probe))


@frozen
class HVPFunction(Generic[P, S, X, Y, T]):
    """What :func:`hvp` returns."""

    model: Layer[P, S, X, Y]
    loss: Loss[Y, T]
    watched: Layer[P, S, X, Y] = field(repr=False)
    watched_loss: Loss[Y, T] = field(repr=False)

    def __call__(self, params: P, state: S, x: X, target: T, vector: P, mode: Mode, /) -> P:
        """Return the Hessian times a vector."""
        at = params, state, x, target
        return differentiated(self.watched, self.watched_loss, at, (vector, None), mode).grads_tangent


def input_hvp(model: Layer[P, S, X, Y], loss: Loss[Y, T], *, probe: bool = True) -> InputHVPFunction[P, S, X, Y, T]:
    r"""Return the function that multiplies the Hessian of a loss in the input with a vector: $\partial^2 L / \partial x^2 \; v$.

    Parameters
    ----------
    model, loss, probe
        As for :func:`hvp`.

    Returns
    -------
    callable
        ``(params, state, x, target, vector, mode) -> product``: vector and product are like the input.  Pure, and picklable.

    Raises
    ------
    TypeError
        When the model is not a layer, or the loss is not a loss.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> x, vector = np.array([[0.0, 0.5]]), np.array([[1.0, 0.0]])
    >>> product = fn.input_hvp(fn.exponential(), fn.half_squared_error(reduction="sum"))
    >>> product((), (), x, np.zeros((1, 2)), vector, fn.Eval())
    array([[2., 0.]])
    """
    return InputHVPFunction(*checked(model, loss, probe))


@frozen
class InputHVPFunction(Generic[P, S, X, Y, T]):
    """What :func:`input_hvp` returns."""

    model: Layer[P, S, X, Y]
    loss: Loss[Y, T]
    watched: Layer[P, S, X, Y] = field(repr=False)
    watched_loss: Loss[Y, T] = field(repr=False)

    def __call__(self, params: P, state: S, x: X, target: T, vector: X, mode: Mode, /) -> X:
        """Return the Hessian in the input times a vector."""
        at = params, state, x, target
        return differentiated(self.watched, self.watched_loss, at, (None, vector), mode).input_tangent


def mixed_product(model: Layer[P, S, X, Y], loss: Loss[Y, T], *, probe: bool = True) -> MixedProductFunction[P, S, X, Y, T]:
    r"""Return the function that differentiates the gradient along the input: $\partial^2 L / \partial p\, \partial x \; v$.

    It is the gradient with respect to the parameters of $\langle \partial L / \partial x, v \rangle$: what a penalty on the
    gradient in the input needs.

    Parameters
    ----------
    model, loss, probe
        As for :func:`hvp`.

    Returns
    -------
    callable
        ``(params, state, x, target, vector, mode) -> product``: the vector is like the input, the product like the parameters.
        Pure, and picklable.

    Raises
    ------
    TypeError
        When the model is not a layer, or the loss is not a loss.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.linear(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> weight = start.params.weight
    >>> x, vector = np.array([[1.0, 2.0]]), np.array([[1.0, 0.0]])
    >>> product = fn.mixed_product(model, fn.half_squared_error())
    >>> made = product(start.params, start.state, x, np.zeros((1, 1)), vector, fn.Eval())
    >>> bool(np.allclose(made.weight, x.T * weight[0] + (x @ weight) * vector.T))
    True
    """
    return MixedProductFunction(*checked(model, loss, probe))


@frozen
class MixedProductFunction(Generic[P, S, X, Y, T]):
    """What :func:`mixed_product` returns."""

    model: Layer[P, S, X, Y]
    loss: Loss[Y, T]
    watched: Layer[P, S, X, Y] = field(repr=False)
    watched_loss: Loss[Y, T] = field(repr=False)

    def __call__(self, params: P, state: S, x: X, target: T, vector: X, mode: Mode, /) -> P:
        """Return the derivative of the gradient along a direction in the input."""
        at = params, state, x, target
        return differentiated(self.watched, self.watched_loss, at, (None, vector), mode).grads_tangent
