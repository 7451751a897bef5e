r"""A language model with tied weights and its cross-entropy in one: the logits are never stored.

Indices as in :mod:`funcnn.layers.embedding.tied_embedding`: $n$ place, $v$ row of the table, $k$ feature; $a_n$ token, $b_n$
label.

Forward.  The table embeds the tokens, and its transpose is the weight of :func:`funcnn.linear_cross_entropy`:
$$ e_{nk} = W_{a_n k}, \qquad h = f(e), \qquad z_{nv} = \sum_k h_{nk} W_{vk}, \qquad
   \ell_n = -\log \frac{e^{z_{n b_n}}}{\sum_v e^{z_{nv}}} . $$

Derivation.  With $\bar h$ and $\bar U$ the cotangents that the cross-entropy gives for its features and its weight $U = W^\top$,
the table, which occurs twice, has the sum of two
$$ \bar e = f'(e)^\top \bar h, \qquad \bar W_{vk} = \bar U_{kv} + \sum_n [a_n = v]\, \bar e_{nk} . $$
"""

from functools import partial
from typing import Any, TypeAlias, TypeVar, cast

from attrs import frozen

from funcnn.errors import check_count, check_range, describe, shown
from funcnn.kernels.streaming_cross_entropy import Streaming
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, Residuals, check_layer, define_layer
from funcnn.layers.embedding import tied_embedding
from funcnn.layers.embedding.embedding import look_up, put_back
from funcnn.layers.embedding.tied_embedding import TiedEmbeddingParams
from funcnn.layers.linear import linear_cross_entropy
from funcnn.layers.linear.linear import LinearParams
from funcnn.layers.linear.linear_cross_entropy import LinearCrossEntropyResiduals
from funcnn.typing import Array, IntArray, Shape

P = TypeVar("P")
S = TypeVar("S")

Tokens: TypeAlias = tuple[IntArray, IntArray]
"""Tokens (n, ...) and the labels of their places (n, ...)."""


@frozen(eq=False)
class TiedCrossEntropyResiduals:
    """The tokens, what the layer between kept, and what the cross-entropy kept."""

    tokens: IntArray
    inner: Residuals
    losses: LinearCrossEntropyResiduals


def init(
    model: Layer[TiedEmbeddingParams[P], S, IntArray, Array], key: Key, in_shape: tuple[Shape, ...]
) -> Init[TiedEmbeddingParams[P], S]:
    tokens, labels = in_shape
    if tokens != labels:
        raise ValueError(f"the shapes of an example are {shown(in_shape)}, expected two equal ones: tokens, and a label for each")
    made = model.init(key, tokens)
    return Init(made.params, made.state, labels)


def forward(
    inner: Layer[P, S, Array, Array],
    how: Streaming,
    ignore_index: int | None,
    params: TiedEmbeddingParams[P],
    state: S,
    x: Tokens,
    mode: Mode,
) -> Forward[Array, S, TiedCrossEntropyResiduals]:
    given: Any = x  # callers may have no type checker
    if not isinstance(given, tuple) or len(given) != 2:
        raise TypeError(f"the input is {describe(given)}, expected a pair (tokens, labels)")
    tokens, labels = x
    weight = params.table.T
    embedded = look_up(None, params.table, tokens)
    linear_cross_entropy.check_input((embedded, labels), weight)
    linear_cross_entropy.counted_labels(ignore_index, labels, len(params.table))  # before the work is done
    made = inner.forward(params.inner, state, embedded, mode)
    end = linear_cross_entropy.forward(how, ignore_index, LinearParams(weight), (), (made.output, labels), mode)
    return Forward(end.output, made.state, TiedCrossEntropyResiduals(tokens, made.residuals, end.residuals))


def backward(
    inner: Layer[P, S, Array, Array],
    how: Streaming,
    params: TiedEmbeddingParams[P],
    kept: TiedCrossEntropyResiduals,
    dy: Array,
) -> Backward[TiedEmbeddingParams[P], Tokens]:
    end = linear_cross_entropy.backward(how, LinearParams(params.table.T), kept.losses, dy)
    made = inner.backward(params.inner, kept.inner, end.input[0])
    dtable = end.params.weight.T
    dtable += put_back(None, params.table, kept.tokens, made.input)
    return Backward(TiedEmbeddingParams(dtable, made.params), cast(Tokens, (None, None)))  # integers have no cotangent


def inner_of(model: AnyLayer) -> AnyLayer:
    """Return the layer that stands between the two uses of a table, or raise."""
    check_layer(model, "model")
    function = model.forward
    if not isinstance(function, partial) or function.func is not tied_embedding.forward:
        raise ValueError(f"model is {model.name}, expected fn.tied_embedding(...), or a model that is one, such as fn.gpt(65)")
    inner: AnyLayer = function.args[0]
    return inner


def tied_cross_entropy(
    model: Layer[TiedEmbeddingParams[P], S, IntArray, Array],
    *,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    block_size: int = 1024,
) -> Layer[TiedEmbeddingParams[P], S, Tokens, Array]:
    """Train a model with tied weights without its logits: tokens and labels (n, ...) to the losses of the places (n, ...).

    The values and gradients are those of the model and :func:`softmax_cross_entropy`, to rounding; but of the logits there is
    only a block at a time, as in :func:`linear_cross_entropy`.

    Parameters
    ----------
    model : Layer
        A :func:`tied_embedding`, or a model that is one, such as :func:`gpt`.
    label_smoothing, ignore_index, block_size
        As for :func:`linear_cross_entropy`.

    Returns
    -------
    Layer
        With the parameters and the state of ``model``, which reads logits with them once they are trained.

    Raises
    ------
    TypeError, ValueError
        When ``model`` is no such layer, or a setting is out of its range; in ``init`` and ``forward``, when tokens and labels do
        not fit together, or one of them is none of the vocabulary.

    See Also
    --------
    given_losses : makes one number of the losses, for :func:`fit`.
    linear_cross_entropy : with a weight of its own.

    References
    ----------
    Press & Wolf (2017), Using the output embedding to improve language models, arXiv:1608.05859.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.gpt(65, layers=1, features=8, heads=2, context_length=16)
    >>> network = fn.tied_cross_entropy(model)
    >>> start = network.init(fn.Key(0), ((16,), (16,)))
    >>> tokens = np.arange(32).reshape(2, 16)
    >>> step = fn.loss_and_grad(network, fn.given_losses())
    >>> made = step(start.params, start.state, (tokens, tokens + 1), (), fn.Eval())
    >>> made.output.shape
    (2, 16)
    >>> fn.apply(model, start.params, start.state, tokens).shape
    (2, 16, 65)
    """
    inner = inner_of(model)
    smoothing = check_range(label_smoothing, "label_smoothing", 0, 1, open_high=True)
    ignore_index = None if ignore_index is None else check_count(ignore_index, "ignore_index", least=-(2**63))
    how = Streaming(smoothing, check_count(block_size, "block_size"))
    return define_layer(
        f"tied_cross_entropy({model.name})",
        partial(init, model),
        partial(forward, inner, how, ignore_index),
        partial(backward, inner, how),
        random=model.random,
        inputs=2,
    )
