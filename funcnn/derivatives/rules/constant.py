"""Rules of layers whose parameters learn nothing."""

from __future__ import annotations

from typing import Any

from funcnn import tree
from funcnn.combinators.stop_gradient import zeros_like
from funcnn.derivatives.rules.form import Form
from funcnn.derivatives.rules.rule import Taken, input_by_backward
from funcnn.layer import AnyLayer


def constant(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    count = len(tree.leaves(dy)[0])
    grads = tree.map_cotangents(lambda leaf: form.zeros(count, leaf), zeros_like(params))
    return grads, input_by_backward(layer, params, residuals, dy)
