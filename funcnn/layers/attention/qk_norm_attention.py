r"""Multi-head self-attention with normalized queries and keys (Henry et al. 2020, arXiv:2010.04245, section 3.1).

Indices: $n$ example, $t$ step, $h$ query head of $H$, $g$ key-value head of $G$, $i$ feature of the $d$ of a head's queries and
keys.

Forward.  As :mod:`funcnn.layers.attention.attention`, but that every query and key is divided by the root mean square of its
features, and scaled by a parameter that all heads share (:mod:`funcnn.layers.normalization.rms_norm`), before positions turn it:
$$ \hat q_{nhti} = a_i\, q_{nhti}\, r(q_{nht}), \qquad \hat k_{ngti} = c_i\, k_{ngti}\, r(k_{ngt}), \qquad
   r(x) = \frac1{\sqrt{\tfrac1d \sum_j x_j^2 + \epsilon}} . $$
Scores then are bounded by the scales, and do not grow with the weights of the maps, whatever the learning rate (Dehghani et al.
2023, arXiv:2302.05442, section 2; Qwen 3).

Derivation.  The chain rule: attention gives $\bar{\hat q}$ and $\bar{\hat k}$, turned back where positions turned; each goes
through the transpose of its norm, which also gives $\bar a$ and $\bar c$, sums over examples, heads and steps; then into the map.
"""

from functools import partial
from typing import Generic, Unpack, overload

from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_range
from funcnn.kernels.attention_blocks import AttentionSpec
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, backward_without_input, define_layer
from funcnn.layers.attention import attention
from funcnn.layers.attention.attention import AttentionParams, AttentionResiduals, HeadsCotangents
from funcnn.layers.attention.heads import M, concat_heads, project_transposed
from funcnn.layers.attention.setting import AttentionSetting, AttentionStart, Settings, setting_of, start_of
from funcnn.layers.linear.dense import DenseParams
from funcnn.layers.linear.linear import LinearParams
from funcnn.layers.normalization import rms_norm
from funcnn.layers.normalization.rms_norm import RMSNormParams, RMSNormResiduals
from funcnn.masked import Masked, check_sequence, cleared, cotangent_of_masked
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, No, Shape, Yes


@read_only_again
@frozen(eq=False)
class QKNormAttentionParams(Generic[M]):
    """Parameters of self-attention with normalized queries and keys."""

    attention: AttentionParams[M, M]
    query_norm: RMSNormParams  # scale (d,)
    key_norm: RMSNormParams  # scale (d,)


@frozen(eq=False)
class QKNormAttentionResiduals:
    """What attention kept, and the norms of queries and keys."""

    inner: AttentionResiduals
    query: RMSNormResiduals
    key: RMSNormResiduals


def init(
    setting: AttentionSetting, start: AttentionStart[M, M], key: Key, in_shape: Shape
) -> Init[QKNormAttentionParams[M], Empty]:
    made = attention.init(setting, start, key, in_shape)
    scale = initializers.ones(key, setting.head_sizes(in_shape)[:1])
    return Init(QKNormAttentionParams(made.params, RMSNormParams(scale), RMSNormParams(scale.copy())), (), in_shape)


def forward(
    setting: AttentionSetting, eps: float, params: QKNormAttentionParams[M], state: Empty, x: object, mode: Mode
) -> Forward[Array | Masked, Empty, QKNormAttentionResiduals]:
    values, mask = check_sequence(x, setting.masked)
    q, k, v = attention.heads_of(setting, params.attention.project, values)
    query = rms_norm.forward(eps, params.query_norm, (), q, mode)
    key = rms_norm.forward(eps, params.key_norm, (), k, mode)
    parts = query.output, key.output, v
    y, inner = attention.attend_heads(setting, params.attention, values, parts, AttentionSpec(mask=mask), mode)
    output = y if mask is None else Masked(cleared(y, mask), mask)
    return Forward(output, state, QKNormAttentionResiduals(inner, query.residuals, key.residuals))


def backward(
    setting: AttentionSetting,
    params: QKNormAttentionParams[M],
    residuals: QKNormAttentionResiduals,
    dy: object,
    input_grad: bool = True,
) -> Backward[QKNormAttentionParams[M], Array | Masked]:
    inner = residuals.inner
    doutput, (dq, dk, dv), dbias = attention.attended_backward(setting, params.attention, inner, dy)
    query = rms_norm.backward(params.query_norm, residuals.query, dq)
    key = rms_norm.backward(params.key_norm, residuals.key, dk)
    heads, shared = setting.heads, setting.key_value_heads
    dprojected = concat_heads(((query.input, heads), (key.input, shared), (dv, shared)))
    threads = attention.threads_for(setting, *inner.x.shape[:2])
    pulled = HeadsCotangents(doutput, dprojected, dbias, threads)
    grads = QKNormAttentionParams(attention.parameter_grads(setting, params.attention, inner, pulled), query.params, key.params)
    if not input_grad:
        return backward_without_input(grads)
    dx = project_transposed(params.attention.project, dprojected, threads)
    return Backward(grads, dx if inner.rules.mask is None else cotangent_of_masked(dx))


