r"""Cox's partial likelihood (Cox 1972, eq. 12): who of those at risk had the event, given that one of them had.

Indices: $i, j$ rows of $n$; $\eta_i$ the score, the logarithm of the relative hazard, $t_i$ the time at which the event was seen
($\delta_i = 1$) or the row was lost from sight (censored, $\delta_i = 0$), $w$ the weights of the rows (1 if none are given).
Without ties
$$ L = \sum_i \delta_i w_i \left(\log R(t_i) - \eta_i\right), \qquad R(t) = \sum_{j : t_j \ge t} w_j e^{\eta_j} : $$
whoever is seen until $t$ or longer was at risk then.  The mean divides by $\sum_i \delta_i w_i$.

Ties.  For the $d$ events at one time, with the sum $D = \sum w_i e^{\eta_i}$ and the mean weight $\bar w$ over them (Therneau &
Grambsch 2000, section 3.3), the sum of $\log R$ becomes
$$ \bar w \sum_{k=0}^{d-1} \log\left(R - f_k D\right), \qquad
   f_k = 0 \;\text{(Breslow 1974)}, \qquad f_k = \tfrac kd \;\text{(Efron 1977)} . $$

Derivation.  With $q_{gk} = \bar w_g / (R_g - f_k D_g)$ over the times $g$ with events, $\partial R_g / \partial \eta_j = w_j
e^{\eta_j}$ where $t_j \ge t_g$, and $\partial D_g / \partial \eta_j$ the same where $j$ is one of $g$'s events:
$$ \bar\eta_j = w_j e^{\eta_j} \Big(\sum_{g : t_g \le t_j} \sum_k q_{gk} \;-\; \delta_j \sum_k f_k\, q_{g(j) k}\Big)
   - \delta_j w_j . $$

Stable form.  From the latest time to the earliest all sums are kept in units of $e^{m_g}$, with $m_g$ the largest score seen so
far, which only grows; on the way back the same ratios take the sums of $q$ along.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, TypeAlias

import numpy as np
from attrs import frozen

from funcnn.errors import check_choice, describe
from funcnn.losses.batch_rule import BatchRule, batchwise
from funcnn.losses.checks import check_plain, check_prediction, first, is_array, show
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, positive_sum
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, BoolArray, IntArray, Scalar

Ties: TypeAlias = Literal["efron", "breslow"]
"""How events at one time share what is at risk."""


@frozen(eq=False)
class SurvivalTarget:
    """The target of :func:`cox_nll`: until when each row was seen, and whether the event was what ended it.

    Parameters
    ----------
    time : array
        (n,), real numbers.
    event : array
        (n,), booleans, or integers 0 and 1: False where the row was censored.
    """

    time: Array | IntArray
    event: BoolArray | IntArray


def check(prediction: Array, target: SurvivalTarget) -> SurvivalTarget:
    check_prediction(prediction)
    if prediction.ndim > 2 or (prediction.ndim == 2 and prediction.shape[1] != 1):
        raise ValueError(f"the prediction has shape {prediction.shape}, expected (n,) or (n, 1): one score for each row")
    if not isinstance(target, SurvivalTarget):
        raise TypeError(f"target is {describe(target)}, expected a SurvivalTarget(time, event)")
    for name, array, kinds, what in (
        ("time", target.time, "iuf", "real numbers"),
        ("event", target.event, "biu", "booleans, or integers 0 and 1,"),
    ):
        if not is_array(array, kinds):
            check_plain(array, name)
            raise TypeError(f"{name} is {describe(array)}, expected {what} of shape {prediction.shape[:1]}")
        if array.shape != prediction.shape[:1]:
            raise ValueError(f"{name} has shape {array.shape}, expected {prediction.shape[:1]}: one for each row")
    wrong = ~np.isfinite(target.time)
    if wrong.any():
        raise ValueError(f"time {target.time[first(wrong)]} at row {show(first(wrong))}, expected a finite number")
    wrong = (target.event != 0) & (target.event != 1)
    if wrong.any():
        raise ValueError(f"event {target.event[first(wrong)]} at row {show(first(wrong))}, expected 0 or 1")
    return SurvivalTarget(target.time, target.event.astype(bool))


def value(ties: Ties, prediction: Array, target: SurvivalTarget, weight: Array, mean: bool) -> tuple[Scalar, Array]:
    """Return the value, and its gradient, which is at hand with it."""
    events = weight * target.event
    whole: Scalar = positive_sum(events, "weights of the events") if mean else weight.dtype.type(1)
    found, gradient = partial_likelihood(ties, prediction.reshape(-1), target, weight)
    return found / whole, (gradient / whole).reshape(prediction.shape)


def partial_likelihood(ties: Ties, scores: Array, target: SurvivalTarget, weight: Array) -> tuple[Scalar, Array]:
    """Return the sum over the events, and its gradient."""
    if not len(scores):
        return scores.dtype.type(0), scores.copy()
    order = np.argsort(-target.time.astype(np.longdouble), kind="stable")
    eta, w, event, time = scores[order], weight[order], target.event[order].astype(weight.dtype), target.time[order]
    starts = np.flatnonzero(np.concatenate([[True], time[1:] != time[:-1]]))
    group = np.cumsum(np.isin(np.arange(len(eta)), starts)) - 1
    tops = running_largest(eta)[np.append(starts[1:], len(eta)) - 1]  # of a whole group, and of all that are seen longer
    shrink = np.exp(np.append(tops[:-1] - tops[1:], 0))  # from the units of one group to those of the next
    e = w * np.exp(eta - tops[group])
    risk = np.add.reduceat(e, starts)
    for g in range(1, len(starts)):
        risk[g] += risk[g - 1] * shrink[g - 1]
    tied = np.add.reduceat(e * event, starts)
    count = np.add.reduceat(event, starts).astype(int)
    share = np.add.reduceat(w * event, starts) / np.maximum(count, 1)
    of_group = np.repeat(np.arange(len(starts)), count)
    place = np.arange(len(of_group)) - np.repeat(np.cumsum(count) - count, count)
    fraction = (place / count[of_group] if ties == "efron" else 0 * place).astype(w.dtype)
    rest = risk[of_group] - fraction * tied[of_group]
    found: Scalar = (share[of_group] * np.log(rest)).sum() + (w * np.where(event > 0, tops[group] - eta, 0)).sum()
    q: Array = share[of_group] / rest
    seen, own = np.zeros(len(starts), q.dtype), np.zeros(len(starts), q.dtype)
    np.add.at(seen, of_group, q)
    np.add.at(own, of_group, fraction * q)
    for g in range(len(starts) - 2, -1, -1):
        seen[g] += seen[g + 1] * shrink[g]
    gradient = np.empty_like(eta)
    gradient[order] = e * (seen[group] - event * own[group]) - w * event
    return found, gradient


def running_largest(eta: Array) -> Array:
    """Return the largest so far, of complex numbers by their real parts."""
    real = eta.real
    places: IntArray = np.maximum.accumulate(np.where(real == np.maximum.accumulate(real), np.arange(len(eta)), 0))
    return eta[places]


def pullback(gradient: Array) -> Array:
    return gradient.copy()


def mass(target: SurvivalTarget, weight: Array) -> float:
    """Return the weight of the events."""
    return float((weight * target.event).sum())


def cox_nll(ties: Ties = "efron", *, reduction: Reduction = "mean") -> Loss[Array, SurvivalTarget | Weighted[SurvivalTarget]]:
    """Negative logarithm of Cox's partial likelihood: scores that order the rows of a batch by how soon the event comes.

    Parameters
    ----------
    ties : {"efron", "breslow"}, optional
        How events at the same time share what is at risk.
    reduction : {"mean", "sum"}, optional
        Over the events.

    Returns
    -------
    Loss
        Of scores (n,) or (n, 1), floating, logarithms of relative hazards, and a :class:`SurvivalTarget`.  The risk sets are made
        of the rows of the batch: take large ones.  Weights (see :class:`funcnn.Weighted`) have the shape (n,); with ``"breslow"``
        a row of weight 2 is one that is there twice, with ``"efron"`` ties count by their mean weight, as in R's ``coxph``.

    Raises
    ------
    TypeError, ValueError
        When ``ties`` is another word; in ``forward``, when the scores are not floating or of another shape, times are not
        finite, events neither 0 nor 1, or, for the mean, when there is no event.

    References
    ----------
    Cox (1972), Regression models and life-tables, Journal of the Royal Statistical Society B 34.  Efron (1977), The efficiency of
    Cox's likelihood function for censored data, JASA 72.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.cox_nll(reduction="sum")
    >>> target = fn.SurvivalTarget(np.array([3.0, 1.0, 2.0]), np.array([True, True, False]))
    >>> made = loss.forward(np.zeros(3), target)
    >>> round(float(made.value), 6), round(np.log(3), 6)  # the first of three at risk; then one who is alone
    (1.098612, np.float64(1.098612))
    >>> loss.backward(made.residuals).round(6)
    array([ 0.333333, -0.666667,  0.333333])
    """
    ties = check_choice(ties, ("efron", "breslow"), "ties")
    return batchwise(f"cox_nll({ties})", BatchRule(check, partial(value, ties), pullback, mass), reduction)
