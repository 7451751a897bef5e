"""Writing the forward of a network: the statements of each layer's ``forward``, from the first to the last.

A layer whose forward can be written out leaves no call behind; any other is called, and its record taken apart: ::

    p_0, p_1 = params                       # of the chain dense(3) >> f
    y_2 = dot(x, p_0.weight)                # dense, written out
    y_2 += p_0.bias
    step_3 = forward(p_1, s_1, y_2, mode)   # f, called
    output_4 = step_3.output
"""

from __future__ import annotations

import ast
from typing import Any, TypeAlias, cast

import numpy as np
from attrs import frozen

from funcnn.compile.conditions import refuse
from funcnn.compile.samples import UNKNOWN
from funcnn.compile.syntax import CallInstead, Record, expression, load
from funcnn.compile.writer import Place, Writer
from funcnn.layer import AnyLayer, Chain, Forward, Layer, Train, chain_parts, refuse_parts

Steps: TypeAlias = tuple[tuple[int, str], ...]
"""Where a layer stands: its index and its name, those of the chain around it, and so on outwards."""

EXACT = (Layer, Chain)
"""The types of layers that are taken apart: one of a type of one's own may make its functions anew at each look."""


@frozen(eq=False)
class Passed:
    """A layer whose forward is written: where its parameters, output, state and residuals are."""

    params: ast.expr
    output: ast.Name
    state: ast.expr
    residuals: ast.expr | tuple[Passed, ...]  # one for each layer of a chain
    shape: ast.expr | None = None
    """Of a chain's output, where backward is written too."""


def parts_of(layer: AnyLayer) -> tuple[AnyLayer, ...]:
    """Return the layers of a chain that can be written out one by one; else nothing."""
    parts = chain_parts(layer)
    return parts if all(type(one) in EXACT for one in parts) else ()


def record(writer: Writer, function: object, args: list[ast.expr], kind: type) -> Record:
    """Write the body of a function that returns a record of this kind, and return that; or raise CallInstead."""
    made = writer.made(writer.inline(function, args, {}))
    if not isinstance(made, Record) or made.kind is not kind:
        raise CallInstead
    return made


def called(writer: Writer, function: object, hint: str, args: list[ast.expr], parts: tuple[str, ...]) -> list[ast.Name]:
    """Write the call of a function that returns a record, and return variables of its parts."""
    step = writer.local("step", ast.Call(writer.constant(function, hint), args, []))
    return [writer.local(part, ast.Attribute(step, part, ast.Load())) for part in parts]


def forward(
    writer: Writer, layer: AnyLayer, params: ast.expr, state: ast.expr, x: ast.expr, mode: ast.expr, steps: Steps
) -> Passed:
    """Write a layer's forward."""
    layers = parts_of(layer)
    if layers:
        return chain_forward(writer, layers, params, state, x, mode, steps)
    args = [params, state, x, mode]
    made = writer.attempt(lambda: record(writer, layer.forward, args, Forward))
    if made is not None:
        return Passed(params, writer.local("y", made.parts["output"]), made.parts["state"], made.parts["residuals"])
    return Passed(params, *called(writer, layer.forward, "forward", args, ("output", "state", "residuals")))


def chain_forward(
    writer: Writer,
    layers: tuple[AnyLayer, ...],
    params: ast.expr,
    state: ast.expr,
    x: ast.expr,
    mode: ast.expr,
    steps: Steps,
) -> Passed:
    """Write the forward of layers, first to last."""
    own_params, own_states = unpacked(writer, len(layers), params, state)
    passed: list[Passed] = []
    for index, (layer, p, s) in enumerate(zip(layers, own_params, own_states, strict=True)):
        inner = ((index, layer.name), *steps)
        given = writer.local("x", x)
        writer.enter(Place(inner, given.id))
        passed.append(forward(writer, layer, p, s, given, mode_of(writer, layer, index, mode), inner))
        writer.leave()
        x = passed[-1].output
    states, output = ast.Tuple([one.state for one in passed], ast.Load()), passed[-1].output
    shape = output_shape(writer, output) if in_training(writer, mode) else None
    return Passed(params, output, states, tuple(passed), shape)


def unpacked(writer: Writer, size: int, params: ast.expr, state: ast.expr) -> tuple[list[ast.Name], list[ast.Name]]:
    """Write what gives each layer of a chain its own parameters and state, after a test that there are so many."""
    p, s = ast.unparse(params), ast.unparse(state)
    tests = [test for parts in (p, s) for test in (f"type({parts}) is not tuple", f"len({parts}) != {size}")]
    refuse(writer, tests, ast.Expr(expression(f"{writer.held(refuse_parts).id}({size}, {p}, {s})")))
    own_params, own_states = ([writer.fresh(hint) for _ in range(size)] for hint in "ps")
    for names, whole in ((own_params, params), (own_states, state)):
        writer.emit(ast.Assign([ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store())], whole))
    return [load(name) for name in own_params], [load(name) for name in own_states]


def in_training(writer: Writer, mode: ast.expr) -> bool:
    """Tell whether a mode is known to be that of training."""
    return writer.types.get(ast.unparse(mode)) is Train


def mode_of(writer: Writer, layer: AnyLayer, index: int, mode: ast.expr) -> ast.expr:
    """Write what a layer of a chain is given as its mode: in training a random one has a key of its own."""
    if not layer.random or not in_training(writer, mode):
        return mode
    child = expression(f"{writer.held(Train).id}({ast.unparse(mode)}.key.child({index}))")
    own = writer.assign(writer.fresh("mode"), child)
    writer.types[own.id] = Train
    return own


def output_shape(writer: Writer, output: ast.Name) -> ast.expr:
    """Return the shape of a chain's output, to compare that of the cotangent with; write what keeps it where it is not known."""
    shape = expression(f"{output.id}.shape")
    known = writer.samples.fact(shape)
    if known is not UNKNOWN:
        return ast.Constant(cast(Any, known))
    kept = expression(f"{output.id}.shape if isinstance({output.id}, {writer.held(np.ndarray).id}) else None")
    return writer.assign(writer.fresh("shape"), kept)
