"""A thread that makes the next items of an iterator while the last one is used."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from queue import Empty, Full, Queue
from typing import TypeVar

import numpy as np
from attrs import frozen

from funcnn.errors import check_count, shown

B = TypeVar("B")

_PATIENCE = 0.1  # seconds after which a thread that waits looks whether anybody still wants something


@frozen
class Ended:
    """The last message of a thread: why there is nothing more."""

    error: BaseException | None = None


def prefetch(items: Iterable[B], ahead: int = 2) -> Generator[B, None, None]:
    """Yield the items of an iterable in their order, with the next ones made by a thread meanwhile.

    For batches that are read or decoded: while files are read and images decoded, other threads compute.  An error in making an
    item is raised where that item would have come.  When the iterator is closed, or forgotten, the thread ends.

    Parameters
    ----------
    items : iterable
        Such as :func:`batches` of rows that are read from files.
    ahead : int, optional
        How many items at most are kept ready.

    Yields
    ------
    item

    Raises
    ------
    TypeError, ValueError
        When there is nothing to iterate over, or ``ahead`` is not an integer of at least 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> [x.tolist() for x in fn.data.prefetch(fn.data.batches(None, np.arange(5), 2))]
    [[0, 1], [2, 3], [4]]
    """
    given: object = items
    if not isinstance(given, Iterable) or isinstance(given, (str, np.ndarray)):
        raise TypeError(f"items is {shown(items)}, expected batches, such as fn.data.batches gives")
    return _prefetched(items, check_count(ahead, "ahead"))


def _prefetched(items: Iterable[B], ahead: int) -> Generator[B, None, None]:
    ready: Queue[B | Ended] = Queue(ahead)
    unwanted = threading.Event()

    def put(item: B | Ended) -> bool:
        while not unwanted.is_set():
            try:
                ready.put(item, timeout=_PATIENCE)
            except Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as error:  # it is raised where the item is asked for
            put(Ended(error))
        else:
            put(Ended())

    worker = threading.Thread(target=work, name="funcnn-prefetch", daemon=True)
    worker.start()
    try:
        while True:
            try:
                item = ready.get(timeout=_PATIENCE)
            except Empty:
                continue
            if not isinstance(item, Ended):
                yield item
            elif item.error is None:
                return
            else:
                raise item.error
    finally:
        unwanted.set()
        worker.join()
