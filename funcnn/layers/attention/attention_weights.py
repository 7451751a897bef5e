r"""The weights that a layer of attention gives to the keys, for pictures of what it looks at.

Indices: $n$ example, $h$ query head, $i$ query, $j$ key.

$$ p_{nhij} = [j \in A_i]\, e^{s_{nhij} - \ell_{nhi}}, \qquad \ell_{nhi} = \ln \sum_{j \in A_i} e^{s_{nhij}} $$
with the scores and the sets of :mod:`funcnn.kernels.attention`.  No layer stores them, since they grow with the square of the
length; here they are computed again from the queries and keys that the layer's forward keeps, a block of queries at a time.

Weights with a gradient, for losses on what is looked at and for pointers, are an output of
:func:`funcnn.scaled_dot_product` whose values are, or begin with, the unit matrix: $o = p\,I = p$.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

import numpy as np

from funcnn.errors import check_count, shown
from funcnn.kernels.attention import attention_weights as weights_of
from funcnn.layer import AnyLayer, Eval, Layer
from funcnn.layer.layer import check_layer
from funcnn.layers.attention import attention, attention_with_scores, cross_attention, qk_norm_attention, scaled_dot_product
from funcnn.typing import Array, BoolArray

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")


Kept: TypeAlias = tuple[Any, BoolArray | None, int]
"""What has queries, keys and rules; the mask of the queries; the number of examples."""


def own(residuals: Any) -> Kept:
    """Return what self-attention kept."""
    return residuals, residuals.rules.mask, len(residuals.x)


def inner(residuals: Any) -> Kept:
    """Return what the attention inside of a layer kept."""
    return own(residuals.inner)


def across(residuals: Any) -> Kept:
    """Return what cross-attention kept."""
    return residuals, residuals.mask, len(residuals.x)


def bare(residuals: Any) -> Kept:
    """Return what attention without maps kept, which has no mask of queries."""
    return residuals, None, residuals.shapes[0][0]


KEPT: dict[Callable[..., Any], Callable[[Any], Kept]] = {
    attention.forward: own,
    attention_with_scores.forward: inner,
    qk_norm_attention.forward: inner,
    cross_attention.forward: across,
    scaled_dot_product.forward: bare,
}
"""By the function that forward binds: where queries, keys and rules stand among the residuals."""


def compute(layer: AnyLayer, kept: Callable[[Any], Kept], queries: tuple[int, int] | None, params: Any, x: Any) -> Array:
    """Return the weights for parameters and inputs."""
    residuals, mask, batch = kept(layer.forward(params, (), x, Eval()).residuals)
    q, k = residuals.q, residuals.k
    steps = q.shape[2]
    start, stop = (0, steps) if queries is None else queries
    if stop > steps:
        raise ValueError(f"queries is {queries}, and the sequence has {steps} steps: expected an end of at most {steps}")
    made = weights_of(q, k, residuals.rules, slice(start, stop))
    weights = made.reshape(batch, -1, *made.shape[2:])
    if mask is not None:
        weights *= mask[:, np.newaxis, start:stop, np.newaxis]
    return weights


def check_queries(queries: Sequence[int] | None) -> tuple[int, int] | None:
    """Return from where to where the queries are, or None, or raise."""
    if queries is None:
        return None
    if not isinstance(queries, (tuple, list)) or len(queries) != 2:
        raise TypeError(f"queries is {shown(queries)}, expected None or a pair (start, stop)")
    start = check_count(queries[0], "queries[0], the start,", least=0)
    return start, check_count(queries[1], "queries[1], the end,", least=start)


def attention_weights(layer: Layer[P, S, X, Y], *, queries: Sequence[int] | None = None) -> Callable[[P, X], Array]:
    """Return the function that gives the weights of a layer of attention: ``(params, x) -> (n, heads, t, s)``.

    Parameters
    ----------
    layer : Layer
        One of :func:`funcnn.attention`, :func:`funcnn.cross_attention`, :func:`funcnn.scaled_dot_product` and their relatives; of
        a network that one of its layers: ``fn.get_layer(model, path)``.
    queries : pair of int, optional
        From where to where the queries are whose weights are wanted, as of long sequences; all by default.

    Returns
    -------
    callable
        The weights sum to 1 over the last axis, the keys; for a query that sees no key, or is padding, all are 0.  Nothing is
        dropped.  The result is as large as it is; beside it a block of queries is in memory.

    Raises
    ------
    TypeError, ValueError
        When the layer is none of these, or ``queries`` no range; from the function, what the layer's forward raises, and when
        the range goes beyond the sequence.

    See Also
    --------
    watch : shows what goes into a layer of a network: ``fn.attention_weights(seen.layer)(seen.params, seen.given)``.
    scaled_dot_product : with the unit matrix as values, gives weights that have a gradient.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.attention(2, causal=True)
    >>> params = layer.init(fn.Key(0), (3, 8)).params
    >>> weights = fn.attention_weights(layer)(params, np.zeros((1, 3, 8)))
    >>> weights.shape
    (1, 2, 3, 3)
    >>> weights[0, 0].round(3)
    array([[1.   , 0.   , 0.   ],
           [0.5  , 0.5  , 0.   ],
           [0.333, 0.333, 0.333]])
    """
    check_layer(layer, "layer")
    forward: Any = layer.forward
    kept = KEPT.get(forward.func if isinstance(forward, partial) else forward)
    if kept is None:
        raise ValueError(
            f"layer is {layer.name}, expected a layer of attention: take that of a network, fn.get_layer(model, path)"
        )
    return partial(compute, layer, kept, check_queries(queries))
