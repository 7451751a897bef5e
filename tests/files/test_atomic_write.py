"""Files appear whole or not at all, and what stands in their place is treated as users of files expect."""

from __future__ import annotations

import errno
import multiprocessing
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import numpy as np
import pytest

import funcnn as fn
from funcnn.files.atomic_write import remove_leftovers, write_atomically, write_bytes, write_text

posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and modes as POSIX has them")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_bytes(tmp_path / "made", b"new")
    assert (tmp_path / "made").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert names(tmp_path) == ["made", "plain"]


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_the_mode_is_kept(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)

    def write(file: IO[bytes]) -> None:
        (temporary,) = [entry for entry in tmp_path.iterdir() if entry != path]
        assert not stat.S_IMODE(temporary.stat().st_mode) & ~mode  # at no time may others read more than before
        file.write(b"new")

    write_atomically(path, write)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_bytes() == b"new"


@posix
def test_links_stay_and_what_they_name_is_written(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "one").write_bytes(b"old")
    (tmp_path / "latest").symlink_to("runs/one")
    (tmp_path / "latest of all").symlink_to("latest")
    (tmp_path / "dangling").symlink_to(tmp_path / "runs" / "two")
    write_bytes(tmp_path / "latest of all", b"new")
    write_bytes(tmp_path / "dangling", b"two")
    assert (tmp_path / "latest of all").is_symlink()
    assert (tmp_path / "latest").is_symlink()
    assert (tmp_path / "runs" / "one").read_bytes() == b"new"
    assert (tmp_path / "dangling").is_symlink()
    assert names(tmp_path / "runs") == ["one", "two"]
    (tmp_path / "self").symlink_to("self")
    with pytest.raises(OSError, match="symbolic links") as caught:
        write_bytes(tmp_path / "self", b"")
    assert caught.value.errno == errno.ELOOP


@posix
def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = np.random.default_rng(0).bytes(300_000)  # more than a pipe holds
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_bytes(pipe, content)
    reader.join()
    assert got == [content]
    assert names(tmp_path) == ["pipe"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@posix
def test_nothing_goes_into_a_pipe_when_the_writer_fails(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    def fail(file: IO[bytes]) -> None:
        file.write(b"half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_atomically(pipe, fail)
    assert os.read(reader, 9) == b""
    os.close(reader)


@posix
def test_devices_stay(tmp_path: Path) -> None:
    write_bytes("/dev/null", b"gone")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        write_bytes("/dev/full", b"too much")
    script = "import sys; sys.path[:0] = sys.argv[1:]; from funcnn.files.atomic_write import write_text; print(1, flush=True);"
    script += "write_text('/dev/stdout', 'two\\n'); write_text('/dev/fd/1', '2\\n'); print(3)"
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", script, str(Path(fn.__file__).parents[1])], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "1\ntwo\n2\n3\n"  # a file that the shell has opened is not replaced under its hands


def test_a_protected_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)  # for root too
    with pytest.raises(PermissionError, match="file'"):
        write_bytes(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("length", [1, 237, 238, 250, 255])
@pytest.mark.parametrize("letter", ["n", "ü"])
def test_names_of_any_length(tmp_path: Path, length: int, letter: str) -> None:
    path = tmp_path / (letter * (length // len(letter.encode())) or "n")
    fn.save(path, (np.ones(2),))
    fn.save(path, (np.ones(2),))
    assert fn.load(path)["[0]"].tolist() == [1.0, 1.0]
    assert names(tmp_path) == [path.name]


def test_a_name_that_is_too_long_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="name too long") as caught:
        write_bytes(tmp_path / ("n" * 256), b"")
    assert "nnn" in str(caught.value)
    assert names(tmp_path) == []


def test_places_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"the folder .*nowhere does not exist"):
        write_bytes(tmp_path / "nowhere" / "file", b"")
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        write_bytes(tmp_path, b"")


def test_text_that_is_no_character(tmp_path: Path) -> None:
    write_text(tmp_path / "text", "ü\udce9\n")
    assert (tmp_path / "text").read_bytes() == b"\xc3\xbc\\udce9\n"


# ------------------------------------------------------------------------------------------------------------- left behind


def die(path: str, code: int) -> None:
    def write(file: IO[bytes]) -> None:
        file.write(b"half")
        file.flush()
        os._exit(code)

    write_atomically(path, write)


def killed(path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=die, args=(str(path), 9))
    process.start()
    process.join()
    assert process.exitcode == 9


@posix
def test_what_kills_leave_is_cleared_by_the_next_writer(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    killed(path)
    killed(path)
    assert len(names(tmp_path)) == 2  # one file, however often
    assert path.read_bytes() == b"old"
    write_bytes(path, b"new")
    assert names(tmp_path) == ["file"]


@posix
def test_what_kills_leave_is_cleared_from_a_folder(tmp_path: Path) -> None:
    killed(tmp_path / "file")
    (tmp_path / ".funcnn-mine.tmp").write_bytes(b"not ours")
    assert len(names(tmp_path)) == 2
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [".funcnn-mine.tmp"]


@posix
def test_what_is_being_written_is_not_cleared(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def outer(file: IO[bytes]) -> None:
        file.write(b"outer")
        remove_leftovers(tmp_path)
        write_bytes(path, b"inner")  # another writer of the same target, in the midst
        assert path.read_bytes() == b"inner"
        remove_leftovers(tmp_path)

    write_atomically(path, outer)
    assert path.read_bytes() == b"outer"
    assert names(tmp_path) == ["file"]


def test_many_writers_of_one_file(tmp_path: Path) -> None:
    path, contents = tmp_path / "file", [bytes([number]) * 50_000 for number in range(24)]
    errors: list[BaseException] = []

    def work(content: bytes) -> None:
        try:
            for _ in range(10):
                write_bytes(path, content)
                assert path.read_bytes() in contents
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert names(tmp_path) == ["file"]


@posix
def test_planted_files_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")

    def look(file: IO[bytes]) -> None:
        (temporary,) = [entry for entry in tmp_path.iterdir() if entry.name.startswith(".funcnn")]
        seen.append(temporary)

    seen: list[Path] = []
    write_atomically(tmp_path / "file", look)
    seen[0].symlink_to(tmp_path / "victim")  # the very name that the next writer takes first
    write_bytes(tmp_path / "file", b"new")
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert (tmp_path / "file").read_bytes() == b"new"
