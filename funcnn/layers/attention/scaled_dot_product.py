r"""Scaled dot-product attention as a layer of its own (Vaswani et al. 2017, arXiv:1706.03762, eq. 1).

Indices: $n$ example, $h$ query head of $H$ and $g$ key-value head of $G$, where there are heads, $i$ query of $T$, $j$ key of
$S$, $d$ features of queries and keys, $e$ of values.

Forward
$$ y_{nh} = \operatorname{softmax}\!\Big(\frac{q_{nh} k_{ng}^\top}{\sqrt d} + \beta_{nh}\Big)\, v_{ng} , \qquad
   g = \lfloor h G / H \rfloor, $$
the softmax over the keys $j$ that query $i$ may look at (if causal, $j \le i + a$ with $a = 0$ or $a = S - T$).  $\beta$ is there
where a bias is given as an input.  A query that may look at no key gives 0.

Derivation: that of :mod:`funcnn.kernels.attention`.  A bias is an input like the others, with the cotangent $\bar\beta = \bar
s$; one for all heads collects the sum over them.  A mask, which is boolean, has none.
"""

from functools import partial
from typing import Any, Literal, TypeAlias, cast, get_args

import numpy as np
from attrs import evolve, frozen

from funcnn.errors import check_array, check_choice, check_cotangent, check_flag, describe, more_precise
from funcnn.kernels.attention import attend, attend_backward
from funcnn.kernels.attention_blocks import AttentionSpec
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.attention.heads import check_dropout, with_dropout
from funcnn.layers.attention.scores import PLAIN_SCORES, AttentionScores, check_scores
from funcnn.typing import Array, BoolArray, Empty, Shape, Shapes

Triple: TypeAlias = tuple[Array, Array, Array]
Align: TypeAlias = Literal["start", "end"]
"""Whether the first query stands where the first key does, or the last where the last does."""
Extra: TypeAlias = Literal["none", "bias", "mask"]
"""What comes as a fourth input."""


@frozen
class Setting:
    """The hyper-parameters of scaled dot-product attention."""

    causal: bool
    align: Align | None
    scores: AttentionScores
    dropout: float
    extra: Extra

    def offset(self, queries: int, keys: int) -> int:
        """Return which key stands where the first query does."""
        return keys - queries if self.align == "end" else 0


@frozen(eq=False)
class ScaledDotProductResiduals:
    """The inputs by key-value head, the rules, the logarithm of each query's sum, and the shapes of the inputs."""

    q: Array  # (n G, H / G, T, d)
    k: Array  # (n G, S, d)
    v: Array  # (n G, S, e)
    rules: AttentionSpec
    logsumexp: Array  # (n G, H / G, T)
    shapes: tuple[Shape, ...]


def check_lengths(setting: Setting, queries: Any, keys: Any, values: Any) -> None:
    """Raise unless (..., t, d), (..., s, d) and (..., s, e) fit together, all with heads or none."""
    fits = all(isinstance(one, tuple) and len(one) in (2, 3) and len(one) == len(queries) for one in (queries, keys, values))
    if fits:
        fits = queries[-1] == keys[-1] and keys[:-1] == values[:-1] and bool(keys[-2])
    if not fits:
        raise ValueError(
            f"the shapes are {queries}, {keys}, {values}, expected (t, d), (s, d), (s, e), s at least 1, or with heads"
            " (h, t, d), (g, s, d), (g, s, e)"
        )
    if len(queries) == 3 and (not keys[0] or queries[0] % keys[0]):
        raise ValueError(f"there are {queries[0]} heads of queries and {keys[0]} of keys, expected a multiple")
    placed = setting.causal or setting.scores.window is not None
    if placed and setting.align is None and queries[-2] != keys[-2]:
        raise ValueError(
            f"causal attention and windows need as many keys as queries, got {keys[-2]} and {queries[-2]}: say where the queries"
            ' stand, by align="start" or align="end"'
        )


def check_extra(setting: Setting, extra: Any, queries: Shape, keys: Shape) -> None:
    """Raise unless a bias or mask fits (t, d) and (s, d), or with heads (h, t, d) and (g, s, d)."""
    wanted = [(queries[-2], keys[-2])] if len(queries) == 2 else [(heads, queries[-2], keys[-2]) for heads in (queries[0], 1)]
    if extra not in wanted:
        raise ValueError(f"the {setting.extra} of an example has shape {extra}, expected {' or '.join(map(str, wanted))}")


