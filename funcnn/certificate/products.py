r"""Whether the products of derivatives are right for a layer or a loss: rows of the certificate beside those of the gradient.

What is compared is computed in other ways: tangents with central differences of forward in long double, Hessian-vector products
with central differences of backward in long double, both along fixed directions; single examples with a loop.  The dot test
holds the two directions of one derivative against each other, $\langle J v, w \rangle = \langle v, J^\top w \rangle$, and at
kinks too, where differences mean nothing: the step has to take the branch that backward takes.

Curvature is made of these: of products with Hessians and Gauss-Newton matrices; of gradients of single examples, whose squares
are diagonals; of their norms; of the two factors of each, which Kronecker factors add up (multiplied out they are the gradients
of the loop); and of the root of a loss's Hessian in the prediction, whose square is that Hessian.

A layer has no loss of its own.  Its second derivatives are those of $\sum_k c_k (y_k + y_k^2/2 + y_k^3/6)$ of the output y, with
fixed numbers c: gradient and curvature differ from entry to entry, and neither is 0 where y is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.certificate.cases import LayerCase, LossCase
from funcnn.certificate.edges import EDGES, Edge
from funcnn.curvature.conjugate_gradient import NegativeCurvatureError
from funcnn.curvature.factors import groups
from funcnn.curvature.loss_curvature import output_columns
from funcnn.derivatives.apart import apart, batch_size, example, example_mode
from funcnn.derivatives.complex_step import inner, inner_size, length, parts
from funcnn.derivatives.ggn import curved, ggn_product
from funcnn.derivatives.hvp import gradient_jvp
from funcnn.derivatives.jvp import jvp
from funcnn.derivatives.per_example import cotangents, example_target, forwards, per_example_grads, per_example_norms
from funcnn.layer import AnyLayer, Mode, Train, params_only
from funcnn.losses.batch_rule import is_batchwise
from funcnn.losses.loss import Loss, LossForward, define_loss
from funcnn.typing import Array

_WIDE = np.longdouble
_STEP = 1e-7
_KINKED = EDGES[1:3]
_DOT, _SAME = 1e-11, 1e-11
_ON_CIRCLES = 1e-10  # of derivatives of derivatives, of which circles leave some digits fewer
_DIFFERENCES = 1e-5 if np.finfo(_WIDE).eps > 1e-17 else 1e-7


@frozen
class Product:
    """How far a product is from what it is compared with, relative to the larger of the two, and how far it may be."""

    name: str
    """``jvp``, ``dot``, ``hvp``, ``symmetry``, ``ggn``, ``per example``, ``norms``, ``factors`` or ``root``; with the edge where
    that is not the plain input."""
    error: float
    bar: float
    note: str = ""
    """Why there is nothing to compare."""


def layer_products(case: LayerCase, params: Any, state: Any, mode: Mode) -> Iterator[Product]:
    """Yield how far each product of a layer is off."""
    layer, x = case.make(), case.x()
    dot = _ON_CIRCLES if computes_at_complex_points(layer) else _DOT
    yield from _dots(layer, (params, state, x), mode, dot)
    for edge in _KINKED:
        with np.errstate(all="ignore"):
            yield from _dots(layer, (params, state, edge(x)), mode, dot, edge)
    loss = _cubic()
    along, across = _direction((params, x), 1), _direction((params, x), 2)
    at = params, state, x, ()
    both = gradient_jvp(layer, loss, probe=False)
    one, other = both(*at, along[0], along[1], mode), both(*at, across[0], across[1], mode)
    rows = (one.grads_tangent, one.input_tangent), (other.grads_tangent, other.input_tangent)
    yield _close("symmetry", inner(rows[0], across), inner(rows[1], along), dot, inner_size(rows[0], across))
    yield from _by_differences(case, layer, (params, state, x), along, rows[0], mode)
    yield from _single(case, layer, (params, state, x), mode)


def computes_at_complex_points(layer: AnyLayer) -> bool:
    """Tell whether a layer gives derivatives of a network."""
    function: Any = layer.forward
    return str(getattr(getattr(function, "func", function), "__module__", "")).startswith("funcnn.derivatives.")


def _dots(layer: AnyLayer, at: tuple[Any, Any, Any], mode: Mode, bar: float, edge: Edge | None = None) -> Iterator[Product]:
    """Yield the dot test."""
    params, state, x = at
    along = _direction((params, x), 1)
    made = jvp(layer, probe=False)(params, state, x, along[0], along[1], mode)
    kept = layer.forward(params, state, x, mode)
    doutput = _direction(kept.output, 3)
    pulled = layer.backward(params, kept.residuals, doutput)
    slopes = pulled.params, pulled.input
    size = inner_size(made.tangent, doutput) + inner_size(along, slopes)
    yield _close(f"dot {edge.name}" if edge else "dot", inner(made.tangent, doutput), inner(along, slopes), bar, size)


def _by_differences(
    case: LayerCase, layer: AnyLayer, at: tuple[Any, Any, Any], along: Any, row: Any, mode: Mode
) -> Iterator[Product]:
    """Yield the products that are compared with central differences."""
    names = ("jvp", "hvp", "ggn")
    if case.surrogate is not None:
        yield from [
            Product(name, 0, 0, "backward is that of a surrogate: the dot test says that the step is too") for name in names
        ]
        return
    if not case.smooth and not computes_at_complex_points(layer):
        yield from [Product(name, 0, 0, "the inputs stand at kinks: the dot test tells the branch") for name in names]
        return
    params, state, x = at
    above, below = (_gradient(layer, at, along, sign * _STEP, mode) for sign in (1, -1))
    tangent, slopes = (_quotient(one, other) for one, other in zip(above, below, strict=True))
    yield _near("jvp", jvp(layer, probe=False)(params, state, x, along[0], along[1], mode).tangent, tangent, _DIFFERENCES)
    yield _near("hvp", row, slopes, _DIFFERENCES, _rounding(above[1]))
    only = along[0], tree.map_cotangents(np.zeros_like, along[1])
    up, down = (_gradient(layer, at, only, sign * _STEP, mode)[0] for sign in (1, -1))
    kept = layer.forward(params, state, x, mode)
    weighed = tree.map_cotangents(np.multiply, _quotient(up, down), tree.map_cotangents(_curvature, _floating(kept.output)))
    narrow = tree.map_cotangents(lambda leaf: leaf.astype(np.float64), weighed)
    expected = layer.backward(params, kept.residuals, narrow).params
    made = ggn_product(layer, _cubic(), probe=False)(params, state, x, (), along[0], mode)
    yield _near("ggn", made, expected, _DIFFERENCES)


def _gradient(layer: AnyLayer, at: tuple[Any, Any, Any], along: Any, step: float, mode: Mode) -> tuple[Any, Any]:
    """Return the output, and the gradient of the loss, at a point moved by a real step, in long double."""
    state = tree.astype(at[1], _WIDE)
    params, x = _moved((at[0], at[2]), along, step)
    made = layer.forward(params, state, x, mode)
    pulled = layer.backward(params, made.residuals, _slope(made.output))
    return _floating(made.output), (pulled.params, pulled.input)


def _single(case: LayerCase, layer: AnyLayer, at: tuple[Any, Any, Any], mode: Mode) -> Iterator[Product]:
    """Yield the gradients of single examples beside those of a loop."""
    params, state, x = at
    if not case.independent and (isinstance(mode, Train) or layer.name == "batch_norm_without_statistics"):
        why = "the examples are normalized with each other, and none has a gradient of its own"
        yield from [Product(name, 0, 0, why) for name in ("per example", "norms", "factors")]
        return
    loop = []
    for index in range(batch_size(x)):
        made = layer.forward(params, state, example(x, index), example_mode(mode, index))
        loop.append(layer.backward(params, made.residuals, _slope(made.output)).params)
    expected = tree.map_cotangents(lambda *leaves: np.stack(leaves), *loop)
    yield _near("per example", per_example_grads(layer, _cubic())(params, state, x, (), mode), expected, _SAME)
    norms = np.array([length(one) for one in loop])
    yield _near("norms", per_example_norms(layer, _cubic())(params, state, x, (), mode), norms, _SAME)
    yield _near("factors", _multiplied_out(layer, (params, state, x), mode), _rows(parts(expected), x), _SAME)


def _multiplied_out(layer: AnyLayer, at: tuple[Any, Any, Any], mode: Mode) -> Array:
    """Return the gradients of single examples (n, D) from the factors that Kronecker factors are made of."""
    factored = apart(layer, "pairs")
    network, doutput = forwards(factored, _cubic(), (*at, ()), mode)
    taken = groups(at[0], params_only(factored, at[0], network.residuals, doutput).params, tree.paths(at[0]))
    return _rows([group.dy if group.x is None else np.matmul(group.x.swapaxes(1, 2), group.dy) for group in taken], at[2])


def _rows(grads: list[Any], x: Any) -> Array:
    """Return gradients of single examples as a matrix (n, D), those of all leaves beside one another."""
    flat = [leaf.reshape(len(leaf), -1) for leaf in grads if leaf is not None and leaf.size]
    made: Array = np.concatenate(flat, axis=1) if flat else np.zeros((batch_size(x), 0))
    return made


def loss_products(case: LossCase) -> Iterator[Product]:
    """Yield how far each product of a loss is off: those with its gradient and its Hessian in the prediction."""
    loss = case.make()
    prediction, target = case.draw(np.random.default_rng(1), case.batch)
    along, across = _direction(prediction, 1), _direction(prediction, 2)
    grads = loss.backward(loss.forward(prediction, target).residuals)
    one, other = curved(loss, prediction, target, along), curved(loss, prediction, target, across)
    yield _close("symmetry", inner(one, across), inner(other, along), _DOT, inner_size(one, across))

    def at(step: float) -> tuple[Any, Any]:
        made = loss.forward(_moved(prediction, along, step), target)
        return made.value, loss.backward(made.residuals)

    above, below = at(_STEP), at(-_STEP)
    slope = float((above[0] - below[0]) / (2 * _STEP))
    yield _close("dot", slope, inner(grads, along), _DIFFERENCES, inner_size(grads, along))
    yield _near("hvp", one, _quotient(above[1], below[1]), _DIFFERENCES, _rounding(above[1]))
    if is_batchwise(loss):
        why = "the examples of a batch are compared with each other"
        yield from [Product(name, 0, 0, why) for name in ("per example", "root")]
        return
    count = batch_size(prediction)
    rows = [_own_gradient(loss, example(prediction, index), example_target(target, index)) for index in range(count)]
    joined = tree.map_cotangents(lambda *leaves: np.concatenate(leaves), *rows)
    yield _near("per example", cotangents(loss, prediction, target), joined, _SAME)
    yield _root(loss, prediction, target, along, one)


def _root(loss: Loss[Any, Any], prediction: Any, target: Any, along: Any, curved_along: Any) -> Product:
    """Return how far the square of the root of the loss's Hessian in the prediction is off, times a direction."""
    if not isinstance(prediction, np.ndarray):
        return Product("root", 0, 0, "the prediction is not one array")
    try:
        columns = output_columns(loss, prediction, target)
    except NegativeCurvatureError:
        return Product("root", 0, 0, "the loss is not convex in the prediction")
    made = np.zeros_like(prediction)
    for column in columns:
        weights = (column * along).reshape(len(column), -1).sum(axis=1)
        made += column * weights.reshape(-1, *(1,) * (column.ndim - 1))
    return _near("root", made, curved_along, _SAME)


