r"""A layer of arrays lifted to masked sequences, and the way back to arrays.

Forward: the values go through the layer, what comes out in the padding is set to 0, and the mask goes on.

Derivation.  Let $M$ be the product with the mask.  $y = M f(x)$ where $f$ treats every step alone, so that $\bar x =
f'(x)^\top M \bar y$, which is 0 in the padding.
Parameters see 0 from there as well.
"""

from functools import partial
from typing import Any, TypeVar, cast

from attrs import frozen

from funcnn.combinators.several import check_layers
from funcnn.errors import describe
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, Residuals, define_layer
from funcnn.masked import Masked, cleared
from funcnn.typing import Array, BoolArray, Empty, Shape

P = TypeVar("P")
S = TypeVar("S")


@frozen(eq=False)
class MaskedResiduals:
    """The mask, and what the layer kept."""

    mask: BoolArray
    inner: Residuals


def check_masked(x: object) -> None:
    """Raise a TypeError unless x is a masked sequence."""
    if not isinstance(x, Masked):
        raise TypeError(f"the input is {describe(x)}, expected funcnn.Masked(values, mask)")


def forward(inner: Layer[P, S, Array, Array], params: P, state: S, x: Masked, mode: Mode) -> Forward[Masked, S, MaskedResiduals]:
    check_masked(x)
    made = inner.forward(params, state, cleared(x.values, x.mask), mode)
    return Forward(Masked(cleared(made.output, x.mask), x.mask), made.state, MaskedResiduals(x.mask, made.residuals))


def backward(inner: Layer[P, S, Array, Array], params: P, residuals: MaskedResiduals, dy: Masked) -> Backward[P, Masked]:
    made = inner.backward(params, residuals.inner, cleared(dy.values, residuals.mask))
    return Backward(made.params, Masked(cleared(made.input, residuals.mask), cast(Any, None)))


def masked_steps(inner: Layer[P, S, Array, Array]) -> Layer[P, S, Masked, Masked]:
    """Apply a layer that treats every step alone to masked sequences, keeping the padding at 0.

    Parameters
    ----------
    inner : Layer
        From (n, t, features) to (n, t, features'), each step alone: dense, an activation, layer_norm, dropout.

    Returns
    -------
    Layer
        From :class:`funcnn.Masked` to :class:`funcnn.Masked` with the same mask.

    Raises
    ------
    TypeError
        When ``inner`` is not a layer; in ``forward``, when the input is not masked.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.masked_steps(fn.dense(2))
    >>> start = layer.init(fn.Key(0), (3, 4))
    >>> x = fn.Masked(np.ones((1, 3, 4)), np.array([[True, True, False]]))
    >>> fn.apply(layer, start.params, start.state, x).values[0, 2]
    array([0., 0.])
    """
    check_layers((inner,), "masked_steps", least=1)
    kept: Any = partial(forward, inner)  # Any: the residuals' type is hidden from here on
    pulled: Any = partial(backward, inner)
    return Layer(
        f"masked_steps({inner.name})",
        inner.init,
        kept,
        pulled,
        inner.random,
        (inner,),  # type: ignore[arg-type]  # parts are for looking at: their types are not kept
        combine,
    )


def combine(parts: tuple[AnyLayer, ...]) -> Any:
    """Make the combination again from another part."""
    return masked_steps(*parts)


def unmask_init(key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    return Init((), (), in_shape)


def unmask_forward(params: Empty, state: Empty, x: Masked, mode: Mode) -> Forward[Array, Empty, BoolArray]:
    check_masked(x)
    return Forward(cleared(x.values, x.mask), state, x.mask)


def unmask_backward(params: Empty, mask: BoolArray, dy: Array) -> Backward[Empty, Masked]:
    return Backward(params, Masked(cleared(dy, mask), cast(Any, None)))


def unmask() -> Layer[Empty, Empty, Masked, Array]:
    """Return the values of masked sequences with 0 in the padding, as a plain array.

    Returns
    -------
    Layer
        Give the loss the mask as the weight of its target, ``fn.Weighted(target, mask)``.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.unmask(), (), (), fn.Masked(np.ones((1, 2, 1)), np.array([[True, False]])))[0, :, 0]
    array([1., 0.])
    """
    return define_layer("unmask", unmask_init, unmask_forward, unmask_backward, random=False)
