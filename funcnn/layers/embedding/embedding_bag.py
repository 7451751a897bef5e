r"""Embedding bag: the sum, the mean or the maximum of the vectors of several indices.

Indices: $n$ example, $t$ place in its bag, $k$ feature of $D$; $a_{nt}$ is the index at a place and $w_{nt}$ its weight: 0 at the
padding index, otherwise 1 for the sum and $1/c_n$ for the mean, where $c_n$ counts the places that are not padding.

Forward
$$ y_{nk} = \sum_t w_{nt} W_{a_{nt} k} \quad\text{(sum, mean)}, \qquad
   y_{nk} = W_{a_{nm} k} \text{ with } m = \arg\max_t W_{a_{nt} k} \quad\text{(max; the first of equals)}. $$
A bag without an index gives 0.

Derivation.  Sum and mean are linear in $W$; the maximum is, as long as $m = m_{nk}$ does not change:
$$ \bar W_{vk} = \sum_{nt} [a_{nt} = v]\, w_{nt}\, \bar y_{nk} \quad\text{(sum, mean)}, \qquad
   \bar W_{vk} = \sum_n [a_{n m_{nk}} = v]\, \bar y_{nk} \quad\text{(max)}. $$
Where several rows are the largest at once, the whole cotangent goes to the first of them, one of the subgradients.
"""

from functools import partial
from typing import Literal, TypeAlias, cast, get_args

import numpy as np
from attrs import frozen

from funcnn.errors import check_choice, check_cotangent, check_count, check_precise, describe
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.arrays import column_sums
from funcnn.kernels.scatter import scatter_rows
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.embedding.embedding import UNIT_NORMAL, EmbeddingParams, check_indices, check_padding
from funcnn.typing import Array, BoolArray, Empty, IntArray, Shape

Reduction: TypeAlias = Literal["sum", "mean", "max"]


@frozen(eq=False)
class EmbeddingBagResiduals:
    """The indices, and the weight of each place: one for all features, or for each its own (0 or 1) for the maximum."""

    indices: IntArray  # (n, t)
    weights: Array  # (n, t, 1) or (n, t, D)


def init(vocabulary: int, features: int, weight_init: Initializer, key: Key, in_shape: Shape) -> Init[EmbeddingParams, Empty]:
    if len(in_shape) != 1:
        raise ValueError(f"an example has shape {in_shape}, expected (t,): the indices of one bag")
    return Init(EmbeddingParams(weight_init(key.child(0), (vocabulary, features))), (), (features,))


def forward(
    reduction: Reduction, padding_index: int | None, params: EmbeddingParams, state: Empty, x: IntArray, mode: Mode
) -> Forward[Array, Empty, EmbeddingBagResiduals]:
    check_indices(x, len(params.table))
    check_precise(params.table)
    if x.ndim != 2:
        raise ValueError(f"the input is {describe(x)}, expected indices (batch, t)")
    vectors = params.table[x]
    present: BoolArray = x != padding_index
    if padding_index is not None:
        vectors[~present] = 0  # whatever stands in the table there, it counts for nothing
    weights = present[..., np.newaxis].astype(params.table.real.dtype)
    if reduction == "max":
        weights = weights * largest(vectors.real, present[..., np.newaxis])
        y: Array = np.where(weights == 1, vectors, vectors.dtype.type(0)).sum(1)  # of each bag and feature one number
    else:
        y = column_sums(vectors)
    if reduction == "mean":
        count: Array = np.maximum(weights.sum(1), 1)
        y /= count
        weights /= count[:, np.newaxis]
    return Forward(y, state, EmbeddingBagResiduals(x, weights))


def largest(vectors: Array, present: BoolArray) -> Array:
    """Return 1 at the first of the largest entries of every bag and feature (n, t, D), and 0 elsewhere."""
    chosen: Array = np.zeros(vectors.shape, vectors.dtype)
    if vectors.size:
        seen = np.where(present, vectors, -np.inf)
        first = seen.argmax(1)[:, np.newaxis]
        lowest = np.take_along_axis(seen, first, 1) == -np.inf  # of a bag, or of the padding before it
        np.put_along_axis(chosen, np.where(lowest, present.argmax(1)[:, np.newaxis], first), 1, axis=1)
    return chosen


def backward(params: EmbeddingParams, residuals: EmbeddingBagResiduals, dy: Array) -> Backward[EmbeddingParams, IntArray]:
    indices = residuals.indices
    check_cotangent(dy, (len(indices), params.table.shape[1]), params.table.dtype)
    dvectors = residuals.weights * dy[:, np.newaxis]
    dtable = scatter_rows(indices.reshape(-1), dvectors.reshape(indices.size, dy.shape[1]), len(params.table))
    return Backward(EmbeddingParams(dtable), cast(IntArray, None))  # indices have no cotangent


def embedding_bag(
    vocabulary: int,
    features: int,
    reduction: Reduction = "mean",
    *,
    padding_index: int | None = None,
    weight_init: Initializer = UNIT_NORMAL,
) -> Layer[EmbeddingParams, Empty, IntArray, Array]:
    """Sum, mean or maximum of the learned vectors of a bag of indices: integers (n, t) to (n, D).

    Parameters
    ----------
    vocabulary : int
        Number of rows of the table V: indices are 0..V - 1.
    features : int
        Number of features D of a vector.
    reduction : {"mean", "sum", "max"}, optional
        What is made of the vectors of one bag.
    padding_index : int, optional
        The index that stands for no token, so that bags of unequal size fit one array: it counts for nothing.  A bag of
        padding alone gives 0.
    weight_init : callable, optional
        Initializer ``(key, shape) -> array`` of the table (V, D).

    Returns
    -------
    Layer
        Parameters :class:`EmbeddingParams`.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``forward``, when the input is not an array of integers (n, t), or an index is
        out of range: the message names it and its place.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.embedding_bag(3, 2, "sum", padding_index=0)
    >>> params = layer.init(fn.Key(0), (3,)).params
    >>> table = type(params)(np.array([[9.0, 9.0], [1.0, 2.0], [10.0, 20.0]]))
    >>> fn.apply(layer, table, (), np.array([[1, 2, 2], [1, 0, 0]]))
    array([[21., 42.],
           [ 1.,  2.]])
    """
    vocabulary = check_count(vocabulary, "vocabulary")
    features = check_count(features, "features")
    weight_init = check_initializer(weight_init, "weight_init")
    padding_index = check_padding(padding_index, vocabulary)
    reduction = check_choice(reduction, get_args(Reduction), "reduction")
    return define_layer(
        f"embedding_bag({vocabulary}, {features}, {reduction})",
        partial(init, vocabulary, features, weight_init),
        partial(forward, reduction, padding_index),
        backward,
        random=False,
    )
