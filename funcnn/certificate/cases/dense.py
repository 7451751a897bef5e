"""Cases of dense layers, of dropout and of changes of shape."""

from __future__ import annotations

import funcnn as fn
from funcnn.certificate.cases.case import LayerCase
from funcnn.certificate.cases.draws import labelled_rows

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
    "linear_cross_entropy": (
        LayerCase(lambda: fn.linear_cross_entropy(5, block_size=2), ((4,), ()), inputs=labelled_rows(5)),
        LayerCase(
            lambda: fn.linear_cross_entropy(4, ignore_index=1), ((3, 2), (3,)), inputs=labelled_rows(4), label="ignored label"
        ),
        LayerCase(
            lambda: fn.linear_cross_entropy(7, label_smoothing=0.2, block_size=3),
            ((2, 3), (2,)),
            inputs=labelled_rows(7),
            label="smoothed",
        ),
        LayerCase(lambda: fn.linear_cross_entropy(1), ((2,), ()), inputs=labelled_rows(1), label="one class"),
        LayerCase(
            lambda: fn.beside_memory(fn.dense(3) >> fn.tanh()) >> fn.linear_cross_entropy(5, block_size=2),
            ((2, 4), (2,)),
            inputs=labelled_rows(5),
            label="end of a network",
        ),
    ),
    "flatten": (LayerCase(lambda: fn.flatten(), (2, 3)),),
    "reshape": (LayerCase(lambda: fn.reshape((3, -1)), (2, 6)), LayerCase(lambda: fn.reshape((6,)), (2, 3), label="flat")),
    "dropout": (LayerCase(lambda: fn.dropout(0.4), (6,)), LayerCase(lambda: fn.dropout(0.0), (6,), label="none")),
    "identity": (LayerCase(lambda: fn.identity(), (3,)),),
}
