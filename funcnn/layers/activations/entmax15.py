r"""Entmax with $\alpha = 1.5$ (Peters, Niculae & Martins 2019, arXiv:1905.05702): between softmax and sparsemax.

Indices: $i, j$ position along the axis, every other axis is a batch axis; $z = x / 2$, $z_{(1)} \ge z_{(2)} \ge \dots$ sorted,
and $S$ is the *support*, the positions with $y_i > 0$.

Forward (algorithm 2).  With the mean $m_k$ of the $k$ largest and the sum $d_k$ of the squares of their deviations from it
$$ y_i = \max(z_i - \tau, 0)^2, \qquad \tau = m_k - \sqrt{\tfrac1k (1 - d_k)}, \qquad
   k = \max \big\{ k : d_k \le 1,\ m_k - \sqrt{\tfrac1k (1 - d_k)} \le z_{(k)} \big\} : $$
$\sum_i y_i = 1$ is a quadratic equation for $\tau$.  The largest input is subtracted first; inputs more than 2 below it are
outside.

Derivation.  Let $s_i = \sqrt{y_i} = \max(z_i - \tau, 0)$.  On the support $\mathrm{d}y_i = 2 s_i (\tfrac12 \mathrm{d}x_i -
\mathrm{d}\tau)$, and $\sum_i \mathrm{d}y_i = 0$ gives $\mathrm{d}\tau = \tfrac12 \sum_j s_j\,\mathrm{d}x_j / \sum_j s_j$.  This
map is symmetric:
$$ \bar x_i = s_i \Big(\bar y_i - \frac{\sum_j s_j\, \bar y_j}{\sum_j s_j}\Big) . $$
It is continuous, also where the support changes.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent_like
from funcnn.kernels.arrays import constant, dot_last, positive_part, sum_last
from funcnn.kernels.simplex import below_largest, entmax15_threshold
from funcnn.layer import Backward, Forward, Layer, Mode, define_layer
from funcnn.layers.activations.softmax import along, back, check_axis, check_lines, init
from funcnn.typing import Array, Empty


@frozen(eq=False)
class EntmaxResiduals:
    """The roots of the output."""

    roots: Array  # of the input's shape


def forward(axis: int, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, EntmaxResiduals]:
    check_lines(axis, x)
    z = below_largest(along(axis, x) / constant(2, x.dtype))
    roots = positive_part(z - entmax15_threshold(z))
    kept = back(axis, roots, x.shape)
    return Forward(kept * kept, state, EntmaxResiduals(kept))


def backward(axis: int, params: Empty, residuals: EntmaxResiduals, dy: Array) -> Backward[Empty, Array]:
    check_cotangent_like(dy, residuals.roots)
    g, roots = along(axis, dy), along(axis, residuals.roots)
    mean = dot_last(roots, g) / sum_last(roots)
    return Backward(params, back(axis, roots * (g - mean[:, np.newaxis]), dy.shape))


def entmax15(axis: int = -1) -> Layer[Empty, Empty, Array, Array]:
    """Entmax 1.5: numbers that are not negative, some of them 0, and sum to 1 along an axis (Peters et al. 2019).

    Parameters
    ----------
    axis : int, optional
        Axis of the input array, the batch axis being 0: negative, or at least 1.

    Returns
    -------
    Layer
        From any shape to the same.

    Raises
    ------
    ValueError
        When the axis is the batch axis or, in ``init``, does not exist.
    TypeError
        When the axis is not an integer; in ``forward``, when x is not a floating array.

    See Also
    --------
    sparsemax, softmax : entmax 2 and entmax 1.

    References
    ----------
    Peters, Niculae & Martins (2019), Sparse sequence-to-sequence models, arXiv:1905.05702.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.entmax15(), (), (), np.array([[0.0, 0.0, -3.0], [1.0, 0.5, 0.0]])).round(4)
    array([[0.5   , 0.5   , 0.    ],
           [0.6242, 0.2917, 0.0841]])
    """
    axis = check_axis(axis)
    return define_layer(f"entmax15({axis})", partial(init, axis), partial(forward, axis), partial(backward, axis), random=False)
