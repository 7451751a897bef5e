"""The names of a checkpoint's tensors beside the paths of a tree's leaves, and what is said where the two do not fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.errors import shorten
from funcnn.files.tree_reader import FileError
from funcnn.models.pretrained.forms import SAME, Form
from funcnn.typing import Array, Shape

T = TypeVar("T")

_TOLD = 12  # differences that a message lists


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


@frozen
class Entry:
    """A leaf, the tensors that it is made of, and how."""

    path: str
    names: tuple[str, ...] = field(converter=_names)
    form: Form = SAME


Entries = tuple[Entry, ...]


def under(path: str, name: str, entries: Sequence[Entry]) -> Entries:
    """Return entries as they are called further up: a path in front of their paths, a name in front of their names."""
    return tuple([Entry(path + one.path, [f"{name}.{own}" for own in one.names], one.form) for one in entries])


def repeated(path: str, name: str, count: int, entries: Sequence[Entry], first: int = 0) -> Entries:
    """Return the entries of parts that are alike: ``path[0]`` and ``name.0``, and so on."""
    return tuple([one for i in range(count) for one in under(f"{path}[{first + i}]", f"{name}.{i}", entries)])


@frozen
class Table:
    """What a checkpoint holds, and where it belongs in the pair of parameters and state."""

    params: Entries
    state: Entries = ()
    ignored: tuple[str, ...] = ()
    """Regular expressions of the names of tensors without effect, such as constant masks that older versions wrote."""
    prefix: str = ""
    """What the names of a whole model begin with, and those of its body alone do not."""

    @property
    def entries(self) -> Entries:
        """All entries, their paths those of a pair (params, state)."""
        return (
            *[Entry(f"[0]{one.path}", one.names, one.form) for one in self.params],
            *[Entry(f"[1]{one.path}", one.names, one.form) for one in self.state],
        )

    def is_ignored(self, name: str) -> bool:
        """Tell whether a tensor is known to be without effect."""
        return any(re.fullmatch(pattern, name) for pattern in self.ignored)


def expected_shapes(table: Table, pair: object) -> dict[str, Shape]:
    """Return the shape of every tensor of the checkpoint of a tree: no number is touched, of which there may be any many."""
    leaves = {path: np.empty(leaf.shape, "V0") for path, leaf in tree.walk(pair)}  # V0: entries of no bytes
    return {
        name: made.shape
        for entry in table.entries
        for name, made in zip(entry.names, entry.form.write(leaves[entry.path]), strict=True)
    }


def check_covers(table: Table, pair: object) -> None:
    """Raise unless a table has every leaf of a tree once: a mistake of whoever wrote the table."""
    mapped = [entry.path for entry in table.entries]
    if sorted(mapped) != sorted(tree.paths(pair)):
        missing, unknown = sorted({*tree.paths(pair)} - {*mapped}), sorted({*mapped} - {*tree.paths(pair)})
        raise AssertionError(f"the table lacks {missing} and has {unknown}, or has a leaf twice")


def check_tensors(where: str, expected: Mapping[str, Shape], got: Mapping[str, Shape], table: Table) -> None:
    """Raise a FileError that lists the tensors that are missing, of another shape, or too many."""
    told = [
        *[f"{name} is missing, expected {list(shape)}" for name, shape in expected.items() if name not in got],
        *[
            f"{name} is {list(got[name])}, expected {list(shape)}"
            for name, shape in expected.items()
            if name in got and got[name] != shape
        ],
        *[f"{shorten(name)} is not known" for name in got if name not in expected and not table.is_ignored(name)],
    ]
    if told:
        more = f"\n  and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
        raise FileError(
            f"{where} does not fit its configuration in {len(told)} of {len({*expected, *got})} tensors:\n  "
            + "\n  ".join(told[:_TOLD])
            + more
        )


def read_tree(table: Table, like: T, dtype: np.dtype[np.floating], tensor: Callable[[str], Array]) -> T:
    """Return a tree like another one, its leaves made of tensors: new arrays, read-only, in the order of memory.

    Tensors are brought to the dtype before they are put together; what is not floating, such as a count, has that of ``like``.
    """
    entries = {entry.path: entry for entry in table.entries}
    made: list[Array] = []
    for path, leaf in tree.walk(like):
        entry = entries[path]
        kind = dtype if leaf.dtype.kind == "f" else leaf.dtype
        made.append(np.array(entry.form.read(*[tensor(name).astype(kind) for name in entry.names]), order="C"))
    return tree.freeze(tree.rebuild(like, iter(made)))


def write_tensors(table: Table, pair: object) -> dict[str, Array]:
    """Return the tensors of a tree by their names."""
    leaves = dict(tree.walk(pair))
    return {
        name: np.asarray(array, order="C")
        for entry in table.entries
        for name, array in zip(entry.names, entry.form.write(leaves[entry.path]), strict=True)
    }
