r"""Connectionist temporal classification (Graves et al. 2006, ICML, eq. 5 to 16): sequences of labels without their times.

Indices: $n$ example (left out below: each is treated alone), $t$ time of $T$, $k$ class of $C$, one of which is the blank;
$z_{tk}$ logits and $y_{tk}$ their softmax over the classes.  A path $\pi$ gives each time a class; struck of repetitions and
then of blanks it spells a sequence of labels.  The loss is minus the logarithm of the probability of all paths that spell the
target $l$ of length $L$:
$$ \ell = -\log p, \qquad p = \sum_{\pi \text{ spells } l} \prod_t y_{t \pi_t}. $$

States.  A path walks through $l'$, the labels with a blank between them and at both ends, $S = 2L + 1$ states.  From state $s$
it stays, goes on to $s + 1$, or skips a blank to $s + 2$ if $l'_{s+2}$ is no blank and not $l'_s$ again.  It begins in one of
the first two states and ends in one of the last two.  With $A_s$ the states from which $s$ is reached and $B_s$ those that are
reached from it
$$ \alpha_t(s) = y_{t l'_s} \sum_{r \in A_s} \alpha_{t-1}(r), \qquad
   \beta_t(s) = \sum_{r \in B_s} y_{t+1, l'_r}\,\beta_{t+1}(r), $$
the probabilities of all ways to $s$ at time $t$, and of all ways on from there.  Each path is in one state at each time, so
that $p = \sum_s \alpha_t(s)\,\beta_t(s)$ for any $t$. All is computed in logarithms, that of 0 being $-\infty$, and $\alpha$ and
$\beta$ each time over their largest entry, so that no digits are lost to the length of a sequence or the size of its logits; the
ratios to $p$ are then had from the sums over the states.  Where $p = 0$ there are none: the loss is infinite, its gradient NaN;
with ``zero_infinity`` both are 0.  With ``per_label`` the loss of an example is divided by $\max(L, 1)$.

Derivation.  $p$ is linear in the emissions $y_{tk}$ of one time, and those paths that are in a state of class $k$ have $y_{tk}$
as a factor.  So $\partial p / \partial \log y_{tk} = \sum_{s : l'_s = k} \alpha_t(s)\,\beta_t(s)$, and with the occupancy
$\gamma_{tk}$, this sum divided by $p$, $\mathrm{d}\ell = -\sum_{tk} \gamma_{tk}\,\mathrm{d}\log y_{tk}$.  The derivative of the
log-softmax is $\mathrm{d}\log y_{tk} = \mathrm{d}z_{tk} - \sum_j y_{tj}\,\mathrm{d}z_{tj}$, and $\sum_k \gamma_{tk} = 1$:
$$ \bar z_{tk} = (y_{tk} - \gamma_{tk})\,\bar\ell, $$
and 0 after the end of the input.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_count, check_flag, describe
from funcnn.losses.checks import check_plain, check_prediction, first, is_array
from funcnn.losses.classification.softmax_cross_entropy import certain
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced, spread
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, BoolArray, IntArray

LOG_0 = -np.inf


@frozen(eq=False)
class CTCTarget:
    """The target of :func:`ctc`: sequences of labels, padded to one length.

    Parameters
    ----------
    labels : array
        (n, L), integers; what stands after the end of a sequence is not looked at.
    label_lengths : array
        (n,), integers from 0 to L: how many labels each sequence has.
    input_lengths : array
        (n,), integers from 1 to T: how many time steps of each prediction count.
    """

    labels: IntArray
    label_lengths: IntArray
    input_lengths: IntArray


@frozen(eq=False)
class CTCResiduals:
    r"""Logarithms of the softmax and of $\alpha$, and the states: their classes, and which may be reached by skipping."""

    log_y: Array  # (n, T, C)
    log_alpha: Array  # (n, T, S)
    states: IntArray  # (n, S)
    skips: BoolArray  # (n, S)
    target: CTCTarget
    factor: Array  # (n,), what the loss is multiplied by


@frozen
class CTCOptions:
    """The class that says nothing, and what becomes of long sequences and of impossible ones."""

    blank: int
    per_label: bool
    zero_infinity: bool


def losses(options: CTCOptions, prediction: Array, target: CTCTarget) -> tuple[Array, CTCResiduals]:
    blank = options.blank
    target = check_target(options, prediction, target)
    log_y: Array = log_softmax(prediction)
    states, skips = states_of(blank, target)
    emitted = np.take_along_axis(log_y, states[:, None, :], axis=2)
    log_alpha = np.full(emitted.shape, LOG_0, log_y.dtype)
    log_scale: Array = np.empty(emitted.shape[:2], log_y.dtype)
    arriving: Array = log_alpha[:, 0].copy()
    arriving[:, :2] = 0
    for t in range(log_y.shape[1]):
        here: Array = emitted[:, t] + arriving
        log_scale[:, t] = here.max(1)
        here = below_largest(here, 1)
        log_alpha[:, t] = here
        arriving = log_sum(here, later(here, 1), np.where(skips, later(here, 2), LOG_0))
    every, last = np.arange(len(states)), 2 * target.label_lengths
    end = log_alpha[every, target.input_lengths - 1]
    log_p = log_sum(end[every, last], np.where(last > 0, end[every, np.maximum(last - 1, 0)], LOG_0))
    log_p += log_scale.cumsum(1)[every, target.input_lengths - 1]
    factor = 1 / np.maximum(last / 2 if options.per_label else 1, 1).astype(log_y.real.dtype)
    factor = np.broadcast_to(factor, len(states))
    if options.zero_infinity:
        possible = ~np.isneginf(log_p.real)
        log_p, factor = np.where(possible, log_p, 0), factor * possible
    return -log_p * factor, CTCResiduals(log_y, log_alpha, states, skips, target, factor)


def pullback(residuals: CTCResiduals, dlosses: Array) -> Array:
    log_y, states, lengths = residuals.log_y, residuals.states, residuals.target.input_lengths[:, None]
    emitted = np.take_along_axis(log_y, states[:, None, :], axis=2)
    steps, classes = log_y.shape[1:]
    from_end = np.arange(states.shape[1]) - 2 * residuals.target.label_lengths[:, None]
    at_end = np.where((from_end == 0) | (from_end == -1), 0, LOG_0).astype(log_y.real.dtype)
    log_beta = np.empty_like(residuals.log_alpha)
    leaving = at_end
    for t in range(steps - 1, -1, -1):
        log_beta[:, t] = here = np.where(t < lengths - 1, leaving, at_end)
        after = below_largest(emitted[:, t] + here, 1)
        leaving = log_sum(after, earlier(after, 1), earlier(np.where(residuals.skips, after, LOG_0), 2))
    log_both = residuals.log_alpha + log_beta
    in_state = np.exp(below_largest(log_both, 2))
    with np.errstate(invalid="ignore"):  # 0 / 0 where no path spells the target
        in_state /= in_state.sum(2)[..., None]
    of_class = (states[:, :, None] == np.arange(classes)).astype(log_y.real.dtype)
    counted = (np.arange(steps) < lengths) & (residuals.factor > 0)[:, None]
    gradient = np.where(counted[:, :, None], np.exp(log_y) - np.matmul(in_state, of_class), 0)
    gradient *= spread(dlosses * residuals.factor, 3)
    return gradient


def states_of(blank: int, target: CTCTarget) -> tuple[IntArray, BoolArray]:
    """Return the class of each state, and whether it may be reached by skipping the one before; blank after the end."""
    count, length = target.labels.shape
    states = np.full((count, 2 * length + 1), blank)
    states[:, 1::2] = np.where(np.arange(length) < target.label_lengths[:, None], target.labels, blank)
    skips = np.zeros(states.shape, bool)
    skips[:, 2:] = (states[:, 2:] != blank) & (states[:, 2:] != states[:, :-2])
    return states, skips


def log_softmax(logits: Array) -> Array:
    """Return the logarithm of the softmax over the last axis."""
    if np.isposinf(logits.real).any():
        logits = certain(logits)
    shifted = logits - np.take_along_axis(logits, logits.argmax(-1)[..., None], -1)
    normalized: Array = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return normalized


def below_largest(logs: Array, axis: int) -> Array:
    """Return logarithms with the largest along an axis at 0, or all at -infinity."""
    largest = logs.max(axis, keepdims=True)
    return logs - np.where(np.isneginf(largest.real), 0, largest)


def log_sum(*logs: Array) -> Array:
    """Return the logarithm of the sum of numbers given by their logarithms."""
    largest: Array = logs[0]
    for one in logs[1:]:
        largest = np.maximum(largest, one)
    largest = np.where(np.isneginf(largest.real), 0, largest)
    with np.errstate(divide="ignore"):
        total: Array = np.log(sum(np.exp(one - largest) for one in logs))
    return total + largest


def later(logs: Array, steps: int) -> Array:
    """Return the numbers of the states some steps before each state."""
    moved = np.full_like(logs, LOG_0)
    moved[:, steps:] = logs[:, :-steps]
    return moved


def earlier(logs: Array, steps: int) -> Array:
    """Return the numbers of the states some steps after each state."""
    moved = np.full_like(logs, LOG_0)
    moved[:, :-steps] = logs[:, steps:]
    return moved


def check_target(options: CTCOptions, prediction: Array, target: CTCTarget) -> CTCTarget:
    """Return the target in signed integers; raise unless it fits, and a path can spell each sequence in its time.

    A sequence that is too long for its input has probability 0, which ``zero_infinity`` allows.
    """
    check_prediction(prediction, 3)
    if prediction.ndim != 3 or options.blank >= prediction.shape[2]:
        raise ValueError(
            f"the prediction has shape {prediction.shape}, expected (batch, time, classes), more classes than {options.blank}"
        )
    if not isinstance(target, CTCTarget):
        raise TypeError(f"target is {describe(target)}, expected a CTCTarget(labels, label_lengths, input_lengths)")
    count, steps, classes = prediction.shape
    labels, lengths = target.labels, target.label_lengths
    for name, array, ndim in (("labels", labels, 2), ("label_lengths", lengths, 1), ("input_lengths", target.input_lengths, 1)):
        check_integers(name, array, ndim, count)
    check_lengths("label_lengths", lengths, 0, labels.shape[1])
    check_lengths("input_lengths", target.input_lengths, 1, steps)
    there = np.arange(labels.shape[1]) < lengths[:, None]
    check_spelling(labels, there, classes, options.blank)
    if not options.zero_infinity:
        check_time(target, there)
    return CTCTarget(labels.astype(np.intp), lengths.astype(np.intp), target.input_lengths.astype(np.intp))


def check_integers(name: str, array: IntArray, ndim: int, count: int) -> None:
    """Raise unless a part of a target is an array of integers of so many axes, with a row for each example."""
    if not is_array(array, "iu"):
        check_plain(array, name)
        raise TypeError(f"{name} are {describe(array)}, expected an integer array")
    if array.ndim != ndim or len(array) != count:
        raise ValueError(
            f"{name} have shape {array.shape}, expected {ndim} axes, the first of length {count} like the prediction's"
        )


def check_lengths(name: str, lengths: IntArray, low: int, high: int) -> None:
    """Raise unless every length is within its bounds."""
    wrong = (lengths < low) | (lengths > high)
    if wrong.any():
        row = first(wrong)[0]
        raise ValueError(f"{name} holds {lengths[row]} at row {row}, expected {low} to {high}")


def check_spelling(labels: IntArray, there: BoolArray, classes: int, blank: int) -> None:
    """Raise unless every label that is there is a class, and not the blank."""
    wrong = there & ((labels < 0) | (labels >= classes) | (labels == blank))
    if wrong.any():
        row, place = first(wrong)
        raise ValueError(
            f"label {labels[row, place]} at row {row}, place {place}, expected 0 to {classes - 1} ({classes} classes)"
            f" except the blank, {blank}"
        )


def check_time(target: CTCTarget, there: BoolArray) -> None:
    """Raise unless each input has a step for every label, and one more between two equal ones."""
    labels, lengths = target.labels, target.label_lengths
    needed = lengths + (there[:, 1:] & (labels[:, 1:] == labels[:, :-1])).sum(1)
    if (needed > target.input_lengths).any():
        row = first(needed > target.input_lengths)[0]
        raise ValueError(
            f"row {row} has {lengths[row]} labels, which take at least {needed[row]} time steps (with blanks between equal ones),"
            f" and its input has {target.input_lengths[row]}: leave it out, or use zero_infinity=True"
        )


def ctc(
    blank: int = 0, *, per_label: bool = False, zero_infinity: bool = False, reduction: Reduction = "mean"
) -> Loss[Array, CTCTarget | Weighted[CTCTarget]]:
    """Connectionist temporal classification: the prediction is logits in time, the target a sequence of labels without times.

    Parameters
    ----------
    blank : int, optional
        The class that says nothing.
    per_label : bool, optional
        Whether the loss of each example is divided by the number of its labels (by 1 where there are none), as the mean of
        PyTorch is; without it a long sequence counts more than a short one.
    zero_infinity : bool, optional
        Whether examples that no path can spell, as sequences that are too long for their input, have loss 0 and gradient 0; they
        count in the mean.  Without it they are an error where lengths forbid them, and infinite where logits do.
    reduction : {"mean", "sum"}, optional
        Over the examples.

    Returns
    -------
    Loss
        Of logits (n, T, C), floating, and a :class:`CTCTarget`; a weight (see :class:`funcnn.Weighted`) has the shape (n,).

    Raises
    ------
    TypeError, ValueError
        When ``blank`` is not an integer of at least 0, or an option no boolean; in ``forward``, when the prediction is not
        floating and of three axes, shapes don't fit, a label is out of its range or the blank, a sequence is too long for its
        input (without ``zero_infinity``), or the batch is empty.

    Notes
    -----
    Logits of -inf may forbid every path of a target: its loss is infinite, and its gradient, which does not exist, NaN.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.ctc()
    >>> target = fn.CTCTarget(np.array([[1, 2]]), label_lengths=np.array([2]), input_lengths=np.array([2]))
    >>> made = loss.forward(np.zeros((1, 2, 3)), target)
    >>> round(float(made.value), 12), round(2 * np.log(3), 12)
    (2.197224577336, np.float64(2.197224577336))
    >>> loss.backward(made.residuals).round(6)
    array([[[ 0.333333, -0.666667,  0.333333],
            [ 0.333333,  0.333333, -0.666667]]])
    """
    chosen = CTCOptions(
        check_count(blank, "blank", 0), check_flag(per_label, "per_label"), check_flag(zero_infinity, "zero_infinity")
    )
    shown = f"blank={chosen.blank}" + ", per_label=True" * chosen.per_label + ", zero_infinity=True" * chosen.zero_infinity
    return reduced(f"ctc({shown})", Rule(partial(losses, chosen), pullback, features=None), reduction)
