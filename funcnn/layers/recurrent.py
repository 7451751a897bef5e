r"""What recurrent layers share: what they take and give, and the products that need not wait for the step before.

A recurrent layer maps a sequence (n, t, i) to the sequence of its hidden states (n, t, h).  Three things vary, and each
factory has them: the steps may be *masked* (:class:`funcnn.Masked`); the *initial* state may be given, as a pair (sequence,
state), instead of zeros (:func:`funcnn.trained_start` learns it); and the *final* state may be given back, as a pair (sequence,
state).  The last step alone is had by ``>> fn.last_step()``.

At a step that is masked the state stays as it is and the output is 0, so that padding changes nothing, wherever it lies and
whatever stands in it.

Layout.  Inside, time is the leading axis and examples are columns: a state is (h, n), the gates of one step (g, n).  Then every
gate is a block of rows, contiguous in memory, and in $U^\top h$ the large matrix is the left operand and as it lies, which a BLAS
multiplies half again as fast as $h U$.

Each product of a step waits for the step before and is small, so these run on one thread: to have several meet for each would
cost more than they bring.  The products over all steps, of the input before the loop and of the weights' cotangents after it,
are the large ones; they run side by side on several.

The bias is the weight of a further input that is always 1, $\tilde x = [x, 1]$: so it costs no pass over the gates, and neither
does its cotangent, the last row of $\sum_t \tilde x_t^\top \bar z_t$.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_features, check_flag, describe
from funcnn.masked import Masked, cleared
from funcnn.numerics import project, rows
from funcnn.threads import together
from funcnn.typing import Array, BoolArray, Shapes

Yes: TypeAlias = Literal[True]
No: TypeAlias = Literal[False]

LARGE = 2**24
"""Multiplications of a matrix product from which it is divided between threads: some hundred microseconds' worth."""


@frozen
class Ends:
    """What a recurrent layer takes and gives beside a plain sequence."""

    masked: bool
    initial: bool
    final: bool

    def __attrs_post_init__(self) -> None:
        check_flag(self.masked, "masked")
        check_flag(self.initial, "initial")
        check_flag(self.final, "final")


@frozen(eq=False)
class Steps:
    """What the steps see: a residual of every recurrent layer."""

    seen: Array  # (t + 1, n, h + i + 1): the state before step t, the features, and 1; of the last only the state is set
    mask: BoolArray | None  # (n, t)
    size: int  # h

    @property
    def hidden(self) -> Array:
        """The hidden states (t + 1, n, h), the initial one first."""
        return self.seen[..., : self.size]

    @property
    def inputs(self) -> Array:
        """The features and 1, (t, n, i + 1)."""
        return self.seen[:-1, :, self.size :]


# ---------------------------------------------------------------------------------------------------------- shapes and checks


def shape_of(ends: Ends, in_shape: Shapes, state: Shapes) -> tuple[int, int]:
    """Return (t, i) of one example, or raise a ValueError."""
    shape: Any = in_shape
    if ends.initial:
        if len(shape) != 2 or not isinstance(shape[0], tuple) or shape[1] != state:
            raise ValueError(f"in_shape is {in_shape}, expected ((time, features), {state}): a sequence and the initial state")
        shape = shape[0]
    if len(shape) != 2 or not all(isinstance(length, int) for length in shape):
        raise ValueError(f"an example has shape {shape}, expected (time, features)")
    return shape[0], shape[1]


def out_shape(ends: Ends, time: int, features: int, state: Shapes) -> Shapes:
    """Return the shape of one example of the output."""
    return cast(Shapes, ((time, features), state)) if ends.final else (time, features)


