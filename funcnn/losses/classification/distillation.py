r"""Distillation: a student learns the probabilities of a teacher (Hinton et al. 2015, arXiv:1503.02531, section 2).

Indices: $n$ row (any number of leading axes), $c$ class.  With the student's logits $z$, the teacher's $t$, a temperature $T$,
$p = \operatorname{softmax}(z / T)$ and $q = \operatorname{softmax}(t / T)$
$$ \ell_n = T^2 \sum_c q_{nc} \log \frac{q_{nc}}{p_{nc}} . $$

Derivation.  That of the cross-entropy of softmax, with $z / T$ for the logits:
$$ \bar z_{nc} = T\,(p_{nc} - q_{nc})\,\bar\ell_n . $$
The factor $T^2$ keeps the size of the gradients where the temperature changes.

Stable form.  With $d_c = \log p_c - \log q_c$ and because both sum to 1, $\sum_c q_c \log \frac{q_c}{p_c} = \sum_c \left(q_c
(e^{d_c} - 1) - q_c d_c\right)$, whose terms are not negative: where student and teacher are close, nothing is left to cancel.
Far apart $q_c e^{d_c}$ is $p_c$.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_range
from funcnn.losses.checks import check_pair
from funcnn.losses.limits import row_totals
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced, spread
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


@frozen(eq=False)
class DistillationResiduals:
    """Student's probabilities minus the teacher's."""

    difference: Array


def log_probabilities(logits: Array) -> Array:
    """Return the logarithm of the softmax over the last axis."""
    shifted = logits - logits.real.max(-1, keepdims=True)
    logs: Array = shifted - np.log(row_totals(np.exp(shifted)))[..., None]
    return logs


def losses(temperature: float, prediction: Array, target: Array) -> tuple[Array, DistillationResiduals]:
    target = check_pair(prediction, target, 2)
    student, teacher = log_probabilities(prediction / temperature), log_probabilities(target / temperature)
    p, q = np.exp(student), np.exp(teacher)
    d: Array = np.where(
        q == 0, 0, student - teacher
    )  # a class that the teacher rules out costs nothing but what others lose to it
    near = np.abs(d.real) < 1
    excess = np.where(near, q * (np.expm1(np.where(near, d, 0)) - d), p - q - q * d)
    difference = np.where(near, q * np.expm1(np.where(near, d, 0)), p - q)
    difference = np.where(q == 0, p, difference)
    return row_totals(np.where(q == 0, p, excess)) * temperature**2, DistillationResiduals(difference * temperature)


def pullback(residuals: DistillationResiduals, dlosses: Array) -> Array:
    return residuals.difference * spread(dlosses, residuals.difference.ndim)


def distillation(temperature: float = 1.0, *, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    r"""Divergence of a student's softmax from a teacher's, both of logits over a temperature.

    Parameters
    ----------
    temperature : float, optional
        Positive; above 1 the teacher's small probabilities count more.  The loss is multiplied by its square.
    reduction : {"mean", "sum"}, optional
        Over the rows.

    Returns
    -------
    Loss
        Of the student's logits and, as the target, the teacher's, floating arrays of one shape (n, ..., C).  Weights (see
        :class:`funcnn.Weighted`) have the shape (n,) or up to (n, ...).

    Raises
    ------
    TypeError, ValueError
        When the temperature is not positive; in ``forward``, when the two are not floating arrays of one shape, or the batch is
        empty.

    Notes
    -----
    The target is a constant, as for every loss: no gradient reaches the teacher.  Run it beforehand, with
    ``fn.apply(teacher, params, state, x)``.  A teacher that is to learn too gives its logits as a second part of the prediction,
    ``fn.branch(student, teacher)``, for a loss of such a pair of one's own (:func:`funcnn.define_loss`).

    References
    ----------
    Hinton et al. (2015), Distilling the knowledge in a neural network, arXiv:1503.02531.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.distillation(2.0)
    >>> made = loss.forward(np.array([[0.0, 0.0]]), np.array([[2.0, 0.0]]))
    >>> round(float(made.value), 6)
    0.443776
    >>> loss.backward(made.residuals).round(6)
    array([[-0.462117,  0.462117]])
    """
    temperature = check_range(temperature, "temperature", 0, np.inf, open_low=True, open_high=True)
    rule = Rule(partial(losses, temperature), pullback, features=1)
    return reduced(f"distillation({temperature:g})", rule, reduction)
