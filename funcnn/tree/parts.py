"""Parts of a tree by their path: look one up, put another in its place, choose leaves by a pattern.

A path is what :func:`funcnn.tree.paths` gives, the expression that one would type after the tree, or the beginning of one:
``[2].weight`` is a leaf, ``[2]`` the parameters of a layer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias, TypeVar, cast

import numpy as np

from funcnn.errors import check_function, describe, is_plain, shown, takes_arguments
from funcnn.tree.steps import steps_of
from funcnn.tree.structure import check_structure, children, rebuild, walk
from funcnn.typing import Array, Shape

T = TypeVar("T")

Where: TypeAlias = str | Callable[[str, Shape], bool]
"""A regular expression to search in a leaf's path, such as ``r"\\.weight$"``, or a pure function of its path and shape."""


def get(tree: object, path: str) -> object:
    """Return what stands at a path: a leaf, or a node with all below it.

    Parameters
    ----------
    tree : tree
    path : str
        Such as ``"[2].weight"``; the empty text is the whole tree.

    Returns
    -------
    array or tree

    Raises
    ------
    ValueError
        When the path is none, or the tree has nothing there; it says what there is.

    Examples
    --------
    >>> import funcnn as fn
    >>> params = fn.serial(fn.dense(3), fn.tanh(), fn.dense(2)).init(fn.Key(0), (4,)).params
    >>> fn.tree.get(params, "[2].bias")
    array([0., 0.])
    """
    node = tree
    for at, step in _walked(steps_of(path)):
        node = _child(node, step, at)
    if is_plain(node):
        return node
    children(node, path)  # raises where the tree has something else
    return node


def replace(tree: T, path: str, new: object) -> T:
    """Return a tree with something else at a path.

    Parameters
    ----------
    tree : tree
    path : str
        Of a leaf or of a node: ``"[2]"`` is the parameters of the third layer of a chain.
    new : array or tree
        Of the structure of what it takes the place of, so that the tree keeps its type; shapes and precisions may be others.

    Returns
    -------
    tree
        A new one; all other leaves are those of the tree that was given.

    Raises
    ------
    ValueError
        When the tree has nothing at the path, or something of another structure.

    Examples
    --------
    A new head of three classes on a network that had ten:

    >>> import funcnn as fn
    >>> body = fn.dense(8) >> fn.tanh()
    >>> trained = (body >> fn.dense(10)).init(fn.Key(0), (4,)).params
    >>> head = fn.dense(3).init(fn.Key(1), (8,)).params
    >>> params = fn.tree.replace(trained, "[2]", head)
    >>> params[2].weight.shape, params[0] is trained[0]
    ((8, 3), True)
    """
    check_structure(get(tree, path), new, f"new, to stand at {path or 'the root'},")
    return cast(T, _replaced(tree, steps_of(path), new))


def select(tree: object, where: Where) -> dict[str, Array]:
    r"""Return the leaves that are meant, by their paths: a tree as well, whose size, bytes or table can be asked for.

    Parameters
    ----------
    tree : tree
    where : str or callable
        A regular expression that is searched in the leaf's path, or a pure function of path and shape such as
        :func:`funcnn.is_matrix`.

    Returns
    -------
    dict
        From paths to leaves, in the order of the tree; empty when none is meant.

    Raises
    ------
    TypeError, ValueError
        When ``where`` is neither, or no regular expression.

    See Also
    --------
    freeze : an optimizer that leaves such leaves as they are.

    Examples
    --------
    >>> import funcnn as fn
    >>> params = fn.serial(fn.dense(3), fn.dense(2)).init(fn.Key(0), (4,)).params
    >>> list(fn.tree.select(params, r"\.bias$"))
    ['[0].bias', '[1].bias']
    >>> fn.tree.size(fn.tree.select(params, r"^\[0\]"))
    15
    """
    check_where(where)
    return {path: leaf for path, leaf in walk(tree) if selects(where, path, leaf.shape)}


def map_where(function: Callable[[Array], Array], tree: T, where: Where) -> T:
    """Apply a function to the leaves that are meant, and leave the others as they are.

    Parameters
    ----------
    function : callable
        Takes a leaf and returns an array.
    tree : tree
    where : str or callable
        As for :func:`select`.

    Returns
    -------
    tree
        Of the structure and the type of the tree.

    Raises
    ------
    TypeError, ValueError
        When ``function`` is none; when ``where`` is neither a pattern nor a function, or means no leaf at all.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> params = fn.dense(2).init(fn.Key(0), (1,)).params
    >>> fn.tree.map_where(lambda leaf: leaf + 1, params, "bias").bias
    array([1., 1.])
    """
    check_function(function, "function", "a function of a leaf that returns an array")
    meant = select(tree, where)
    if not meant:
        raise ValueError(
            f"where is {where!r}, which means no leaf of the tree: its paths are {[path for path, _ in walk(tree)][:8]}"
        )
    return rebuild(tree, iter([np.asarray(function(leaf)) if path in meant else leaf for path, leaf in walk(tree)]))


def selects(where: Where, path: str, shape: Shape) -> bool:
    """Tell whether a leaf is meant."""
    return bool(re.search(where, path)) if isinstance(where, str) else bool(where(path, shape))


def check_where(where: Where, what: str = "where") -> Where:
    """Return a regular expression or a function; raise for anything else."""
    if isinstance(where, str):
        try:
            re.compile(where)
        except re.error as error:
            raise ValueError(
                f"{what}={where!r} is not a regular expression ({error}); brackets and dots of a path are written \\[ and \\."
            ) from None
    elif not callable(where):
        raise TypeError(f"{what} is {shown(where)}, expected a regular expression for the path or a function of (path, shape)")
    elif not takes_arguments(where, 2):
        raise TypeError(f"{what} is {shown(where)}, expected a function of two arguments, (path, shape)")
    try:
        hash(where)
    except TypeError:
        raise TypeError(f"{what} is {describe(where)}, which has no hash: give a plain function of (path, shape)") from None
    return where


def _walked(steps: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return each step with the path that leads to it."""
    return [("".join(steps[:index]), step) for index, step in enumerate(steps)]


def _child(node: object, step: str, path: str) -> object:
    """Return the child of a node at one step, or raise with what there is."""
    found = [] if is_plain(node) else children(node, path)
    for own, child in found:
        if own == step:
            return child
    there = ", ".join(own for own, _ in found[:8]) or "nothing, being an array"
    raise ValueError(f"the tree has no {path}{step}: {path or 'its root'} has {there if found or is_plain(node) else 'nothing'}")


def _replaced(node: object, steps: tuple[str, ...], new: object) -> object:
    if not steps:
        return new
    made = [_replaced(child, steps[1:], new) if step == steps[0] else child for step, child in children(node)]
    kind = type(node)
    if kind is tuple:
        return tuple(made)
    if kind is dict:
        by_key = dict(zip(sorted(cast("dict[str, object]", node)), made, strict=True))
        return {key: by_key[key] for key in cast("dict[str, object]", node)}
    return cast("Callable[..., object]", kind)(*made)
