r"""Spectral normalization (Miyato, Kataoka, Koyama & Yoshida 2018, arXiv:1802.05957, eqs. 8 to 12 and algorithm 1).

Indices: $i$ input of a unit (all axes of the weight but one), $o$ output unit: the weight as a matrix $w_{io}$.

Forward.  The inner layer $f(x; w)$ runs with its weight divided by an estimate of the largest singular value,
$$ \sigma = |w u| = \Big(\sum_i \big(\textstyle\sum_o w_{io} u_o\big)^2\Big)^{1/2}, \qquad
   \hat w_{io} = \frac{w_{io}}{\sigma}, \qquad y = f(x; \hat w), $$
where $u$ is a unit vector in the *state*, next to another one, $v$.  After that, in training only, they move by power iterations
$$ v \leftarrow \frac{w u}{|w u|}, \qquad u \leftarrow \frac{w^\top v}{|w^\top v|}, $$
towards the singular vectors of $w$, for the next step.  One iteration a step is enough, since the weight changes little.
A length is never negative: whatever vectors stand in the state, $\hat w$ has the signs of $w$.  (The usual $v^\top w u$ is the
same when $v$ belongs to $w$ and $u$, and may be negative when it does not, as after a weight was loaded.)  Where $w u = 0$, as
for a weight of zeros, the weight is not divided.

Derivation.  The state is given: $u$ is a constant of this step, and nothing is differentiated with respect to it.  (At
the singular vector this loses nothing, since $\sigma$ is stationary in unit vectors $u$ there.)  With $q = w u / \sigma$,
$\mathrm{d}\sigma = \sum_{io} q_i u_o\,\mathrm{d}w_{io}$ and
$\mathrm{d}\hat w_{io} = \sigma^{-1}(\mathrm{d}w_{io} - \hat w_{io}\,\mathrm{d}\sigma)$.  With $\bar{\hat w}$, the weight's
cotangent that the inner layer gives,
$$ \bar w_{io} = \frac1\sigma \Big(\bar{\hat w}_{io} - q_i u_o \sum_{jp} \bar{\hat w}_{jp}\, \hat w_{jp}\Big). $$
The other parameters and the input have the cotangents that the inner layer gives.

Order.  In PyTorch the vectors move before they are used.  Here they move after, from the same weight: the function that is
computed is then exactly the one that is differentiated.  They lag behind by one step of the optimizer.
"""

from functools import partial
from typing import Generic, TypeVar

import numpy as np
from attrs import frozen

from funcnn.combinators.reweighted import HasWeight, check_axis, check_weight, with_weight
from funcnn.errors import check_count
from funcnn.kernels.arrays import dot, in_dtype_of, vector_length
from funcnn.key import Key
from funcnn.layer import (
    Backward,
    Forward,
    Init,
    Layer,
    Mode,
    Residuals,
    Train,
    backward_without_input,
    check_layer,
    define_layer,
    params_only,
)
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Scalar, Shapes

P = TypeVar("P", bound=HasWeight)
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")

START = 15
"""Power iterations at the beginning, from random vectors."""


@read_only_again
@frozen(eq=False)
class SpectralNormState(Generic[S]):
    """State of a layer with a normalized weight."""

    inner: S
    """The layer's own."""
    u: Array  # (O,)
    """Estimate of the singular vector on the side of the outputs."""
    v: Array  # (I,)
    """The same on the side of the inputs: of all axes of the weight but the outputs' one."""


@frozen(eq=False)
class SpectralNormResiduals:
    """The vector u and the direction it is mapped to, the estimate, the normalized weight, and what the inner layer kept."""

    u: Array
    q: Array  # zeros where the weight is not divided
    sigma: Scalar
    normalized: Array  # like the weight
    inner: Residuals


def as_matrix(weight: Array, axis: int) -> Array:
    """Return a weight as a matrix (I, O)."""
    last = np.moveaxis(weight, axis, -1)
    return last.reshape(-1, last.shape[-1])


def as_weight(matrix: Array, axis: int, like: Array) -> Array:
    """Return the weight, of the shape of another one, of which this is the matrix."""
    return np.moveaxis(matrix.reshape(np.moveaxis(like, axis, -1).shape), -1, axis)


def iterated(matrix: Array, u: Array, v: Array, iterations: int) -> tuple[Array, Array]:
    """Return the vectors u and v after power iterations; where the matrix maps them to 0 they stay."""
    for _ in range(iterations):
        v = normalized(matrix.dot(u), v)
        u = normalized(dot(v, matrix), u)
    return u, v


