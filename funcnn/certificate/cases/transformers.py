"""Cases of what Transformers are made of besides attention."""

from __future__ import annotations

import funcnn as fn
from funcnn.certificate.cases.attention import both_masked, masked_memory, masked_sequence
from funcnn.certificate.cases.case import LayerCase
from funcnn.certificate.cases.draws import masked, normals
from funcnn.certificate.cases.embedding import below, padded, two_below

TRANSFORMERS: dict[str, tuple[LayerCase, ...]] = {
    "rms_norm": (
        LayerCase(lambda: fn.rms_norm(), (5,)),
        LayerCase(lambda: fn.rms_norm(eps=0.5), (2, 4), label="sequence, large eps"),
        LayerCase(lambda: fn.rms_norm(last_axes=2), (2, 3), label="two axes"),
    ),
    "masked_residual": (
        LayerCase(lambda: fn.masked_residual(fn.masked_steps(fn.dense(3) >> fn.tanh())), (4, 3), inputs=masked),
        LayerCase(lambda: fn.masked_residual(fn.gru(2, masked=True)), (4, 2), inputs=masked, label="recurrent"),
    ),
    "beside_memory": (
        LayerCase(lambda: fn.beside_memory(fn.dense(3)), ((4,), (2,)), inputs=normals),
        LayerCase(lambda: fn.beside_memory(fn.tanh()), ((4, 3), (5, 2)), inputs=masked_memory, label="masked memory"),
    ),
    "memory_residual": (
        LayerCase(lambda: fn.memory_residual(fn.cross_attention(2)), ((3, 4), (5, 2)), inputs=normals),
        LayerCase(
            lambda: fn.memory_residual(fn.cross_attention(2, masked=True)),
            ((3, 4), (5, 2)),
            inputs=masked_sequence,
            label="masked sequence",
        ),
        LayerCase(
            lambda: fn.memory_residual(fn.cross_attention(1, masked=True, memory_masked=True)),
            ((3, 2), (4, 3)),
            inputs=both_masked,
            label="both masked",
        ),
    ),
    "drop_memory": (  # after a layer that looks at the memory, or there would be no gradient of it
        LayerCase(lambda: fn.memory_residual(fn.cross_attention(2)) >> fn.drop_memory(), ((2, 4), (3, 2)), inputs=normals),
        LayerCase(
            lambda: fn.memory_residual(fn.cross_attention(1, masked=True, memory_masked=True)) >> fn.drop_memory(),
            ((3, 2), (4, 3)),
            inputs=both_masked,
            label="masked",
        ),
    ),
    "encoder_block": (
        LayerCase(lambda: fn.encoder_block(4, 2, hidden=3), (2, 4), batch=2),
        LayerCase(
            lambda: fn.encoder_block(2, 1, hidden=3, norm="rms_norm", activation=fn.silu(), causal=True, positions="rotary"),
            (3, 2),
            batch=2,
            label="rms_norm, silu, causal, rotary",
        ),
        LayerCase(
            lambda: fn.encoder_block(3, 1, norm_first=False, dropout=0.3, hidden=2), (2, 3), batch=2, label="post-norm, dropout"
        ),
        LayerCase(lambda: fn.encoder_block(3, 1, masked=True, hidden=2), (3, 3), batch=2, inputs=masked, label="masked"),
        LayerCase(
            lambda: fn.encoder_block(3, 1, norm_first=False, masked=True, hidden=2),
            (3, 3),
            batch=2,
            inputs=masked,
            label="post-norm, masked",
        ),
    ),
    "encoder_block_without_bias": (
        LayerCase(lambda: fn.encoder_block_without_bias(4, 2, hidden=3), (2, 4), batch=2),
        LayerCase(
            lambda: fn.encoder_block_without_bias(3, 1, hidden=2, norm="layer_norm_without_shift", dropout=0.3),
            (2, 3),
            batch=2,
            label="layer_norm, dropout",
        ),
        LayerCase(
            lambda: fn.encoder_block_without_bias(2, 1, hidden=2, masked=True, causal=True),
            (3, 2),
            batch=2,
            inputs=masked,
            label="masked, causal",
        ),
    ),
    "decoder_block_without_bias": (
        LayerCase(lambda: fn.decoder_block_without_bias(2, 1, hidden=3), ((2, 2), (3, 1)), batch=2, inputs=normals),
        LayerCase(
            lambda: fn.decoder_block_without_bias(2, 1, hidden=2, masked=True, memory_masked=True),
            ((3, 2), (3, 2)),
            batch=2,
            inputs=both_masked,
            label="masked",
        ),
    ),
    "decoder_block": (
        LayerCase(lambda: fn.decoder_block(2, 1, hidden=3, norm="rms_norm"), ((2, 2), (3, 1)), batch=2, inputs=normals),
        LayerCase(
            lambda: fn.decoder_block(3, 1, hidden=2, norm_first=False, memory_masked=True, dropout=0.3),
            ((2, 3), (3, 2)),
            batch=2,
            inputs=masked_memory,
            label="post-norm, masked memory, dropout",
        ),
        LayerCase(
            lambda: fn.decoder_block(2, 1, hidden=2, norm="rms_norm", masked=True, memory_masked=True),
            ((3, 2), (3, 2)),
            batch=2,
            inputs=both_masked,
            label="masked",
        ),
        LayerCase(
            lambda: fn.decoder_block(2, 1, hidden=2, norm="rms_norm", masked=True, norm_first=False),
            ((4, 2), (2, 1)),
            batch=2,
            inputs=masked_sequence,
            label="post-norm, masked sequence",
        ),
    ),
    "mean_steps": (
        LayerCase(lambda: fn.mean_steps(), (4, 2)),
        LayerCase(lambda: fn.mean_steps(masked=True), (4, 3), inputs=masked, label="masked"),
    ),
    "tied_cross_entropy": (
        LayerCase(
            lambda: fn.tied_cross_entropy(fn.tied_embedding(4, 3, fn.tanh()), block_size=3), ((5,), (5,)), inputs=two_below(4)
        ),
        LayerCase(
            lambda: fn.tied_cross_entropy(fn.tied_embedding(4, 2, fn.dense(2)), label_smoothing=0.2, ignore_index=1),
            ((3,), (3,)),
            inputs=two_below(4),
            label="smoothed, ignored label",
        ),
    ),
    "tied_embedding": (
        LayerCase(lambda: fn.tied_embedding(4, 3, fn.tanh()), (5,), inputs=below(4)),
        LayerCase(lambda: fn.tied_embedding(5, 3, fn.dense(3)), (), inputs=below(4), batch=4, label="one index each"),
        LayerCase(lambda: fn.tied_embedding(4, 2, fn.attention(1, dropout=0.3)), (3,), inputs=below(4), label="dropout between"),
    ),
    "gpt": (
        LayerCase(lambda: fn.gpt(3, layers=1, heads=1, features=3, context_length=4), (3,), batch=2, inputs=below(3)),
        LayerCase(
            lambda: fn.gpt(2, layers=1, heads=1, features=3, context_length=2, tied=False, dropout=0.2),
            (2,),
            batch=2,
            inputs=below(2),
            label="own head, dropout",
        ),
    ),
    "text_classifier": (
        LayerCase(lambda: fn.text_classifier(3, 2, features=3, heads=1, padding_index=1), (3,), batch=2, inputs=padded(3)),
        LayerCase(
            lambda: fn.text_classifier(3, 2, "gru", features=2, padding_index=1), (4,), inputs=padded(3), label="recurrent"
        ),
    ),
}
