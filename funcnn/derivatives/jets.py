r"""First and second derivatives along lines by the chain rule, for networks of affine layers and smooth activations.

Indices: $i$ line, with the direction $v_i$; the dot stands for $\mathrm{d}/\mathrm{d}s$ along it, at $x + s v_i$.

Along lines through x each layer maps $(x, \dot x_i, \ddot x_i)$ to $(y, \dot y_i, \ddot y_i)$.  An affine layer $y = x W + b$
maps the derivatives as it maps x, without the bias.  Of an activation $y = f(x)$, entry by entry,
$$ \dot y_i = f'(x)\, \dot x_i, \qquad \ddot y_i = f'(x)\, \ddot x_i + f''(x)\, \dot x_i^2 . $$
Both are linear in the second derivatives, so that where only their sum is wanted, as in a Laplacian, one sum is handed on
in the place of all of them: $1 + d + 1$ arrays for d lines (Li et al. 2023, arXiv:2307.08214, the forward Laplacian).

Derivation.  With cotangents $\bar y, \bar{\dot y}_i, \bar{\ddot y}_i$ the differentials of the two formulas give
$$ \bar{\ddot x}_i = f' \bar{\ddot y}_i, \qquad
   \bar{\dot x}_i = f' \bar{\dot y}_i + 2 f'' \dot x_i \bar{\ddot y}_i, \qquad
   \bar x = f' \bar y + f'' \sum_i (\dot x_i \bar{\dot y}_i + \ddot x_i \bar{\ddot y}_i) + f''' \sum_i \dot x_i^2
   \bar{\ddot y}_i , $$
where $f'''$ is the complex step of $f''$.

All arrays are one, of the shape (1 + d + k, N, ...), with k = d second derivatives or k = 1 for their sum, and so an affine
layer is one product.  The layers stand in the place of the network's own; chains and sums, which are linear, are the network's.
It equals the circles of :mod:`funcnn.derivatives.line` to their rounding, at $1 + d + k$ real passes for all lines in the place
of a real and some complex ones for each.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from attrs import evolve, frozen

from funcnn.combinators import add, residual
from funcnn.derivatives.complex_step import COMPLEX, step_length
from funcnn.errors import check_features
from funcnn.kernels.arrays import as_matrix, dot, matmul_last, matmul_last_transposed, sum_axis0
from funcnn.layer import AnyLayer, Backward, Forward, Mode, backward_without_input, chain_parts
from funcnn.layer.instrument import is_composed
from funcnn.layers.activations import elementwise
from funcnn.layers.linear import dense, linear
from funcnn.typing import Array


@frozen(eq=False)
class Jets:
    """A network's output with its first and second derivatives along lines, and what backward needs."""

    output: Array  # (1 + lines + k, N, ...)
    lines: int
    state: Any
    residuals: Any

    def values(self) -> list[list[Array]]:
        """Return the derivatives of orders 0 to 2 along each line; for a sum one list, of which the last is the sum."""
        firsts, seconds = self.output[1 : 1 + self.lines], self.output[1 + self.lines :]
        return [[self.output[0], first, second] for first, second in zip(firsts, seconds, strict=False)]


_AFFINE = {dense.forward: dense.backward, linear.forward: linear.backward}
_ADDED = {residual.forward: residual.backward, add.forward: add.backward}
"""Combinations that add what their parts give."""


def takes(layer: AnyLayer) -> bool:
    """Tell whether a network is made of layers that are known here, each with its own forward and backward."""
    if is_composed(layer):
        return hands_on(layer) and all(takes(part) for part in layer.parts)
    forward: Any = layer.forward
    bent = function_of(forward) is elementwise.forward_keeping_slope and forward.args[2] is not None
    return is_affine(layer) or (bent and function_of(layer.backward) is elementwise.backward_from_slope)


def hands_on(layer: AnyLayer) -> bool:
    """Tell whether a combination does no more than hand on, or add, what its parts give."""
    added = _ADDED.get(function_of(layer.forward)) is function_of(layer.backward)
    return layer.combine is not None and (added or bool(chain_parts(layer)))


def is_affine(layer: AnyLayer) -> bool:
    """Tell whether a layer is an affine map of the last axis."""
    return layer.forward in _AFFINE and _AFFINE[layer.forward] is layer.backward


def function_of(one: Any) -> Any:
    """Return the function that a layer's forward or backward is, with its settings or without."""
    return one.func if isinstance(one, partial) else one


