"""What a file of a tree says, read without believing it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.errors import check_path, shorten
from funcnn.files.nodes import alike, paths_of, phrase, read_node, take_apart, unfolded
from funcnn.files.npy_header import read_dtype, read_header, read_shape
from funcnn.typing import Array

if TYPE_CHECKING:
    from zipfile import ZipFile

DESCRIPTION, NOTE = "funcnn.json", "note.txt"
FORMAT = 2
LONGEST_DESCRIPTION = 64 * 2**20
"""The bytes that a description may have, of writer and reader: more than a million leaves."""


class FileError(ValueError):
    """A file that is not what it should be: damaged, of another format, or a tree other than the expected one."""


@frozen(eq=False)
class Leaf:
    """What a file says about one leaf."""

    path: str
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """The path in a message."""
        return shorten(self.path) or "the array"

    @property
    def nbytes(self) -> int:
        """The bytes that the leaf takes."""
        count = self.dtype.itemsize
        for length in self.shape:
            count *= length
        return count


def native(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    """Return a dtype in the byte order of this machine."""
    return dtype.newbyteorder("=")


def longdouble_digits() -> int:
    """Return the digits of this machine's long double: it is not the same number on every machine."""
    return int(np.finfo(np.longdouble).nmant)


class Reader:
    """An open file whose description has been read and checked."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = check_path(path)
        self.archive: ZipFile

    def __enter__(self) -> Reader:
        from zipfile import ZipFile

        if not self.path.exists() or self.path.is_dir():
            raise FileNotFoundError(f"there is no file {self.path}" + ": it is a folder" * self.path.is_dir())
        if not self.path.is_file():  # the other end of a pipe would be waited for
            raise FileError(f"{self.path} is a pipe or a device, expected a file")
        with self.damage(f"{self.path} is not an .npz file, or a damaged one"):
            self.archive = ZipFile(self.path)
        try:
            self.describe()
        except BaseException:
            self.archive.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.archive.close()

    @contextmanager
    def damage(self, what: str) -> Iterator[None]:
        """Turn whatever a parser says of bytes that may be anybody's into a FileError; what the system refuses stays."""
        try:
            yield
        except (FileError, PermissionError):
            raise
        except Exception as error:
            raise FileError(f"{what} ({shorten(str(error) or type(error).__name__, 160)})") from error

    def describe(self) -> None:
        """Read and check the description."""
        on_disk = self.path.stat().st_size
        self._list_entries(on_disk)
        longdouble = self._read_description(on_disk)
        if len({leaf.path for leaf in self.leaves}) < len(self.leaves):
            raise FileError(f"{self.path} is damaged: two leaves have one path")
        for leaf in self.leaves:
            if leaf.dtype.char in "gG" and longdouble != longdouble_digits():
                raise FileError(f"{self.path}: {leaf.name} is {leaf.dtype} of another kind of machine: save it as float64 there")
            entry = self.entries.get(leaf.path + ".npy")
            if entry is None or leaf.nbytes > entry.file_size:
                raise FileError(f"{self.path} is damaged: {leaf.name} is missing or too short")

    def _list_entries(self, on_disk: int) -> None:
        """Set the entries by name; raise unless they are stored as they are, and no more than the bytes on disk."""
        infos = self.archive.infolist()
        if any(info.compress_type or info.file_size != info.compress_size for info in infos):
            raise FileError(f"{self.path} was not written by fn.save: its entries are compressed")
        if sum(info.file_size for info in infos) > on_disk:
            raise FileError(f"{self.path} is damaged: its entries claim more bytes than the file has")
        self.entries = {info.orig_filename: info for info in infos}
        if len(self.entries) != len(infos):
            raise FileError(f"{self.path} is damaged: two entries have one name")
        if DESCRIPTION not in self.entries:
            raise FileError(
                f"{self.path} was not written by fn.save: it has no entry {DESCRIPTION} (numpy.load reads plain .npz files)"
            )

    def _read_description(self, on_disk: int) -> object:
        """Set the note, the nodes and the leaves; return the digits of long double where the file was written."""
        import json

        with self.damage(f"{self.path} is damaged: its description cannot be read"):
            said = json.loads(self.bytes_of(DESCRIPTION, LONGEST_DESCRIPTION))
            if said["format"] not in range(1, FORMAT + 1):
                raise FileError(
                    f"{self.path} has format {shorten(str(said['format']))}; this version reads 1 to {FORMAT}: update funcnn"
                )
            first = said["format"] == 1
            self.note = str(said["note"]) if first else self.bytes_of(NOTE, on_disk).decode("utf-8", "surrogatepass")
            self.nodes = unfolded(said["structure"]) if first else [read_node(node) for node in said["structure"]]
            self.leaves = [Leaf(str(path), read_dtype(dtype), read_shape(shape)) for path, dtype, shape in said["leaves"]]
            digits: object = said["longdouble"]
        return digits

    def check(self, like: object) -> None:
        """Raise a FileError with the first path where the file's tree is not like the expected one."""
        nodes, leaves = take_apart(like)
        paths = paths_of(nodes)
        for number, (path, expected) in enumerate(zip(paths, nodes, strict=True)):
            got = self.nodes[number] if number < len(self.nodes) else ("unreadable", [])
            if not alike(got, expected):
                raise FileError(
                    f"{self.path}: {path or 'the tree'} is {phrase(got)}, expected {phrase(expected)}:"
                    " the file belongs to another network"
                )
        if len(self.nodes) != len(nodes) or [leaf.path for leaf in self.leaves] != [path for path, _ in leaves]:
            raise FileError(f"{self.path} is damaged: its leaves are not those of its structure")
        for leaf, (path, expected_leaf) in zip(self.leaves, leaves, strict=True):
            if leaf.shape != expected_leaf.shape or leaf.dtype != native(expected_leaf.dtype):
                raise FileError(
                    f"{self.path}: {path or 'the array'} is {leaf.dtype}{list(leaf.shape)}, expected"
                    f" {expected_leaf.dtype}{list(expected_leaf.shape)}: the file belongs to another network or precision"
                )

    def read(self, leaf: Leaf) -> Array:
        """Read one leaf; its header must say what the description says."""
        raw = self.bytes_of(leaf.path + ".npy", leaf.nbytes + 2**16)
        with self.damage(f"{self.path} is damaged: {leaf.name} has no header"):
            dtype, fortran, shape, start = read_header(raw)
        if native(dtype) != leaf.dtype or shape != leaf.shape or len(raw) != start + leaf.nbytes:
            raise FileError(f"{self.path} is damaged: {leaf.name} is not what the description says")
        if dtype.kind == "b" and raw[start:].strip(b"\0\1"):
            raise FileError(f"{self.path} is damaged: {leaf.name} holds truth values other than 0 and 1")
        flat = np.frombuffer(raw, dtype, offset=start)
        array = flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
        return tree.freeze(cast(Array, np.array(array, leaf.dtype, order="C")))

    def bytes_of(self, name: str, most: int) -> bytes:
        """Return the content of an entry that is not larger than it may be."""
        entry, said = self.entries[name], shorten(name)
        if entry.file_size > most:
            raise FileError(f"{self.path} is damaged: the entry {said} has {entry.file_size} bytes, at most {most} are possible")
        with self.damage(f"{self.path} is damaged: the entry {said} cannot be read"):
            return self.archive.read(entry)
