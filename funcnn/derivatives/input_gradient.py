r"""The gradient of a network in its input, and the divergence of a field of vectors, as layers.

**The gradient.**  For a network with one output a example, $y_n = f(p, x_n)$, forward is $g = \nabla_x \sum_n y_n$, a backward
with a cotangent of ones.

Derivation.  With $w = \bar g$ the cotangents of p and x are the derivatives of $\langle w, \nabla_x f \rangle$, which is the
derivative of f along w.  Derivatives commute: they are the derivatives along w, in the input, of the gradient,
$$ \bar p = \frac{\partial}{\partial p} \langle w, \nabla_x f \rangle
   = \frac{\mathrm d}{\mathrm d s}\Big|_0 f_p(p, x + s w)^\top 1
   = \frac1h \operatorname{Im} f_p(p, x + i h w)^\top 1, $$
and $\bar x$ likewise: one forward and one backward in complex numbers, however many inputs there are (the mixed product; compare
:func:`funcnn.mixed_product`).

**The divergence.**  For $y = f(x)$ of the input's shape, $\sum_i \partial y_i / \partial x_i$, by a complex step in each
coordinate; its cotangents are those of a sum of values at complex points (:mod:`funcnn.derivatives.line`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.derivatives.cauchy import step
from funcnn.derivatives.complex_step import as_complex, moved, step_size, tangent
from funcnn.derivatives.coordinates import checked_inputs, chosen
from funcnn.derivatives.directional import try_own_layers
from funcnn.derivatives.line import Line, Network, along, pull
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
    if residuals.dtype.kind == "c" or dy.dtype.kind == "c":
        raise TypeError(
            f"the gradient of input_gradient({inner.name}) is taken by an imaginary step, and is given complex numbers: it cannot"
            " be moved by another one, as fn.hvp would"
        )
    try_own_layers(inner, params, state, x, residuals.mode)
    along: list[Array | None] = [np.where(np.isfinite(dy), dy, 0)]
    h = step_size((params, x), along)  # of the finite numbers: one that is not finite spoils its own example
    at, _ = gradient_at(inner, as_complex(params), state, moved(x, [dy], h), residuals.mode)
    made = Backward(tangent(at.params, h), tangent(at.input, h))
    return made if input_grad else backward_without_input(made.params)


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
        f"input_gradient({inner.name})", partial(gradient_init, part), kept, pulled, inner.random, (part,), combine_gradient
    )


def combine_gradient(parts: tuple[AnyLayer, ...]) -> Any:
    """Make the layer again for another network."""
    (part,) = parts
    return input_gradient(part)


# ----------------------------------------------------------------------------------------------------------- divergence


@frozen(eq=False)
class DivergenceResiduals:
    """The network along each coordinate, and the coordinates; what the output is like."""

    lines: tuple[Line, ...]
    numbers: tuple[int, ...]
    like: Array  # of the network's output


def divergence_init(inner: AnyLayer, inputs: tuple[int, ...] | None, key: Key, in_shape: Shapes) -> Init[Any, Any]:
    made = inner.init(key, in_shape)
    chosen(inputs, in_shape)
    if made.out_shape != in_shape:
        raise ValueError(f"divergence needs a network that keeps the shape; {inner.name} maps {in_shape} to {made.out_shape}")
    return Init(made.params, made.state, (1,))


def divergence_forward(
    inner: AnyLayer, inputs: tuple[int, ...] | None, params: Any, state: Any, x: Array, mode: Mode
) -> Forward[Array, Any, DivergenceResiduals | tuple[()]]:
    check_array(x)
    keep = isinstance(mode, Train) or keeps_residuals(mode)
    numbers = chosen(inputs, x.shape[1:])
    network = Network.of(inner, params, state, x, mode)
    try_own_layers(inner, params, state, x, mode)
    lines = [along(network, np.eye(x.shape[1], dtype=x.dtype)[number], 1, step(x.dtype)) for number in numbers]
    if lines[0].values[1].shape != x.shape:
        raise ValueError(f"{inner.name} gives {describe(lines[0].values[1])}, expected the shape of its input, {x.shape}")
    slopes: list[Array] = [line.values[1][:, [number]] for line, number in zip(lines, numbers, strict=True)]
    total: Array = np.sum(slopes, axis=0)
    if not keep:
        return Forward(total, lines[0].state, ())
    return Forward(total, lines[0].state, DivergenceResiduals(tuple(lines), numbers, lines[0].values[1]))


def divergence_backward(
    inner: AnyLayer, params: Any, residuals: DivergenceResiduals, dy: Array, input_grad: bool = True
) -> Backward[Any, Array]:
    like = residuals.like
    check_cotangent(dy, (len(like), 1), like.dtype)
    grads: Any = None
    dx: Any = None
    for line, number in zip(residuals.lines, residuals.numbers, strict=True):
        own = np.zeros(like.shape, dy.dtype)
        own[:, [number]] = dy
        dparams, dinput = pull(inner, params, line, 1, [None, own])
        grads = dparams if grads is None else tree.map(np.add, grads, dparams)
        dx = dinput if dx is None else dx + dinput
    return Backward(grads, dx) if input_grad else backward_without_input(grads)


def divergence(inner: Layer[P, S, Array, Array], inputs: Sequence[int] | None = None) -> Layer[P, S, Array, Array]:
    """Give the divergence of a field of vectors: the sum of the derivatives of each output in the input of its place.

    Parameters
    ----------
    inner : Layer
        From (N, D) to (N, D).
    inputs : sequence of int, optional
        The places that are summed over; by default all D.

    Returns
    -------
    Layer
        From x (N, D) to (N, 1), with the parameters of ``inner``: one forward in complex numbers for each place, and in backward
        one backward.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is not a layer or ``inputs`` are not positions; in ``init`` and ``forward``, when the network changes the
        shape.
    NotAnalyticError
        In ``forward``, when a layer of one's own loses the imaginary part of a complex step.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.divergence(fn.exponential()), (), (), np.array([[0.0, np.log(2)]]))
    array([[3.]])
    """
    check_layer(inner, "inner")
    numbers = checked_inputs(inputs)
    part: Any = inner
    # Any: the residuals' type is hidden from here on
    kept: Any = partial(divergence_forward, part, numbers)
    pulled: Any = partial(divergence_backward, part)
    return Layer(
        f"divergence({inner.name})",
        partial(divergence_init, part, numbers),
        kept,
        pulled,
        inner.random,
        (part,),
        partial(combine_divergence, inputs=inputs),
    )


def combine_divergence(parts: tuple[AnyLayer, ...], inputs: Sequence[int] | None) -> Any:
    """Make the layer again for another network."""
    (part,) = parts
    return divergence(part, inputs)
