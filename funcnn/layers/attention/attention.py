r"""Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2).

Indices: $n$ example, $t, u$ steps of $T$, $h$ query head of $H$, $g$ key-value head of $G$, $d$ features of a head.

Forward.  One affine map gives queries, keys and values of all heads side by side; every head attends by
:mod:`funcnn.kernels.attention`; a second map mixes the heads:
$$ [q, k, v]_{nt} = x_{nt} W + b, \qquad o = \operatorname{attend}(q, k, v), \qquad
   y_{nt} = [o^{1}, \ldots, o^{H}]_{nt}\, W' + b' . $$
Positions, which attention alone does not see, come in one of three ways: queries and keys are turned
(*rotary*, :mod:`funcnn.layers.attention.heads`), or a bias $\beta$ is added to the scores, a constant one (*alibi*) or one that
is learned (*relative*, both :mod:`funcnn.layers.attention.position_bias`).

Derivation.  The chain rule through three steps: the two maps are dense layers (:mod:`funcnn.layers.linear.dense`), between them
stands the derivation of :mod:`funcnn.kernels.attention`.  What rotary positions turned is turned back.

Masks.  Values in the padding are set to 0 before anything is computed with them, keys there get no weight, and outputs there
are 0; so is every gradient.
"""

from functools import partial
from typing import Generic, Literal, TypeAlias, TypedDict, Unpack, get_args, overload

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_choice, check_count, check_flag
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.attention import attend, attend_backward_by_group
from funcnn.kernels.attention_blocks import AttentionSpec, thread_count
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, backward_without_input, define_layer
from funcnn.layers.attention.heads import (
    M,
    check_block_rows,
    check_dropout,
    check_heads,
    concat_heads,
    head_size,
    init_projection,
    merge_heads,
    project,
    project_transposed,
    projection_grads,
    rotate,
    split_heads,
    with_dropout,
)
from funcnn.layers.attention.position_bias import RelativeBias, alibi_bias, relative_bias, relative_bias_grad
from funcnn.layers.linear.dense import DenseParams
from funcnn.layers.linear.linear import LinearParams
from funcnn.masked import Masked, check_sequence, check_steps, cleared, cotangent_of_masked, cotangent_values
from funcnn.runtime.records import fast_init, read_only_again
from funcnn.typing import Array, Empty, No, Shape, Yes

Positions: TypeAlias = Literal["none", "rotary", "alibi", "relative"]


@read_only_again
@frozen(eq=False)
class AttentionParams(Generic[M]):
    """Parameters of self-attention; the columns of ``project`` are the heads of queries, then of keys, then of values.

    M is :class:`funcnn.layers.linear.dense.DenseParams`, or, without biases, :class:`funcnn.layers.linear.linear.LinearParams`.
    """

    project: M  # weight (I, (H + 2 G) d), bias
    output: M  # weight (H d, I), bias
    position: RelativeBias | Empty


@fast_init
@frozen(eq=False)
class AttentionResiduals:
    """The input, what the heads saw, and what they gave."""

    x: Array  # (n, T, I)
    q: Array  # (n G, H / G, T, d)
    k: Array  # (n G, T, d)
    v: Array  # (n G, T, d)
    rules: AttentionSpec
    logsumexp: Array  # (n G, H / G, T)
    joined: Array  # (n, T, H d)


@frozen
class Setting:
    """The hyper-parameters that forward and backward need."""

    heads: int
    key_value_heads: int
    causal: bool
    masked: bool
    positions: Positions
    dropout: float
    block_rows: int | None


@frozen
class AttentionStart(Generic[M]):
    """What the parameters start from."""

    kind: type[M]
    max_distance: int
    weight_init: Initializer
    output_init: Initializer


def init(setting: Setting, start: AttentionStart[M], key: Key, in_shape: Shape) -> Init[AttentionParams[M], Empty]:
    size = head_size(in_shape, setting.heads)
    if setting.positions == "rotary" and size % 2:
        raise ValueError(f"rotary positions turn pairs of features, and a head has {size}: an odd number")
    width = (setting.heads + 2 * setting.key_value_heads) * size
    distances = start.max_distance + 1 if setting.causal else 2 * start.max_distance + 1
    position = RelativeBias(np.zeros((distances, setting.heads))) if setting.positions == "relative" else ()
    params = AttentionParams(
        init_projection(start.kind, start.weight_init, key.child(0), (in_shape[1], width)),
        init_projection(start.kind, start.output_init, key.child(1), (in_shape[1], in_shape[1])),
        position,
    )
    return Init(params, (), in_shape)


def diagonals(setting: Setting, position: RelativeBias | Empty, like: Array, steps: int) -> Array | None:
    """Return the bias (G, H / G, 2 T - 1) by its diagonals, or None."""
    if isinstance(position, RelativeBias):
        made = relative_bias(position, steps, setting.causal)
    elif setting.positions == "alibi":
        made = alibi_bias(setting.heads, steps).astype(like.real.dtype)
    else:
        return None
    return np.ascontiguousarray(made).reshape(setting.key_value_heads, -1, made.shape[1])


