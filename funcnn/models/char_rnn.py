"""A recurrent model of characters (Mikolov et al. 2010; Graves 2013, arXiv:1308.0850): tokens to logits of the next."""

from typing import Literal, TypeAlias, get_args

from attrs import evolve

from funcnn.combinators.serial import serial
from funcnn.errors import check_choice, check_count, check_range
from funcnn.layer import AnyLayer, Layer
from funcnn.layers.embedding.embedding import embedding
from funcnn.layers.linear.dense import dense
from funcnn.layers.noise.dropout import dropout as dropping
from funcnn.layers.recurrent.gru import gru
from funcnn.layers.recurrent.lstm import lstm
from funcnn.layers.recurrent.simple_rnn import rnn
from funcnn.models.choices import MOST_LAYERS
from funcnn.typing import Array, IntArray

Cell: TypeAlias = Literal["rnn", "lstm", "gru"]


def char_rnn(
    vocabulary: int, *, cell: Cell = "lstm", features: int = 128, layers: int = 1, embedding_size: int = 32, dropout: float = 0.0
) -> Layer[tuple[object, ...], tuple[object, ...], IntArray, Array]:
    """Make a recurrent language model: tokens (n, t) to logits (n, t, vocabulary).

    An embedding (of a one-hot vector, the same as a dense layer without bias), recurrent layers one above the other, dropout
    after each, and a dense layer at every step.

    Parameters
    ----------
    vocabulary : int
    cell : {"lstm", "gru", "rnn"}, optional
    features : int, optional
        Of a recurrent layer's hidden state.
    layers : int, optional
    embedding_size : int, optional
        Features of a token.
    dropout : float, optional

    Returns
    -------
    Layer

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``forward``, when a token is none of the vocabulary.

    See Also
    --------
    generate : text drawn from such a model.

    References
    ----------
    Graves (2013), Generating sequences with recurrent neural networks.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.char_rnn(65, cell="gru", features=16)
    >>> start = model.init(fn.Key(0), (5,))
    >>> fn.apply(model, start.params, start.state, np.array([[3, 1, 4]])).shape
    (1, 3, 65)
    """
    cell = check_choice(cell, get_args(Cell), "cell")
    layers = check_count(layers, "layers", most=MOST_LAYERS)
    vocabulary, features = check_count(vocabulary, "vocabulary"), check_count(features, "features")
    embedding_size = check_count(embedding_size, "embedding_size")
    dropout = check_range(dropout, "dropout", 0, 1, open_high=True)
    steps: list[AnyLayer] = []
    for _ in range(layers):
        recurrent: AnyLayer = rnn(features) if cell == "rnn" else lstm(features) if cell == "lstm" else gru(features)
        steps += [recurrent, *([dropping(dropout)] if dropout else [])]
    made: AnyLayer = serial(embedding(vocabulary, embedding_size), *steps, dense(vocabulary))
    return evolve(made, name=f"char_rnn({vocabulary}, {cell})")
