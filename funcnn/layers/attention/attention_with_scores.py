r"""Self-attention with a bias of the scores, or a mask, as a second input.

Indices: $n$ example, $t, u$ steps of $T$, $h$ query head of $H$.

Forward.  As :mod:`funcnn.layers.attention.attention`, with $\beta_{nhtu}$ added to the scores, or with the keys that a mask
hides left out; one bias or mask may serve all heads.

Derivation.  As there, and $\bar\beta_{nhtu} = \bar s_{nhtu}$ (:mod:`funcnn.kernels.attention`), summed over the heads that
share it.  A mask, which is boolean, has no cotangent.
"""

from functools import partial
from typing import Any, Literal, TypeAlias, Unpack, cast

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, describe, more_precise
from funcnn.kernels.attention_blocks import AttentionSpec
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, backward_without_input, define_layer
from funcnn.layers.attention import attention
from funcnn.layers.attention.attention import AttentionParams, AttentionResiduals
from funcnn.layers.attention.heads import project_transposed
from funcnn.layers.attention.setting import AttentionSetting, AttentionStart, Settings, setting_of, start_of
from funcnn.layers.linear.dense import DenseParams
from funcnn.masked import check_sequence
from funcnn.typing import Array, BoolArray, Empty, Shape, Shapes

Kind: TypeAlias = Literal["bias", "mask"]
Params: TypeAlias = AttentionParams[DenseParams, DenseParams]


@frozen(eq=False)
class ScoredResiduals:
    """What attention kept, and the shape of the bias or mask."""

    inner: AttentionResiduals
    shape: Shape


def check_table(kind: Kind, heads: int, steps: int, shape: object) -> None:
    """Raise unless a bias or mask of an example is for all pairs of steps, and for all heads or one for them all."""
    if shape not in ((heads, steps, steps), (1, steps, steps)):
        raise ValueError(
            f"the {kind} of an example has shape {shape}, expected {(heads, steps, steps)} or {(1, steps, steps)}: (heads, t, t)"
        )


def init(
    kind: Kind, setting: AttentionSetting, start: AttentionStart[DenseParams, DenseParams], key: Key, in_shape: Shapes
) -> Init[Params, Empty]:
    if len(in_shape) != 2 or not all(isinstance(shape, tuple) for shape in in_shape):
        raise ValueError(f"in_shape is {in_shape}, expected the shapes of the sequence and of the {kind}")
    sequence, table = cast("tuple[Shape, Shape]", in_shape)
    made = attention.init(setting, start, key, sequence)
    check_table(kind, setting.heads, sequence[0], table)
    return made


