"""Trees in files: ``.npz`` without pickle, written atomically, checked before they are read.

A file is a zip archive of uncompressed ``.npy`` entries, one for each leaf and named by its path, so that ``numpy.load`` opens it
too, and of one entry ``funcnn.json`` with the structure of the tree, the dtype and the shape of every leaf, and a note.

Nothing in a file is ever executed or believed: the entries are not compressed, so that no small file can unfold into a large
one; the structure is compared with the expected one before any leaf is read; and a leaf's size is checked before memory is
taken for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar, cast, overload

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.typing import Array

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

T = TypeVar("T")

_DESCRIPTION = "funcnn.json"
_FORMAT = 1
_LONGEST_DESCRIPTION = 64 * 2**20  # bytes: far more than any structure and note need
_KINDS = "biufc"


class FileError(ValueError):
    """A file that is not what it should be: damaged, of another format, or a tree other than the expected one."""


@frozen(eq=False)
class Leaf:
    """What a file says about one leaf."""

    path: str
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """The bytes that the leaf takes."""
        count = self.dtype.itemsize
        for length in self.shape:
            count *= length
        return count


# ------------------------------------------------------------------------------------------------------------------- writing


def save(path: str | os.PathLike[str], tree_: object, *, note: str = "") -> None:
    """Write a tree of arrays to an ``.npz`` file.

    The file appears whole or not at all: it is written under another name in the same folder, flushed to the disk, and renamed.

    Parameters
    ----------
    path : path
        The file; the name is used as it is, and a file of that name is replaced.
    tree_ : tree
        Parameters, state, an optimizer's state, or a tuple or dict of them.  The leaves keep their dtypes.
    note : str, optional
        A text that goes along, such as the settings of the run as JSON; :func:`load_note` reads it.

    Raises
    ------
    TypeError
        When something in the tree is not an array of numbers, with its path.
    FileNotFoundError
        When the folder does not exist.

    See Also
    --------
    load : read it again.

    Examples
    --------
    >>> import numpy as np, funcnn as fn, tempfile, pathlib
    >>> params = fn.dense(2).init(fn.Key(0), (3,)).params
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fn.save(pathlib.Path(folder, "params.npz"), params)
    ...     again = fn.load(pathlib.Path(folder, "params.npz"), like=params)
    >>> fn.tree.same(params, again)
    True
    """
    import json  # not on import of the package: three milliseconds

    leaves = [(where, np.asarray(leaf)) for where, leaf in tree.walk(tree_)]
    for where, leaf in leaves:
        if leaf.dtype.kind not in _KINDS:
            raise TypeError(
                f"{where or 'the tree'} has dtype {leaf.dtype}: only numbers are written to files, never Python objects"
            )
    described = json.dumps(
        {
            "format": _FORMAT,
            "longdouble": _longdouble(),
            "structure": _structure(tree_),
            "leaves": [[where, _native(leaf.dtype).str, list(leaf.shape)] for where, leaf in leaves],
            "note": note,
        }
    )

    def write(file: IO[bytes]) -> None:
        from zipfile import ZIP_STORED, ZipFile

        with ZipFile(file, "w", ZIP_STORED, allowZip64=True) as archive:
            archive.writestr(_fixed(_DESCRIPTION), described)
            for where, leaf in leaves:
                with archive.open(_fixed(where + ".npy"), "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, leaf.astype(_native(leaf.dtype), copy=False), allow_pickle=False)

    write_atomically(path, write)


def write_atomically(path: str | os.PathLike[str], write: Callable[[IO[bytes]], object]) -> None:
    """Call ``write`` with a new file that takes the place of ``path`` when all is on the disk; errors leave all as it was."""
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot write {target}: the folder {target.parent} does not exist")
    if target.is_dir():
        raise IsADirectoryError(f"cannot write {target}: it is a folder")
    temporary = target.with_name(f".{target.name}.{os.urandom(6).hex()}.tmp")
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:  # an interrupt too must leave nothing behind
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the new name must outlive a crash as well
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _fixed(name: str) -> ZipInfo:
    """Return an archive entry without the time of writing: equal trees give equal files."""
    from zipfile import ZipInfo

    return ZipInfo(name)


def _structure(node: object) -> object:
    """Return the structure of a tree as JSON: ``0`` for a leaf, ``[kind, [[step, child], ...]]`` for a node."""
    if isinstance(node, np.ndarray):
        return 0
    return [type(node).__name__, [[step, _structure(child)] for step, child in tree.children(node)]]


def _native(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    return dtype.newbyteorder("=")


def _longdouble() -> int:
    """Return the digits of this machine's long double: it is not the same number on every machine."""
    return int(np.finfo(np.longdouble).nmant)


