"""Mistral (Jiang et al. 2023, arXiv:2310.06825), as ``transformers`` has it: Llama whose steps see a window of those before."""

from __future__ import annotations

from funcnn.initializers import Initializer
from funcnn.layers.attention.attention import attention_without_bias
from funcnn.models.pretrained.architecture import Architecture, Network
from funcnn.models.pretrained.configuration import Configuration, Fields
from funcnn.models.pretrained.llama import ONLY, UNUSED, USED, Kind, decoder

FIELDS = Fields({**USED, "num_key_value_heads": 8, "sliding_window": 4096}, ONLY, UNUSED)


def build(config: Configuration, weight_init: Initializer) -> Network:
    """Return the network: tokens (n, t) to logits (n, t, vocabulary)."""
    windows = [config.optional_count("sliding_window")] * config.parts("num_hidden_layers")
    return decoder(config, weight_init, Kind(attention_without_bias, input_bias=False, output_bias=False), windows)


MISTRAL = Architecture("mistral", FIELDS, build)
