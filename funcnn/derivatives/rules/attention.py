r"""Rules of attention: its maps are dense layers, and a table of relative positions collects the diagonals of each example."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import numpy as np

from funcnn.derivatives.rules.form import Form
from funcnn.derivatives.rules.rule import Taken, bound
from funcnn.layer import AnyLayer
from funcnn.layers.attention import attention, cross_attention
from funcnn.layers.attention.heads import M, project_transposed
from funcnn.layers.attention.position_bias import RelativeBias, clipped_distances
from funcnn.layers.attention.setting import AttentionSetting
from funcnn.layers.linear.dense import DenseParams
from funcnn.layers.linear.linear import LinearParams
from funcnn.masked import cotangent_of_masked
from funcnn.typing import Array, Empty


def projection(form: Form, params: M, x: Array, dy: Array) -> M:
    """Take the gradient of a map's parameters."""
    if isinstance(params, DenseParams):
        return cast(M, DenseParams(form.outer(x, dy), form.sums(dy)))
    return cast(M, LinearParams(form.outer(x, dy)))


def self_attention(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    (setting,) = bound(layer)
    pulled = attention.heads_backward(setting, params, residuals, dy)
    grads = attention.AttentionParams(
        projection(form, params.project, residuals.x, pulled.dprojected),
        projection(form, params.output, residuals.joined, pulled.doutput),
        position(form, setting, params.position, pulled.dbias, residuals.x.shape[1]),
    )

    def dx() -> Any:
        dvalues = project_transposed(params.project, pulled.dprojected, pulled.threads)
        return dvalues if residuals.rules.mask is None else cotangent_of_masked(dvalues)

    return grads, dx


def position(
    form: Form, setting: AttentionSetting, params: RelativeBias | Empty, dbias: Array | None, steps: int
) -> RelativeBias | Empty:
    """Take the gradient of the table of relative positions, from the cotangents of each example's diagonals."""
    if not isinstance(params, RelativeBias) or dbias is None:
        return ()
    diagonals = dbias.reshape(-1, setting.heads, dbias.shape[-1])  # (n, H, 2 T - 1)
    rows = len(params.table)
    places = clipped_distances(steps, setting.causal, rows)
    return RelativeBias(form.rows(np.broadcast_to(places, (len(diagonals), len(places))), diagonals.swapaxes(1, 2), rows))


def attention_to_memory(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    (setting,) = bound(layer)
    doutput, dasked, dseen, threads = cross_attention.heads_backward(setting, params, residuals, dy)
    grads = cross_attention.CrossAttentionParams(
        projection(form, params.query, residuals.x, dasked),
        projection(form, params.memory, residuals.memory, dseen),
        projection(form, params.output, residuals.joined, doutput),
    )
    return grads, partial(cross_attention.input_cotangents, setting, params, dasked, dseen, threads)
