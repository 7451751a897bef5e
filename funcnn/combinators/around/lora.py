r"""A layer with a correction of low rank beside it (Hu et al. 2021, arXiv:2106.09685, section 4.1).

Indices: $n$ example (any number of leading axes), $i$ input feature of $I$, $r$ of the rank $R$, $o$ output feature of $O$.

Forward, with $s = \alpha / R$
$$ h_{nr} = \sum_i x_{ni} A_{ir}, \qquad y_{no} = f(\theta, x)_{no} + s \sum_r h_{nr} B_{ro} . $$
$B$ starts at 0, so that the layer starts as it would without.

Derivation.  $\mathrm{d}y = \mathrm{d}f + s\,(\mathrm{d}h\,B + h\,\mathrm{d}B)$ with
$\mathrm{d}h = \mathrm{d}x\,A + x\,\mathrm{d}A$:
$$ \bar h = s\,\bar y B^\top, \qquad \bar B = s\,h^\top \bar y, \qquad \bar A = x^\top \bar h, \qquad
   \bar x = \partial_x f^\top \bar y + \bar h A^\top , $$
and $\bar\theta = \partial_\theta f^\top \bar y$.

Merging.  Where $f(\theta, x) = x W + \ldots$, the sum is the same layer with the weight $W + s A B$.
"""

from functools import partial
from typing import Generic, TypeVar, cast

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.combinators.reweighted import HasWeight, check_weight, with_weight
from funcnn.errors import check_cotangent, check_count, check_features, check_has_features, check_range, describe, shown
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.arrays import as_matrix, dot, matmul_last, matmul_last_transposed
from funcnn.key import Key
from funcnn.layer import (
    Backward,
    Forward,
    Init,
    Layer,
    Mode,
    Residuals,
    backward_without_input,
    check_layer,
    define_layer,
    params_only,
)
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Shape

P = TypeVar("P")
W = TypeVar("W", bound=HasWeight)
S = TypeVar("S")


@read_only_again
@frozen(eq=False)
class LoRAParams(Generic[P]):
    """Parameters of a layer with a correction of low rank."""

    inner: P
    """The layer's own."""
    down: Array  # (I, R)
    """A, to the low rank."""
    up: Array  # (R, O)
    """B, back to the outputs."""


@frozen(eq=False)
class LoRAResiduals:
    """The input, h, and what the inner layer kept."""

    x: Array  # (..., I)
    low: Array  # (..., R)
    inner: Residuals


def init(
    inner: Layer[P, S, Array, Array], rank: int, weight_init: Initializer, key: Key, in_shape: Shape
) -> Init[LoRAParams[P], S]:
    check_has_features(in_shape, "lora")
    made = inner.init(key.child(0), in_shape)
    out = made.out_shape
    if out[:-1] != in_shape[:-1]:
        raise ValueError(f"lora needs a layer of the last axis alone; {inner.name} maps {in_shape} to {out}")
    down = weight_init(key.child(1), (in_shape[-1], rank))
    up = initializers.zeros(key, (rank, *cast(Shape, out)[-1:]))
    return Init(LoRAParams(made.params, down, up), made.state, out)


def forward(
    inner: Layer[P, S, Array, Array], alpha: float, params: LoRAParams[P], state: S, x: Array, mode: Mode
) -> Forward[Array, S, LoRAResiduals]:
    check_features(x, params.down)
    made = inner.forward(params.inner, state, x, mode)
    low = matmul_last(x, params.down)
    correction = matmul_last(low, params.up)
    if made.output.shape != correction.shape:
        raise ValueError(f"params.up is {describe(params.up)}, and {inner.name} gives {describe(made.output)}")
    correction *= share(alpha, params.up)
    return Forward(made.output + correction, made.state, LoRAResiduals(x, low, made.residuals))


def share(alpha: float, up: Array) -> np.floating:
    """Return s, in the parameters' precision."""
    made: np.floating = alpha / up.real.dtype.type(len(up))
    return made