def forward(
    setting: Setting, params: AttentionParams[M], state: Empty, x: object, mode: Mode
) -> Forward[Array | Masked, Empty, AttentionResiduals]:
    values, mask = check_sequence(x, setting.masked)
    check_steps(values)
    batch, steps, _ = values.shape
    heads, shared = setting.heads, setting.key_value_heads
    threads = thread_count((batch * shared, heads // shared, steps), steps)
    projected = project(params.project, values, threads)
    size = projected.shape[-1] // (heads + 2 * shared)
    q, k = split_heads(projected, 0, heads, size), split_heads(projected, heads, shared, size)
    if setting.positions == "rotary":
        q, k = rotate(q), rotate(k)
    q = q.reshape(batch * shared, heads // shared, steps, size)
    v = split_heads(projected, heads + shared, shared, size)
    bias = diagonals(setting, params.position, q, steps)
    rules = AttentionSpec(setting.causal, mask, bias, setting.dropout, block_rows=setting.block_rows)
    rules = with_dropout(mode, q, k, rules)
    attended, logsumexp = attend(q, k, v, rules)
    joined = merge_heads(attended.reshape(batch * heads, steps, size), heads)
    y = project(params.output, joined, threads)
    output = y if mask is None else Masked(cleared(y, mask), mask)
    return Forward(output, state, AttentionResiduals(values, q, k, v, rules, logsumexp, joined))


def backward(
    setting: Setting, params: AttentionParams[M], residuals: AttentionResiduals, dy: object, input_grad: bool = True
) -> Backward[AttentionParams[M], Array | Masked]:
    pulled = heads_backward(setting, params, residuals, dy)
    mask, dprojected, threads = residuals.rules.mask, pulled.dprojected, pulled.threads
    grads = AttentionParams(
        projection_grads(params.project, residuals.x, dprojected, threads),
        projection_grads(params.output, residuals.joined, pulled.doutput, threads),
        position_grad(setting, params.position, pulled.dbias),
    )
    if not input_grad:
        return backward_without_input(grads)
    dx = project_transposed(params.project, dprojected, threads)
    return Backward(grads, dx if mask is None else cotangent_of_masked(dx))


@frozen(eq=False)
class HeadsCotangents:
    """The cotangents of what the two maps give, and of the diagonals."""

    doutput: Array  # (n, T, I)
    dprojected: Array  # (n, T, (H + 2 G) d)
    dbias: Array | None  # (n G, H / G, 2 T - 1)
    threads: int


def heads_backward(setting: Setting, params: AttentionParams[M], residuals: AttentionResiduals, dy: object) -> HeadsCotangents:
    """Return the cotangents that the gradients of the parameters, and that of the input, are made of."""
    mask = residuals.rules.mask
    doutput = cotangent_values(dy, mask, residuals.x.shape, params.output.weight.dtype)
    batch, steps, _ = doutput.shape
    heads, shape = setting.heads, residuals.q.shape
    threads = thread_count(shape[:3], steps)
    djoined = project_transposed(params.output, doutput, threads)
    dattended = split_heads(djoined, 0, heads, shape[-1]).reshape(shape)
    dq, dk, dv, dbias = attend_backward_by_group(
        residuals.q, residuals.k, residuals.v, residuals.rules, residuals.logsumexp, dattended
    )
    dq = dq.reshape(batch * heads, steps, shape[-1])
    if setting.positions == "rotary":
        dq, dk = rotate(dq, -1), rotate(dk, -1)
    dprojected = concat_heads(((dq, heads), (dk, setting.key_value_heads), (dv, setting.key_value_heads)))
    return HeadsCotangents(doutput, dprojected, dbias, threads)


def position_grad(setting: Setting, position: RelativeBias | Empty, dbias: Array | None) -> RelativeBias | Empty:
    """Return the cotangent of the table of relative positions."""
    if not isinstance(position, RelativeBias) or dbias is None:
        return ()
    dtable: Array = dbias.reshape(-1, setting.heads, dbias.shape[-1]).sum(0)
    return relative_bias_grad(position, dtable, (dbias.shape[-1] + 1) // 2, setting.causal)


class Settings(TypedDict, total=False):
    """The arguments that do not change a type."""

    causal: bool
    key_value_heads: int | None
    positions: Positions
    max_distance: int
    dropout: float
    block_rows: int | None
    weight_init: Initializer
    output_init: Initializer


def checked_setting(
    heads: int,
    key_value_heads: int | None,
    causal: bool,
    masked: bool,
    positions: Positions,
    dropout: float,
    block_rows: int | None,
) -> Setting:
    """Return the hyper-parameters that forward and backward need, or raise."""
    heads, shared = check_heads(heads, key_value_heads)
    return Setting(
        heads,
        shared,
        check_flag(causal, "causal"),
        check_flag(masked, "masked"),
        check_choice(positions, get_args(Positions), "positions"),
        check_dropout(dropout),
        check_block_rows(block_rows),
    )


def checked_start(kind: type[M], max_distance: int, weight_init: Initializer, output_init: Initializer) -> AttentionStart[M]:
    """Return what the parameters start from, or raise."""
    return AttentionStart(
        kind,
        check_count(max_distance, "max_distance"),
        check_initializer(weight_init, "weight_init"),
        check_initializer(output_init, "output_init"),
    )


def layer_of(name: str, setting: Setting, start: AttentionStart[M]) -> AnyLayer:
    """Return a layer of self-attention."""
    return define_layer(
        f"{name}({setting.heads})",
        partial(init, setting, start),
        partial(forward, setting),
        partial(backward, setting),
        random=setting.dropout > 0,
    )


@overload
def attention(
    heads: int, *, masked: No = False, **more: Unpack[Settings]
) -> Layer[AttentionParams[DenseParams], Empty, Array, Array]: ...
@overload
def attention(
    heads: int, *, masked: Yes, **more: Unpack[Settings]
) -> Layer[AttentionParams[DenseParams], Empty, Masked, Masked]: ...
def attention(
    heads: int,
    *,
    causal: bool = False,
    masked: bool = False,
    key_value_heads: int | None = None,
    positions: Positions = "none",
    max_distance: int = 32,
    dropout: float = 0.0,
    block_rows: int | None = None,
    weight_init: Initializer = initializers.glorot_uniform,
    output_init: Initializer = initializers.glorot_uniform,
) -> AnyLayer:
    """Multi-head self-attention: sequences (n, t, features) to the same shape.

    Memory grows linearly with t: the matrix of all scores is never stored.

    Parameters
    ----------
    heads : int
        Number of query heads H, a divisor of the features.
    causal : bool, optional
        Each step sees itself and earlier ones only.
    masked : bool, optional
        Take and give :class:`funcnn.Masked` sequences: nobody sees the padding, and it stays 0.  A step that sees none gives
        the output's bias.
    key_value_heads : int, optional
        Number of key-value heads G, a divisor of H: fewer than H are *grouped queries*, 1 is *multi-query* attention.
    positions : {"none", "rotary", "alibi", "relative"}, optional
        How steps know their distance; the features of a head must be even for "rotary".
    max_distance : int, optional
        For "relative": larger distances share one bias.
    dropout : float, optional
        Probability with which the weight of a key is dropped in training.
    block_rows : int, optional
        How many queries are treated at a time; by default as many as make scores that fit the processor's cache.
    weight_init, output_init : callable, optional
        Initializers ``(key, shape) -> array`` of the first map (I, (H + 2 G) d) and of the last (I, I).

    Returns
    -------
    Layer
        Parameters :class:`AttentionParams`, of maps with a bias.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``init``, when the features do not divide into heads; in ``forward``, when the
        input is not what the layer was made for.

    See Also
    --------
    attention_without_bias : the same with maps that have no bias.
    cross_attention : queries of one sequence, keys and values of another.

    References
    ----------
    Vaswani et al. (2017), Attention is all you need, arXiv:1706.03762.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.attention(2, causal=True)
    >>> start = layer.init(fn.Key(0), (5, 8))
    >>> start.params.project.weight.shape
    (8, 24)
    >>> fn.apply(layer, start.params, start.state, np.zeros((3, 5, 8))).shape
    (3, 5, 8)
    """
    setting = checked_setting(heads, key_value_heads, causal, masked, positions, dropout, block_rows)
    return layer_of("attention", setting, checked_start(DenseParams, max_distance, weight_init, output_init))


@overload
def attention_without_bias(
    heads: int, *, masked: No = False, **more: Unpack[Settings]
) -> Layer[AttentionParams[LinearParams], Empty, Array, Array]: ...
@overload
def attention_without_bias(
    heads: int, *, masked: Yes, **more: Unpack[Settings]
) -> Layer[AttentionParams[LinearParams], Empty, Masked, Masked]: ...
def attention_without_bias(
    heads: int,
    *,
    causal: bool = False,
    masked: bool = False,
    key_value_heads: int | None = None,
    positions: Positions = "none",
    max_distance: int = 32,
    dropout: float = 0.0,
    block_rows: int | None = None,
    weight_init: Initializer = initializers.glorot_uniform,
    output_init: Initializer = initializers.glorot_uniform,
) -> AnyLayer:
    """Multi-head self-attention whose maps have no bias: sequences (n, t, features) to the same shape.

    Parameters
    ----------
    heads : int
        Number of query heads H, a divisor of the features.
    causal, masked, key_value_heads, positions, max_distance, dropout, block_rows, weight_init, output_init
        As in :func:`funcnn.attention`.

    Returns
    -------
    Layer
        Parameters :class:`AttentionParams`, of linear maps.

    Raises
    ------
    TypeError, ValueError
        As :func:`funcnn.attention`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.attention_without_bias(2, causal=True)
    >>> start = layer.init(fn.Key(0), (5, 8))
    >>> fn.tree.paths(start.params)
    ('.project.weight', '.output.weight')
    >>> fn.apply(layer, start.params, start.state, np.zeros((3, 5, 8))).shape
    (3, 5, 8)
    """
    setting = checked_setting(heads, key_value_heads, causal, masked, positions, dropout, block_rows)
    return layer_of("attention_without_bias", setting, checked_start(LinearParams, max_distance, weight_init, output_init))
