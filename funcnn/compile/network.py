"""What is written for a network: its prediction, and its loss with the gradient.

The rules are those of :func:`funcnn.layer.chain` and of :func:`funcnn.loss_and_grad`, and that is where to read them.

Each is written twice where the arrays are small.  The general form takes arrays of all shapes; the other one those of the shapes
and dtypes that are given first, so that tests and reshapes whose outcome follows from these are left out.  It hands other arrays
to the general form, which hands what it is not written for to the plain function, which calls the layers.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from funcnn.compile.backward import params_only, scored
from funcnn.compile.conditions import Function, call_plain, restrict
from funcnn.compile.forward import EXACT, forward
from funcnn.compile.function import finish
from funcnn.compile.samples import is_small
from funcnn.compile.source import is_plain
from funcnn.compile.syntax import copy, expression, load
from funcnn.compile.writer import Writer
from funcnn.layer import AnyLayer, Mode, Train
from funcnn.losses.loss import Loss


def predictor(model: AnyLayer, mode: Mode, params: object, x: object) -> Function:
    """Return ``(params, state, x) -> output`` of a network, in a mode that is known; it is fastest for arrays such as these."""
    plain = partial(predict, model, mode)
    if type(model) not in EXACT:
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
    if type(model) not in EXACT or type(loss) is not Loss:
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
    tests = training_tests(writer, target)
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


def training_tests(writer: Writer, target: object) -> list[str]:
    """Return the tests of the mode and of the target (last that of its dtype), and tell the writer what follows from them."""
    tests = [f"type(mode) is {writer.held(Train).id}", f"type(target) is {writer.held(type(target)).id}"]
    writer.types["mode"] = Train
    if type(target) in (np.ndarray, tuple) or is_plain(type(target)):
        writer.types["target"] = type(target)
    if isinstance(target, np.ndarray) and type(target) is np.ndarray:
        tests.append(f"target.dtype is {writer.held(target.dtype).id}")
        writer.facts["target.dtype"] = target.dtype
    return tests
