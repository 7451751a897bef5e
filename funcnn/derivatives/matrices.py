r"""Jacobians and Hessians as matrices, of networks that are small enough to have them.

Indices: $y = f(p, x)$ the output of $M$ numbers, $p$ the parameters of $D$ numbers.

A row of the Jacobian is a backward of a unit cotangent, $e_m^\top J$; a column is a complex forward along a unit direction, $J
e_d$.  The shorter way is taken: rows where $M \le D$.  A column of the Hessian is a Hessian-vector product, $H e_d$.

Columns come one after the other: a batch shares its parameters, so that directions in these cannot stand side by side in one pass
as directions in the input can.  What stands still is looked at, and made complex, once for all columns: a small network's time is
that of calls and checks, and a Hessian takes half of the time of so many products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.derivatives.complex_step import as_complex, check_real, parts, real_part, step_size, tangent
from funcnn.derivatives.hvp import HVPFunction, check_alive, checked, differentiated, slope_of
from funcnn.derivatives.jvp import LinearizeFunction, linearize
from funcnn.errors import describe
from funcnn.layer import Layer, Mode, params_only
from funcnn.losses.loss import Loss
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")
V = TypeVar("V")


def jacobian(model: Layer[P, S, X, Array], *, probe: bool = True) -> JacobianFunction[P, S, X]:
    r"""Return the function that computes the derivative of every output by every parameter.

    Parameters
    ----------
    model : Layer
        With an output of one array.
    probe : bool, optional
        As for :func:`jvp`.

    Returns
    -------
    callable
        ``(params, state, x, mode) -> tree`` like the parameters, each leaf of the output's shape, batch first, and then its own.
        Pure, and picklable.  It raises a TypeError when the output is not one array.

    Raises
    ------
    TypeError
        When the model is not a layer.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(2)
    >>> start = model.init(fn.Key(0), (3,))
    >>> made = fn.jacobian(model)(start.params, start.state, np.ones((4, 3)), fn.Eval())
    >>> made.weight.shape, made.bias.shape
    ((4, 2, 3, 2), (4, 2, 2))

    See Also
    --------
    per_example_grads : one row for each example, of a loss.
    """
    return JacobianFunction(linearize(model, probe=probe))


@frozen
class JacobianFunction(Generic[P, S, X]):
    """What :func:`jacobian` returns."""

    linear: LinearizeFunction[P, S, X, Array]

    def __call__(self, params: P, state: S, x: X, mode: Mode, /) -> P:
        """Return the derivative of every output by every parameter."""
        at = self.linear(params, state, x, mode)
        output = one_array(at.output)
        if output.size <= tree.size(params):
            return by_rows(params, output, lambda doutput: at.pull(doutput).params)
        return by_columns(params, output, lambda direction: at.push(direction, None))


def input_jacobian(model: Layer[P, S, X, Array], *, probe: bool = True) -> InputJacobianFunction[P, S, X]:
    r"""Return the function that computes the derivative of every output by every number of the input.

    Parameters
    ----------
    model, probe
        As for :func:`jacobian`.

    Returns
    -------
    callable
        ``(params, state, x, mode) -> tree`` like the input, each leaf of the output's shape and then its own.  Pure, and
        picklable.

    Raises
    ------
    TypeError
        When the model is not a layer.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.input_jacobian(fn.tanh())((), (), np.zeros((1, 2)), fn.Eval())[0, :, 0]
    array([[1., 0.],
           [0., 1.]])
    """
    return InputJacobianFunction(linearize(model, probe=probe))


@frozen
class InputJacobianFunction(Generic[P, S, X]):
    """What :func:`input_jacobian` returns."""

    linear: LinearizeFunction[P, S, X, Array]

    def __call__(self, params: P, state: S, x: X, mode: Mode, /) -> X:
        """Return the derivative of every output by every number of the input."""
        at = self.linear(params, state, x, mode)
        output = one_array(at.output)
        if output.size <= tree.size(x):
            return by_rows(x, output, lambda doutput: at.pull(doutput).input)
        return by_columns(x, output, lambda direction: at.push(None, direction))


def one_array(output: object) -> Array:
    """Return the output; raise a TypeError unless it is one floating array."""
    if not isinstance(output, np.ndarray) or output.dtype.kind != "f":
        raise TypeError(
            f"the output is {describe(output)}, expected one floating array: put fn.pick_input(...) behind the network"
        )
    return output


def by_rows(values: V, output: Array, pull: Callable[[Array], V]) -> V:
    """Return the Jacobian with respect to values, a row for each output."""
    unit: Array = np.zeros(output.shape, output.dtype)
    rows = []
    for place in np.ndindex(output.shape):
        unit[place] = 1
        rows.append(pull(unit.copy()))
        unit[place] = 0
    if not rows:
        return tree.map_cotangents(lambda leaf: np.zeros((*output.shape, *leaf.shape), leaf.dtype), values)
    return tree.map_cotangents(lambda *leaves: np.stack(leaves).reshape(*output.shape, *leaves[0].shape), *rows)


def by_columns(values: V, output: Array, push: Callable[[V], Array]) -> V:
    """Return the Jacobian with respect to values, a column for each of their numbers."""
    leaves = tree.leaves(values)
    made: list[Any] = []
    for index, leaf in enumerate(leaves):
        if leaf.dtype.kind != "f":
            made.append(None)
            continue
        columns: Array = np.empty((*output.shape, *leaf.shape), output.dtype)
        for place in np.ndindex(leaf.shape):
            columns[..., *place] = push(unit_direction(values, leaves, index, place))
        made.append(columns)
    return tree.rebuild(values, iter(made))


def unit_direction(values: V, leaves: tuple[Array, ...], index: int, place: tuple[int, ...]) -> V:
    """Return the direction that is 1 at one number of one leaf."""
    ways: list[Any] = [np.zeros_like(leaf) if leaf.dtype.kind == "f" else None for leaf in leaves]
    ways[index][place] = 1
    return tree.rebuild(values, iter(ways))


def hessian(model: Layer[P, S, X, Y], loss: Loss[Y, T], *, probe: bool = True) -> HessianFunction[P, S, X, Y, T]:
    r"""Return the function that computes the matrix of second derivatives of a loss by the parameters.

    Parameters
    ----------
    model : Layer
    loss : Loss
    probe : bool, optional
        As for :func:`jvp`.

    Returns
    -------
    callable
        ``(params, state, x, target, mode) -> array`` (D, D), in the order of :func:`funcnn.tree.ravel`; pure, and picklable.  It
        takes D Hessian-vector products, and raises a TypeError when a leaf of the parameters holds integers.

    Raises
    ------
    TypeError
        When the model is not a layer, or the loss is not a loss.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.linear(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> x = np.array([[1.0, 2.0], [0.0, 1.0]])
    >>> fn.hessian(model, fn.half_squared_error())(start.params, start.state, x, np.zeros((2, 1)), fn.Eval())
    array([[0.5, 1. ],
           [1. , 2.5]])

    See Also
    --------
    hvp : its product with a vector, without the matrix.
    """
    return HessianFunction(HVPFunction(*checked(model, loss, probe)))


@frozen
class HessianFunction(Generic[P, S, X, Y, T]):
    """What :func:`hessian` returns."""

    product: HVPFunction[P, S, X, Y, T]

    def __call__(self, params: P, state: S, x: X, target: T, mode: Mode, /) -> Array:
        """Return the matrix of second derivatives."""
        check_real(params, "params")
        for path, leaf in tree.walk(params):
            if leaf.dtype.kind != "f":
                raise TypeError(f"params{path} is {describe(leaf)}, which has no derivative: a Hessian is of floating parameters")
        vector, unravel = tree.ravel(params)
        units = np.eye(vector.size, dtype=vector.dtype)
        matrix: Array = np.empty_like(units)
        own, at = self.product, (params, state, x, target)
        if own.watched is not own.model or own.watched_loss is not own.loss:  # what is one's own is tried for each column
            for index, unit in enumerate(units):
                matrix[:, index] = tree.ravel(own(*at, unravel(unit), mode)).vector
        elif vector.size:
            first = differentiated(own.model, own.loss, at, (unravel(units[0]), None), mode)  # looks at all that is given
            grads, h = tree.ravel(first.grads).vector, step_size((params, x), [units[0]])
            still = own.model, own.loss, state, as_complex(x), target, mode
            for index, (unit, moved) in enumerate(zip(units, unit_steps(params, h), strict=True)):
                matrix[:, index] = _column(still, moved, (grads, unit), h)
        return matrix


def _column(still: tuple[Any, ...], params: Any, grads_along: tuple[Array, Array], h: float) -> Array:
    """Return a column of a Hessian from parameters that are moved along it, where all that stands still was looked at before."""
    model, loss, state, x, target, mode = still
    network = model.forward(params, state, x, mode)
    scored = loss.forward(network.output, target)
    doutput = loss.backward(scored.residuals)
    pulled = parts(params_only(model, params, network.residuals, doutput).params)
    grads, unit = grads_along
    outputs = parts(tangent(network.output, h)), parts(real_part(doutput))
    check_alive(slope_of(scored.value, h), ([grads], None), ([unit], None), outputs, h)
    column: Array = np.concatenate([np.imag(leaf).ravel() for leaf in pulled if leaf is not None])
    return column / column.dtype.type(h)


def unit_steps(values: V, h: float) -> Iterator[V]:
    """Yield values moved by an imaginary step along each of their numbers; what is not moved is shared by all."""
    still = list(tree.leaves(as_complex(values)))
    for index, leaf in enumerate(still):
        for place in np.ndindex(leaf.shape):
            stepped = leaf.copy()
            stepped.imag[place] = h
            yield tree.rebuild(values, iter([*still[:index], stepped, *still[index + 1 :]]))
