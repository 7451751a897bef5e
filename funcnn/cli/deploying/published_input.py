"""A batch such as a network of published weights takes, as its configuration tells; that is what has been read already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from funcnn.cli.failure import RequestError
from funcnn.cli.published.pictures import Preparation

STEPS = 64
"""Steps of a sequence that a network is exported for, if nothing else is said and it takes as many."""

POSITIONS = {"gpt2": ("n_positions", 1024), "bert": ("max_position_embeddings", 512)}
"""Where a configuration says how many positions a network has learned, and how many there are if it does not."""


def sequences(config: Mapping[str, Any], length: int | None) -> Any:  # Any: an array, or a pair of such
    """Return a sequence: of tokens, of tokens and the numbers of their sentences (BERT), or of vectors (LSTM).

    Raises
    ------
    RequestError
        When there are fewer positions than steps are asked for.
    """
    kind = str(config["model_type"])
    name, usual = POSITIONS.get(kind, ("", 0))
    most = config.get(name, usual) if name else None
    if length is None:
        length = STEPS if not isinstance(most, int) else min(STEPS, most)
    elif isinstance(most, int) and length > most:
        raise RequestError(f"--length {length}: the network has {most} positions, expected at most as many")
    tokens = np.zeros((1, length), np.int64)
    if kind == "bert":
        return tokens, tokens
    return np.zeros((1, length, config["input_size"]), np.float32) if kind == "lstm" else tokens


def image(config: Mapping[str, Any], how: Preparation) -> Any:  # Any: an array
    """Return an image: of the size that the network has positions for (ViT), or else as its preparation leaves it."""
    if config.get("model_type") == "vit":
        size, channels = config.get("image_size", 224), config.get("num_channels", 3)
        return np.zeros((1, size, size, channels), np.float32)
    return np.zeros((1, how.height or how.shortest, how.width or how.shortest, 3), np.float32)


def has_classes(config: Mapping[str, object]) -> bool:
    """Tell whether a network of texts ends with classes."""
    named = config.get("architectures")
    return isinstance(named, list) and "BertForSequenceClassification" in named