# ------------------------------------------------------------------------------------------------------------------- reading


@overload
def load(path: str | os.PathLike[str], *, like: T) -> T: ...
@overload
def load(path: str | os.PathLike[str]) -> dict[str, Array]: ...
def load(path: str | os.PathLike[str], *, like: object = None) -> object:
    """Read a tree that :func:`save` wrote.

    Parameters
    ----------
    path : path
    like : tree, optional
        A tree of the expected structure, shapes and dtypes, such as ``model.init`` gives: the result is of the same types.

    Returns
    -------
    tree
        Like ``like``; without it, a dict from the path of each leaf to its array.  The arrays are read-only.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    FileError
        A ValueError: when the file is truncated, damaged, of another format, or holds another tree, with the path of what
        differs.

    Examples
    --------
    >>> import numpy as np, funcnn as fn, tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fn.save(pathlib.Path(folder, "tree.npz"), (np.ones(1), {"b": np.zeros(2)}))
    ...     fn.load(pathlib.Path(folder, "tree.npz"))
    {'[0]': array([1.]), "[1]['b']": array([0., 0.])}
    """
    with _Reader(path) as reader:
        if like is None:
            return {leaf.path: reader.read(leaf) for leaf in reader.leaves}
        reader.check(like)
        return tree.rebuild(like, iter([reader.read(leaf) for leaf in reader.leaves]))


def load_note(path: str | os.PathLike[str]) -> str:
    """Return the note of a file that :func:`save` wrote; no array is read.

    Raises
    ------
    FileNotFoundError, FileError
        As :func:`load`.
    """
    with _Reader(path) as reader:
        return reader.note


