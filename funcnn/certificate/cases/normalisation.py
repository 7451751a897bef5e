"""Cases of normalisations."""

from __future__ import annotations

import funcnn as fn
from funcnn.certificate.cases.case import LayerCase
from funcnn.certificate.cases.draws import shifted

NORMALISATION: dict[str, tuple[LayerCase, ...]] = {
    "layer_norm": (
        LayerCase(lambda: fn.layer_norm(), (5,)),
        LayerCase(lambda: fn.layer_norm(eps=0.5), (2, 4), label="sequence, large eps"),
        LayerCase(lambda: fn.layer_norm(), (6,), inputs=shifted, label="offset"),
    ),
    "batch_norm": (
        LayerCase(lambda: fn.batch_norm(), (3,), batch=5, independent=False),
        LayerCase(lambda: fn.batch_norm(momentum=None, eps=0.5), (2, 3), independent=False, label="sequence, large eps"),
        LayerCase(lambda: fn.batch_norm(), (2, 2, 3), batch=2, independent=False, label="images"),
        LayerCase(lambda: fn.batch_norm(), (3,), batch=5, inputs=shifted, independent=False, label="offset"),
    ),
}
