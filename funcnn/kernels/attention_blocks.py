"""How the scores of attention are divided: what decides the weights, blocks of queries, and threads.

Scores are computed for a block of queries at a time, small enough for the cache, against all keys that these queries may look at.
Where there is much to do the examples are divided among threads, which changes no number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache

from attrs import frozen

from funcnn.key import Key
from funcnn.runtime.records import fast_init
from funcnn.runtime.threads import parallel_for
from funcnn.typing import Array, BoolArray, Shape

SCORES_PER_BLOCK = 1 << 17
"""How many scores are computed at a time, unless that makes fewer rows than these: half a megabyte of float32."""
MIN_QUERIES_PER_BLOCK = 128
"""Queries of a block, however many keys there are: matrix products of fewer rows waste time, and more of them waste what
causality saves."""
MIN_SCORES_PER_THREAD = 1 << 18
"""From how many scores on a thread of their own pays: a millisecond of work."""


@fast_init
@frozen(eq=False)
class AttentionSpec:
    """What decides the weights besides queries and keys."""

    causal: bool = False
    """Query i sees the keys j <= i + offset."""
    mask: BoolArray | None = None
    """(B, S), false where a key is hidden from all queries; B divides the number of b, each entry serving as many in a row."""
    diagonals: Array | None = None
    """(G, R, T + S - 1), the bias of distance u - (T - 1) at place u; b takes entry b modulo G."""
    dropout: float = 0.0
    key: Key | None = None
    """The key of dropout; None in evaluation."""
    skip: int = 0
    """How many random numbers belong to examples before the first, in other parts of the batch."""
    block_rows: int | None = None
    """How many queries are treated at a time, also of several examples that have no more; None for as many as fit the cache."""
    scale: float | None = None
    """The factor of the scores; None for one over the root of d."""
    soft_cap: float | None = None
    """The bound of the scores before bias and masks."""
    window: tuple[int, int] | None = None
    """Query i sees the keys from i + offset - window[0] to i + offset + window[1]."""
    offset: int = 0
    """Which key stands where the first query does."""
    bias: Array | None = None
    """(B, R or 1, T, S), added to the scores; each entry serves as many b in a row as there are for one."""
    seen: BoolArray | None = None
    """(B, R or 1, T, S), false where a query may not look at a key."""

    @property
    def hides(self) -> bool:
        """Whether there may be scores of minus infinity."""
        return self.causal or self.may_hide_all

    @property
    def may_hide_all(self) -> bool:
        """Whether a query may see no key at all."""
        return not (self.mask is None and self.window is None and self.bias is None and self.seen is None and self.offset >= 0)


@fast_init
@frozen(eq=False)
class Block:
    """Some queries of some examples, and the keys that they may look at."""

    examples: slice
    queries: slice
    keys: slice

    @property
    def size(self) -> tuple[int, int]:
        """The numbers of queries and of keys."""
        return self.queries.stop - self.queries.start, self.keys.stop - self.keys.start


@frozen
class Sizes:
    """How scores are divided into blocks."""

    rows: int
    """Queries of an example that are treated at a time."""
    group: int
    """Examples that are, where they have fewer queries than that."""
    groups: int
    """How many such groups there are: what threads divide among each other."""


@lru_cache(maxsize=64)
def sizes(queries: Shape, keys: int, block_rows: int | None) -> Sizes:
    """Return the sizes of blocks for queries (b, r, T) and so many keys: scores that fit the cache, but not too few rows."""
    count, shared, steps = queries
    rows = block_rows or max(MIN_QUERIES_PER_BLOCK, SCORES_PER_BLOCK // max(1, shared * keys))
    group = max(1, rows // max(1, steps))
    return Sizes(rows, group, -(-count // group))


def blocks(q: Array, k: Array, rules: AttentionSpec, part: slice) -> Iterator[Block]:
    """Yield blocks that cover all scores (b, r, i, j) of some groups of examples, but those that causality forbids."""
    queries, keys = q.shape[2], k.shape[1]
    size = sizes(q.shape[:3], keys, rules.block_rows)
    for index in range(part.start, part.stop):
        examples = slice(index * size.group, min((index + 1) * size.group, len(q)))
        for first in range(0, queries, size.rows):
            last = min(first + size.rows, queries)
            yield Block(examples, slice(first, last), visible_keys(first, last, keys, rules))


def visible_keys(first: int, last: int, keys: int, rules: AttentionSpec) -> slice:
    """Return which of so many keys the queries from first to last may look at: at least one, which then is hidden from them."""
    start, stop = 0, keys
    if rules.causal:
        stop = last + rules.offset
    if rules.window is not None:
        before, after = rules.window
        start, stop = first + rules.offset - before, min(stop, last + rules.offset + after)
    start = max(0, min(start, keys - 1))
    return slice(start, max(start + 1, min(stop, keys)))


@lru_cache(maxsize=64)
def thread_count(queries: Shape, keys: int) -> int:
    """Return how many threads pay for queries (b, r, T) and so many keys."""
    return min(queries[0], math.prod(queries) * keys // MIN_SCORES_PER_THREAD)


def parallel_over_groups(q: Array, k: Array, rules: AttentionSpec, work: Callable[[slice], None]) -> None:
    """Call a function for all groups of examples, divided among threads; in order where they draw numbers or share a bias."""
    threads = 1 if rules.key or rules.bias is not None else thread_count(q.shape[:3], k.shape[1])
    parallel_for(sizes(q.shape[:3], k.shape[1], rules.block_rows).groups, threads, work)
