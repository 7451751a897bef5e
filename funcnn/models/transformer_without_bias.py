r"""The blocks of Transformers without biases and shifts, as PaLM has them (Chowdhery et al. 2022, arXiv:2204.02311, section 2).

The formulas are those of pre-norm blocks (:mod:`funcnn.models.transformer`), in which no map has a bias and the normalizations
have a scale alone: with linear layers $g$
$$ h = x + a(\nu(x)), \quad y = h + g(\nu(h)) . $$

There is no gradient of their own to derive: they are made of layers and combinators that have theirs.
"""

from typing import Literal, TypeAlias, TypedDict, Unpack, get_args, overload

from funcnn import initializers
from funcnn.errors import check_choice, check_flag
from funcnn.initializers import Initializer
from funcnn.layer import AnyLayer, Layer
from funcnn.layers.attention.attention import AttentionParams, attention_without_bias
from funcnn.layers.attention.cross_attention import CrossAttentionParams, cross_attention_without_bias
from funcnn.layers.attention.setting import Positions
from funcnn.layers.linear.linear import LinearParams, linear
from funcnn.layers.normalization.rms_norm import RMSNormParams, rms_norm
from funcnn.layers.normalization.without_affine import LayerNormWithoutShiftParams, layer_norm_without_shift
from funcnn.masked import Masked
from funcnn.models.transformer import (
    STATELESS,
    check_settings,
    dropped,
    feed_forward,
    named,
    pre_norm,
    pre_norm_beside_memory,
    steps,
)
from funcnn.typing import Array, Empty, No, Yes

ScaleKind: TypeAlias = Literal["rms_norm", "layer_norm_without_shift"]
Scaled: TypeAlias = RMSNormParams | LayerNormWithoutShiftParams
"""The parameters of either normalization."""

LookParams: TypeAlias = tuple[Scaled, AttentionParams[LinearParams, LinearParams], Empty]
"""The parameters of the residual part with attention: normalization, attention, dropout."""
MemoryParams: TypeAlias = tuple[Scaled, CrossAttentionParams[LinearParams], Empty]
"""Those of the part that looks at the memory."""
FeedParams: TypeAlias = tuple[Scaled, LinearParams, Empty, LinearParams, Empty]
"""Those of the part that treats each step alone: normalization, linear, activation, linear, dropout."""


class Settings(TypedDict, total=False):
    """The arguments of both blocks that do not change a type."""

    hidden: int | None
    causal: bool
    activation: Layer[Empty, Empty, Array, Array] | None
    norm: ScaleKind
    dropout: float
    key_value_heads: int | None
    positions: Positions
    weight_init: Initializer
    output_init: Initializer


def normalization(kind: ScaleKind) -> AnyLayer:
    """Return a layer of the kind."""
    check_choice(kind, get_args(ScaleKind), "norm")
    return rms_norm() if kind == "rms_norm" else layer_norm_without_shift()


@overload
def encoder_block_without_bias(
    features: int, heads: int, *, masked: No = False, **more: Unpack[Settings]
) -> Layer[tuple[LookParams, FeedParams], STATELESS, Array, Array]: ...
@overload
def encoder_block_without_bias(
    features: int, heads: int, *, masked: Yes, **more: Unpack[Settings]
) -> Layer[tuple[LookParams, FeedParams], STATELESS, Masked, Masked]: ...
def encoder_block_without_bias(
    features: int,
    heads: int,
    *,
    masked: bool = False,
    hidden: int | None = None,
    causal: bool = False,
    activation: Layer[Empty, Empty, Array, Array] | None = None,
    norm: ScaleKind = "rms_norm",
    dropout: float = 0.0,
    key_value_heads: int | None = None,
    positions: Positions = "none",
    weight_init: Initializer = initializers.glorot_uniform,
    output_init: Initializer = initializers.glorot_uniform,
) -> AnyLayer:
    """Self-attention and two linear layers without biases, each behind a normalization: (n, t, features) to the same.

    Parameters
    ----------
    features, heads, masked, hidden, activation, dropout, weight_init, output_init
        As in :func:`funcnn.encoder_block`.
    causal, key_value_heads, positions
        As in :func:`funcnn.attention`.
    norm : {"rms_norm", "layer_norm_without_shift"}, optional
        The normalization of what goes into each part.

    Returns
    -------
    Layer
        A composition: its parameters are tuples, with the parts in the order in which they run.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range.

    See Also
    --------
    encoder_block : with biases, and post-norm too.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> block = fn.encoder_block_without_bias(8, 2, causal=True, positions="rotary")
    >>> start = block.init(fn.Key(0), (5, 8))
    >>> sorted({path.rpartition(".")[2] for path, _ in fn.tree.walk(start.params)})
    ['scale', 'weight']
    """
    check_settings(features, hidden, masked, activation)
    looking: AnyLayer = attention_without_bias(  # type: ignore[call-overload]  # masked is one of True and False
        heads,
        causal=causal,
        masked=masked,
        key_value_heads=key_value_heads,
        positions=positions,
        dropout=dropout,
        weight_init=weight_init,
        output_init=output_init,
    )
    feed = feed_forward(linear, features, hidden, activation, dropout, weight_init, output_init)
    first, second = [looking, steps(dropped(dropout), masked)], [steps(one, masked) for one in feed]
    return named("encoder_block_without_bias", pre_norm(steps(normalization(norm), masked), first, second, masked))


