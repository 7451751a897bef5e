"""Llama (Touvron et al. 2023, arXiv:2302.13971), as ``transformers`` has it: ``LlamaForCausalLM``.

Normalization by the root mean square, rotary positions that turn feature i with i + d / 2, grouped queries, and a dense part
gated by silu.  The maps to values and gates of that part stand side by side here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from funcnn.combinators.residual import residual
from funcnn.combinators.serial import serial
from funcnn.errors import shown
from funcnn.files.tree_reader import FileError
from funcnn.initializers import Initializer
from funcnn.layer import AnyLayer
from funcnn.layers.activations.gated import swiglu
from funcnn.layers.attention.attention import attention_without_bias
from funcnn.layers.attention.rotary import Rotary
from funcnn.layers.attention.rotary_scaling import LinearScaling, Llama3Scaling, RotaryScaling
from funcnn.layers.embedding.embedding import embedding
from funcnn.layers.embedding.tied_embedding import tied_embedding
from funcnn.layers.linear.linear import linear
from funcnn.layers.normalization.rms_norm import rms_norm
from funcnn.models.pretrained.architecture import Architecture, Network
from funcnn.models.pretrained.configuration import NEEDED, Configuration, Fields
from funcnn.models.pretrained.forms import TRANSPOSED, joined
from funcnn.models.pretrained.table import Entries, Entry, Table, repeated

FIELDS = Fields(
    used={
        "vocab_size": NEEDED, "hidden_size": NEEDED, "num_hidden_layers": NEEDED, "num_attention_heads": NEEDED,
        "intermediate_size": NEEDED, "num_key_value_heads": None, "head_dim": None, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
        "rope_scaling": None, "rope_parameters": None, "tie_word_embeddings": False,
    },
    only={
        "hidden_act": ("silu",), "attention_bias": (False,), "mlp_bias": (False,), "is_encoder_decoder": (False,),
        "is_decoder": (False, True), "add_cross_attention": (False,),
    },
    unused=frozenset({"attention_dropout", "max_position_embeddings", "pretraining_tp"}),
)  # fmt: skip


def block_entries(heads: int, shared: int, size: int, hidden: int) -> Entries:
    """Return the entries of a block."""
    return (
        Entry("[0][0].scale", "input_layernorm.weight"),
        Entry(
            "[0][1].project.weight",
            [f"self_attn.{part}_proj.weight" for part in ("q", "k", "v")],
            joined(heads * size, shared * size, shared * size),
        ),
        Entry("[0][1].output.weight", "self_attn.o_proj.weight", TRANSPOSED),
        Entry("[1][0].scale", "post_attention_layernorm.weight"),
        Entry("[1][1].weight", ("mlp.up_proj.weight", "mlp.gate_proj.weight"), joined(hidden, hidden)),
        Entry("[1][3].weight", "mlp.down_proj.weight", TRANSPOSED),
    )


def rotary(config: Configuration) -> Rotary:
    """Return the rotary positions of a configuration: of its older form, or of its newer one, where all is in one object."""
    told = config.mapping("rope_parameters") or config.mapping("rope_scaling")
    base = told.get("rope_theta", config.content.get("rope_theta", 10000.0))
    if isinstance(base, bool) or not isinstance(base, (int, float)) or not 1 < base <= sys.float_info.max:
        raise FileError(f"{config.where}: rope_theta is {shown(base)}, expected a number of more than 1")
    return Rotary(base=float(base), scaling=scaling(config.where, told))


SCALINGS: Mapping[object, tuple[Callable[..., RotaryScaling], Mapping[str, str]]] = {
    "linear": (LinearScaling, {"factor": "factor"}),
    "llama3": (
        Llama3Scaling,
        {
            "factor": "factor", "original_max_position_embeddings": "original_length", "low_freq_factor": "low",
            "high_freq_factor": "high",
        },
    ),
}  # fmt: skip
"""By the name of a scaling: the record here, and its arguments by the names that configurations have."""


def scaling(where: str, told: Mapping[str, object]) -> RotaryScaling | None:
    """Return what stretches the frequencies, or None."""
    kind = told.get("rope_type", told.get("type", "default"))
    given = {name: value for name, value in told.items() if name not in ("rope_type", "type", "rope_theta")}
    make: Callable[..., RotaryScaling] | None = None
    names: Mapping[str, str] = {}
    if kind in SCALINGS:
        make, names = SCALINGS[kind]
    elif kind != "default":
        raise FileError(f"{where}: rope_type is {shown(kind)}, expected one of default, {', '.join(map(str, SCALINGS))}")
    if set(given) != set(names):
        raise FileError(f"{where}: rope_type {kind} has the fields {shown(sorted(given))}, expected {shown(sorted(names))}")
    return None if make is None else make(**{names[name]: value for name, value in given.items()})


def build(config: Configuration, weight_init: Initializer) -> Network:
    """Return the network: tokens (n, t) to logits (n, t, vocabulary)."""
    vocabulary, features, layers = (
        config.count("vocab_size"),
        config.count("hidden_size"),
        config.parts("num_hidden_layers"),
    )
    heads, hidden, eps = config.count("num_attention_heads"), config.count("intermediate_size"), config.number("rms_norm_eps")
    shared, size = config.optional_count("num_key_value_heads") or heads, config.optional_count("head_dim")
    if heads % shared or (size is None and features % heads):
        raise FileError(
            f"{config.where}: hidden_size is {features}, num_attention_heads {heads} and num_key_value_heads {shared}, expected"
            " each a multiple of the next"
        )
    positions = rotary(config)

    def block() -> AnyLayer:
        looking: AnyLayer = attention_without_bias(
            heads, causal=True, key_value_heads=shared, head_features=size, positions=positions,
            weight_init=weight_init, output_init=weight_init,
        )  # fmt: skip
        feed: AnyLayer = serial(
            rms_norm(eps=eps), linear(2 * hidden, weight_init=weight_init), swiglu(), linear(features, weight_init=weight_init)
        )
        made: AnyLayer = serial(residual(serial(rms_norm(eps=eps), looking)), residual(feed))
        return made

    body: AnyLayer = serial(serial(*[block() for _ in range(layers)]), rms_norm(eps=eps))
    tied = config.flag("tie_word_embeddings")
    inside = ".inner" if tied else "[1]"
    entries = (
        Entry(".table" if tied else "[0].table", "model.embed_tokens.weight"),
        *repeated(f"{inside}[0]", "model.layers", layers, block_entries(heads, shared, size or features // heads, hidden)),
        Entry(f"{inside}[1].scale", "model.norm.weight"),
        *([] if tied else [Entry("[2].weight", "lm_head.weight", TRANSPOSED)]),
    )
    ignored = (r".*\.rotary_emb\.inv_freq", *([r"lm_head\.weight"] if tied else []))
    if tied:
        model: AnyLayer = tied_embedding(vocabulary, features, body, weight_init=weight_init)
    else:
        model = serial(
            embedding(vocabulary, features, weight_init=weight_init), body, linear(vocabulary, weight_init=weight_init)
        )
    return Network(model, (1,), Table(entries, ignored=ignored, prefix="model."))


LLAMA = Architecture("llama", FIELDS, build)
