r"""A residual connection of masked sequences.

Forward: with the product $M$ with the mask,
$$ y = M\,(x + f(x)) . $$

Derivation.  $\mathrm{d}y = M\,(\mathrm{d}x + f'(x)\,\mathrm{d}x)$, and $M$ is its own transpose:
$$ \bar x = M \bar y + f'(x)^\top M \bar y . $$
"""

from functools import partial
from typing import Any, TypeVar, cast

from funcnn.combinators.cotangents import check_cotangents, like
from funcnn.combinators.masked_steps import MaskedResiduals, check_masked
from funcnn.combinators.residual import init
from funcnn.layer import AnyLayer, Backward, Forward, Layer, Mode, check_layer
from funcnn.masked import Masked, cleared

P = TypeVar("P")
S = TypeVar("S")


def forward(
    inner: Layer[P, S, Masked, Masked], params: P, state: S, x: Masked, mode: Mode
) -> Forward[Masked, S, MaskedResiduals]:
    check_masked(x)
    made = inner.forward(params, state, x, mode)
    y = Masked(cleared(x.values + made.output.values, x.mask), x.mask)
    return Forward(y, made.state, MaskedResiduals(x.mask, like(y), made.residuals))


def backward(inner: Layer[P, S, Masked, Masked], params: P, residuals: MaskedResiduals, dy: Masked) -> Backward[P, Masked]:
    nothing = cast(Any, None)  # truth has no cotangent
    check_cotangents(dy, residuals.output)
    dvalues = cleared(dy.values, residuals.mask)
    made = inner.backward(params, residuals.inner, Masked(dvalues, nothing))
    return Backward(made.params, Masked(dvalues + made.input.values, nothing))


def masked_residual(inner: Layer[P, S, Masked, Masked]) -> Layer[P, S, Masked, Masked]:
    """Add a layer's output to its input, both masked sequences: y = x + f(x), and 0 in the padding.

    Parameters
    ----------
    inner : Layer
        From :class:`funcnn.Masked` to :class:`funcnn.Masked` of the same shape.

    Returns
    -------
    Layer
        With the parameters and the state of ``inner``.

    Raises
    ------
    TypeError
        When ``inner`` is not a layer; in ``forward``, when the input is not masked.
    ValueError
        In ``init``, when ``inner`` changes the shape.

    See Also
    --------
    residual : the same of plain arrays.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.masked_residual(fn.masked_steps(fn.tanh()))
    >>> start = layer.init(fn.Key(0), (2, 1))
    >>> x = fn.Masked(np.zeros((1, 2, 1)), np.array([[True, False]]))
    >>> fn.apply(layer, start.params, start.state, x).values.tolist()
    [[[0.0], [0.0]]]
    """
    check_layer(inner, "inner")
    kept: Any = partial(forward, inner)  # Any: the residuals' type is hidden from here on
    pulled: Any = partial(backward, inner)
    return Layer(
        f"masked_residual({inner.name})",
        partial(init, cast("Layer[P, S, Any, Any]", inner)),
        kept,
        pulled,
        inner.random,
        (inner,),  # type: ignore[arg-type]  # parts are for looking at: their types are not kept
        combine,
    )


def combine(parts: tuple[AnyLayer, ...]) -> Any:
    """Make the combination again from another part."""
    return masked_residual(*parts)
