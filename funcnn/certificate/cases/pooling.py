"""Cases of pooling."""

from __future__ import annotations

import funcnn as fn
from funcnn.certificate.cases.case import LayerCase
from funcnn.certificate.cases.draws import tied

POOLING: dict[str, tuple[LayerCase, ...]] = {
    "max_pool1d": (
        LayerCase(lambda: fn.max_pool1d(2), (5, 2)),
        LayerCase(lambda: fn.max_pool1d(3, stride=2, padding=1), (6, 2), label="overlapping"),
        LayerCase(lambda: fn.max_pool1d(4, stride=3, padding=((2, 1),), ceil_mode=True), (8, 2), label="ceil"),
        LayerCase(lambda: fn.max_pool1d(3, stride=2, dilation=2), (9, 2), label="as many points in windows as there are"),
        LayerCase(lambda: fn.max_pool1d(2, stride=3, padding=1, ceil_mode=True), (5, 2), label="ceil, none behind the input"),
    ),
    "max_pool2d": (
        LayerCase(lambda: fn.max_pool2d(2), (4, 5, 2)),
        LayerCase(lambda: fn.max_pool2d((2, 3), stride=(1, 2), padding=((0, 1), (1, 0))), (4, 5, 2), label="overlapping"),
        LayerCase(lambda: fn.max_pool2d(3, stride=2, ceil_mode=True), (6, 4, 2), label="ceil"),
        LayerCase(lambda: fn.max_pool2d(3, stride=2, padding="same"), (4, 5, 1), label="same"),
        LayerCase(lambda: fn.max_pool2d(2, stride=1, dilation=2), (4, 5, 2), label="dilated"),
        LayerCase(lambda: fn.max_pool2d(2), (4, 4, 1), inputs=tied, smooth=False, label="ties"),
        LayerCase(lambda: fn.max_pool2d((1, 2)), (1, 2, 32800), batch=3, label="an example at a time", method="screen"),
    ),
    "max_pool3d": (LayerCase(lambda: fn.max_pool3d(2, stride=1), (2, 3, 3, 1), batch=2),),
    "avg_pool1d": (
        LayerCase(lambda: fn.avg_pool1d(2), (5, 2)),
        LayerCase(lambda: fn.avg_pool1d(3, stride=2, padding=1), (6, 2), label="overlapping"),
        LayerCase(lambda: fn.avg_pool1d(2, padding=((1, 0),)), (5, 2), label="a window of one point"),
        LayerCase(lambda: fn.avg_pool1d(4, stride=3, padding=((2, 1),), ceil_mode=True), (8, 2), label="ceil"),
        LayerCase(lambda: fn.avg_pool1d(2, stride=3, padding=1, ceil_mode=True), (5, 2), label="ceil, none behind the input"),
    ),
    "avg_pool2d": (
        LayerCase(lambda: fn.avg_pool2d(2), (4, 5, 2)),
        LayerCase(lambda: fn.avg_pool2d((2, 3), stride=(1, 2), padding=((0, 1), (1, 0))), (4, 5, 2), label="overlapping"),
        LayerCase(lambda: fn.avg_pool2d(3, stride=2, ceil_mode=True), (6, 4, 2), label="ceil"),
        LayerCase(lambda: fn.avg_pool2d(3, stride=2, padding="same"), (4, 5, 1), label="same"),
        LayerCase(lambda: fn.avg_pool2d(3, stride=2, padding=1, count_include_pad=True), (4, 5, 2), label="padding counts"),
        LayerCase(lambda: fn.avg_pool2d(2, stride=1, dilation=2, padding=1), (4, 5, 2), label="dilated"),
        LayerCase(lambda: fn.avg_pool2d(3, stride=2, padding=1, divisor=4), (4, 5, 2), label="another divisor"),
    ),
    "avg_pool3d": (LayerCase(lambda: fn.avg_pool3d(2, stride=1), (2, 3, 3, 1), batch=2),),
    "lp_pool1d": (
        LayerCase(lambda: fn.lp_pool1d(3.0, 2), (5, 2)),
        LayerCase(lambda: fn.lp_pool1d(3.0, 3, stride=2, padding=1), (6, 2)),
    ),
    "lp_pool2d": (
        LayerCase(lambda: fn.lp_pool2d(3.0, 2), (4, 5, 2)),
        LayerCase(lambda: fn.lp_pool2d(3.0, (2, 3), stride=(1, 2), padding=((0, 1), (1, 0))), (4, 5, 2), label="overlapping"),
        LayerCase(lambda: fn.lp_pool2d(3.0, 3, stride=2, ceil_mode=True), (6, 4, 2), label="ceil"),
        LayerCase(lambda: fn.lp_pool2d(3.0, 3, stride=2, padding="same"), (4, 5, 1), label="same"),
        LayerCase(lambda: fn.lp_pool2d(2.5, 2), (4, 4, 1), label="odd power"),
        LayerCase(lambda: fn.lp_pool2d(3.0, 2, stride=1, dilation=(2, 1)), (4, 4, 1), label="dilated"),
    ),
    "lp_pool3d": (LayerCase(lambda: fn.lp_pool3d(3.0, 2, stride=1), (2, 3, 3, 1), batch=2),),
    "global_avg_pool": (LayerCase(lambda: fn.global_avg_pool(), (3, 2, 4)),),
    "global_max_pool": (LayerCase(lambda: fn.global_max_pool(), (3, 2, 4)),),
}