class _Reader:
    """An open file whose description has been read and checked."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.archive: ZipFile

    def __enter__(self) -> _Reader:
        from zipfile import BadZipFile, ZipFile

        if not self.path.is_file():
            raise FileNotFoundError(f"there is no file {self.path}")
        try:
            self.archive = ZipFile(self.path)
        except (BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise FileError(f"{self.path} is not an .npz file, or a damaged one: {error}") from error
        try:
            self.describe()
        except BaseException:
            self.archive.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.archive.close()

    def describe(self) -> None:
        """Read and check the description."""
        import json

        on_disk = self.path.stat().st_size
        infos = self.archive.infolist()
        if any(info.compress_type or info.file_size != info.compress_size for info in infos):
            raise FileError(f"{self.path} was not written by fn.save: its entries are compressed")
        if sum(info.file_size for info in infos) > on_disk:
            raise FileError(f"{self.path} is damaged: its entries claim more bytes than the file has")
        self.sizes = {info.filename: info.file_size for info in infos}
        if len(self.sizes) != len(infos):
            raise FileError(f"{self.path} is damaged: two entries have one name")
        if _DESCRIPTION not in self.sizes:
            raise FileError(
                f"{self.path} was not written by fn.save: it has no entry {_DESCRIPTION} (numpy.load reads plain .npz files)"
            )
        try:
            said = json.loads(self.bytes_of(_DESCRIPTION, _LONGEST_DESCRIPTION))
            if said["format"] != _FORMAT:
                raise FileError(f"{self.path} has format {said['format']!r}; this version reads format {_FORMAT}: update funcnn")
            self.note = str(said["note"])
            self.structure = said["structure"]
            self.leaves = [Leaf(str(path), np.dtype(str(dtype)), _shape(shape)) for path, dtype, shape in said["leaves"]]
            longdouble = said["longdouble"]
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            if isinstance(error, FileError):
                raise
            raise FileError(f"{self.path} is damaged: its description cannot be read ({error})") from error
        for leaf in self.leaves:
            if leaf.dtype.kind not in _KINDS:
                raise FileError(f"{self.path} is damaged: {leaf.path} has dtype {leaf.dtype}, which is not one of numbers")
            if leaf.dtype.char in "gG" and longdouble != _longdouble():
                raise FileError(f"{self.path}: {leaf.path} is {leaf.dtype} of another kind of machine: save it as float64 there")
            if leaf.nbytes > self.sizes.get(leaf.path + ".npy", -1):
                raise FileError(f"{self.path} is damaged: {leaf.path or 'the array'} is missing or too short")

    def check(self, like: object) -> None:
        """Raise a FileError with the first path where the file's tree is not like the expected one."""
        self._same(_structure(like), self.structure, "")
        for leaf, (path, expected) in zip(self.leaves, tree.walk(like), strict=False):
            if leaf.path != path:
                raise FileError(f"{self.path} is damaged: its leaves are not those of its structure")
            if leaf.shape != expected.shape or leaf.dtype != _native(expected.dtype):
                raise FileError(
                    f"{self.path}: {path or 'the array'} is {leaf.dtype}{list(leaf.shape)}, expected"
                    f" {expected.dtype}{list(expected.shape)}: the file belongs to another network or precision"
                )
        if len(self.leaves) != len(tree.leaves(like)):
            raise FileError(f"{self.path} is damaged: its leaves are not those of its structure")

    def _same(self, expected: object, got: object, path: str) -> None:
        """Compare two structures; the file's may be anything that JSON can say."""
        if expected == 0 and got == 0:
            return
        try:
            kind, children = cast("tuple[str, list[list[object]]]", got)
            steps = [step for step, _ in children]
        except (TypeError, ValueError):
            kind, children, steps = "array" if got == 0 else "unreadable", [], []
        wanted_kind, wanted = ("array", []) if expected == 0 else cast("tuple[str, list[list[object]]]", expected)
        wanted_steps = [step for step, _ in wanted]
        if kind != wanted_kind or steps != wanted_steps:
            raise FileError(
                f"{self.path}: {path or 'the tree'} is {_phrase(kind, steps)}, expected {_phrase(wanted_kind, wanted_steps)}:"
                " the file belongs to another network"
            )
        for (step, one), (_, other) in zip(wanted, children, strict=True):
            self._same(one, other, f"{path}{step}")

    def read(self, leaf: Leaf) -> Array:
        """Read one leaf; its header must say what the description says."""
        name = leaf.path + ".npy"
        raw = self.bytes_of(name, leaf.nbytes + 2**16)
        try:
            dtype, fortran, shape, start = _header(raw)
        except (ValueError, EOFError, TypeError) as error:
            raise FileError(f"{self.path} is damaged: {leaf.path or 'the array'} has no header ({error})") from error
        if _native(dtype) != leaf.dtype or shape != leaf.shape or len(raw) != start + leaf.nbytes:
            raise FileError(f"{self.path} is damaged: {leaf.path or 'the array'} is not what the description says")
        flat = np.frombuffer(raw, dtype, offset=start)
        array = flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
        return tree.freeze(cast(Array, np.array(array, leaf.dtype, order="C")))

    def bytes_of(self, name: str, most: int) -> bytes:
        """Return the content of an entry that is not larger than it may be."""
        from zipfile import BadZipFile

        if self.sizes[name] > most:
            raise FileError(f"{self.path} is damaged: the entry {name} has {self.sizes[name]} bytes, at most {most} are possible")
        try:
            content = self.archive.read(name)
        except (BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
            raise FileError(f"{self.path} is damaged: the entry {name} cannot be read ({error})") from error
        return content


def _header(raw: bytes) -> tuple[np.dtype[np.generic], bool, tuple[int, ...], int]:
    """Return (dtype, is in Fortran's order, shape, where the numbers begin) of an ``.npy`` entry."""
    from io import BytesIO

    stream = BytesIO(raw)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"version {version}")
    return dtype, fortran, shape, stream.tell()


def _shape(lengths: object) -> tuple[int, ...]:
    if not isinstance(lengths, list) or not all(type(length) is int and length >= 0 for length in lengths):
        raise ValueError(f"{lengths!r} is not a shape")
    return tuple(lengths)


def _phrase(kind: str, steps: list[object]) -> str:
    if kind == "array":
        return "an array"
    names = ", ".join(str(step) for step in steps[:8])
    return f"{kind} with {names}{', ...' if len(steps) > 8 else ''}" if steps else f"an empty {kind}"