def layer_of(name: str, kind: type[M], heads: int, masked: bool, eps: float, options: Settings) -> AnyLayer:
    """Return a layer of self-attention with normalized queries and keys, or raise."""
    eps = check_range(eps, "eps", 0, float("inf"), open_low=True, open_high=True)
    setting, start = setting_of(heads, masked, options), start_of((kind, kind), options)
    return define_layer(
        f"{name}({setting.heads})",
        partial(init, setting, start),
        partial(forward, setting, eps),
        partial(backward, setting),
        random=setting.dropout > 0,
    )


@overload
def qk_norm_attention(
    heads: int, *, eps: float = 1e-6, masked: No = False, **options: Unpack[Settings]
) -> Layer[QKNormAttentionParams[DenseParams], Empty, Array, Array]: ...
@overload
def qk_norm_attention(
    heads: int, *, eps: float = 1e-6, masked: Yes, **options: Unpack[Settings]
) -> Layer[QKNormAttentionParams[DenseParams], Empty, Masked, Masked]: ...
def qk_norm_attention(heads: int, *, eps: float = 1e-6, masked: bool = False, **options: Unpack[Settings]) -> AnyLayer:
    """Multi-head self-attention whose queries and keys are normalized: sequences (n, t, features) to the same shape.

    Parameters
    ----------
    heads : int
        Number of query heads H.
    eps : float, optional
        Added to the mean squares of queries and keys, more than 0.
    masked : bool, optional
        Take and give :class:`funcnn.Masked` sequences.
    **options
        Those of :func:`funcnn.attention`.

    Returns
    -------
    Layer
        Parameters :class:`QKNormAttentionParams`: those of :func:`funcnn.attention`, and a scale for the features of a head's
        queries and one for those of its keys, ones at first.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.attention`; when ``eps`` is not positive and finite.

    See Also
    --------
    qk_norm_attention_without_bias : the same with maps that have no bias.

    References
    ----------
    Henry et al. (2020), Query-key normalization for Transformers, arXiv:2010.04245; with the root mean square, as in Qwen 3.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.qk_norm_attention(2, causal=True)
    >>> start = layer.init(fn.Key(0), (5, 8))
    >>> start.params.query_norm.scale
    array([1., 1., 1., 1.])
    >>> fn.apply(layer, start.params, start.state, np.zeros((3, 5, 8))).shape
    (3, 5, 8)
    """
    return layer_of("qk_norm_attention", DenseParams, heads, masked, eps, options)


@overload
def qk_norm_attention_without_bias(
    heads: int, *, eps: float = 1e-6, masked: No = False, **options: Unpack[Settings]
) -> Layer[QKNormAttentionParams[LinearParams], Empty, Array, Array]: ...
@overload
def qk_norm_attention_without_bias(
    heads: int, *, eps: float = 1e-6, masked: Yes, **options: Unpack[Settings]
) -> Layer[QKNormAttentionParams[LinearParams], Empty, Masked, Masked]: ...
def qk_norm_attention_without_bias(
    heads: int, *, eps: float = 1e-6, masked: bool = False, **options: Unpack[Settings]
) -> AnyLayer:
    """Multi-head self-attention with normalized queries and keys, whose maps have no bias, as in Qwen 3.

    Parameters
    ----------
    heads : int
        Number of query heads H.
    eps, masked, **options
        As for :func:`funcnn.qk_norm_attention`.

    Returns
    -------
    Layer
        Parameters :class:`QKNormAttentionParams`, of linear maps.

    Raises
    ------
    TypeError, ValueError
        As :func:`funcnn.qk_norm_attention`.

    Examples
    --------
    >>> import funcnn as fn
    >>> layer = fn.qk_norm_attention_without_bias(4, key_value_heads=2, positions=fn.Rotary(base=1e6), causal=True)
    >>> fn.tree.paths(layer.init(fn.Key(0), (5, 8)).params)
    ('.attention.project.weight', '.attention.output.weight', '.query_norm.scale', '.key_norm.scale')
    """
    return layer_of("qk_norm_attention_without_bias", LinearParams, heads, masked, eps, options)
