r"""Data parallelism: processes that each compute a part of every batch, and all take the same step.

Indices: $r$ process (*rank*) of $R$.

Forward.  A batch is parted by rows as by :func:`funcnn.shard`, and rank $r$ computes $y^{(r)} = f(x^{(r)}; p)$.  Where a layer
sums over the batch, the ranks add their sums (:mod:`funcnn.sharding.batch_parts`), and what is drawn is drawn for the place of a
row in the whole batch: so $y^{(r)}$ are rows of the output that one process would compute.

The loss, in one of two ways.  *Of all outputs*: they are gathered, every rank computes $L(y, t)$, and of $\bar y$ it goes on with
its own rows.  *By parts*, without gathering, for losses that say how a batch is made of its parts
(:mod:`funcnn.losses.loss`): with the mass $m_r$ of a part and $M = \sum_r m_r$
$$ L = \sum_r \frac{m_r}{M} L_r, \qquad \bar y^{(r)} = \frac{m_r}{M} \frac{\partial L_r}{\partial y^{(r)}} , $$
where a sum has the factor 1.  So a last batch that parts unevenly, weights, and labels that are ignored count as in one process.

Derivation.  The parameters are common to all, so their cotangent is the sum of what the ranks found,
$$ \bar p = \sum_r \bar p^{(r)} , $$
one sum of one flat vector a step: all leaves one after the other, and behind them the loss by parts and whether somebody was
interrupted.  The sums are taken in the order of the ranks (:mod:`funcnn.sharding.communicator`), the same bits at each.  From
equal parameters and equal gradients the optimizer makes equal parameters: these are never sent.

Rejected: to begin the sum of a layer's gradient while backward goes on with the layers below.  Processes of one machine move the
numbers by the same cores that compute, so nothing is won there (docs/scaling.md has the figures), and a message for each layer
instead of one costs what it costs everywhere.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, Generic, TypeVar, cast

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.errors import check_flag, shown
from funcnn.grad import LossAndGrad, LossAndGradFunction, LossAndGradOf, check_loss_gradient
from funcnn.layer import Layer, Mode, Train, params_only
from funcnn.losses.batchwise import is_apart
from funcnn.losses.loss import Loss, LossForward
from funcnn.sharding.batch_parts import Part
from funcnn.sharding.communicator import Communicator, all_gather_rows, all_reduce_sum, check_communicator, in_order
from funcnn.sharding.shard import cut
from funcnn.typing import Array, Scalar

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")
V = TypeVar("V")


# --------------------------------------------------------------------------------------------------------- sums in the network


@frozen
class RankMeeting:
    """Where the parts of a batch meet that are in different processes: see :class:`funcnn.sharding.batch_parts.Meeting`."""

    communicator: Communicator

    def all_reduce_sum(self, index: int, value: V, where: str) -> V:
        """Return the sum of the values of all ranks, a number or an array, in the order of the ranks.

        Raises
        ------
        RuntimeError
            When the ranks do not sum at the same place in the network.
        """
        array = np.asarray(value)
        place = np.array([zlib.crc32(where.encode())])
        message = np.concatenate([place.view(np.uint8), array.reshape(-1).view(np.uint8)])  # one for both: they are many
        told = self.communicator.all_gather(message)
        if (told[:, : place.nbytes] != message[: place.nbytes]).any():
            raise RuntimeError(
                f"the parts of a batch sum over it at different places, rank {index} in {where}; whether a layer sums"
                " (mode.all_reduce_sum) must not depend on its examples"
            )
        rows = np.ascontiguousarray(told[:, place.nbytes :]).view(array.dtype)
        total = in_order(rows).reshape(array.shape)
        if isinstance(value, np.ndarray):
            return cast(V, tree.freeze(total))
        return cast(V, total[()] if isinstance(value, np.generic) else total.item())


# ------------------------------------------------------------------------------------------------------- the loss, by parts


@frozen(eq=False)
class Share(Generic[T]):
    """The targets of a part of a batch, and how much they count in it."""

    target: T
    mass: float
    whole: float
    """What all parts count."""

    def of(self, value: Array) -> Array:
        """Return the share of a value that the part has, in the value's precision."""
        kind = value.real.dtype.type
        return cast(Array, value * (kind(self.mass) / kind(self.whole)))


def loss_of_part(loss: Loss[Y, T]) -> Loss[Y, Share[T]]:
    """Return what a loss of a part adds to the loss of the whole batch."""
    return Loss(loss.name, partial(forward_of_part, loss), partial(backward_of_part, loss), loss.reduction)  # type: ignore[arg-type]  # the residuals' type is hidden


