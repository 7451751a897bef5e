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
from typing import Any, Literal, cast, overload

from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_count, check_flag, check_range, describe
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.attention import AttentionSpec, attend, attend_backward, thread_count
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, backward_without_input, check_init
from funcnn.layers.attention.heads import (
    Projection,
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
from funcnn.masked import Masked, check_sequence, cleared, cotangent_values
from funcnn.runtime.records import fast_init, read_only_again
from funcnn.tree import freeze
from funcnn.typing import Array, BoolArray, Empty, Shapes


@read_only_again
@frozen(eq=False)
class CrossAttentionParams:
    """Parameters of cross-attention; the columns of ``memory`` are the heads of the keys, then of the values."""

    query: Projection  # weight (I, H d), bias
    memory: Projection  # weight (J, 2 G d), bias
    output: Projection  # weight (H d, I), bias


@fast_init
@frozen(eq=False)
class CrossAttentionResiduals:
    """The inputs, what the heads saw, and what they gave."""

    x: Array  # (n, T, I)
    mask: BoolArray | None  # (n, T)
    memory: Array  # (n, S, J)
    q: Array  # (n G, H / G, T, d)
    k: Array  # (n G, S, d)
    v: Array  # (n G, S, d)
    rules: AttentionSpec
    logsumexp: Array  # (n G, H / G, T)
    joined: Array  # (n, T, H d)


@frozen
class Setting:
    """The hyper-parameters that forward and backward need."""

    heads: int
    key_value_heads: int
    masked: bool
    memory_masked: bool
    dropout: float
    block_rows: int | None


def init(
    setting: Setting, bias: bool, weight_init: Initializer, output_init: Initializer, key: Key, in_shape: Shapes
) -> Init[CrossAttentionParams, Empty]:
    check_init(key, in_shape)
    if len(in_shape) != 2 or not all(isinstance(one, tuple) and len(one) == 2 for one in in_shape):
        raise ValueError(f"in_shape is {in_shape}, expected ((time, features), (memory time, memory features))")
    shape, memory_shape = cast("tuple[tuple[int, int], tuple[int, int]]", in_shape)
    size = head_size(shape, setting.heads)
    params = CrossAttentionParams(
        init_projection(bias, weight_init, key.child(0), (shape[1], shape[1])),
        init_projection(bias, weight_init, key.child(1), (memory_shape[1], 2 * setting.key_value_heads * size)),
        init_projection(bias, output_init, key.child(2), (shape[1], shape[1])),
    )
    return Init(freeze(params), (), shape)


def forward(
    setting: Setting, params: CrossAttentionParams, state: Empty, x: Any, mode: Mode
) -> Forward[Any, Empty, CrossAttentionResiduals]:
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
    size = asked.shape[-1] // heads
    q = split_heads(asked, 0, heads, size).reshape(batch * shared, heads // shared, steps, size)
    k, v = split_heads(seen, 0, shared, size), split_heads(seen, shared, shared, size)
    rules = with_dropout(mode, q, k, AttentionSpec(mask=memory_mask, dropout=setting.dropout, block_rows=setting.block_rows))
    attended, logsumexp = attend(q, k, v, rules)
    joined = merge_heads(attended.reshape(batch * heads, steps, size), heads)
    y = project(params.output, joined, threads)
    output = y if mask is None else Masked(cleared(y, mask), mask)
    return Forward(output, state, CrossAttentionResiduals(values, mask, memory, q, k, v, rules, logsumexp, joined))


def backward(
    setting: Setting, params: CrossAttentionParams, kept: CrossAttentionResiduals, dy: Any, input_grad: bool = True
) -> Backward[CrossAttentionParams, Any]:
    doutput = cotangent_values(dy, kept.mask, kept.x.shape, params.output.weight.dtype)
    batch, steps, _ = doutput.shape
    heads, shape = setting.heads, kept.q.shape
    threads = thread_count(shape[:3], kept.memory.shape[1])
    djoined = project_transposed(params.output, doutput, threads)
    dattended = split_heads(djoined, 0, heads, shape[-1]).reshape(shape)
    dq, dk, dv, _ = attend_backward(kept.q, kept.k, kept.v, kept.rules, kept.logsumexp, dattended)
    dasked = merge_heads(dq.reshape(batch * heads, steps, shape[-1]), heads)
    dseen = concat_heads(((dk, setting.key_value_heads), (dv, setting.key_value_heads)))
    grads = CrossAttentionParams(
        projection_grads(params.query, kept.x, dasked, threads),
        projection_grads(params.memory, kept.memory, dseen, threads),
        projection_grads(params.output, kept.joined, doutput, threads),
    )
    if not input_grad:
        return backward_without_input(grads)
    dx: Any = project_transposed(params.query, dasked, threads)
    dmemory: Any = project_transposed(params.memory, dseen, threads)
    nothing = cast(Any, None)  # truth has no cotangent
    return Backward(
        grads,
        (
            Masked(dx, nothing) if setting.masked else dx,
            Masked(dmemory, nothing) if setting.memory_masked else dmemory,
        ),
    )


@overload
def cross_attention(
    heads: int,
    *,
    masked: Literal[False] = False,
    memory_masked: Literal[False] = False,
    key_value_heads: int | None = ...,
    bias: bool = ...,
    dropout: float = ...,
    block_rows: int | None = ...,
    weight_init: Initializer = ...,
    output_init: Initializer = ...,
) -> Layer[CrossAttentionParams, Empty, tuple[Array, Array], Array]: ...
@overload
def cross_attention(
    heads: int,
    *,
    masked: Literal[False] = False,
    memory_masked: Literal[True],
    key_value_heads: int | None = ...,
    bias: bool = ...,
    dropout: float = ...,
    block_rows: int | None = ...,
    weight_init: Initializer = ...,
    output_init: Initializer = ...,
) -> Layer[CrossAttentionParams, Empty, tuple[Array, Masked], Array]: ...
@overload
def cross_attention(
    heads: int,
    *,
    masked: Literal[True],
    memory_masked: Literal[False] = False,
    key_value_heads: int | None = ...,
    bias: bool = ...,
    dropout: float = ...,
    block_rows: int | None = ...,
    weight_init: Initializer = ...,
    output_init: Initializer = ...,
) -> Layer[CrossAttentionParams, Empty, tuple[Masked, Array], Masked]: ...
@overload
def cross_attention(
    heads: int,
    *,
    masked: Literal[True],
    memory_masked: Literal[True],
    key_value_heads: int | None = ...,
    bias: bool = ...,
    dropout: float = ...,
    block_rows: int | None = ...,
    weight_init: Initializer = ...,
    output_init: Initializer = ...,
) -> Layer[CrossAttentionParams, Empty, tuple[Masked, Masked], Masked]: ...
def cross_attention(
    heads: int,
    *,
    masked: bool = False,
    memory_masked: bool = False,
    key_value_heads: int | None = None,
    bias: bool = True,
    dropout: float = 0.0,
    block_rows: int | None = None,
    weight_init: Initializer = initializers.glorot_uniform,
    output_init: Initializer = initializers.glorot_uniform,
) -> AnyLayer:
    """Multi-head attention of a sequence to a memory: a pair of (n, t, features) and (n, s, other features) to (n, t, features).

    Parameters
    ----------
    heads : int
        Number of query heads H, a divisor of the features.
    masked, memory_masked : bool, optional
        The sequence, or the memory, is :class:`funcnn.Masked`; the output is masked as the sequence is.
    key_value_heads : int, optional
        Number of key-value heads G, a divisor of H (grouped queries).
    bias : bool, optional
        Whether the three maps have a bias.
    dropout : float, optional
        Probability with which the weight of a step of the memory is dropped in training.
    block_rows : int, optional
        How many queries are treated at a time; by default as many as make scores that fit the processor's cache.
    weight_init, output_init : callable, optional
        Initializers ``(key, shape) -> array`` of the maps of sequence and memory, and of the last.

    Returns
    -------
    Layer
        Parameters :class:`CrossAttentionParams`; ``init`` takes the pair of shapes.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``init``, when the features do not divide into heads; in ``forward``, when the
        input is not what the layer was made for.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.cross_attention(2)
    >>> start = layer.init(fn.Key(0), ((5, 8), (7, 6)))
    >>> fn.apply(layer, start.params, start.state, (np.zeros((3, 5, 8)), np.zeros((3, 7, 6)))).shape
    (3, 5, 8)
    """
    heads, shared = check_heads(heads, key_value_heads)
    masked, memory_masked = check_flag(masked, "masked"), check_flag(memory_masked, "memory_masked")
    bias = check_flag(bias, "bias")
    dropout = check_range(dropout, "dropout", 0, 1, open_high=True)
    weight_init, output_init = check_initializer(weight_init, "weight_init"), check_initializer(output_init, "output_init")
    if block_rows is not None:
        block_rows = check_count(block_rows, "block_rows")
    setting = Setting(heads, shared, masked, memory_masked, dropout, block_rows)
    forwards: Any = partial(forward, setting)  # Any: the overloads say what goes in and out
    backwards: Any = partial(backward, setting)
    return Layer(
        f"cross_attention({heads})",
        partial(init, setting, bias, weight_init, output_init),
        forwards,
        backwards,
        dropout > 0,
    )