@overload
def decoder_block_without_bias(
    features: int, heads: int, *, masked: No = False, memory_masked: No = False, **more: Unpack[Settings]
) -> Layer[tuple[LookParams, MemoryParams, FeedParams], STATELESS, tuple[Array, Array], tuple[Array, Array]]: ...
@overload
def decoder_block_without_bias(
    features: int, heads: int, *, masked: No = False, memory_masked: Yes, **more: Unpack[Settings]
) -> Layer[tuple[LookParams, MemoryParams, FeedParams], STATELESS, tuple[Array, Masked], tuple[Array, Masked]]: ...
@overload
def decoder_block_without_bias(
    features: int, heads: int, *, masked: Yes, memory_masked: No = False, **more: Unpack[Settings]
) -> Layer[tuple[LookParams, MemoryParams, FeedParams], STATELESS, tuple[Masked, Array], tuple[Masked, Array]]: ...
@overload
def decoder_block_without_bias(
    features: int, heads: int, *, masked: Yes, memory_masked: Yes, **more: Unpack[Settings]
) -> Layer[tuple[LookParams, MemoryParams, FeedParams], STATELESS, tuple[Masked, Masked], tuple[Masked, Masked]]: ...
def decoder_block_without_bias(
    features: int,
    heads: int,
    *,
    masked: bool = False,
    memory_masked: bool = False,
    causal: bool = True,
    hidden: int | None = None,
    activation: Layer[Empty, Empty, Array, Array] | None = None,
    norm: ScaleKind = "rms_norm",
    dropout: float = 0.0,
    key_value_heads: int | None = None,
    positions: Positions = "none",
    weight_init: Initializer = initializers.glorot_uniform,
    output_init: Initializer = initializers.glorot_uniform,
) -> AnyLayer:
    """Self-attention, cross-attention and two linear layers without biases: a pair (x, memory) to (y, memory).

    Parameters
    ----------
    features, heads, masked, memory_masked, causal, hidden, activation, dropout, weight_init, output_init
        As in :func:`funcnn.decoder_block`.
    key_value_heads, positions
        As in :func:`funcnn.attention`; positions are those of the self-attention.
    norm : {"rms_norm", "layer_norm_without_shift"}, optional
        The normalization of what goes into each part.

    Returns
    -------
    Layer
        A composition: its parameters are tuples, with the parts in the order in which they run; ``init`` takes the pair of
        shapes.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range.

    See Also
    --------
    decoder_block : with biases, and post-norm too.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> decoder = fn.decoder_block_without_bias(8, 2) >> fn.drop_memory()
    >>> start = decoder.init(fn.Key(0), ((5, 8), (7, 6)))
    >>> fn.apply(decoder, start.params, start.state, (np.zeros((3, 5, 8)), np.zeros((3, 7, 6)))).shape
    (3, 5, 8)
    """
    check_settings(features, hidden, masked, activation)
    check_flag(memory_masked, "memory_masked")
    shared = {
        "masked": masked,
        "key_value_heads": key_value_heads,
        "dropout": dropout,
        "weight_init": weight_init,
        "output_init": output_init,
    }
    own: AnyLayer = attention_without_bias(heads, causal=causal, positions=positions, **shared)  # type: ignore[call-overload]  # no literal
    other: AnyLayer = cross_attention_without_bias(heads, memory_masked=memory_masked, **shared)  # type: ignore[call-overload]  # no literal
    rest = steps(dropped(dropout), masked)
    feed = [steps(one, masked) for one in feed_forward(linear, features, hidden, activation, dropout, weight_init, output_init)]
    normed = steps(normalization(norm), masked)
    return named("decoder_block_without_bias", pre_norm_beside_memory(normed, [own, rest], [other, rest], feed, masked))
