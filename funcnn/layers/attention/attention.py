r"""Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2).

Indices: $n$ example, $t, u$ steps of $T$, $h$ query head of $H$, $g$ key-value head of $G$, $d$ features of a head's queries and
keys, $e$ of its values.

Forward.  One affine map gives queries, keys and values of all heads side by side; every head attends by
:mod:`funcnn.kernels.attention`; a second map mixes the heads:
$$ [q, k, v]_{nt} = x_{nt} W + b, \qquad o = \operatorname{attend}(q, k, v), \qquad
   y_{nt} = [o^{1}, \ldots, o^{H}]_{nt}\, W' + b' . $$
Positions, which attention alone does not see, come in one of three ways: queries and keys are turned
(*rotary*, :mod:`funcnn.layers.attention.rotary`), or a bias $\beta$ is added to the scores, a constant one (*alibi*) or one
that is learned (*relative*, both :mod:`funcnn.layers.attention.position_bias`).

Derivation.  The chain rule through three steps: the two maps are dense layers (:mod:`funcnn.layers.linear.dense`), between them
stands the derivation of :mod:`funcnn.kernels.attention`.  What rotary positions turned is turned back.

Masks.  Values in the padding are set to 0 before anything is computed with them, keys there get no weight, and outputs there
are 0; so is every gradient.
"""

from functools import partial
from typing import Generic, TypeAlias, Unpack, overload

import numpy as np
from attrs import evolve, frozen

from funcnn import initializers
from funcnn.initializers import Initializer
from funcnn.kernels.attention import attend, attend_backward
from funcnn.kernels.attention_blocks import AttentionSpec, thread_count
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, backward_without_input, define_layer
from funcnn.layers.attention.heads import (
    M,
    N,
    Projection,
    concat_heads,
    init_projection,
    merge_heads,
    project,
    project_transposed,
    projection_grads,
    split_heads,
    with_dropout,
)
from funcnn.layers.attention.position_bias import RelativeBias, alibi_bias, relative_bias, relative_bias_grad
from funcnn.layers.attention.rotary import Rotary, rotate
from funcnn.layers.attention.scores import PLAIN_SCORES, AttentionScores
from funcnn.layers.attention.setting import (
    AttentionSetting,
    AttentionStart,
    Positions,
    Settings,
    checked_setting,
    checked_start,
)
from funcnn.layers.linear.dense import DenseParams
from funcnn.layers.linear.linear import LinearParams
from funcnn.masked import Masked, check_sequence, check_steps, cleared, cotangent_of_masked, cotangent_values
from funcnn.runtime.records import fast_init, read_only_again
from funcnn.typing import Array, Empty, No, Shape, Yes

Heads: TypeAlias = tuple[Array, Array, Array]
"""Queries (n H, T, d), keys (n G, T, d) and values (n G, T, e) of all heads."""


@read_only_again
@frozen(eq=False)
class AttentionParams(Generic[M, N]):
    """Parameters of self-attention; the columns of ``project`` are the heads of queries, then of keys, then of values.

    M and N are :class:`funcnn.layers.linear.dense.DenseParams`, or :class:`funcnn.layers.linear.linear.LinearParams`.
    """

    project: M  # weight (I, (H + G) d + G e), bias
    output: N  # weight (H e, I), bias
    position: RelativeBias | Empty


@fast_init
@frozen(eq=False)
class AttentionResiduals:
    """The input, what the heads saw, and what they gave."""

    x: Array  # (n, T, I)
    q: Array  # (n G, H / G, T, d)
    k: Array  # (n G, T, d)
    v: Array  # (n G, T, e)
    rules: AttentionSpec
    logsumexp: Array  # (n G, H / G, T)
    joined: Array  # (n, T, H e)


def init(setting: AttentionSetting, start: AttentionStart[M, N], key: Key, in_shape: Shape) -> Init[AttentionParams[M, N], Empty]:
    size, value_size = setting.head_sizes(in_shape)
    width = (setting.heads + setting.key_value_heads) * size + setting.key_value_heads * value_size
    distances = start.max_distance + 1 if setting.causal else 2 * start.max_distance + 1
    position = RelativeBias(np.zeros((distances, setting.heads))) if setting.positions == "relative" else ()
    params = AttentionParams(
        init_projection(start.project, start.weight_init, key.child(0), (in_shape[1], width)),
        init_projection(start.output, start.output_init, key.child(1), (setting.heads * value_size, in_shape[1])),
        position,
    )
    return Init(params, (), in_shape)


def diagonals(setting: AttentionSetting, position: RelativeBias | Empty, like: Array, steps: int) -> Array | None:
    """Return the bias (G, H / G, 2 T - 1) by its diagonals, or None."""
    if isinstance(position, RelativeBias):
        made = relative_bias(position, steps, setting.causal)
    elif setting.positions == "alibi":
        made = alibi_bias(setting.heads, steps).astype(like.real.dtype)
    else:
        return None
    return np.ascontiguousarray(made).reshape(setting.key_value_heads, -1, made.shape[1])


