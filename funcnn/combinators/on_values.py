r"""A layer of arrays lifted to pooled arrays: it sees the values, the indices go on.

Forward: $(x, i) \mapsto (f(x), i)$.

Derivation.  The indices have no gradient: $\bar x = f'(x)^\top \bar y$.
"""

from functools import partial
from typing import Any, TypeVar, cast

from funcnn.errors import describe
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, Residuals, check_layer
from funcnn.layers.pooling.max_unpooling import Pooled
from funcnn.typing import Array, Shapes

P = TypeVar("P")
S = TypeVar("S")


def init(inner: Layer[P, S, Array, Array], key: Key, in_shape: Shapes) -> Init[P, S]:
    made = inner.init(key, in_shape)
    if made.out_shape != in_shape:
        raise ValueError(
            f"on_values needs a layer that keeps the shape, since the indices do;"
            f" {inner.name} maps {in_shape} to {made.out_shape}"
        )
    return made


def forward(inner: Layer[P, S, Array, Array], params: P, state: S, x: Pooled, mode: Mode) -> Forward[Pooled, S, Residuals]:
    if not isinstance(x, Pooled):
        raise TypeError(f"the input is {describe(x)}, expected funcnn.Pooled(values, indices)")
    made = inner.forward(params, state, x.values, mode)
    return Forward(Pooled(made.output, x.indices.copy()), made.state, made.residuals)


def backward(inner: Layer[P, S, Array, Array], params: P, residuals: Residuals, dy: Pooled) -> Backward[P, Pooled]:
    given: object = dy
    if not isinstance(given, Pooled):
        raise TypeError(f"the cotangent of the output (doutput) is {describe(given)}, expected funcnn.Pooled(values, None)")
    made = inner.backward(params, residuals, given.values)
    return Backward(made.params, Pooled(made.input, cast(Any, None)))


def on_values(inner: Layer[P, S, Array, Array]) -> Layer[P, S, Pooled, Pooled]:
    """Apply a layer to the values of pooled arrays and hand their indices on: the inside of an encoder and decoder.

    Parameters
    ----------
    inner : Layer
        A layer that keeps the shape; it may well pool and unpool further inside.

    Returns
    -------
    Layer
        From :class:`funcnn.Pooled` to :class:`funcnn.Pooled` with the same indices.

    Raises
    ------
    TypeError
        When ``inner`` is not a layer; in ``forward``, when the input is not pooled.
    ValueError
        In ``init``, when the layer changes the shape.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> inside = fn.on_values(fn.conv2d(3, 3, padding="same"))
    >>> model = fn.max_pool_with_indices((2, 2)) >> inside >> fn.max_unpool((8, 8))
    >>> start = model.init(fn.Key(0), (8, 8, 3))
    >>> fn.apply(model, start.params, start.state, np.ones((1, 8, 8, 3))).shape
    (1, 8, 8, 3)
    """
    check_layer(inner, "inner")
    return Layer(
        f"on_values({inner.name})",
        partial(init, inner),
        partial(forward, inner),
        partial(backward, inner),
        inner.random,
        (inner,),  # type: ignore[arg-type]  # parts are for looking at: their types are not kept
        combine,
    )


def combine(parts: tuple[AnyLayer, ...]) -> Any:
    """Make the combination again from another part."""
    return on_values(*parts)