def taken_apart(ends: Ends, given: Any, parts: int, weight: Array, recurrent_weight: Array) -> tuple[Steps, tuple[Array, ...]]:
    """Return the steps, of which the first has its state, and the parts of the initial state as columns (h, n).

    Raises
    ------
    TypeError, ValueError
        When the input is not what the layer was made for.
    """
    state: Any = (None,) * parts
    if ends.initial:
        if not isinstance(given, tuple) or len(given) != 2:
            raise TypeError(f"the input is {describe(given)}, expected a pair (sequence, initial state)")
        given, state = given
        state = state if parts > 1 else (state,)
        if not isinstance(state, tuple) or len(state) != parts:
            raise TypeError(f"the initial state is {describe(state)}, expected a tuple of {parts} arrays")
    x, mask = sequence(given, ends.masked)
    check_features(x, weight)
    size, (batch, time, features) = len(recurrent_weight), x.shape
    seen: Array = np.empty((time + 1, batch, size + features + 1), np.result_type(x, recurrent_weight))
    start = tuple([start_columns(part, batch, size, seen.dtype) for part in state])
    seen[0, :, :size] = start[0].T
    seen[:-1, :, size:-1] = x.swapaxes(0, 1)
    seen[:-1, :, -1] = 1
    return Steps(seen, mask, size), start


def sequence(given: Any, masked: bool) -> tuple[Array, BoolArray | None]:
    """Return the values (n, t, i), 0 in the padding, and the mask or None; raise when the input is no such sequence."""
    mask = None
    if masked:
        if not isinstance(given, Masked):
            raise TypeError(f"the input is {describe(given)}, expected funcnn.Masked(values, mask)")
        given, mask = given.values, given.mask
    check_array(given, min_ndim=3)
    if given.ndim != 3:
        raise ValueError(f"the input is {describe(given)}, expected (batch, time, features)")
    return given if mask is None else cleared(given, mask), mask


def start_columns(state: Array | None, batch: int, size: int, kind: np.dtype[Any]) -> Array:
    """Return an initial state (n, h) as columns (h, n): zeros where none is given; raise unless it fits."""
    if state is None:
        return np.zeros((size, batch), kind)
    check_array(state, "the initial state")
    if state.shape != (batch, size):
        raise ValueError(f"the initial state is {describe(state)}, expected shape {(batch, size)}")
    return columns(state, kind)


def columns(state: Array, kind: Any = None) -> Array:
    """Return the transpose as a new array."""
    made: Array = np.array(state.T, kind, order="C")
    return made


# -------------------------------------------------------------------------------------------------------------------- forward


def projected(steps: Steps, weight: Array, bias: Array, scale: Array | None = None) -> Array:
    r"""Return $\tilde W^\top \tilde x^\top$ of all steps at once, (t, g, n), its rows multiplied by a column (g, 1)."""
    whole, x = transposed(np.concatenate([weight, bias[None]]), scale), steps.inputs.swapaxes(1, 2)
    product: Array = np.empty((len(x), len(whole), x.shape[2]), np.result_type(x, whole))

    def compute(part: slice) -> None:
        np.matmul(whole, x[part], out=product[part])

    each_part(compute, len(x), x.size * len(whole))
    return product


def each_part(compute: Callable[[slice], None], length: int, operations: int) -> None:
    """Call a function for two halves of a range: at the same time where the work is large."""
    middle = length // 2
    run = together if operations >= LARGE else in_turn
    run([partial(compute, slice(0, middle)), partial(compute, slice(middle, length))])


def in_turn(functions: Sequence[Callable[[], None]]) -> list[None]:
    """Call functions one after another: what :func:`funcnn.threads.together` does at the same time."""
    return [function() for function in functions]


def transposed(weight: Array, scale: Array | None = None) -> Array:
    r"""Return $U^\top$ as it is multiplied at every step: ``weight.T * scale`` in C order.

    Sixteen rows at a time, a line of the cache of float32: three to four times faster than all at once.
    """
    made: Array = np.empty(weight.shape[::-1], weight.dtype)
    for first in range(0, len(weight), 16):
        made[:, first : first + 16] = weight[first : first + 16].T
    if scale is not None:
        made *= scale
    return made


