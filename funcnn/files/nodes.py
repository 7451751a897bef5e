"""The structure of a tree as a list of its nodes, each before its children: of trees of any depth, and easy to compare."""

from __future__ import annotations

from typing import TypeAlias, cast

import numpy as np

from funcnn import tree
from funcnn.errors import shorten
from funcnn.typing import Array

Node: TypeAlias = "tuple[str, list[str]] | None"
"""A node of a structure: its kind, and its steps, such as ``[0]``; None for a leaf."""

FORMER_KINDS = {"Standardise": "Standardize"}
"""Kinds of nodes by the names that files of 0.1.0 have for them."""


def take_apart(whole: object) -> tuple[list[Node], list[tuple[str, Array]]]:
    """Return the nodes of a tree, each before its children, and its leaves with their paths; of trees of any depth."""
    nodes: list[Node] = []
    leaves: list[tuple[str, Array]] = []
    left = [("", whole)]
    while left:
        path, node = left.pop()
        if isinstance(node, np.ndarray):
            nodes.append(None)
            leaves.append((path, np.asarray(node)))
        else:
            inside = tree.children(node, path)
            name: str = getattr(type(node), "name_in_files", type(node).__name__)
            nodes.append((name, [step for step, _ in inside]))
            left += [(path + step, child) for step, child in reversed(inside)]
    return nodes, leaves


def read_node(said: object) -> Node:
    """Return a node as a file says it."""
    if said is None:
        return None
    kind, steps = cast("tuple[object, list[object]]", said)
    return str(kind), [str(step) for step in steps]


def unfolded(structure: object) -> list[Node]:
    """Return the nodes of a structure as nested lists, ``0`` for a leaf and ``[kind, [[step, child], ...]]`` for a node."""
    nodes: list[Node] = []
    left = [structure]
    while left:
        said = left.pop()
        if said == 0 and type(said) is int:
            nodes.append(None)
            continue
        try:
            kind, inside = cast("tuple[str, list[list[object]]]", said)
            steps, children = [str(step) for step, _ in inside], [child for _, child in inside]
        except (TypeError, ValueError):
            kind, steps, children = "unreadable", [], []
        nodes.append((str(kind), steps))
        left += reversed(children)
    return nodes


def alike(one: Node, other: Node) -> bool:
    """Tell whether two nodes are of one kind, whatever its name was when they were written, and have the same steps."""
    if one is None or other is None:
        return one is other
    return FORMER_KINDS.get(one[0], one[0]) == FORMER_KINDS.get(other[0], other[0]) and one[1] == other[1]


def paths_of(nodes: list[Node]) -> list[str]:
    """Return the path of each node of a structure."""
    paths: list[str] = []
    left = [""]
    for node in nodes:
        path = left.pop()
        paths.append(path)
        left += [path + step for step in reversed(node[1] if node else [])]
    return paths


def phrase(node: Node) -> str:
    """Return what a node is, in words."""
    if node is None:
        return "an array"
    kind, steps = shorten(node[0], 40), [shorten(step, 40) for step in node[1][:8]]
    return f"{kind} with {', '.join(steps)}{', ...' if len(node[1]) > 8 else ''}" if steps else f"an empty {kind}"
