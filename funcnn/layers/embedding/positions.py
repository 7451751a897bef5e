r"""Positions added to a sequence: learned vectors, or sines and cosines (Vaswani et al. 2017, arXiv:1706.03762, section 3.5).

Indices: $n$ example, $t$ step of $T$, $k$ feature of $D$.

Forward
$$ y_{ntk} = x_{ntk} + P_{tk}, \qquad
   P_{t,2i} = \sin\frac{t}{10000^{2i/D}}, \quad P_{t,2i+1} = \cos\frac{t}{10000^{2i/D}} \quad\text{(sinusoidal)}. $$
Learned positions are a parameter $P$ of $M \ge T$ rows, of which the first $T$ are used.  A sequence that goes on from another
one starts at a position $s$: then $P_{s + t}$ stands for $P_t$.

Derivation.  $\mathrm{d}y_{ntk} = \mathrm{d}x_{ntk} + \mathrm{d}P_{tk}$, so that
$$ \bar x_{ntk} = \bar y_{ntk}, \qquad
   \bar P_{s + t,k} = \sum_n \bar y_{ntk} \text{ for } t < T, \text{ and } 0 \text{ elsewhere.} $$
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_array, check_cotangent, check_count, check_features, describe
from funcnn.initializers import Initializer, check_initializer
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, backward_without_input, define_layer
from funcnn.layers.shape.identity import OutputShape
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, Shape

SMALL_NORMAL = initializers.normal(0.02)


@read_only_again
@frozen(eq=False)
class PositionParams:
    """Parameters of learned positions."""

    table: Array  # (M, D), P


def check_time(max_length: int, in_shape: Shape, start: int = 0) -> None:
    """Raise unless an example is (t, features) with no more steps than there are positions from the start on."""
    if len(in_shape) != 2:
        raise ValueError(f"an example has shape {in_shape}, expected (time, features)")
    if start + in_shape[0] > max_length:
        begun = f" from position {start} on" if start else ""
        raise ValueError(
            f"the sequence has {in_shape[0]} steps{begun} and there are {max_length} positions: crop it, or allow for more"
        )


def learned_init(max_length: int, start: int, weight_init: Initializer, key: Key, in_shape: Shape) -> Init[PositionParams, Empty]:
    check_time(max_length, in_shape, start)
    return Init(PositionParams(weight_init(key.child(0), (max_length, in_shape[1]))), (), in_shape)


def learned_forward(start: int, params: PositionParams, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, OutputShape]:
    check_features(x, params.table.T)
    check_time(len(params.table), x.shape[1:], start)
    return Forward(x + params.table[start : start + x.shape[1]], state, OutputShape(x.shape))


def learned_backward(
    start: int, params: PositionParams, residuals: OutputShape, dy: Array, input_grad: bool = True
) -> Backward[PositionParams, Array]:
    check_cotangent(dy, residuals.shape, params.table.dtype)
    table: Array = np.zeros(params.table.shape, dy.dtype)
    table[start : start + dy.shape[1]] = dy.sum(0)
    grads = PositionParams(table)
    return Backward(grads, dy.copy()) if input_grad else backward_without_input(grads)


def sinusoids(start: int, steps: int, features: int, dtype: np.dtype[np.floating]) -> Array:
    """Return the positions (T, D) of the paper from a start on, in a precision."""
    work = np.result_type(dtype, np.float64)  # angles of late steps have lost digits in single precision
    rate = work.type(10000) ** (-np.arange(0, features, 2, dtype=work) / features)
    angle = np.arange(start, start + steps, dtype=work)[:, np.newaxis] * rate
    table: Array = np.empty((steps, features), dtype)
    table[:, 0::2] = np.sin(angle)
    table[:, 1::2] = np.cos(angle[:, : features // 2])
    return table


def sinusoidal_init(max_length: int, start: int, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    check_time(max_length, in_shape, start)
    return Init((), (), in_shape)


def sinusoidal_forward(
    max_length: int, start: int, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, OutputShape]:
    check_array(x, min_ndim=3)
    if x.ndim != 3:
        raise ValueError(f"the input is {describe(x)}, expected (batch, time, features)")
    check_time(max_length, x.shape[1:], start)
    return Forward(x + sinusoids(start, x.shape[1], x.shape[2], x.real.dtype), state, OutputShape(x.shape))


def sinusoidal_backward(params: Empty, residuals: OutputShape, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, residuals.shape)
    return Backward(params, dy.copy())


def learned_positions(
    max_length: int, *, start: int = 0, weight_init: Initializer = SMALL_NORMAL
) -> Layer[PositionParams, Empty, Array, Array]:
    """Add a learned vector for each position of a sequence (n, t, D).

    Parameters
    ----------
    max_length : int
        The largest number of steps M.
    start : int, optional
        The position of the first step, as for a sequence that goes on from another one.
    weight_init : callable, optional
        Initializer ``(key, shape) -> array`` of the vectors (M, D); normal with standard deviation 0.02, as in GPT-2.

    Returns
    -------
    Layer
        Parameters :class:`PositionParams`.  For masked sequences: ``masked_steps(learned_positions(max_length))``.

    Raises
    ------
    TypeError, ValueError
        When ``max_length`` is not a positive integer; in ``init`` and ``forward``, when a sequence is longer.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.learned_positions(8)
    >>> start = layer.init(fn.Key(0), (5, 3))
    >>> start.params.table.shape
    (8, 3)
    """
    max_length = check_count(max_length, "max_length")
    start = check_count(start, "start", least=0, most=max_length)
    weight_init = check_initializer(weight_init, "weight_init")
    return define_layer(
        f"learned_positions({max_length})",
        partial(learned_init, max_length, start, weight_init),
        partial(learned_forward, start),
        partial(learned_backward, start),
        random=False,
    )


def sinusoidal_positions(max_length: int = 10000, *, start: int = 0) -> Layer[Empty, Empty, Array, Array]:
    """Add sines and cosines of the position to a sequence (n, t, D), as the first Transformer does.

    Parameters
    ----------
    max_length : int, optional
        The largest number of steps that is accepted: beyond the longest period of the table positions are told apart badly.
    start : int, optional
        The position of the first step, as for a sequence that goes on from another one.

    Returns
    -------
    Layer
        Without parameters.  For masked sequences: ``masked_steps(sinusoidal_positions())``.

    Raises
    ------
    TypeError, ValueError
        When ``max_length`` is not a positive integer; in ``init`` and ``forward``, when a sequence is longer.

    References
    ----------
    Vaswani et al. (2017), Attention is all you need, arXiv:1706.03762, section 3.5.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.sinusoidal_positions(), (), (), np.zeros((1, 2, 2))).round(3)
    array([[[0.   , 1.   ],
            [0.841, 0.54 ]]])
    """
    max_length = check_count(max_length, "max_length")
    start = check_count(start, "start", least=0, most=max_length)
    return define_layer(
        f"sinusoidal_positions({max_length})",
        partial(sinusoidal_init, max_length, start),
        partial(sinusoidal_forward, max_length, start),
        sinusoidal_backward,
        random=False,
    )
