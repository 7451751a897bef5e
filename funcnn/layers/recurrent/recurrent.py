r"""What recurrent layers share: what they take and give, and the products that need not wait for the step before.

A recurrent layer maps a sequence (n, t, i) to the sequence of its hidden states (n, t, h).  Three things vary, and each
factory has them: the steps may be *masked* (:class:`funcnn.Masked`); the *initial* state may be given, as a pair (sequence,
state), instead of zeros (:func:`funcnn.trained_start` learns it); and the *final* state may be given back, as a pair (sequence,
state).  ``>> fn.last_step()`` takes the last step alone.

At a step that is masked the state stays as it is and the output is 0, so that padding changes nothing, wherever it lies and
whatever stands in it.

Layout.  Inside, time is the leading axis: a state is (n, h), the gates of one step (g, n, h).  What a step multiplies stands side
by side in one array, the state before it, 1 and the features: $[h_{t-1}, 1, x_t]$ times $[U; b; W]$ stacked.  So neither the bias
nor the input costs a product or a pass over the gates of its own, and neither do their cotangents, which are rows of
$\sum_t [h_{t-1}, 1, x_t]^\top \bar z_t$.

Each product of a step waits for the step before and is small, so it runs on one thread: to have several meet for each would cost
more than they bring.  (:func:`funcnn.shard` gives each thread examples of its own, and it goes through all steps with them.)  A
small product in a BLAS is at its fastest where the operands stay as they lie, and OpenBLAS leaves them so up to a million
multiplications.  So the columns of the weight are cut into blocks, one multiplied after the other in a single call; that is up to
twice as fast.

What of a step's derivative does not depend on the cotangents is computed for many steps in one go.  That leaves a few products
entry by entry for each step.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_array, check_cotangent, check_features, check_flag, check_precision, describe
from funcnn.initializers import Initializer
from funcnn.kernels.arrays import as_matrix, dot, matmul_last
from funcnn.kernels.transcendental import tanh
from funcnn.key import Key
from funcnn.masked import Masked, check_sequence, cotangent_of_masked, cotangent_values
from funcnn.typing import Array, BoolArray, Shapes

ORTHOGONAL = initializers.orthogonal()
"""The initializer of recurrent weights, unless another is given."""

SMALL_GEMM = 10**6
"""Multiplications of a matrix product up to which OpenBLAS takes the operands as they lie."""

STEPS_PER_CHUNK = 16
"""Steps whose derivatives are computed in one go: few enough that these are still in the cache when their turn comes."""


@frozen
class SequenceOptions:
    """What a recurrent layer takes and gives beside a plain sequence."""

    masked: bool
    initial: bool
    final: bool

    def __attrs_post_init__(self) -> None:
        for what in ("masked", "initial", "final"):
            object.__setattr__(self, what, check_flag(getattr(self, what), what))


@frozen(eq=False)
class StepInputs:
    """What the steps see: a residual of every recurrent layer."""

    concatenated: Array  # (t + 1, n, h + 1 + i): the state before step t, 1, and the features; of the last only the state is set
    mask: BoolArray | None  # (n, t)
    size: int  # h

    @property
    def count(self) -> int:
        """How many steps there are, t."""
        return len(self.concatenated) - 1

    @property
    def batch(self) -> int:
        """How many examples there are, n."""
        return self.concatenated.shape[1]

    @property
    def hidden(self) -> Array:
        """The hidden states (t + 1, n, h), the initial one first."""
        return self.concatenated[..., : self.size]

    @property
    def inputs(self) -> Array:
        """1 and the features, (t, n, 1 + i)."""
        return self.concatenated[:-1, :, self.size :]


# ---------------------------------------------------------------------------------------------------------- shapes and checks


def shape_of(options: SequenceOptions, in_shape: Shapes, state: Shapes) -> tuple[int, int]:
    """Return (t, i) of one example, or raise a ValueError."""
    shape: Any = in_shape
    if options.initial:
        if len(shape) != 2 or not isinstance(shape[0], tuple) or shape[1] != state:
            raise ValueError(f"in_shape is {in_shape}, expected ((time, features), {state}): a sequence and the initial state")
        shape = shape[0]
    if len(shape) != 2 or not all(isinstance(length, int) for length in shape):
        raise ValueError(f"an example has shape {shape}, expected (time, features)")
    return shape[0], shape[1]


def out_shape(options: SequenceOptions, time: int, features: int, state: Shapes) -> Shapes:
    """Return the shape of one example of the output."""
    return cast(Shapes, ((time, features), state)) if options.final else (time, features)


def weight_of_gates(recurrent_init: Initializer, key: Key, features: int, gates: int) -> Array:
    """Return a recurrent weight (h, g h) whose square blocks are each drawn with a key of their own."""
    return np.concatenate([recurrent_init(one, (features, features)) for one in key.split(gates)], axis=1)


def unpack_input(
    options: SequenceOptions, x: object, parts: int, weight: Array, recurrent_weight: Array
) -> tuple[StepInputs, tuple[Array, ...]]:
    """Return the steps, of which the first has its state, and the parts of the initial state (n, h).

    Raises
    ------
    TypeError, ValueError
        When the input is not what the layer was made for.
    """
    sequence, state = x, cast("tuple[object, ...]", ())
    if options.initial:
        if not isinstance(x, tuple) or len(x) != 2:
            raise TypeError(f"the input is {describe(x)}, expected a pair (sequence, initial state)")
        sequence, state = x[0], x[1] if parts > 1 else (x[1],)
        if not isinstance(state, tuple) or len(state) != parts:
            raise TypeError(f"the initial state is {describe(state)}, expected a tuple of {parts} arrays")
    values, mask = check_sequence(sequence, options.masked)
    check_features(values, weight)
    size, (batch, time, features) = len(recurrent_weight), values.shape
    concatenated: Array = np.empty((time + 1, batch, size + 1 + features), np.result_type(values, recurrent_weight))
    start = tuple([checked_state(part, batch, recurrent_weight) for part in state])
    if not options.initial:
        start = tuple([np.zeros((batch, size), concatenated.dtype) for _ in range(parts)])
    concatenated[0, :, :size] = start[0]
    concatenated[:-1, :, size] = 1
    concatenated[:-1, :, size + 1 :] = values.swapaxes(0, 1)
    return StepInputs(concatenated, mask, size), start


def checked_state(state: object, batch: int, weight: Array) -> Array:
    """Return a part of the initial state (n, h); raise unless it fits."""
    array = cast(Array, state)
    check_array(array, "the initial state")
    if array.shape != (batch, len(weight)):
        raise ValueError(f"the initial state is {describe(array)}, expected shape {(batch, len(weight))}")
    check_precision(array, weight, "the initial state")
    return array


# ------------------------------------------------------------------------------------------------------- products of one step


def stack_weights(recurrent_weight: Array, bias: Array, input_weight: Array) -> Array:
    """Return U, b and W as the rows of one matrix, (h + 1 + i, g h), in the order of :attr:`StepInputs.concatenated`."""
    return np.concatenate([recurrent_weight, bias[None], input_weight])


def by_gate(weight: Array, gates: int) -> Array:
    """Return the columns of a weight (a, g h) gate by gate, (g, a, h)."""
    return weight.reshape(len(weight), gates, weight.shape[1] // gates).swapaxes(0, 1)


def blocks(weights: Array, batch: int) -> Array:
    """Return the matrices (g, a, h) as they are multiplied at every step, (g, h / w, a, w): w columns at a time."""
    gates, seen, size = weights.shape
    width = next((w for w in (64, 32) if size % w == 0 and batch * seen * w <= SMALL_GEMM), size)
    return np.ascontiguousarray(weights.reshape(gates, seen, size // width, width).swapaxes(1, 2))


def flatten_gates(dgates: Array) -> Array:
    """Return the gates (t, n, g, h) beside one another, (t, n, g h)."""
    return dgates.reshape(*dgates.shape[:2], dgates.shape[2] * dgates.shape[3])


def transposed_blocks(weight: Array, gates: int, batch: int) -> Array:
    r"""Return the blocks of the gates' $U^\top$, of a weight U (h, g h): copied twice, as rows far apart transpose slowly."""
    return blocks(np.ascontiguousarray(by_gate(weight, gates)).swapaxes(1, 2), batch)


