r"""What a loss is: a record of two pure functions.

::

    forward(prediction, target) -> LossForward(value, residuals)
    backward(residuals)         -> dprediction

``backward`` gives the gradient of that very value with respect to the prediction.

How the values of batches make the value of the set they are taken from, a loss says by two more fields.  With reduction ``"sum"``
they are added; with ``"mean"`` they are averaged by what counts in each, its *mass* $m$: $L = \sum_b m_b L_b / \sum_b m_b$.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Literal, TypeAlias, TypeVar, cast

from attrs import field, frozen

from funcnn.errors import check_choice, check_function, shown
from funcnn.layer import Residuals, comparable
from funcnn.runtime.records import fast_init
from funcnn.typing import Scalar

Y = TypeVar("Y")  # prediction: an array, or a tree of arrays
T = TypeVar("T")  # target
R = TypeVar("R")  # residuals

Reduction: TypeAlias = Literal["mean", "sum"]
"""How the losses of the examples, and the values of batches, become one number."""


@fast_init
@frozen(eq=False)
class LossForward(Generic[R]):
    """What ``forward`` gives: the value, a NumPy number of the prediction's precision, and the residuals for ``backward``."""

    value: Scalar
    residuals: R


@frozen
class Loss(Generic[Y, T]):
    """A loss: a name and two pure functions.  Make one with :func:`define_loss`.

    Two losses made alike are equal, and a loss pickles.  Every loss of the library also takes its target with a weight for each
    example: see :class:`funcnn.Weighted`.

    Parameters
    ----------
    name : str
        What messages and tables call it.
    forward, backward : callable
        See the module's docstring.
    reduction, mass : optional
        As for :func:`define_loss`.
    """

    name: str
    forward: Callable[[Y, T], LossForward[Residuals]] = field(eq=comparable, repr=False)
    backward: Callable[[Residuals], Y] = field(eq=comparable, repr=False)
    reduction: Reduction = field(default="mean", repr=False)
    mass: Callable[[T], float] | None = field(eq=comparable, default=None, repr=False)


def check_loss(value: object) -> None:
    """Raise a TypeError unless a value is a loss."""
    if not isinstance(value, Loss):
        hint = ": a factory is called first, mean_squared_error() and not mean_squared_error" if callable(value) else ""
        raise TypeError(f"the loss is {shown(value)}, expected a loss such as fn.mean_squared_error(){hint}")


def check_reduction(reduction: Reduction) -> None:
    """Raise unless the reduction is one of the two."""
    check_choice(reduction, ("mean", "sum"), "reduction")


def define_loss(
    name: str,
    forward: Callable[[Y, T], LossForward[R]],
    backward: Callable[[R], Y],
    *,
    reduction: Reduction = "mean",
    mass: Callable[[T], float] | None = None,
) -> Loss[Y, T]:
    """Make a loss of its two functions; that they agree on the residuals is checked statically.

    Parameters
    ----------
    name : str
        What messages and tables call the loss.
    forward : callable
        ``forward(prediction, target) -> LossForward(value, residuals)``; the value is a NumPy number.
    backward : callable
        ``backward(residuals) -> dprediction``, the gradient of the value: like the prediction, and a new array each time.
    reduction : {"mean", "sum"}, optional
        Whether the value of a set of examples is the mean of the values of its batches, or their sum.
    mass : callable, optional
        ``mass(target) -> float``: how much a batch counts in that mean; without it, as much as it has rows.  A batch of mass 0
        holds nothing to learn from: :func:`fit` leaves it out.

    Returns
    -------
    Loss

    Raises
    ------
    TypeError
        When ``name`` is no text, or ``forward``, ``backward`` or ``mass`` no function.
    ValueError
        When the reduction is neither of the two.

    See Also
    --------
    funcnn.check.check_loss : proves the gradient by finite differences.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> def forward(prediction, target):
    ...     ratio = prediction / target
    ...     return fn.LossForward((ratio - np.log(ratio) - 1).mean(), (ratio, target))
    >>> def backward(residuals):
    ...     ratio, target = residuals
    ...     return (1 - 1 / ratio) / target / ratio.size
    >>> itakura_saito = fn.define_loss("itakura_saito", forward, backward)
    >>> prediction, target = np.array([[1.0], [4.0]]), np.array([[2.0], [2.0]])
    >>> made = itakura_saito.forward(prediction, target)
    >>> made.value
    np.float64(0.25)
    >>> itakura_saito.backward(made.residuals)
    array([[-0.25 ],
           [ 0.125]])
    >>> fn.check.check_loss(itakura_saito, prediction, target).ok
    True
    """
    if not isinstance(name, str):
        raise TypeError(f"name is {shown(name)}, expected a text")
    check_function(forward, "forward", "a function (prediction, target) -> LossForward")
    check_function(backward, "backward", "a function of the residuals")
    if mass is not None:
        check_function(mass, "mass", "a function of the target, or None")
    check_reduction(reduction)
    hidden = cast("Callable[[Y, T], LossForward[Residuals]]", forward)
    return Loss(name, hidden, cast("Callable[[Residuals], Y]", backward), reduction, mass)
