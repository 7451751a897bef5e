r"""A layer of arrays lifted to masked sequences, and the way back to arrays.

Forward: the values go through the layer, what comes out in the padding is set to 0, and the mask goes on.

Derivation.  Let $M$ be the product with the mask.  $y = M f(M x)$, so that $\bar x = M f'(Mx)^\top M \bar y$, which is 0 in the
padding.  Parameters see 0 from there as well.
"""

from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
from attrs import frozen

from funcnn.combinators.cotangents import Like, check_cotangents, like
from funcnn.errors import check_array, check_cotangent, describe
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, Residuals, Train, check_layer, define_layer
from funcnn.masked import Masked, cleared
from funcnn.tree import map as map_leaves
from funcnn.typing import Array, BoolArray, Empty, Shape, Shapes

P = TypeVar("P")
S = TypeVar("S")


@frozen(eq=False)
class MaskedResiduals:
    """The mask, and what the layer kept."""

    mask: BoolArray
    output: Like
    inner: Residuals


@frozen(eq=False)
class UnmaskResiduals:
    """The mask, and the shape of the output."""

    mask: BoolArray
    shape: Shape


def check_masked(x: object) -> None:
    """Raise a TypeError unless x is a masked sequence."""
    if not isinstance(x, Masked):
        raise TypeError(f"the input is {describe(x)}, expected funcnn.Masked(values, mask)")


def init(inner: Layer[P, S, Array, Array], key: Key, in_shape: Shapes) -> Init[P, S]:
    made = inner.init(key, in_shape)
    if made.out_shape[:1] != in_shape[:1]:
        raise ValueError(f"masked_steps needs a layer that keeps the steps; {inner.name} maps {in_shape} to {made.out_shape}")
    check_steps_alone(inner, made, cast(Shape, in_shape))
    return made


def check_steps_alone(inner: Layer[P, S, Array, Array], made: Init[P, S], in_shape: Shape) -> None:
    """Raise unless the padding counts for nothing in training: what the layer gives for real steps must not depend on it."""
    with np.errstate(all="ignore"):
        if not treats_steps_alone(inner, made, in_shape) and not takes_zeros_for_the_border(inner, made, in_shape):
            raise ValueError(
                f"masked_steps takes layers that treat every step alone, and {inner.name} does not: the padding would count.  Use"
                " one that does, such as layer_norm or rms_norm in place of other norms, or a layer made with masked=True"
            )


def treats_steps_alone(inner: Layer[P, S, Array, Array], made: Init[P, S], in_shape: Shape) -> bool:
    """Tell whether steps that are not numbers spoil no other one: of two steps, or of all where the layer takes no fewer."""

    def output(steps: int) -> Array:
        x = np.ones((3, steps, *in_shape[1:]))
        x[1, -1] = x[2, 0] = np.nan
        return inner.forward(made.params, made.state, x, Train(Key(0))).output

    try:
        y = output(min(2, in_shape[0]))
    except Exception:  # a layer for sequences of its own length; if that fails as well, the error is the user's to see
        y = output(in_shape[0])
    y = y.reshape(3, y.shape[1], -1)
    return not (np.isnan(y[0]).any() or np.isnan(y[1, :-1]).any() or np.isnan(y[2, 1:]).any())


def takes_zeros_for_the_border(inner: Layer[P, S, Array, Array], made: Init[P, S], in_shape: Shape) -> bool:
    """Tell whether steps of zeros before and after a sequence change nothing, as for a convolution that pads with zeros itself.

    It is tried with parameters moved away from their start, where biases are often 0.
    """
    real = in_shape[0] // 3
    if real == 0:
        return False
    params = map_leaves(lambda leaf: leaf + 0.1, made.params)
    x = Key(0).generator().normal(size=(2, in_shape[0], *in_shape[1:]))
    inside = slice(real, in_shape[0] - real)
    x[:, :real] = x[:, in_shape[0] - real :] = 0
    mode = Train(Key(0))
    padded = inner.forward(params, made.state, x, mode).output[:, inside]
    try:
        alone = inner.forward(params, made.state, x[:, inside], mode).output
    except Exception:  # a layer for sequences of its own length cannot be blind to padding
        return False
    return padded.shape == alone.shape and bool(np.allclose(padded, alone, rtol=1e-6, atol=1e-9))


def forward(inner: Layer[P, S, Array, Array], params: P, state: S, x: Masked, mode: Mode) -> Forward[Masked, S, MaskedResiduals]:
    check_masked(x)
    made = inner.forward(params, state, cleared(x.values, x.mask), mode)
    y = Masked(cleared(made.output, x.mask), x.mask)
    return Forward(y, made.state, MaskedResiduals(x.mask, like(y), made.residuals))


def backward(inner: Layer[P, S, Array, Array], params: P, residuals: MaskedResiduals, dy: Masked) -> Backward[P, Masked]:
    check_cotangents(dy, residuals.output)
    made = inner.backward(params, residuals.inner, cleared(dy.values, residuals.mask))
    return Backward(made.params, Masked(cleared(made.input, residuals.mask), cast(Any, None)))


def masked_steps(inner: Layer[P, S, Array, Array]) -> Layer[P, S, Masked, Masked]:
    """Apply a layer that treats every step alone to masked sequences, keeping the padding at 0.

    Parameters
    ----------
    inner : Layer
        From (n, t, features) to (n, t, features'), each step alone: dense, an activation, layer_norm, dropout; or a convolution
        to which zeros in the padding are what lies beyond the ends.  Not batch_norm, group_norm or a softmax over the steps,
        which would count the padding.

    Returns
    -------
    Layer
        From :class:`funcnn.Masked` to :class:`funcnn.Masked` with the same mask.

    Raises
    ------
    TypeError
        When ``inner`` is not a layer; in ``forward``, when the input is not masked.
    ValueError
        In ``init``, when the padding would count (which is tried), or ``inner`` does not keep the number of steps.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.masked_steps(fn.dense(2))
    >>> start = layer.init(fn.Key(0), (3, 4))
    >>> x = fn.Masked(np.ones((1, 3, 4)), np.array([[True, True, False]]))
    >>> fn.apply(layer, start.params, start.state, x).values[0, 2]
    array([0., 0.])
    """
    check_layer(inner, "inner")
    kept: Any = partial(forward, inner)  # Any: the residuals' type is hidden from here on
    pulled: Any = partial(backward, inner)
    return Layer(
        f"masked_steps({inner.name})",
        partial(init, inner),
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


def unmask_forward(params: Empty, state: Empty, x: Masked, mode: Mode) -> Forward[Array, Empty, UnmaskResiduals]:
    check_masked(x)
    check_array(x.values, min_ndim=2)
    y = cleared(x.values, x.mask)
    return Forward(y, state, UnmaskResiduals(x.mask, y.shape))


def unmask_backward(params: Empty, residuals: UnmaskResiduals, dy: Array) -> Backward[Empty, Masked]:
    check_cotangent(dy, residuals.shape)
    return Backward(params, Masked(cleared(dy, residuals.mask), cast(Any, None)))


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