def backward(
    inner: Layer[P, S, Array, Array],
    alpha: float,
    params: LoRAParams[P],
    residuals: LoRAResiduals,
    dy: Array,
    input_grad: bool = True,
) -> Backward[LoRAParams[P], Array]:
    check_cotangent(dy, (*residuals.low.shape[:-1], params.up.shape[-1]), params.up.dtype)
    scaled = dy * share(alpha, params.up)
    dup = dot(as_matrix(residuals.low).T, as_matrix(scaled))
    dlow = matmul_last_transposed(scaled, params.up)
    ddown = dot(as_matrix(residuals.x).T, as_matrix(dlow))
    if not input_grad:
        own = params_only(inner, params.inner, residuals.inner, dy).params
        return backward_without_input(LoRAParams(own, ddown, dup))
    made = inner.backward(params.inner, residuals.inner, dy)
    return Backward(LoRAParams(made.params, ddown, dup), made.input + matmul_last_transposed(dlow, params.down))


def lora(
    inner: Layer[P, S, Array, Array],
    rank: int,
    *,
    alpha: float = 1.0,
    weight_init: Initializer = initializers.lecun_normal,
) -> Layer[LoRAParams[P], S, Array, Array]:
    r"""Put a correction of low rank beside a layer: few parameters, by which a trained one learns something new.

    Parameters
    ----------
    inner : Layer
        A layer of the last axis, such as ``dense`` or ``linear``; most often ``fn.frozen(fn.dense(...))``, so that the correction
        learns alone.
    rank : int
        The rank of the correction.
    alpha : float, optional
        The correction is multiplied by ``alpha / rank``, so that another rank needs no other learning rate.
    weight_init : callable, optional
        Of the matrix that leads to the low rank; the other one starts at 0.

    Returns
    -------
    Layer
        Of the types of ``inner``, with parameters :class:`LoRAParams`: inner, down (I, rank) and up (rank, O).

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is no layer, or another argument out of its range; in ``init``, when the layer changes other axes than the
        last.

    References
    ----------
    Hu et al. (2021), LoRA: low-rank adaptation of large language models, arXiv:2106.09685.

    See Also
    --------
    merge_lora : the layer without the correction, and with a weight that holds it.
    replace_layer : puts it in the place of a layer of a network.

    Examples
    --------
    Parameters of a trained layer, corrected and merged again:

    >>> import attrs, numpy as np, funcnn as fn
    >>> trained = fn.dense(6).init(fn.Key(0), (8,)).params
    >>> layer = fn.lora(fn.frozen(fn.dense(6)), rank=2, alpha=4.0)
    >>> params = attrs.evolve(layer.init(fn.Key(1), (8,)).params, inner=trained, up=np.ones((2, 6)))
    >>> x = np.ones((1, 8))
    >>> merged = fn.merge_lora(params, alpha=4.0)
    >>> np.allclose(fn.apply(layer, params, (), x), fn.apply(fn.dense(6), merged, (), x))
    True
    """
    check_layer(inner, "inner")
    rank = check_count(rank, "rank")
    alpha = check_range(alpha, "alpha", 0, float("inf"), open_low=True, open_high=True)
    check_initializer(weight_init, "weight_init")
    return define_layer(
        f"lora({inner.name}, {rank})",
        partial(init, inner, rank, weight_init),
        partial(forward, inner, alpha),
        partial(backward, inner, alpha),
        random=inner.random,
    )


def merge_lora(params: LoRAParams[W], *, alpha: float = 1.0) -> W:
    r"""Return the parameters of the layer alone, with the correction in its weight: $W + \frac{\alpha}{R} A B$.

    Parameters
    ----------
    params : LoRAParams
        Of a layer with a weight (I, O), such as ``dense`` or ``linear``.
    alpha : float, optional
        That of :func:`lora`.

    Returns
    -------
    params
        Of the inner layer, of the same function up to rounding.

    Raises
    ------
    TypeError, ValueError
        When they are no such parameters, or ``alpha`` is out of its range.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.lora(fn.linear(6), rank=2)
    >>> start = layer.init(fn.Key(0), (8,)).params
    >>> np.array_equal(fn.merge_lora(start).weight, start.inner.weight)  # the correction starts at 0
    True
    """
    alpha = check_range(alpha, "alpha", 0, float("inf"), open_low=True, open_high=True)
    given: object = params
    if not isinstance(given, LoRAParams):
        raise TypeError(f"params is {shown(params)}, expected the parameters of a lora layer")
    check_weight(params.inner, "merge_lora")
    weight = params.inner.weight
    shape = len(params.down), params.up.shape[-1]
    if weight.shape != shape:
        raise ValueError(f"params.inner.weight is {describe(weight)}, expected the shape {shape} of the correction")
    merged = weight + dot(params.down, params.up) * share(alpha, params.up)
    merged.setflags(write=False)
    return with_weight(params.inner, merged)
