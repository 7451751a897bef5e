r"""Local response normalization across channels (Krizhevsky, Sutskever & Hinton 2012, section 3.3).

Indices: $n$ example or point (any number of leading axes), $i, j$ channel of $C$; $N(i)$ the neighbours of channel $i$,
$i - \lfloor m/2\rfloor \le j \le i + \lfloor (m-1)/2\rfloor$ for a window of $m$ channels, as far as they exist.

Forward
$$ s_{ni} = \kappa + \alpha \sum_{j \in N(i)} x_{nj}^2, \qquad y_{ni} = x_{ni}\, s_{ni}^{-\beta} $$

Derivation.  $\mathrm{d}s_{ni} = 2\alpha \sum_{j\in N(i)} x_{nj}\,\mathrm{d}x_{nj}$ and
$\mathrm{d}y_{ni} = s_{ni}^{-\beta}\,\mathrm{d}x_{ni} - \beta\, y_{ni} s_{ni}^{-1}\,\mathrm{d}s_{ni}$.  In
$\sum_{ni} \bar y_{ni}\,\mathrm{d}y_{ni}$ channel $j$ stands with every $i$ whose neighbour it is:
$$ \bar x_{nj} = \bar y_{nj}\, s_{nj}^{-\beta}
   - 2\alpha\beta\, x_{nj} \sum_{i:\, j \in N(i)} \frac{\bar y_{ni}\, y_{ni}}{s_{ni}}. $$

Both sums over neighbours are sums of shifted arrays: in the second the window is mirrored.  Where squares or powers would leave
the range of numbers, all is worked out in the next precision.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_cotangent_like, check_count, check_range
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, Shape

WIDER = {"f": "d", "F": "D", "d": "g", "D": "G"}  # types of numbers, by their letters


@frozen(eq=False)
class LocalResponseResiduals:
    """The input, the sum under the power, and the factor that it makes; of the next precision where powers leave the range."""

    x: Array  # (..., C)
    s: Array  # (..., C)
    factor: Array  # (..., C), s to the power of -beta


def init(key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    if not in_shape:
        raise ValueError("local_response_norm takes examples with a channels axis, got in_shape ()")
    return Init((), (), in_shape)


def neighbour_sums(x: Array, before: int, after: int) -> Array:
    """Return for each channel the sum over the channels from so many before it to so many after it, as far as they exist."""
    channels = x.shape[-1]
    sums: Array = x.copy()
    for shift in range(1, min(before, channels - 1) + 1):
        sums[..., shift:] += x[..., :-shift]
    for shift in range(1, min(after, channels - 1) + 1):
        sums[..., :-shift] += x[..., shift:]
    return sums


def forward(
    size: int, alpha: float, beta: float, k: float, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, LocalResponseResiduals]:
    check_array(x)
    s = neighbour_sums(x * x, size // 2, (size - 1) // 2)
    s *= alpha
    s += k  # k + alpha times the sum of squares
    wide = WIDER.get(x.dtype.char)
    if wide and not s.real.max(initial=0) < float(np.finfo(x.dtype).max) ** (0.25 / max(1.0, beta)):  # so that no power is 0
        made = forward(size, alpha, beta, k, params, state, x.astype(wide), mode)
        return Forward(made.output.astype(x.dtype), state, made.residuals)
    factor: Array = s**-beta
    return Forward(x * factor, state, LocalResponseResiduals(x, s, factor))


def backward(
    size: int, alpha: float, beta: float, params: Empty, residuals: LocalResponseResiduals, dy: Array
) -> Backward[Empty, Array]:
    check_cotangent_like(dy, residuals.x)
    x, s, factor = residuals.x, residuals.s, residuals.factor
    dx = dy * factor
    # dx = dy s^-beta - 2 alpha beta x sum(dy y / s),  the sum over the channels that see this one
    shared = neighbour_sums(dx * x / s, (size - 1) // 2, size // 2)
    shared *= x
    shared *= 2 * alpha * beta
    dx -= shared
    return Backward(params, dx.astype(dy.dtype, copy=False))


def local_response_norm(
    size: int = 5, *, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0
) -> Layer[Empty, Empty, Array, Array]:
    """Divide each channel by a power of the sum of squares of its neighbours: y = x / (k + alpha sum x^2)^beta.

    Parameters
    ----------
    size : int, optional
        How many neighbouring channels are summed, the channel itself included; an even window has one more before than after.
    alpha : float, optional
        Factor of the sum, as in the paper.  (PyTorch and Caffe divide theirs by the size: use theirs / size here.)
    beta : float, optional
        The power.
    k : float, optional
        Added to the sum, more than 0.

    Returns
    -------
    Layer
        From (..., C) to the same.  The defaults are the paper's.

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``forward``, when x is not a floating array with a batch axis.

    References
    ----------
    Krizhevsky, Sutskever & Hinton (2012), ImageNet classification with deep convolutional neural networks, section 3.3.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.local_response_norm(3, alpha=1.0, beta=1.0, k=1.0)
    >>> fn.apply(layer, (), (), np.array([[1.0, 1.0, 2.0]]))
    array([[0.33333333, 0.14285714, 0.33333333]])
    """
    size = check_count(size, "size")
    alpha = check_range(alpha, "alpha", 0, float("inf"), open_high=True)
    beta = check_range(beta, "beta", 0, float("inf"), open_high=True)
    k = check_range(k, "k", 0, float("inf"), open_low=True, open_high=True)
    settings = size, alpha, beta
    return define_layer(
        f"local_response_norm({size})", init, partial(forward, *settings, k), partial(backward, *settings), random=False
    )
