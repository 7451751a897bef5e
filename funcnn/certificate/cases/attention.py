"""Cases of attention."""

from __future__ import annotations

from typing import Any

import numpy as np

import funcnn as fn
from funcnn.certificate.cases.case import LayerCase
from funcnn.certificate.cases.draws import masked, normals, saturating


def with_score_mask(generator: np.random.Generator, shape: Any) -> Any:
    """Draw queries, keys, values, and a mask that hides all keys of some queries."""
    batch, *rest, mask = shape
    seen = generator.random((batch, *mask)) < 0.6
    seen[:1, :, 0] = False
    return *normals(generator, (batch, *rest)), seen


def masked_memory(generator: np.random.Generator, shape: Any) -> Any:
    """Draw sequences and a masked memory."""
    batch, sequence, memory = shape
    return generator.normal(size=(batch, *sequence)), masked(generator, (batch, *memory))


def masked_sequence(generator: np.random.Generator, shape: Any) -> Any:
    """Draw masked sequences and a memory."""
    batch, sequence, memory = shape
    return masked(generator, (batch, *sequence)), generator.normal(size=(batch, *memory))


def both_masked(generator: np.random.Generator, shape: Any) -> Any:
    """Draw masked sequences and a masked memory."""
    batch, sequence, memory = shape
    return masked(generator, (batch, *sequence)), masked(generator, (batch, *memory))


