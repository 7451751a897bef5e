r"""The derivative of a network along a direction, and its transpose.

Indices: $p$ the parameters, $x$ the input, $y = f(p, x)$ the output.

Along $(\dot p, \dot x)$ the output moves by
$$ \dot y = \frac{\partial f}{\partial p} \dot p + \frac{\partial f}{\partial x} \dot x
   = \frac{1}{h} \operatorname{Im} f(p + i h \dot p,\; x + i h \dot x) , $$
one forward in complex numbers (:mod:`funcnn.derivatives.complex_step`): the Jacobian-vector product.  Plain networks have it in
real numbers (:mod:`funcnn.derivatives.tangents`).  The layers' backward is
its transpose, $\bar p = (\partial f / \partial p)^\top \bar y$, so that $\langle \dot y, \bar y \rangle = \langle \dot p, \bar p
\rangle + \langle \dot x, \bar x \rangle$ for every pair of a direction and a cotangent.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from attrs import Factory, field, frozen

from funcnn.derivatives import tangents
from funcnn.derivatives.analytic import watched
from funcnn.derivatives.complex_step import (
    COMPLEX,
    check_mode,
    check_real,
    directions,
    moved,
    parts,
    real_part,
    step_size,
    tangent,
)
from funcnn.grad import misfit
from funcnn.layer import Backward, Eval, Forward, Layer, Mode, Residuals, check_layer
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")

_PREDICT = Eval(residuals=False)


@frozen(eq=False)
class JVP(Generic[S, Y]):
    """What a function made by :func:`jvp` gives."""

    output: Y
    """The network's output."""
    tangent: Y
    """Its derivative along the direction: a tree like the output, None in the place of integers."""
    state: S
    """The next state."""


@frozen(eq=False)
class VJP(Generic[P, S, X, Y]):
    """What a function made by :func:`vjp` gives."""

    output: Y
    """The network's output."""
    params: P
    """The cotangent of the parameters."""
    input: X
    """The cotangent of the input: None in the place of integers."""
    state: S
    """The next state."""


def jvp(model: Layer[P, S, X, Y], *, probe: bool = True) -> JVPFunction[P, S, X, Y]:
    r"""Return the function that computes a network's output and its derivative along a direction: $\dot y = J (\dot p, \dot x)$.

    One forward in complex numbers; nothing is subtracted, and the tangent is right to rounding.

    Parameters
    ----------
    model : Layer
    probe : bool, optional
        Whether layers of one's own are tried for being analytic, on two examples of each batch: see
        :mod:`funcnn.derivatives.analytic`.

    Returns
    -------
    callable
        ``(params, state, x, dparams, dx, mode) -> JVP(output, tangent, state)``; pure, and picklable.  ``dparams`` and ``dx`` are
        like the parameters and the input, with None in the place of integers; None as a whole is a direction of zeros.

        It raises a ValueError when a direction has another structure or shape than what it moves, and a TypeError when it is
        complex, or holds integers; both name the path.  A layer of one's own that is not analytic is a NotAnalyticError.

    Raises
    ------
    TypeError
        When the model is not a layer.

    Notes
    -----
    At a kink (relu at 0, a tie of max pooling) the derivative is the one that backward transposes.  ``stop_gradient``,
    ``straight_through`` and ``gradient_reversal`` have that of their surrogate.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(1) >> fn.tanh()
    >>> start = model.init(fn.Key(0), (2,))
    >>> x, dx = np.ones((1, 2)), np.array([[1.0, 0.0]])
    >>> made = fn.jvp(model)(start.params, start.state, x, None, dx, fn.Eval())
    >>> slope = (1 - made.output**2) * start.params[0].weight[0]
    >>> bool(abs(made.tangent - slope).max() < 1e-15)
    True

    See Also
    --------
    vjp : the transpose.
    linearize : both, at one point.
    """
    check_layer(model, "the model")
    return JVPFunction(model, watched(model, backward=False) if probe else model)


@frozen
class JVPFunction(Generic[P, S, X, Y]):
    """What :func:`jvp` returns."""

    model: Layer[P, S, X, Y]
    watched: Layer[P, S, X, Y] = field(repr=False)
    plain: bool = field(init=False, repr=False, default=Factory(tangents.takes_model_of, takes_self=True))
    """Whether the derivative is had in real numbers."""

    def __call__(self, params: P, state: S, x: X, dparams: P | None, dx: X | None, mode: Mode, /) -> JVP[S, Y]:
        """Return the output and its derivative along a direction."""
        check_mode(mode)
        return along(self.watched, (params, state, x), (dparams, dx), mode, plain=self.plain)


def along(
    model: Layer[P, S, X, Y],
    at: tuple[P, S, X],
    ways: tuple[P | None, X | None],
    mode: Mode,
    names: tuple[str, str] = ("dparams", "dx"),
    plain: bool = False,
) -> JVP[S, Y]:
    """Return the output and its derivative along a direction; in real numbers where the network is plain, so that they do."""
    x: Any = at[2]
    if plain and type(x) is np.ndarray and x.dtype.char in COMPLEX:
        check_directions(at, ways, names)
        known: Any = model
        own: Any = tangents.push(known, (at[0], at[1], x), ways)
        return JVP(*own)
    made = push(model, at, ways, _PREDICT if isinstance(mode, Eval) else mode, names)
    output = made.network.output
    return JVP(real_part(output), tangent(output, made.h), real_part(made.network.state))


def check_directions(at: tuple[P, S, X], along: tuple[P | None, X | None], names: tuple[str, str]) -> list[list[Array | None]]:
    """Return the directions of all leaves of the parameters and of the input; raise where one is none."""
    params, _, x = at
    check_real(params, "params")
    check_real(x, "x")
    return [directions(params, along[0], "params", names[0]), directions(x, along[1], "x", names[1])]


