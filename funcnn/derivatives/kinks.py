"""Layers that are not analytic: by name and path, for derivatives of higher order than a kink has."""

from __future__ import annotations

import re
from typing import Any

from funcnn.layer import AnyLayer
from funcnn.layer.instrument import map_layers

KINKED = frozenset(
    {"relu", "leaky_relu", "elu", "celu", "selu", "relu6", "prelu", "rrelu", "hard_sigmoid", "hard_tanh", "hard_swish"}
    | {"softshrink", "hardshrink", "threshold", "softsign", "sparsemax", "entmax15", "maxout", "relu_squared", "reglu"}
    | {"lp_pool1d", "lp_pool2d", "lp_pool3d", "maximum_inputs", "minimum_inputs", "softplus_with_threshold"}
    | {"max_pool1d", "max_pool2d", "max_pool3d", "global_max_pool", "adaptive_max_pool", "max_pool_with_indices"}
    | {"adaptive_max_pool_with_indices", "fractional_max_pool", "fractional_max_pool_with_indices"}
    | {"straight_through", "gradient_reversal", "stop_gradient"}
)
"""The library's layers of pieces that are other functions each; and those whose backward is that of another function."""


def refuse_kinks(model: AnyLayer, what: str) -> None:
    """Raise a ValueError that names the first layer of a network that is not analytic."""
    map_layers(_Refuse(what), model)


class _Refuse:
    """Looks at each layer."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __call__(self, path: str, layer: AnyLayer) -> AnyLayer:
        function: Any = layer.forward
        settings = [one for one in getattr(function, "args", ()) if isinstance(one, str)]  # such as the activation of rnn
        if not KINKED.isdisjoint([*re.findall(r"\w+", layer.name), *settings]):
            raise ValueError(
                f"{self.what} needs analytic layers, and {layer.name}{f' at {path}' if path else ''} is not: it has a"
                " branch where a derivative jumps, or a gradient that is not its own; use tanh, silu, gelu, softplus, or first"
                " derivatives (fn.input_gradient, fn.divergence)"
            )
        return layer
