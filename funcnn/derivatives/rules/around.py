r"""Rules of layers with a layer inside, whose own parameters are taken by its own rule.

A weight that is made of others, $w = g \hat v$ or $w / \sigma$, has the gradient $\bar w_n$ of each example from the layer
inside, and the way from there to the parameters is the same linear map for all of them.  What comes out has a norm that the norm
of $\bar w_n$ does not tell: for norms these layers run once for each example, and keep one gradient at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from funcnn.combinators import spectral_norm as bounded
from funcnn.combinators.around import lora as low_rank
from funcnn.combinators.reweighted import with_weight
from funcnn.combinators.weight_norm import WeightNormParams
from funcnn.derivatives.rules.form import Form
from funcnn.derivatives.rules.rule import Taken, bound
from funcnn.kernels.arrays import matmul_last_transposed
from funcnn.layer import AnyLayer


def cell(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    """Take those of a recurrent layer's single step."""
    made = layer.backward(params, residuals, dy)
    return made.params, lambda: made.input


def lora(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    inner, alpha = bound(layer)
    scaled = dy * low_rank.share(alpha, params.up)
    dlow = matmul_last_transposed(scaled, params.up)
    made = inner.backward(params.inner, residuals.inner, dy)
    grads = low_rank.LoRAParams(made.params, form.outer(residuals.x, dlow), form.outer(residuals.low, scaled))
    return grads, lambda: made.input + matmul_last_transposed(dlow, params.down)


def weight_norm(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    inner, axis = bound(layer)
    direction, length = residuals.direction, residuals.length
    gain = params.gain.reshape(length.shape)
    made = inner.backward(with_weight(params.inner, direction * gain), residuals.inner, dy)
    dweight = made.params.weight  # (n, ...)
    others = tuple([other for other in range(1, dweight.ndim) if other != dweight.ndim + axis])
    dgain = (dweight * direction).sum(others, keepdims=True)
    dv = (dweight - direction * dgain) * (gain / length)
    grads = WeightNormParams(with_weight(made.params, form.whole(dv)), form.whole(dgain.reshape(len(dgain), params.gain.size)))
    return grads, lambda: made.input


def spectral_norm(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    inner, axis = bound(layer)
    weight, sigma = residuals.normalized, residuals.sigma
    made = inner.backward(with_weight(params, weight), residuals.inner, dy)
    dnormalized = made.params.weight  # (n, ...)
    dsigma = (dnormalized * weight).sum(tuple(range(1, dnormalized.ndim)), keepdims=True)
    gradient = bounded.as_weight(residuals.q[:, np.newaxis] * residuals.u, axis, weight)  # of sigma
    return with_weight(made.params, form.whole((dnormalized - gradient * dsigma) / sigma)), lambda: made.input
