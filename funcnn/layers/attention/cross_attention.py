r"""Multi-head cross-attention (Vaswani et al. 2017, arXiv:1706.03762, section 3.2.3).

The queries are those of one sequence, the keys and values those of another, the *memory*.

Indices: $n$ example, $t$ step of the sequence of $T$, $j$ step of the memory of $S$.

Forward.
$$ q_{nt} = x_{nt} W + b, \qquad [k, v]_{nj} = m_{nj} V + c, \qquad o = \operatorname{attend}(q, k, v), \qquad
   y_{nt} = [o^1, \ldots, o^H]_{nt}\, W' + b' . $$

Derivation.  As in :mod:`funcnn.layers.attention.attention`, with a map of its own for the memory: $\bar q$ goes back to
$\bar x$, and $[\bar k, \bar v]$ to $\bar m$.

Masks.  Steps of the memory that are padding are not seen, steps of x that are padding give 0; both have gradient 0.
"""

from functools import partial
from typing import Generic, TypedDict, Unpack, cast, overload

from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_flag, describe
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.attention import attend, attend_backward
from funcnn.kernels.attention_blocks import AttentionSpec, thread_count
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, backward_without_input, define_layer
from funcnn.layers.attention.heads import (
    M,
    check_block_rows,
    check_dropout,
    check_head_sizes,
    check_heads,
    concat_heads,
    head_size,
    init_projection,
    merge_heads,
    project,
    project_transposed,
    projection_grads,
    split_heads,
    with_dropout,
)
from funcnn.layers.attention.scores import PLAIN_SCORES, AttentionScores, check_scores
from funcnn.layers.linear.dense import DenseParams
from funcnn.layers.linear.linear import LinearParams
from funcnn.masked import Masked, check_sequence, cleared, cotangent_of_masked, cotangent_values
from funcnn.runtime.records import fast_init, read_only_again
from funcnn.typing import Array, BoolArray, Empty, No, Shape, Shapes, Yes


@read_only_again
@frozen(eq=False)
class CrossAttentionParams(Generic[M]):
    """Parameters of cross-attention; the columns of ``memory`` are the heads of the keys, then of the values.

    M is :class:`funcnn.layers.linear.dense.DenseParams`, or, without biases, :class:`funcnn.layers.linear.linear.LinearParams`.
    """

    query: M  # weight (I, H d), bias
    memory: M  # weight (J, G d + G e), bias
    output: M  # weight (H e, I), bias


@fast_init
@frozen(eq=False)
class CrossAttentionResiduals:
    """The inputs, what the heads saw, and what they gave."""

    x: Array  # (n, T, I)
    mask: BoolArray | None  # (n, T)
    memory: Array  # (n, S, J)
    q: Array  # (n G, H / G, T, d)
    k: Array  # (n G, S, d)
    v: Array  # (n G, S, e)
    rules: AttentionSpec
    logsumexp: Array  # (n G, H / G, T)
    joined: Array  # (n, T, H e)


@frozen
class Setting:
    """The hyper-parameters that forward and backward need."""

    heads: int
    key_value_heads: int
    head_features: int | None
    value_features: int | None
    masked: bool
    memory_masked: bool
    scores: AttentionScores
    dropout: float
    block_rows: int | None

    def head_sizes(self, features: int) -> tuple[int, int]:
        """Return the features d of a head's queries and keys and e of its values for so many features, or raise."""
        size = head_size((1, features), self.heads) if self.head_features is None else self.head_features
        return size, size if self.value_features is None else self.value_features


def init(
    setting: Setting, kind: type[M], weight_init: Initializer, output_init: Initializer, key: Key, in_shape: Shapes
) -> Init[CrossAttentionParams[M], Empty]:
    if len(in_shape) != 2 or not all(isinstance(one, tuple) and len(one) == 2 for one in in_shape):
        raise ValueError(f"in_shape is {in_shape}, expected ((time, features), (memory time, memory features))")
    shape, memory_shape = cast("tuple[Shape, Shape]", in_shape)
    size, value_size = setting.head_sizes(shape[1])
    params = CrossAttentionParams(
        init_projection(kind, weight_init, key.child(0), (shape[1], setting.heads * size)),
        init_projection(kind, weight_init, key.child(1), (memory_shape[1], setting.key_value_heads * (size + value_size))),
        init_projection(kind, output_init, key.child(2), (setting.heads * value_size, shape[1])),
    )
    return Init(params, (), shape)