def _own_gradient(loss: Loss[Any, Any], prediction: Any, target: Any) -> Any:
    if loss.mass is not None and loss.reduction == "mean" and loss.mass(target) == 0:
        return tree.map_cotangents(np.zeros_like, prediction)
    return loss.backward(loss.forward(prediction, target).residuals)


# ------------------------------------------------------------------------------------------------------------- the parts


def _direction(values: Any, seed: int) -> Any:
    """Draw a direction: like the values, with None for what has none."""
    generator = np.random.default_rng([7, seed])  # no case draws by this

    def draw(leaf: Array) -> Any:  # Any: None of integers
        return generator.normal(size=leaf.shape).astype(leaf.dtype) if leaf.dtype.kind == "f" else None

    return tree.map_cotangents(draw, values)


def _moved(values: Any, along: Any, step: float) -> Any:
    """Return values moved along a direction, in long double."""
    ways = iter(parts(along))
    moved = []
    for leaf in tree.leaves(values):
        way = next(ways)
        moved.append(leaf if way is None else leaf.astype(_WIDE) + _WIDE(step) * way)
    return tree.rebuild(values, iter(moved))


def _floating(output: Any) -> Any:
    """Return an output with None in the place of integers, as its cotangents have it."""
    return tree.map_cotangents(_if_floating, output)


