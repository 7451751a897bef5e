r"""Sparsemax (Martins & Astudillo 2016, arXiv:1602.02068): the nearest point of the probability simplex.

Indices: $i, j$ position along the axis, every other axis is a batch axis; $x_{(1)} \ge x_{(2)} \ge \dots$ are the sorted
inputs, and $S$ is the *support*, the positions with $y_i > 0$.

Forward (eq. 2 and algorithm 1)
$$ y_i = \max(x_i - \tau, 0), \qquad \tau = \frac1k \Big(\sum_{j \le k} x_{(j)} - 1\Big), \qquad
   k = \max \Big\{ k : 1 + k\,x_{(k)} > \sum_{j \le k} x_{(j)} \Big\}. $$
The largest input is subtracted first, which moves $\tau$ and changes nothing else: then $-1 \le \tau < 0$, and inputs below it
may as well be -2, so that sums of large ones neither overflow nor lose digits.

Derivation (eq. 10 and 14).  While the support stays, $\tau$ is linear in the inputs on it,
$\mathrm{d}y_i = \mathrm{d}x_i - \mathrm{d}\tau$ for $i \in S$ with $\mathrm{d}\tau = \frac1k \sum_{j \in S} \mathrm{d}x_j$, and 0
elsewhere.  This matrix is symmetric:
$$ \bar x_i = [i \in S] \Big(\bar y_i - \frac1k \sum_{j \in S} \bar y_j\Big). $$
Where $x_i = \tau$ there is a kink, and $i$ is counted as outside.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent_like
from funcnn.kernels.arrays import dot_last, positive_part, sum_last
from funcnn.kernels.simplex import below_largest, sparsemax_threshold
from funcnn.layer import Backward, Forward, Layer, Mode, define_layer
from funcnn.layers.activations.softmax import along, back, check_axis, check_lines, init
from funcnn.typing import Array, Empty


@frozen(eq=False)
class SparsemaxResiduals:
    """The output, which tells the support."""

    y: Array


def forward(axis: int, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, SparsemaxResiduals]:
    check_lines(axis, x)
    z = below_largest(along(axis, x))
    y = positive_part(z - sparsemax_threshold(z))
    output = back(axis, y, x.shape)
    return Forward(output, state, SparsemaxResiduals(output))


def backward(axis: int, params: Empty, residuals: SparsemaxResiduals, dy: Array) -> Backward[Empty, Array]:
    check_cotangent_like(dy, residuals.y)
    g = along(axis, dy)
    support: Array = (along(axis, residuals.y) > 0).astype(g.dtype)
    mean = dot_last(support, g) / sum_last(support)
    return Backward(params, back(axis, support * (g - mean[:, np.newaxis]), dy.shape))


def sparsemax(axis: int = -1) -> Layer[Empty, Empty, Array, Array]:
    """Sparsemax: numbers that are not negative, most of them 0, and sum to 1 along an axis (Martins & Astudillo 2016).

    Parameters
    ----------
    axis : int, optional
        Axis of the input array, the batch axis being 0: negative, or at least 1.

    Returns
    -------
    Layer
        From any shape to the same.  An entry that is just at the border of the support counts as outside it.

    Raises
    ------
    ValueError
        When the axis is the batch axis or, in ``init``, does not exist.
    TypeError
        When the axis is not an integer; in ``forward``, when x is not a floating array.

    References
    ----------
    Martins & Astudillo (2016), From softmax to sparsemax, arXiv:1602.02068.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.sparsemax(), (), (), np.array([[0.0, 0.0, -2.0], [1.0, 0.5, 0.0]]))
    array([[0.5 , 0.5 , 0.  ],
           [0.75, 0.25, 0.  ]])
    """
    axis = check_axis(axis)
    return define_layer(f"sparsemax({axis})", partial(init, axis), partial(forward, axis), partial(backward, axis), random=False)
