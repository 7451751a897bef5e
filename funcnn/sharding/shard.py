r"""Data parallelism: parts of the batch side by side, each on a thread of its own.

Indices: $k$ part of the batch.

Forward.  The parts $x^{(k)}$ of the input go through the same layer with the same parameters, and their outputs are joined:
$y^{(k)} = f(x^{(k)}; p)$.  Where a layer sums over the batch, the parts add their sums
(:mod:`funcnn.sharding.batch_parts`), so that the function is that of the layer on the whole batch.

Derivation.  Where every example is treated alone the Jacobian is block diagonal in the parts, while the parameters are common
to all:
$$ \bar x^{(k)} = f_x^{(k)\top}\, \bar y^{(k)}, \qquad \bar p = \sum_k f_p^{(k)\top}\, \bar y^{(k)} . $$
A sum over the batch, $s = \sum_k s^{(k)}$ in every part, has as its transpose $\bar s^{(k)} = \sum_l \bar s^{(l)}$ in every
part: the parts meet in backward as in forward.
"""

from functools import partial, reduce
from itertools import pairwise
from operator import itemgetter
from typing import Any, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.combinators.cotangents import Like, check_cotangents, like
from funcnn.errors import check_count
from funcnn.layer import (
    AnyLayer,
    Backward,
    Forward,
    Layer,
    Mode,
    Residuals,
    Train,
    backward_without_input,
    check_layer,
    params_only,
)
from funcnn.sharding.batch_parts import BatchBarrier, Part
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")


@frozen(eq=False)
class ShardResiduals:
    """What each part of the batch kept, where it stands and meets the others, and what the output is like; one is the whole."""

    parts: tuple[Residuals, ...]
    places: tuple[slice, ...]
    barrier: BatchBarrier
    output: Like


def places(x: object, workers: int) -> tuple[slice, ...]:
    """Return the parts of a batch, as equal as can be; none where there is nothing to divide."""
    try:
        sizes = {len(leaf) if leaf.ndim else 0 for leaf in tree.leaves(x)}
    except TypeError:  # not to be divided: the layer within says what is wrong with its input
        return ()
    size = sizes.pop() if len(sizes) == 1 else 0
    count = min(workers, size)
    if count < 2:
        return ()
    return tuple([slice(*ends) for ends in pairwise([size * part // count for part in range(count + 1)])])


def cut(value: T, place: slice) -> T:
    """Return a part of an input or of a cotangent, as views."""
    return tree.map_cotangents(itemgetter(place), value)


def joined(values: list[T]) -> T:
    """Return the whole of which these are the parts."""
    return tree.map_cotangents(one_after_another, *values)


def one_after_another(*parts: Array) -> Array:
    """Return arrays one after the other."""
    return np.concatenate(parts)


def added_up(trees: list[P]) -> P:
    """Return the sum of gradients, and empty the list: leaf by leaf, so that not all of them are there beside all of the sums."""
    leaves: list[list[Array]] = [[] for _ in trees]
    bones = [tree.map_cotangents(partial(moved, own), one) for own, one in zip(leaves, trees, strict=True)]
    trees.clear()
    return tree.map_cotangents(lambda bone: reduce(np.add, [own.pop(0) for own in leaves]), bones[0])


def moved(to: list[Array], leaf: Array) -> Array:
    """Put a leaf into a list, and return what stands in its place."""
    to.append(leaf)
    return np.empty(0, leaf.dtype)


def forward(inner: Layer[P, S, X, Y], workers: int, params: P, state: S, x: X, mode: Mode) -> Forward[Y, S, ShardResiduals]:
    where = () if isinstance(mode, Part) else places(x, workers)  # a part is not divided again
    barrier = BatchBarrier(len(where))
    if not where:
        made = inner.forward(params, state, x, mode)
        return Forward(made.output, made.state, ShardResiduals((made.residuals,), where, barrier, None))

    def run(part: int) -> Forward[Y, S, Residuals]:
        own = Part(mode.key, part, where[part], barrier) if isinstance(mode, Train) else mode
        return inner.forward(params, state, cut(x, where[part]), own)

    parts = barrier.run_parts(run)
    output = joined([one.output for one in parts])
    residuals = ShardResiduals(tuple([one.residuals for one in parts]), where, barrier, like(output))
    return Forward(output, parts[0].state, residuals)


def backward(inner: Layer[P, S, X, Y], params: P, residuals: ShardResiduals, dy: Y, input_grad: bool = True) -> Backward[P, X]:
    pull: Any = inner.backward if input_grad else partial(params_only, inner)
    check_cotangents(dy, residuals.output)
    if not residuals.places:
        (kept,) = residuals.parts
        whole: Backward[P, X] = pull(params, kept, dy)
        return whole

    def run(part: int) -> Backward[P, X]:
        made: Backward[P, X] = pull(params, residuals.parts[part], cut(dy, residuals.places[part]))
        return made

    parts = residuals.barrier.run_parts(run)
    dxs, trees = [one.input for one in parts] if input_grad else [], [one.params for one in parts]
    del parts
    grads = added_up(trees)
    return Backward(grads, joined(dxs)) if input_grad else backward_without_input(grads)


def shard(inner: Layer[P, S, X, Y], workers: int = 2) -> Layer[P, S, X, Y]:
    """Run parts of the batch side by side, each on a thread of its own: the same function and gradient, sooner.

    It pays where a step takes more than about a millisecond; the smaller networks are slower for it.  Put it around the whole
    network: ``loss_and_grad(shard(model), loss)``.  While parts run, NumPy's matrix products use one thread each.

    Parameters
    ----------
    inner : Layer
        Any layer whose arrays have the batch first.
    workers : int, optional
        Into how many parts the batch is divided, at most: as many as there are processors for it.

    Returns
    -------
    Layer
        With the parameters and the state of ``inner``, and to rounding the same output, state and gradients, also where layers
        look at the whole batch or draw random numbers: statistics of batch normalization run over all parts, and dropout drops
        what it would drop without ``shard``.  For the same number of workers results are the same to the last bit each time.
        A batch of one example, or none, is not divided; nor is a batch that is a part already.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is not a layer, or ``workers`` is not an integer of at least 1.
    RuntimeError
        In ``forward`` and ``backward``, when a layer sums over the batch in some of the parts only.

    Notes
    -----
    A layer of one's own that sums over the batch in training asks the mode for the sum over all parts,
    ``mode.all_reduce_sum(x.sum(0))``, in forward and in backward, and draws random numbers with ``mode.uniform`` or
    ``mode.normal``.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(3) >> fn.batch_norm() >> fn.relu()
    >>> start = model.init(fn.Key(0), (4,))
    >>> x, mode = np.random.default_rng(0).normal(size=(6, 4)), fn.Train(fn.Key(1))
    >>> whole = model.forward(start.params, start.state, x, mode)
    >>> parts = fn.shard(model, workers=2).forward(start.params, start.state, x, mode)
    >>> np.allclose(whole.output, parts.output)
    True
    """
    check_layer(inner, "inner")
    workers = check_count(workers, "workers", most=1000)
    kept: Any = partial(forward, inner, workers)  # Any: the residuals' type is hidden from here on
    pulled: Any = partial(backward, inner)
    return Layer(
        f"shard({inner.name})",
        inner.init,
        kept,
        pulled,
        inner.random,
        (inner,),  # type: ignore[arg-type]  # parts are for looking at: their types are not kept
        partial(combine, workers=workers),
    )


def combine(parts: tuple[AnyLayer, ...], workers: int) -> Any:
    """Make the combination again from another part."""
    return shard(parts[0], workers)
