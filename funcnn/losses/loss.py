"""What a loss is: a record of two pure functions.

::

    forward(prediction, target) -> LossForward(value, residuals)
    backward(residuals)         -> dprediction

``backward`` gives the gradient of that very value with respect to the prediction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar, cast

from attrs import field, frozen

from funcnn.layer import Residuals, comparable
from funcnn.typing import Scalar

Y = TypeVar("Y")
T = TypeVar("T")
R = TypeVar("R")


@frozen(eq=False)
class LossForward(Generic[R]):
    """What a loss's ``forward`` gives: its value, a number of the prediction's precision, and the residuals for ``backward``."""

    value: Scalar
    residuals: R


@frozen
class Loss(Generic[Y, T]):
    """A loss: a name and two pure functions.  Make one with :func:`define_loss`."""

    name: str
    forward: Callable[[Y, T], LossForward[Residuals]] = field(eq=comparable, repr=False)
    backward: Callable[[Residuals], Y] = field(eq=comparable, repr=False)


def define_loss(name: str, forward: Callable[[Y, T], LossForward[R]], backward: Callable[[R], Y]) -> Loss[Y, T]:
    hidden = cast("Callable[[Y, T], LossForward[Residuals]]", forward)
    return Loss(name, hidden, cast("Callable[[Residuals], Y]", backward))
