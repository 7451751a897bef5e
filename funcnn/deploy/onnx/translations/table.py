"""All translations, by the forward of the layers that they are for, and why some layers have none.

A translation has the signature of the forward that it stands for, with the graph in the first place and without the mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from funcnn.combinators.implicit import dormand_prince, fixed_point
from funcnn.deploy.onnx.graph import Translation
from funcnn.deploy.onnx.translations import (
    attention,
    combinators,
    elementwise,
    gathered,
    linear,
    masks,
    noise,
    normalization,
    recurrent,
    shape,
    steps,
    windows,
)
from funcnn.derivatives import input_gradient, sums
from funcnn.layers.embedding import tied_cross_entropy
from funcnn.layers.linear import linear_cross_entropy

TABLE: dict[Callable[..., Any], Translation] = {
    **elementwise.TRANSLATIONS,
    **linear.TRANSLATIONS,
    **windows.TRANSLATIONS,
    **normalization.TRANSLATIONS,
    **masks.TRANSLATIONS,
    **shape.TRANSLATIONS,
    **noise.TRANSLATIONS,
    **attention.TRANSLATIONS,
    **recurrent.TRANSLATIONS,
    **steps.TRANSLATIONS,
    **gathered.TRANSLATIONS,
    **combinators.TRANSLATIONS,
}

DERIVATIVE = "the operators of ONNX for predictions know no derivatives of other parts of the graph"
ADAPTIVE = "how many steps it takes depends on the numbers, for each example apart"

LOSS = "it is a loss, which a prediction has no labels for; export the layers before it and fn.dense with its weight and bias"

REFUSED: dict[Callable[..., Any], str] = {
    sums.forward: DERIVATIVE,
    input_gradient.gradient_forward: DERIVATIVE,
    fixed_point.forward: f"{ADAPTIVE}; repeat a fixed number of steps, fn.repeat(inner, n)",
    dormand_prince.forward: f"{ADAPTIVE}; solve with fixed steps, fn.runge_kutta(inner, method='rk5')",
    linear_cross_entropy.forward: LOSS,
    tied_cross_entropy.forward: "it is a loss, which a prediction has no labels for; export the model in it",
}
