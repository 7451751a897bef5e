"""Explanation by lost digits: the gradient does not follow the last digits of its arguments."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from funcnn.check.diagnosis.probe import Probe
from funcnn.check.diagnosis.view import Hypothesis, View

_SINGLE = 1e-5  # of the largest slope
_SMALL = 1e-2  # lost digits are a small error


def hypotheses(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """Yield a gradient that moves in stairs where its arguments move smoothly."""
    peak = float(np.abs(view.numeric).max(initial=0))
    if not peak or float(np.abs(view.error).max()) > _SMALL * peak or np.finfo(probe.dtype).eps > 1e-12:
        return
    given = probe.evidence.wrong.analytic
    if (
        given is not None
        and given.any()
        and (given == given.astype(np.float32)).all()
        and float(np.abs(view.error).max()) < _SINGLE
    ):
        text = (
            "the gradient is computed in single precision: all of it are numbers of that type, and its errors are of their size"
        )
        yield Hypothesis("precision_loss", text, 0.0, 2.4)
        return
    cotangent = probe.normal(40, probe.rows)
    start = probe.pull(probe.arrays, cotangent)
    moved = {}
    for power in (-10, -34):
        arrays = list(probe.arrays)
        for spot in probe.active:
            way = 1 + probe.dtype.type(2.0**power) * np.abs(probe.normal(41 + spot, *arrays[spot].shape))
            arrays[spot] = arrays[spot] * way
        there = probe.pull(arrays, cotangent)
        if start is None or there is None:
            return
        moved[power] = float(np.abs(there - start).max(initial=0))
    expected = moved[-10] * 2.0**-24
    if expected > 0 and not expected / 32 < moved[-34] < expected * 32:
        text = "the formula is right, but digits are lost inside: the gradient moves in stairs where its arguments move smoothly"
        yield Hypothesis("precision_loss", text, 0.0, 2.4)
