"""What each loss of classes takes and gives: how labels are coded for it, how its network ends, and which probabilities it means.

A loss that is not known here takes labels and logits, as :func:`funcnn.softmax_cross_entropy` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

import numpy as np
from attrs import frozen

from funcnn.layer import AnyLayer
from funcnn.layers.activations.sigmoids import sigmoid
from funcnn.layers.activations.softmax import log_softmax, softmax
from funcnn.layers.linear.dense import dense
from funcnn.losses.loss import Loss
from funcnn.typing import Array, IntArray


def softmaxed(logits: Array) -> Array:
    """Return the probabilities of logits (n, classes)."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return cast(Array, powers / powers.sum(1, keepdims=True))


def sigmoids(logits: Array) -> Array:
    """Return 1 / (1 + exp(-logits)), without overflow."""
    return cast(Array, 0.5 * (1 + np.tanh(0.5 * logits)))


def unchanged(outputs: Array) -> Array:
    return outputs


def ranked(logits: Array) -> Array:
    """Return the probabilities of ranks (n, K) from the logits of being above each border (n, K - 1)."""
    above = np.minimum.accumulate(sigmoids(logits), axis=1)  # borders may cross; nothing is less likely than impossible
    ends = np.concatenate([np.ones_like(above[:, :1]), above, np.zeros_like(above[:, :1])], axis=1)
    return cast(Array, -np.diff(ends, axis=1))


@frozen
class Coding:
    """How a loss sees classes."""

    target: Literal["label", "rank", "zero_one", "sign"] = "label"
    """A label for each row, a rank for each row, or a column for each class, of 0 and 1 or of -1 and 1."""
    end: AnyLayer | None = None
    """What the network ends with, after its last dense layer."""
    probabilities: Callable[[Array], Array] | None = softmaxed
    """From the outputs; None when the loss knows none."""

    @property
    def has_columns(self) -> bool:
        """Whether each class has a column of its own, so that a row may be of several."""
        return self.target in ("zero_one", "sign")

    def width(self, classes: int) -> int:
        """Return how many outputs the network has for so many classes; two classes in columns are one column."""
        if self.target == "rank" or (self.has_columns and classes == 2):
            return classes - 1
        return classes

    def head(self, width: int) -> AnyLayer:
        """Return the last layers of a network of so many outputs."""
        last: AnyLayer = dense(width)
        return last if self.end is None else last >> self.end

    def encode(self, labels: IntArray, classes: int, like: Array) -> Array | IntArray:
        """Return the target for labels (n,)."""
        if not self.has_columns:
            return labels
        columns = labels[:, None] == (np.arange(classes) if classes > 2 else np.array([1]))
        return self.encode_columns(columns, like)

    def encode_columns(self, columns: Array | IntArray | np.ndarray, like: Array) -> Array:
        """Return the target for a table of 0 and 1, (n, columns), in the precision of ``like``."""
        there = columns.astype(like.dtype)
        return cast(Array, 2 * there - 1) if self.target == "sign" else there

    def class_probabilities(self, outputs: Array) -> Array:
        """Return the probabilities of the classes (n, classes), whose rows sum to 1."""
        assert self.probabilities is not None  # asked for only where there are some
        found = self.probabilities(outputs)
        if not self.has_columns:
            return found
        if found.shape[1] == 1:
            return np.concatenate([1 - found, found], axis=1)
        total = found.sum(1, keepdims=True)
        return cast(Array, np.where(total > 0, found / np.where(total > 0, total, 1), 1 / found.shape[1]))

    def scores(self, outputs: Array) -> Array:
        """Return a score for each class (n, classes), or of two classes that of the second against the first, (n,)."""
        if self.target == "rank":
            with np.errstate(divide="ignore"):
                outputs = np.log(ranked(outputs))
        if self.probabilities is unchanged:  # the outputs are probabilities: their logarithms or logits are the scores
            with np.errstate(divide="ignore"):
                outputs = np.log(outputs) - np.log1p(-outputs) if self.has_columns else np.log(outputs)
        if outputs.shape[1] == 1:
            return outputs[:, 0]
        return cast(Array, outputs[:, 1] - outputs[:, 0]) if outputs.shape[1] == 2 and not self.has_columns else outputs


_CODINGS = {
    "multi_margin": Coding(probabilities=None),
    "cross_entropy": Coding(end=softmax(), probabilities=unchanged),
    "negative_log_likelihood": Coding(end=log_softmax(), probabilities=np.exp),
    "ordinal_cross_entropy": Coding("rank", probabilities=ranked),
    "sigmoid_cross_entropy": Coding("zero_one", probabilities=sigmoids),
    "sigmoid_focal": Coding("zero_one", probabilities=sigmoids),
    "binary_cross_entropy": Coding("zero_one", end=sigmoid(), probabilities=unchanged),
    "hinge": Coding("sign", probabilities=None),
    "squared_hinge": Coding("sign", probabilities=None),
}


def coding_of(loss: Loss[object, object]) -> Coding:
    """Return how a loss sees classes."""
    return _CODINGS.get(loss.name.partition("(")[0], Coding())
