r"""Fenchel-Young losses of maps with exact zeros: the sparsemax loss and the entmax-1.5 loss.

Indices: $n$ row (any number of leading axes, left out below), $c$ class of $C$; $z$ scores, $q$ target probabilities (1 at the
label and 0 elsewhere where there are labels), $p$ the probabilities that the scores make.  For a convex $\Omega$ on the simplex
(Blondel, Martins & Niculae 2020, arXiv:1901.02324, definition 2)
$$ \ell = \Omega^*(z) + \Omega(q) - \langle z, q \rangle, \qquad p = \arg\max_p \langle z, p \rangle - \Omega(p) . $$
$\Omega = \tfrac12 |p|^2$ makes $p$ the sparsemax (Martins & Astudillo 2016, arXiv:1602.02068, section 3.2), and
$\Omega = \tfrac43 \sum_c (p_c^{3/2} - p_c)$ the entmax 1.5 (Peters, Niculae & Martins 2019, arXiv:1905.05702).

Derivation.  The maximum $\Omega^*$ has the derivative $p$ (Danskin), and so $\bar z = (p - q)\,\bar\ell$: it is exactly 0 where
class and target are both without probability, and the loss is 0 once the margin is large enough.

Stable form.  The definition subtracts what is nearly equal.  With the threshold $\tau$, $u = z - \tau$ and $p = \max(u, 0)$ the
scores are $\nabla\Omega(p)$ up to a constant where $p_c > 0$, and below it by $-u_c$ elsewhere, so that the loss is the Bregman
divergence of $q$ from $p$ and what is missing outside the support: sums of terms that are not negative,
$$ \ell = \tfrac12 \sum_c (q_c - p_c)^2 + \sum_c q_c \max(-u_c, 0) . $$
For entmax, with $u = z / 2 - \tau$, $b = \max(u, 0)$, $p = b^2$ and $a = \sqrt q$, the divergence of one entry is
$\tfrac43 (a^3 - \tfrac32 a^2 b + \tfrac12 b^3)$, which is $\tfrac43 (a - b)^2 (a + \tfrac b2)$:
$$ \ell = \tfrac43 \sum_c (a_c - b_c)^2 (a_c + \tfrac12 b_c) + 2 \sum_c q_c \max(-u_c, 0) . $$
"""

import numpy as np
from attrs import frozen

from funcnn.kernels.arrays import as_matrix, positive_part
from funcnn.kernels.simplex import below_largest, entmax15_threshold, sparsemax_threshold
from funcnn.losses.classification.softmax_cross_entropy import Labels, certain, soften
from funcnn.losses.limits import row_totals, times
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced, spread
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


@frozen(eq=False)
class FenchelYoungResiduals:
    """The probabilities of the prediction and those of the target."""

    probabilities: Array  # (..., C)
    target: Array  # (..., C)


def sparsemax_losses(prediction: Array, target: Labels) -> tuple[Array, FenchelYoungResiduals]:
    q = soften(0.0, None, prediction, target)
    z = as_matrix(prediction)
    u = (z - z.max(1, keepdims=True) - sparsemax_threshold(below_largest(z))).reshape(prediction.shape)
    p = positive_part(u)
    each = row_totals((q - p) ** 2) / 2 + row_totals(times(q, positive_part(-u)))
    return each, FenchelYoungResiduals(p, q)


def entmax15_losses(prediction: Array, target: Labels) -> tuple[Array, FenchelYoungResiduals]:
    q = soften(0.0, None, prediction, target)
    z = as_matrix(prediction) / 2
    u = (z - z.max(1, keepdims=True) - entmax15_threshold(below_largest(z))).reshape(prediction.shape)
    a, b = np.sqrt(q), positive_part(u)
    each = 4 * row_totals((a - b) ** 2 * (a + b / 2)) / 3 + 2 * row_totals(times(q, positive_part(-u)))
    return each, FenchelYoungResiduals(b * b, q)


def sparsemax_limits(prediction: Array, target: Labels) -> tuple[Array, FenchelYoungResiduals]:
    """Return the same at infinite scores too."""
    return sparsemax_losses(certain(prediction), target)


def entmax15_limits(prediction: Array, target: Labels) -> tuple[Array, FenchelYoungResiduals]:
    """Return the same at infinite scores too."""
    return entmax15_losses(certain(prediction), target)


def pullback(residuals: FenchelYoungResiduals, dlosses: Array) -> Array:
    return (residuals.probabilities - residuals.target) * spread(dlosses, residuals.target.ndim)


def sparsemax_loss(*, reduction: Reduction = "mean") -> Loss[Array, Labels | Weighted[Labels]]:
    """Loss whose probabilities are ``sparsemax(prediction)``: 0, with gradient 0, once the label leads by a margin of 1.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over the rows.

    Returns
    -------
    Loss
        Of scores (n, ..., C), floating, and either labels 0 to C - 1, (n, ...), integers, or probabilities (n, ..., C),
        floating, whose rows sum to 1. Weights (see :class:`funcnn.Weighted`) have the shape (n,) or up to that of the labels.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when labels are not integers from 0 to C - 1, one for each row, when probabilities are negative or
        don't sum to 1, when the prediction is not floating, or no row is left.

    See Also
    --------
    sparsemax : the layer that gives the probabilities, for use after training.

    References
    ----------
    Martins & Astudillo (2016), From softmax to sparsemax, arXiv:1602.02068.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.sparsemax_loss()
    >>> made = loss.forward(np.array([[0.5, 0.0, -3.0], [2.0, 0.0, 0.0]]), np.array([1, 0]))
    >>> made.value
    np.float64(0.28125)
    >>> loss.backward(made.residuals)
    array([[ 0.375, -0.375,  0.   ],
           [ 0.   ,  0.   ,  0.   ]])
    """
    return reduced("sparsemax_loss", Rule(sparsemax_losses, pullback, features=1, limits=sparsemax_limits), reduction)


def entmax15_loss(*, reduction: Reduction = "mean") -> Loss[Array, Labels | Weighted[Labels]]:
    """Loss whose probabilities are ``entmax15(prediction)``: 0, with gradient 0, once the label leads by a margin of 2.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over the rows.

    Returns
    -------
    Loss
        Of scores (n, ..., C), floating, and either labels 0 to C - 1, (n, ...), integers, or probabilities (n, ..., C),
        floating, whose rows sum to 1. Weights (see :class:`funcnn.Weighted`) have the shape (n,) or up to that of the labels.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when labels are not integers from 0 to C - 1, one for each row, when probabilities are negative or
        don't sum to 1, when the prediction is not floating, or no row is left.

    See Also
    --------
    entmax15 : the layer that gives the probabilities, for use after training.

    References
    ----------
    Peters, Niculae & Martins (2019), Sparse sequence-to-sequence models, arXiv:1905.05702.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.entmax15_loss()
    >>> made = loss.forward(np.array([[0.0, 0.0, -3.0]]), np.array([1]))
    >>> round(float(made.value), 6)
    0.390524
    >>> loss.backward(made.residuals)
    array([[ 0.5, -0.5,  0. ]])
    """
    return reduced("entmax15_loss", Rule(entmax15_losses, pullback, features=1, limits=entmax15_limits), reduction)