@frozen(eq=False)
class Pushed(Generic[P, S, Y]):
    """A forward at a point moved by an imaginary step: the moved parameters, what came out, and the size of the step."""

    params: P
    network: Forward[Y, S, Residuals]
    h: float


def push(
    model: Layer[P, S, X, Y],
    at: tuple[P, S, X],
    along: tuple[P | None, X | None],
    mode: Mode,
    names: tuple[str, str] = ("dparams", "dx"),
) -> Pushed[P, S, Y]:
    """Return the forward at a point moved by an imaginary step; check all that is given."""
    params, state, x = at
    ways = check_directions(at, along, names)
    h = step_size((params, x), [*ways[0], *ways[1]])
    stepped = moved(params, ways[0], h)
    try:
        made = model.forward(stepped, state, moved(x, ways[1], h), mode)
    except AttributeError as error:
        raise misfit(error, stepped, state) from error
    return Pushed(stepped, made, h)


def vjp(model: Layer[P, S, X, Y]) -> VJPFunction[P, S, X, Y]:
    r"""Return the function that computes a network's output and pulls a cotangent back: $(\bar p, \bar x) = J^\top \bar y$.

    Parameters
    ----------
    model : Layer

    Returns
    -------
    callable
        ``(params, state, x, doutput, mode) -> VJP(output, params, input, state)``; pure, and picklable.

    Raises
    ------
    TypeError
        When the model is not a layer.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> x = np.array([[1.0, 2.0]])
    >>> fn.vjp(model)(start.params, start.state, x, np.array([[1.0]]), fn.Eval()).params.weight
    array([[1.],
           [2.]])

    See Also
    --------
    jvp : the transpose.
    """
    check_layer(model, "the model")
    return VJPFunction(model)


@frozen
class VJPFunction(Generic[P, S, X, Y]):
    """What :func:`vjp` returns."""

    model: Layer[P, S, X, Y]

    def __call__(self, params: P, state: S, x: X, doutput: Y, mode: Mode, /) -> VJP[P, S, X, Y]:
        """Return the output and the cotangents of the parameters and of the input."""
        check_mode(mode)
        check_real(params, "params")
        check_real(x, "x")
        made = self.model.forward(params, state, x, mode)
        check_real_cotangent(doutput)
        pulled = self.model.backward(params, made.residuals, doutput)
        return VJP(made.output, pulled.params, pulled.input, made.state)


def check_real_cotangent(doutput: object) -> None:
    """Raise a TypeError when the cotangent of an output is complex."""
    for leaf in parts(doutput):
        if leaf is not None:
            check_real(leaf, "the cotangent of the output (doutput)")


def linearize(model: Layer[P, S, X, Y], *, probe: bool = True) -> LinearizeFunction[P, S, X, Y]:
    r"""Return the function that computes a network's output, and its derivative there as a linear map and its transpose.

    Parameters
    ----------
    model : Layer
    probe : bool, optional
        As for :func:`jvp`.

    Returns
    -------
    callable
        ``(params, state, x, mode) -> Linearized``, with ``output``, ``state``, ``push(dparams, dx)``, which gives
        $J (\dot p, \dot x)$, and ``pull(doutput)``, which gives ``Backward(params, input)``, $J^\top \bar y$.  What backward
        needs is kept: a pull costs one backward, a push one complex forward.

    Raises
    ------
    TypeError
        When the model is not a layer.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(3) >> fn.tanh()
    >>> start = model.init(fn.Key(0), (2,))
    >>> at = fn.linearize(model)(start.params, start.state, np.ones((1, 2)), fn.Eval())
    >>> dx, dy = np.array([[1.0, 2.0]]), np.array([[1.0, 0.0, -1.0]])
    >>> bool(abs((at.push(None, dx) * dy).sum() - (at.pull(dy).input * dx).sum()) < 1e-15)
    True
    """
    check_layer(model, "the model")
    return LinearizeFunction(model, jvp(model, probe=probe))


@frozen
class LinearizeFunction(Generic[P, S, X, Y]):
    """What :func:`linearize` returns."""

    model: Layer[P, S, X, Y]
    along: JVPFunction[P, S, X, Y] = field(repr=False)

    def __call__(self, params: P, state: S, x: X, mode: Mode, /) -> Linearized[P, S, X, Y]:
        """Return the output, and the derivative at this point."""
        check_mode(mode)
        check_real(params, "params")
        check_real(x, "x")
        made = self.model.forward(params, state, x, mode)
        return Linearized(made.output, made.state, self, params, state, x, mode, made.residuals)


@frozen(eq=False)
class Linearized(Generic[P, S, X, Y]):
    """A network's output, and its derivative at one point, as a linear map and its transpose."""

    output: Y
    """The network's output."""
    state: S
    """The next state."""
    _at: LinearizeFunction[P, S, X, Y] = field(repr=False)
    _params: P = field(repr=False)
    _given: S = field(repr=False)
    _x: X = field(repr=False)
    _mode: Mode = field(repr=False)
    _residuals: Residuals = field(repr=False)

    def push(self, dparams: P | None, dx: X | None) -> Y:
        """Return the output's derivative along a direction: :func:`jvp`."""
        return self._at.along(self._params, self._given, self._x, dparams, dx, self._mode).tangent

    def pull(self, doutput: Y) -> Backward[P, X]:
        """Return the cotangents of the parameters and of the input for one of the output: :func:`vjp`."""
        check_real_cotangent(doutput)
        return self._at.model.backward(self._params, self._residuals, doutput)
