"""A siamese network (Bromley et al. 1993; Hadsell, Chopra and LeCun 2006): two inputs, one encoder, two codes to compare."""

from attrs import evolve

from funcnn.combinators.shared import shared
from funcnn.layer import Layer
from funcnn.models.mlp import mlp
from funcnn.typing import Array


def siamese(
    *widths: int, activation: str = "relu", dropout: float = 0.0
) -> Layer[tuple[object, ...], tuple[object, ...], tuple[Array, ...], tuple[Array, ...]]:
    """Make a siamese network: a pair of (n, features) to a pair of codes (n, last width), by one perceptron.

    For another encoder, ``fn.shared(encoder)`` is all there is to it.

    Parameters
    ----------
    *widths : int
        Of the encoder, a perceptron: see :func:`funcnn.mlp`.
    activation : str, optional
    dropout : float, optional

    Returns
    -------
    Layer
        Its output fits :func:`funcnn.contrastive` and :func:`funcnn.cosine_embedding`.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range.

    References
    ----------
    Hadsell, Chopra and LeCun (2006), Dimensionality reduction by learning an invariant mapping.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.siamese(16, 2)
    >>> start = model.init(fn.Key(0), ((8,), (8,)))
    >>> start.out_shape, fn.tree.size(start.params)
    (((2,), (2,)), 178)
    """
    return evolve(shared(mlp(*widths, activation=activation, dropout=dropout)), name=f"siamese({', '.join(map(str, widths))})")
