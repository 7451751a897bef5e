"""The right-hand side of a differential equation, $y' = f(y)$ or $y' = f(t, y)$: a layer, and what one step asks of it."""

from __future__ import annotations

from functools import reduce
from typing import Any, Literal, TypeAlias

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.combinators.implicit.tableau import Coefficients
from funcnn.errors import check_range, describe, shown
from funcnn.key import Key
from funcnn.layer import AnyLayer, Init, Mode, check_init, checked_shape
from funcnn.typing import Array, Scalar, Shape

Adjoint: TypeAlias = Literal["discrete", "continuous"]
Step: TypeAlias = Scalar | Array  # the length of a step, or one for each example, to be broadcast against the state


@frozen(eq=False)
class Field:
    """A layer as a right-hand side: of the state, or of the pair (state, time)."""

    inner: AnyLayer
    timed: bool

    def init(self, key: Key, in_shape: Any) -> Init[Any, Any]:
        """Make the parameters of the layer for states of a shape."""
        check_init(key, in_shape)
        shape = checked_shape(in_shape)
        made = self.inner.init(key, (shape, time_shape(shape)) if self.timed else shape)
        if made.out_shape != shape:
            raise ValueError(
                f"the right-hand side {self.inner.name} maps states of shape {shape} to {made.out_shape}, expected the same shape"
            )
        return made


def time_shape(shape: Shape) -> Shape:
    """Return the shape of the time beside states of a shape: as many axes, all of them 1 long."""
    return (1,) * len(shape)


@frozen(eq=False)
class Problem:
    """A right-hand side with all that its calls have in common."""

    field: Field
    params: Any
    state: Any
    mode: Mode

    def slope(self, t: Step, y: Array) -> Slope:
        """Return f(t, y), with what it kept and the layer's next state."""
        x: Any = (y, np.zeros((len(y), *time_shape(y.shape[1:])), y.real.dtype) + t) if self.field.timed else y
        made = self.field.inner.forward(self.params, self.state, x, self.mode)
        output: object = made.output
        if not isinstance(output, np.ndarray) or output.shape != y.shape:
            raise ValueError(
                f"the right-hand side {self.field.inner.name} gives {describe(output)}, expected the state's shape {y.shape}"
            )
        return Slope(output, made.residuals, made.state)


@frozen(eq=False)
class Slope:
    """A value of the right-hand side."""

    value: Array
    residuals: Any
    state: Any


@frozen(eq=False)
class Stages:
    """The slopes of the stages of a step, what each kept, and the input of the last one."""

    slopes: tuple[Array, ...]
    residuals: tuple[Any, ...]
    last: Array
    state: Any


def moved(y: Array, h: Step, weights: tuple[Scalar, ...], slopes: tuple[Array, ...]) -> Array:
    """Return y + h sum_j w_j k_j."""
    total = combined(weights, slopes)
    return y if total is None else y + h * total


def combined(weights: tuple[Scalar, ...], slopes: tuple[Array, ...]) -> Array | None:
    """Return sum_j w_j k_j; None where all weights are 0."""
    terms: list[Array] = [weight * slope for weight, slope in zip(weights, slopes, strict=False) if weight]
    return reduce(np.add, terms) if terms else None


def run_stages(problem: Problem, table: Coefficients, y: Array, t: Step, h: Step, first: Array | None = None) -> Stages:
    """Evaluate the stages of a step; the first slope may be known already."""
    slopes: tuple[Array, ...] = () if first is None else (first,)
    residuals: tuple[Any, ...] = () if first is None else (None,)
    state, stage = problem.state, y
    for row, c in list(zip(table.a, table.c, strict=True))[len(slopes) :]:
        stage = moved(y, h, row, slopes)
        made = problem.slope(t + c * h, stage)
        slopes += (made.value,)
        residuals += (made.residuals,)
        state = made.state
    return Stages(slopes, residuals, stage, state)


@frozen(eq=False)
class Pulled:
    """The cotangents of one call of the right-hand side."""

    params: Any
    y: Array
    t: Array | None


def pull(field: Field, params: Any, residuals: Any, dslope: Array) -> Pulled:
    """Call the backward of the right-hand side."""
    made = field.inner.backward(params, residuals, dslope)
    return Pulled(made.params, *made.input) if field.timed else Pulled(made.params, made.input, None)


def added(total: Any, grads: Any) -> Any:
    """Return a sum of gradients with one more term; None is the sum of none."""
    return grads if total is None else tree.map(np.add, total, grads)


def summed(total: Any, params: Any) -> Any:
    """Return the sum of gradients of parameters, zeros when it has no term."""
    return tree.map(np.zeros_like, params) if total is None else total


def checked_times(times: object, start: float) -> tuple[float, ...]:
    """Return the times at which the solution is wanted; raise unless they run one way from the start."""
    wanted = f"numbers that run one way from start={start:g}, such as (0.5, 1.0)"
    many: tuple[Any, ...] = tuple(times) if isinstance(times, (tuple, list)) else (times,)  # Any: looked at next
    made = [check_range(one, "times" if many[0] is times else "a number in times", -1e300, 1e300) for one in many]
    steps = np.diff((start, *made))
    if not made or not (np.all(steps > 0) or np.all(steps < 0)):
        raise ValueError(f"times is {shown(times)}, expected {wanted}")
    return tuple(made)
