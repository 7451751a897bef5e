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
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_cotangent, check_features, check_flag, check_precision, describe
from funcnn.kernels.arrays import as_matrix, matmul_last
from funcnn.masked import Masked, check_sequence, cleared, masked_cotangent
from funcnn.typing import Array, BoolArray, Shapes

Yes: TypeAlias = Literal[True]
No: TypeAlias = Literal[False]

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
class Steps:
    """What the steps see: a residual of every recurrent layer."""

    seen: Array  # (t + 1, n, h + 1 + i): the state before step t, 1, and the features; of the last only the state is set
    mask: BoolArray | None  # (n, t)
    size: int  # h

    @property
    def hidden(self) -> Array:
        """The hidden states (t + 1, n, h), the initial one first."""
        return self.seen[..., : self.size]

    @property
    def inputs(self) -> Array:
        """1 and the features, (t, n, 1 + i)."""
        return self.seen[:-1, :, self.size :]


# ---------------------------------------------------------------------------------------------------------- shapes and checks


def shape_of(ends: SequenceOptions, in_shape: Shapes, state: Shapes) -> tuple[int, int]:
    """Return (t, i) of one example, or raise a ValueError."""
    shape: Any = in_shape
    if ends.initial:
        if len(shape) != 2 or not isinstance(shape[0], tuple) or shape[1] != state:
            raise ValueError(f"in_shape is {in_shape}, expected ((time, features), {state}): a sequence and the initial state")
        shape = shape[0]
    if len(shape) != 2 or not all(isinstance(length, int) for length in shape):
        raise ValueError(f"an example has shape {shape}, expected (time, features)")
    return shape[0], shape[1]


def out_shape(ends: SequenceOptions, time: int, features: int, state: Shapes) -> Shapes:
    """Return the shape of one example of the output."""
    return cast(Shapes, ((time, features), state)) if ends.final else (time, features)


def unpack_input(
    ends: SequenceOptions, given: Any, parts: int, weight: Array, recurrent_weight: Array
) -> tuple[Steps, tuple[Array, ...]]:
    """Return the steps, of which the first has its state, and the parts of the initial state (n, h).

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
    x, mask = check_sequence(given, ends.masked)
    check_features(x, weight)
    size, (batch, time, features) = len(recurrent_weight), x.shape
    seen: Array = np.empty((time + 1, batch, size + 1 + features), np.result_type(x, recurrent_weight))
    start = tuple([initial_state(part, batch, recurrent_weight, seen.dtype) for part in state])
    seen[0, :, :size] = start[0]
    seen[:-1, :, size] = 1
    seen[:-1, :, size + 1 :] = x.swapaxes(0, 1)
    return Steps(seen, mask, size), start


def initial_state(state: Array | None, batch: int, weight: Array, kind: np.dtype[Any]) -> Array:
    """Return an initial state (n, h): zeros where none is given; raise unless it fits."""
    size = len(weight)
    if state is None:
        return np.zeros((batch, size), kind)
    check_array(state, "the initial state")
    if state.shape != (batch, size):
        raise ValueError(f"the initial state is {describe(state)}, expected shape {(batch, size)}")
    check_precision(state, weight, "the initial state")
    return state


# ------------------------------------------------------------------------------------------------------- products of one step


def stack_weights(recurrent_weight: Array, bias: Array, input_weight: Array) -> Array:
    """Return U, b and W as the rows of one matrix, (h + 1 + i, g h), in the order of :attr:`Steps.seen`."""
    return np.concatenate([recurrent_weight, bias[None], input_weight])


def by_gate(weight: Array, gates: int) -> Array:
    """Return the columns of a weight (a, g h) gate by gate, (g, a, h)."""
    return weight.reshape(len(weight), gates, weight.shape[1] // gates).swapaxes(0, 1)


def blocks(weights: Array, batch: int) -> Array:
    """Return the matrices (g, a, h) as they are multiplied at every step, (g, h / w, a, w): w columns at a time."""
    gates, seen, size = weights.shape
    width = next((w for w in (64, 32) if size % w == 0 and batch * seen * w <= SMALL_GEMM), size)
    return np.ascontiguousarray(weights.reshape(gates, seen, size // width, width).swapaxes(1, 2))


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
    np.tanh(z, out=z)
    tanh_to_sigmoid_(z)


def tanh_to_sigmoid_(tanh: Array) -> None:
    """Put (1 + tanh)/2 in the place of tanh."""
    tanh *= 0.5
    tanh += 0.5


def keep_masked_state_(real: BoolArray, new: Array, old: Array) -> None:
    """Where a step is masked, put back in the state what stood there a step before; ``real`` is a column (n, 1) of the mask."""
    new *= real
    new += ~real * old


def pack_output(ends: SequenceOptions, steps: Steps, *others: Array) -> Any:
    """Return the output of a layer: the hidden states batch first, 0 at masked steps, and perhaps the final state.

    ``others`` are further parts of the final state.
    """
    output: Any = steps.hidden[1:].swapaxes(0, 1).copy()
    if steps.mask is not None:
        output *= steps.mask[..., None]
        output = Masked(output, steps.mask)
    if not ends.final:
        return output
    hidden = steps.hidden[-1].copy()
    return output, (hidden, *[part.copy() for part in others]) if others else hidden


# ------------------------------------------------------------------------------------------------------------------- backward


COTANGENT = "the cotangent of the output (doutput)"


def unpack_output_cotangent(ends: SequenceOptions, steps: Steps, parts: int, dy: Any) -> tuple[Array, tuple[Array, ...]]:
    """Return the cotangents of the hidden states (t, n, h), 0 at masked steps, and of the final state's parts (n, h)."""
    dstate: Any = (None,) * parts
    if ends.final:
        if not isinstance(dy, tuple) or len(dy) != 2:
            raise TypeError(f"{COTANGENT} is {describe(dy)}, expected a pair: of the sequence and of the final state")
        dy, dstate = dy
        if parts == 1:
            dstate = (dstate,)
        elif not isinstance(dstate, tuple) or len(dstate) != parts:
            raise TypeError(f"{COTANGENT} has the final state {describe(dstate)}, expected a tuple of {parts} arrays")
    values: Array = dy if steps.mask is None else masked_cotangent(dy)
    check_cotangent(values, (steps.seen.shape[1], len(steps.seen) - 1, steps.size), steps.seen.dtype)
    doutput: Array = values if steps.mask is None else cleared(values, steps.mask)
    return doutput.swapaxes(0, 1), tuple([final_cotangent(part, steps) for part in dstate])


