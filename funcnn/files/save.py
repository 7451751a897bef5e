"""Trees in files: ``.npz`` without pickle, written atomically, checked before they are read.

A file is a zip archive of uncompressed ``.npy`` entries, one for each leaf and named by its path, so that ``numpy.load`` opens it
too, of one entry ``funcnn.json`` with the structure of the tree, the dtype and the shape of every leaf, and of one entry
``note.txt``.

Nothing in a file is ever executed or believed: the entries are not compressed, so that no small file can unfold into a large
one; the structure is compared with the expected one before any leaf is read; a leaf's size is checked before memory is
taken for it; and headers are read by a parser that knows nothing but arrays of numbers.  Time and memory are in proportion to the
bytes of the file.

Format 1 had the note among the description, and the structure as nested lists; it is still read.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, TypeVar, overload

import numpy as np

from funcnn import tree
from funcnn.errors import shorten
from funcnn.files.atomic_write import write_atomically
from funcnn.files.nodes import take_apart
from funcnn.files.tree_reader import DESCRIPTION, FORMAT, LONGEST_DESCRIPTION, NOTE, Reader, longdouble_digits, native
from funcnn.files.tree_reader import FileError as FileError  # a name of this module for those who use it
from funcnn.typing import Array

if TYPE_CHECKING:
    from zipfile import ZipInfo

T = TypeVar("T")

_LONGEST_NAME = 2**16 - 5  # bytes of a path, which with its ending is a name in the zip format
_KINDS = "biufc"


# ------------------------------------------------------------------------------------------------------------------- writing


def save(path: str | os.PathLike[str], tree: object, *, note: str = "") -> None:
    """Write a tree of arrays to an ``.npz`` file.

    The file appears whole or not at all: it is written under another name in the same folder, flushed to the disk, and renamed.
    What stands there already keeps its mode; a symbolic link stays, and the file that it names is replaced (other hard links
    to it keep the old content); a pipe or a device is written into.

    Parameters
    ----------
    path : path
        The file; the name is used as it is, and a file of that name is replaced.
    tree : tree
        Parameters, state, an optimizer's state, or a tuple or dict of them.  The leaves keep their dtypes.
    note : str, optional
        A text of any length that goes along, such as the settings of the run as JSON; :func:`load_note` reads it.

    Raises
    ------
    TypeError
        When something in the tree is not an array of numbers, with its path; or the note is no text.
    ValueError
        When there are so many leaves, or such long names, that the file could not be read again.
    FileNotFoundError, IsADirectoryError, PermissionError, OSError
        When the folder does not exist, the path is a folder, the file may not be written, or the disk is full; what stood
        there before is then untouched.

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

    if not isinstance(note, str):
        raise TypeError(f"note is {type(note).__name__}, expected a text")
    nodes, leaves = take_apart(tree)
    for where, leaf in leaves:
        if leaf.dtype.kind not in _KINDS:
            raise TypeError(
                f"{where or 'the tree'} has dtype {leaf.dtype}: only numbers are written to files, never Python objects"
            )
        if len(where.encode()) > _LONGEST_NAME:
            raise ValueError(
                f"{shorten(where)} is nested too deeply, or has too long names: paths in files have 65,531 bytes at most"
            )
    described = json.dumps(
        {
            "format": FORMAT,
            "longdouble": longdouble_digits(),
            "structure": nodes,
            "leaves": [[where, native(leaf.dtype).str, list(leaf.shape)] for where, leaf in leaves],
        }
    )
    if len(described) > LONGEST_DESCRIPTION:
        raise ValueError(f"the tree has {len(leaves):,} leaves: their description is too long for a file, save it in parts")

    def write(file: IO[bytes]) -> None:
        from zipfile import ZIP_STORED, ZipFile

        with ZipFile(file, "w", ZIP_STORED, allowZip64=True) as archive:
            archive.writestr(_fixed(DESCRIPTION), described)
            archive.writestr(_fixed(NOTE), note.encode("utf-8", "surrogatepass"))
            for where, leaf in leaves:
                with archive.open(_fixed(where + ".npy"), "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, leaf.astype(native(leaf.dtype), copy=False), allow_pickle=False)

    write_atomically(path, write)


def _fixed(name: str) -> ZipInfo:
    """Return an archive entry without the time of writing: equal trees give equal files."""
    from zipfile import ZipInfo

    made = ZipInfo()
    made.filename = made.orig_filename = name  # as it is: the constructor takes backslashes for folders on some systems
    return made


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
    with Reader(path) as reader:
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
    with Reader(path) as reader:
        return reader.note
