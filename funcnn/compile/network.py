"""What is written for a network: its prediction, and its loss with the gradient.

The rules are those of :func:`funcnn.layer.chain` and of :func:`funcnn.loss_and_grad`, and that is where to read them.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count
from typing import Any, TypeAlias, cast

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.compile.samples import UNKNOWN, is_small
from funcnn.compile.source import is_plain
from funcnn.compile.syntax import CallInstead, Record, copy, expression, load
from funcnn.compile.writer import Place, Writer
from funcnn.errors import add_step
from funcnn.grad import check_loss_gradient
from funcnn.layer import AnyLayer, Backward, Chain, Forward, Layer, Mode, Train, chain_parts, refuse_cotangent, refuse_parts
from funcnn.losses.loss import Loss, LossForward

Steps: TypeAlias = tuple[tuple[int, str], ...]
Function: TypeAlias = Callable[..., Any]  # Any: networks of all types are written

_EXACT = (Layer, Chain)
"""The types of layers that are taken apart: one of a type of one's own may make its functions anew at each look."""

_NUMBERS = count()  # for the names of the functions in tracebacks, nothing else


@frozen(eq=False)
class Passed:
    """A layer whose forward is written: where its parameters, output, state and residuals are."""

    params: ast.expr
    output: ast.Name
    state: ast.expr
    residuals: ast.expr | tuple[Passed, ...]  # one for each layer of a chain
    shape: ast.expr | None = None
    """Of a chain's output, where backward is written too."""


def predictor(model: AnyLayer, mode: Mode, params: object, x: object) -> Function:
    """Return ``(params, state, x) -> output`` of a network, in a mode that is known; it is fastest for arrays such as these."""
    plain = partial(predict, model, mode)
    if type(model) not in _EXACT:
        return plain
    general = predictor_for(model, mode, plain, {})
    small = is_small((params, x))
    return predictor_for(model, mode, general, {"params": params, "x": x}) if small else general


def predictor_for(model: AnyLayer, mode: Mode, plain: Function, known: Mapping[str, object]) -> Function:
    """Return the predictor for arguments of known shapes and dtypes; for others it calls ``plain``."""
    writer = Writer()
    arguments = ("params", "state", "x")
    restrict(writer, [], known, call_plain(writer, plain, arguments))
    passed = forward(writer, model, load("params"), load("state"), load("x"), writer.constant(mode, "mode"), ())
    writer.emit(ast.Return(passed.output))
    return finish(writer, f"apply {model.name}", arguments)


def predict(model: AnyLayer, mode: Mode, params: object, state: object, x: object) -> object:
    """Return the output of a network by calling its layers."""
    return model.forward(params, state, x, mode).output


def trainer(
    model: AnyLayer, loss: Loss[Any, Any], result: type, plain: Function, params: object, x: object, target: object
) -> Function:
    """Return ``(params, state, x, target, mode) -> result(loss, grads, state, output)``, in training.

    Written for parameters and targets such as these, and fastest for arrays of these shapes, if they are small.  In another mode,
    and for other arguments, the function calls ``plain``.
    """
    if type(model) not in _EXACT or type(loss) is not Loss:
        return plain
    general = trainer_for(model, loss, result, plain, params, target, {})
    known = {"params": params, "x": x, "target": target}
    return trainer_for(model, loss, result, general, params, target, known) if is_small((params, x, target)) else general


def trainer_for(
    model: AnyLayer,
    loss: Loss[Any, Any],
    result: type,
    plain: Function,
    params: object,
    target: object,
    known: Mapping[str, object],
) -> Function:
    """Return the trainer for arguments of known shapes and dtypes; for others it calls ``plain``."""
    writer = Writer()
    arguments = ("params", "state", "x", "target", "mode")
    otherwise = call_plain(writer, plain, arguments)
    tests = [f"type(mode) is {writer.held(Train).id}", f"type(target) is {writer.held(type(target)).id}"]
    writer.types["mode"] = Train
    if type(target) in (np.ndarray, tuple) or is_plain(type(target)):
        writer.types["target"] = type(target)
    if type(target) is np.ndarray:
        tests.append(f"target.dtype is {writer.held(target.dtype).id}")
        writer.facts["target.dtype"] = target.dtype
    restrict(writer, tests[:1] if known else tests, known, otherwise)
    passed = forward(writer, model, load("params"), load("state"), load("x"), load("mode"), ())
    if "target.dtype" in writer.facts and not writer.samples.usable:  # layers that are not known may have had hold of it
        writer.emit(ast.If(expression(f"not ({tests[-1]})"), [copy(otherwise)], []), placed=False)
    writer.rare.append(otherwise)  # such as a loss that is not finite
    value, doutput = scored(writer, loss, passed.output, load("target"))
    writer.rare.clear()
    grads = params_only(writer, model, passed, doutput, params, otherwise, ())
    writer.emit(ast.Return(ast.Call(writer.constant(result), [value, grads, passed.state, passed.output], [])))
    return finish(writer, f"loss_and_grad {model.name} {loss.name}", arguments)