def halves(features: int, logistic: int, gates: int, like: Array) -> Array:
    r"""Return the column that halves the gates with a logistic function: $\sigma(z) = (1 + \tanh\tfrac{z}{2})/2$."""
    column: Array = np.ones((features * gates, 1), like.real.dtype)
    column[: features * logistic] = 0.5
    return column


def logistic(z: Array) -> None:
    """Put the logistic function of 2 z in the place of z: exact where it is halfway, and never beyond 0 or 1."""
    np.tanh(z, out=z)
    z *= 0.5
    z += 0.5


def hold(real: BoolArray, new: Array, old: Array) -> None:
    """Where a step is masked, put back in the state what stood there a step before; ``real`` is one column of the mask."""
    new *= real
    new += ~real * old


def given_back(ends: Ends, steps: Steps, *others: Array) -> Any:
    """Return the output of a layer: the hidden states batch first, 0 at masked steps, and perhaps the final state.

    ``others`` are further parts of the final state, as columns.
    """
    output: Any = steps.hidden[1:].swapaxes(0, 1).copy()
    if steps.mask is not None:
        output *= steps.mask[..., None]
        output = Masked(output, steps.mask)
    if not ends.final:
        return output
    hidden = steps.hidden[-1].copy()
    return output, (hidden, *[columns(part) for part in others]) if others else hidden


# ------------------------------------------------------------------------------------------------------------------- backward


def cotangent(ends: Ends, steps: Steps, parts: int, dy: Any) -> tuple[Array, tuple[Array, ...]]:
    """Return the cotangents of the hidden states (n, t, h), 0 at masked steps, and of the final state's parts as columns."""
    dstate: Any = (None,) * parts
    if ends.final:
        dy, dstate = dy
        dstate = dstate if parts > 1 else (dstate,)
    doutput: Array = dy if steps.mask is None else cleared(dy.values, steps.mask)
    return doutput, tuple([end_columns(part, steps) for part in dstate])


def end_columns(dstate: Array | None, steps: Steps) -> Array:
    """Return the cotangent of a final state (n, h) as columns (h, n): zeros where there is none."""
    if dstate is None:
        return np.zeros((steps.size, steps.seen.shape[1]), steps.seen.dtype)
    return columns(dstate, steps.seen.dtype)


def split(real: BoolArray, dstate: Array) -> Array:
    """Take from a state's cotangent what belongs to the step before, where a step is masked, and return it."""
    passed: Array = dstate * ~real
    dstate *= real
    return passed


def affine_grads(steps: Steps, dz: Array) -> tuple[Array, Array, Array]:
    """Return the cotangents of the weights and of the bias, of $x W + h U + b$, from those of all steps (t, n, g)."""
    whole = over_steps(steps.seen[:-1], dz)
    return whole[steps.size : -1], whole[: steps.size], whole[-1]


def input_grads(steps: Steps, dz: Array) -> tuple[Array, Array]:
    """Return the cotangents of the input's weight and of the bias alone."""
    whole = over_steps(steps.inputs, dz)
    return whole[:-1], whole[-1]


def over_steps(seen: Array, dz: Array) -> Array:
    """Return the cotangent of a weight: the sum over steps and examples of what it saw (t, n, a) times (t, n, g), (a, g)."""
    left, right = rows(seen).T, rows(dz)
    product: Array = np.empty((len(left), right.shape[1]), np.result_type(left, right))

    def compute(part: slice) -> None:
        np.matmul(left, right[:, part], out=product[:, part])

    each_part(compute, right.shape[1], left.size * right.shape[1])
    return product


def put_together(ends: Ends, dz: Array, weight: Array, *dstate: Array) -> Any:
    """Return the cotangent of the input: the transpose of :func:`taken_apart`; the state's cotangents come as columns."""
    dx: Any = project(dz, weight.T).swapaxes(0, 1)
    if ends.masked:
        dx = Masked(dx, cast(Any, None))
    if not ends.initial:
        return dx
    first, *others = [columns(part) for part in dstate]
    return dx, (first, *others) if others else first
