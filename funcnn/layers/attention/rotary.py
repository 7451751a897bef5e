r"""Rotary positions (Su et al. 2021, arXiv:2104.09864, eq. 34), in attention and as a layer of its own.

Indices: $n$ example, $t$ step, counted from where the sequence starts, $i$ pair of the $m$ features of a head that are turned: of
all $d$, unless said otherwise.

Forward.  At step $t$ the pair $(x_i, x_{i + m/2})$ is turned by the angle $t\,\theta_i$, where $\theta_i = b^{-2i/m}$, $b =
10000$, or what :mod:`funcnn.layers.attention.rotary_scaling` makes of it:
$$ y_i = \mu\,(x_i \cos t\theta_i - x_{i+m/2} \sin t\theta_i), \qquad
   y_{i+m/2} = \mu\,(x_i \sin t\theta_i + x_{i+m/2} \cos t\theta_i) . $$
The product of a query and a key turned by $t$ and $u$ steps depends on $t - u$ alone.  The paper pairs neighbours,
$(x_{2i}, x_{2i+1})$, here *interleaved*: the same with the features in another order, which learned projections absorb, but
weights that were learned for one order need that order.  $\mu$ is 1 but for YaRN.

Derivation.  A rotation is orthogonal: its transpose, which the cotangent goes through, is the rotation by $-t\,\theta_i$, and the
factor $\mu$ stays.
"""

from functools import lru_cache, partial
from typing import Literal

import numpy as np
from attrs import field, frozen

from funcnn.errors import check_array, check_cotangent, check_count, check_flag, check_range, describe, shown
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.attention.rotary_scaling import DType, RotaryScaling, plain_frequencies
from funcnn.layers.shape.identity import OutputShape
from funcnn.typing import Array, Empty, Shape


def _base(value: float) -> float:
    return check_range(value, "base", 1, float("inf"), open_low=True, open_high=True)


def _interleaved(value: bool) -> bool:
    return check_flag(value, "interleaved")


def _features(value: int | None) -> int | None:
    if value is None:
        return None
    count = check_count(value, "features", least=2)
    if count % 2:
        raise ValueError(f"features is {count}, expected an even number: rotary positions turn pairs")
    return count


def _scaling(value: RotaryScaling | None) -> RotaryScaling | None:
    if value is not None and not isinstance(value, RotaryScaling):
        kinds = "fn.LinearScaling, NTKScaling, YarnScaling, Llama3Scaling"
        raise TypeError(f"scaling is {shown(value)}, expected None or one of {kinds}")
    return value


@frozen
class Rotary:
    """What rotary positions are: for ``positions`` of :func:`funcnn.attention`, and for :func:`funcnn.rotary_positions`.

    Parameters
    ----------
    base : float, optional
        The base b of the frequencies, more than 1.
    features : int or None, optional
        How many features of a head are turned, the first so many: an even number; None for all.
    interleaved : bool, optional
        Turn neighbours (2 i, 2 i + 1), as GPT-J does, in place of i and i + m / 2, as Llama and GPT-NeoX do.
    scaling : record or None, optional
        What stretches the frequencies: :class:`funcnn.LinearScaling`, ``NTKScaling``, ``YarnScaling`` or ``Llama3Scaling``.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range.

    References
    ----------
    Su et al. (2021), RoFormer: enhanced Transformer with rotary position embedding, arXiv:2104.09864.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.Rotary().frequencies(4)
    array([1.  , 0.01])
    >>> layer = fn.attention_without_bias(8, key_value_heads=2, positions=fn.Rotary(base=500000.0), causal=True)
    """

    base: float = field(default=10000.0, converter=_base)
    features: int | None = field(default=None, converter=_features)
    interleaved: bool = field(default=False, converter=_interleaved)
    scaling: RotaryScaling | None = field(default=None, converter=_scaling)

    def frequencies(self, features: int, dtype: DType = np.float64) -> Array:
        """Return the angle of each pair between neighbouring steps, where so many features are turned."""
        if self.scaling is None:
            return plain_frequencies(self.base, features, dtype)
        return self.scaling.frequencies(self.base, features, dtype)

    def turned(self, size: int) -> int:
        """Return how many features of a head of a size are turned, or raise."""
        count = size if self.features is None else self.features
        if count > size:
            raise ValueError(f"rotary positions turn {count} features, and a head has {size}")
        if count % 2:
            raise ValueError(f"rotary positions turn pairs of features, and a head has {size}: an odd number")
        return count


PLAIN = Rotary()


