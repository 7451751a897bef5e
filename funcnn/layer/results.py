"""What the functions of a layer give."""

from __future__ import annotations

from typing import Generic, Never, NewType, TypeVar, cast

from attrs import frozen

from funcnn.runtime.records import fast_init
from funcnn.typing import Shapes

P = TypeVar("P")  # parameter tree
S = TypeVar("S")  # state tree
X_co = TypeVar("X_co", covariant=True)  # cotangent of the input
Y = TypeVar("Y")  # output
R = TypeVar("R")  # residuals

Residuals = NewType("Residuals", object)
"""What a forward kept for its backward, with its type hidden: only the same layer's backward can read it."""


@frozen(eq=False)
class Init(Generic[P, S]):
    """What ``init`` gives: parameters, state and the shape of one output (without the batch axis)."""

    params: P
    state: S
    out_shape: Shapes


@fast_init
@frozen(eq=False)
class Forward(Generic[Y, S, R]):
    """What ``forward`` gives: the output, the next state, and the residuals for ``backward``."""

    output: Y
    state: S
    residuals: R


NOT_ASKED = object()
"""Stands in the place of the cotangent of the input where that was left out."""


@fast_init
@frozen(eq=False)
class Backward(Generic[P, X_co]):
    """What ``backward`` gives: the cotangents of the parameters and of the input."""

    params: P
    _input: X_co

    @property
    def input(self) -> X_co:
        """The cotangent of the input.

        Raises
        ------
        ValueError
            When backward was called with ``input_grad=False``.
        """
        if self._input is NOT_ASKED:
            raise ValueError("the gradient with respect to the input was not computed: ask for it with input_grad=True")
        return self._input


def backward_without_input(params: P) -> Backward[P, Never]:
    """Return the result of a backward that was told to leave out the cotangent of the input."""
    return Backward(params, cast(Never, NOT_ASKED))
