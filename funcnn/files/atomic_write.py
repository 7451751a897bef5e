"""Files appear whole or not at all: the one way in which anything of this package is written.

The content goes into a temporary file in the same folder, is flushed to the disk, and takes the place of the target by a rename,
which the system does in one piece.  Who reads finds the old file or the new one, never a part and never nothing, whatever
fails on the way: a full disk, an interrupt, a kill, a power cut.

A process that is killed leaves its temporary file behind.  Its name follows from the target's, and while a process writes it
holds a lock on it, which ends with the process, however that ends: so the next one that writes the same target can tell what
was left behind from what is being written, and clears it away.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from errno import EACCES, EEXIST, EINVAL, ENOTSUP
from functools import partial
from pathlib import Path
from typing import IO, TypeAlias
from zlib import crc32

from funcnn.errors import check_path

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed: that tells the same
    fcntl = None  # type: ignore[assignment]  # the module is optional

PathLike: TypeAlias = str | os.PathLike[str]

_SLOTS = 16  # processes that write one target at the same time, before names are drawn at random
_TEMPORARY = re.compile(r"\.funcnn-[0-9a-f]{8}-[0-9a-f]+\.tmp")
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_SPOOL = 2**24  # bytes on their way into a pipe that are kept in memory


def write_atomically(path: PathLike, write: Callable[[IO[bytes]], object]) -> None:
    """Call ``write`` with a new file that takes the place of ``path`` when all is on the disk; errors leave all as it was.

    A symbolic link stays, and what it names is replaced.  A file that is replaced keeps its mode and, where that is allowed, its
    owner.  A pipe or a device is never replaced: it is written into, as :func:`open` does, after ``write`` has succeeded.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        When the folder does not exist, the path is a folder, or the file or the folder may not be written.
    OSError
        When the disk is full, or fails; with the name of the target.
    """
    asked = check_path(path)
    target = Path(os.path.realpath(asked))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot write {asked}: the folder {target.parent} does not exist")
    try:
        old = asked.stat()
    except FileNotFoundError:
        old = None
    if old is not None and stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(f"cannot write {asked}: it is a folder")
    try:
        if _stream(asked) is not None or (old is not None and not stat.S_ISREG(old.st_mode)):
            _write_into(asked, write)
        else:
            _replace(target, old, write)
    except OSError as error:
        named = error.filename
        if error.errno is None or not (named in (None, str(target)) or _is_temporary(named)):
            raise
        raise OSError(error.errno, error.strerror, str(asked)) from error  # of the class that belongs to the number


def write_bytes(path: PathLike, content: bytes) -> None:
    """Write a file: whole or not at all."""
    write_atomically(path, lambda file: file.write(content))


def copy_file(source: PathLike, target: PathLike) -> None:
    """Copy a file to another place, where it appears whole."""
    from shutil import copyfileobj  # not on import: few programs need it

    with check_path(source).open("rb") as file:
        write_atomically(target, partial(copyfileobj, file))


def write_text(path: PathLike, text: str) -> None:
    r"""Write a text in UTF-8: whole or not at all; what is no character, as in some file names, as ``\udc80``."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def remove_leftovers(folder: PathLike) -> None:
    """Remove the temporary files of processes that were killed while they wrote into a folder."""
    for path in Path(folder).iterdir():
        if _is_temporary(str(path)):
            _remove_abandoned(path)


def _is_temporary(name: object) -> bool:
    return isinstance(name, str) and _TEMPORARY.fullmatch(Path(name).name) is not None


def _stream(path: Path) -> int | None:
    """Return the descriptor of this process that a path names, which may be of a file that others write too."""
    match path.absolute().parts:
        case ("/", "dev", "stdout"):
            return 1
        case ("/", "dev", "stderr"):
            return 2
        case ("/", "dev", "fd", number) | ("/", "proc", "self", "fd", number) if number.isdecimal():
            return int(number)
    return None