def restrict(writer: Writer, tests: list[str], known: Mapping[str, object], otherwise: ast.stmt) -> None:
    """Write that something else is done unless these tests are true, and arguments have the shapes and dtypes known."""
    tests = [*tests, *(test for name, one in known.items() for test in kind_tests(writer, name, one))]
    if tests:
        writer.emit(ast.If(expression(f"not ({' and '.join(tests)})"), [otherwise], []))
    writer.where_complex.append(otherwise)
    for name, one in known.items():
        writer.samples.give(name, one)


def kind_tests(writer: Writer, here: str, one: object) -> Iterator[str]:
    """Yield the tests of whether an expression gives a tree like this one, outer ones first; each node is looked up once."""
    node = here
    if not here.isidentifier():
        node = writer.fresh("node")
        here = f"({node} := {here})"
    yield f"type({here}) is {writer.held(type(one)).id}"
    if isinstance(one, np.ndarray):
        yield f"{node}.shape == {one.shape!r} and {node}.dtype is {writer.held(one.dtype).id}"
        return
    if isinstance(one, tuple):
        yield f"len({node}) == {len(one)}"
    for step, child in tree.children(one):
        yield from kind_tests(writer, node + step, child)


def refuse_other_shape(writer: Writer, passed: Passed, doutput: ast.expr) -> None:
    """Write the test of a chain's backward: that the cotangent has the shape of the output."""
    dy, shape = ast.unparse(doutput), ast.unparse(cast(ast.expr, passed.shape))
    if writer.samples.fact(expression(f"{dy}.shape == {shape}")) is not True:
        known = "" if isinstance(passed.shape, ast.Constant) else f"{shape} is not None and "
        test = f"{known}getattr({dy}, 'shape', None) != {shape}"
        writer.emit(ast.If(expression(test), [ast.Expr(expression(f"{writer.held(refuse_cotangent).id}({dy}, {shape})"))], []))


def refuse(writer: Writer, tests: list[str], statement: ast.stmt, *, placed: bool = True) -> None:
    """Write that a statement is carried out if any of these tests is true, but for those that are known not to be."""
    left = [test for test in tests if writer.samples.fact(expression(test)) is not False]
    if left:
        writer.emit(ast.If(expression(" or ".join(left)), [statement], []), placed=placed)


def call_plain(writer: Writer, plain: Function, arguments: tuple[str, ...]) -> ast.Return:
    """Return the statement that hands everything to the function that calls the layers."""
    return ast.Return(ast.Call(writer.held(plain, "plain"), [load(name) for name in arguments], []))


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


def parts_of(layer: AnyLayer) -> tuple[AnyLayer, ...]:
    """Return the layers of a chain that can be written out one by one; else nothing."""
    parts = chain_parts(layer)
    return parts if all(type(one) in _EXACT for one in parts) else ()


