"""The wrong leaf as two Jacobians, and the explanations that are held against their difference."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from funcnn.check.case.problem import output_leaves
from funcnn.check.diagnosis.probe import Probe
from funcnn.check.differences.evidence import LeafEvidence
from funcnn.typing import Array, BoolArray, Shape

_LARGEST = 300_000  # entries of a Jacobian
_MOST = 1500  # entries of a leaf or of the output
_TOUCHED = 3e7  # numbers that the evaluations for a Jacobian may move
ACCEPT = 1e-6
"""The largest share of the squared error that an accepted explanation may leave."""


@frozen
class Hypothesis:
    """One explanation of the error."""

    tag: str
    text: str
    left: float
    """The share of the squared error that it leaves unexplained."""
    cost: float
    """How much it assumes: of two that explain, the one that assumes less is believed."""

    @property
    def score(self) -> float:
        """What is left of the error, plus a price for what is assumed: the smaller, the better."""
        return max(self.left, 0.0) + 1e-3 * self.cost


@frozen(eq=False)
class View:
    """The gradient of one leaf as arrays of shape (*out, *leaf).

    What each output (or, contracted, the whole) says of each entry.
    """

    analytic: Array
    numeric: Array
    out: Shape
    """The axes of the output; empty for a scalar output, several outputs are one axis, and none when ``full`` is not set."""
    leaf: Shape
    full: bool
    """Whether rows are unit cotangents; otherwise there is one row, for the random cotangent of the check."""
    floor: Array
    """Below this size an entry of the arrays is zero."""
    unit: float
    """What one stands for: the arrays have a largest entry of one."""

    @property
    def error(self) -> Array:
        """The difference of the two."""
        return self.analytic - self.numeric

    @property
    def size(self) -> float:
        """The sum of its squares."""
        return float((self.error**2).sum())

    @property
    def monomial(self) -> bool:
        """Whether each output has one entry and each entry one output at most: entries are moved and multiplied, not added."""
        table = self.numeric.reshape(int(np.prod(self.out)), -1) != 0
        return bool(self.full and table.sum(0).max(initial=0) <= 1 and table.sum(1).max(initial=0) <= 1)

    def left(self, predicted: Array, where: BoolArray | None = None) -> float:
        """Return the share of the squared error that is left when the analytic gradient is predicted."""
        rest, error = self.analytic - predicted, self.error
        if where is not None:
            rest, error = rest[where], error[where]
        whole = float((error**2).sum())
        return float((rest**2).sum()) / whole if whole > 0 else float("inf")

    @property
    def bad(self) -> BoolArray:
        """Which entries of the leaf have an error at any output."""
        wrong: BoolArray = (self.error != 0).reshape(-1, *self.leaf).any(0)
        return wrong

    @property
    def alive(self) -> BoolArray:
        """Which entries of the leaf have a gradient at all, by either account."""
        moving: BoolArray = ((self.numeric != 0) | (self.analytic != 0)).reshape(-1, *self.leaf).any(0)
        return moving

    def axes(self) -> range:
        """Return the axes of the leaf, as axes of the arrays."""
        return range(len(self.out), len(self.out) + len(self.leaf))


def affordable(probe: Probe) -> bool:
    """Tell whether the Jacobians of a case are worth their evaluations."""
    size = probe.evidence.wrong.value.size
    moved = sum(leaf.size for leaf in probe.arrays) + probe.rows
    count = size * 2 * len(probe.steps) + probe.rows
    return 0 < size * probe.rows <= _LARGEST and max(size, probe.rows) <= _MOST and count * moved <= _TOUCHED


def look(probe: Probe) -> View | None:
    """Return the Jacobians, or None where the gradient under test does not give one."""
    numeric, bars = probe.numeric(probe.arrays)
    analytic = probe.analytic(probe.arrays)
    if analytic is None or not np.isfinite(analytic).all():
        return None
    return _full(probe, probe.evidence.wrong, numeric, bars, analytic)


def jacobian_view(probe: Probe, leaf: LeafEvidence, spot: int) -> View | None:
    """Return the Jacobian of another leaf, with the numeric one in both places."""
    if not 0 < leaf.value.size * probe.rows <= _LARGEST:
        return None
    numeric, bars = probe.numeric(probe.arrays, spot)
    return _full(probe, leaf, numeric, bars, numeric)


def out_shape(probe: Probe) -> Shape:
    """Return the shape of the output's side of a Jacobian."""
    return probe.shapes[0] if len(probe.shapes) == 1 else (probe.rows,)


def _full(probe: Probe, leaf: LeafEvidence, numeric: Array, bars: Array, analytic: Array) -> View:
    out = out_shape(probe)
    lost = leaf.kink.reshape(-1) | ~np.isfinite(numeric).all(0)
    numeric, bars = np.where(lost, analytic, numeric), np.where(lost, 0, bars)
    level = (1e-14 if probe.dtype.itemsize > 8 and probe.noise < 1e-12 else 1e-11) + probe.noise
    height = np.maximum(np.abs(numeric), np.abs(analytic))
    tall, wide = height.max(1, keepdims=True), height.max(0, keepdims=True)
    floor = 30 * bars + level * np.minimum(tall, wide) + 0 * height
    return _clean(analytic, numeric, floor, out, leaf.value.shape, True)


def contracted(leaf: LeafEvidence) -> View:
    """Return the view of the contracted gradients; of the examined entries as a vector, where not all of them were."""
    analytic = leaf.numeric if leaf.analytic is None else leaf.analytic
    known = np.isfinite(leaf.numeric) & np.isfinite(analytic) & ~(leaf.kink & ~leaf.wrong)
    numeric = np.where(leaf.wrong, leaf.numeric, analytic)
    bars, shape = np.where(np.isfinite(leaf.bar), leaf.bar, 0), leaf.value.shape
    if not np.isfinite(leaf.numeric).all():
        analytic, numeric, bars, shape = analytic[known], numeric[known], bars[known], (int(known.sum()),)
    return _clean(analytic, numeric, bars, (), shape, False)


def _clean(analytic: Array, numeric: Array, floor: Array, out: Shape, leaf: Shape, full: bool) -> View:
    """Return the view with what is below the noise set to zero, as float64 with a largest entry of one."""
    error = analytic - numeric
    error = np.where(np.abs(error) <= floor, 0, error)
    numeric = np.where(np.abs(numeric) <= floor, 0, numeric)
    scale = max(np.abs(numeric).max(initial=0), np.abs(error).max(initial=0))
    scale = scale if scale > 0 and np.isfinite(scale) else 1
    shape = (*out, *leaf)
    n, e, f = ((one / scale).astype(np.float64).reshape(shape) for one in (numeric, error, floor))
    return View(n + e, n, out, leaf, full, f, float(scale))


def contract(view: View, vectors: Array) -> tuple[Array, Array]:
    """Return (analytic, numeric) pulled back from some cotangents (count, *out): arrays (count, *leaf)."""
    if not view.full:
        return view.analytic[None], view.numeric[None]
    axes = len(view.out)
    both = [np.tensordot(vectors, one, axes=(range(1, axes + 1), range(axes))) for one in (view.analytic, view.numeric)]
    return both[0], both[1]


def output_value(probe: Probe) -> Array:
    """Return the output in the shape of a view's rows."""
    leaves = [np.asarray(leaf, np.float64) for leaf in output_leaves(probe.evidence.output) if leaf.dtype.kind == "f"]
    return leaves[0] if len(leaves) == 1 else np.concatenate([leaf.reshape(-1) for leaf in leaves])
