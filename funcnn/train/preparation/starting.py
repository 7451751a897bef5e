"""Where training starts: the parameters that are given, or those that the model makes."""

from __future__ import annotations

from typing import TypeVar

from funcnn import tree
from funcnn.errors import describe
from funcnn.layer import Init
from funcnn.train.finite import first_not_finite
from funcnn.train.preparation.check_data import check_width, data_dtype, in_shapes
from funcnn.train.preparation.request import FitRequest
from funcnn.train.record import Point

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")
M = TypeVar("M")


def starting_point(request: FitRequest[P, S, X, Y, T, M]) -> Point[P, S]:
    """Return where training begins: what was given, checked against what the model and the optimizer would make, or that."""
    params, state, opt_state = request.params, request.state, request.opt_state
    if params is None and not (state is None and opt_state is None):
        raise ValueError("state or opt_state is given without params: they belong together")
    made: Init[P, S] = request.model.init(request.key.child(0), in_shapes(request.x))
    dtype = data_dtype(request.x, request.y)
    if params is None:
        params, state = tree.astype(made.params, dtype), tree.astype(made.state, dtype)
    else:
        if state is None and tree.leaves(made.state):
            raise ValueError(f"params is given without state, and {request.model.name} has one (running statistics): give both")
        state = made.state if state is None else state
        check_given(made.params, params, "params")
        check_given(made.state, state, "state")
        state = alike(params, state)
    expected = request.optimizer.init(params)
    if opt_state is None:
        opt_state = expected
    else:
        tree.check_like(expected, opt_state, "opt_state")
    return Point(params, state, opt_state)


def alike(params: object, state: S) -> S:
    """Return the state in the precision of the parameters: running statistics of more would raise that of every result."""
    kinds = {leaf.dtype for leaf in tree.leaves(params) if leaf.dtype.kind == "f"}
    others = {leaf.dtype for leaf in tree.leaves(state) if leaf.dtype.kind == "f"} - kinds
    return tree.astype(state, kinds.pop()) if others and len(kinds) == 1 else state


def check_given(expected: object, got: object, what: str) -> None:
    """Raise when a tree differs from the model's in structure or shape, or is not finite, with the path."""
    tree.check_structure(expected, got, what)
    for (path, one), other in zip(tree.walk(expected), tree.leaves(got), strict=True):
        if one.shape != other.shape or one.dtype.kind != other.dtype.kind:
            raise ValueError(f"{what}{path} is {describe(other)}, expected {describe(one)} as model.init gives")
        check_width(other, f"{what}{path}")
    broken = first_not_finite(got)
    if broken is not None:
        raise ValueError(f"{what}{broken} holds NaN or infinity: training must begin with finite numbers")
