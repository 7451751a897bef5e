r"""Weight normalization (Salimans & Kingma 2016, arXiv:1602.07868, eqs. 2 and 3).

Indices: $i$ input of a unit (all axes of the weight but one), $o$ output unit.

Forward.  The inner layer $f(x; w)$ runs with a weight of which length and direction are parameters,
$$ \ell_o = \Big(\sum_i v_{io}^2\Big)^{1/2}, \qquad \hat v_{io} = \frac{v_{io}}{\ell_o}, \qquad
   w_{io} = g_o\, \hat v_{io}, \qquad y = f(x; w). $$

Derivation.  $\mathrm{d}\ell_o = \sum_i \hat v_{io}\,\mathrm{d}v_{io}$, so
$\mathrm{d}\hat v_{io} = \ell_o^{-1} \big(\mathrm{d}v_{io} - \hat v_{io} \sum_j \hat v_{jo}\,\mathrm{d}v_{jo}\big)$, a symmetric
map: the projection orthogonal to $v$, divided by its length.  With $\bar w$, the weight's cotangent that the inner layer gives,
and $\mathrm{d}w_{io} = \hat v_{io}\,\mathrm{d}g_o + g_o\,\mathrm{d}\hat v_{io}$,
$$ \bar g_o = \sum_i \bar w_{io} \hat v_{io}, \qquad
   \bar v_{io} = \frac{g_o}{\ell_o} \big(\bar w_{io} - \hat v_{io}\,\bar g_o\big). $$
The other parameters and the input have the cotangents that the inner layer gives.

A direction does not depend on the length: where squares overflow or vanish, those of $v$ times a power of two are taken.
"""

from functools import partial
from typing import Generic, TypeVar

import numpy as np
from attrs import frozen

from funcnn.combinators.reweighted import HasWeight, check_axis, check_weight, with_weight
from funcnn.kernels.arrays import as_matrix, balancing, sum_axis0
from funcnn.key import Key
from funcnn.layer import (
    Backward,
    Forward,
    Init,
    Layer,
    Mode,
    Residuals,
    backward_without_input,
    check_layer,
    define_layer,
    params_only,
)
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Shapes

P = TypeVar("P", bound=HasWeight)
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")


@read_only_again
@frozen(eq=False)
class WeightNormParams(Generic[P]):
    """Parameters of a layer with a normalized weight."""

    inner: P
    """The layer's own; the weight among them is the direction v."""
    gain: Array  # (O,)
    """The length g of the weight of each output."""


@frozen(eq=False)
class WeightNormResiduals:
    """The directions, their lengths, and what the inner layer kept."""

    direction: Array  # like the weight
    length: Array  # the same with 1 for every axis but the outputs'
    inner: Residuals


def sum_to_outputs(x: Array, axis: int) -> Array:
    """Return the sum over all axes but the outputs' one, with 1 for every other axis."""
    if axis == -1:
        return sum_axis0(as_matrix(x)).reshape((1,) * (x.ndim - 1) + x.shape[-1:])
    sums: Array = x.sum(tuple([other for other in range(x.ndim) if other != x.ndim + axis]), keepdims=True)
    return sums


def direction_and_length(v: Array, axis: int) -> tuple[Array, Array]:
    """Return the directions of the outputs' weights, and their lengths; raise when one is 0."""
    info = np.finfo(v.dtype)
    with np.errstate(over="ignore", under="ignore"):
        squares = sum_to_outputs(v * v, axis)
    if info.tiny / info.eps**2 < squares.real.min(initial=1) and squares.real.max(initial=1) < np.inf:
        length = np.sqrt(squares)
        return v / length, length
    others = tuple([other for other in range(v.ndim) if other != v.ndim + axis])
    size: Array = np.abs(v.real).max(axis=others, keepdims=True)
    if not size.all():
        raise ValueError(
            f"the weight of output {int(np.argmin(size.ravel() != 0))} is all zeros, and weight_norm divides by its length:"
            " start with another weight_init"
        )
    scale = balancing(size)
    scaled = v * scale
    length = np.sqrt(sum_to_outputs(scaled * scaled, axis))
    return scaled / length, length / scale


