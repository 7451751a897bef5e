"""Attention."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import funcnn as fn
from tests.coverage.bridge import run, unless
from tests.coverage.onnx_samples import node


@node("Attention")
def attention(
    attributes: dict[str, Any],
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    past_key: Tensor | None = None,
    past_value: Tensor | None = None,
    lengths: Tensor | None = None,
) -> Any:
    """Attend with heads, which arrays of three axes have among their features; keys and values of before come first."""
    unless(lengths is not None, "lengths in place of a mask")
    flat = query.dim() == 3
    if flat:
        groups = attributes["kv_num_heads"]
        query = query.unflatten(-1, (attributes["q_num_heads"], -1)).transpose(1, 2)
        key, value = (part.unflatten(-1, (groups, -1)).transpose(1, 2) for part in (key, value))
    fresh = key.shape[-2]
    if past_key is not None and past_value is not None:
        key, value = torch.cat([past_key, key], -2), torch.cat([past_value, value], -2)
    causal = bool(attributes.get("is_causal", 0))
    unless(causal and past_key is not None and fresh != query.shape[-2], "causal queries neither at the start nor at the end")
    cap = attributes.get("softcap", 0.0)
    sides = [attributes.get(f"{side}_window_size", -1) for side in ("left", "right")]
    window = None if max(sides) < 0 else tuple(key.shape[-2] if side < 0 else side for side in sides)
    settings: Any = {
        "causal": causal,
        "align": None if not causal and window is None else "end" if past_key is not None else "start",
        "scores": fn.AttentionScores(scale=attributes.get("scale"), soft_cap=cap or None, window=window),
    }
    if mask is None:
        made = run(fn.scaled_dot_product(**settings), (query, key, value))
    else:
        unless(mask.shape[-1] != key.shape[-2], "a mask of fewer keys than there are")
        seen = mask.expand(*query.shape[:-1], key.shape[-2])
        kind = fn.scaled_dot_product_with_mask if mask.dtype == torch.bool else fn.scaled_dot_product_with_bias
        made = run(kind(**settings), (query, key, value, seen))
    return (made.transpose(1, 2).flatten(2) if flat else made), key, value