def rules_of(kind: Kind, setting: AttentionSetting, table: Any, values: Array) -> AttentionSpec:
    """Return the rules that a bias or mask (n, H or 1, T, T) makes, by key-value head, or raise."""
    if kind == "mask":
        if not isinstance(table, np.ndarray) or table.dtype.kind != "b":
            raise TypeError(f"the mask is {describe(table)}, expected an array of booleans, True where a step sees another")
    else:
        check_array(table, "the bias, input [1]", min_ndim=4)
        if more_precise(table.real.dtype, values.real.dtype):
            raise TypeError(f"the bias is {table.dtype} and the sequence is {values.dtype}, expected no more precision than that")
    if len(table) != len(values):
        raise ValueError(f"the {kind} is {describe(table)}, expected as many as there are sequences: {len(values)} examples")
    check_table(kind, setting.heads, values.shape[1], table.shape[1:])
    groups = setting.key_value_heads if table.shape[1] > 1 else 1
    split = table.reshape(len(table) * groups, table.shape[1] // groups, *table.shape[2:])
    return AttentionSpec(seen=cast(BoolArray, split)) if kind == "mask" else AttentionSpec(bias=split)


def forward(
    kind: Kind, setting: AttentionSetting, params: Params, state: Empty, x: object, mode: Mode
) -> Forward[Array, Empty, ScoredResiduals]:
    if not isinstance(x, tuple) or len(x) != 2:
        raise TypeError(f"the input is {describe(x)}, expected a pair (sequence, {kind})")
    values, _ = check_sequence(x[0], masked=False, what="the sequence, input [0]")
    rules = rules_of(kind, setting, x[1], values)
    y, residuals = attention.attend_to_itself(setting, params, values, rules, mode)
    return Forward(y, state, ScoredResiduals(residuals, x[1].shape))


def backward(
    kind: Kind, setting: AttentionSetting, params: Params, residuals: ScoredResiduals, dy: object, input_grad: bool = True
) -> Backward[Params, tuple[Array, Array]]:
    pulled = attention.heads_backward(setting, params, residuals.inner, dy)
    grads = attention.parameter_grads(setting, params, residuals.inner, pulled)
    if not input_grad:
        return backward_without_input(grads)
    dx = project_transposed(params.project, pulled.dprojected, pulled.threads)
    if kind == "mask" or pulled.dbias is None:
        return Backward(grads, (dx, cast(Array, None)))  # a mask has no cotangent
    return Backward(grads, (dx, pulled.dbias.reshape(residuals.shape)))


def layer_of(name: str, kind: Kind, heads: int, options: Settings) -> AnyLayer:
    """Return a layer of attention with a second input, or raise."""
    if kind == "bias" and options.get("positions") == "relative":
        raise ValueError('positions is "relative", expected another: add the bias of a table of your own to the input')
    setting, start = setting_of(heads, False, options), start_of((DenseParams, DenseParams), options)
    return define_layer(
        f"{name}({setting.heads})",
        partial(init, kind, setting, start),
        partial(forward, kind, setting),
        partial(backward, kind, setting),
        random=setting.dropout > 0,
        inputs=None,
    )


def attention_with_score_bias(heads: int, **options: Unpack[Settings]) -> Layer[Params, Empty, tuple[Array, Array], Array]:
    """Multi-head self-attention with a bias of the scores as an input: (n, t, features), (n, heads, t, t) to (n, t, features).

    Parameters
    ----------
    heads : int
        Number of query heads H.
    **options
        Those of :func:`funcnn.attention`, but for ``masked`` and relative positions.

    Returns
    -------
    Layer
        Parameters as those of :func:`funcnn.attention`.  The bias is (n, H, t, t), or (n, 1, t, t) for all heads; minus infinity
        hides a step.  It has a gradient, so that a layer before may learn it.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.attention`; in ``init`` and ``forward``, when sequence and bias do not fit together.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.attention_with_score_bias(2)
    >>> start = layer.init(fn.Key(0), ((5, 8), (1, 5, 5)))
    >>> fn.apply(layer, start.params, (), (np.zeros((3, 5, 8)), np.zeros((3, 1, 5, 5)))).shape
    (3, 5, 8)
    """
    return layer_of("attention_with_score_bias", "bias", heads, options)


def attention_with_mask(heads: int, **options: Unpack[Settings]) -> Layer[Params, Empty, tuple[Array, BoolArray], Array]:
    """Multi-head self-attention with a mask of pairs as an input: (n, t, features), (n, heads, t, t) to (n, t, features).

    Parameters
    ----------
    heads : int
        Number of query heads H.
    **options
        Those of :func:`funcnn.attention`, but for ``masked``.

    Returns
    -------
    Layer
        Parameters as those of :func:`funcnn.attention`.  The mask is boolean, (n, H, t, t), or (n, 1, t, t) for all heads, True
        where a step sees another; a step that sees none gives the output's bias.  Documents in one sequence:
        ``mask = (ids[:, :, None] == ids[:, None])[:, None]``.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.attention`; in ``init`` and ``forward``, when sequence and mask do not fit together.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.attention_with_mask(2, causal=True)
    >>> start = layer.init(fn.Key(0), ((5, 8), (1, 5, 5)))
    >>> fn.apply(layer, start.params, (), (np.zeros((3, 5, 8)), np.ones((3, 1, 5, 5), bool))).shape
    (3, 5, 8)
    """
    return layer_of("attention_with_mask", "mask", heads, options)
