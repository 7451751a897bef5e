"""The command line's entry: find the command, and turn what goes wrong into a message and an exit status."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import cast

from funcnn.cli.failure import INTERRUPTED, OK, PIPE_CLOSED, WRONG_REQUEST, RequestError
from funcnn.cli.terminal import complain, hang_up, show
from funcnn.sharding.mpi import launched

_COMMANDS = {
    "train": "funcnn.cli.train",
    "predict": "funcnn.cli.predict",
    "sample": "funcnn.cli.sample",
    "serve": "funcnn.cli.serve",
    "export": "funcnn.cli.deploying.export",
    "check": "funcnn.cli.check",
    "certify": "funcnn.cli.certify",
}
"""The module of each command: imported when it is called, since each needs only its own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows ``python -m funcnn``; by default that of the process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if launched() > 1:
        from funcnn.cli.ranks import together  # most programs are one process

        return together(partial(_reported, given))
    return _reported(given)[0]


def _reported(given: list[str]) -> tuple[int, bool]:
    """Run a command; return its exit status, and whether an error ended it, which is printed."""
    try:
        status = _run(given)
        show()  # what is still to be written: later there would be nobody to tell of an error
        return status, False
    except RequestError as error:
        complain(str(error))
        return WRONG_REQUEST, True
    except SystemExit as end:  # argparse has printed its message, or its help
        status = end.code if isinstance(end.code, int) else WRONG_REQUEST
        return status, status != OK
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED, True
    except BrokenPipeError:  # a command that does nothing but print, and its reader, such as head, has seen enough
        hang_up()
        return PIPE_CLOSED, True
    except OSError as error:  # a disk that is full, a file that vanished
        complain(f"{error.filename or 'file'}: {error.strerror or error}")
        return WRONG_REQUEST, True


def _run(given: list[str]) -> int:
    command, rest = (given[0], given[1:]) if given and not given[0].startswith("-") else ("train", given)
    if command not in _COMMANDS:
        raise RequestError(
            f"there is no command {command!r}: choose from {', '.join(_COMMANDS)} (without one: train); --help says more"
        )
    if command != "train" and launched() > 1:
        raise RequestError(f"{command} runs in one process: start it without mpiexec; what is divided is training")
    try:
        module = import_module(_COMMANDS[command])
    except ModuleNotFoundError as error:
        if error.name != _COMMANDS[command]:
            raise
        raise RequestError(f"this version does not have the command {command!r} yet") from None
    return cast("Callable[[Sequence[str]], int]", module.main)(rest)
