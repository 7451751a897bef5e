"""The rules, by the backward of the layers that they are for.

A layer that is not in the table is run for each example alone, which is right for every layer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from funcnn.combinators import frozen, spectral_norm, stop_gradient, trained_start, weight_norm
from funcnn.combinators.around import lora
from funcnn.derivatives.rules import around, norms
from funcnn.derivatives.rules import attention as attending
from funcnn.derivatives.rules import constant as learning_nothing
from funcnn.derivatives.rules import convolution as windowed
from funcnn.derivatives.rules import embedding as looking_up
from funcnn.derivatives.rules import linear as mapping
from funcnn.derivatives.rules import recurrent as stepping
from funcnn.derivatives.rules.rule import Rule
from funcnn.layer import AnyLayer
from funcnn.layers.activations import prelu
from funcnn.layers.attention import attention, cross_attention
from funcnn.layers.convolution import convolution, depthwise, transposed_convolution
from funcnn.layers.embedding import embedding, embedding_bag, positions, tied_embedding
from funcnn.layers.linear import bilinear, dense, einsum_dense, linear, maxout, scale
from funcnn.layers.normalization import (
    batch_norm,
    batch_norm_of_batch,
    group_norm,
    layer_norm,
    rms_norm,
    without_affine,
)
from funcnn.layers.recurrent import cells, gru, lstm, peephole_lstm, simple_rnn

RULES: dict[Callable[..., Any], Rule] = {
    dense.backward: mapping.dense,
    linear.backward: mapping.linear,
    bilinear.backward: mapping.bilinear,
    maxout.backward: mapping.maxout,
    einsum_dense.backward: mapping.einsum_dense,
    scale.backward: mapping.scale,
    scale.affine_backward: mapping.gain_and_bias,
    prelu.backward: mapping.prelu,
    convolution.backward: windowed.convolution,
    transposed_convolution.backward: windowed.transposed_convolution,
    depthwise.backward: windowed.depthwise,
    layer_norm.backward: norms.scaled_and_shifted,
    group_norm.backward: norms.scaled_and_shifted,
    rms_norm.backward: norms.scaled,
    without_affine.without_shift_backward: norms.scaled,
    batch_norm_of_batch.backward: norms.refused,
    batch_norm.backward: norms.batch_norm,
    batch_norm.masked_backward: norms.masked_batch_norm,
    embedding.backward: looking_up.embedding,
    embedding_bag.backward: looking_up.embedding_bag,
    positions.learned_backward: looking_up.learned_positions,
    tied_embedding.backward: looking_up.tied_embedding,
    simple_rnn.backward: stepping.rnn,
    lstm.backward: stepping.lstm,
    peephole_lstm.backward: stepping.peephole_lstm,
    gru.backward: stepping.gru,
    trained_start.backward: stepping.trained_start,
    cells.backward: around.cell,
    lora.backward: around.lora,
    weight_norm.backward: around.weight_norm,
    spectral_norm.backward: around.spectral_norm,
    frozen.backward: learning_nothing.constant,
    stop_gradient.backward: learning_nothing.constant,
    attention.backward: attending.self_attention,
    cross_attention.backward: attending.attention_to_memory,
}

REWEIGHTED: frozenset[Callable[..., Any]] = frozenset({weight_norm.backward, spectral_norm.backward})
"""Those of layers whose weight is made of others: the rule gives gradients, and no norms."""

AROUND: frozenset[Callable[..., Any]] = REWEIGHTED | {
    tied_embedding.backward,
    trained_start.backward,
    cells.backward,
    lora.backward,
}
"""Those of layers with a layer inside, the first argument of their forward and backward, whose own rule is read along."""


def rule_of(layer: AnyLayer) -> Rule | None:
    """Return the rule of a layer, if there is one."""
    function: Any = layer.backward
    return RULES.get(function.func if isinstance(function, partial) else function)
