"""What attention layers share: projections, and heads.

Heads.  H query heads and G key-value heads (grouped queries, Ainslie et al. 2023, arXiv:2305.13245): query head h looks at
the keys of head h G // H.  G = H is multi-head attention, G = 1 multi-query attention.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias, TypeVar, cast

import numpy as np
from attrs import evolve

from funcnn import initializers
from funcnn.errors import check_count, check_features, check_range
from funcnn.initializers import Initializer
from funcnn.kernels.arrays import as_matrix, parallel_dot, sum_axis0
from funcnn.kernels.attention_blocks import AttentionSpec, blocks
from funcnn.key import Key
from funcnn.layer import Mode, Train
from funcnn.layers.linear.dense import DenseParams
from funcnn.layers.linear.linear import LinearParams
from funcnn.typing import Array, Shape

Projection: TypeAlias = DenseParams | LinearParams
"""The parameters of an affine or a linear map of the last axis."""
M = TypeVar("M", bound=Projection)
"""Which of the two the maps of a layer are, or its first one is."""
N = TypeVar("N", bound=Projection)
"""Which of the two the last map of a layer is."""


def check_heads(heads: int, key_value_heads: int | None) -> tuple[int, int]:
    """Return the numbers of query heads and of key-value heads, or raise."""
    heads = check_count(heads, "heads")
    if key_value_heads is None:
        return heads, heads
    key_value_heads = check_count(key_value_heads, "key_value_heads")
    if heads % key_value_heads:
        raise ValueError(f"key_value_heads is {key_value_heads}, expected a divisor of the {heads} heads")
    return heads, key_value_heads


def check_head_sizes(sizes: tuple[int | None, int | None]) -> tuple[int | None, int | None]:
    """Return the features of a head's queries and keys, and of its values, or raise."""
    size, value_size = sizes
    return (
        None if size is None else check_count(size, "head_features"),
        None if value_size is None else check_count(value_size, "value_features"),
    )


def check_dropout(dropout: float) -> float:
    """Return the rate of dropout of the weights, or raise."""
    return check_range(dropout, "dropout", 0, 1, open_high=True)


def check_block_rows(block_rows: int | None) -> int | None:
    """Return how many queries are treated at a time, or raise."""
    return None if block_rows is None else check_count(block_rows, "block_rows")


def check_time_and_features(in_shape: Shape) -> None:
    """Raise unless an example is (t, features)."""
    if len(in_shape) != 2 or not all(isinstance(length, int) for length in in_shape):
        raise ValueError(f"an example has shape {in_shape}, expected (time, features)")


def head_size(in_shape: Shape, heads: int) -> int:
    """Return the features d of a head for examples (t, features), or raise."""
    check_time_and_features(in_shape)
    if in_shape[1] % heads:
        raise ValueError(f"{in_shape[1]} features do not make {heads} heads of equal size")
    return in_shape[1] // heads


def init_projection(kind: type[M], weight_init: Initializer, key: Key, shape: Shape) -> M:
    """Return the parameters of a map, of the kind, from shape[0] to shape[1] features."""
    weight = weight_init(key, shape)
    made = DenseParams(weight, initializers.zeros(key, shape[1:])) if issubclass(kind, DenseParams) else LinearParams(weight)
    return cast(M, made)


def project(params: Projection, x: Array, threads: int = 1) -> Array:
    """Return x (..., I) mapped to (..., O); where attention is divided among threads, so are the products before and after it."""
    check_features(x, params.weight)
    y = parallel_dot(as_matrix(x), params.weight, threads).reshape(*x.shape[:-1], params.weight.shape[1])
    if isinstance(params, DenseParams):
        y += params.bias
    return y


def projection_grads(params: M, x: Array, dy: Array, threads: int = 1) -> M:
    """Return the cotangent of a map's parameters."""
    weight = parallel_dot(as_matrix(x).T, as_matrix(dy), threads)
    grads = DenseParams(weight, sum_axis0(as_matrix(dy))) if isinstance(params, DenseParams) else LinearParams(weight)
    return cast(M, grads)


def project_transposed(params: Projection, dy: Array, threads: int = 1) -> Array:
    """Return the cotangent of a map's input."""
    return parallel_dot(as_matrix(dy), params.weight.T, threads).reshape(*dy.shape[:-1], params.weight.shape[0])


def split_heads(x: Array, first: int, heads: int, size: int) -> Array:
    """Return the heads of (n, t, all features) that begin at a feature, as a matrix for each example: (n heads, t, size).

    Of one example that is a view.
    """
    batch, time = x.shape[:2]
    chosen = x[..., first : first + heads * size].reshape(batch, time, heads, size)
    return chosen.swapaxes(1, 2).reshape(batch * heads, time, size)


def merge_heads(x: Array, heads: int) -> Array:
    """Return (n, t, heads size) for (n heads, t, size): the transpose of :func:`split_heads`."""
    batch, (time, size) = len(x) // heads, x.shape[1:]
    return x.reshape(batch, heads, time, size).swapaxes(1, 2).reshape(batch, time, heads * size)


def concat_heads(parts: Sequence[tuple[Array, int]]) -> Array:
    """Return arrays (n heads, t, size), given with their numbers of heads, joined and beside one another."""
    if len({x.shape[-1] for x, _ in parts}) > 1:
        return np.concatenate([merge_heads(x, heads) for x, heads in parts], axis=-1)
    turned = [x.reshape(len(x) // heads, heads, *x.shape[1:]).swapaxes(1, 2) for x, heads in parts]
    joined: Array = np.concatenate(turned, axis=2)
    return joined.reshape(*joined.shape[:2], joined.shape[2] * joined.shape[3])


def with_dropout(mode: Mode, q: Array, k: Array, rules: AttentionSpec) -> AttentionSpec:
    """Return the rules with the key of dropout, if the mode has one, and where the random numbers of these examples begin."""
    if not isinstance(mode, Train) or not rules.dropout:
        return rules
    offset = mode.row_offset(len(q))
    each = 0  # factors of one b
    if offset:
        for block in blocks(q, k, rules, slice(0, 1)):
            each += q.shape[1] * math.prod(block.size)
    return evolve(rules, key=mode.key, skip=offset * each)
