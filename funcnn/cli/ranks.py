"""``mpiexec -n 2 python -m funcnn``: a command in several processes, of which the first speaks and writes."""

from __future__ import annotations

import io
import signal
import sys
import time
from collections.abc import Callable

from funcnn.cli.failure import RequestError
from funcnn.sharding.communicator import Communicator, all_gather_texts
from funcnn.sharding.mpi import launched, mpi_communicator

_GRACE = 0.5  # seconds in which the first process says what is wrong, where it is so for all of them


def communicator() -> Communicator | None:
    """Return the processes that a launcher of MPI started with this one; None where there are no others.

    Raises
    ------
    RequestError
        When there are some, and MPI is not installed, or is another one than that of the launcher.
    """
    if launched() < 2:
        return None
    try:
        return mpi_communicator()
    except (ModuleNotFoundError, RuntimeError) as error:
        raise RequestError(str(error)) from None


def is_first(ranks: Communicator | None) -> bool:
    """Tell whether this process is the one that speaks and writes."""
    return ranks is None or ranks.rank == 0


def from_first(ranks: Communicator | None, make: Callable[[], str]) -> str:
    """Return a text that the first process makes, in all of them."""
    if ranks is None:
        return make()
    return all_gather_texts(ranks, make() if ranks.rank == 0 else "")[0]


def together(run: Callable[[], tuple[int, bool]]) -> int:
    """Run a command in every process and return its exit status; a process that cannot go on ends all of them.

    Parameters
    ----------
    run : callable
        Gives the exit status, and whether an error ended the command: the others would wait for this process then.
    """
    try:
        ranks = mpi_communicator()
    except (ModuleNotFoundError, RuntimeError):  # the command says it
        return run()[0]
    if ranks.rank == 0:
        status, failed = run()
    else:
        status, failed = behind_the_first(ranks.rank, run)
    if failed:
        ranks.abort(status)
    return status


def behind_the_first(rank: int, run: Callable[[], tuple[int, bool]]) -> tuple[int, bool]:
    """Run a command in another process than the first: in silence, but for an error that the first does not have too.

    That one says it sooner, and ends all.  Ctrl-C is looked for while training; otherwise the first process sees to it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stream, held, failed = sys.stderr, io.StringIO(), True
    sys.stdout, sys.stderr = None, held
    try:
        status, failed = run()
    finally:
        sys.stderr = stream
        if failed and held.getvalue() and stream is not None:
            time.sleep(_GRACE)
            print(f"rank {rank}: {held.getvalue()}", end="", file=stream, flush=True)
    return status, failed