# ----------------------------------------------------------------------------------------------------------------- forward


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
    size, p, s = len(layers), ast.unparse(params), ast.unparse(state)
    tests = [test for parts in (p, s) for test in (f"type({parts}) is not tuple", f"len({parts}) != {size}")]
    refuse(writer, tests, ast.Expr(expression(f"{writer.held(refuse_parts).id}({size}, {p}, {s})")))
    own_params, own_states = ([writer.fresh(hint) for _ in layers] for hint in "ps")
    for names, whole in ((own_params, params), (own_states, state)):
        writer.emit(ast.Assign([ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store())], whole))
    passed: list[Passed] = []
    for index, layer in enumerate(layers):
        inner = ((index, layer.name), *steps)
        given = writer.local("x", x)
        writer.enter(Place(inner, given.id))
        own_mode = mode
        if layer.random and writer.types.get(ast.unparse(mode)) is Train:
            child = expression(f"{writer.held(Train).id}({ast.unparse(mode)}.key.child({index}))")
            own_mode = writer.assign(writer.fresh("mode"), child)
            writer.types[own_mode.id] = Train
        passed.append(forward(writer, layer, load(own_params[index]), load(own_states[index]), given, own_mode, inner))
        writer.leave()
        x = passed[-1].output
    states, output = ast.Tuple([one.state for one in passed], ast.Load()), passed[-1].output
    shape: ast.expr | None = None
    if writer.types.get(ast.unparse(mode)) is Train:
        shape = expression(f"{output.id}.shape")
        if writer.samples.fact(shape) is UNKNOWN:
            kept = expression(f"{output.id}.shape if isinstance({output.id}, {writer.held(np.ndarray).id}) else None")
            shape = writer.assign(writer.fresh("shape"), kept)
        else:
            shape = ast.Constant(cast(Any, writer.samples.fact(shape)))
    return Passed(params, output, states, tuple(passed), shape)


# -------------------------------------------------------------------------------------------------------------------- loss


def scored(writer: Writer, loss: Loss[Any, Any], prediction: ast.expr, target: ast.expr) -> tuple[ast.expr, ast.Name]:
    """Write a loss's forward and backward, and return its value and the cotangent of the prediction."""
    args = [prediction, target]
    made = writer.attempt(lambda: record(writer, loss.forward, args, LossForward))
    value: ast.expr
    residuals: ast.expr
    if made is not None:
        value, residuals = made.parts["value"], made.parts["residuals"]
    else:
        value, residuals = called(writer, loss.forward, "loss_forward", args, ("value", "residuals"))
    pulled = writer.attempt(lambda: writer.inline(loss.backward, [residuals], {}))
    doutput = writer.local("dy", pulled or ast.Call(writer.constant(loss.backward, "loss_backward"), [residuals], []))
    dy, y = doutput.id, ast.unparse(prediction)
    if writer.samples.fact(expression(f"{dy}.shape == {y}.shape")) is not True:
        test = f"type({dy}) is not {writer.held(np.ndarray).id} or {dy}.shape != getattr({y}, 'shape', None)"
        check = f"{writer.held(check_loss_gradient).id}({dy}, {y}, {loss.name!r})"
        writer.emit(ast.If(expression(test), [ast.Expr(expression(check))], []))
    return value, doutput


# ---------------------------------------------------------------------------------------------------------------- backward


def backward(
    writer: Writer, layer: AnyLayer, passed: Passed, doutput: ast.expr, steps: Steps, *, input_grad: bool = True
) -> tuple[ast.expr, ast.expr]:
    """Write a layer's backward, and return the gradient of its parameters and the cotangent of its input."""
    residuals = passed.residuals
    if isinstance(residuals, tuple):
        refuse_other_shape(writer, passed, doutput)
        grads: list[ast.expr] = []
        for index, (part, own) in reversed(list(enumerate(zip(parts_of(layer), residuals, strict=True)))):
            inner = ((index, part.name), *steps)
            given = writer.local("dy", doutput)
            writer.enter(Place(inner, given.id))
            gradient, doutput = backward(writer, part, own, given, inner)
            writer.leave()
            grads.insert(0, gradient)
        return ast.Tuple(grads, ast.Load()), doutput
    function = layer.backward if input_grad or not layer.selective else partial(cast(Function, layer.backward), input_grad=False)
    args = [passed.params, residuals, doutput]
    made = writer.attempt(lambda: record(writer, function, args, Backward))
    if made is not None:
        return made.parts["params"], writer.local("dx", made.parts["_input"]) if input_grad else doutput
    gradient, dx = called(writer, function, "backward", args, ("params", "_input"))
    return gradient, dx


