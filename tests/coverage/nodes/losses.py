"""Losses."""

from __future__ import annotations

from typing import Any

from torch import Tensor

import funcnn as fn
from tests.coverage.bridge import run
from tests.coverage.onnx_samples import node
from tests.coverage.operators import class_losses


@node("NegativeLogLikelihoodLoss")
def nll(attributes: dict[str, Any], x: Tensor, labels: Tensor, weight: Tensor | None = None) -> Any:
    ignored = attributes.get("ignore_index", -(10**6))
    return class_losses.nll(x, labels, weight, None, ignored, None, attributes.get("reduction", "mean"))


@node("SoftmaxCrossEntropyLoss")
def cross_entropy(attributes: dict[str, Any], x: Tensor, labels: Tensor, weight: Tensor | None = None) -> Any:
    """The log-probabilities, where they are wanted too, are a layer of their own."""
    ignored = attributes.get("ignore_index", -(10**6))
    made = class_losses.cross_entropy(x, labels, weight, None, ignored, None, attributes.get("reduction", "mean"))
    return made, run(fn.log_softmax(1), x)
