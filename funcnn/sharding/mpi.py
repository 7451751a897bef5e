"""Processes that ``mpiexec`` started, by the package ``mpi4py``: MPI begins when it is imported, so that it is when asked for."""

from __future__ import annotations

import os
import sys
import time
import traceback
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from funcnn.sharding.communicator import Numbers

N = TypeVar("N", bound=np.generic)

_LAUNCHERS = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "I_MPI_COMM_WORLD_SIZE")
"""Where launchers say how many processes they started: MPICH and what is made of it, Open MPI, MVAPICH, Intel MPI."""

_FORWARDED = 0.25
"""Seconds for a launcher to read what was printed: told to end all processes it does so at once, what it has not read is lost."""


def launched() -> int:
    """Return how many processes a launcher of MPI says that it started; 1 where there is none."""
    told = [os.environ.get(name, "") for name in _LAUNCHERS]
    if "PMIX_RANK" in os.environ:  # as Slurm's srun starts programs of MPI
        told.append(os.environ.get("SLURM_STEP_NUM_TASKS", ""))
    return max([int(text) for text in told if text.isdecimal()], default=1)


class MPICommunicator:
    """What :func:`mpi_communicator` returns: a :class:`Communicator` of the processes of a communicator of ``mpi4py``."""

    def __init__(self, comm: Any) -> None:  # Any: mpi4py is there only where it is installed
        self._comm = comm
        self.rank: int = comm.Get_rank()
        self.size: int = comm.Get_size()

    def __repr__(self) -> str:
        return f"<rank {self.rank} of {self.size}>"

    def all_gather(self, array: Numbers[N]) -> Numbers[N]:
        """Return the arrays of all ranks along a new first axis; bytes are sent, so that every dtype can be."""
        own = np.ascontiguousarray(array)
        gathered = np.empty((self.size, *array.shape), array.dtype)
        self._comm.Allgather(_bytes(own), _bytes(gathered))
        return gathered

    def all_to_all(self, array: Numbers[N]) -> Numbers[N]:
        """Return the rows that the arrays of all ranks have for this one."""
        own = np.ascontiguousarray(array)
        received = np.empty_like(own)
        self._comm.Alltoall(_bytes(own), _bytes(received))
        return received

    def abort(self, status: int = 1) -> None:
        """End all processes at once, this one too: where one of them cannot go on, and the others would wait for it."""
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        time.sleep(_FORWARDED)
        self._comm.Abort(status)


def _bytes(array: Numbers[N]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return array.reshape(-1).view(np.uint8)


def mpi_communicator(comm: Any = None) -> MPICommunicator:
    """Return the processes that ``mpiexec`` started, to train together: for :func:`fit` and :func:`data_parallel`.

    From then on an exception that nobody catches, in any of them, prints its traceback with the rank and ends them all: otherwise
    the others would wait for a process that is no more.  A process that leaves otherwise, by ``sys.exit``, calls ``abort`` first.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm, optional
        A communicator of ``mpi4py``; by default ``MPI.COMM_WORLD``, that of all processes.

    Returns
    -------
    Communicator
        With ``rank``, ``size``, and ``abort(status)``, which ends all processes.

    Raises
    ------
    ModuleNotFoundError
        When ``mpi4py`` is not installed, or no library of MPI: ``pip install 'funcnn[mpi]' mpich`` brings both.
    RuntimeError
        When ``mpiexec`` says that it started several processes, and the library sees one: they are of different MPIs.

    Examples
    --------
    A script of two lines more than one for one process, started with ``mpiexec -n 2 python script.py``::

        ranks = fn.mpi_communicator()
        fit = fn.fit(model, loss, optimizer, x, y, ..., communicator=ranks)
        if ranks.rank == 0:
            fn.save("model.npz", (fit.params, fit.state))
    """
    try:
        from mpi4py import MPI  # pyright: ignore[reportMissingImports] - an extra
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("MPI is used by mpi4py, which is not installed: pip install 'funcnn[mpi]'") from error
    except (ImportError, RuntimeError) as error:  # as mpi4py says that it finds no library
        raise ModuleNotFoundError(
            f"mpi4py finds no library of MPI ({' '.join(str(error).split())}): pip install mpich, or install one with the system"
        ) from error
    made = MPICommunicator(MPI.COMM_WORLD if comm is None else comm)
    if comm is None and made.size == 1 and launched() > 1:
        raise RuntimeError(
            f"mpiexec started {launched()} processes, and mpi4py sees one: mpiexec is not of the library that mpi4py uses"
            f" ({MPI.Get_library_version().splitlines()[0].strip()}): call that one's, such as the mpiexec beside this python"
        )
    if made.size > 1 and not isinstance(sys.excepthook, EndAll):
        sys.excepthook = EndAll(made)
    return made


class EndAll:
    """What Python calls with an exception that nobody caught: it says which rank failed, and ends all of them."""

    def __init__(self, communicator: MPICommunicator) -> None:
        self.communicator = communicator

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Print the traceback and end all processes."""
        if sys.stderr is not None:
            told = "".join(traceback.format_exception(kind, error, trace))
            print(f"{told}rank {self.communicator.rank} of {self.communicator.size} failed: all are ended", file=sys.stderr)
        self.communicator.abort(1)
