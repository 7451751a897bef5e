r"""The losses of single examples, before they become one number, and the gradient for any cotangent of them.

Forward, with the weights $w$ of a :class:`funcnn.Weighted` target (1 where none are given)
$$ v_n = w_n\, \ell_n(p, t) . $$

Derivation.  $\mathrm{d}v_n = w_n\,\mathrm{d}\ell_n$, and so $\bar\ell_n = w_n \bar v_n$, which the loss's own pullback takes to
$\bar p$.  With $\bar v_n = 1$ it is the gradient of the sum.  An example of weight 0, or of the label to ignore, is left out: its
value is 0, and its gradient.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np
from attrs import frozen

from funcnn.errors import describe, is_plain
from funcnn.losses import reduction
from funcnn.losses.checks import check_finite
from funcnn.losses.limits import narrowed, widened
from funcnn.losses.loss import Loss, check_loss
from funcnn.losses.reduction import Rule, check_weight, scatter, select, spread
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, BoolArray

Y = TypeVar("Y")  # prediction: an array, or a tree of arrays
T = TypeVar("T")  # target
Y_co = TypeVar("Y_co", covariant=True)


@frozen(eq=False)
class PerExampleResiduals(Generic[Y_co]):
    """What the losses kept, the weights, which examples count, and the prediction, for the shape of its gradient."""

    kept: Any  # Any: the loss's own residuals
    weight: Array | None  # with axes of length 1 for those that it does not have
    counted: BoolArray | None
    prediction: Y_co
    wide: bool
    losses: Array  # for the shape and the precision of their cotangent


@frozen(eq=False)
class PerExampleForward(Generic[Y_co]):
    """What ``forward`` gives: a loss for each entry, row or example, as the loss has them, and the residuals for ``backward``."""

    losses: Array
    residuals: PerExampleResiduals[Y_co]


@frozen
class PerExampleLosses(Generic[Y, T]):
    """What :func:`per_example_losses` returns: two pure functions; called like a function it gives the losses alone."""

    loss: Loss[Y, T]

    def __call__(self, prediction: Y, target: T) -> Array:
        """Return the losses of the examples."""
        return self.forward(prediction, target).losses

    def forward(self, prediction: Y, target: T) -> PerExampleForward[Y]:
        """Return the losses, and what the gradient needs; raises what the loss raises."""
        rule, entries, weight = rule_of(self.loss), target, None
        if isinstance(target, Weighted):
            entries = target.target
            weight = check_weight(target.weight, prediction, rule.features)
        if rule.mask is not None:
            mask = rule.mask(prediction, entries)
            weight = mask.astype(float) if weight is None else spread(weight, mask.ndim) * mask
        counted: BoolArray | None = None if weight is None or (weight > 0).all() else weight > 0
        chosen, wanted = prediction, entries
        if counted is not None:
            assert weight is not None  # it says what counts
            chosen, wanted, weight = select(prediction, counted), select(entries, counted), weight[counted]
        each, kept, wide = _losses(rule, chosen, wanted)
        if weight is not None:
            weight = weight.reshape(weight.shape + (1,) * (each.ndim - weight.ndim)).astype(each.real.dtype)
            each = each * weight
        if counted is not None:
            full: Array = np.zeros(counted.shape + each.shape[1:], each.dtype)
            full[counted] = each
            each = full
        return PerExampleForward(each, PerExampleResiduals(kept, weight, counted, prediction, wide, each))

    def backward(self, residuals: PerExampleResiduals[Y], dlosses: Array) -> Y:
        """Return the gradient with respect to the prediction for a cotangent of the losses.

        Raises
        ------
        TypeError, ValueError
            When the cotangent is not a floating array of the losses' shape.
        """
        gradient: Y = _pulled(rule_of(self.loss), residuals, dlosses)
        return gradient


def per_example_losses(loss: Loss[Y, T]) -> PerExampleLosses[Y, T]:
    """Return the losses of single examples as a function of its own, with a gradient for any cotangent of them.

    What other libraries call ``reduction="none"``: which rows are hard, losses that are clipped, sorted or weighted by something
    of either sign, such as the advantage of a policy gradient.

    Parameters
    ----------
    loss : Loss
        One of the library's, whose examples do not depend on one another; its own reduction is left out.

    Returns
    -------
    PerExampleLosses
        ``forward(prediction, target)`` gives ``losses`` and ``residuals``, ``backward(residuals, dlosses)`` the gradient.  The
        losses are those that the loss takes the mean of: of single entries, (n, ...), of rows, or of examples, (n,).  With a
        :class:`Weighted` target they are multiplied by the weights, and 0 where the weight is; so they are where a label is to
        be ignored.  Their sum is what the loss gives with ``reduction="sum"``.

    Raises
    ------
    TypeError
        When it is no loss, or none of single examples.

    See Also
    --------
    per_example_grads : the gradients of single examples with respect to parameters.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> each = fn.per_example_losses(fn.softmax_cross_entropy())
    >>> logits, labels = np.array([[2.0, 0.0], [0.0, 0.0]]), np.array([0, 1])
    >>> made = each.forward(logits, labels)
    >>> made.losses.round(3)
    array([0.127, 0.693])

    A policy gradient: rewards above and below what was expected.

    >>> each.backward(made.residuals, np.array([1.0, -1.0])).round(3)
    array([[-0.119,  0.119],
           [-0.5  ,  0.5  ]])
    """
    check_loss(loss)
    rule_of(loss)
    return PerExampleLosses(loss)


def rule_of(loss: Loss[Any, Any]) -> Rule[Any, Any, Any]:
    """Return the losses of single examples and their pullback, or raise when a loss has none."""
    function: Any = loss.forward
    if not (isinstance(function, partial) and function.func is reduction.forward):
        raise TypeError(
            f"the loss {loss.name} has no losses of single examples: it compares the examples of a batch with each other, or is"
            " one of your own, whose forward gives one number"
        )
    rule: Rule[Any, Any, Any] = function.args[0]
    return rule


def _losses(rule: Rule[Any, Any, Any], prediction: Any, target: Any) -> tuple[Array, Any, bool]:
    """Return the losses, what they kept, and whether it is in the next wider precision, since they were not finite."""
    each, kept = rule.losses(prediction, target)
    if np.isfinite(each).all():
        return each, kept, False
    check_finite(target)
    dtype = each.dtype
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        each, kept = (rule.limits or rule.losses)(widened(prediction), target)
        return each.astype(dtype), kept, True


def _pulled(rule: Rule[Y, Any, Any], residuals: PerExampleResiduals[Y], dlosses: Array) -> Y:
    counted = residuals.counted
    if not is_plain(dlosses) or dlosses.dtype.kind != "f":
        raise TypeError(f"dlosses is {describe(dlosses)}, expected a floating array of the losses' shape")
    if dlosses.shape != residuals.losses.shape:
        raise ValueError(f"dlosses has shape {dlosses.shape}, expected {residuals.losses.shape}, that of the losses")
    dlosses = dlosses.astype(residuals.losses.dtype)
    if counted is not None:
        dlosses = dlosses[counted]
    if residuals.weight is not None:
        dlosses = dlosses * residuals.weight
    if residuals.wide:
        kept = select(residuals.prediction, counted) if counted is not None else residuals.prediction
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            gradient = narrowed(rule.pullback(residuals.kept, dlosses), kept)
    else:
        gradient = rule.pullback(residuals.kept, dlosses)
    return gradient if counted is None else scatter(gradient, counted, residuals.prediction)