def _write_into(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write into a pipe, a device or an open stream: all at once, when there is nothing left that may fail."""
    from shutil import copyfileobj
    from tempfile import SpooledTemporaryFile

    with SpooledTemporaryFile(_SPOOL) as whole:
        write(whole)
        whole.seek(0)
        own = _stream(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND) if own is None else os.dup(own)  # a copy goes on where it stands
        with os.fdopen(descriptor, "wb") as stream:
            copyfileobj(whole, stream)


def _replace(target: Path, old: os.stat_result | None, write: Callable[[IO[bytes]], object]) -> None:
    if old is not None and not os.access(target, os.W_OK):  # a rename would not ask
        raise PermissionError(EACCES, os.strerror(EACCES), str(target))
    temporary, descriptor = _open_temporary(target, 0o666 if old is None else 0o600)
    with os.fdopen(descriptor, "wb") as file:
        try:
            if old is not None:
                _take_after(descriptor, old)
            write(file)
            file.flush()
            os.fsync(descriptor)
            if fcntl is None:
                file.close()  # Windows renames no open file
            temporary.replace(target)
        except BaseException:  # an interrupt too must leave nothing behind
            try:
                _discard(temporary, file)
            except BaseException:  # nor one that comes while the first is being handled
                _discard(temporary, file)
                raise
            raise
    _sync_folder(target.parent)


def _discard(temporary: Path, file: IO[bytes]) -> None:
    """Remove a temporary file, unless it has its final name already: then its old one may be another process's by now."""
    with suppress(OSError):
        own = os.path.samestat(os.fstat(file.fileno()), os.lstat(temporary))
        with suppress(OSError):
            if fcntl is None:
                file.close()  # Windows removes no open file
        if own:
            temporary.unlink()
    with suppress(OSError):  # what it could not write any more
        file.close()


def _open_temporary(target: Path, mode: int) -> tuple[Path, int]:
    """Return a new file beside the target, and its descriptor, locked for as long as that is open."""
    stem = f".funcnn-{crc32(os.fsencode(target.name)):08x}-"
    for slot in (*range(_SLOTS), os.urandom(6).hex(), os.urandom(6).hex()):
        temporary = target.with_name(f"{stem}{slot}.tmp")
        if os.path.lexists(temporary) and not _remove_abandoned(temporary):
            continue
        try:
            descriptor = os.open(temporary, _NEW, mode)
        except FileExistsError:
            continue
        try:
            if _locked(descriptor, temporary):
                return temporary, descriptor
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise FileExistsError(EEXIST, "too many processes write this file", str(target))


def _locked(descriptor: int, temporary: Path) -> bool:
    """Lock a new file; tell whether it is still there: another process may just have taken it for left behind."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: there nobody clears away
        return True
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(temporary))
    except FileNotFoundError:
        return False


def _remove_abandoned(temporary: Path) -> bool:
    """Remove a temporary file that no process writes any more, and tell whether it was one."""
    try:
        if fcntl is None:
            temporary.unlink()  # fails while the file is open
            return True
        descriptor = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or not os.path.samestat(found, os.lstat(temporary)):
                return False
            temporary.unlink()
            return True
        finally:
            os.close(descriptor)
    except OSError:  # it is being written, is somebody else's, or is gone
        return False


def _take_after(descriptor: int, old: os.stat_result) -> None:
    """Give a file the owner and mode of the one that it replaces; where the group cannot be kept, a group may what all may."""
    if not hasattr(os, "fchown"):
        return
    mode = stat.S_IMODE(old.st_mode)
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with suppress(OSError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
        with suppress(OSError):
            os.fchown(descriptor, -1, old.st_gid)
        if os.fstat(descriptor).st_gid != old.st_gid:
            mode = mode & 0o707 | (mode & 0o007) << 3
    with suppress(OSError):  # a file system without modes
        os.fchmod(descriptor, mode)


def _sync_folder(folder: Path) -> None:
    """Have a new name outlive a crash of the system, where folders can be flushed."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder that may be written and not listed
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (EINVAL, ENOTSUP):  # some network file systems have no such thing
            raise
    finally:
        os.close(descriptor)
