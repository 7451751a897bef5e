r"""A layer whose output is a fixed point: deep equilibrium models (Bai, Kolter & Koltun 2019, arXiv:1909.01377).

Indices: $n$ example.

Forward.  With a layer $f(z, x; \theta)$ the output is the $z$ that obeys
$$ z = f(z, x; \theta), $$
found from $z = 0$ on by Anderson's iteration (:mod:`funcnn.combinators.implicit.anderson`).

Derivation.  The differential of the equation, with $J = \partial f/\partial z$ at the solution, is
$$ \mathrm{d}z = J\,\mathrm{d}z + f_x\,\mathrm{d}x + f_\theta\,\mathrm{d}\theta, \qquad
   \mathrm{d}z = (I - J)^{-1} (f_x\,\mathrm{d}x + f_\theta\,\mathrm{d}\theta). $$
Put into $\langle \bar z, \mathrm{d}z\rangle$: with $u = (I - J)^{-\top} \bar z$, that is the solution of the linear equation
$$ u = J^\top u + \bar z, \qquad\text{the cotangents are}\qquad \bar x = f_x^\top u, \qquad \bar\theta = f_\theta^\top u. $$
(the implicit function theorem; theorem 1 of the paper).  $J^\top u$ and the rest are one backward of $f$ at the solution, with
the cotangent $u$; the equation for $u$ is solved by the same iteration.  Nothing of the way to the solution is kept.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar

import numpy as np
from attrs import frozen

from funcnn.combinators.implicit.anderson import Found, Search, solve
from funcnn.combinators.implicit.convergence import ConvergenceError
from funcnn.errors import check_array, check_cotangent, check_count, check_range, describe, shown
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
    check_init,
    check_layer,
    checked_shape,
    keeps_residuals,
)
from funcnn.typing import Array, Shape

P = TypeVar("P")
S = TypeVar("S")


@frozen(eq=False)
class FixedPointResiduals:
    """What the layer kept at the solution, and what the output is like."""

    inner: Any
    shape: tuple[int, ...]
    dtype: np.dtype[np.floating]


def init(inner: AnyLayer, shape: Shape | None, key: Key, in_shape: Any) -> Init[Any, Any]:
    check_init(key, in_shape)
    x_shape = checked_shape(in_shape)
    z_shape = x_shape if shape is None else shape
    made = inner.init(key, (z_shape, x_shape))
    if made.out_shape != z_shape:
        raise ValueError(
            f"fixed_point needs a layer that maps a pair (z, x) to the shape of z; {inner.name} maps {(z_shape, x_shape)} to"
            f" {made.out_shape}" + ("" if shape is not None else ": give the shape of z as shape=")
        )
    return made


def forward(
    inner: AnyLayer, shape: Shape | None, search: Search, params: Any, state: Any, x: Array, mode: Mode
) -> Forward[Array, Any, FixedPointResiduals | tuple[()]]:
    check_array(x, min_ndim=1)
    keep = isinstance(mode, Train) or keeps_residuals(mode)
    start: Array = np.zeros((len(x), *(x.shape[1:] if shape is None else shape)), x.dtype)
    on_the_way = mode if isinstance(mode, Train) else Eval(residuals=False)
    found = solve(partial(_mapped, inner, params, state, x, on_the_way), start, search)
    if not found.converged.all():
        raise unsolved(
            f"the fixed point of {inner.name}",
            found,
            search,
            "is the layer a contraction in its first input? fn.spectral_norm, or smaller weights, make it one",
        )
    made = inner.forward(params, state, (found.value, x), mode)
    if not keep:
        return Forward(made.output, made.state, ())
    return Forward(made.output, made.state, FixedPointResiduals(made.residuals, made.output.shape, made.output.dtype))


def _mapped(inner: AnyLayer, params: Any, state: Any, x: Array, mode: Mode, z: Array) -> Array:
    output: object = inner.forward(params, state, (z, x), mode).output
    if not isinstance(output, np.ndarray) or output.shape != z.shape:
        raise ValueError(f"{inner.name} gives {describe(output)}, expected the shape of its first input, {z.shape}")
    return output


def backward(
    inner: AnyLayer, search: Search, params: Any, residuals: FixedPointResiduals, dy: Array, input_grad: bool = True
) -> Backward[Any, Array]:
    check_cotangent(dy, residuals.shape, residuals.dtype)
    found = solve(partial(_pulled, inner, params, residuals.inner, dy), np.zeros_like(dy), search)
    if not found.converged.all():
        raise unsolved(
            f"the adjoint of the fixed point of {inner.name}", found, search, "two fixed points may be about to meet there"
        )
    made = inner.backward(params, residuals.inner, found.value)
    return Backward(made.params, made.input[1]) if input_grad else backward_without_input(made.params)


def _pulled(inner: AnyLayer, params: Any, residuals: Any, dy: Array, u: Array) -> Array:
    transposed: Array = inner.backward(params, residuals, u).input[0]
    return transposed + dy


def unsolved(what: str, found: Found, search: Search, advice: str) -> ConvergenceError:
    """Return the error that an equation was not solved."""
    example = int(np.argmax(np.where(np.isfinite(found.residuals), found.residuals, np.inf)))
    off = found.residuals[example]
    if not np.isfinite(off):
        return ConvergenceError(f"{what} was not found: example {example} is not finite after {found.iterations} iterations")
    wanted = "rounding errors" if search.tolerance is None else f"tolerance={search.tolerance:g}"
    return ConvergenceError(
        f"{what} was not found: after {found.iterations} iterations example {example} changes by {off:.1e} of its size, expected"
        f" {wanted} ({advice}; more iterations= or history_size= may help)"
    )


def fixed_point(
    inner: Layer[P, S, tuple[Array, Array], Array] | Layer[P, S, tuple[Array, ...], Array],
    *,
    shape: Shape | None = None,
    tolerance: float | None = None,
    iterations: int = 500,
    history_size: int = 8,
) -> Layer[P, S, Array, Array]:
    r"""Solve z = f(z, x) for z: a network of infinite depth with the weights of one layer.

    Parameters
    ----------
    inner : Layer
        f, from a pair (z, x) to the shape of z.
    shape : tuple of int, optional
        The shape of z for one example; by default that of x.
    tolerance : float, optional
        By how much f(z, x) may differ from z, as a part of the largest number of the example.  By default the iteration
        goes on to rounding errors, for a gradient with all its digits.
    iterations : int, optional
        How many times f (or in the gradient its transpose) is applied at most.
    history_size : int, optional
        How many differences of iterates Anderson's method combines.

    Returns
    -------
    Layer
        From x (N, ...) to z (N, \*shape), with the parameters of ``inner``.  Of the iteration nothing is kept for the gradient.
        Each call of f is given the state (of the layer, such as running statistics) that the solver was given; the next one is
        that of the last call.  In training, random numbers are the same in all calls.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is not a layer, ``shape`` is no shape, or a number is out of its range; in ``init``, when f does not give
        the shape of z.
    ConvergenceError
        In ``forward`` and ``backward``, when the equation was not solved.

    References
    ----------
    Bai, Kolter & Koltun (2019), Deep equilibrium models, arXiv:1909.01377.  Walker & Ni (2011), Anderson acceleration for
    fixed-point iterations, SIAM J. Numer. Anal. 49.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> cell = fn.join_inputs() >> fn.dense(3) >> fn.tanh()
    >>> model = fn.fixed_point(cell, shape=(3,))
    >>> start = model.init(fn.Key(0), (2,))
    >>> x = np.ones((4, 2))
    >>> z = fn.apply(model, start.params, start.state, x)
    >>> bool(abs(fn.apply(cell, start.params, start.state, (z, x)) - z).max() < 1e-14)
    True
    """
    check_layer(inner, "inner")
    part: Any = inner
    if shape is not None:
        if not isinstance(shape, tuple):
            raise TypeError(f"shape is {shown(shape)}, expected the shape of one example, such as (8,)")
        shape = tuple([check_count(one, "a length in shape") for one in shape])
    if tolerance is not None:
        tolerance = check_range(tolerance, "tolerance", 0, 1, open_low=True)
    search = Search(tolerance, check_count(iterations, "iterations"), check_count(history_size, "history_size", most=1000))
    # Any: the residuals' type is hidden from here on
    kept: Any = partial(forward, part, shape, search)
    pulled: Any = partial(backward, part, search)
    return Layer(
        f"fixed_point({inner.name})",
        partial(init, part, shape),
        kept,
        pulled,
        inner.random,
        (part,),
        partial(combine, shape=shape, tolerance=tolerance, iterations=iterations, history_size=history_size),
    )


def combine(parts: tuple[AnyLayer, ...], **settings: Any) -> Any:
    """Make the solver again for another layer."""
    (part,) = parts
    return fixed_point(part, **settings)
