r"""A linear layer and the softmax cross-entropy in one: logits of a large vocabulary that are never stored.

Indices: $n$ place (example and step), $k$ feature of $D$, $c$ token of the vocabulary $V$; $y_n$ label.

Forward
$$ z_{nc} = \sum_k x_{nk} W_{kc}, \qquad \ell_n = -\log \frac{e^{z_{n y_n}}}{\sum_c e^{z_{nc}}} , $$
with label smoothing as :func:`funcnn.softmax_cross_entropy` has it, and $\ell_n = 0$ where the label is the one to ignore.

Derivation.  With $p_{nc}$ the softmax of $z_n$ and $\delta_{nc}$ 1 at the label and 0 elsewhere
$$ \bar z_{nc} = (p_{nc} - \delta_{nc})\,\bar\ell_n, \qquad \bar x_{nk} = \sum_c \bar z_{nc} W_{kc}, \qquad
   \bar W_{kc} = \sum_n x_{nk}\,\bar z_{nc} . $$
:mod:`funcnn.kernels.streaming_cross_entropy` has how both are taken from one block of the vocabulary after the other.
"""

from functools import partial
from typing import TypeAlias, cast

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import (
    check_array,
    check_cotangent,
    check_count,
    check_features,
    check_has_features,
    check_kind,
    check_range,
    describe,
    shown,
)
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.arrays import as_matrix
from funcnn.kernels.streaming_cross_entropy import StreamedSums, Streaming, streamed_losses, streamed_pullback
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.linear.linear import LinearParams
from funcnn.typing import Array, BoolArray, Empty, IntArray, Shape

Labelled: TypeAlias = tuple[Array, IntArray]
"""Features (n, ..., D) and the labels of their places (n, ...)."""


@frozen(eq=False)
class LinearCrossEntropyResiduals:
    """The rows that count with their labels, what was summed of their logits, and where they stand."""

    rows: Array  # (m, D)
    labels: IntArray  # (m,)
    sums: StreamedSums  # of (m,)
    counted: BoolArray  # (batch, ...)


def init(vocabulary: int, weight_init: Initializer, key: Key, in_shape: tuple[Shape, ...]) -> Init[LinearParams, Empty]:
    features, labels = in_shape
    check_has_features(features, "linear_cross_entropy")
    if features[:-1] != labels:
        raise ValueError(
            f"the shapes of an example are {shown(in_shape)}, expected (..., D) and (...): features, and a label for each"
        )
    return Init(LinearParams(weight_init(key.child(0), (features[-1], vocabulary))), (), labels)


def check_input(x: object, weight: Array) -> Labelled:
    """Return the features and the labels; raise unless they are a pair that fits."""
    if not isinstance(x, tuple) or len(x) != 2:
        raise TypeError(f"the input is {describe(x)}, expected a pair (features, labels)")
    features, labels = x
    check_array(features, "the features, input [0]")
    check_features(features, weight)
    if type(labels) is not np.ndarray:
        check_kind(labels, "the labels, input [1]", "an array of integers", "np.asarray(..., dtype=int)")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"the labels, input [1], are {describe(labels)}, expected an array of integers: use .astype(int)")
    if labels.shape != features.shape[:-1]:
        raise ValueError(
            f"the labels, input [1], have shape {labels.shape}, expected {features.shape[:-1]}: one for each row of the features,"
            f" {describe(features)}"
        )
    return features, labels


def counted_labels(ignore_index: int | None, labels: IntArray, vocabulary: int) -> BoolArray:
    """Return where a label is not the one to ignore; raise unless all others are in the vocabulary."""
    counted: BoolArray = np.ones(labels.shape, bool) if ignore_index is None else labels != ignore_index
    wrong = counted & ((labels < 0) | (labels >= vocabulary))
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0].tolist())
        raise ValueError(
            f"a label is {labels[place]} at place {list(place)}, expected one in 0..{vocabulary - 1}"
            + ("" if ignore_index is None else f", or {ignore_index}, which is ignored")
        )
    return counted


def forward(
    how: Streaming, ignore_index: int | None, params: LinearParams, state: Empty, x: Labelled, mode: Mode
) -> Forward[Array, Empty, LinearCrossEntropyResiduals]:
    features, labels = check_input(x, params.weight)
    counted = counted_labels(ignore_index, labels, params.weight.shape[1])
    rows, chosen = (as_matrix(features), labels.ravel()) if counted.all() else (features[counted], labels[counted])
    chosen = chosen.astype(np.intp, copy=False)
    losses, sums = streamed_losses(rows, params.weight, chosen, how)
    output: Array = np.zeros(labels.shape, losses.dtype)
    output[counted] = losses
    return Forward(output, state, LinearCrossEntropyResiduals(rows, chosen, sums, counted))


