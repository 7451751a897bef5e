"""Large leaves in blocks: each stays in the processor's cache while a rule passes over it, and two threads share them.

A rule in NumPy passes over its numbers about ten times, so its blocks fit the second-level cache; they are not smaller because
both threads need the interpreter between any two passes.  A compiled rule passes once, over all that a thread has of a leaf.

A second thread has to be started, and for some milliseconds after a product on several threads it competes with one of OpenBLAS's
for the same processor.  So it is for updates that take longer than that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import TypeAlias

from attrs import frozen

from funcnn.runtime import blas
from funcnn.runtime.threads import processors, run_concurrently
from funcnn.typing import Array

BLOCK = 1 << 16  # numbers that one pass of a rule takes of a large leaf, at most
LINE = 16  # numbers of float32 in a line of the cache, which no two blocks share

Coefficients: TypeAlias = Sequence[Array]
"""The numbers in a rule that are the same for all parameters, as arrays without axes: NumPy takes those faster than floats."""

Kernel: TypeAlias = Callable[[Coefficients, Array, Array, Sequence[Array], Sequence[Array]], None]


@frozen(eq=False)
class Block:
    """A stretch of a large leaf."""

    leaf: int
    place: slice  # in the leaf
    target: slice  # in the vector of its group


Share: TypeAlias = tuple[Block, ...]
"""What one thread does."""


def shares(large: Sequence[tuple[int, int]], longest: int, threaded: int) -> tuple[Share, ...]:
    """Return the work of each thread.

    Parameters
    ----------
    large : sequence of (leaf, size)
        The leaves, in the order in which they stand in the vector.
    longest : int
        How long a block may be.
    threaded : int
        From how many numbers on there is a second thread.
    """
    total = sum([size for _, size in large])
    threads = min(2, processors()) if total >= threaded else 1
    ends = [min(total, math.ceil(total * part / threads / LINE) * LINE) for part in range(1, threads)]
    made: list[list[Block]] = [[]]
    begin = 0
    for leaf, size in large:
        marks = [0, *[end - begin for end in ends if begin < end < begin + size], size]
        for low, high in pairwise(marks):
            if begin + low in ends:
                made.append([])
            count = math.ceil((high - low) / longest)
            step = math.ceil((high - low) / count / LINE) * LINE
            for first in range(low, high, step):
                last = min(first + step, high)
                made[-1].append(Block(leaf, slice(first, last), slice(begin + first, begin + last)))
        begin += size
    return tuple([tuple(share) for share in made])


def run(
    kernel: Kernel,
    work: Sequence[Share],
    c: Coefficients,
    params: Sequence[Array],
    grads: Sequence[Array],
    slots: Sequence[Array],
    out: Sequence[Array],
) -> None:
    """Apply a kernel to the blocks of the large leaves: the shares at the same time, unless all processors have work already."""
    flat = {leaf: (params[leaf].reshape(-1), grads[leaf].reshape(-1)) for leaf in {block.leaf for own in work for block in own}}

    def do(share: Share) -> None:
        for block in share:
            p, g = flat[block.leaf]
            place, target = block.place, block.target
            kernel(c, p[place], g[place], [slot[target] for slot in slots], [array[target] for array in out])

    if len(work) == 1 or blas.in_use():
        for share in work:
            do(share)
    else:
        run_concurrently([partial(do, share) for share in work])
