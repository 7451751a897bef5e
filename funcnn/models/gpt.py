"""A generative Transformer (Radford et al. 2019, GPT-2): tokens to the logits of the token that comes next, at every step."""

import math
from typing import Literal, TypeAlias, overload

from attrs import evolve

from funcnn import initializers
from funcnn.combinators.serial import serial
from funcnn.errors import check_count, check_flag, check_range
from funcnn.layer import AnyLayer, Layer
from funcnn.layers.embedding.embedding import EmbeddingParams, embedding
from funcnn.layers.embedding.positions import PositionParams, learned_positions
from funcnn.layers.embedding.tied_embedding import TiedEmbeddingParams, tied_embedding
from funcnn.layers.linear.linear import LinearParams, linear
from funcnn.layers.noise.dropout import dropout as dropping
from funcnn.layers.normalization.layer_norm import LayerNormParams, layer_norm
from funcnn.layers.shape.identity import identity
from funcnn.models.choices import MOST_LAYERS
from funcnn.models.transformer import PreNorm, encoder_block
from funcnn.typing import Array, Empty, IntArray

Body: TypeAlias = tuple[PositionParams, Empty, tuple[PreNorm, ...], LayerNormParams]
"""The parameters of what stands between the tokens and the logits."""


@overload
def gpt(
    vocabulary: int,
    *,
    layers: int = ...,
    heads: int = ...,
    features: int = ...,
    context_length: int = ...,
    tied: Literal[True] = True,
    dropout: float = ...,
) -> Layer[TiedEmbeddingParams[Body], tuple[object, ...], IntArray, Array]: ...
@overload
def gpt(
    vocabulary: int,
    *,
    layers: int = ...,
    heads: int = ...,
    features: int = ...,
    context_length: int = ...,
    tied: Literal[False],
    dropout: float = ...,
) -> Layer[tuple[EmbeddingParams, Body, LinearParams], tuple[object, ...], IntArray, Array]: ...
def gpt(
    vocabulary: int,
    *,
    layers: int = 4,
    heads: int = 4,
    features: int = 128,
    context_length: int = 64,
    tied: bool = True,
    dropout: float = 0.0,
) -> AnyLayer:
    r"""Make a GPT: tokens (n, t), t at most ``context_length``, to logits (n, t, vocabulary).

    Embedding and learned positions, pre-norm blocks of causal attention and two dense layers of four times the width with
    GELU (its tanh form) between them, and a last normalization.  The initial values are GPT-2's: weights of standard
    deviation 0.02, and those that write into the residual stream $0.02 / \sqrt{2 L}$ for $L$ blocks, so that the stream's
    variance does not grow with the depth.

    Parameters
    ----------
    vocabulary : int
        Number of tokens.
    layers : int, optional
        Number of blocks L.
    heads, features : int, optional
        Attention heads, and features of the residual stream: a multiple of ``heads``.
    context_length : int, optional
        The largest number of steps.
    tied : bool, optional
        Whether the table of the embedding also reads the logits; otherwise a linear layer does.
    dropout : float, optional
        Rate of dropout of the embedding, of the attention's weights and of the output of each part.

    Returns
    -------
    Layer

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``forward``, when a sequence is longer than that or a token is none of the
        vocabulary.

    See Also
    --------
    generate : tokens drawn from such a model.

    References
    ----------
    Radford et al. (2019), Language models are unsupervised multitask learners.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.gpt(65, layers=2, features=32, context_length=16)
    >>> start = model.init(fn.Key(0), (16,))
    >>> fn.apply(model, start.params, start.state, np.array([[3, 1, 4]])).shape
    (1, 3, 65)
    """
    layers = check_count(layers, "layers", most=MOST_LAYERS)
    heads, features, context_length = (
        check_count(heads, "heads"),
        check_count(features, "features"),
        check_count(context_length, "context_length"),
    )
    vocabulary = check_count(vocabulary, "vocabulary")
    tied = check_flag(tied, "tied")
    dropout = check_range(dropout, "dropout", 0, 1, open_high=True)
    small, smaller = initializers.normal(0.02), initializers.normal(0.02 / math.sqrt(2 * layers))
    blocks = [
        encoder_block(features, heads, causal=True, dropout=dropout, weight_init=small, output_init=smaller)
        for _ in range(layers)
    ]
    first = dropping(dropout) if dropout else identity()
    body: AnyLayer = serial(learned_positions(context_length), first, serial(*blocks), layer_norm())
    if tied:
        model: AnyLayer = tied_embedding(vocabulary, features, body, weight_init=small)
    else:
        model = serial(embedding(vocabulary, features, weight_init=small), body, linear(vocabulary, weight_init=small))
    return evolve(model, name=f"gpt({layers} x {features})")
