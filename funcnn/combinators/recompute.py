r"""Recomputation, or gradient checkpointing (Griewank 1992; Chen et al. 2016, arXiv:1604.06174).

Forward: that of the inner layer, but what it would keep is dropped; only the input is kept.  Backward: the inner forward
runs again,
with the same mode and so the same random numbers, and then its backward.  One more forward pays for the memory of the residuals.

Derivation.  The function is the same, and so is its gradient.
"""

from functools import partial
from typing import Any, Generic, TypeVar

from attrs import evolve, frozen

from funcnn.combinators.several import check_layers
from funcnn.layer import AnyLayer, Backward, Eval, Forward, Layer, Mode, params_only

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")


@frozen(eq=False)
class RecomputeResiduals(Generic[S, X]):
    """What the inner forward was given, but for the parameters."""

    state: S
    x: X
    mode: Mode


def forward(inner: Layer[P, S, X, Y], params: P, state: S, x: X, mode: Mode) -> Forward[Y, S, RecomputeResiduals[S, X]]:
    made = inner.forward(params, state, x, evolve(mode, residuals=False) if isinstance(mode, Eval) else mode)
    return Forward(made.output, made.state, RecomputeResiduals(state, x, mode))


def backward(
    inner: Layer[P, S, X, Y], params: P, residuals: RecomputeResiduals[S, X], dy: Y, input_grad: bool = True
) -> Backward[P, X]:
    again = inner.forward(params, residuals.state, residuals.x, residuals.mode)
    if input_grad:
        return inner.backward(params, again.residuals, dy)
    return params_only(inner, params, again.residuals, dy)


def recompute(inner: Layer[P, S, X, Y]) -> Layer[P, S, X, Y]:
    """Keep only a layer's input, and run it again when its gradient is asked for.

    Parameters
    ----------
    inner : Layer

    Returns
    -------
    Layer
        The same function with the same gradient, for less memory and one more forward.

    Raises
    ------
    TypeError
        When ``inner`` is not a layer.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> block = fn.recompute(fn.dense(2) >> fn.tanh())
    >>> start = block.init(fn.Key(0), (2,))
    >>> made = block.forward(start.params, start.state, np.ones((1, 2)), fn.Eval())
    >>> block.backward(start.params, made.residuals, np.ones((1, 2))).input.shape
    (1, 2)
    """
    check_layers((inner,), "recompute", least=1)
    kept: Any = partial(forward, inner)  # Any: the residuals' type is hidden from here on
    pulled: Any = partial(backward, inner)
    return Layer(
        f"recompute({inner.name})",
        inner.init,
        kept,
        pulled,
        inner.random,
        (inner,),  # type: ignore[arg-type]  # parts are for looking at: their types are not kept
        combine,
    )


def combine(parts: tuple[AnyLayer, ...]) -> Any:
    """Make the combination again from another part."""
    return recompute(*parts)
