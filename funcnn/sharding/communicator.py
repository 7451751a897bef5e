r"""What processes that train together must be able to do, and what is made of it: sums in a fixed order, texts, rows.

Two exchanges of arrays are enough.  *All-gather*: every rank gets the arrays of all ranks.  *All-to-all*: rank $r$ gets row $r$
of the array of every rank.  A sum of $n$ numbers on $R$ ranks is made of them in one of two ways:

* all-gather, and each rank adds $R$ vectors: one exchange, in which a rank receives $(R - 1)\,n$ numbers;
* each rank adds a part of the vector, all-to-all, and the sums are all-gathered: two exchanges, in which a rank receives
  $2\,n\,(R - 1)/R$ numbers, the least that is possible (Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms for
  clusters of workstations").

Either way every number is added in the order of the ranks.  So the sum is the same to the last bit on every rank, at every run,
and with every implementation of MPI; its own all-reduce promises none of this (MPI 4.1, section 6.9.1, recommends the second).
"""

from __future__ import annotations

from typing import Protocol, TypeAlias, TypeVar

import numpy as np

from funcnn import tree
from funcnn.errors import shown
from funcnn.typing import Array

T = TypeVar("T")

N = TypeVar("N", bound=np.generic)

Numbers: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[N]]
"""An array of any dtype."""

SMALL = 8192
"""Bytes up to which one exchange of all is cheaper than two of parts: then it is the number of messages that counts."""


class Communicator(Protocol):
    """A process among others that run the same program, each with a number, its *rank*.  See :func:`funcnn.mpi_communicator`.

    Every call is made by all ranks, in the same order.
    """

    @property
    def rank(self) -> int:
        """The number of this process, from 0 on."""
        ...

    @property
    def size(self) -> int:
        """How many processes there are."""
        ...

    def all_gather(self, array: Numbers[N]) -> Numbers[N]:
        """Return the arrays of all ranks, which are of one shape and dtype, along a new first axis."""
        ...

    def all_to_all(self, array: Numbers[N]) -> Numbers[N]:
        """Return the rows that the arrays (size, n) of all ranks have for this one, along the first axis."""
        ...


def check_communicator(value: object) -> None:
    """Raise a TypeError unless a value can do what a communicator does."""
    missing = [name for name in ("rank", "size", "all_gather", "all_to_all") if not hasattr(value, name)]
    if missing or isinstance(value, type):
        raise TypeError(
            f"communicator is {shown(value)}, which has no {', '.join(missing) or 'instance'}: expected that of"
            " fn.mpi_communicator()"
        )


def all_reduce_sum(communicator: Communicator, vector: Array) -> Array:
    """Return the sum of the vectors (n,) of all ranks, added in the order of the ranks: a new array."""
    ranks, count = communicator.size, vector.size
    if ranks == 1:
        return vector.copy()
    if ranks == 2 or vector.nbytes <= SMALL:
        return in_order(communicator.all_gather(vector))
    each = -(-count // ranks)
    rows = np.zeros((ranks, each), vector.dtype)
    rows.reshape(-1)[:count] = vector
    own = in_order(communicator.all_to_all(rows))
    return communicator.all_gather(own).reshape(-1)[:count]


def in_order(rows: Array) -> Array:
    """Return the sum over the first axis, from the first row to the last."""
    total: Array = rows[0].copy()
    for row in rows[1:]:
        total += row
    return total


def all_gather_texts(communicator: Communicator, text: str) -> tuple[str, ...]:
    """Return the texts of all ranks."""
    own = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
    lengths = communicator.all_gather(np.array([own.size]))[:, 0].tolist()
    padded = np.zeros(max(lengths), np.uint8)
    padded[: own.size] = own
    rows = communicator.all_gather(padded)
    return tuple([row[:length].tobytes().decode("utf-8", "surrogatepass") for row, length in zip(rows, lengths, strict=True)])


def all_gather_rows(communicator: Communicator, rows: T, counts: tuple[int, ...]) -> T:
    """Return the rows of all ranks one after the other: a tree of arrays like each rank's own, of which rank r has counts[r]."""

    def gathered(leaf: Array) -> Array:
        padded = np.zeros((max(counts), *leaf.shape[1:]), leaf.dtype)
        padded[: len(leaf)] = leaf
        parts = communicator.all_gather(padded)
        return np.concatenate([part[:count] for part, count in zip(parts, counts, strict=True)])

    return tree.map(gathered, rows)
