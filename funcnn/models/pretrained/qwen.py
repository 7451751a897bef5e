"""Qwen 2 and 3 (arXiv:2407.10671, arXiv:2505.09388), as ``transformers`` has them: Llama with another attention.

Qwen 2 has biases of queries, keys and values; Qwen 3 normalizes queries and keys.  Of both, some layers may see a window alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from funcnn.errors import shown
from funcnn.files.tree_reader import FileError
from funcnn.initializers import Initializer
from funcnn.layers.attention.attention_without_output_bias import attention_without_output_bias
from funcnn.layers.attention.qk_norm_attention import qk_norm_attention, qk_norm_attention_without_bias
from funcnn.models.pretrained.architecture import Architecture, Network
from funcnn.models.pretrained.configuration import Configuration, Fields
from funcnn.models.pretrained.llama import ONLY, UNUSED, USED, Kind, decoder

BOTH: Mapping[str, object] = {
    **USED, "num_key_value_heads": 32, "use_sliding_window": False, "sliding_window": 4096, "max_window_layers": 28,
    "layer_types": None,
}  # fmt: skip
QWEN2_FIELDS = Fields(BOTH, {**ONLY, "use_mrope": (False,)}, UNUSED)
QWEN3_FIELDS = Fields({**BOTH, "head_dim": 128, "attention_bias": False}, ONLY, UNUSED)

SLIDING: Mapping[str, bool] = {"full_attention": False, "sliding_attention": True}


def windows(config: Configuration) -> list[int | None]:
    """Return how many steps each block sees, or None: as ``layer_types`` says, or from block ``max_window_layers`` on."""
    count = config.parts("num_hidden_layers")
    window = config.optional_count("sliding_window") if config.flag("use_sliding_window") else None
    sliding = config.optional_words("layer_types", SLIDING)
    if sliding is None:
        first = config.whole("max_window_layers")
        return [window if i >= first else None for i in range(count)]
    if len(sliding) != count or (window is None and any(sliding)):
        raise FileError(
            f"{config.where}: layer_types is {shown(config.content['layer_types'])}, expected one for each of {count} layers,"
            " and those that slide with use_sliding_window and a sliding_window"
        )
    return [window if slides else None for slides in sliding]


def build_qwen2(config: Configuration, weight_init: Initializer) -> Network:
    """Return Qwen 2: tokens (n, t) to logits (n, t, vocabulary)."""
    kind = Kind(attention_without_output_bias, input_bias=True, output_bias=False)
    return decoder(config, weight_init, kind, windows(config))


def build_qwen3(config: Configuration, weight_init: Initializer) -> Network:
    """Return Qwen 3: tokens (n, t) to logits (n, t, vocabulary)."""
    biased = config.flag("attention_bias")
    kind = Kind(qk_norm_attention if biased else qk_norm_attention_without_bias, biased, biased, normed=True)
    return decoder(config, weight_init, kind, windows(config))


QWEN2 = Architecture("qwen2", QWEN2_FIELDS, build_qwen2)
QWEN3 = Architecture("qwen3", QWEN3_FIELDS, build_qwen3)
