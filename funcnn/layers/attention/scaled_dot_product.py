r"""Scaled dot-product attention as a layer of its own (Vaswani et al. 2017, arXiv:1706.03762, eq. 1).

Indices: $n$ example, $i$ query of $T$, $j$ key of $S$, $d$ features of queries and keys.

Forward
$$ y_n = \operatorname{softmax}\!\Big(\frac{q_n k_n^\top}{\sqrt d}\Big)\, v_n , $$
the softmax over the keys $j$ (if causal, $j \le i$).

Derivation: that of :mod:`funcnn.kernels.attention`, with one query head for each key head and without a bias.
"""

from functools import partial
from typing import Any, TypeAlias, cast

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_cotangent, check_flag, describe
from funcnn.kernels.attention import attend, attend_backward
from funcnn.kernels.attention_blocks import AttentionSpec
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, Shape, Shapes

Triple: TypeAlias = tuple[Array, Array, Array]


@frozen(eq=False)
class ScaledDotProductResiduals:
    """The inputs, and the logarithm of each query's sum."""

    q: Array  # (n, 1, T, d)
    k: Array  # (n, S, d)
    v: Array  # (n, S, e)
    logsumexp: Array  # (n, 1, T)


def check_lengths(causal: bool, queries: Any, keys: Any, values: Any) -> None:
    """Raise unless (t, d), (s, d) and (s, e) fit together."""
    fits = all(isinstance(one, tuple) and len(one) == 2 for one in (queries, keys, values))
    if not fits or queries[1] != keys[1] or keys[0] != values[0] or not keys[0]:
        raise ValueError(f"the shapes are {queries}, {keys}, {values}, expected (t, d), (s, d), (s, e), s at least 1")
    if causal and queries[0] != keys[0]:
        raise ValueError(f"causal attention needs as many keys as queries, got {keys[0]} and {queries[0]}")


def init(causal: bool, key: Key, in_shape: Shapes) -> Init[Empty, Empty]:
    if len(in_shape) != 3:
        raise ValueError(f"in_shape is {in_shape}, expected the shapes of queries, keys and values")
    queries, keys, values = cast("tuple[Shape, Shape, Shape]", in_shape)
    check_lengths(causal, queries, keys, values)
    return Init((), (), (queries[0], values[1]))


def forward(causal: bool, params: Empty, state: Empty, x: object, mode: Mode) -> Forward[Array, Empty, ScaledDotProductResiduals]:
    if not isinstance(x, tuple) or len(x) != 3:
        raise TypeError(f"the input is {describe(x)}, expected (queries, keys, values)")
    q, k, v = cast(Triple, x)
    for one, what in ((q, "queries"), (k, "keys"), (v, "values")):
        check_array(one, what, min_ndim=3)
    check_lengths(causal, q.shape[1:], k.shape[1:], v.shape[1:])
    if not len(q) == len(k) == len(v):
        raise ValueError(f"the batches are {len(q)}, {len(k)} and {len(v)} examples long, expected the same length")
    one_head = q[:, np.newaxis]
    output, logsumexp = attend(one_head, k, v, AttentionSpec(causal))
    return Forward(output[:, 0].copy(), state, ScaledDotProductResiduals(one_head, k, v, logsumexp))


def backward(causal: bool, params: Empty, residuals: ScaledDotProductResiduals, dy: Array) -> Backward[Empty, Triple]:
    q = residuals.q
    check_cotangent(dy, (len(q), q.shape[2], residuals.v.shape[-1]))
    dq, dk, dv, _ = attend_backward(q, residuals.k, residuals.v, AttentionSpec(causal), residuals.logsumexp, dy[:, np.newaxis])
    return Backward(params, (dq[:, 0], dk, dv))


def scaled_dot_product(*, causal: bool = False) -> Layer[Empty, Empty, Triple, Array]:
    """Weighted means of values: a triple of queries (n, t, d), keys (n, s, d) and values (n, s, e) to (n, t, e).

    Parameters
    ----------
    causal : bool, optional
        Query i sees the keys up to i only; then t = s.

    Returns
    -------
    Layer
        Without parameters; ``init`` takes the triple of shapes.

    Raises
    ------
    TypeError, ValueError
        When ``causal`` is no bool; in ``init`` and ``forward``, when the three do not fit together.

    See Also
    --------
    attention, cross_attention : with several heads, and maps to queries, keys and values that are learned.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> q, k, v = np.zeros((1, 1, 2)), np.ones((1, 3, 2)), np.array([[[1.0], [2.0], [6.0]]])
    >>> fn.apply(fn.scaled_dot_product(), (), (), (q, k, v))
    array([[[3.]]])
    """
    causal = check_flag(causal, "causal")
    return define_layer(
        "scaled_dot_product",
        partial(init, causal),
        partial(forward, causal),
        partial(backward, causal),
        random=False,
        inputs=None,
    )
