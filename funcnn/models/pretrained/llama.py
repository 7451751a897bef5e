"""Llama (Touvron et al. 2023, arXiv:2302.13971), as ``transformers`` has it: ``LlamaForCausalLM``.

Normalization by the root mean square, rotary positions that turn feature i with i + d / 2, grouped queries, and a dense part
gated by silu.  The maps to values and gates of that part stand side by side here.  Its kin, Mistral and Qwen, are the same
network with another attention: they say which (:func:`decoder`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from funcnn.combinators.residual import residual
from funcnn.combinators.serial import serial
from funcnn.errors import shown
from funcnn.files.tree_reader import FileError
from funcnn.initializers import Initializer
from funcnn.layer import AnyLayer
from funcnn.layers.activations.gated import swiglu
from funcnn.layers.attention.attention import attention, attention_without_bias
from funcnn.layers.attention.rotary import Rotary
from funcnn.layers.attention.rotary_scaling import LinearScaling, Llama3Scaling, RotaryScaling, YarnScaling
from funcnn.layers.attention.scores import AttentionScores
from funcnn.layers.embedding.embedding import embedding
from funcnn.layers.embedding.tied_embedding import tied_embedding
from funcnn.layers.linear.dense import dense
from funcnn.layers.linear.linear import linear
from funcnn.layers.normalization.rms_norm import rms_norm
from funcnn.models.pretrained.architecture import Architecture, Network
from funcnn.models.pretrained.configuration import NEEDED, Configuration, Fields
from funcnn.models.pretrained.forms import TRANSPOSED, joined
from funcnn.models.pretrained.table import Entries, Entry, Table, repeated

USED: Mapping[str, object] = {
    "vocab_size": NEEDED, "hidden_size": NEEDED, "num_hidden_layers": NEEDED, "num_attention_heads": NEEDED,
    "intermediate_size": NEEDED, "num_key_value_heads": None, "head_dim": None, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
    "rope_scaling": None, "rope_parameters": None, "tie_word_embeddings": False,
}  # fmt: skip
ONLY: Mapping[str, tuple[object, ...]] = {
    "hidden_act": ("silu",), "is_encoder_decoder": (False,), "is_decoder": (False, True), "add_cross_attention": (False,),
}  # fmt: skip
UNUSED = frozenset({"attention_dropout", "max_position_embeddings"})
FIELDS = Fields({**USED, "attention_bias": False, "mlp_bias": False}, ONLY, UNUSED | {"pretraining_tp"})


@frozen
class Kind:
    """What differs among the kin: the attention, and which maps have biases."""

    attention: Callable[..., AnyLayer]
    input_bias: bool
    """Whether the maps to queries, keys and values have biases."""
    output_bias: bool
    normed: bool = False
    """Whether queries and keys are normalized."""
    mlp_bias: bool = False


def joined_entries(path: str, names: Sequence[str], sizes: Sequence[int], bias: bool) -> Entries:
    """Return the entries of maps that stand side by side."""
    kinds = ("weight", "bias") if bias else ("weight",)
    return tuple([Entry(f"{path}.{kind}", [f"{name}.{kind}" for name in names], joined(*sizes)) for kind in kinds])


def map_entries(path: str, name: str, bias: bool) -> Entries:
    """Return the entries of a map alone."""
    weight = Entry(f"{path}.weight", f"{name}.weight", TRANSPOSED)
    return (weight, Entry(f"{path}.bias", f"{name}.bias")) if bias else (weight,)


def block_entries(kind: Kind, heads: int, shared: int, size: int, hidden: int) -> Entries:
    """Return the entries of a block."""
    inside = "[0][1].attention" if kind.normed else "[0][1]"
    looking, feeding = [f"self_attn.{part}_proj" for part in ("q", "k", "v")], ("mlp.up_proj", "mlp.gate_proj")
    norms = [Entry(f"[0][1].{part}_norm.scale", f"self_attn.{part[0]}_norm.weight") for part in ("query", "key")]
    return (
        Entry("[0][0].scale", "input_layernorm.weight"),
        *joined_entries(f"{inside}.project", looking, (heads * size, shared * size, shared * size), kind.input_bias),
        *map_entries(f"{inside}.output", "self_attn.o_proj", kind.output_bias),
        *(norms if kind.normed else []),
        Entry("[1][0].scale", "post_attention_layernorm.weight"),
        *joined_entries("[1][1]", feeding, (hidden, hidden), kind.mlp_bias),
        *map_entries("[1][3]", "mlp.down_proj", kind.mlp_bias),
    )


def rotary(config: Configuration) -> Rotary:
    """Return the rotary positions of a configuration: of its older form, or of its newer one, where all is in one object."""
    told = config.mapping("rope_parameters") or config.mapping("rope_scaling")
    base = told.get("rope_theta", config.content.get("rope_theta", 10000.0))
    if isinstance(base, bool) or not isinstance(base, (int, float)) or not 1 < base <= sys.float_info.max:
        raise FileError(f"{config.where}: rope_theta is {shown(base)}, expected a number of more than 1")
    return Rotary(base=float(base), scaling=scaling(config.where, told))


@frozen
class Scaling:
    """The record here that a ``rope_type`` stands for, and its arguments by the names that configurations have."""

    make: Callable[..., RotaryScaling]
    needed: Mapping[str, str]
    more: Mapping[str, str] = {}


LENGTH = {"factor": "factor", "original_max_position_embeddings": "original_length"}
SCALINGS: Mapping[object, Scaling] = {
    "linear": Scaling(LinearScaling, {"factor": "factor"}),
    "llama3": Scaling(Llama3Scaling, {**LENGTH, "low_freq_factor": "low", "high_freq_factor": "high"}),
    "yarn": Scaling(YarnScaling, LENGTH, {"beta_fast": "fast", "beta_slow": "slow"}),
}


def scaling(where: str, told: Mapping[str, object]) -> RotaryScaling | None:
    """Return what stretches the frequencies, or None."""
    kind = told.get("rope_type", told.get("type", "default"))
    given = {name: value for name, value in told.items() if name not in ("rope_type", "type", "rope_theta")}
    if kind != "default" and kind not in SCALINGS:
        raise FileError(f"{where}: rope_type is {shown(kind)}, expected one of default, {', '.join(map(str, SCALINGS))}")
    known = SCALINGS.get(kind)
    needed, more = (known.needed, known.more) if known else ({}, {})
    if not set(needed) <= set(given) <= {*needed, *more}:
        also = f", and perhaps {', '.join(more)}" if more else ""
        raise FileError(
            f"{where}: rope_type {kind} has the fields {shown(sorted(given))}, expected {shown(sorted(needed))}{also}"
        )
    names = {**needed, **more}
    return None if known is None else known.make(**{names[name]: value for name, value in given.items()})


def build(config: Configuration, weight_init: Initializer) -> Network:
    """Return Llama: tokens (n, t) to logits (n, t, vocabulary)."""
    biased = config.flag("attention_bias")
    kind = Kind(attention if biased else attention_without_bias, biased, biased, mlp_bias=config.flag("mlp_bias"))
    return decoder(config, weight_init, kind, [None] * config.parts("num_hidden_layers"))


def decoder(config: Configuration, weight_init: Initializer, kind: Kind, windows: Sequence[int | None]) -> Network:
    """Return the network: tokens (n, t) to logits (n, t, vocabulary), each block with the steps that it sees, itself included."""
    vocabulary, features = config.count("vocab_size"), config.count("hidden_size")
    heads, hidden, eps = config.count("num_attention_heads"), config.count("intermediate_size"), config.number("rms_norm_eps")
    shared, size = config.optional_count("num_key_value_heads") or heads, config.optional_count("head_dim")
    if heads % shared or (size is None and features % heads):
        raise FileError(
            f"{config.where}: hidden_size is {features}, num_attention_heads {heads} and num_key_value_heads {shared}, expected"
            " each a multiple of the next"
        )
    positions = rotary(config)
    norm_eps = {"eps": eps} if kind.normed else {}
    mapped: Callable[..., AnyLayer] = dense if kind.mlp_bias else linear

    def block(window: int | None) -> AnyLayer:
        looking = kind.attention(
            heads, causal=True, key_value_heads=shared, head_features=size, positions=positions,
            scores=AttentionScores(window=None if window is None else (window - 1, 0)),
            weight_init=weight_init, output_init=weight_init, **norm_eps,
        )  # fmt: skip
        feed: AnyLayer = serial(
            rms_norm(eps=eps), mapped(2 * hidden, weight_init=weight_init), swiglu(), mapped(features, weight_init=weight_init)
        )
        made: AnyLayer = serial(residual(serial(rms_norm(eps=eps), looking)), residual(feed))
        return made

    body: AnyLayer = serial(serial(*[block(window) for window in windows]), rms_norm(eps=eps))
    tied = config.flag("tie_word_embeddings")
    inside = ".inner" if tied else "[1]"
    parts = block_entries(kind, heads, shared, size or features // heads, hidden)
    entries = (
        Entry(".table" if tied else "[0].table", "model.embed_tokens.weight"),
        *repeated(f"{inside}[0]", "model.layers", len(windows), parts),
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
