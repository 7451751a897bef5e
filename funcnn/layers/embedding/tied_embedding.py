r"""An embedding whose table also reads the result: tied weights (Press and Wolf 2017, arXiv:1608.05859; as in GPT-2).

Indices: $n$ place (example and step), $v$ row of the table of $V$, $k$ feature of $D$; $a_n$ is the index at place $n$, $f$ the
layer between.

Forward
$$ e_{nk} = W_{a_n k}, \qquad h = f(e), \qquad y_{nv} = \sum_k h_{nk} W_{vk} . $$

Derivation.  The table occurs twice, so its cotangent is the sum of two: from the product, which is bilinear in $h$ and $W$, and
from the look-up (:mod:`funcnn.layers.embedding.embedding`)
$$ \bar h_{nk} = \sum_v \bar y_{nv} W_{vk}, \qquad \bar e = f'(e)^\top \bar h, \qquad
   \bar W_{vk} = \sum_n \bar y_{nv} h_{nk} + \sum_n [a_n = v]\, \bar e_{nk} . $$
"""

from functools import partial
from typing import Generic, TypeVar, cast

from attrs import frozen

from funcnn.errors import check_cotangent, check_count
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.arrays import as_matrix, dot, matmul_last
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, Residuals, check_layer, define_layer
from funcnn.layers.embedding.embedding import look_up, put_back
from funcnn.layers.embedding.positions import SMALL_NORMAL
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, IntArray, Shape

P = TypeVar("P")
S = TypeVar("S")


@read_only_again
@frozen(eq=False)
class TiedEmbeddingParams(Generic[P]):
    """Parameters of a tied embedding."""

    table: Array  # (V, D)
    inner: P


@frozen(eq=False)
class TiedEmbeddingResiduals:
    """The indices, what the table read the result from, and what the layer between kept."""

    indices: IntArray  # (batch, ...)
    hidden: Array  # (batch, ..., D)
    inner: Residuals


def init(
    vocabulary: int,
    features: int,
    inner: Layer[P, S, Array, Array],
    weight_init: Initializer,
    key: Key,
    in_shape: Shape,
) -> Init[TiedEmbeddingParams[P], S]:
    shape = (*in_shape, features)
    made = inner.init(key.child(1), shape)
    if made.out_shape != shape:
        raise ValueError(f"tied_embedding needs a layer that keeps the shape; {inner.name} maps {shape} to {made.out_shape}")
    table = weight_init(key.child(0), (vocabulary, features))
    return Init(TiedEmbeddingParams(table, made.params), made.state, (*in_shape, vocabulary))


def forward(
    inner: Layer[P, S, Array, Array], params: TiedEmbeddingParams[P], state: S, x: IntArray, mode: Mode
) -> Forward[Array, S, TiedEmbeddingResiduals]:
    embedded = look_up(None, params.table, x)
    made = inner.forward(params.inner, state, embedded, mode)
    y = matmul_last(made.output, params.table.T)
    return Forward(y, made.state, TiedEmbeddingResiduals(x, made.output, made.residuals))


def backward(
    inner: Layer[P, S, Array, Array], params: TiedEmbeddingParams[P], kept: TiedEmbeddingResiduals, dy: Array
) -> Backward[TiedEmbeddingParams[P], IntArray]:
    check_cotangent(dy, (*kept.indices.shape, len(params.table)), params.table.dtype)
    made = inner.backward(params.inner, kept.inner, matmul_last(dy, params.table))
    dtable = dot(as_matrix(dy).T, as_matrix(kept.hidden))
    dtable += put_back(None, params.table, kept.indices, made.input)
    return Backward(TiedEmbeddingParams(dtable, made.params), cast(IntArray, None))  # indices have no cotangent


def tied_embedding(
    vocabulary: int,
    features: int,
    inner: Layer[P, S, Array, Array],
    *,
    weight_init: Initializer = SMALL_NORMAL,
) -> Layer[TiedEmbeddingParams[P], S, IntArray, Array]:
    """Embed indices, apply a layer, and read logits with the same table: integers (n, ...) to logits (n, ..., V).

    Parameters
    ----------
    vocabulary : int
        Number of rows of the table V: indices are 0..V - 1.
    features : int
        Number of features D.
    inner : Layer
        What stands between, from (n, ..., D) to the same shape.
    weight_init : callable, optional
        Initializer ``(key, shape) -> array`` of the table (V, D); normal with standard deviation 0.02, as in GPT-2.

    Returns
    -------
    Layer
        Parameters :class:`TiedEmbeddingParams`: the table and the parameters of ``inner``.

    Raises
    ------
    TypeError, ValueError
        When a setting is not an integer in its range; in ``init``, when ``inner`` changes the shape; in ``forward``, when an
        index is out of range.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.tied_embedding(10, 4, fn.layer_norm())
    >>> start = layer.init(fn.Key(0), (3,))
    >>> fn.apply(layer, start.params, start.state, np.array([[1, 2, 2]])).shape
    (1, 3, 10)
    """
    vocabulary = check_count(vocabulary, "vocabulary")
    features = check_count(features, "features")
    weight_init = check_initializer(weight_init, "weight_init")
    check_layer(inner, "inner")
    return define_layer(
        f"tied_embedding({vocabulary}, {features})",
        partial(init, vocabulary, features, inner, weight_init),
        partial(forward, inner),
        partial(backward, inner),
        random=inner.random,
    )
