r"""A layer of sequences run backwards in time.

Indices: $n$ example, $t$ step of $T$.

Forward: $y = R\, f(R\, x)$ with $(R x)_{nt} = x_{n,\,T-1-t}$.

Derivation.  $R$ is a permutation and its own transpose, so $\bar x = R\, f'(R x)^\top R\, \bar y$.

Masked steps may lie anywhere, so reversing the mask with the values is all that masked sequences need.
"""

from functools import partial
from typing import Any, TypeVar, cast

from attrs import evolve, frozen

from funcnn.combinators.cotangents import Like, check_cotangents, like
from funcnn.errors import check_kind, describe
from funcnn.layer import AnyLayer, Backward, Forward, Layer, Mode, Residuals, backward_without_input, check_layer, params_only
from funcnn.masked import Masked

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")


@frozen(eq=False)
class ReverseResiduals:
    """What the sequence of the output is like, and what the layer kept."""

    output: Like
    inner: Residuals


def flipped(x: Any) -> Any:
    """Return a sequence, masked or not, with its steps in reverse."""
    if isinstance(x, Masked):
        if cast(object, x.mask) is None:  # a cotangent
            return evolve(x, values=x.values[:, ::-1])
        return Masked(x.values[:, ::-1], x.mask[:, ::-1])
    if isinstance(x, tuple):  # a sequence and an initial state
        return (flipped(x[0]), *x[1:])
    return x[:, ::-1]


def check_sequence(x: Any) -> None:
    """Raise unless x is a sequence with axes (n, t), masked or not, or a tuple that begins with one."""
    first: Any = x
    if isinstance(x, tuple) and x:
        first = x[0]
    if not isinstance(first, Masked):
        check_kind(first, "the input", "a sequence (batch, time, ...), or a pair (sequence, initial state)")
        if first.ndim < 2:
            raise ValueError(f"the input is {describe(first)}, expected a sequence (batch, time, ...)")


def forward(inner: Layer[P, S, X, Y], params: P, state: S, x: X, mode: Mode) -> Forward[Y, S, ReverseResiduals]:
    check_sequence(x)
    made = inner.forward(params, state, flipped(x), mode)
    y: Any = flipped(made.output)
    seen: object = y
    output = (
        (like(seen[0]), *(None,) * (len(seen) - 1)) if isinstance(seen, tuple) else like(seen)
    )  # at final states the layer looks
    return Forward(y, made.state, ReverseResiduals(output, made.residuals))


def backward(inner: Layer[P, S, X, Y], params: P, residuals: ReverseResiduals, dy: Y, input_grad: bool = True) -> Backward[P, X]:
    check_cotangents(dy, residuals.output)
    if not input_grad:
        return backward_without_input(params_only(inner, params, residuals.inner, flipped(dy)).params)
    made = inner.backward(params, residuals.inner, flipped(dy))
    return Backward(made.params, flipped(made.input))


def reverse_time(inner: Layer[P, S, X, Y]) -> Layer[P, S, X, Y]:
    """Run a layer of sequences backwards in time.

    A layer in each direction is :func:`funcnn.bidirectional`; their sum is ``fn.add(fn.lstm(8), fn.reverse_time(fn.lstm(8)))``.

    Parameters
    ----------
    inner : Layer
        From sequences to sequences, masked or not.

    Returns
    -------
    Layer
        Of the same types; step t of its output has seen the steps from t on.

    Raises
    ------
    TypeError
        When ``inner`` is not a layer.

    References
    ----------
    Schuster & Paliwal (1997), Bidirectional recurrent neural networks.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> both = fn.add(fn.gru(4), fn.reverse_time(fn.gru(4)))
    >>> both.init(fn.Key(0), (7, 3)).out_shape
    (7, 4)
    """
    check_layer(inner, "inner")
    kept: Any = partial(forward, inner)  # Any: the residuals' type is hidden from here on
    pulled: Any = partial(backward, inner)
    return Layer(
        f"reverse_time({inner.name})",
        inner.init,
        kept,
        pulled,
        inner.random,
        (inner,),  # type: ignore[arg-type]  # parts are for looking at: their types are not kept
        combine,
    )


def combine(parts: tuple[AnyLayer, ...]) -> Any:
    """Make the combination again from another part."""
    return reverse_time(*parts)