def forward(
    setting: AttentionSetting, params: AttentionParams[M, N], state: Empty, x: object, mode: Mode
) -> Forward[Array | Masked, Empty, AttentionResiduals]:
    values, mask = check_sequence(x, setting.masked)
    y, residuals = attend_to_itself(setting, params, values, AttentionSpec(mask=mask), mode)
    return Forward(y if mask is None else Masked(cleared(y, mask), mask), state, residuals)


def attend_to_itself(
    setting: AttentionSetting, params: AttentionParams[M, N], values: Array, rules: AttentionSpec, mode: Mode
) -> tuple[Array, AttentionResiduals]:
    """Return the output (n, T, I) for sequences, under the rules that come with the input, and what backward needs."""
    return attend_heads(setting, params, values, heads_of(setting, params.project, values), rules, mode)


def threads_for(setting: AttentionSetting, batch: int, steps: int) -> int:
    """Return how many threads pay for so many sequences of so many steps."""
    return thread_count((batch * setting.key_value_heads, setting.heads // setting.key_value_heads, steps), steps)


def heads_of(setting: AttentionSetting, projection: Projection, values: Array) -> Heads:
    """Return the queries, keys and values of all heads for sequences."""
    check_steps(values)
    batch, steps, features = values.shape
    heads, shared = setting.heads, setting.key_value_heads
    projected = project(projection, values, threads_for(setting, batch, steps))
    size, value_size = setting.head_sizes((steps, features))
    q, k = split_heads(projected, 0, heads, size), split_heads(projected, heads * size, shared, size)
    return q, k, split_heads(projected, (heads + shared) * size, shared, value_size)


def attend_heads(
    setting: AttentionSetting, params: AttentionParams[M, N], values: Array, parts: Heads, rules: AttentionSpec, mode: Mode
) -> tuple[Array, AttentionResiduals]:
    """Return the output (n, T, I) for what the heads ask, hold and give, and what backward needs."""
    (q, k, v), heads, shared = parts, setting.heads, setting.key_value_heads
    batch, steps, _ = values.shape
    if isinstance(setting.positions, Rotary):
        q, k = rotate(q, setting.positions), rotate(k, setting.positions)
    q = q.reshape(batch * shared, heads // shared, steps, q.shape[-1])
    rules = evolve(
        rules,
        causal=setting.causal,
        diagonals=diagonals(setting, params.position, q, steps),
        dropout=setting.dropout,
        block_rows=setting.block_rows,
        scale=setting.scores.scale,
        soft_cap=setting.scores.soft_cap,
        window=setting.scores.window,
    )
    rules = with_dropout(mode, q, k, rules)
    attended, logsumexp = attend(q, k, v, rules)
    joined = merge_heads(attended.reshape(batch * heads, steps, v.shape[-1]), heads)
    y = project(params.output, joined, threads_for(setting, batch, steps))
    return y, AttentionResiduals(values, q, k, v, rules, logsumexp, joined)


def backward(
    setting: AttentionSetting, params: AttentionParams[M, N], residuals: AttentionResiduals, dy: object, input_grad: bool = True
) -> Backward[AttentionParams[M, N], Array | Masked]:
    pulled = heads_backward(setting, params, residuals, dy)
    mask, dprojected, threads = residuals.rules.mask, pulled.dprojected, pulled.threads
    grads = parameter_grads(setting, params, residuals, pulled)
    if not input_grad:
        return backward_without_input(grads)
    dx = project_transposed(params.project, dprojected, threads)
    return Backward(grads, dx if mask is None else cotangent_of_masked(dx))


@frozen(eq=False)
class HeadsCotangents:
    """The cotangents of what the two maps give, and of the diagonals or the bias."""

    doutput: Array  # (n, T, I)
    dprojected: Array  # (n, T, (H + G) d + G e)
    dbias: Array | None  # (n G, H / G, 2 T - 1)
    threads: int


def heads_backward(
    setting: AttentionSetting, params: AttentionParams[M, N], residuals: AttentionResiduals, dy: object
) -> HeadsCotangents:
    """Return the cotangents that the gradients of the parameters, and that of the input, are made of."""
    doutput, (dq, dk, dv), dbias = attended_backward(setting, params, residuals, dy)
    heads, shared = setting.heads, setting.key_value_heads
    dprojected = concat_heads(((dq, heads), (dk, shared), (dv, shared)))
    return HeadsCotangents(doutput, dprojected, dbias, threads_for(setting, *residuals.x.shape[:2]))


def attended_backward(
    setting: AttentionSetting, params: AttentionParams[M, N], residuals: AttentionResiduals, dy: object
) -> tuple[Array, Heads, Array | None]:
    """Return the cotangents of what the last map gives, of the heads' queries, keys and values, and of diagonals or bias."""
    mask = residuals.rules.mask
    doutput = cotangent_values(dy, mask, residuals.x.shape, params.output.weight.dtype)
    batch, steps, _ = doutput.shape
    heads, shape = setting.heads, residuals.q.shape
    value_size = residuals.v.shape[-1]
    djoined = project_transposed(params.output, doutput, threads_for(setting, batch, steps))
    dattended = split_heads(djoined, 0, heads, value_size).reshape(*shape[:-1], value_size)
    dq, dk, dv, dbias = attend_backward(residuals.q, residuals.k, residuals.v, residuals.rules, residuals.logsumexp, dattended)
    dq = dq.reshape(batch * heads, steps, shape[-1])
    if isinstance(setting.positions, Rotary):
        dq, dk = rotate(dq, setting.positions, direction=-1), rotate(dk, setting.positions, direction=-1)
    return doutput, (dq, dk, dv), dbias


def parameter_grads(
    setting: AttentionSetting, params: AttentionParams[M, N], residuals: AttentionResiduals, pulled: HeadsCotangents
) -> AttentionParams[M, N]:
    """Return the cotangents of the parameters."""
    return AttentionParams(
        projection_grads(params.project, residuals.x, pulled.dprojected, pulled.threads),
        projection_grads(params.output, residuals.joined, pulled.doutput, pulled.threads),
        position_grad(setting, params.position, pulled.dbias, residuals.x.shape[1]),
    )


def position_grad(
    setting: AttentionSetting, position: RelativeBias | Empty, dbias: Array | None, steps: int
) -> RelativeBias | Empty:
    """Return the cotangent of the table of relative positions."""
    if not isinstance(position, RelativeBias) or dbias is None:
        return ()
    dtable: Array = dbias.reshape(-1, setting.heads, dbias.shape[-1]).sum(0)
    return relative_bias_grad(position, dtable, steps, setting.causal)


def layer_of(name: str, setting: AttentionSetting, start: AttentionStart[M, N]) -> AnyLayer:
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
) -> Layer[AttentionParams[DenseParams, DenseParams], Empty, Array, Array]: ...
@overload
def attention(
    heads: int, *, masked: Yes, **more: Unpack[Settings]
) -> Layer[AttentionParams[DenseParams, DenseParams], Empty, Masked, Masked]: ...
def attention(
    heads: int,
    *,
    causal: bool = False,
    masked: bool = False,
    key_value_heads: int | None = None,
    head_features: int | None = None,
    value_features: int | None = None,
    positions: Positions = "none",
    max_distance: int = 32,
    scores: AttentionScores = PLAIN_SCORES,
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
        Number of query heads H, a divisor of the features unless ``head_features`` are given.
    causal : bool, optional
        Each step sees itself and earlier ones only.
    masked : bool, optional
        Take and give :class:`funcnn.Masked` sequences: nobody sees the padding, and it stays 0.  A step that sees none gives
        the output's bias.
    key_value_heads : int, optional
        Number of key-value heads G, a divisor of H: fewer than H are *grouped queries*, 1 is *multi-query* attention.
    head_features, value_features : int or None, optional
        Features of a head's queries and keys, by default I / H, and of its values, by default as many.
    positions : {"none", "rotary", "alibi", "relative"} or Rotary, optional
        How steps know their distance; the features of a head must be even for "rotary", which is ``fn.Rotary()``.
    max_distance : int, optional
        For "relative": larger distances share one bias.
    scores : AttentionScores, optional
        Scale, bound and window of the scores.
    dropout : float, optional
        Probability with which the weight of a key is dropped in training.
    block_rows : int, optional
        How many queries are treated at a time; by default as many as make scores that fit the processor's cache.  With dropout
        it decides too which weights are dropped.
    weight_init, output_init : callable, optional
        Initializers ``(key, shape) -> array`` of the first map (I, (H + G) d + G e) and of the last (H e, I).

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
    attention_without_output_bias : the same with biases of queries, keys and values alone.
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
    setting = checked_setting(
        heads,
        key_value_heads,
        (head_features, value_features),
        (causal, masked),
        positions,
        scores,
        dropout,
        block_rows,
    )
    return layer_of("attention", setting, checked_start((DenseParams, DenseParams), max_distance, weight_init, output_init))


@overload
def attention_without_bias(
    heads: int, *, masked: No = False, **more: Unpack[Settings]
) -> Layer[AttentionParams[LinearParams, LinearParams], Empty, Array, Array]: ...
@overload
def attention_without_bias(
    heads: int, *, masked: Yes, **more: Unpack[Settings]
) -> Layer[AttentionParams[LinearParams, LinearParams], Empty, Masked, Masked]: ...
def attention_without_bias(
    heads: int,
    *,
    causal: bool = False,
    masked: bool = False,
    key_value_heads: int | None = None,
    head_features: int | None = None,
    value_features: int | None = None,
    positions: Positions = "none",
    max_distance: int = 32,
    scores: AttentionScores = PLAIN_SCORES,
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
    causal, masked, key_value_heads, head_features, value_features, positions, max_distance, scores, dropout, block_rows
        As in :func:`funcnn.attention`.
    weight_init, output_init : callable, optional
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
    setting = checked_setting(
        heads,
        key_value_heads,
        (head_features, value_features),
        (causal, masked),
        positions,
        scores,
        dropout,
        block_rows,
    )
    return layer_of(
        "attention_without_bias", setting, checked_start((LinearParams, LinearParams), max_distance, weight_init, output_init)
    )