@lru_cache(maxsize=16)
def turns(rotary: Rotary, start: int, steps: int, count: int, dtype: np.dtype[np.floating]) -> tuple[Array, Array]:
    """Return the cosines and sines (t, m / 2) of the steps from a start, times the magnitude; the same arrays every time."""
    work = np.result_type(dtype, np.float64)  # angles of late steps have lost digits in single precision
    angle = np.arange(start, start + steps, dtype=work)[:, np.newaxis] * rotary.frequencies(count, work)
    magnitude = 1.0 if rotary.scaling is None else rotary.scaling.magnitude
    made = (magnitude * np.cos(angle)).astype(dtype), (magnitude * np.sin(angle)).astype(dtype)
    for one in made:
        one.setflags(write=False)
    return made


def rotate(x: Array, rotary: Rotary, start: int = 0, direction: Literal[1, -1] = 1) -> Array:
    """Return heads (m, t, d) turned by their steps, of which the first is that at the start, or turned back."""
    steps, size = x.shape[1:]
    count = rotary.turned(size)
    cosine, sine = turns(rotary, start, steps, count, x.real.dtype)
    first, second = pair_slices(count, rotary.interleaved)
    one, other = x[..., first], x[..., second]
    if direction == -1:
        sine = -sine
    y: Array = np.empty_like(x)
    y[..., first] = one * cosine - other * sine
    y[..., second] = one * sine + other * cosine
    y[..., count:] = x[..., count:]
    return y


def pair_slices(count: int, interleaved: bool) -> tuple[slice, slice]:
    """Return where the first and the second features of the pairs stand among the features that are turned."""
    if interleaved:
        return slice(0, count, 2), slice(1, count, 2)
    return slice(0, count // 2), slice(count // 2, count)


@frozen
class RotaryPlace:
    """Of which kind the positions are, the heads side by side, and where sequences start."""

    rotary: Rotary
    heads: int
    start: int


def head_of(place: RotaryPlace, features: int) -> int:
    """Return the features of a head, or raise."""
    if features % place.heads or not features:
        raise ValueError(f"{features} features do not make {place.heads} heads of equal size")
    return features // place.heads


def init(place: RotaryPlace, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    if len(in_shape) != 2:
        raise ValueError(f"an example has shape {in_shape}, expected (time, features)")
    place.rotary.turned(head_of(place, in_shape[1]))
    return Init((), (), in_shape)


def by_head(place: RotaryPlace, x: Array, direction: Literal[1, -1]) -> Array:
    """Return (n, t, heads d) with each head turned."""
    batch, steps, features = x.shape
    size = head_of(place, features)
    heads = x.reshape(batch, steps, place.heads, size).swapaxes(1, 2).reshape(batch * place.heads, steps, size)
    made = rotate(heads, place.rotary, place.start, direction)
    return made.reshape(batch, place.heads, steps, size).swapaxes(1, 2).reshape(x.shape)


def forward(place: RotaryPlace, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, OutputShape]:
    check_array(x, min_ndim=3)
    if x.ndim != 3:
        raise ValueError(f"the input is {describe(x)}, expected (batch, time, features)")
    return Forward(by_head(place, x, 1), state, OutputShape(x.shape))


def backward(place: RotaryPlace, params: Empty, residuals: OutputShape, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, residuals.shape)
    return Backward(params, by_head(place, dy, -1))


def check_rotary(value: Rotary, what: str) -> Rotary:
    """Return a record of rotary positions, or raise."""
    if not isinstance(value, Rotary):
        raise TypeError(f"{what} is {shown(value)}, expected fn.Rotary(...)")
    return value


def rotary_positions(rotary: Rotary = PLAIN, *, heads: int = 1, start: int = 0) -> Layer[Empty, Empty, Array, Array]:
    """Turn pairs of features of a sequence (n, t, heads d) by angles that grow with the step.

    Parameters
    ----------
    rotary : Rotary, optional
        Base, share of the features, order of the pairs, scaling.
    heads : int, optional
        How many heads stand beside one another: each is turned alike.
    start : int, optional
        The position of the first step, as for a sequence that goes on from another one.

    Returns
    -------
    Layer
        Without parameters, from a shape to the same.  For masked sequences: ``masked_steps`` does not take it, since it counts
        steps; attention does, with ``positions=``.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``init`` and ``forward``, when the features do not make pairs.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> x = np.array([[[1.0, 0.0], [1.0, 0.0]]])
    >>> fn.apply(fn.rotary_positions(), (), (), x).round(3)
    array([[[1.   , 0.   ],
            [0.54 , 0.841]]])
    """
    place = RotaryPlace(check_rotary(rotary, "rotary"), check_count(heads, "heads"), check_count(start, "start", least=0))
    return define_layer("rotary_positions", partial(init, place), partial(forward, place), partial(backward, place), random=False)
