"""What stands in a script for parts of the library that are about the machine, or about who calls."""

from __future__ import annotations

from attrs import frozen


@frozen
class StandIn:
    """A definition whose name is written NAME, and what it imports."""

    text: str
    imports: tuple[str, ...] = ()


STAND_INS = {
    "funcnn.layer.layer.Layer": StandIn(
        '''class NAME(NamedTuple):
    """What runs a layer."""
    name: str
    forward: object
    backward: object = None
    random: bool = False
    selective: bool = False''',
        ("from typing import NamedTuple",),
    ),
    "funcnn.layer.results.Forward": StandIn(
        '''class NAME(NamedTuple):
    """What a layer gives: its output, its next state, and what backward needs."""
    output: object
    state: object
    residuals: object''',
        ("from typing import NamedTuple",),
    ),
    "funcnn.layer.results.Backward": StandIn(
        '''class NAME(NamedTuple):
    """The cotangents of the parameters and of the input."""
    params: object
    input: object''',
        ("from typing import NamedTuple",),
    ),
    "funcnn.layer.results.backward_without_input": StandIn(
        '''def NAME(params):
    """Return the cotangents where that of the input is not asked for."""
    return Backward(params, None)'''
    ),
    "funcnn.tree.structure.leaves": StandIn(
        '''def NAME(tree):
    """Return the arrays of a tree."""
    if isinstance(tree, np.ndarray):
        return (tree,)
    inner = tree if isinstance(tree, tuple) else vars(tree).values()
    return tuple(leaf for one in inner for leaf in NAME(one))''',
        ("import numpy as np",),
    ),
    "funcnn.tree.structure.children": StandIn(
        '''def NAME(node, path=""):
    """Return (step, child) for the children of a node."""
    if isinstance(node, tuple):
        return [(f"[{index}]", child) for index, child in enumerate(node)]
    return [(f".{name}", child) for name, child in vars(node).items()]'''
    ),
    "funcnn.tree.structure.map": StandIn(
        '''def NAME(function, tree, *rest):
    """Return a tree of what a function gives for the arrays of trees of one structure."""
    if isinstance(tree, np.ndarray):
        return np.asarray(function(tree, *rest))
    if isinstance(tree, tuple):
        return tuple(NAME(function, *column) for column in zip(tree, *rest))
    columns = zip(*[vars(one).values() for one in (tree, *rest)])
    return type(tree)(*[NAME(function, *column) for column in columns])''',
        ("import numpy as np",),
    ),
    "funcnn.tree.structure.rebuild": StandIn(
        '''def NAME(tree, new):
    """Return a tree like another, of new arrays."""
    if isinstance(tree, np.ndarray):
        return next(new)
    if isinstance(tree, tuple):
        return tuple(NAME(one, new) for one in tree)
    return type(tree)(*[NAME(one, new) for one in vars(tree).values()])''',
        ("import numpy as np",),
    ),
    "funcnn.combinators.cotangents.like": StandIn(
        '''def NAME(output):
    """Return what cotangents of an output would be compared with."""
    return ()'''
    ),
    "funcnn.runtime.blas.one_thread": StandIn(
        '''def NAME():
    """Leave the threads of products as they are: they change no number."""
    return nullcontext()''',
        ("from contextlib import nullcontext",),
    ),
    "funcnn.runtime.threads.parallel_for": StandIn(
        '''def NAME(count, threads, work):
    """Call a function for the whole of a range: what it does does not depend on how that is divided."""
    work(slice(0, count))'''
    ),
    "funcnn.runtime.threads.processors": StandIn(
        '''def NAME():
    """Return how many processors to use."""
    return 1'''
    ),
    "funcnn.runtime.blas.in_use": StandIn(
        '''def NAME():
    """Tell whether the threads of products are at work already."""
    return False'''
    ),
}
