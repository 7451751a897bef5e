r"""Rules of recurrent layers: matrices that every step multiplies by.

A weight of a recurrent layer collects $\sum_t x_{nt}^\top \bar z_{nt}$ over the steps of an example: the sum of a dense layer,
with the cotangents $\bar z$ before the activations, which backward through the steps gives for all examples at once.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from funcnn import tree
from funcnn.combinators.trained_start import TrainedStartParams
from funcnn.derivatives.rules.form import Form
from funcnn.derivatives.rules.rule import Taken, bound
from funcnn.layer import AnyLayer
from funcnn.layers.recurrent import gru as gated
from funcnn.layers.recurrent import lstm as memory
from funcnn.layers.recurrent import recurrent
from funcnn.layers.recurrent import simple_rnn as simple
from funcnn.layers.recurrent.peephole_lstm import PeepholeLSTMParams
from funcnn.layers.recurrent.recurrent import StepInputs
from funcnn.typing import Array


def first_batch(x: Array) -> Array:
    """Return steps (t, n, ...) as (n, t, ...)."""
    return x.swapaxes(0, 1)


def affine(form: Form, steps: StepInputs, dz: Array) -> tuple[Array, Array, Array]:
    """Take the gradients of the weights and of the bias, of $x W + h U + b$: compare :func:`recurrent.affine_grads`."""
    dz_by_example = first_batch(dz)
    features = first_batch(steps.inputs[..., 1:])
    return (
        form.outer(features, dz_by_example),
        form.outer(first_batch(steps.hidden[:-1]), dz_by_example),
        form.sums(dz_by_example),
    )


def rnn(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    activation, options = bound(layer)
    dz, dstate = simple.steps_backward(activation, options, params.recurrent_weight, residuals, dy)
    grads = simple.RNNParams(*affine(form, residuals.steps, dz))
    return grads, partial(recurrent.pack_input_cotangent, options, dz, params.input_weight, dstate)


def lstm(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    (options,) = bound(layer)
    dgates, dstate = memory.steps_backward(options, params.recurrent_weight, None, residuals, dy)
    dz = recurrent.flatten_gates(dgates)
    grads = memory.LSTMParams(*affine(form, residuals.steps, dz))
    return grads, partial(recurrent.pack_input_cotangent, options, dz, params.input_weight, *dstate)


def peephole_lstm(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    (options,) = bound(layer)
    dgates, dstate = memory.steps_backward(options, params.recurrent_weight, params.peepholes, residuals, dy)
    dz, cells = recurrent.flatten_gates(dgates), residuals.cells
    di, df, do, _ = np.moveaxis(dgates, 2, 0)
    seen = (di, cells[:-1]), (df, cells[:-1]), (do, cells[1:])
    peepholes = form.whole(np.stack([np.einsum("tnh,tnh->nh", dgate, cell) for dgate, cell in seen], axis=1))
    grads = PeepholeLSTMParams(*affine(form, residuals.steps, dz), peepholes)
    return grads, partial(recurrent.pack_input_cotangent, options, dz, params.input_weight, *dstate)


def gru(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    after, options = bound(layer)
    dgates, dstate = gated.steps_backward(after, options, params.recurrent_weight, residuals, dy)
    steps, size = residuals.steps, residuals.steps.size
    dz, dcandidate = recurrent.flatten_gates(dgates[:, :, :3]), first_batch(dgates[:, :, 3])
    before, dz_by_example = first_batch(steps.hidden[:-1]), first_batch(dz)
    recurrent_weight = form.columns(
        form.outer(before, dz_by_example[..., : 2 * size]),
        form.outer(before if after else first_batch(residuals.inner), dcandidate),
    )
    features = first_batch(steps.inputs[..., 1:])
    grads = gated.GRUParams(
        form.outer(features, dz_by_example), recurrent_weight, form.sums(dz_by_example), form.sums(dcandidate)
    )
    return grads, partial(recurrent.pack_input_cotangent, options, dz, params.input_weight, dstate)


def trained_start(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    (inner,) = bound(layer)
    made = inner.backward(params.inner, residuals, dy)
    dx, dstart = made.input
    return TrainedStartParams(tree.map(form.whole, dstart), made.params), lambda: dx
