"""Cases of dense layers, of dropout and of changes of shape."""

from __future__ import annotations

import funcnn as fn
from funcnn.certificate.cases.case import LayerCase

DENSE: dict[str, tuple[LayerCase, ...]] = {
    "dense": (
        LayerCase(lambda: fn.dense(3), (4,)),
        LayerCase(lambda: fn.dense(2), (3, 5), label="sequence"),
        LayerCase(lambda: fn.dense(2), (3, 1), label="one feature"),
        LayerCase(lambda: fn.dense(2), (33000, 1), batch=1, label="many rows", method="screen"),
        LayerCase(lambda: fn.dense(17), (16,), batch=2, label="few rows"),
    ),
    "linear": (
        LayerCase(lambda: fn.linear(3), (4,)),
        LayerCase(lambda: fn.linear(2), (3, 5), label="sequence"),
        LayerCase(lambda: fn.linear(9), (2, 8), batch=1, label="few rows"),
    ),
    "flatten": (LayerCase(lambda: fn.flatten(), (2, 3)),),
    "reshape": (LayerCase(lambda: fn.reshape((3, -1)), (2, 6)), LayerCase(lambda: fn.reshape((6,)), (2, 3), label="flat")),
    "dropout": (LayerCase(lambda: fn.dropout(0.4), (6,)), LayerCase(lambda: fn.dropout(0.0), (6,), label="none")),
    "identity": (LayerCase(lambda: fn.identity(), (3,)),),
}
