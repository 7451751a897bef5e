"""The vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929), as ``transformers`` has it: ``ViTForImageClassification``.

The token that stands before the patches is a step of zeros here, to which the first position is added: token and position are one
vector.
"""

from __future__ import annotations

from funcnn.combinators.residual import residual
from funcnn.combinators.serial import serial
from funcnn.errors import shown
from funcnn.files.tree_reader import FileError
from funcnn.initializers import Initializer
from funcnn.layer import AnyLayer
from funcnn.layers.attention.attention import attention
from funcnn.layers.convolution.convolution import conv2d
from funcnn.layers.embedding.positions import learned_positions
from funcnn.layers.linear.dense import dense
from funcnn.layers.normalization.layer_norm import layer_norm
from funcnn.layers.shape.pad import pad
from funcnn.layers.shape.reshape import reshape
from funcnn.layers.shape.slice_axis import slice_axis
from funcnn.layers.shape.squeeze import squeeze
from funcnn.models.pretrained.architecture import ACTIVATIONS, Architecture, Network
from funcnn.models.pretrained.bert import DENSE, NORM
from funcnn.models.pretrained.configuration import NEEDED, Configuration, Fields
from funcnn.models.pretrained.forms import FIRST_POSITION, KERNEL, joined
from funcnn.models.pretrained.heads import classes_of, has_head
from funcnn.models.pretrained.table import Entries, Entry, Table, repeated, under

FIELDS = Fields(
    used={
        "hidden_size": NEEDED, "num_hidden_layers": NEEDED, "num_attention_heads": NEEDED, "intermediate_size": NEEDED,
        "image_size": 224, "patch_size": 16, "num_channels": 3, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
        "architectures": None, "id2label": None, "num_labels": None,
    },
    only={"qkv_bias": (True,), "is_encoder_decoder": (False,), "tie_word_embeddings": (True, False)},
    unused=frozenset({
        "attention_probs_dropout_prob", "hidden_dropout_prob", "encoder_stride", "pooler_act", "pooler_output_size",
    }),
)  # fmt: skip


def block_entries(features: int) -> Entries:
    """Return the entries of a block."""
    three = joined(features, features, features)
    looked = [f"attention.attention.{part}" for part in ("query", "key", "value")]
    return (
        *under("[0][0]", "layernorm_before", NORM),
        Entry("[0][1].project.weight", [f"{one}.weight" for one in looked], three),
        Entry("[0][1].project.bias", [f"{one}.bias" for one in looked], three),
        *under("[0][1].output", "attention.output.dense", DENSE),
        *under("[1][0]", "layernorm_after", NORM),
        *under("[1][1]", "intermediate.dense", DENSE),
        *under("[1][3]", "output.dense", DENSE),
    )


def block(config: Configuration, features: int, weight_init: Initializer) -> AnyLayer:
    """Return a block: attention and two dense layers, each after a normalization and beside its input."""
    eps, heads = config.number("layer_norm_eps"), config.count("num_attention_heads")
    looking: AnyLayer = attention(heads, weight_init=weight_init, output_init=weight_init)
    feed: AnyLayer = serial(
        layer_norm(eps=eps),
        dense(config.count("intermediate_size"), weight_init=weight_init),
        config.word("hidden_act", ACTIVATIONS)(),
        dense(features, weight_init=weight_init),
    )
    made: AnyLayer = serial(residual(serial(layer_norm(eps=eps), looking)), residual(feed))
    return made


def build(config: Configuration, weight_init: Initializer) -> Network:
    """Return the network: images (n, height, width, channels) to logits (n, classes), or to the last hidden state."""
    features, layers = config.count("hidden_size"), config.parts("num_hidden_layers")
    size, patch, channels = config.count("image_size"), config.count("patch_size"), config.count("num_channels")
    if size % patch:
        raise FileError(f"{config.where}: image_size is {shown(size)}, expected a multiple of patch_size, {patch}")
    patches = (size // patch) ** 2
    parts: list[AnyLayer] = [
        serial(
            conv2d(features, patch, stride=patch, padding=0, weight_init=weight_init),
            reshape((patches, features)),
            pad(((1, 0),)),
            learned_positions(patches + 1, weight_init=weight_init),
        ),
        serial(*[block(config, features, weight_init) for _ in range(layers)]),
        layer_norm(eps=config.number("layer_norm_eps")),
    ]
    before = "vit.embeddings"
    entries = [
        Entry("[0][0].weight", f"{before}.patch_embeddings.projection.weight", KERNEL),
        Entry("[0][0].bias", f"{before}.patch_embeddings.projection.bias"),
        Entry("[0][3].table", (f"{before}.cls_token", f"{before}.position_embeddings"), FIRST_POSITION),
        *repeated("[1]", "vit.encoder.layer", layers, block_entries(features)),
        *under("[2]", "vit.layernorm", NORM),
    ]
    ignored: tuple[str, ...] = (r"(vit\.)?pooler\.dense\.(weight|bias)",)
    if has_head(config, "ViTForImageClassification", ("ViTModel",)):
        parts += [slice_axis(0, 1, axis=1), squeeze(1), dense(classes_of(config), weight_init=weight_init)]
        entries += under("[5]", "classifier", DENSE)
        ignored = ()
    model: AnyLayer = serial(*parts)
    return Network(model, (size, size, channels), Table(tuple(entries), ignored=ignored, prefix="vit."))


VIT = Architecture("vit", FIELDS, build)
