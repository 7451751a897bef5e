r"""Recomputation, or gradient checkpointing (Griewank 1992; Chen et al. 2016, arXiv:1604.06174, section 4).

Forward: that of the inner layer, but what it would keep is dropped; only the input is kept.  Backward: the inner forward runs
again, with the same mode and so the same random numbers, and then its backward.  One more forward pays for the memory of the
residuals.

A chain of $L$ layers may be divided into $k$ stretches of $L/k$.  Then the inputs of all stretches are kept, and the residuals
of one stretch at a time: $k + L/k$ in place of $L$, which is least for $k = \sqrt L$.

Derivation.  The function is the same, and so is its gradient.
"""

from functools import partial
from itertools import pairwise
from typing import Any, Generic, TypeVar

from attrs import evolve, frozen

from funcnn.errors import check_count
from funcnn.layer import (
    AnyLayer,
    Backward,
    Eval,
    Forward,
    Layer,
    Mode,
    Train,
    chain,
    chain_parts,
    check_layer,
    params_only,
)

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
# Any: the parameters and states of a chain of layers of any types.
Parts = tuple[Any, ...]


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


# ------------------------------------------------------------------------------------------------------ a chain in stretches


@frozen
class Stretch:
    """Neighbouring layers of a chain."""

    begin: int
    end: int
    layers: AnyLayer

    @property
    def place(self) -> slice:
        """Where they stand; made anew, as a slice has no hash and two equal layers hash alike."""
        return slice(self.begin, self.end)


def stretches(inner: AnyLayer, count: int) -> tuple[Stretch, ...]:
    """Return a chain divided into stretches, as equal as can be."""
    layers = chain_parts(inner)
    if not layers:
        raise ValueError(f"only a chain of layers can be divided into segments, got {inner.name}: use segments=1")
    if count > len(layers):
        raise ValueError(f"{count} segments are more than the {len(layers)} layers of the chain")
    ends = [len(layers) * part // count for part in range(count + 1)]
    return tuple([Stretch(begin, end, chain(layers[begin:end])) for begin, end in pairwise(ends)])


def forward_in_stretches(
    parts: tuple[Stretch, ...], params: Parts, state: Parts, x: Any, mode: Mode
) -> Forward[Any, Parts, tuple[RecomputeResiduals[Any, Any], ...]]:
    quiet = evolve(mode, residuals=False) if isinstance(mode, Eval) else mode
    states: Parts = ()
    kept = []
    for part in parts:
        run: Any = part.layers.forward
        kept.append(RecomputeResiduals(state[part.place], x, mode))
        made = run(params[part.place], state[part.place], x, quiet, offset=part.begin)
        x = made.output
        states += made.state
        del made  # and with it what this stretch has kept
    return Forward(x, states, tuple(kept) if isinstance(mode, Train) or mode.residuals else ())


def backward_in_stretches(
    parts: tuple[Stretch, ...],
    params: Parts,
    residuals: tuple[RecomputeResiduals[Any, Any], ...],
    dy: Any,
    input_grad: bool = True,
) -> Backward[Parts, Any]:
    grads: Parts = ()
    for part, kept in zip(reversed(parts), reversed(residuals), strict=True):
        own, offset = params[part.place], part.begin
        run: Any = part.layers.forward
        pull: Any = part.layers.backward
        again = run(own, kept.state, kept.x, kept.mode, offset=offset)
        made = pull(own, again.residuals, dy, input_grad=input_grad or part is not parts[0], offset=offset)
        del again
        grads = made.params + grads
        dy = made._input
    return Backward(grads, dy)


def recompute(inner: Layer[P, S, X, Y], segments: int = 1) -> Layer[P, S, X, Y]:
    """Keep only a layer's input, and run it again when its gradient is asked for.

    Parameters
    ----------
    inner : Layer
    segments : int, optional
        Into how many stretches a chain is divided, each of which keeps its input.  The square root of the number of layers, if
        they are alike, needs the least memory: a network of 64 layers in 8 segments keeps 8 inputs, and when backward comes to
        a segment the residuals of its 8 layers.

    Returns
    -------
    Layer
        The same function of the same parameters, with the same gradient, for less memory and one more forward.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is not a layer; when ``segments`` is not an integer of at least 1, is larger than the number of layers, or
        is more than 1 for a layer that is not a chain.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> block = fn.recompute(fn.dense(2) >> fn.tanh())
    >>> start = block.init(fn.Key(0), (2,))
    >>> made = block.forward(start.params, start.state, np.ones((1, 2)), fn.Eval())
    >>> block.backward(start.params, made.residuals, np.ones((1, 2))).input.shape
    (1, 2)
    """
    check_layer(inner, "inner")
    segments = check_count(segments, "segments")
    # Any: the residuals' type is hidden from here on
    kept: Any = partial(forward, inner) if segments == 1 else partial(forward_in_stretches, stretches(inner, segments))
    pulled: Any = partial(backward, inner) if segments == 1 else partial(backward_in_stretches, stretches(inner, segments))
    return Layer(
        f"recompute({inner.name})" if segments == 1 else f"recompute({inner.name}, {segments} segments)",
        inner.init,
        kept,
        pulled,
        inner.random,
        (inner,) if segments == 1 else chain_parts(inner),  # type: ignore[arg-type]  # for looking at: their types are not kept
        partial(combine, segments=segments),
    )


def combine(parts: tuple[AnyLayer, ...], segments: int) -> Any:
    """Make the combination again from other parts: a divided chain is never run as a whole, so its layers are the parts."""
    return recompute(parts[0] if len(parts) == 1 else chain(parts), segments)