def forward_of_part(loss: Loss[Y, T], prediction: Y, share: Share[T]) -> LossForward[tuple[Any, Share[T]]]:
    if share.mass == 0:  # nothing counts here, and what is in such rows is not to be looked at
        return LossForward(zero_like(prediction), (tree.map(np.zeros_like, prediction), share))
    made = loss.forward(prediction, share.target)
    return LossForward(cast(Scalar, share.of(cast(Array, made.value))), (made.residuals, share))


def zero_like(prediction: object) -> Scalar:
    """Return 0 in the precision of a prediction."""
    kind = np.result_type(*[leaf.real.dtype for leaf in tree.leaves(prediction)])
    return cast(Scalar, kind.type(0))


def backward_of_part(loss: Loss[Y, T], residuals: tuple[Any, Share[T]]) -> Y:
    kept, share = residuals
    if share.mass == 0:
        return cast(Y, kept)
    return tree.map_cotangents(share.of, loss.backward(kept))


# --------------------------------------------------------------------------------------------------------------- the step


@frozen(eq=False)
class Ranks(Generic[Y, T]):
    """What a step must know beside the function that it divides: the processes, and the loss."""

    communicator: Communicator
    loss: Loss[Y, T]
    interrupted: Callable[[], bool]
    """Tells whether this process was asked to stop: then all of them do, after the same step."""


def nobody() -> bool:
    """Tell that nobody interrupts: Ctrl-C comes as it comes."""
    return False


def data_parallel(
    function: LossAndGradFunction[P, S, X, Y, T], communicator: Communicator, *, gather_outputs: bool = True
) -> LossAndGradFunction[P, S, X, Y, T]:
    """Divide the batches of a ``loss_and_grad`` function among processes: the same function, sooner.

    Every process runs the same program and calls the function with the whole batch; it computes its part of the rows, and the
    gradients are added over all.  To rounding the results are those of one process, also where layers look at the whole batch or
    draw random numbers, and for the same number of processes they are the same to the last bit each time, and on every rank.
    :func:`fit` does this when it is given a communicator.

    Parameters
    ----------
    function : callable
        What :func:`loss_and_grad` returned.  What wraps it, such as :func:`penalized` or :func:`compiled`, comes outside.
    communicator : Communicator
        The processes: :func:`mpi_communicator` gives those that ``mpiexec`` started.
    gather_outputs : bool, optional
        Whether the result's ``output`` is that of the whole batch.  Then each rank computes the loss of all outputs, which is
        right for every loss.  Otherwise ``output`` has this rank's rows alone, and less is sent, as large vocabularies need it.

    Returns
    -------
    callable
        ``(params, state, x, target, mode) -> LossAndGrad(loss, grads, state, output)``.  A batch of fewer rows than there are
        processes is computed by each of them.

    Raises
    ------
    TypeError
        When ``function`` is not what :func:`loss_and_grad` returned.
    ValueError
        When outputs are not to be gathered, and the loss compares the examples of a batch, or adds several losses: the loss of a
        batch is then not that of its parts.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> class Alone:  # a communicator of one process; that of many is fn.mpi_communicator()
    ...     rank, size = 0, 1
    ...     def all_gather(self, array):
    ...         return array[None]
    ...     def all_to_all(self, array):
    ...         return array
    >>> model = fn.dense(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> step = fn.data_parallel(fn.loss_and_grad(model, fn.mean_squared_error()), Alone())
    >>> step(start.params, start.state, np.ones((4, 2)), np.ones((4, 1)), fn.Train(fn.Key(1))).grads.bias.shape
    (1,)

    See Also
    --------
    shard : the same with threads of one process.
    """
    gather_outputs = check_flag(gather_outputs, "gather_outputs")
    if not isinstance(function, LossAndGradOf):
        raise TypeError(
            f"function is {shown(function)}, expected what fn.loss_and_grad returned: whatever wraps it comes outside, as in"
            " fn.compiled(fn.data_parallel(fn.loss_and_grad(model, loss), communicator))"
        )
    check_communicator(communicator)
    return parallel_step(function, Ranks(communicator, function.loss, nobody), gather_outputs)


def parallel_step(
    function: LossAndGradOf[P, S, X, Y, T], ranks: Ranks[Y, T], gather_outputs: bool
) -> LossAndGradFunction[P, S, X, Y, T]:
    """Return the function of :func:`data_parallel`: bound to functions of ``loss_and_grad``, which :func:`compiled` looks for."""
    if gather_outputs:
        return partial(step_of_all_outputs, function.model, ranks)
    if not is_apart(function.loss):
        raise ValueError(
            f"the loss {function.loss.name} compares the examples of a batch or adds several losses: its value for a batch is not"
            " that of its parts, so that it needs gather_outputs=True"
        )
    return partial(step_by_parts, LossAndGradOf(function.model, loss_of_part(function.loss)), function, ranks)