def blocked_view(products: Array, weight: Array) -> Array:
    """Return a view of (..., g, n, h) to which ``x @ weight`` is written, where ``weight`` is ``blocks(weights, n)``."""
    _, parts, _, width = weight.shape
    return products.reshape(*products.shape[:-1], parts, width).swapaxes(-3, -2)


# -------------------------------------------------------------------------------------------------------------------- forward


def sigmoid_of_double_(z: Array) -> None:
    r"""Put $\sigma(2z) = (1 + \tanh z)/2$, the logistic function, in the place of z: exact where halfway, never beyond 0 or 1."""
    tanh(z, out=z)
    tanh_to_sigmoid_(z)


def tanh_to_sigmoid_(tanh: Array) -> None:
    """Put (1 + tanh)/2 in the place of tanh."""
    tanh *= 0.5
    tanh += 0.5  # (1 + tanh) / 2


def keep_masked_state_(step_mask: BoolArray, new: Array, old: Array) -> None:
    """Where a step is masked, put back in the state what stood there a step before; ``step_mask`` is the mask's column (n, 1)."""
    new *= step_mask
    new += ~step_mask * old  # m new + (1 - m) old


def pack_output(options: SequenceOptions, steps: StepInputs, *others: Array) -> object:
    """Return the output of a layer: the hidden states batch first, 0 at masked steps, and perhaps the final state.

    ``others`` are further parts of the final state.
    """
    hidden = steps.hidden[1:].swapaxes(0, 1).copy()
    output: Array | Masked = hidden
    if steps.mask is not None:
        hidden *= steps.mask[..., None]
        output = Masked(hidden, steps.mask)
    if not options.final:
        return output
    last = steps.hidden[-1].copy()
    return output, (last, *[part.copy() for part in others]) if others else last


