"""Layers that treat each step alone: they remember nothing, and forward is their step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from funcnn.combinators import frozen, multiply_inputs
from funcnn.combinators.around import lora
from funcnn.combinators.inputs import average, extreme
from funcnn.layer import AnyLayer, Eval
from funcnn.layers.activations import elementwise, gated, prelu, rrelu
from funcnn.layers.embedding import embedding
from funcnn.layers.linear import dense, linear, maxout, scale
from funcnn.layers.noise import alpha_dropout, dropout, gaussian_noise, stochastic_depth
from funcnn.layers.normalization import layer_norm, rms_norm, without_affine
from funcnn.layers.shape import identity
from funcnn.models.generation.rules import NotStepwiseError, Rule, Step, bound, last_of

QUIET = Eval(residuals=False)


def step(layer: AnyLayer, params: Any, state: Any, cache: Any, x: Any, last: bool) -> tuple[Any, Any]:
    return layer.forward(params, state, last_of(x, last), QUIET).output, cache


def rule(layer: AnyLayer, path: str, step_of: Callable[[AnyLayer, str], Step]) -> Step:
    return partial(step, layer)


def embedding_rule(layer: AnyLayer, path: str, step_of: Callable[[AnyLayer, str], Step]) -> Step:
    _, masked = bound(layer).arguments
    if masked:
        raise NotStepwiseError(layer, path, "it gives masked sequences, and what is drawn has no padding")
    return partial(step, layer)


def constant_norm_rule(layer: AnyLayer, path: str, step_of: Callable[[AnyLayer, str], Step]) -> Step:
    normalize, constants = bound(layer).arguments
    over_features = normalize.func in (layer_norm.forward, rms_norm.forward) and constants.args == (1,)
    if not over_features:
        raise NotStepwiseError(layer, path, "it normalizes over more than the features of a step")
    return partial(step, layer)


def lora_rule(layer: AnyLayer, path: str, step_of: Callable[[AnyLayer, str], Step]) -> Step:
    inner: AnyLayer = bound(layer).arguments[0]
    while bound(inner).function is frozen.forward:
        inner = bound(inner).arguments[0]
    if bound(inner).function not in STEP_ALONE:
        raise NotStepwiseError(layer, path, f"it corrects {inner.name}, which does not treat each step alone")
    return partial(step, layer)


STEP_ALONE: dict[Callable[..., object], Rule] = {
    embedding.forward: embedding_rule,
    lora.forward: lora_rule,
    without_affine.forward: constant_norm_rule,
    **dict.fromkeys(
        (
            dense.forward,
            linear.forward,
            maxout.forward,
            scale.forward,
            layer_norm.forward,
            rms_norm.forward,
            without_affine.without_shift_forward,
            elementwise.forward_keeping_output,
            elementwise.forward_keeping_slope,
            gated.forward,
            prelu.forward,
            rrelu.forward,
            dropout.forward,
            alpha_dropout.forward,
            gaussian_noise.forward,
            identity.forward,
            multiply_inputs.add_forward,
            multiply_inputs.multiply_forward,
            average.subtract_forward,
            average.average_forward,
            extreme.forward,
            stochastic_depth.forward,
        ),
        rule,
    ),
}
"""By the function that forward binds."""
