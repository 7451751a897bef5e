"""What recurrent layers share: what they may be given, and time as the leading axis.

A recurrent layer maps a sequence (n, t, i) to the sequence of its hidden states (n, t, h).  Three things vary, and each
factory has
them: the steps may be *masked* (:class:`funcnn.Masked`); the *initial* state may be given, as a pair (sequence, state), or
be zero;
and the last step alone is had by ``>> fn.last_step()``.

At a step that is masked the state stays as it is and the output is 0, so that padding changes nothing, wherever it lies.
"""

from typing import Any, TypeVar, cast

import numpy as np

from funcnn.errors import check_array, check_features, describe
from funcnn.masked import Masked
from funcnn.typing import Array, Shape, Shapes

T = TypeVar("T")


def taken_apart(x: Any, masked: bool, initial: bool) -> tuple[Array, Array | None, Any]:
    """Return the values (n, t, i), the mask as numbers (t, n, 1) or None, and the initial state or None.

    Raises
    ------
    TypeError, ValueError
        When x is not what the layer was made for.
    """
    state = None
    if initial:
        if not isinstance(x, tuple) or len(x) != 2:
            raise TypeError(f"the input is {describe(x)}, expected a pair (sequence, initial state)")
        x, state = x
    mask = None
    if masked:
        if not isinstance(x, Masked):
            raise TypeError(f"the input is {describe(x)}, expected funcnn.Masked(values, mask)")
        x, mask = x.values, x.mask.T[..., None]
    check_array(x, min_ndim=3)
    if x.ndim != 3:
        raise ValueError(f"the input is {describe(x)}, expected (batch, time, features)")
    return x, None if mask is None else mask.astype(x.real.dtype), state


def put_together(dx: Array, dstate: Any, masked: bool, initial: bool) -> Any:
    """Return the cotangent of the input: the transpose of :func:`taken_apart`."""
    sequence: Any = Masked(dx, cast(Any, None)) if masked else dx
    return (sequence, dstate) if initial else sequence


def sequence_shape(in_shape: Shapes, initial: bool, state: Any, features: int) -> tuple[int, int]:
    """Return (t, i) of one example, or raise a ValueError."""
    shape: Any = in_shape
    if initial:
        wanted = (features,) if state is None else ((features,),) * state
        if len(shape) != 2 or not isinstance(shape[0], tuple) or shape[1] != wanted:
            raise ValueError(f"in_shape is {in_shape}, expected ((time, features), {wanted}): a sequence and the initial state")
        shape = shape[0]
    if len(shape) != 2 or not all(isinstance(length, int) for length in shape):
        raise ValueError(f"an example has shape {shape}, expected (time, features)")
    return shape[0], shape[1]


def time_first(x: Array) -> Array:
    """Return (t, n, i) for (n, t, i), contiguous: each step is a matrix."""
    return np.ascontiguousarray(x.swapaxes(0, 1))


def batch_first(x: Array) -> Array:
    """Return (n, t, i) for (t, n, i)."""
    return x.swapaxes(0, 1)


def check_input(x: Array, weight: Array) -> None:
    """Raise unless the last axis of x fits the input's weight."""
    check_features(x, weight)


def check_state(state: Array, batch: int, features: int) -> None:
    """Raise unless an initial state is (n, h)."""
    check_array(state)
    if state.shape != (batch, features):
        raise ValueError(f"the initial state is {describe(state)}, expected shape {(batch, features)}")


def zeros(batch: int, features: int, like: Array, weight: Array) -> Array:
    """Return the initial state of zeros."""
    made: Array = np.zeros((batch, features), np.result_type(like, weight))
    return made


def gate_shape(rows: int, features: int, gates: int) -> Shape:
    """Return the shape of the weights of all gates side by side."""
    return rows, features * gates