ATTENTION: dict[str, tuple[LayerCase, ...]] = {
    "scaled_dot_product": (
        LayerCase(lambda: fn.scaled_dot_product(), ((3, 2), (4, 2), (4, 5)), inputs=normals),
        LayerCase(lambda: fn.scaled_dot_product(causal=True), ((4, 3), (4, 3), (4, 2)), inputs=normals, label="causal"),
        LayerCase(
            lambda: fn.scaled_dot_product(causal=True, align="end", scores=fn.AttentionScores(soft_cap=1.5, window=1)),
            ((4, 3, 2), (2, 5, 2), (2, 5, 1)),
            inputs=normals,
            label="heads, causal from the end, soft cap, window",
        ),
        LayerCase(
            lambda: fn.scaled_dot_product(causal=True, align="start"),
            ((5, 2), (3, 2), (3, 2)),
            inputs=normals,
            label="causal, fewer keys",
        ),
        LayerCase(
            lambda: fn.scaled_dot_product(causal=True, align="end"),
            ((3, 2), (5, 2), (5, 2)),
            inputs=normals,
            label="causal from the end, more keys",
        ),
        LayerCase(
            lambda: fn.scaled_dot_product(causal=True, align="end"),
            ((5, 2), (3, 2), (3, 2)),
            inputs=normals,
            label="causal from the end, fewer keys",
        ),
        LayerCase(lambda: fn.scaled_dot_product(dropout=0.4), ((3, 2), (4, 2), (4, 3)), inputs=normals, label="dropout"),
    ),
    "attention": (
        LayerCase(lambda: fn.attention(2), (5, 4)),
        LayerCase(
            lambda: fn.attention(3, positions="relative", max_distance=2, masked=True, block_rows=10),
            (5, 3),
            inputs=masked,
            label="relative, masked, two examples at a time",
        ),
        LayerCase(lambda: fn.attention(2, causal=True, masked=True), (5, 6), inputs=masked, label="causal, masked"),
        LayerCase(lambda: fn.attention(4, key_value_heads=2), (3, 4), label="grouped queries"),
        LayerCase(
            lambda: fn.attention(3, key_value_heads=1, masked=True, positions="alibi"),
            (4, 3),
            inputs=masked,
            label="multi-query, masked, alibi",
        ),
        LayerCase(lambda: fn.attention(2, positions="rotary"), (3, 8), label="rotary"),
        LayerCase(lambda: fn.attention(2, positions="rotary", causal=True, key_value_heads=1), (5, 4), label="rotary, causal"),
        LayerCase(lambda: fn.attention(3, positions="alibi", causal=True), (5, 3), label="alibi, causal"),
        LayerCase(lambda: fn.attention(2, positions="relative", max_distance=2), (5, 4), label="relative"),
        LayerCase(
            lambda: fn.attention(4, positions="relative", max_distance=2, causal=True, key_value_heads=2),
            (4, 4),
            label="relative, causal, grouped",
        ),
        LayerCase(
            lambda: fn.attention(2, positions="relative", max_distance=9, masked=True),
            (3, 4),
            inputs=masked,
            label="relative, masked, distances beyond the sequence",
        ),
        LayerCase(lambda: fn.attention(2, dropout=0.4), (5, 4), label="dropout"),
        LayerCase(lambda: fn.attention(2, dropout=0.4, causal=True, masked=True), (4, 4), inputs=masked, label="dropout, masked"),
        LayerCase(lambda: fn.attention(2, causal=True, block_rows=2), (5, 4), label="blocks, causal"),
        LayerCase(
            lambda: fn.attention(4, positions="relative", max_distance=2, key_value_heads=2, masked=True, block_rows=2),
            (5, 4),
            inputs=masked,
            label="blocks, relative, grouped, masked",
        ),
        LayerCase(
            lambda: fn.attention(2, positions="relative", scores=fn.AttentionScores(window=1), block_rows=2),
            (5, 2),
            label="blocks, relative, window",
        ),
        LayerCase(lambda: fn.attention(2, dropout=0.4, positions="alibi", block_rows=3), (4, 4), label="blocks, dropout"),
        LayerCase(
            lambda: fn.attention(2, dropout=0.3, causal=True, masked=True, block_rows=2),
            (5, 4),
            inputs=masked,
            label="blocks, causal, masked, dropout",
        ),
        LayerCase(lambda: fn.attention(2), (5, 4), inputs=saturating, label="saturated"),
        LayerCase(lambda: fn.attention(2, causal=True), (1, 2), label="one step"),
        LayerCase(
            lambda: fn.attention(
                2,
                causal=True,
                positions=fn.Rotary(base=50.0, features=2, interleaved=True),
                scores=fn.AttentionScores(scale=0.6, soft_cap=1.5, window=2),
                head_features=3,
                value_features=2,
                key_value_heads=1,
                block_rows=2,
            ),
            (5, 4),
            label="rotary of some features, soft cap, window, widths",
        ),
    ),
    "attention_with_score_bias": (
        LayerCase(lambda: fn.attention_with_score_bias(2, key_value_heads=1, causal=True), ((3, 4), (2, 3, 3)), inputs=normals),
        LayerCase(
            lambda: fn.attention_with_score_bias(2, scores=fn.AttentionScores(soft_cap=1.5)),
            ((3, 4), (1, 3, 3)),
            inputs=normals,
            label="one for all heads, soft cap",
        ),
        LayerCase(
            lambda: fn.attention_with_score_bias(2), ((2, 2), (2, 2, 2)), inputs=normals, label="one for each head of keys"
        ),
    ),
    "attention_with_mask": (
        LayerCase(lambda: fn.attention_with_mask(2, positions="relative"), ((3, 4), (2, 3, 3)), inputs=with_score_mask),
    ),
    "attention_without_bias": (
        LayerCase(lambda: fn.attention_without_bias(1, causal=True), (4, 4), label="one head, causal"),
        LayerCase(
            lambda: fn.attention_without_bias(2, positions="relative", max_distance=2, masked=True),
            (3, 4),
            inputs=masked,
            label="relative, masked",
        ),
        LayerCase(lambda: fn.attention_without_bias(2), (182, 2), batch=2, label="blocks of examples", method="screen"),
    ),
    "attention_without_output_bias": (
        LayerCase(lambda: fn.attention_without_output_bias(2, key_value_heads=1, causal=True, positions="rotary"), (3, 4)),
        LayerCase(
            lambda: fn.attention_without_output_bias(2, positions="relative", max_distance=2, masked=True),
            (3, 4),
            inputs=masked,
            label="relative, masked",
        ),
    ),
    "qk_norm_attention": (
        LayerCase(lambda: fn.qk_norm_attention(2), (3, 4)),
        LayerCase(
            lambda: fn.qk_norm_attention(
                2, key_value_heads=1, positions="rotary", causal=True, masked=True, dropout=0.3, block_rows=2
            ),
            (3, 4),
            inputs=masked,
            label="rotary, causal, grouped, masked, dropout",
        ),
        LayerCase(
            lambda: fn.qk_norm_attention(2, positions="relative", max_distance=1, scores=fn.AttentionScores(scale=2.0)),
            (2, 4),
            label="relative, scale",
        ),
    ),
    "qk_norm_attention_without_bias": (
        LayerCase(lambda: fn.qk_norm_attention_without_bias(2, head_features=3, value_features=1), (3, 4), label="widths"),
    ),
    "rotary_positions": (
        LayerCase(lambda: fn.rotary_positions(), (4, 6)),
        LayerCase(
            lambda: fn.rotary_positions(
                fn.Rotary(base=20.0, features=4, interleaved=True, scaling=fn.YarnScaling(2.0, 8, fast=4.0)), heads=2, start=3
            ),
            (3, 10),
            label="some features, interleaved, scaled",
        ),
    ),
    "scaled_dot_product_with_bias": (
        LayerCase(lambda: fn.scaled_dot_product_with_bias(), ((3, 2), (4, 2), (4, 3), (3, 4)), inputs=normals),
        LayerCase(
            lambda: fn.scaled_dot_product_with_bias(causal=True, align="end", scores=fn.AttentionScores(soft_cap=2.0)),
            ((4, 3, 2), (2, 4, 2), (2, 4, 1), (1, 3, 4)),
            inputs=normals,
            label="heads, one bias for all, causal, soft cap",
        ),
    ),
    "scaled_dot_product_with_mask": (
        LayerCase(
            lambda: fn.scaled_dot_product_with_mask(scores=fn.AttentionScores(scale=0.02)),
            ((2, 3, 2), (1, 4, 2), (1, 4, 2), (2, 3, 4)),
            inputs=with_score_mask,
            label="heads",
        ),
    ),
    "cross_attention": (
        LayerCase(lambda: fn.cross_attention(2), ((3, 4), (5, 6)), inputs=normals),
        LayerCase(lambda: fn.cross_attention(2, key_value_heads=1), ((4, 4), (4, 4)), inputs=normals, label="multi-query"),
        LayerCase(
            lambda: fn.cross_attention(
                2, head_features=3, value_features=1, scores=fn.AttentionScores(scale=0.6, soft_cap=1.5, window=1)
            ),
            ((3, 4), (4, 2)),
            inputs=normals,
            label="soft cap, window, widths",
        ),
        LayerCase(
            lambda: fn.cross_attention(2, memory_masked=True), ((3, 4), (5, 2)), inputs=masked_memory, label="masked memory"
        ),
        LayerCase(lambda: fn.cross_attention(1, masked=True), ((4, 3), (2, 5)), inputs=masked_sequence, label="masked sequence"),
        LayerCase(
            lambda: fn.cross_attention(3, masked=True, memory_masked=True, dropout=0.3),
            ((4, 3), (5, 2)),
            inputs=both_masked,
            label="masked, dropout",
        ),
        LayerCase(
            lambda: fn.cross_attention(4, key_value_heads=2, block_rows=2),
            ((4, 4), (3, 2)),
            inputs=normals,
            label="blocks, grouped",
        ),
    ),
    "cross_attention_without_bias": (
        LayerCase(
            lambda: fn.cross_attention_without_bias(2, memory_masked=True),
            ((3, 4), (5, 2)),
            inputs=masked_memory,
            label="masked memory",
        ),
        LayerCase(
            lambda: fn.cross_attention_without_bias(1),
            ((1, 1), (131073, 1)),
            batch=1,
            inputs=normals,
            label="more keys than a block has scores",
            method="screen",
        ),
    ),
}
