r"""The blocks of Transformers (Vaswani et al. 2017, arXiv:1706.03762, figure 1), as compositions.

Encoder block, with attention $a$, the two dense layers $g$ and the normalization $\nu$:
$$ h = x + a(\nu(x)), \quad y = h + g(\nu(h)) \quad\text{(pre-norm, Xiong et al. 2020, arXiv:2002.04745)}, $$
$$ h = \nu(x + a(x)), \quad y = \nu(h + g(h)) \quad\text{(post-norm, the first paper)} . $$
A decoder block has a third residual part between these two, cross-attention to a memory.

Those without biases are in :mod:`funcnn.models.transformer_without_bias`.

There is no gradient of their own to derive: they are made of layers and combinators that have theirs.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias, TypedDict, Unpack, get_args, overload

from attrs import evolve

from funcnn import initializers
from funcnn.combinators.masked_residual import masked_residual
from funcnn.combinators.masked_steps import masked_steps
from funcnn.combinators.memory import beside_memory, memory_residual
from funcnn.combinators.residual import residual
from funcnn.combinators.serial import serial
from funcnn.errors import check_choice, check_count, check_flag
from funcnn.initializers import Initializer
from funcnn.layer import AnyLayer, Layer, check_layer
from funcnn.layers.activations.gelu import gelu
from funcnn.layers.attention.attention import AttentionParams, attention
from funcnn.layers.attention.cross_attention import CrossAttentionParams, cross_attention
from funcnn.layers.attention.setting import Positions
from funcnn.layers.linear.dense import DenseParams, dense
from funcnn.layers.noise.dropout import dropout as dropping
from funcnn.layers.normalization.layer_norm import LayerNormParams, layer_norm
from funcnn.layers.normalization.rms_norm import RMSNormParams, rms_norm
from funcnn.layers.shape.identity import identity
from funcnn.masked import Masked
from funcnn.typing import Array, Empty, No, Yes

NormKind: TypeAlias = Literal["layer_norm", "rms_norm"]
Norm: TypeAlias = LayerNormParams | RMSNormParams
"""The parameters of either normalization."""

SelfAttention: TypeAlias = AttentionParams[DenseParams, DenseParams]
CrossAttention: TypeAlias = CrossAttentionParams[DenseParams]
Feed: TypeAlias = tuple[DenseParams, Empty, DenseParams, Empty]
"""The parameters of dense, activation, dense, dropout."""
PreNorm: TypeAlias = tuple[tuple[Norm, SelfAttention, Empty], tuple[Norm, DenseParams, Empty, DenseParams, Empty]]
"""The parameters of a pre-norm encoder block."""
PostNorm: TypeAlias = tuple[tuple[SelfAttention, Empty], Norm, Feed, Norm]
"""The parameters of a post-norm encoder block."""
PreNormDecoder: TypeAlias = tuple[
    tuple[Norm, SelfAttention, Empty],
    tuple[Norm, CrossAttention, Empty],
    tuple[Norm, DenseParams, Empty, DenseParams, Empty],
]
"""The parameters of a pre-norm decoder block."""
PostNormDecoder: TypeAlias = tuple[tuple[SelfAttention, Empty], Norm, tuple[CrossAttention, Empty], Norm, Feed, Norm]
"""The parameters of a post-norm decoder block."""

STATELESS: TypeAlias = tuple[tuple[Empty, ...], ...]


def steps(layer: AnyLayer, masked: bool) -> AnyLayer:
    """Return a layer that treats every step alone, for masked sequences or plain ones."""
    return masked_steps(layer) if masked else layer


def with_input(layer: AnyLayer, masked: bool) -> AnyLayer:
    """Return the residual connection, of masked sequences or of plain ones."""
    return masked_residual(layer) if masked else residual(layer)


def check_settings(features: int, hidden: int | None, masked: bool, activation: object) -> None:
    """Raise unless the settings that no part of a block looks at are right."""
    check_count(features, "features")
    if hidden is not None:
        check_count(hidden, "hidden")
    check_flag(masked, "masked")
    if activation is not None:
        check_layer(activation, "activation")


def feed_forward(
    made: Callable[..., AnyLayer],
    features: int,
    hidden: int | None,
    activation: Layer[Empty, Empty, Array, Array] | None,
    dropout: float,
    weight_init: Initializer,
    output_init: Initializer,
) -> list[AnyLayer]:
    """Return the two layers, such as dense ones, and what stands between and after them."""
    return [
        made(4 * features if hidden is None else hidden, weight_init=weight_init),
        gelu(approximate=True) if activation is None else activation,
        made(features, weight_init=output_init),
        dropped(dropout),
    ]


def dropped(rate: float) -> Layer[Empty, Empty, Array, Array]:
    """Return dropout, or the identity at rate 0, which draws no random numbers."""
    return dropping(rate) if rate else identity()


def _normalization(kind: NormKind) -> AnyLayer:
    """Return a layer of the kind."""
    check_choice(kind, get_args(NormKind), "norm")
    return layer_norm() if kind == "layer_norm" else rms_norm()


class Settings(TypedDict, total=False):
    """The arguments of both blocks that do not change a type."""

    hidden: int | None
    causal: bool
    activation: Layer[Empty, Empty, Array, Array] | None
    norm: NormKind
    dropout: float
    key_value_heads: int | None
    positions: Positions
    weight_init: Initializer
    output_init: Initializer


@overload
def encoder_block(
    features: int, heads: int, *, norm_first: Yes = True, masked: No = False, **more: Unpack[Settings]
) -> Layer[PreNorm, STATELESS, Array, Array]: ...
@overload
def encoder_block(
    features: int, heads: int, *, norm_first: Yes = True, masked: Yes, **more: Unpack[Settings]
) -> Layer[PreNorm, STATELESS, Masked, Masked]: ...
@overload
def encoder_block(
    features: int, heads: int, *, norm_first: No, masked: No = False, **more: Unpack[Settings]
) -> Layer[PostNorm, STATELESS, Array, Array]: ...
@overload
def encoder_block(
    features: int, heads: int, *, norm_first: No, masked: Yes, **more: Unpack[Settings]
) -> Layer[PostNorm, STATELESS, Masked, Masked]: ...
def encoder_block(
    features: int,
    heads: int,
    *,
    norm_first: bool = True,
    masked: bool = False,
    hidden: int | None = None,
    causal: bool = False,
    activation: Layer[Empty, Empty, Array, Array] | None = None,
    norm: NormKind = "layer_norm",
    dropout: float = 0.0,
    key_value_heads: int | None = None,
    positions: Positions = "none",
    weight_init: Initializer = initializers.glorot_uniform,
    output_init: Initializer = initializers.glorot_uniform,
) -> AnyLayer:
    """Self-attention and two dense layers, each with a residual connection: (n, t, features) to the same.

    Parameters
    ----------
    features : int
        Number of features, a multiple of ``heads``.
    heads : int
        Number of attention heads.
    norm_first : bool, optional
        Normalize what goes into each part (pre-norm, easy to train), not what comes out of it (post-norm, the first paper).
    masked : bool, optional
        Take and give :class:`funcnn.Masked` sequences.
    hidden : int, optional
        Features between the two dense layers; four times ``features`` by default.
    causal, key_value_heads, positions
        As in :func:`funcnn.attention`.
    activation : Layer, optional
        Between the dense layers; ``gelu(approximate=True)`` by default.
    norm : {"layer_norm", "rms_norm"}, optional
        The normalization.
    dropout : float, optional
        Rate of dropout of the attention's weights and of the output of each part.
    weight_init, output_init : callable, optional
        Initializers of the first and of the last weight of each part.

    Returns
    -------
    Layer
        A composition: its parameters are tuples, with the parts in the order in which they run.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> block = fn.encoder_block(8, 2)
    >>> start = block.init(fn.Key(0), (5, 8))
    >>> fn.apply(block, start.params, start.state, np.zeros((3, 5, 8))).shape
    (3, 5, 8)
    """
    check_settings(features, hidden, masked, activation)
    check_flag(norm_first, "norm_first")
    looking: AnyLayer = attention(  # type: ignore[call-overload]  # masked is one of True and False
        heads,
        causal=causal,
        masked=masked,
        key_value_heads=key_value_heads,
        positions=positions,
        dropout=dropout,
        weight_init=weight_init,
        output_init=output_init,
    )
    first = [looking, steps(dropped(dropout), masked)]
    second = [steps(one, masked) for one in feed_forward(dense, features, hidden, activation, dropout, weight_init, output_init)]
    normed = steps(_normalization(norm), masked)
    if norm_first:
        return named("encoder_block", pre_norm(normed, first, second, masked))
    parts = [[with_input(together(part), masked), normed] for part in (first, second)]
    return named("encoder_block", [one for part in parts for one in part])


@overload
def decoder_block(
    features: int,
    heads: int,
    *,
    norm_first: Yes = True,
    masked: No = False,
    memory_masked: No = False,
    **more: Unpack[Settings],
) -> Layer[PreNormDecoder, STATELESS, tuple[Array, Array], tuple[Array, Array]]: ...
@overload
def decoder_block(
    features: int, heads: int, *, norm_first: Yes = True, masked: No = False, memory_masked: Yes, **more: Unpack[Settings]
) -> Layer[PreNormDecoder, STATELESS, tuple[Array, Masked], tuple[Array, Masked]]: ...
@overload
def decoder_block(
    features: int, heads: int, *, norm_first: Yes = True, masked: Yes, memory_masked: No = False, **more: Unpack[Settings]
) -> Layer[PreNormDecoder, STATELESS, tuple[Masked, Array], tuple[Masked, Array]]: ...
@overload
def decoder_block(
    features: int, heads: int, *, norm_first: Yes = True, masked: Yes, memory_masked: Yes, **more: Unpack[Settings]
) -> Layer[PreNormDecoder, STATELESS, tuple[Masked, Masked], tuple[Masked, Masked]]: ...
@overload
def decoder_block(
    features: int, heads: int, *, norm_first: No, masked: No = False, memory_masked: No = False, **more: Unpack[Settings]
) -> Layer[PostNormDecoder, STATELESS, tuple[Array, Array], tuple[Array, Array]]: ...
@overload
def decoder_block(
    features: int, heads: int, *, norm_first: No, masked: No = False, memory_masked: Yes, **more: Unpack[Settings]
) -> Layer[PostNormDecoder, STATELESS, tuple[Array, Masked], tuple[Array, Masked]]: ...
@overload
def decoder_block(
    features: int, heads: int, *, norm_first: No, masked: Yes, memory_masked: No = False, **more: Unpack[Settings]
) -> Layer[PostNormDecoder, STATELESS, tuple[Masked, Array], tuple[Masked, Array]]: ...
@overload
def decoder_block(
    features: int, heads: int, *, norm_first: No, masked: Yes, memory_masked: Yes, **more: Unpack[Settings]
) -> Layer[PostNormDecoder, STATELESS, tuple[Masked, Masked], tuple[Masked, Masked]]: ...
def decoder_block(
    features: int,
    heads: int,
    *,
    norm_first: bool = True,
    masked: bool = False,
    memory_masked: bool = False,
    causal: bool = True,
    hidden: int | None = None,
    activation: Layer[Empty, Empty, Array, Array] | None = None,
    norm: NormKind = "layer_norm",
    dropout: float = 0.0,
    key_value_heads: int | None = None,
    positions: Positions = "none",
    weight_init: Initializer = initializers.glorot_uniform,
    output_init: Initializer = initializers.glorot_uniform,
) -> AnyLayer:
    """Self-attention, causal unless told otherwise, cross-attention and two dense layers: a pair (x, memory) to (y, memory).

    The memory goes on, so that blocks follow one another; :func:`funcnn.drop_memory` ends a decoder.

    Parameters
    ----------
    features : int
        Number of features of x, a multiple of ``heads``; those of the memory may differ.
    heads : int
        Number of heads of both attentions.
    norm_first : bool, optional
        Normalize what goes into each part (pre-norm), not what comes out of it (post-norm, the first paper).
    masked, memory_masked : bool, optional
        x, or the memory, is :class:`funcnn.Masked`.
    causal : bool, optional
        Each step of x sees itself and earlier ones only.
    hidden, activation, norm, dropout, weight_init, output_init
        As in :func:`funcnn.encoder_block`.
    key_value_heads, positions
        As in :func:`funcnn.attention`; positions are those of the self-attention.

    Returns
    -------
    Layer
        A composition: its parameters are tuples, with the parts in the order in which they run; ``init`` takes the pair of
        shapes.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> decoder = fn.decoder_block(8, 2) >> fn.decoder_block(8, 2) >> fn.drop_memory()
    >>> start = decoder.init(fn.Key(0), ((5, 8), (7, 6)))
    >>> fn.apply(decoder, start.params, start.state, (np.zeros((3, 5, 8)), np.zeros((3, 7, 6)))).shape
    (3, 5, 8)
    """
    check_settings(features, hidden, masked, activation)
    check_flag(norm_first, "norm_first")
    check_flag(memory_masked, "memory_masked")
    shared = {
        "masked": masked,
        "key_value_heads": key_value_heads,
        "dropout": dropout,
        "weight_init": weight_init,
        "output_init": output_init,
    }
    own: AnyLayer = attention(heads, causal=causal, positions=positions, **shared)  # type: ignore[call-overload]  # no literal
    other: AnyLayer = cross_attention(heads, memory_masked=memory_masked, **shared)  # type: ignore[call-overload]  # no literal
    rest = steps(dropped(dropout), masked)
    feed = [steps(one, masked) for one in feed_forward(dense, features, hidden, activation, dropout, weight_init, output_init)]
    normed = steps(_normalization(norm), masked)
    if norm_first:
        parts = pre_norm_beside_memory(normed, [own, rest], [other, rest], feed, masked)
    else:
        parts = [
            beside_memory(with_input(together([own, rest]), masked)),
            beside_memory(normed),
            memory_residual(together([other, rest])),
            beside_memory(normed),
            beside_memory(with_input(together(feed), masked)),
            beside_memory(normed),
        ]
    return named("decoder_block", parts)


def pre_norm(normed: AnyLayer, first: list[AnyLayer], second: list[AnyLayer], masked: bool) -> list[AnyLayer]:
    """Return the two residual parts of an encoder block, each behind its normalization."""
    return [with_input(together([normed, *part]), masked) for part in (first, second)]


def pre_norm_beside_memory(
    normed: AnyLayer, own: list[AnyLayer], other: list[AnyLayer], feed: list[AnyLayer], masked: bool
) -> list[AnyLayer]:
    """Return the three residual parts of a decoder block, each behind its normalization; the second looks at the memory."""
    first, last = (beside_memory(part) for part in pre_norm(normed, own, feed, masked))
    return [first, memory_residual(together([beside_memory(normed), *other])), last]


def together(layers: list[AnyLayer]) -> AnyLayer:
    """Return the composition of layers of any types."""
    made: AnyLayer = serial(*layers)
    return made


def named(name: str, layers: list[AnyLayer]) -> AnyLayer:
    """Return the composition of layers under a name."""
    return evolve(together(layers), name=name)
