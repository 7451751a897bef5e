"""Attention, and the Transformer's blocks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import funcnn as fn
from tests.coverage.bridge import run, unless
from tests.coverage.operators.linear import linear
from tests.coverage.translated import translates


@translates(F.scaled_dot_product_attention)
def scaled_dot_product(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """Attend with heads; leading axes beside the batch are one more."""
    unless(dropout_p > 0, "random: other numbers are drawn")
    settings: Any = {
        "causal": is_causal,
        "align": "start" if is_causal else None,
        "scores": fn.AttentionScores(scale=scale),
    }
    given = [query, key, value] if attn_mask is None else [query, key, value, attn_mask]
    rank = max(part.dim() for part in given)
    given = [part[(None,) * (rank - part.dim())] for part in given]
    heads = 3 if rank >= 4 and enable_gqa else 2  # axes that the three need not share
    lead = torch.broadcast_shapes(*(part.shape[:-heads] for part in given))
    if attn_mask is not None:
        given[3] = given[3].expand(*lead, *query.shape[-heads:-1], key.shape[-2])
    q, k, v, *mask = (part.expand(*lead, *part.shape[-heads:]) for part in given)
    cut = max(rank - 4, 0)  # what stands before heads is one batch
    flat = tuple(part.flatten(0, cut) if rank > 2 else part[None] for part in (q, k, v, *mask))
    if not mask:
        made = run(fn.scaled_dot_product(**settings), flat)
    else:
        kind = fn.scaled_dot_product_with_mask if mask[0].dtype == torch.bool else fn.scaled_dot_product_with_bias
        made = run(kind(**settings), flat)
    return made.reshape(*q.shape[:-1], value.shape[-1])


@translates(F.multi_head_attention_forward)
def multi_head_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Any:
    """Three affine maps, attention, and one more; the weights are what attention gives for a unit matrix of values."""
    unless(training and dropout_p > 0, "random: other numbers are drawn")
    one = query.dim() == 2
    sequences = [part[:, None] if one else part for part in (query, key, value)]
    maps = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else in_proj_weight.chunk(3)
    biases = (None, None, None) if in_proj_bias is None else in_proj_bias.chunk(3)
    heads = [
        linear(part.transpose(0, 1), weight, bias).unflatten(-1, (num_heads, -1)).transpose(1, 2)
        for part, weight, bias in zip(sequences, maps, biases, strict=True)
    ]
    more = [(bias_k, bias_v)] if bias_k is not None else []  # keys and values that every query sees, behind the sequence's
    more += [(key.new_zeros(embed_dim_to_check),) * 2] if add_zero_attn else []
    for own in more:
        heads[1:] = [torch.cat([part, behind(one, part)], 2) for part, one in zip(heads[1:], own, strict=True)]
        attn_mask, key_padding_mask = (None if part is None else F.pad(part, (0, 1)) for part in (attn_mask, key_padding_mask))
    mask = seen(attn_mask, key_padding_mask, heads)
    q, k, v = heads
    unit = torch.eye(k.shape[-2], dtype=k.dtype).expand(*k.shape[:2], -1, -1)
    looked = scaled_dot_product(q, k, torch.cat([v, unit], -1) if need_weights else v, mask)
    values, weights = looked[..., : v.shape[-1]], looked[..., v.shape[-1] :]
    made = linear(values.transpose(1, 2).flatten(2), out_proj_weight, out_proj_bias).transpose(0, 1)
    if average_attn_weights:
        weights = weights.mean(1)
    if one:
        made, weights = made[:, 0], weights[0]
    return made, weights if need_weights else None


def behind(one: Tensor, part: Tensor) -> Tensor:
    """Return a vector of all heads as one more step of (n, h, s, d)."""
    return one.reshape(1, part.shape[1], 1, -1).expand(len(part), -1, -1, -1)


def seen(attn_mask: Tensor | None, padding: Tensor | None, heads: list[Tensor]) -> Tensor | None:
    """Return torch's two masks as one: True, or added to the scores, where a query sees a key."""
    batch, count, steps, _ = heads[0].shape
    keys = heads[1].shape[-2]
    masks = []
    if attn_mask is not None:
        masks.append(
            attn_mask.reshape(batch, count, steps, keys) if attn_mask.dim() == 3 else attn_mask.expand(batch, count, -1, -1)
        )
    if padding is not None:
        masks.append(padding.reshape(-1, 1, 1, keys).expand(batch, count, steps, keys))
    if all(mask.dtype == torch.bool for mask in masks):
        hidden = [~mask for mask in masks]
        return None if not hidden else hidden[0] if len(hidden) == 1 else hidden[0] & hidden[1]
    added = [mask.double().masked_fill(mask, -torch.inf) * 1 if mask.dtype == torch.bool else mask for mask in masks]
    return added[0] if len(added) == 1 else added[0] + added[1]


