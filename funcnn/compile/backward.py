"""Writing a loss and the backward of a network: from the last layer to the first, as far as a layer with parameters is left.

What forward left in variables is used where it stands: residuals that are records, or tuples of them, are never made. ::

    dy_5 = difference_4 * (share_3 + share_3)    # the loss
    dx_6 = slope_2 * dy_5                        # tanh
    weight_7 = x.T.dot(dx_6)                     # dense, the first layer: no cotangent of its input
"""

from __future__ import annotations

import ast
from functools import partial
from typing import Any, cast

import numpy as np

from funcnn.compile.conditions import Function, refuse
from funcnn.compile.forward import Passed, Steps, called, parts_of, record
from funcnn.compile.syntax import copy, expression
from funcnn.compile.writer import Place, Writer
from funcnn.grad import check_loss_gradient
from funcnn.layer import AnyLayer, Backward, refuse_cotangent
from funcnn.losses.loss import Loss, LossForward


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


def backward(
    writer: Writer, layer: AnyLayer, passed: Passed, doutput: ast.expr, steps: Steps, *, input_grad: bool = True
) -> tuple[ast.expr, ast.expr]:
    """Write a layer's backward, and return the gradient of its parameters and the cotangent of its input."""
    residuals = passed.residuals
    if isinstance(residuals, tuple):
        return chain_backward(writer, parts_of(layer), passed, residuals, doutput, steps)
    function = layer.backward if input_grad or not layer.selective else partial(cast(Function, layer.backward), input_grad=False)
    args = [passed.params, residuals, doutput]
    made = writer.attempt(lambda: record(writer, function, args, Backward))
    if made is not None:
        return made.parts["params"], writer.local("dx", made.parts["_input"]) if input_grad else doutput
    gradient, dx = called(writer, function, "backward", args, ("params", "_input"))
    return gradient, dx


def chain_backward(
    writer: Writer, layers: tuple[AnyLayer, ...], passed: Passed, parts: tuple[Passed, ...], doutput: ast.expr, steps: Steps
) -> tuple[ast.expr, ast.expr]:
    """Write the backward of layers, last to first."""
    refuse_other_shape(writer, passed, doutput)
    grads: list[ast.expr] = []
    for index, (part, own) in reversed(list(enumerate(zip(layers, parts, strict=True)))):
        inner = ((index, part.name), *steps)
        given = writer.local("dy", doutput)
        writer.enter(Place(inner, given.id))
        gradient, doutput = backward(writer, part, own, given, inner)
        writer.leave()
        grads.insert(0, gradient)
    return ast.Tuple(grads, ast.Load()), doutput


def params_only(
    writer: Writer, layer: AnyLayer, passed: Passed, doutput: ast.expr, params: object, otherwise: ast.stmt, steps: Steps
) -> ast.expr:
    """Write a layer's backward without the cotangent of its input, and return the gradient of its parameters.

    Of a chain the first layers may have no parameters, by those given: their backward is left out, and where others are given
    that do have some, ``otherwise`` is done.
    """
    residuals = passed.residuals
    if not isinstance(residuals, tuple) or not isinstance(params, tuple):
        return backward(writer, layer, passed, doutput, steps, input_grad=False)[0]
    refuse_other_shape(writer, passed, doutput)
    first = next((index for index, own in enumerate(params) if type(own) is not tuple or own), len(params))
    if first:
        names = [ast.unparse(part.params) for part in residuals[:first]]
        tests = [test for p in names for test in (f"type({p}) is not tuple", f"len({p}) > 0")]
        refuse(writer, tests, copy(otherwise), placed=False)
    grads = [part.params for part in residuals]  # of layers without parameters: ()
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


def refuse_other_shape(writer: Writer, passed: Passed, doutput: ast.expr) -> None:
    """Write the test of a chain's backward: that the cotangent has the shape of the output."""
    dy, shape = ast.unparse(doutput), ast.unparse(cast(ast.expr, passed.shape))
    if writer.samples.fact(expression(f"{dy}.shape == {shape}")) is not True:
        known = "" if isinstance(passed.shape, ast.Constant) else f"{shape} is not None and "
        test = f"{known}getattr({dy}, 'shape', None) != {shape}"
        writer.emit(ast.If(expression(test), [ast.Expr(expression(f"{writer.held(refuse_cotangent).id}({dy}, {shape})"))], []))