def row_places(rows: int, ranks: int) -> tuple[slice, ...]:
    """Return the rows of each rank, as many for each as can be."""
    return tuple([slice(*ends) for ends in pairwise([rows * rank // ranks for rank in range(ranks + 1)])])


def row_count(x: object) -> int:
    """Return how many rows an input has; 0 where it is none that could be divided: the network says what is wrong with it."""
    try:
        sizes = {len(leaf) if leaf.ndim else 0 for leaf in tree.leaves(x)}
    except TypeError:
        return 0
    return sizes.pop() if len(sizes) == 1 else 0


def mode_of_part(mode: Mode, communicator: Communicator, place: slice) -> Mode:
    """Return the mode for a rank's rows."""
    if not isinstance(mode, Train):
        return mode
    return Part(mode.key, communicator.rank, place, RankMeeting(communicator))


def step_of_all_outputs(
    model: Layer[P, S, X, Y], ranks: Ranks[Y, T], params: P, state: S, x: X, target: T, mode: Mode, /
) -> LossAndGrad[P, S, Y]:
    """Return the loss, its gradient, the next state and the output at one batch, of which each rank computes a part."""
    communicator, rows, loss = ranks.communicator, row_count(x), ranks.loss
    if rows < communicator.size:
        return LossAndGradOf(model, loss)(params, state, x, target, mode)
    places = row_places(rows, communicator.size)
    place = places[communicator.rank]
    network = model.forward(params, state, cut(x, place), mode_of_part(mode, communicator, place))
    output = all_gather_rows(communicator, network.output, tuple([one.stop - one.start for one in places]))
    scored = loss.forward(output, target)
    doutput = loss.backward(scored.residuals)
    check_loss_gradient(doutput, output, loss.name)
    grads = params_only(model, params, network.residuals, cut(doutput, place)).params
    return LossAndGrad(scored.value, added_over_ranks(grads, [], ranks)[0], network.state, output)


def step_by_parts(
    apart: LossAndGradFunction[P, S, X, Y, Share[T]], function: LossAndGradFunction[P, S, X, Y, T], ranks: Ranks[Y, T], params: P,
    state: S, x: X, target: T, mode: Mode, /,
) -> LossAndGrad[P, S, Y]:  # fmt: skip
    """Return the same, but for the output, which is that of this rank's rows."""
    communicator, rows, loss = ranks.communicator, row_count(x), ranks.loss
    whole = mass_of(loss, target) if rows >= communicator.size else 0.0
    if not whole > 0:
        return function(params, state, x, target, mode)
    place = row_places(rows, communicator.size)[communicator.rank]
    own = cut(target, place)
    mass = mass_of(loss, own)
    share = Share(own, mass, whole) if loss.reduction == "mean" else Share(own, float(mass > 0), 1.0)
    made = apart(params, state, cut(x, place), share, mode_of_part(mode, communicator, place))
    grads, (value,) = added_over_ranks(made.grads, [made.loss], ranks)
    return LossAndGrad(value, grads, made.state, made.output)


def mass_of(loss: Loss[Y, T], target: T) -> float:
    """Return how much rows count among others: what the loss says, or as much as there are of them."""
    return float(len(tree.leaves(target)[0])) if loss.mass is None else loss.mass(target)


def added_over_ranks(grads: P, values: list[Scalar], ranks: Ranks[Y, T]) -> tuple[P, list[Scalar]]:
    """Return the sums of gradients and of further numbers over all ranks, by one sum of one vector.

    Raises
    ------
    KeyboardInterrupt
        When a rank was interrupted: at all of them, at the same step.
    """
    leaves = tree.leaves(grads)
    dtype = np.result_type(np.float32, *[leaf.dtype for leaf in leaves], *[value.dtype for value in values])
    flag = np.array([ranks.interrupted()], dtype)
    parts = [leaf.reshape(-1) for leaf in leaves] + [np.array(values, dtype), flag]
    total = all_reduce_sum(ranks.communicator, np.concatenate(parts, dtype=dtype))
    if total[-1] > 0:
        raise KeyboardInterrupt
    sizes = [math.prod(leaf.shape) for leaf in leaves]
    ends = np.cumsum(sizes).tolist()
    tree.freeze(total)
    spread = [
        total[end - size : end].reshape(leaf.shape).astype(leaf.dtype, copy=False)
        for leaf, size, end in zip(leaves, sizes, ends, strict=True)
    ]
    sums = [value.dtype.type(one) for value, one in zip(values, total[sum(sizes) : -1], strict=True)]
    return tree.rebuild(grads, iter(spread)), sums
