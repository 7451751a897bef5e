"""Rules of embeddings: a table of which few rows are seen by an example."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcnn.derivatives.rules.form import Form, by_example
from funcnn.derivatives.rules.rule import Taken, bound, input_by_backward
from funcnn.kernels.arrays import matmul_last
from funcnn.layer import AnyLayer
from funcnn.layers.embedding.embedding import EmbeddingParams
from funcnn.layers.embedding.positions import PositionParams
from funcnn.layers.embedding.tied_embedding import TiedEmbeddingParams
from funcnn.masked import masked_cotangent
from funcnn.typing import Array, IntArray


def embedding(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    padding_index, masked = bound(layer)
    values = by_example(masked_cotangent(dy) if masked else dy)
    indices: IntArray = residuals.indices.reshape(values.shape[:2])
    if padding_index is not None:
        values = np.where((indices == padding_index)[..., None], values.dtype.type(0), values)
    return EmbeddingParams(form.rows(indices, values, len(params.table))), no_cotangent


def no_cotangent() -> None:
    """Return what integers have for a cotangent."""


def embedding_bag(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    values = residuals.weights * dy[:, None]
    return EmbeddingParams(form.rows(residuals.indices, values, len(params.table))), no_cotangent


def learned_positions(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    (start,) = bound(layer)

    def at_their_places() -> Array:
        table: Array = np.zeros((len(dy), *params.table.shape), dy.dtype)
        table[:, start : start + dy.shape[1]] = dy
        return table

    return PositionParams(form.whole(at_their_places())), input_by_backward(layer, params, residuals, dy)


def tied_embedding(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    (inner,) = bound(layer)
    made = inner.backward(params.inner, residuals.inner, matmul_last(dy, params.table))
    values = by_example(made.input)
    indices = residuals.indices.reshape(values.shape[:2])
    return TiedEmbeddingParams(form.tied(dy, residuals.hidden, indices, values), made.params), no_cotangent
