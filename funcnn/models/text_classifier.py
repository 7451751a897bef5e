"""A classifier of texts of unequal length: tokens, padded to one length, to the logits of classes."""

from typing import Literal, TypeAlias, get_args, overload

from attrs import evolve

from funcnn.combinators.masked_steps import masked_steps
from funcnn.combinators.serial import serial
from funcnn.errors import check_choice, check_count, check_range
from funcnn.layer import AnyLayer, Layer
from funcnn.layers.embedding.embedding import EmbeddingParams, embedding
from funcnn.layers.embedding.positions import sinusoidal_positions
from funcnn.layers.linear.dense import DenseParams, dense
from funcnn.layers.normalization.layer_norm import LayerNormParams, layer_norm
from funcnn.layers.pooling.mean_steps import mean_steps
from funcnn.layers.recurrent.gru import GRUParams, gru
from funcnn.models.choices import MOST_LAYERS
from funcnn.models.transformer import PreNorm, encoder_block
from funcnn.typing import Array, Empty, IntArray

Encoder: TypeAlias = Literal["transformer", "gru"]


@overload
def text_classifier(
    vocabulary: int,
    classes: int,
    encoder: Literal["transformer"] = "transformer",
    *,
    features: int = ...,
    layers: int = ...,
    heads: int = ...,
    padding_index: int = ...,
    dropout: float = ...,
) -> Layer[
    tuple[EmbeddingParams, Empty, tuple[PreNorm, ...], LayerNormParams, Empty, DenseParams], tuple[object, ...], IntArray, Array
]: ...
@overload
def text_classifier(
    vocabulary: int,
    classes: int,
    encoder: Literal["gru"],
    *,
    features: int = ...,
    layers: int = ...,
    padding_index: int = ...,
) -> Layer[tuple[EmbeddingParams, tuple[GRUParams, ...], Empty, DenseParams], tuple[object, ...], IntArray, Array]: ...
def text_classifier(
    vocabulary: int,
    classes: int,
    encoder: Encoder = "transformer",
    *,
    features: int = 64,
    layers: int = 1,
    heads: int = 4,
    padding_index: int = 0,
    dropout: float = 0.0,
) -> AnyLayer:
    """Make a classifier of token sequences: integers (n, t), padded, to logits (n, classes).

    An embedding, an encoder that looks at real tokens only, the mean over them, and a dense layer.  How much padding follows
    a text, or where it stands for the GRU, changes nothing.

    Parameters
    ----------
    vocabulary : int
        Number of tokens, the padding included.
    classes : int
        Number of classes.
    encoder : {"transformer", "gru"}, optional
        Pre-norm encoder blocks with sinusoidal positions and a last normalization, or gated recurrent units.
    features : int, optional
        Features of a step; a multiple of ``heads``.
    layers : int, optional
        Number of blocks, or of recurrent layers.
    heads, dropout
        Of the blocks.
    padding_index : int, optional
        The token that stands for none.

    Returns
    -------
    Layer

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``forward``, when a token is none of the vocabulary.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.text_classifier(100, 2, features=8)
    >>> start = model.init(fn.Key(0), (5,))
    >>> fn.apply(model, start.params, start.state, np.array([[7, 3, 9, 0, 0], [4, 4, 1, 2, 8]])).shape
    (2, 2)
    """
    vocabulary, classes = check_count(vocabulary, "vocabulary"), check_count(classes, "classes")
    features = check_count(features, "features")
    encoder = check_choice(encoder, get_args(Encoder), "encoder")
    layers = check_count(layers, "layers", most=MOST_LAYERS)
    heads, dropout = check_count(heads, "heads"), check_range(dropout, "dropout", 0, 1, open_high=True)
    tokens = embedding(vocabulary, features, padding_index=padding_index, masked=True)
    mean, last = mean_steps(masked=True), dense(classes)
    if encoder == "transformer":
        blocks = [encoder_block(features, heads, masked=True, dropout=dropout) for _ in range(layers)]
        places, norm = masked_steps(sinusoidal_positions()), masked_steps(layer_norm())
        model: AnyLayer = serial(tokens, places, serial(*blocks), norm, mean, last)
    else:
        model = serial(tokens, serial(*[gru(features, masked=True) for _ in range(layers)]), mean, last)
    return evolve(model, name=f"text_classifier({vocabulary}, {classes}, {encoder})")
