"""Layers that add noise in training: in a prediction there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from funcnn.deploy.onnx.graph import Graph, Tensor, Translation
from funcnn.layers.noise import alpha_dropout, dropout, gaussian_noise, gaussian_sample, spatial_dropout, stochastic_depth

# Any: the parameters and states of layers of all types.


def nothing(g: Graph, size: float, params: Any, state: Any, x: Any) -> Any:
    return x


def mean(g: Graph, params: Any, state: Any, x: tuple[Tensor, Tensor]) -> Tensor:
    return x[0]


TRANSLATIONS: dict[Callable[..., Any], Translation] = {
    dropout.forward: nothing,
    stochastic_depth.forward: nothing,
    spatial_dropout.forward: nothing,
    alpha_dropout.forward: nothing,
    gaussian_noise.forward: nothing,
    gaussian_sample.forward: mean,
}
