"""What a rule is: how a layer's backward is read for single examples."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from funcnn.derivatives.rules.form import Form
from funcnn.layer import AnyLayer

# Any: parameters, residuals and cotangents of any layer
Taken: TypeAlias = tuple[Any, Callable[[], Any]]
"""A tree like the parameters, of what the form takes; and a function that gives the cotangent of the input, if it is wanted."""

Rule: TypeAlias = Callable[[Form, AnyLayer, Any, Any, Any], Taken]
"""``(form, layer, params, residuals, dy) -> Taken``."""


def bound(layer: AnyLayer) -> tuple[Any, ...]:
    """Return the arguments that a layer's backward is bound to: hyper-parameters, or the layer inside."""
    function: Any = layer.backward
    return function.args if isinstance(function, partial) else ()


def input_by_backward(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Callable[[], Any]:
    """Return the function that takes the cotangent of the input from the layer's own backward."""
    return lambda: layer.backward(params, residuals, dy).input
