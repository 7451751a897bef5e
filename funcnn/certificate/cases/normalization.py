"""Cases of normalizations."""

from __future__ import annotations

import funcnn as fn
from funcnn.certificate.cases.case import LayerCase
from funcnn.certificate.cases.draws import masked, shifted

NORMALIZATION: dict[str, tuple[LayerCase, ...]] = {
    "layer_norm": (
        LayerCase(lambda: fn.layer_norm(), (5,)),
        LayerCase(lambda: fn.layer_norm(eps=0.5), (2, 4), label="sequence, large eps"),
        LayerCase(lambda: fn.layer_norm(), (6,), inputs=shifted, label="offset"),
        LayerCase(lambda: fn.layer_norm(last_axes=2), (2, 3, 2), label="two axes"),
    ),
    "layer_norm_without_affine": (
        LayerCase(lambda: fn.layer_norm_without_affine(), (5,)),
        LayerCase(lambda: fn.layer_norm_without_affine(eps=0.5, last_axes=2), (2, 3, 2), label="two axes, large eps"),
    ),
    "layer_norm_without_shift": (
        LayerCase(lambda: fn.layer_norm_without_shift(), (2, 4)),
        LayerCase(lambda: fn.layer_norm_without_shift(eps=0.5, last_axes=2), (3, 2), label="two axes, large eps"),
    ),
    "rms_norm_without_scale": (
        LayerCase(lambda: fn.rms_norm_without_scale(), (5,)),
        LayerCase(lambda: fn.rms_norm_without_scale(eps=0.5, last_axes=2), (2, 3, 2), label="two axes, large eps"),
    ),
    "batch_norm": (
        LayerCase(lambda: fn.batch_norm(), (3,), batch=5, independent=False),
        LayerCase(lambda: fn.batch_norm(momentum=None, eps=0.5), (2, 3), independent=False, label="sequence, large eps"),
        LayerCase(lambda: fn.batch_norm(), (2, 2, 3), batch=2, independent=False, label="images"),
        LayerCase(lambda: fn.batch_norm(), (3,), batch=5, inputs=shifted, independent=False, label="offset"),
        LayerCase(lambda: fn.batch_norm(masked=True), (3, 2), batch=4, inputs=masked, independent=False, label="masked"),
    ),
    "instance_norm_with_statistics": (
        LayerCase(lambda: fn.instance_norm_with_statistics(), (3, 2), independent=False),
        LayerCase(
            lambda: fn.instance_norm_with_statistics(momentum=None, eps=0.5), (2, 2, 2), independent=False, label="large eps"
        ),
    ),
    "batch_norm_without_affine": (LayerCase(lambda: fn.batch_norm_without_affine(eps=0.1), (3,), batch=5, independent=False),),
    "batch_norm_without_statistics": (
        LayerCase(lambda: fn.batch_norm_without_statistics(eps=0.1), (2, 3), batch=4, independent=False),
    ),
    "group_norm_without_affine": (LayerCase(lambda: fn.group_norm_without_affine(2), (3, 4)),),
    "instance_norm_without_affine": (LayerCase(lambda: fn.instance_norm_without_affine(eps=0.1), (2, 3, 2)),),
    "group_norm": (
        LayerCase(lambda: fn.group_norm(2), (2, 3, 4)),
        LayerCase(lambda: fn.group_norm(2, eps=0.5), (3, 6), label="sequence, large eps"),
        LayerCase(lambda: fn.group_norm(1, eps=0.1), (5,), label="one group, no spatial axes"),
        LayerCase(lambda: fn.group_norm(2), (3, 4), inputs=shifted, label="offset"),
    ),
    "instance_norm": (
        LayerCase(lambda: fn.instance_norm(), (2, 3, 2)),
        LayerCase(lambda: fn.instance_norm(eps=0.5), (4, 3), label="sequence, large eps"),
        LayerCase(lambda: fn.instance_norm(), (5, 2), inputs=shifted, label="offset"),
    ),
    "unit_norm": (
        LayerCase(lambda: fn.unit_norm(), (2, 4)),
        LayerCase(lambda: fn.unit_norm(1, eps=1.5), (3, 2), label="axis 1, some shorter than eps"),
    ),
    "local_response_norm": (
        LayerCase(lambda: fn.local_response_norm(alpha=0.5), (7,)),
        LayerCase(lambda: fn.local_response_norm(4, alpha=0.7, beta=1.3, k=0.6), (2, 6), label="even window"),
        LayerCase(lambda: fn.local_response_norm(9, alpha=0.3, beta=0.5, k=1.0), (2, 2, 3), label="wider than the channels"),
        LayerCase(lambda: fn.local_response_norm(3, alpha=1e9, k=5e9), (4,), label="powers in double precision"),
    ),
    "weight_norm": (
        LayerCase(lambda: fn.weight_norm(fn.dense(3)), (4,)),
        LayerCase(lambda: fn.weight_norm(fn.conv2d(4, (2, 1), groups=2)), (3, 2, 4), label="convolution"),
        LayerCase(lambda: fn.weight_norm(fn.conv_transpose1d(3, 2), axis=-2), (3, 2), label="transposed convolution"),
        LayerCase(lambda: fn.weight_norm(fn.spectral_norm(fn.linear(3))), (2,), label="of a layer with a state"),
    ),
    "spectral_norm": (
        LayerCase(lambda: fn.spectral_norm(fn.dense(3)), (4,)),
        LayerCase(lambda: fn.spectral_norm(fn.conv2d(3, (2, 1)), iterations=2), (3, 2, 2), label="convolution"),
        LayerCase(lambda: fn.spectral_norm(fn.conv_transpose1d(3, 2), axis=-2), (3, 2), label="transposed convolution"),
        LayerCase(lambda: fn.spectral_norm(fn.spectral_norm(fn.linear(3))), (2,), label="of a layer with a state"),
    ),
}
