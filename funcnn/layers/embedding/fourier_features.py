r"""Random Fourier features of coordinates (Tancik et al. 2020, arXiv:2006.10739, eq. 5).

Indices: $n$ example or point (any number of leading axes), $d$ coordinate of $D$, $j$ frequency of $J$.

Forward, with frequencies $B_{dj}$ that are drawn once and stay
$$ z_{nj} = 2\pi \sum_d x_{nd} B_{dj}, \qquad y_n = [\cos z_n, \sin z_n] . $$

Derivation.  $\mathrm{d}\cos z = -\sin z\,\mathrm{d}z$ and $\mathrm{d}\sin z = \cos z\,\mathrm{d}z$:
$$ \bar z_{nj} = \cos z_{nj}\,\bar y_{n,J+j} - \sin z_{nj}\,\bar y_{nj}, \qquad \bar x_{nd} = 2\pi \sum_j \bar z_{nj} B_{dj} . $$
The frequencies are state: they are saved with the network, and nothing is differentiated with respect to them.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_cotangent, check_count, check_has_features, check_range, describe
from funcnn.kernels.arrays import as_matrix, in_dtype_of, matmul_last, matmul_last_transposed
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, Shape

TURN = np.longdouble("6.283185307179586476925286766559005768394")
"""2 pi."""


@read_only_again
@frozen(eq=False)
class FourierFrequencies:
    """State of Fourier features: what is drawn once."""

    frequencies: Array  # (D, J)


@frozen(eq=False)
class FourierResiduals:
    """The output, which holds both functions, and the frequencies times 2 pi."""

    y: Array  # (..., 2 J)
    turns: Array  # (D, J)


def init(count: int, std: float, key: Key, in_shape: Shape) -> Init[Empty, FourierFrequencies]:
    check_has_features(in_shape, "fourier_features")
    frequencies = key.child(0).generator().normal(0.0, std, (in_shape[-1], count))
    return Init((), FourierFrequencies(frequencies), (*in_shape[:-1], 2 * count))


def forward(
    params: Empty, state: FourierFrequencies, x: Array, mode: Mode
) -> Forward[Array, FourierFrequencies, FourierResiduals]:
    check_array(x)
    if x.shape[-1] != len(state.frequencies):
        raise ValueError(f"the input is {describe(x)}, expected {len(state.frequencies)} coordinates in its last axis")
    frequencies = in_dtype_of(state.frequencies, x)
    turns = frequencies * x.real.dtype.type(TURN)
    z = matmul_last(x, turns)
    y = np.concatenate([np.cos(z), np.sin(z)], axis=-1)
    return Forward(y, FourierFrequencies(frequencies), FourierResiduals(y, turns))


def backward(params: Empty, residuals: FourierResiduals, dy: Array) -> Backward[Empty, Array]:
    y, turns = residuals.y, residuals.turns
    check_cotangent(dy, y.shape, y.dtype)
    half = y.shape[-1] // 2
    dz = y[..., :half] * dy[..., half:] - y[..., half:] * dy[..., :half]
    return Backward(params, matmul_last_transposed(as_matrix(dz), turns).reshape(*y.shape[:-1], len(turns)))


def fourier_features(count: int, *, std: float = 1.0) -> Layer[Empty, FourierFrequencies, Array, Array]:
    """Cosines and sines of coordinates along random directions: (..., D) to (..., 2 count).

    Networks of coordinates learn fine detail by them, the finer the larger the frequencies.

    Parameters
    ----------
    count : int
        How many frequencies J are drawn.
    std : float, optional
        Their standard deviation, in turns for each unit of a coordinate.

    Returns
    -------
    Layer
        Without parameters; the frequencies are its state, which is saved with the network and never trained.

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``forward``, when x has another number of coordinates.

    References
    ----------
    Tancik et al. (2020), Fourier features let networks learn high frequency functions in low dimensional domains,
    arXiv:2006.10739.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.fourier_features(64, std=10.0)
    >>> start = layer.init(fn.Key(0), (2,))
    >>> fn.apply(layer, start.params, start.state, np.zeros((5, 2))).shape
    (5, 128)
    """
    count = check_count(count, "count")
    std = check_range(std, "std", 0, float("inf"), open_high=True)
    return define_layer(f"fourier_features({count})", partial(init, count, std), forward, backward, random=False)
