"""Cases of small layers, and of those whose backward is, on purpose, that of a surrogate."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import funcnn as fn
from funcnn.certificate.cases.case import LayerCase
from funcnn.certificate.cases.draws import among, graphs, normals, wide
from funcnn.layer import AnyLayer, Mode


def times(factor: float) -> AnyLayer:
    """Return the surrogate that multiplies by a factor."""
    return fn.define_layer("times", _no_init, partial(_times_forward, factor), _no_backward)


def constant(features: int) -> AnyLayer:
    """Return the surrogate that gives zeros, whatever it is given."""
    return fn.define_layer("constant", _no_init, partial(_constant_forward, features), _no_backward)


def _no_init(key: fn.Key, in_shape: Any) -> fn.Init[Any, Any]:
    raise NotImplementedError("the layer itself is initialized")


def _times_forward(factor: float, params: Any, state: Any, x: Any, mode: Mode) -> fn.Forward[Any, Any, tuple[()]]:
    return fn.Forward(x * factor, state, ())


def _constant_forward(features: int, params: Any, state: Any, x: Any, mode: Mode) -> fn.Forward[Any, Any, tuple[()]]:
    return fn.Forward(np.zeros((*x.shape[:-1], features), x.dtype), state, ())


def _no_backward(params: Any, residuals: tuple[()], dy: Any) -> fn.Backward[Any, Any]:
    raise NotImplementedError("the layer itself has the backward")


SMALL: dict[str, tuple[LayerCase, ...]] = {
    "cosine_similarity": (LayerCase(lambda: fn.cosine_similarity(), ((2, 3), (2, 3)), inputs=normals),),
    "pairwise_distance": (
        LayerCase(lambda: fn.pairwise_distance(), ((3,), (3,)), inputs=normals),
        LayerCase(lambda: fn.pairwise_distance(3.0), ((2, 3), (2, 3)), inputs=normals, label="3"),
        LayerCase(lambda: fn.pairwise_distance(1.0), ((3,), (3,)), inputs=normals, smooth=False, label="1"),
    ),
    "graph_convolution": (LayerCase(lambda: fn.graph_convolution(2), ((4, 3), (5, 2)), inputs=graphs),),
    "spline": (
        LayerCase(lambda: fn.spline(2), (3,)),
        LayerCase(
            lambda: fn.spline(2, intervals=3, degree=2, low=-2.0, high=1.0),
            (2, 2),
            inputs=wide,
            label="degree 2, beyond the ends",
        ),
        LayerCase(lambda: fn.spline(2, intervals=3, degree=1), (2,), smooth=False, label="degree 1"),
    ),
    "film": (LayerCase(lambda: fn.film(), ((2, 3), (6,)), inputs=normals),),
    "modulate": (LayerCase(lambda: fn.modulate(), ((2, 2, 2), (4,)), inputs=normals),),
    "einsum_dense": (
        LayerCase(lambda: fn.einsum_dense("tc,chd->thd", {"h": 2, "d": 3}), (3, 4)),
        LayerCase(lambda: fn.einsum_dense("gtc,gcd->dgt", {"d": 2}), (2, 3, 2), label="groups, turned"),
    ),
    "fourier_features": (LayerCase(lambda: fn.fourier_features(3, std=0.2), (2, 2)),),
    "gumbel_softmax": (LayerCase(lambda: fn.gumbel_softmax(0.7), (2, 4)),),
    "bilinear": (
        LayerCase(lambda: fn.bilinear(2), ((3,), (4,)), inputs=normals),
        LayerCase(lambda: fn.bilinear(3), ((2, 3), (2, 3)), inputs=normals, label="sequence"),
    ),
    "scale": (
        LayerCase(lambda: fn.scale(), (4,)),
        LayerCase(lambda: fn.scale(), (3, 2), label="sequence"),
    ),
    "affine": (
        LayerCase(lambda: fn.affine(), (4,)),
        LayerCase(lambda: fn.affine(), (3, 2), label="sequence"),
    ),
    "squeeze": (
        LayerCase(lambda: fn.squeeze(2), (4, 1, 2)),
        LayerCase(lambda: fn.squeeze(-1), (4, 1), label="last"),
    ),
    "expand_dims": (
        LayerCase(lambda: fn.expand_dims(1), (4, 2)),
        LayerCase(lambda: fn.expand_dims(-1), (4,), label="last"),
    ),
    "slice_axis": (
        LayerCase(lambda: fn.slice_axis(1, -1), (4,)),
        LayerCase(lambda: fn.slice_axis(0, 2), (2, 3), label="last axis"),
        LayerCase(lambda: fn.slice_axis(None, None, step=-2, axis=1), (5, 2), label="backwards"),
    ),
    "gradient_reversal": (
        LayerCase(lambda: fn.gradient_reversal(), (3,), surrogate=lambda: times(-1.0)),
        LayerCase(lambda: fn.gradient_reversal(0.3), (3, 2), surrogate=lambda: times(-0.3), label="0.3"),
    ),
    "straight_through": (
        LayerCase(lambda: fn.straight_through("round"), (4,), inputs=wide, surrogate=lambda: times(1.0), label="round"),
        LayerCase(lambda: fn.straight_through("sign"), (4,), surrogate=lambda: times(1.0), label="sign"),
        LayerCase(
            lambda: fn.straight_through("sign"),
            (4,),
            inputs=among(0.0, 0.5, -0.5),
            surrogate=lambda: times(1.0),
            label="sign at steps",
        ),
    ),
    "stop_gradient": (
        LayerCase(lambda: fn.stop_gradient(), (3,), surrogate=lambda: constant(3)),
        LayerCase(lambda: fn.stop_gradient(fn.dense(2)), (3,), surrogate=lambda: constant(2), label="dense"),
    ),
}
