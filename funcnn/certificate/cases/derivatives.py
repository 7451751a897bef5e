"""Cases of the layers that give derivatives of a network."""

from __future__ import annotations

import funcnn as fn
from funcnn.certificate.cases.case import LayerCase
from funcnn.layer import AnyLayer

# Not smooth in the sense that a complex step is right to the last digit: their derivatives take circles of their own.


def _net(outputs: int) -> AnyLayer:
    return fn.dense(outputs) >> fn.tanh()


DERIVATIVES: dict[str, tuple[LayerCase, ...]] = {
    "directional_derivatives": (
        LayerCase(
            lambda: fn.directional_derivatives(_net(1), [(1, 0.5), (0, 1)], 2, points=12, radius=0.125),
            (2,),
            batch=2,
            smooth=False,
        ),
        LayerCase(
            lambda: fn.directional_derivatives(_net(2), [(0.5,)], 3, points=16, radius=0.5),
            (1,),
            batch=2,
            smooth=False,
            label="order 3",
        ),
        LayerCase(
            lambda: fn.directional_derivatives(_net(1), [(1, 0.5), (0, 1)], 2),
            (2,),
            batch=2,
            smooth=False,
            label="by the chain rule",
        ),
        LayerCase(lambda: fn.directional_derivatives(_net(2), [(1, 2), (0, 1)], 1), (2,), batch=2, smooth=False, label="order 1"),
    ),
    "laplacian": (
        LayerCase(lambda: fn.laplacian(_net(1), points=12, radius=0.125), (2,), batch=1, smooth=False),
        LayerCase(lambda: fn.laplacian(_net(1), [1], points=12, radius=0.125), (2,), batch=1, smooth=False, label="one input"),
        LayerCase(lambda: fn.laplacian(_net(1)), (2,), batch=2, smooth=False, label="by the chain rule"),
    ),
    "input_gradient": (
        LayerCase(lambda: fn.input_gradient(fn.tanh() >> fn.dense(1) >> fn.tanh()), (2,)),
        LayerCase(lambda: fn.input_gradient(fn.tanh() >> fn.flatten() >> fn.dense(1) >> fn.tanh()), (2, 2), label="image"),
    ),
    "divergence": (
        LayerCase(lambda: fn.divergence(fn.dense(2) >> fn.tanh()), (2,), batch=2, smooth=False),
        LayerCase(lambda: fn.divergence(fn.dense(2) >> fn.tanh(), [1]), (2,), batch=2, smooth=False, label="one input"),
    ),
}
