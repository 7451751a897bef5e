r"""Embedding: a table of learned vectors, one for each index.

Indices: $n$ place (any number of axes, the batch first), $v$ row of the table of $V$, $k$ feature of $D$; $a_n$ is the index
at place $n$.

Forward
$$ y_{nk} = W_{a_n k}, \qquad y_{nk} = 0 \text{ where } a_n \text{ is the padding index.} $$

Derivation.  With $y_{nk} = \sum_v [a_n = v]\, W_{vk}$ (without the padding) the layer is linear in $W$, and its transpose sums
the cotangents of equal indices:
$$ \bar W_{vk} = \sum_n [a_n = v]\, \bar y_{nk}, \qquad \bar W_{vk} = 0 \text{ where } v \text{ is the padding index.} $$
An index is an integer and has no cotangent.  The sum is :func:`funcnn.kernels.scatter.scatter_rows`.
"""

from functools import partial
from typing import Any, Literal, cast, overload

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_cotangent, check_count, check_flag, check_kind, check_precise, describe
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.scatter import scatter_rows
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.masked import Masked, masked_cotangent
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, IntArray, Shape

UNIT_NORMAL = initializers.normal(1.0)


@read_only_again
@frozen(eq=False)
class EmbeddingParams:
    """Parameters of an embedding."""

    table: Array  # (V, D)


@frozen(eq=False)
class EmbeddingResiduals:
    """The indices, which say where the cotangents go."""

    indices: IntArray  # (batch, ...)


def init(vocabulary: int, features: int, weight_init: Initializer, key: Key, in_shape: Shape) -> Init[EmbeddingParams, Empty]:
    return Init(EmbeddingParams(weight_init(key.child(0), (vocabulary, features))), (), (*in_shape, features))


def check_indices(indices: object, count: int) -> None:
    """Raise unless these are integers (batch, ...) in 0..count - 1; the message names the first that is not, and its place."""
    if type(indices) is not np.ndarray:
        check_kind(indices, "the input", "an array of integers", "np.asarray(..., dtype=int)")
    indices = cast(IntArray, indices)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"the input is {describe(indices)}, expected an array of integers: use .astype(int)")
    if indices.ndim == 0:
        raise ValueError("the input is one index, expected indices with a batch axis: use x[None]")
    if indices.size and (indices.min() < 0 or indices.max() >= count):
        wrong = tuple(np.argwhere((indices < 0) | (indices >= count))[0].tolist())
        raise ValueError(f"an index is {indices[wrong]} at place {list(wrong)}, expected one in 0..{count - 1}")


def look_up(padding_index: int | None, table: Array, indices: IntArray) -> Array:
    """Return the rows of a table at some indices, and 0 at the padding."""
    check_indices(indices, len(table))
    check_precise(table)
    y = table[indices]
    if padding_index is not None:
        y[indices == padding_index] = 0
    return y


def put_back(padding_index: int | None, table: Array, indices: IntArray, dy: Array) -> Array:
    """Return the cotangent of the table: the transpose of :func:`look_up`."""
    flat, cotangents = indices.reshape(-1), dy.reshape(indices.size, table.shape[1])
    if padding_index is not None:
        real = np.flatnonzero(flat != padding_index)
        flat, cotangents = flat[real], cotangents[real]
    return scatter_rows(flat, cotangents, len(table))


def forward(
    padding_index: int | None, masked: bool, params: EmbeddingParams, state: Empty, x: IntArray, mode: Mode
) -> Forward[Any, Empty, EmbeddingResiduals]:
    y = look_up(padding_index, params.table, x)
    output = Masked(y, x != padding_index) if masked else y
    return Forward(output, state, EmbeddingResiduals(x))


def backward(
    padding_index: int | None, masked: bool, params: EmbeddingParams, residuals: EmbeddingResiduals, dy: Any
) -> Backward[EmbeddingParams, IntArray]:
    doutput: Array = masked_cotangent(dy) if masked else dy
    check_cotangent(doutput, residuals.indices.shape + params.table.shape[1:], params.table.dtype)
    grads = EmbeddingParams(put_back(padding_index, params.table, residuals.indices, doutput))
    return Backward(grads, cast(IntArray, None))  # indices have no cotangent


@overload
def embedding(
    vocabulary: int,
    features: int,
    *,
    padding_index: int | None = ...,
    masked: Literal[False] = False,
    weight_init: Initializer = ...,
) -> Layer[EmbeddingParams, Empty, IntArray, Array]: ...
@overload
def embedding(
    vocabulary: int, features: int, *, padding_index: int, masked: Literal[True], weight_init: Initializer = ...
) -> Layer[EmbeddingParams, Empty, IntArray, Masked]: ...
def embedding(
    vocabulary: int,
    features: int,
    *,
    padding_index: int | None = None,
    masked: bool = False,
    weight_init: Initializer = UNIT_NORMAL,
) -> AnyLayer:
    """Look up a learned vector for each index: integers (n, ...) to (n, ..., D).

    Parameters
    ----------
    vocabulary : int
        Number of rows of the table V: indices are 0..V - 1.
    features : int
        Number of features D of a vector.
    padding_index : int, optional
        The index that stands for no token: it gives 0, and its row of the table has gradient 0.
    masked : bool, optional
        Give a :class:`funcnn.Masked` sequence whose padding is where the padding index stands; the input is (n, t).
    weight_init : callable, optional
        Initializer ``(key, shape) -> array`` of the table (V, D); the standard normal distribution, as in PyTorch.

    Returns
    -------
    Layer
        Parameters :class:`EmbeddingParams`.

    Raises
    ------
    TypeError, ValueError
        When a setting is not an integer in its range, or ``masked`` has no ``padding_index``; in ``forward``, when the input
        is not an array of integers, or an index is out of range (a negative one too): the message names it and its place.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.embedding(10, 4)
    >>> start = layer.init(fn.Key(0), (3,))
    >>> fn.apply(layer, start.params, start.state, np.array([[1, 2, 2], [9, 0, 1]])).shape
    (2, 3, 4)
    """
    vocabulary = check_count(vocabulary, "vocabulary")
    features = check_count(features, "features")
    weight_init = check_initializer(weight_init, "weight_init")
    padding_index, masked = check_padding(padding_index, vocabulary), check_flag(masked, "masked")
    if masked and padding_index is None:
        raise ValueError("a masked embedding needs padding_index, the index that stands for no token")
    return define_layer(
        f"embedding({vocabulary}, {features})",
        partial(init, vocabulary, features, weight_init),
        partial(forward, padding_index, masked),
        partial(backward, padding_index, masked),
        random=False,
    )


def check_padding(padding_index: int | None, vocabulary: int) -> int | None:
    """Return the padding index, None or a word of the vocabulary, or raise."""
    return None if padding_index is None else check_count(padding_index, "padding_index", 0, vocabulary - 1)