def whole(module: Any, attentions: list[Any], *masks: Tensor | None) -> dict[str, Any]:
    """Return the settings of a block of this library; raise where it has not all options, so that its parts are run."""
    maps = [module.linear1, module.linear2, *(attention.out_proj for attention in attentions)]
    norms = [part for part in module.children() if isinstance(part, nn.LayerNorm)]
    unless(any(part.bias is None for part in maps + norms), "a block without biases")
    unless(any(mask is not None for mask in masks), "a block with masks of one's own")
    unless(any(part.eps != 1e-5 for part in norms), "a block with another eps")
    unless(module.training and module.dropout.p > 0, "random: other numbers are drawn")
    activation = getattr(module.activation, "__name__", type(module.activation).__name__.lower())
    return {
        "norm_first": module.norm_first,
        "hidden": module.linear1.out_features,
        "activation": {"relu": fn.relu(), "gelu": fn.gelu()}[activation],
    }


def affine(*modules: Any) -> list[Tensor]:
    """Return the weights and biases of affine maps, and the scales and shifts of norms."""
    return [part for module in modules for part in (module.weight.t(), module.bias)]


def sequence(x: Tensor, batch_first: bool) -> Tensor:
    """Return (n, t, features), and from it what it was: this is its own inverse but for a batch axis that torch leaves out."""
    return x[None] if x.dim() == 2 else x if batch_first else x.transpose(0, 1)


@translates(nn.TransformerEncoderLayer)
def encoder_layer(
    module: Any,
    src: Tensor,
    src_mask: Tensor | None = None,
    src_key_padding_mask: Tensor | None = None,
    is_causal: bool = False,
) -> Any:
    """One block of an encoder."""
    own = module.self_attn
    settings = whole(module, [own], src_mask, src_key_padding_mask)
    looking = [own.in_proj_weight.t(), own.in_proj_bias, *affine(own.out_proj)]
    forward = affine(module.linear1, module.linear2)
    first, second = affine(module.norm1), affine(module.norm2)
    ordered = [*first, *looking, *second, *forward] if module.norm_first else [*looking, *first, *forward, *second]
    x = sequence(src, own.batch_first)
    made = run(fn.encoder_block(x.shape[-1], own.num_heads, **settings), x, *ordered, train=module.training)
    return made[0] if src.dim() == 2 else sequence(made, own.batch_first)


@translates(nn.TransformerDecoderLayer)
def decoder_layer(
    module: Any,
    tgt: Tensor,
    memory: Tensor,
    tgt_mask: Tensor | None = None,
    memory_mask: Tensor | None = None,
    tgt_key_padding_mask: Tensor | None = None,
    memory_key_padding_mask: Tensor | None = None,
    tgt_is_causal: bool = False,
    memory_is_causal: bool = False,
) -> Any:
    """One block of a decoder: causal where the mask says so."""
    own, other = module.self_attn, module.multihead_attn
    settings = whole(module, [own, other], memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
    x, remembered = sequence(tgt, own.batch_first), sequence(memory, own.batch_first)
    future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
    causal = tgt_mask is not None
    if tgt_mask is not None:
        hidden = tgt_mask if tgt_mask.dtype == torch.bool else tgt_mask.isneginf()
        unless(not torch.equal(hidden, future), "a block with masks of one's own")
    cut = x.shape[-1]
    weight, bias = other.in_proj_weight.t(), other.in_proj_bias
    looking = [own.in_proj_weight.t(), own.in_proj_bias, *affine(own.out_proj)]
    across = [weight[:, :cut], bias[:cut], weight[:, cut:], bias[cut:], *affine(other.out_proj)]
    forward = affine(module.linear1, module.linear2)
    first, second, third = affine(module.norm1), affine(module.norm2), affine(module.norm3)
    ordered = (
        [*first, *looking, *second, *across, *third, *forward]
        if module.norm_first
        else [*looking, *first, *across, *second, *forward, *third]
    )
    block: Any = fn.decoder_block(cut, own.num_heads, causal=causal, **settings) >> fn.drop_memory()
    made = run(block, (x, remembered), *ordered, train=module.training)
    return made[0] if tgt.dim() == 2 else sequence(made, own.batch_first)
