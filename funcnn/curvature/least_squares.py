r"""The residuals of a network and their Jacobian: what Gauss-Newton steps need.

Indices: $n$ example, $k$ output of an example of $K$, $d$ parameter.

The gradient of the output k of all examples, each apart, is one backward in which layers keep the examples apart
(:mod:`funcnn.derivatives.apart`): K backwards give all rows $\partial y_{nk} / \partial p$ of the Jacobian, however many examples
there are.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.curvature.output_gradients import run_apart
from funcnn.derivatives.apart import Apart, apart, batch_size
from funcnn.derivatives.complex_step import check_mode, check_real
from funcnn.derivatives.jvp import VJP, check_real_cotangent
from funcnn.errors import describe
from funcnn.layer import Layer, Mode, Train, check_layer, params_only
from funcnn.layer import Residuals as Kept
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")


@frozen(eq=False)
class Residuals(Generic[P]):
    """Residuals at some parameters; the Jacobian is computed when it is asked for."""

    residuals: Array
    """(M,), M = N K: example by example."""
    _model: Layer[P, Any, Any, Array] = field(repr=False)
    _params: P = field(repr=False)
    _kept: Kept = field(repr=False)
    _output: Array = field(repr=False)

    def jacobian(self) -> P:
        """Return their derivatives: a tree like the parameters, each leaf (M, ...)."""
        rows = [self._pull(k) for k in range(self._output[0].size if len(self._output) else 0)]
        return tree.map_cotangents(_interleaved, *rows)

    def _pull(self, k: int) -> P:
        """Return the gradients of the output k of each example."""
        unit = np.zeros((len(self._output), self._output[0].size), self._output.dtype)
        unit[:, k] = 1
        rows: P = params_only(self._model, self._params, self._kept, unit.reshape(self._output.shape)).params
        return rows


def _interleaved(*leaves: Array) -> Array:
    """Return rows for (n, k) from one leaf (n, ...) for each k."""
    return np.stack(leaves, axis=1).reshape(-1, *leaves[0].shape[1:])


def least_squares(model: Layer[P, S, X, Array]) -> LeastSquaresFunction[P, S, X]:
    r"""Return the function that computes a network's residuals $y - t$, whose Jacobian is there when it is asked for.

    Half of the sum of their squares is ``half_squared_error(reduction="sum")``.

    Parameters
    ----------
    model : Layer
        With an output of one array.

    Returns
    -------
    callable
        ``(params, state, x, target, mode) -> Residuals``; pure, and picklable.  It raises a ValueError where examples depend on
        each other, or the target has another shape than the output.

    Raises
    ------
    TypeError
        When the model is not a layer.

    See Also
    --------
    levenberg_marquardt : minimizes the sum of squares.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(2)
    >>> start = model.init(fn.Key(0), (3,))
    >>> made = fn.curvature.least_squares(model)(start.params, (), np.ones((4, 3)), np.zeros((4, 2)), fn.Eval())
    >>> made.residuals.shape, made.jacobian().weight.shape
    ((8,), (8, 3, 2))
    """
    check_layer(model, "the model")
    return LeastSquaresFunction(model, apart(model, "grads"))


@frozen
class LeastSquaresFunction(Generic[P, S, X]):
    """What :func:`least_squares` returns."""

    model: Layer[P, S, X, Array]
    apart: Layer[P, S, X, Array] = field(repr=False)

    def __call__(self, params: P, state: S, x: X, target: Array, mode: Mode, /) -> Residuals[P]:
        """Return the residuals."""
        network = run_apart(self.apart, params, state, x, mode)
        output, given = network.output, cast(object, target)
        if not isinstance(given, np.ndarray) or given.shape != output.shape:
            raise ValueError(f"the target is {describe(given)}, expected an array like the output, {describe(output)}")
        residuals = (output - target).astype(output.dtype, copy=False).reshape(-1)
        return Residuals(residuals, self.apart, params, network.residuals, output)


def per_example_vjp(model: Layer[P, S, X, Y]) -> PerExampleVJPFunction[P, S, X, Y]:
    r"""Return the function that pulls a cotangent back for each example apart: $J_n^\top \bar y_n$.

    It is :func:`funcnn.vjp` before the sum over the examples: rows of a Jacobian, for residuals that are made of several
    outputs, such as those of a differential equation.

    Parameters
    ----------
    model : Layer

    Returns
    -------
    callable
        ``(params, state, x, doutput, mode) -> VJP(output, params, input, state)``, each leaf of ``params`` with an axis of the
        examples first; pure, and picklable.  It raises a ValueError where examples depend on each other.

    Raises
    ------
    TypeError
        When the model is not a layer.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> fn.curvature.per_example_vjp(model)(start.params, (), x, np.ones((2, 1)), fn.Eval()).params.weight[:, :, 0]
    array([[1., 2.],
           [3., 4.]])
    """
    check_layer(model, "the model")
    return PerExampleVJPFunction(model, apart(model, "grads"))


@frozen
class PerExampleVJPFunction(Generic[P, S, X, Y]):
    """What :func:`per_example_vjp` returns."""

    model: Layer[P, S, X, Y]
    apart: Layer[P, S, X, Y] = field(repr=False)

    def __call__(self, params: P, state: S, x: X, doutput: Y, mode: Mode, /) -> VJP[P, S, X, Y]:
        """Return the output, and the cotangents of the parameters for each example."""
        check_mode(mode)
        check_real(params, "params")
        check_real(x, "x")
        batch_size(x)
        check_real_cotangent(doutput)
        made = self.apart.forward(params, state, x, Apart(mode.key, 0) if isinstance(mode, Train) else mode)
        pulled = self.apart.backward(params, made.residuals, doutput)
        return VJP(made.output, pulled.params, pulled.input, made.state)
