r"""A residual connection (He et al. 2016, arXiv:1512.03385, eq. 1).

Forward
$$ y = x + f(x) $$

Derivation.  $\mathrm{d}y = \mathrm{d}x + f'(x)\,\mathrm{d}x$, so the cotangent arrives by both ways:
$$ \bar x = \bar y + f'(x)^\top \bar y. $$
"""

from functools import partial
from typing import Any, TypeVar

from funcnn.key import Key
from funcnn.layer import (
    AnyLayer,
    Backward,
    Forward,
    Init,
    Layer,
    Mode,
    Residuals,
    backward_without_input,
    check_layer,
    params_only,
)
from funcnn.typing import Array, Shapes

P = TypeVar("P")
S = TypeVar("S")


def init(inner: Layer[P, S, Array, Array], key: Key, in_shape: Shapes) -> Init[P, S]:
    made = inner.init(key, in_shape)
    if made.out_shape != in_shape:
        raise ValueError(f"residual needs a layer that keeps the shape; {inner.name} maps {in_shape} to {made.out_shape}")
    return made


def forward(inner: Layer[P, S, Array, Array], params: P, state: S, x: Array, mode: Mode) -> Forward[Array, S, Residuals]:
    made = inner.forward(params, state, x, mode)
    return Forward(x + made.output, made.state, made.residuals)


def backward(
    inner: Layer[P, S, Array, Array], params: P, residuals: Residuals, dy: Array, input_grad: bool = True
) -> Backward[P, Array]:
    if not input_grad:
        return backward_without_input(params_only(inner, params, residuals, dy).params)
    made = inner.backward(params, residuals, dy)
    return Backward(made.params, dy + made.input)


def residual(inner: Layer[P, S, Array, Array]) -> Layer[P, S, Array, Array]:
    """Add a layer's output to its input: y = x + f(x).

    Parameters
    ----------
    inner : Layer
        A layer that keeps the shape.

    Returns
    -------
    Layer
        With the parameters and the state of ``inner``.

    Raises
    ------
    TypeError
        When ``inner`` is not a layer.
    ValueError
        In ``init``, when it changes the shape.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> block = fn.residual(fn.dense(2) >> fn.tanh())
    >>> start = block.init(fn.Key(0), (2,))
    >>> fn.apply(block, start.params, start.state, np.zeros((1, 2)))
    array([[0., 0.]])
    """
    check_layer(inner, "inner")
    return Layer(
        f"residual({inner.name})",
        partial(init, inner),
        partial(forward, inner),
        partial(backward, inner),
        inner.random,
        (inner,),  # type: ignore[arg-type]  # parts are for looking at: their types are not kept
        combine,
    )


def combine(parts: tuple[AnyLayer, ...]) -> Any:
    """Make the combination again from another part."""
    return residual(*parts)