def _if_floating(leaf: Array) -> Any:  # Any: None of integers
    return leaf if leaf.dtype.kind in "fc" else None


def _quotient(above: Any, below: Any) -> Any:
    return tree.map_cotangents(lambda one, other: (one - other) / (2 * _WIDE(_STEP)), above, below)


def _close(name: str, one: float, other: float, bar: float, size: float) -> Product:
    """Compare two numbers; what a complex step leaves of a 0 is a 0."""
    return Product(name, abs(one - other) / max(size, 1e-20), bar)


def _rounding(values: Any) -> float:
    """Return what rounding of the largest entry makes of a quotient of differences, times what the bar divides by."""
    largest = max((float(np.abs(leaf).max()) for leaf in parts(values) if leaf is not None and leaf.size), default=0.0)
    return largest * float(np.finfo(_WIDE).eps) / _STEP / _DIFFERENCES


def _near(name: str, found: Any, expected: Any, bar: float, floor: float = 0.0) -> Product:
    """Compare two trees, by the largest entry of all leaves."""
    pairs = [(a, b) for a, b in zip(parts(found), parts(expected), strict=True) if a is not None and b is not None and a.size]
    size = max((float(np.abs(b).max()) for _, b in pairs), default=0.0)
    error = max((float(np.abs(a - b).max()) for a, b in pairs), default=0.0)
    return Product(name, error / max(size, floor, 1e-20), bar)


def _factors(leaf: Array) -> Array:
    """Return the numbers c of one example: they differ within it, and are the same for all."""
    factors: Array = np.cos(np.arange(leaf[:1].size)).reshape(leaf.shape[1:])
    return factors.astype(leaf.real.dtype)


def _slope_of(leaf: Array) -> Array:
    return _factors(leaf) * (1 + leaf + leaf * leaf / 2)


def _curvature(leaf: Array) -> Array:
    return _factors(leaf) * (1 + leaf)


def _slope(output: Any) -> Any:
    return tree.map_cotangents(_slope_of, _floating(output))


def _value(output: Any, target: Any) -> LossForward[Any]:
    terms = [(_factors(y) * (y + y * y / 2 + y**3 / 6)).sum() for y in parts(_floating(output)) if y is not None]
    value: Any = sum(terms, np.float32(0))
    return LossForward(value, output)


def _cubic() -> Loss[Any, Any]:
    return define_loss("cubic", _value, _slope, reduction="sum")