def backward(
    how: Streaming, params: LinearParams, residuals: LinearCrossEntropyResiduals, dy: Array
) -> Backward[LinearParams, Labelled]:
    counted = residuals.counted
    check_cotangent(dy, counted.shape, params.weight.dtype)
    drows, dweight = streamed_pullback(residuals.rows, params.weight, residuals.labels, how, residuals.sums, dy[counted])
    dfeatures: Array = np.zeros((*counted.shape, len(params.weight)), drows.dtype)
    dfeatures[counted] = drows
    return Backward(LinearParams(dweight), (dfeatures, cast(IntArray, None)))  # labels have no cotangent


def linear_cross_entropy(
    vocabulary: int,
    *,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    block_size: int = 1024,
    weight_init: Initializer = initializers.glorot_uniform,
) -> Layer[LinearParams, Empty, Labelled, Array]:
    """Linear layer and softmax cross-entropy in one, the last layer of a training with a large vocabulary.

    The values and gradients are those of ``linear(vocabulary)`` and :func:`softmax_cross_entropy`, to rounding; but of the logits
    there is only a block at a time, which backward computes once more.

    Parameters
    ----------
    vocabulary : int
        Number of classes V, at least 1.
    label_smoothing : float, optional
        In [0, 1): the part of the target that is spread evenly over the classes.
    ignore_index : int, optional
        Places with this label are left out: their loss and their gradient are 0.
    block_size : int, optional
        How many columns of the logits there are at a time: (places, block_size) numbers, in place of (places, V).
    weight_init : callable, optional
        Initializer ``(key, shape) -> array`` of the weight (D, V).

    Returns
    -------
    Layer
        From a pair of features (n, ..., D), floating, and labels 0 to V - 1 (n, ...), integers, to the losses of the places
        (n, ...).  Parameters :class:`LinearParams`, those of ``linear(vocabulary)``, which gives the logits once they are
        trained.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``init`` and ``forward``, when features and labels do not fit together, or a label
        is none of the vocabulary.

    See Also
    --------
    given_losses : makes one number of the losses, for :func:`fit`.
    softmax_cross_entropy : the same of logits that are there, and with infinite ones among them.

    Notes
    -----
    For n places forward and backward take memory for about two blocks, 2 n ``block_size`` numbers, beside the gradients
    themselves, where the logits and their gradient take 2 n V.  The logits must be finite.

    References
    ----------
    Milakov & Gimelshein (2018), Online normalizer calculation for softmax, arXiv:1805.02867.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.linear_cross_entropy(5, ignore_index=-1, block_size=2)
    >>> params = layer.init(fn.Key(0), ((3, 4), (3,))).params
    >>> x, labels = np.ones((2, 3, 4)), np.array([[0, 4, -1], [2, -1, -1]])
    >>> losses = fn.apply(layer, params, (), (x, labels))
    >>> losses.shape, int((losses == 0).sum())
    ((2, 3), 3)

    The same in two steps:

    >>> logits = fn.apply(fn.linear(5), params, (), x)
    >>> each = fn.per_example_losses(fn.softmax_cross_entropy(ignore_index=-1))
    >>> bool(np.allclose(losses, each(logits, labels)))
    True

    At the end of a language model, which then takes pairs of tokens and labels; without it, logits are read with the same
    parameters.

    >>> body = fn.embedding(65, 8) >> fn.learned_positions(16) >> fn.encoder_block(8, 2, causal=True)
    >>> network = fn.beside_memory(body) >> fn.linear_cross_entropy(65)
    >>> start = network.init(fn.Key(0), ((16,), (16,)))
    >>> tokens = np.arange(32).reshape(2, 16)
    >>> step = fn.loss_and_grad(network, fn.given_losses())
    >>> step(start.params, start.state, (tokens, tokens + 1), (), fn.Eval()).output.shape
    (2, 16)
    >>> reader = fn.serial(body, fn.linear(65))
    >>> fn.apply(reader, start.params, start.state, tokens).shape
    (2, 16, 65)
    """
    vocabulary = check_count(vocabulary, "vocabulary")
    smoothing = check_range(label_smoothing, "label_smoothing", 0, 1, open_high=True)
    ignore_index = None if ignore_index is None else check_count(ignore_index, "ignore_index", least=-(2**63))
    how = Streaming(smoothing, check_count(block_size, "block_size"))
    return define_layer(
        f"linear_cross_entropy({vocabulary})",
        partial(init, vocabulary, check_initializer(weight_init, "weight_init")),
        partial(forward, how, ignore_index),
        partial(backward, how),
        random=False,
        inputs=2,
    )