def init(setting: Setting, key: Key, in_shape: Shapes) -> Init[Empty, Empty]:
    names = ["queries", "keys", "values"] + ([setting.extra] if setting.extra != "none" else [])
    if len(in_shape) != len(names) or not all(isinstance(one, tuple) for one in in_shape):
        raise ValueError(f"in_shape is {in_shape}, expected the shapes of {', '.join(names[:-1])} and {names[-1]}")
    queries, keys, values, *extra = cast("tuple[Shape, ...]", in_shape)
    check_lengths(setting, queries, keys, values)
    if extra:
        check_extra(setting, extra[0], queries, keys)
    return Init((), (), (*queries[:-1], values[-1]))


def forward(
    setting: Setting, params: Empty, state: Empty, x: object, mode: Mode
) -> Forward[Array, Empty, ScaledDotProductResiduals]:
    names = ("queries", "keys", "values", *((setting.extra,) if setting.extra != "none" else ()))
    if not isinstance(x, tuple) or len(x) != len(names):
        raise TypeError(f"the input is {describe(x)}, expected ({', '.join(names)})")
    q, k, v, *extra = cast("tuple[Array, ...]", x)
    for one, what in ((q, "queries"), (k, "keys"), (v, "values")):
        check_array(one, what, min_ndim=3)
    check_lengths(setting, q.shape[1:], k.shape[1:], v.shape[1:])
    if not len(q) == len(k) == len(v):
        raise ValueError(f"the batches are {len(q)}, {len(k)} and {len(v)} examples long, expected the same length")
    rules = AttentionSpec(
        setting.causal,
        dropout=setting.dropout,
        scale=setting.scores.scale,
        soft_cap=setting.scores.soft_cap,
        window=setting.scores.window,
        offset=setting.offset(q.shape[-2], k.shape[-2]),
    )
    groups = k.shape[1] if k.ndim == 4 else 1
    if extra:
        rules = with_extra(setting, rules, extra[0], q, k.shape[1:], groups)
    heads = q.shape[1] if q.ndim == 4 else 1
    by_group = q.reshape(len(q) * groups, heads // groups, *q.shape[-2:])
    k, v = (one.reshape(len(one) * groups, *one.shape[-2:]) for one in (k, v))
    rules = with_dropout(mode, by_group, k, rules)
    output, logsumexp = attend(by_group, k, v, rules)
    shapes = tuple([one.shape for one in cast("tuple[Array, ...]", x)])
    y = output.reshape(*q.shape[:-1], v.shape[-1]).copy()
    return Forward(y, state, ScaledDotProductResiduals(by_group, k, v, rules, logsumexp, shapes))


def with_extra(setting: Setting, rules: AttentionSpec, extra: Any, q: Array, keys: Shape, groups: int) -> AttentionSpec:
    """Return the rules with a bias (n, [h or 1,] t, s) or a mask of this shape, by key-value head, or raise."""
    if setting.extra == "mask":
        if not isinstance(extra, np.ndarray) or extra.dtype.kind != "b":
            raise TypeError(f"the mask is {describe(extra)}, expected an array of booleans, True where a query sees a key")
    else:
        check_array(extra, "the bias", min_ndim=3)
        if more_precise(extra.real.dtype, q.real.dtype):
            raise TypeError(f"the bias is {extra.dtype} and the queries are {q.dtype}, expected no more precision than theirs")
    if len(extra) != len(q):
        raise ValueError(f"the {setting.extra} is {describe(extra)}, expected as many as there are queries: {len(q)} examples")
    check_extra(setting, extra.shape[1:], q.shape[1:], keys)
    headed = extra.ndim == 4 and extra.shape[1] > 1
    heads = extra.shape[1] // groups if headed else 1
    table = extra.reshape(len(extra) * (groups if headed else 1), heads, *extra.shape[-2:])
    return evolve(rules, seen=cast(BoolArray, table)) if setting.extra == "mask" else evolve(rules, bias=table)


def backward(
    setting: Setting, params: Empty, residuals: ScaledDotProductResiduals, dy: Array
) -> Backward[Empty, tuple[Array, ...]]:
    q, v, shapes = residuals.q, residuals.v, residuals.shapes
    check_cotangent(dy, (*shapes[0][:-1], v.shape[-1]))
    doutput = dy.reshape(*q.shape[:-1], v.shape[-1])
    dq, dk, dv, dbias = attend_backward(q, residuals.k, v, residuals.rules, residuals.logsumexp, doutput)
    dx = (dq.reshape(shapes[0]), dk.reshape(shapes[1]), dv.reshape(shapes[2]))
    if setting.extra == "none":
        return Backward(params, dx)
    # a mask has no cotangent
    return Backward(params, (*dx, cast(Array, None) if dbias is None else dbias.reshape(shapes[3])))


def layer_of(name: str, extra: Extra, causal: bool, align: Align | None, scores: AttentionScores, dropout: float) -> AnyLayer:
    """Return a layer of attention without maps, or raise."""
    align = None if align is None else check_choice(align, get_args(Align), "align")
    setting = Setting(check_flag(causal, "causal"), align, check_scores(scores), check_dropout(dropout), extra)
    return define_layer(
        name,
        partial(init, setting),
        partial(forward, setting),
        partial(backward, setting),
        random=setting.dropout > 0,
        inputs=None,
    )


def scaled_dot_product(
    *, causal: bool = False, align: Align | None = None, scores: AttentionScores = PLAIN_SCORES, dropout: float = 0.0
) -> Layer[Empty, Empty, Triple, Array]:
    """Weighted means of values: a triple of queries (n, t, d), keys (n, s, d) and values (n, s, e) to (n, t, e).

    With heads: (n, h, t, d), (n, g, s, d) and (n, g, s, e) to (n, h, t, e), where h is a multiple of g (grouped queries).

    Parameters
    ----------
    causal : bool, optional
        Query i sees the keys up to its own place only.
    align : {"start", "end"} or None, optional
        Where causal queries, or those with a window, stand when they are not as many as the keys: the first query at the first
        key, or the last at the last, as when earlier keys and values were kept.
    scores : AttentionScores, optional
        Scale, bound and window of the scores.
    dropout : float, optional
        Probability with which the weight of a key is dropped in training.

    Returns
    -------
    Layer
        Without parameters; ``init`` takes the triple of shapes.  A query that sees no key gives 0.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``init`` and ``forward``, when the three do not fit together.

    See Also
    --------
    scaled_dot_product_with_bias, scaled_dot_product_with_mask : with a bias or a mask of one's own.
    attention, cross_attention : with several heads, and maps to queries, keys and values that are learned.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> q, k, v = np.zeros((1, 1, 2)), np.ones((1, 3, 2)), np.array([[[1.0], [2.0], [6.0]]])
    >>> fn.apply(fn.scaled_dot_product(), (), (), (q, k, v))
    array([[[3.]]])
    >>> fn.apply(fn.scaled_dot_product(causal=True, align="start"), (), (), (q, k, v))
    array([[[1.]]])
    """
    return layer_of("scaled_dot_product", "none", causal, align, scores, dropout)


def scaled_dot_product_with_bias(
    *, causal: bool = False, align: Align | None = None, scores: AttentionScores = PLAIN_SCORES, dropout: float = 0.0
) -> Layer[Empty, Empty, tuple[Array, Array, Array, Array], Array]:
    """Weighted means of values, with a bias of the scores as a fourth input: (queries, keys, values, bias) to (n, t, e).

    Parameters
    ----------
    causal, align, scores, dropout : optional
        As in :func:`funcnn.scaled_dot_product`.  The bias is added after the bound of the scores.

    Returns
    -------
    Layer
        The bias is (n, t, s), or with heads (n, h, t, s) or (n, 1, t, s); minus infinity hides a key.  It has a gradient, so
        that a layer before may learn it.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``init`` and ``forward``, when the four do not fit together.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> q, k, v = np.zeros((1, 1, 2)), np.ones((1, 3, 2)), np.array([[[1.0], [2.0], [6.0]]])
    >>> bias = np.array([[[0.0, 0.0, -np.inf]]])
    >>> fn.apply(fn.scaled_dot_product_with_bias(), (), (), (q, k, v, bias))
    array([[[1.5]]])
    """
    return layer_of("scaled_dot_product_with_bias", "bias", causal, align, scores, dropout)


def scaled_dot_product_with_mask(
    *, causal: bool = False, align: Align | None = None, scores: AttentionScores = PLAIN_SCORES, dropout: float = 0.0
) -> Layer[Empty, Empty, tuple[Array, Array, Array, BoolArray], Array]:
    """Weighted means of values that a mask does not hide: (queries, keys, values, mask) to (n, t, e).

    Parameters
    ----------
    causal, align, scores, dropout : optional
        As in :func:`funcnn.scaled_dot_product`.

    Returns
    -------
    Layer
        The mask is boolean, (n, t, s), or with heads (n, h, t, s) or (n, 1, t, s), True where a query sees a key; a query that
        sees none gives 0.  Several documents in one sequence: ``mask = ids[:, :, None] == ids[:, None]``.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``init`` and ``forward``, when the four do not fit together.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> q, k, v = np.zeros((1, 1, 2)), np.ones((1, 3, 2)), np.array([[[1.0], [2.0], [6.0]]])
    >>> fn.apply(fn.scaled_dot_product_with_mask(), (), (), (q, k, v, np.array([[[True, True, False]]])))
    array([[[1.5]]])
    """
    return layer_of("scaled_dot_product_with_mask", "mask", causal, align, scores, dropout)