# ------------------------------------------------------------------------------------------------------------------- backward


COTANGENT = "the cotangent of the output (doutput)"


def unpack_output_cotangent(
    options: SequenceOptions, steps: StepInputs, parts: int, dy: object
) -> tuple[Array, tuple[Array, ...]]:
    """Return the cotangents of the hidden states (t, n, h), 0 at masked steps, and of the final state's parts (n, h)."""
    doutput, dstate = dy, cast("tuple[object, ...]", (None,) * parts)
    if options.final:
        if not isinstance(dy, tuple) or len(dy) != 2:
            raise TypeError(f"{COTANGENT} is {describe(dy)}, expected a pair: of the sequence and of the final state")
        doutput, dstate = dy[0], dy[1] if parts > 1 else (dy[1],)
        if not isinstance(dstate, tuple) or len(dstate) != parts:
            raise TypeError(f"{COTANGENT} has the final state {describe(dstate)}, expected a tuple of {parts} arrays")
    shape = (steps.batch, steps.count, steps.size)
    dhidden = cotangent_values(doutput, steps.mask, shape, steps.concatenated.dtype)
    return dhidden.swapaxes(0, 1), tuple([final_cotangent(part, steps) for part in dstate])


def final_cotangent(dstate: object, steps: StepInputs) -> Array:
    """Return the cotangent of a final state (n, h) as a new array: zeros where there is none."""
    shape, dtype = (steps.batch, steps.size), steps.concatenated.dtype
    if dstate is None:
        return np.zeros(shape, dtype)
    check_cotangent(dstate, shape, dtype)
    return np.array(dstate, dtype)


def reversed_steps(derivatives: Callable[[slice], tuple[Array, ...]], count: int) -> Iterator[tuple[int, tuple[Array, ...]]]:
    """Yield the steps from the last to the first, each with its part of what ``derivatives`` gives for a stretch of steps."""
    for stop in range(count, 0, -STEPS_PER_CHUNK):
        start = max(0, stop - STEPS_PER_CHUNK)
        made = derivatives(slice(start, stop))
        for t in reversed(range(start, stop)):
            yield t, tuple([part[t - start] for part in made])


def split_masked_cotangent(step_mask: BoolArray, dstate: Array) -> Array:
    """Take from a state's cotangent what belongs to the step before, where a step is masked, and return it."""
    dbefore: Array = dstate * ~step_mask
    dstate *= step_mask
    return dbefore


def affine_grads(steps: StepInputs, dz: Array) -> tuple[Array, Array, Array]:
    """Return the cotangents of the weights and of the bias, of $x W + h U + b$, from those of all steps (t, n, g)."""
    dstacked = weight_cotangent(steps.concatenated[:-1], dz)
    return dstacked[steps.size + 1 :], dstacked[: steps.size], dstacked[steps.size]


def input_grads(steps: StepInputs, dz: Array) -> tuple[Array, Array]:
    """Return the cotangents of the input's weight and of the bias alone."""
    dstacked = weight_cotangent(steps.inputs, dz)
    return dstacked[1:], dstacked[0]


def weight_cotangent(seen: Array, dz: Array) -> Array:
    """Return the cotangent of a weight: the sum over steps and examples of what it saw (t, n, a) times (t, n, g), (a, g)."""
    return dot(as_matrix(seen).T, as_matrix(dz))


def pack_input_cotangent(options: SequenceOptions, dz: Array, weight: Array, *dstate: Array) -> object:
    """Return the cotangent of the input: the transpose of :func:`unpack_input`; the state's cotangents are new arrays (n, h)."""
    dvalues = matmul_last(dz, weight.T).swapaxes(0, 1)
    dx = cotangent_of_masked(dvalues) if options.masked else dvalues
    if not options.initial:
        return dx
    first, *others = dstate
    return dx, dstate if others else first