def init(inner: Layer[P, S, X, Y], axis: int, key: Key, in_shape: Shapes) -> Init[WeightNormParams[P], S]:
    made = inner.init(key, in_shape)
    check_weight(made.params, "weight_norm")
    weight = made.params.weight
    _, length = direction_and_length(weight, axis)
    return Init(WeightNormParams(made.params, length.ravel()), made.state, made.out_shape)


def forward(
    inner: Layer[P, S, X, Y], axis: int, params: WeightNormParams[P], state: S, x: X, mode: Mode
) -> Forward[Y, S, WeightNormResiduals]:
    v = params.inner.weight
    direction, length = direction_and_length(v, axis)
    weight = direction * params.gain.reshape(length.shape)
    made = inner.forward(with_weight(params.inner, weight), state, x, mode)
    return Forward(made.output, made.state, WeightNormResiduals(direction, length, made.residuals))


def backward(
    inner: Layer[P, S, X, Y],
    axis: int,
    params: WeightNormParams[P],
    residuals: WeightNormResiduals,
    dy: Y,
    input_grad: bool = True,
) -> Backward[WeightNormParams[P], X]:
    direction, length = residuals.direction, residuals.length
    gain = params.gain.reshape(length.shape)
    given = with_weight(params.inner, direction * gain), residuals.inner, dy
    made = inner.backward(*given) if input_grad else params_only(inner, *given)
    dweight = made.params.weight
    dgain = sum_to_outputs(dweight * direction, axis)
    dv = (dweight - direction * dgain) * (gain / length)
    grads = WeightNormParams(with_weight(made.params, dv), dgain.ravel())
    return Backward(grads, made.input) if input_grad else backward_without_input(grads)


def weight_norm(inner: Layer[P, S, X, Y], *, axis: int = -1) -> Layer[WeightNormParams[P], S, X, Y]:
    """Give a layer's weight a length and a direction as separate parameters: w = g v / |v| for each output.

    Parameters
    ----------
    inner : Layer
        A layer whose parameters have a ``weight`` of at least two axes: dense, linear, a convolution.
    axis : int, optional
        The weight's axis of outputs: -1, or -2 for transposed convolutions, whose weight is (*kernel, O, I).

    Returns
    -------
    Layer
        With parameters :class:`WeightNormParams`: inner, those of the layer with the direction v as their weight (of any length
        but 0), and gain (O,), the length of each output's weight at first, so that the layer starts as it would without.

    Raises
    ------
    TypeError
        When ``inner`` is not a layer; in ``init``, when its parameters have no weight.
    ValueError
        When ``axis`` is neither -1 nor -2; in ``init``, when the weight has fewer than two axes; in ``init`` and ``forward``,
        when the weight of an output is all zeros, which has no direction.

    References
    ----------
    Salimans & Kingma (2016), Weight normalization, arXiv:1602.07868.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer, plain = fn.weight_norm(fn.dense(2)), fn.dense(2)
    >>> start, same = layer.init(fn.Key(0), (3,)), plain.init(fn.Key(0), (3,))
    >>> start.params.gain.shape, start.params.inner.weight.shape
    ((2,), (3, 2))
    >>> x = np.ones((1, 3))
    >>> np.allclose(fn.apply(layer, start.params, (), x), fn.apply(plain, same.params, (), x))
    True
    """
    check_layer(inner, "inner")
    axis = check_axis(axis)
    return define_layer(
        f"weight_norm({inner.name})",
        partial(init, inner, axis),
        partial(forward, inner, axis),
        partial(backward, inner, axis),
        random=inner.random,
        inputs=None,
    )
