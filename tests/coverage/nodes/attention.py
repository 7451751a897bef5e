"""Attention."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import funcnn as fn
from tests.coverage.bridge import run
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
    flat = query.dim() == 3
    if flat:
        groups = attributes["kv_num_heads"]
        query = query.unflatten(-1, (attributes["q_num_heads"], -1)).transpose(1, 2)
        key, value = (part.unflatten(-1, (groups, -1)).transpose(1, 2) for part in (key, value))
    fresh = key.shape[-2]
    if past_key is not None and past_value is not None:
        key, value = torch.cat([past_key, key], -2), torch.cat([past_value, value], -2)
    causal = bool(attributes.get("is_causal", 0))
    between = causal and past_key is not None and fresh != query.shape[-2]  # neither at the start nor at the end
    cap = attributes.get("softcap", 0.0)
    sides = [attributes.get(f"{side}_window_size", -1) for side in ("left", "right")]
    window = None if max(sides) < 0 else tuple(key.shape[-2] if side < 0 else side for side in sides)
    settings: Any = {
        "causal": causal,
        "align": None if not causal and window is None else "end" if past_key is not None else "start",
        "scores": fn.AttentionScores(scale=attributes.get("scale"), soft_cap=cap or None, window=window),
    }
    if lengths is not None or between:
        start = past_key.shape[-2] if past_key is not None and lengths is None else 0
        places = torch.arange(query.shape[-2]) + start
        offset = None if lengths is None else lengths - query.shape[-2]
        mask = joined(mask, visible(places, offset, lengths, key.shape[-2], causal, window))
        settings |= {"causal": False, "align": None}
        settings["scores"] = fn.AttentionScores(scale=attributes.get("scale"), soft_cap=cap or None)
    if mask is None:
        made = run(fn.scaled_dot_product(**settings), (query, key, value))
    else:
        mask = filled(mask, key.shape[-2])
        seen = mask.expand(*query.shape[:-1], key.shape[-2])
        kind = fn.scaled_dot_product_with_mask if mask.dtype == torch.bool else fn.scaled_dot_product_with_bias
        made = run(kind(**settings), (query, key, value, seen))
    return (made.transpose(1, 2).flatten(2) if flat else made), key, value


def visible(places: Tensor, offset: Tensor | None, lengths: Tensor | None, steps: int, causal: bool, window: Any) -> Tensor:
    """Return (n, 1, t, s), True where a query sees a key, of queries at given places and keys up to given lengths."""
    rows = 1 if lengths is None else len(lengths)
    at = places.expand(rows, -1) if offset is None else places + offset[:, None]
    keys = torch.arange(steps)
    seen = torch.ones(rows, len(places), steps, dtype=torch.bool)
    if lengths is not None:
        seen = seen & (keys < lengths[:, None, None])
    if causal:
        seen = seen & (keys <= at[..., None])
    if window is not None:
        seen = seen & (at[..., None] - keys <= window[0]) & (keys - at[..., None] <= window[1])
    return seen[:, None]


def joined(mask: Tensor | None, seen: Tensor) -> Tensor:
    """Return a mask and what is visible as one mask, or as one bias of the scores."""
    if mask is None:
        return seen
    mask = filled(mask, seen.shape[-1])
    return mask & seen if mask.dtype == torch.bool else mask.masked_fill(~seen, -torch.inf)


def filled(mask: Tensor, steps: int) -> Tensor:
    """Return a mask of all keys: those that it does not have are hidden."""
    lacking = (*mask.shape[:-1], steps - mask.shape[-1])
    return torch.cat([mask, mask.new_full(lacking, False if mask.dtype == torch.bool else -torch.inf)], -1)