def params_only(
    writer: Writer, layer: AnyLayer, passed: Passed, doutput: ast.expr, params: object, otherwise: ast.stmt, steps: Steps
) -> ast.expr:
    """Write a layer's backward without the cotangent of its input, and return the gradient of its parameters."""
    residuals = passed.residuals
    if not isinstance(residuals, tuple) or not isinstance(params, tuple):
        return backward(writer, layer, passed, doutput, steps, input_grad=False)[0]
    refuse_other_shape(writer, passed, doutput)
    first = 0  # the first layer whose backward is needed: those before it have no parameters
    while first < len(params) and type(params[first]) is tuple and not params[first]:
        first += 1
    if first:
        names = [ast.unparse(part.params) for part in residuals[:first]]
        tests = [test for p in names for test in (f"type({p}) is not tuple", f"len({p}) > 0")]
        refuse(writer, tests, copy(otherwise), placed=False)
    grads = [part.params for part in residuals]
    layers = parts_of(layer)
    for index in range(len(layers) - 1, first - 1, -1):
        inner = ((index, layers[index].name), *steps)
        given = writer.local("dy", doutput)
        writer.enter(Place(inner, given.id))
        if index > first:
            grads[index], doutput = backward(writer, layers[index], residuals[index], given, inner)
        else:
            grads[index] = params_only(writer, layers[index], residuals[index], given, params[index], otherwise, inner)
        writer.leave()
    return ast.Tuple(grads, ast.Load())


# ------------------------------------------------------------------------------------------------------------ the function


def finish(writer: Writer, title: str, arguments: tuple[str, ...]) -> Function:
    """Return the function of what was written."""
    filename = f"<{title} {next(_NUMBERS)}>"
    places: dict[int, Place] = {}
    lines: list[ast.stmt] = []
    statements = forgetting(writer.statements)
    for statement, place in statements:
        for part in with_inner(statement):  # the outer ones first
            lines.append(part)
            for node in ast.walk(part):
                if isinstance(node, (ast.stmt, ast.expr, ast.keyword)):  # what is compiled has a line
                    node.lineno = node.end_lineno = len(lines)
                    node.col_offset = node.end_col_offset = 0
            if place is not None:
                places[len(lines)] = place
    module = ast.parse(f"def run({', '.join(arguments)}):\n try: pass\n except Exception as error: note(error); raise")
    match module.body:
        case [ast.FunctionDef(body=[ast.Try() as attempt])]:
            attempt.body = [statement for statement, _ in statements]
    namespace: dict[str, Any] = {**writer.values, "note": partial(note, places, filename, lines)}
    exec(compile(module, filename, "exec"), namespace)
    function: Function = namespace["run"]
    return function


def with_inner(statement: ast.stmt) -> Iterator[ast.stmt]:
    """Yield a statement and those inside it."""
    yield statement
    if isinstance(statement, ast.If):
        for inner in (*statement.body, *statement.orelse):
            yield from with_inner(inner)


def forgetting(statements: list[tuple[ast.stmt, Place | None]]) -> list[tuple[ast.stmt, Place | None]]:
    """Return the statements with variables deleted after their last use: no array lives longer than in calls of layers."""
    made: set[str] = set()
    last: dict[str, int] = {}
    names = [node for statement, _ in statements for node in ast.walk(statement) if isinstance(node, ast.Name)]
    used = {name.id for name in names if isinstance(name.ctx, ast.Load)}
    statements = [one for one in statements if not is_idle(one[0], used)]
    for index, (statement, place) in enumerate(statements):
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                last[node.id] = index
                if isinstance(node.ctx, ast.Store) and isinstance(statement, ast.Assign):
                    made.add(node.id)
        if place is not None:
            last[place.given] = index
    ends: dict[int, list[str]] = {}
    for name in sorted(made):
        ends.setdefault(last[name], []).append(name)
    result = []
    for index, (statement, place) in enumerate(statements):
        result.append((statement, place))
        if index in ends and not isinstance(statement, ast.Return):
            result.append((ast.Delete([ast.Name(name, ast.Del()) for name in ends[index]]), place))
    return result


def is_idle(statement: ast.stmt, used: set[str]) -> bool:
    """Tell whether a statement only gives parts of a tuple names that are not used."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Name()):
            return all(isinstance(target, ast.Name) and target.id not in used for target in targets)
    return False


def note(places: dict[int, Place], filename: str, lines: list[ast.stmt], error: Exception) -> None:
    """Give an error the note of the layer where it happened, and its traceback the lines of the function."""
    text = [ast.unparse(line).splitlines()[0] + "\n" for line in lines]
    linecache.cache[filename] = (0, None, text, filename)
    trace = error.__traceback__
    if trace is not None and trace.tb_lineno in places:
        place = places[trace.tb_lineno]
        given = trace.tb_frame.f_locals.get(place.given)
        for index, name in place.steps:
            add_step(error, index, name, given)