def on_jets(layer: AnyLayer, of_sum: bool) -> AnyLayer:
    """Return a network of (1 + d + k, N, ...) that maps an input and its derivatives to an output and its derivatives."""
    if is_composed(layer):
        made: Any = layer
        return evolve(made.combine(tuple([on_jets(part, of_sum) for part in layer.parts])), name=layer.name)
    known = is_affine(layer)
    forward: Any = affine_forward if known else partial(bent_forward, layer, of_sum)  # Any: hidden residuals
    backward: Any = affine_backward if known else partial(bent_backward, of_sum)
    return evolve(layer, forward=forward, backward=backward)


def push(layer: AnyLayer, directions: list[Array], of_sum: bool, params: Any, state: Any, x: Array, mode: Mode) -> Jets:
    """Return what a network of :func:`on_jets` gives along lines: with all second derivatives, or their sum alone."""
    lines = len(directions)
    start: Array = np.zeros((1 + lines + (1 if of_sum else lines), *x.shape), x.dtype)
    start[0] = x
    start[1 : 1 + lines] = np.stack(directions)[:, np.newaxis]
    made = layer.forward(params, state, start, mode)
    return Jets(made.output, lines, made.state, made.residuals)


def pull(layer: AnyLayer, params: Any, jets: Jets, douts: list[list[Array | None]]) -> tuple[Any, Array]:
    """Return the cotangents of the parameters and of the input for those of the derivatives along each line."""
    dy: Array = np.zeros_like(jets.output)
    firsts, seconds = dy[1 : 1 + jets.lines], dy[1 + jets.lines :]
    for (value, first, second), own_first, own_second in zip(douts, firsts, seconds, strict=False):
        for place, one in ((dy[0], value), (own_first, first), (own_second, second)):
            if one is not None:
                place += one
    made = layer.backward(params, jets.residuals, dy)
    return made.params, made.input[0]


def affine(params: Any, x: Array) -> Array:
    """Return what an affine layer makes of a value and its derivatives."""
    check_features(x, params.weight)
    y = matmul_last(x, params.weight)
    if hasattr(params, "bias"):
        y[0] += params.bias
    return y


def affine_forward(params: Any, state: Any, x: Array, mode: Mode) -> Forward[Array, Any, Array]:
    return Forward(affine(params, x), state, x)


def affine_backward(params: Any, x: Array, dy: Array, input_grad: bool = True) -> Backward[Any, Array]:
    grads = evolve(params, weight=dot(as_matrix(x).T, as_matrix(dy)))
    if hasattr(params, "bias"):
        grads = evolve(grads, bias=sum_axis0(as_matrix(dy[0])))
    return Backward(grads, matmul_last_transposed(dy, params.weight)) if input_grad else backward_without_input(grads)


def lines_of(x: Array, of_sum: bool) -> int:
    """Return along how many lines there are derivatives in an array (1 + d + k, N, ...)."""
    return len(x) - 2 if of_sum else len(x) // 2


@frozen(eq=False)
class Bent:
    """The derivatives of the input, f' to f''' at its value, and the squares of the first derivatives, or their sum."""

    along: Array  # (lines + k, N, ...)
    slope: Array
    bend: Array
    third: Array
    squares: Array  # (k, N, ...)


def bent_forward(layer: AnyLayer, of_sum: bool, params: Any, state: Any, x: Array, mode: Mode) -> Forward[Array, Any, Bent]:
    functions: Any = layer.forward  # a partial: see takes
    _, with_slope, curvature = functions.args
    h = step_length(x.dtype)
    stepped = np.full(x.shape[1:], 1j * h, COMPLEX[x.dtype.char])
    stepped.real = x[0]
    y, slope = with_slope(stepped)
    bends = curvature(stepped, y, slope)
    slope, bend, third = slope.real.copy(), bends.real.copy(), bends.imag / h
    lines = lines_of(x, of_sum)
    squares = x[1 : 1 + lines] * x[1 : 1 + lines]
    if of_sum:
        squares = squares.sum(axis=0, keepdims=True)
    made = x * slope
    made[0] = y.real
    made[1 + lines :] += bend * squares
    return Forward(made, state, Bent(x[1:], slope, bend, third, squares))


def bent_backward(of_sum: bool, params: Any, residuals: Bent, dy: Array) -> Backward[Any, Array]:
    lines = lines_of(dy, of_sum)
    second = dy[1 + lines :]
    dx = dy * residuals.slope
    dx[1 : 1 + lines] += 2 * residuals.bend * second * residuals.along[:lines]
    dx[0] += residuals.bend * (residuals.along * dy[1:]).sum(axis=0)
    dx[0] += residuals.third * (residuals.squares * second).sum(axis=0)
    return Backward(params, dx)
