r"""Embedding bag with a weight for each place: the weighted sum of the vectors of several indices.

Indices: $n$ example, $t$ place in its bag, $k$ feature of $D$; $a_{nt}$ is the index at a place, $p_{nt}$ its weight, an input
too, and $r_{nt} = 0$ at the padding index, otherwise 1.

Forward
$$ y_{nk} = \sum_t r_{nt}\, p_{nt}\, W_{a_{nt} k} . $$

Derivation.  Bilinear in $W$ and $p$:
$$ \bar W_{vk} = \sum_{nt} [a_{nt} = v]\, r_{nt}\, p_{nt}\, \bar y_{nk}, \qquad
   \bar p_{nt} = r_{nt} \sum_k W_{a_{nt} k}\, \bar y_{nk} . $$
"""

from functools import partial
from typing import TypeAlias, cast

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_cotangent, check_count, check_precise, check_precision, describe
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.scatter import scatter_rows
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.embedding.embedding import UNIT_NORMAL, EmbeddingParams, check_indices, check_padding
from funcnn.typing import Array, Empty, IntArray, Shapes

Bags: TypeAlias = tuple[IntArray, Array]


@frozen(eq=False)
class WeightedBagResiduals:
    """The indices, where they are real, and their weights, 0 at the padding."""

    indices: IntArray  # (n, t)
    real: Array  # (n, t), 0 or 1
    weights: Array  # (n, t)


def init(vocabulary: int, features: int, weight_init: Initializer, key: Key, in_shape: Shapes) -> Init[EmbeddingParams, Empty]:
    check_shapes(in_shape)
    return Init(EmbeddingParams(weight_init(key.child(0), (vocabulary, features))), (), (features,))


def check_shapes(shapes: object) -> None:
    """Raise unless an example is (t,) and (t,)."""
    fits = isinstance(shapes, tuple) and len(shapes) == 2 and all(isinstance(one, tuple) and len(one) == 1 for one in shapes)
    if not fits or cast("tuple[object, object]", shapes)[0] != cast("tuple[object, object]", shapes)[1]:
        raise ValueError(f"the shapes of an example are {shapes}, expected (t,) and (t,): the indices and the weights of a bag")


def forward(
    padding_index: int | None, params: EmbeddingParams, state: Empty, x: object, mode: Mode
) -> Forward[Array, Empty, WeightedBagResiduals]:
    if not isinstance(x, tuple) or len(x) != 2:
        raise TypeError(f"the input is {describe(x)}, expected a pair (indices, weights)")
    indices, given = x
    check_indices(indices, len(params.table))
    check_precise(params.table)
    check_array(given, "the weights, input [1]")
    check_precision(given, params.table, "the weights, input [1]")
    check_shapes((indices.shape[1:], given.shape[1:]))
    if len(indices) != len(given):
        raise ValueError(f"there are {len(indices)} bags of indices and {len(given)} of weights, expected as many")
    real = (indices != padding_index).astype(given.real.dtype)
    weights = np.where(real == 1, given, given.dtype.type(0))  # whatever stands in the padding, it counts for nothing
    vectors = np.where(real[..., np.newaxis] == 1, params.table[indices], params.table.dtype.type(0))
    y: Array = np.matmul(weights[:, np.newaxis], vectors)[:, 0]
    return Forward(y, state, WeightedBagResiduals(indices, real, weights))


def backward(params: EmbeddingParams, residuals: WeightedBagResiduals, dy: Array) -> Backward[EmbeddingParams, Bags]:
    indices, weights = residuals.indices, residuals.weights
    check_cotangent(dy, (len(indices), params.table.shape[1]), params.table.dtype)
    dvectors = weights[..., np.newaxis] * dy[:, np.newaxis]
    dtable = scatter_rows(indices.reshape(-1), dvectors.reshape(indices.size, dy.shape[1]), len(params.table))
    vectors = np.where(residuals.real[..., np.newaxis] == 1, params.table[indices], params.table.dtype.type(0))
    dweights: Array = np.matmul(vectors, dy[..., np.newaxis])[..., 0]
    return Backward(EmbeddingParams(dtable), (cast(IntArray, None), dweights))  # indices have no cotangent


def weighted_embedding_bag(
    vocabulary: int, features: int, *, padding_index: int | None = None, weight_init: Initializer = UNIT_NORMAL
) -> Layer[EmbeddingParams, Empty, Bags, Array]:
    """Weighted sum of the learned vectors of a bag of indices: a pair of integers (n, t) and weights (n, t) to (n, D).

    Parameters
    ----------
    vocabulary : int
        Number of rows of the table V: indices are 0..V - 1.
    features : int
        Number of features D of a vector.
    padding_index : int, optional
        The index that stands for no token, so that bags of unequal size fit one array: it counts for nothing.
    weight_init : callable, optional
        Initializer ``(key, shape) -> array`` of the table (V, D).

    Returns
    -------
    Layer
        Parameters :class:`EmbeddingParams`.  The weights have a gradient: they may be frequencies, or come from a layer.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``init`` and ``forward``, when indices and weights do not fit together, or an index
        is out of range.

    See Also
    --------
    embedding_bag : sums, means and maxima without weights.
    projections.max_norm : with :func:`funcnn.projected`, keeps the lengths of the rows below a limit.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.weighted_embedding_bag(3, 2, padding_index=0)
    >>> params = layer.init(fn.Key(0), ((3,), (3,))).params
    >>> table = type(params)(np.array([[9.0, 9.0], [1.0, 2.0], [10.0, 20.0]]))
    >>> fn.apply(layer, table, (), (np.array([[1, 2, 0]]), np.array([[0.5, 0.25, 7.0]])))
    array([[3., 6.]])
    """
    vocabulary = check_count(vocabulary, "vocabulary")
    features = check_count(features, "features")
    weight_init = check_initializer(weight_init, "weight_init")
    padding_index = check_padding(padding_index, vocabulary)
    return define_layer(
        f"weighted_embedding_bag({vocabulary}, {features})",
        partial(init, vocabulary, features, weight_init),
        partial(forward, padding_index),
        backward,
        random=False,
        inputs=None,
    )