def forward(
    setting: Setting, params: CrossAttentionParams[M], state: Empty, x: object, mode: Mode
) -> Forward[Array | Masked, Empty, CrossAttentionResiduals]:
    if not isinstance(x, tuple) or len(x) != 2:
        raise TypeError(f"the input is {describe(x)}, expected a pair (sequence, memory)")
    values, mask = check_sequence(x[0], setting.masked, "the sequence")
    memory, memory_mask = check_sequence(x[1], setting.memory_masked, "the memory")
    batch, steps, _ = values.shape
    if len(memory) != batch or not memory.shape[1]:
        raise ValueError(f"the memory is {describe(memory)}, expected a batch of {batch} with at least one step")
    heads, shared = setting.heads, setting.key_value_heads
    threads = thread_count((batch * shared, heads // shared, steps), memory.shape[1])
    asked, seen = project(params.query, values, threads), project(params.memory, memory, threads)
    size, value_size = setting.head_sizes(values.shape[-1])
    q = split_heads(asked, 0, heads, size).reshape(batch * shared, heads // shared, steps, size)
    k, v = split_heads(seen, 0, shared, size), split_heads(seen, shared * size, shared, value_size)
    rules = AttentionSpec(
        mask=memory_mask,
        dropout=setting.dropout,
        block_rows=setting.block_rows,
        scale=setting.scores.scale,
        soft_cap=setting.scores.soft_cap,
        window=setting.scores.window,
    )
    rules = with_dropout(mode, q, k, rules)
    attended, logsumexp = attend(q, k, v, rules)
    joined = merge_heads(attended.reshape(batch * heads, steps, value_size), heads)
    y = project(params.output, joined, threads)
    output = y if mask is None else Masked(cleared(y, mask), mask)
    return Forward(output, state, CrossAttentionResiduals(values, mask, memory, q, k, v, rules, logsumexp, joined))


def backward(
    setting: Setting, params: CrossAttentionParams[M], residuals: CrossAttentionResiduals, dy: object, input_grad: bool = True
) -> Backward[CrossAttentionParams[M], tuple[Array | Masked, Array | Masked]]:
    doutput, dasked, dseen, threads = heads_backward(setting, params, residuals, dy)
    grads = CrossAttentionParams(
        projection_grads(params.query, residuals.x, dasked, threads),
        projection_grads(params.memory, residuals.memory, dseen, threads),
        projection_grads(params.output, residuals.joined, doutput, threads),
    )
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, input_cotangents(setting, params, dasked, dseen, threads))


def heads_backward(
    setting: Setting, params: CrossAttentionParams[M], residuals: CrossAttentionResiduals, dy: object
) -> tuple[Array, Array, Array, int]:
    """Return the cotangents of what the output's, the query's and the memory's map give, and how many threads pay."""
    doutput = cotangent_values(dy, residuals.mask, residuals.x.shape, params.output.weight.dtype)
    batch, steps, _ = doutput.shape
    heads, shape = setting.heads, residuals.q.shape
    threads = thread_count(shape[:3], residuals.memory.shape[1])
    djoined = project_transposed(params.output, doutput, threads)
    value_size = residuals.v.shape[-1]
    dattended = split_heads(djoined, 0, heads, value_size).reshape(*shape[:-1], value_size)
    dq, dk, dv, _ = attend_backward(residuals.q, residuals.k, residuals.v, residuals.rules, residuals.logsumexp, dattended)
    dasked = merge_heads(dq.reshape(batch * heads, steps, shape[-1]), heads)
    dseen = concat_heads(((dk, setting.key_value_heads), (dv, setting.key_value_heads)))
    return doutput, dasked, dseen, threads


def input_cotangents(
    setting: Setting, params: CrossAttentionParams[M], dasked: Array, dseen: Array, threads: int = 1
) -> tuple[Array | Masked, Array | Masked]:
    """Return the cotangents of the sequence and of the memory."""
    dx = project_transposed(params.query, dasked, threads)
    dmemory = project_transposed(params.memory, dseen, threads)
    return (
        cotangent_of_masked(dx) if setting.masked else dx,
        cotangent_of_masked(dmemory) if setting.memory_masked else dmemory,
    )


class Settings(TypedDict, total=False):
    """The arguments that do not change a type."""

    key_value_heads: int | None
    head_features: int | None
    value_features: int | None
    scores: AttentionScores
    dropout: float
    block_rows: int | None
    weight_init: Initializer
    output_init: Initializer


def checked_setting(
    heads: int,
    key_value_heads: int | None,
    sizes: tuple[int | None, int | None],
    flags: tuple[bool, bool],
    scores: AttentionScores,
    dropout: float,
    block_rows: int | None,
) -> Setting:
    """Return the hyper-parameters that forward and backward need, or raise; flags are masked and memory_masked."""
    heads, shared = check_heads(heads, key_value_heads)
    size, value_size = check_head_sizes(sizes)
    return Setting(
        heads,
        shared,
        size,
        value_size,
        check_flag(flags[0], "masked"),
        check_flag(flags[1], "memory_masked"),
        check_scores(scores),
        check_dropout(dropout),
        check_block_rows(block_rows),
    )


def layer_of(name: str, setting: Setting, kind: type[M], weight_init: Initializer, output_init: Initializer) -> AnyLayer:
    """Return a layer of cross-attention whose maps are of a kind."""
    weight_init, output_init = check_initializer(weight_init, "weight_init"), check_initializer(output_init, "output_init")
    return define_layer(
        f"{name}({setting.heads})",
        partial(init, setting, kind, weight_init, output_init),
        partial(forward, setting),
        partial(backward, setting),
        random=setting.dropout > 0,
        inputs=None,
    )


@overload
def cross_attention(
    heads: int, *, masked: No = False, memory_masked: No = False, **more: Unpack[Settings]
) -> Layer[CrossAttentionParams[DenseParams], Empty, tuple[Array, Array], Array]: ...
@overload
def cross_attention(
    heads: int, *, masked: No = False, memory_masked: Yes, **more: Unpack[Settings]
) -> Layer[CrossAttentionParams[DenseParams], Empty, tuple[Array, Masked], Array]: ...
@overload
def cross_attention(
    heads: int, *, masked: Yes, memory_masked: No = False, **more: Unpack[Settings]
) -> Layer[CrossAttentionParams[DenseParams], Empty, tuple[Masked, Array], Masked]: ...
@overload
def cross_attention(
    heads: int, *, masked: Yes, memory_masked: Yes, **more: Unpack[Settings]
) -> Layer[CrossAttentionParams[DenseParams], Empty, tuple[Masked, Masked], Masked]: ...
def cross_attention(
    heads: int,
    *,
    masked: bool = False,
    memory_masked: bool = False,
    key_value_heads: int | None = None,
    head_features: int | None = None,
    value_features: int | None = None,
    scores: AttentionScores = PLAIN_SCORES,
    dropout: float = 0.0,
    block_rows: int | None = None,
    weight_init: Initializer = initializers.glorot_uniform,
    output_init: Initializer = initializers.glorot_uniform,
) -> AnyLayer:
    """Multi-head attention of a sequence to a memory: a pair of (n, t, features) and (n, s, other features) to (n, t, features).

    Parameters
    ----------
    heads : int
        Number of query heads H, a divisor of the features unless ``head_features`` are given.
    masked, memory_masked : bool, optional
        The sequence, or the memory, is :class:`funcnn.Masked`; the output is masked as the sequence is.
    key_value_heads : int, optional
        Number of key-value heads G, a divisor of H (grouped queries).
    head_features, value_features, scores : optional
        As in :func:`funcnn.attention`; a window is one around the step of the memory with the query's number.
    dropout : float, optional
        Probability with which the weight of a step of the memory is dropped in training.
    block_rows : int, optional
        How many queries are treated at a time; by default as many as make scores that fit the processor's cache.
    weight_init, output_init : callable, optional
        Initializers ``(key, shape) -> array`` of the maps of sequence and memory, and of the last.

    Returns
    -------
    Layer
        Parameters :class:`CrossAttentionParams`, of maps with a bias; ``init`` takes the pair of shapes.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``init``, when the features do not divide into heads; in ``forward``, when the
        input is not what the layer was made for.

    See Also
    --------
    cross_attention_without_bias : the same with maps that have no bias.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.cross_attention(2)
    >>> start = layer.init(fn.Key(0), ((5, 8), (7, 6)))
    >>> fn.apply(layer, start.params, start.state, (np.zeros((3, 5, 8)), np.zeros((3, 7, 6)))).shape
    (3, 5, 8)
    """
    setting = checked_setting(
        heads, key_value_heads, (head_features, value_features), (masked, memory_masked), scores, dropout, block_rows
    )
    return layer_of("cross_attention", setting, DenseParams, weight_init, output_init)


@overload
def cross_attention_without_bias(
    heads: int, *, masked: No = False, memory_masked: No = False, **more: Unpack[Settings]
) -> Layer[CrossAttentionParams[LinearParams], Empty, tuple[Array, Array], Array]: ...
@overload
def cross_attention_without_bias(
    heads: int, *, masked: No = False, memory_masked: Yes, **more: Unpack[Settings]
) -> Layer[CrossAttentionParams[LinearParams], Empty, tuple[Array, Masked], Array]: ...
@overload
def cross_attention_without_bias(
    heads: int, *, masked: Yes, memory_masked: No = False, **more: Unpack[Settings]
) -> Layer[CrossAttentionParams[LinearParams], Empty, tuple[Masked, Array], Masked]: ...
@overload
def cross_attention_without_bias(
    heads: int, *, masked: Yes, memory_masked: Yes, **more: Unpack[Settings]
) -> Layer[CrossAttentionParams[LinearParams], Empty, tuple[Masked, Masked], Masked]: ...
def cross_attention_without_bias(
    heads: int,
    *,
    masked: bool = False,
    memory_masked: bool = False,
    key_value_heads: int | None = None,
    head_features: int | None = None,
    value_features: int | None = None,
    scores: AttentionScores = PLAIN_SCORES,
    dropout: float = 0.0,
    block_rows: int | None = None,
    weight_init: Initializer = initializers.glorot_uniform,
    output_init: Initializer = initializers.glorot_uniform,
) -> AnyLayer:
    """Multi-head attention to a memory whose maps have no bias: a pair as :func:`funcnn.cross_attention` takes.

    Parameters
    ----------
    heads : int
        Number of query heads H, a divisor of the features unless ``head_features`` are given.
    masked, memory_masked, key_value_heads, head_features, value_features, scores, dropout, block_rows
        As in :func:`funcnn.cross_attention`.
    weight_init, output_init : callable, optional
        As in :func:`funcnn.cross_attention`.

    Returns
    -------
    Layer
        Parameters :class:`CrossAttentionParams`, of linear maps; ``init`` takes the pair of shapes.

    Raises
    ------
    TypeError, ValueError
        As :func:`funcnn.cross_attention`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.cross_attention_without_bias(2)
    >>> start = layer.init(fn.Key(0), ((5, 8), (7, 6)))
    >>> fn.tree.paths(start.params)
    ('.query.weight', '.memory.weight', '.output.weight')
    >>> fn.apply(layer, start.params, start.state, (np.zeros((3, 5, 8)), np.zeros((3, 7, 6)))).shape
    (3, 5, 8)
    """
    setting = checked_setting(
        heads, key_value_heads, (head_features, value_features), (masked, memory_masked), scores, dropout, block_rows
    )
    return layer_of("cross_attention_without_bias", setting, LinearParams, weight_init, output_init)
