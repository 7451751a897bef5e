"""Writers that fail or are killed at every step: run as a program, it prints what was neither the old file nor the new one.

Steps are what the interpreter audits (opening, renaming, removing, locking, changing modes), flushing to the disk, and bytes
beyond a limit of the file's size.  Each attempt is a process of its own, forked.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import funcnn as fn
from funcnn.cli import check as check_command
from funcnn.cli import folder
from funcnn.cli.network import Facts
from funcnn.cli.settings import Settings
from funcnn.cli.tasks.classify import write_csv
from funcnn.train.history import History, Row

_EVENTS = ("open", "os.rename", "os.remove", "os.chmod", "os.chown", "fcntl.flock", "os.truncate", "fsync")
_MOST = 40  # steps of a writer, far more than there are
_FACTS = Facts(("a", "b"), 2)


def _history(value: float) -> History:
    return History((Row(1, (("loss", value),)), Row(2, (("loss", value / 2),))))


def _checkpoint(path: Path, value: float) -> None:
    x = np.full((4, 2), value)
    fn.fit(
        fn.dense(1), fn.mean_squared_error(), fn.sgd(0.1), x, x[:, :1], key=fn.Key(0), epochs=1, batch_size=4, progress=False,
        callbacks=[fn.Checkpoint(path)],
    )  # fmt: skip


def _check(path: Path, value: float) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        check_command.main(["funcnn:relu", "--shape", "2", "--seed", str(int(value)), "--json", str(path)])


WRITERS: dict[str, Callable[[Path, float], object]] = {
    "save": lambda path, value: fn.save(path, (np.full(3000, value), {"b": np.ones(2)}), note="n"),
    "History.to_csv": lambda path, value: _history(value).to_csv(path),
    "Checkpoint": _checkpoint,
    "plots.curves": lambda path, value: fn.plots.curves(_history(value), path.with_suffix(".svg")),
    "params of a run": lambda path, value: folder.write_params(path.parent, (np.full(3, value),), ()),
    "results of a run": lambda path, value: folder.write_results(path.parent, {"loss": value}),
    "config of a run": lambda path, value: folder.write_config(path.parent, Settings(seed=int(value)), _FACTS),
    "predictions": lambda path, value: write_csv(path, [["row", "class"], [0, value]]),
    "reports of check": _check,
}
_TIMED: dict[str, Callable[[Path], object]] = {
    "Checkpoint": fn.load,
    "reports of check": lambda path: json.loads(path.read_text(encoding="utf-8")),
}
"""What hold the times that something took, so that no two are equal: how to read them, which takes a whole one."""


def contents(place: Path) -> dict[str, bytes]:
    """Return the files of a folder, without the temporary ones."""
    return {one.name: one.read_bytes() for one in place.iterdir() if not one.name.startswith(".funcnn-")}


def attempt(write: Callable[[Path, float], object], place: Path, fault: Callable[[], None]) -> bool:
    """Write in a forked process with a fault; return whether it ended by itself."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            fault()
            write(place / "file", 2.0)
        except BaseException:
            os._exit(1)  # it was told of, as it should
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status >= 0


def at_step(place: Path, number: int, act: Callable[[], None]) -> None:
    """Do something at a step of what happens in a folder."""
    seen = 0

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        touched = event in ("fcntl.flock", "fsync") or any(str(place) in str(one) for one in arguments[:2])
        if event in _EVENTS and touched:
            seen += 1
            if seen == number:
                act()

    real = os.fsync

    def fsync(descriptor: int) -> None:
        sys.audit("fsync", descriptor)
        real(descriptor)

    os.fsync = fsync  # type: ignore[assignment]  # of descriptors alone: nothing else is flushed here
    sys.addaudithook(audit)


def full() -> None:
    """Raise what a full disk raises."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupt() -> None:
    """Raise what Ctrl-C raises."""
    raise KeyboardInterrupt


def kill() -> None:
    """End the process as a kill does."""
    os.kill(os.getpid(), signal.SIGKILL)


def limited(size: int) -> None:
    """Let files have no more bytes than this."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def walk(name: str, write: Callable[[Path, float], object]) -> tuple[int, list[str]]:
    """Try every fault of a writer; return how many attempts there were, and what was wrong."""
    wrong: list[str] = []
    tried = 0
    with tempfile.TemporaryDirectory() as somewhere:
        new_place, place = Path(somewhere, "new"), Path(somewhere, "it")
        new_place.mkdir()
        place.mkdir()
        write(new_place / "file", 2.0)
        new = contents(new_place)
        write(place / "file", 1.0)
        old = contents(place)
        assert old.keys() == new.keys()
        size = max(map(len, new.values()))
        faults: list[tuple[str, Callable[[], None]]] = []
        for act in (full, interrupt, kill):
            faults += [(f"{act.__name__} at step {number}", partial(at_step, place, number, act)) for number in range(1, _MOST)]
        faults += [(f"limit of {size * part // 8} bytes", partial(limited, size * part // 8)) for part in range(9)]
        beyond: set[str] = set()
        for what, fault in faults:
            if what.split()[0] in beyond:
                continue
            write(place / "file", 1.0)
            alive = attempt(write, place, fault)
            tried += 1
            found = contents(place)
            if name in _TIMED:
                whole = found.keys() == new.keys() and all(_TIMED[name](place / key) for key in found)
            else:
                whole = found in (old, new)
            if not whole:
                wrong.append(f"{name}, {what}: neither the old file nor the new one")
            left = [one.name for one in place.iterdir() if one.name.startswith(".funcnn-")]
            if alive and left:
                wrong.append(f"{name}, {what}: {left} stays")
            if alive and found == new and "limit" not in what and not left and "at step" in what:
                steps = int(what.split()[-1])
                if steps > 12:  # nothing happens any more
                    beyond.add(what.split()[0])
        write(place / "file", 2.0)
        left = [one.name for one in place.iterdir() if one.name.startswith(".funcnn-")]
        if left:
            wrong.append(f"{name}: {left} stays after a later writer")
    return tried, wrong


def main() -> int:
    """Walk all writers."""
    wrong: list[str] = []
    for name in sys.argv[1:] or WRITERS:
        tried, found = walk(name, WRITERS[name])
        print(f"{name}: {tried} attempts, {len(found)} wrong", flush=True)
        wrong += found
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