def final_cotangent(dstate: Array | None, steps: Steps) -> Array:
    """Return the cotangent of a final state (n, h) as a new array: zeros where there is none."""
    if dstate is None:
        return np.zeros((steps.seen.shape[1], steps.size), steps.seen.dtype)
    check_cotangent(dstate, (steps.seen.shape[1], steps.size), steps.seen.dtype)
    return np.array(dstate, steps.seen.dtype)


def reversed_steps(derivatives: Callable[[slice], tuple[Array, ...]], count: int) -> Iterator[tuple[int, tuple[Array, ...]]]:
    """Yield the steps from the last to the first, each with its part of what ``derivatives`` gives for a stretch of steps."""
    for stop in range(count, 0, -STEPS_PER_CHUNK):
        start = max(0, stop - STEPS_PER_CHUNK)
        made = derivatives(slice(start, stop))
        for t in reversed(range(start, stop)):
            yield t, tuple([part[t - start] for part in made])


def split_masked_cotangent(real: BoolArray, dstate: Array) -> Array:
    """Take from a state's cotangent what belongs to the step before, where a step is masked, and return it."""
    passed: Array = dstate * ~real
    dstate *= real
    return passed


def affine_grads(steps: Steps, dz: Array) -> tuple[Array, Array, Array]:
    """Return the cotangents of the weights and of the bias, of $x W + h U + b$, from those of all steps (t, n, g)."""
    whole = weight_cotangent(steps.seen[:-1], dz)
    return whole[steps.size + 1 :], whole[: steps.size], whole[steps.size]


def input_grads(steps: Steps, dz: Array) -> tuple[Array, Array]:
    """Return the cotangents of the input's weight and of the bias alone."""
    whole = weight_cotangent(steps.inputs, dz)
    return whole[1:], whole[0]


def weight_cotangent(seen: Array, dz: Array) -> Array:
    """Return the cotangent of a weight: the sum over steps and examples of what it saw (t, n, a) times (t, n, g), (a, g)."""
    product: Array = np.matmul(as_matrix(seen).T, as_matrix(dz))
    return product


def pack_input_cotangent(ends: SequenceOptions, dz: Array, weight: Array, *dstate: Array) -> Any:
    """Return the cotangent of the input: the transpose of :func:`unpack_input`; the state's cotangents are new arrays (n, h)."""
    dx: Any = matmul_last(dz, weight.T).swapaxes(0, 1)
    if ends.masked:
        dx = Masked(dx, cast(Any, None))
    if not ends.initial:
        return dx
    first, *others = dstate
    return dx, dstate if others else first
