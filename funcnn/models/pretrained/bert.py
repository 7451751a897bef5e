"""BERT (Devlin et al. 2019, arXiv:1810.04805), as ``transformers`` has it: ``BertModel`` and ``BertForSequenceClassification``.

The input is a pair of tokens and of the number of the sentence that each belongs to (0 or 1), both (n, t).  The output is the
last hidden state (n, t, features), or, of a model with a classifier, the logits (n, classes) of what a dense layer with tanh
makes of the first step.  Nothing is hidden: sequences are without padding.  Of a model that fills in words, as BERT is published,
the body is taken; the part that names the words is left.
"""

from __future__ import annotations

from funcnn.combinators.multiply_inputs import add_inputs
from funcnn.combinators.parallel import parallel
from funcnn.combinators.residual import residual
from funcnn.combinators.serial import serial
from funcnn.initializers import Initializer
from funcnn.layer import AnyLayer
from funcnn.layers.activations.sigmoids import tanh
from funcnn.layers.attention.attention import attention
from funcnn.layers.embedding.embedding import embedding
from funcnn.layers.embedding.positions import learned_positions
from funcnn.layers.linear.dense import dense
from funcnn.layers.normalization.layer_norm import layer_norm
from funcnn.layers.shape.slice_axis import slice_axis
from funcnn.layers.shape.squeeze import squeeze
from funcnn.models.pretrained.architecture import ACTIVATIONS, Architecture, Network
from funcnn.models.pretrained.configuration import NEEDED, Configuration, Fields
from funcnn.models.pretrained.forms import TRANSPOSED, joined
from funcnn.models.pretrained.heads import classes_of, has_head
from funcnn.models.pretrained.table import Entries, Entry, Table, repeated, under

FIELDS = Fields(
    used={
        "vocab_size": NEEDED, "hidden_size": NEEDED, "num_hidden_layers": NEEDED, "num_attention_heads": NEEDED,
        "intermediate_size": NEEDED, "hidden_act": "gelu", "max_position_embeddings": 512, "type_vocab_size": 2,
        "layer_norm_eps": 1e-12, "architectures": None, "id2label": None, "num_labels": None,
    },
    only={
        "position_embedding_type": ("absolute",), "is_decoder": (False,), "add_cross_attention": (False,),
        "is_encoder_decoder": (False,), "tie_word_embeddings": (True, False),
    },
    unused=frozenset({
        "attention_probs_dropout_prob", "hidden_dropout_prob", "classifier_dropout", "directionality", "pooler_fc_size",
        "pooler_num_attention_heads", "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type",
    }),
)  # fmt: skip

NORM = (Entry(".scale", "weight"), Entry(".shift", "bias"))
DENSE = (Entry(".weight", "weight", TRANSPOSED), Entry(".bias", "bias"))
CLASSIFIER = "BertForSequenceClassification"
BODIES = ("BertModel", "BertForMaskedLM", "BertForPreTraining")
"""The models of which the last hidden state is given."""


def block_entries(features: int) -> Entries:
    """Return the entries of a block."""
    three = joined(features, features, features)
    looked = [f"attention.self.{part}" for part in ("query", "key", "value")]
    return (
        Entry("[0].project.weight", [f"{one}.weight" for one in looked], three),
        Entry("[0].project.bias", [f"{one}.bias" for one in looked], three),
        *under("[0].output", "attention.output.dense", DENSE),
        *under("[1]", "attention.output.LayerNorm", NORM),
        *under("[2][0]", "intermediate.dense", DENSE),
        *under("[2][2]", "output.dense", DENSE),
        *under("[3]", "output.LayerNorm", NORM),
    )


def block(config: Configuration, features: int, weight_init: Initializer) -> AnyLayer:
    """Return a block: attention and two dense layers, each beside its input and before a normalization."""
    eps, heads = config.number("layer_norm_eps"), config.count("num_attention_heads")
    looking: AnyLayer = attention(heads, weight_init=weight_init, output_init=weight_init)
    feed: AnyLayer = serial(
        dense(config.count("intermediate_size"), weight_init=weight_init),
        config.word("hidden_act", ACTIVATIONS)(),
        dense(features, weight_init=weight_init),
    )
    made: AnyLayer = serial(residual(looking), layer_norm(eps=eps), residual(feed), layer_norm(eps=eps))
    return made


def build(config: Configuration, weight_init: Initializer) -> Network:
    """Return the network."""
    vocabulary, features, layers = (
        config.count("vocab_size"),
        config.count("hidden_size"),
        config.parts("num_hidden_layers"),
    )
    positions, kinds = config.count("max_position_embeddings"), config.count("type_vocab_size")
    both: AnyLayer = parallel(
        embedding(vocabulary, features, weight_init=weight_init), embedding(kinds, features, weight_init=weight_init)
    )
    embedded: AnyLayer = serial(
        both,
        add_inputs(),
        learned_positions(positions, weight_init=weight_init),
        layer_norm(eps=config.number("layer_norm_eps")),
    )
    parts: list[AnyLayer] = [embedded, serial(*[block(config, features, weight_init) for _ in range(layers)])]
    entries = [
        Entry("[0][0][0].table", "bert.embeddings.word_embeddings.weight"),
        Entry("[0][0][1].table", "bert.embeddings.token_type_embeddings.weight"),
        Entry("[0][2].table", "bert.embeddings.position_embeddings.weight"),
        *under("[0][3]", "bert.embeddings.LayerNorm", NORM),
        *repeated("[1]", "bert.encoder.layer", layers, block_entries(features)),
    ]
    ignored = [r"(bert\.)?embeddings\.position_ids"]
    if has_head(config, CLASSIFIER, BODIES):
        first: AnyLayer = serial(slice_axis(0, 1, axis=1), squeeze(1))
        head: AnyLayer = serial(dense(features, weight_init=weight_init), tanh())
        parts += [first, head, dense(classes_of(config), weight_init=weight_init)]
        entries += [*under("[3][0]", "bert.pooler.dense", DENSE), *under("[4]", "classifier", DENSE)]
    else:
        ignored += [r"(bert\.)?pooler\.dense\.(weight|bias)", r"cls\.(predictions|seq_relationship)\..*"]
    model: AnyLayer = serial(*parts)
    return Network(model, ((1,), (1,)), Table(tuple(entries), ignored=tuple(ignored), prefix="bert."))


BERT = Architecture("bert", FIELDS, build)
