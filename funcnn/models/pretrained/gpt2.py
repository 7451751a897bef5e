"""GPT-2 (Radford et al. 2019), as ``transformers`` has it: ``GPT2LMHeadModel``."""

from __future__ import annotations

from funcnn.combinators.residual import residual
from funcnn.combinators.serial import serial
from funcnn.initializers import Initializer
from funcnn.layer import AnyLayer
from funcnn.layers.attention.attention import attention
from funcnn.layers.embedding.embedding import embedding
from funcnn.layers.embedding.positions import learned_positions
from funcnn.layers.embedding.tied_embedding import tied_embedding
from funcnn.layers.linear.dense import dense
from funcnn.layers.linear.linear import linear
from funcnn.layers.normalization.layer_norm import layer_norm
from funcnn.models.pretrained.architecture import ACTIVATIONS, Architecture, Network
from funcnn.models.pretrained.configuration import NEEDED, Configuration, Fields
from funcnn.models.pretrained.forms import TRANSPOSED
from funcnn.models.pretrained.table import Entry, Table, repeated, under

FIELDS = Fields(
    used={
        "vocab_size": NEEDED, "n_embd": NEEDED, "n_layer": NEEDED, "n_head": NEEDED, "n_positions": 1024, "n_inner": None,
        "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new", "tie_word_embeddings": True,
    },
    only={
        "scale_attn_weights": (True,), "scale_attn_by_inverse_layer_idx": (False,), "add_cross_attention": (False,),
        "is_encoder_decoder": (False,), "is_decoder": (False, True),
    },
    unused=frozenset({
        "n_ctx", "attn_pdrop", "embd_pdrop", "resid_pdrop", "reorder_and_upcast_attn", "summary_activation",
        "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj",
    }),
)  # fmt: skip

BLOCK = (  # weights of this model alone are (in, out), as here
    Entry("[0][0].scale", "ln_1.weight"),
    Entry("[0][0].shift", "ln_1.bias"),
    Entry("[0][1].project.weight", "attn.c_attn.weight"),
    Entry("[0][1].project.bias", "attn.c_attn.bias"),
    Entry("[0][1].output.weight", "attn.c_proj.weight"),
    Entry("[0][1].output.bias", "attn.c_proj.bias"),
    Entry("[1][0].scale", "ln_2.weight"),
    Entry("[1][0].shift", "ln_2.bias"),
    Entry("[1][1].weight", "mlp.c_fc.weight"),
    Entry("[1][1].bias", "mlp.c_fc.bias"),
    Entry("[1][3].weight", "mlp.c_proj.weight"),
    Entry("[1][3].bias", "mlp.c_proj.bias"),
)


def build(config: Configuration, weight_init: Initializer) -> Network:
    """Return the network: tokens (n, t) to logits (n, t, vocabulary)."""
    vocabulary, features, layers = config.count("vocab_size"), config.count("n_embd"), config.parts("n_layer")
    positions, tied = config.count("n_positions"), config.flag("tie_word_embeddings")
    body: AnyLayer = serial(
        learned_positions(positions, weight_init=weight_init),
        serial(*[block(config, features, weight_init) for _ in range(layers)]),
        layer_norm(eps=config.number("layer_norm_epsilon")),
    )
    inside = ".inner" if tied else "[1]"
    entries = (
        Entry(".table" if tied else "[0].table", "transformer.wte.weight"),
        Entry(f"{inside}[0].table", "transformer.wpe.weight"),
        *repeated(f"{inside}[1]", "transformer.h", layers, BLOCK),
        *under(f"{inside}[2]", "transformer.ln_f", (Entry(".scale", "weight"), Entry(".shift", "bias"))),
        *([] if tied else [Entry("[2].weight", "lm_head.weight", TRANSPOSED)]),
    )
    ignored = (r".*\.attn\.(masked_)?bias", *([r"lm_head\.weight"] if tied else []))  # constants, and the table again
    if tied:
        model: AnyLayer = tied_embedding(vocabulary, features, body, weight_init=weight_init)
    else:
        model = serial(
            embedding(vocabulary, features, weight_init=weight_init), body, linear(vocabulary, weight_init=weight_init)
        )
    return Network(model, (1,), Table(entries, ignored=ignored, prefix="transformer."))


def block(config: Configuration, features: int, weight_init: Initializer) -> AnyLayer:
    """Return a block: attention and two dense layers, each after a normalization and beside its input."""
    eps = config.number("layer_norm_epsilon")
    looking: AnyLayer = attention(config.count("n_head"), causal=True, weight_init=weight_init, output_init=weight_init)
    hidden = config.optional_count("n_inner") or 4 * features
    made: AnyLayer = serial(
        residual(serial(layer_norm(eps=eps), looking)),
        residual(
            serial(
                layer_norm(eps=eps),
                dense(hidden, weight_init=weight_init),
                config.word("activation_function", ACTIVATIONS)(),
                dense(features, weight_init=weight_init),
            )
        ),
    )
    return made


GPT2 = Architecture("gpt2", FIELDS, build)
