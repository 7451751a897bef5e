"""Parameter trees.

A *leaf* is a ``np.ndarray``.  A *node* is a tuple, a NamedTuple, a dict with string keys or an attrs-frozen class.  The world
is closed: anything else (None, a float, a list) is a TypeError that names its path, never a leaf by accident.  A path reads as
the expression that one would type after the tree: ``[2].weight``.

Functions keep the static type of the tree that they are given.  Dicts are visited in the order of their sorted keys, so that
two equal trees always give their leaves in the same order.
"""

from funcnn.tree.cotangents import add_cotangents, map_cotangents, with_cotangents
from funcnn.tree.numbers import astype, freeze, nbytes, size
from funcnn.tree.numbers import checked_dtype as checked_dtype
from funcnn.tree.parts import Where, get, map_where, replace, select
from funcnn.tree.raveled import Raveled, ravel
from funcnn.tree.raveled import _unravel as _unravel  # pickles of 0.1 look for it here
from funcnn.tree.structure import check_like, check_structure, children, leaves, map, paths, rebuild, same, walk
from funcnn.tree.structure import check_plain as check_plain
from funcnn.tree.tables import Table, TableRow, table

__all__ = [
    "Raveled",
    "Table",
    "TableRow",
    "Where",
    "add_cotangents",
    "astype",
    "check_like",
    "check_structure",
    "children",
    "freeze",
    "get",
    "leaves",
    "map",
    "map_cotangents",
    "map_where",
    "nbytes",
    "paths",
    "ravel",
    "rebuild",
    "replace",
    "same",
    "select",
    "size",
    "table",
    "walk",
    "with_cotangents",
]


def __dir__() -> list[str]:
    return sorted(__all__)