def normalized(vector: Array, otherwise: Array) -> Array:
    """Return a vector divided by its length, or another one when the length is 0."""
    length = vector_length(vector)
    return vector / length if length > 0 else otherwise


def init(inner: Layer[P, S, X, Y], axis: int, key: Key, in_shape: Shapes) -> Init[P, SpectralNormState[S]]:
    made = inner.init(key.child(0), in_shape)
    check_weight(made.params, "spectral_norm")
    matrix = as_matrix(made.params.weight, axis)
    generator = key.child(1).generator()
    u, v = [normalized(generator.normal(size=length), np.zeros(length)) for length in reversed(matrix.shape)]
    u, v = iterated(matrix, u, v, START)
    return Init(made.params, SpectralNormState(made.state, u, v), made.out_shape)


def forward(
    inner: Layer[P, S, X, Y], axis: int, iterations: int, params: P, state: SpectralNormState[S], x: X, mode: Mode
) -> Forward[Y, SpectralNormState[S], SpectralNormResiduals]:
    u, v = in_dtype_of(state.u, params.weight), in_dtype_of(state.v, params.weight)
    matrix = as_matrix(params.weight, axis)
    mapped: Array = matrix.dot(u)
    sigma = vector_length(mapped)
    if sigma == 0:
        sigma = sigma + 1
    weight = params.weight / sigma
    made = inner.forward(with_weight(params, weight), state.inner, x, mode)
    residuals = SpectralNormResiduals(u, mapped / sigma, sigma, weight, made.residuals)
    if isinstance(mode, Train):
        u, v = iterated(matrix.real, u, v, iterations)
    return Forward(made.output, SpectralNormState(made.state, u, v), residuals)


def backward(
    inner: Layer[P, S, X, Y], axis: int, params: P, residuals: SpectralNormResiduals, dy: Y, input_grad: bool = True
) -> Backward[P, X]:
    weight, sigma = residuals.normalized, residuals.sigma
    given = with_weight(params, weight), residuals.inner, dy
    made = inner.backward(*given) if input_grad else params_only(inner, *given)
    dnormalized = made.params.weight
    dsigma = (dnormalized * weight).sum()
    gradient = residuals.q[:, np.newaxis] * residuals.u  # of sigma
    dweight = dnormalized - as_weight(gradient, axis, weight) * dsigma
    dweight /= sigma
    grads = with_weight(made.params, dweight)
    return Backward(grads, made.input) if input_grad else backward_without_input(grads)


def spectral_norm(inner: Layer[P, S, X, Y], *, iterations: int = 1, axis: int = -1) -> Layer[P, SpectralNormState[S], X, Y]:
    """Divide a layer's weight by an estimate of its largest singular value, which bounds how much the layer can stretch.

    Parameters
    ----------
    inner : Layer
        A layer whose parameters have a ``weight`` of at least two axes: dense, linear, a convolution, whose kernel is taken as
        a matrix from all its inputs to the outputs.
    iterations : int, optional
        Power iterations in each step of training.
    axis : int, optional
        The weight's axis of outputs: -1, or -2 for transposed convolutions, whose weight is (*kernel, O, I).

    Returns
    -------
    Layer
        With the parameters of ``inner`` and the state :class:`SpectralNormState`: inner, and the unit vectors u (O,) and v (I,).
        Each call divides by the estimate of the vectors that it is given; in training the next state's vectors are those after
        further power iterations.  In the gradient they are constants.  The state follows the parameters' precision.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is not a layer, ``iterations`` is less than 1 or ``axis`` is neither -1 nor -2; in ``init``, when the
        layer's parameters have no weight of at least two axes.

    References
    ----------
    Miyato, Kataoka, Koyama & Yoshida (2018), Spectral normalization for generative adversarial networks, arXiv:1802.05957.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.spectral_norm(fn.linear(2))
    >>> start = layer.init(fn.Key(0), (2,))
    >>> rotated_and_stretched = type(start.params)(np.array([[0.0, 3.0], [-1.0, 0.0]]))
    >>> state = start.state
    >>> for _ in range(20):
    ...     state = layer.forward(rotated_and_stretched, state, np.ones((1, 2)), fn.Train(fn.Key(1))).state
    >>> fn.apply(layer, rotated_and_stretched, state, np.eye(2)).round(6)
    array([[ 0.      ,  1.      ],
           [-0.333333,  0.      ]])
    """
    check_layer(inner, "inner")
    iterations = check_count(iterations, "iterations", most=10_000)
    axis = check_axis(axis)
    return define_layer(
        f"spectral_norm({inner.name})",
        partial(init, inner, axis),
        partial(forward, inner, axis, iterations),
        partial(backward, inner, axis),
        random=inner.random,
        inputs=None,
    )
