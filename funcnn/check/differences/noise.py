r"""How noisy each output is: rounding errors measured from the function itself.

Outputs at equally spaced points very close together differ from a line by rounding alone: smooth parts vanish from fourth
differences, and what is left has $\sqrt{70}$ times the standard deviation of one evaluation (Hamming 1962, ch. 6;
Moré and Wild 2011, "Estimating computational noise").  This sees what ``eps |y|`` cannot: cancellation inside the function, and
arithmetic in fewer digits than its result pretends to have.

The points lie $2^{-40}$ apart, in units of the entries, where no curvature is left.  A function that computes in float32 inside
stands still there and moves in stairs; its noise is then taken $2^{-20}$ apart.  So it is where a part of the function does that
while the rest moves smoothly, which shows in fourth differences that do not shrink with the spacing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from attrs import frozen

from funcnn.check.case.sampler import Sampler
from funcnn.check.differences.entries import own_scales
from funcnn.check.differences.second import second_opinion
from funcnn.typing import Array, BoolArray

POINTS = 9
_ROW = 25  # points, of which few fourth differences hold the same kink
FEW = 1e-5  # relative noise of single precision, and some
_TURNS = 1e-3  # of the largest output
_TIMES = 100.0
_STEEP = 0.1
_ALIKE = 0.1
_LARGE = 0.1  # of the largest output
_WEIGHT = 70.0**-0.5  # fourth differences have the coefficients 1 -4 6 -4 1


@frozen(eq=False)
class Noise:
    """What is known of the rounding errors of the outputs."""

    size: Array
    """The standard deviation of the rounding error of each output."""
    stairs: BoolArray
    """Which outputs move in stairs: they are computed in fewer digits than they have."""
    inside: BoolArray
    """Which outputs have more rounding inside than their size and their motion show: also where they stand still."""
    another: bool = False
    """Whether the function is another one in a narrower precision."""


def measure_noise(sample: Sampler, generator: np.random.Generator) -> Noise:
    """Measure the rounding errors of each output."""
    fine, moved, *_ = _along_some(sample, generator, 2.0**-40)
    again, moved_again, *_ = _along_some(sample, generator, 2.0**-39)  # equal steps can meet equal roundings, and show none
    coarse, moved_later, height, _ = _along_some(sample, generator, 2.0**-20)
    moved |= moved_again
    # What stands still near by moves in stairs, or lies in a dead zone that ends here: stairs are small against what is there.
    late = ~moved & moved_later & (coarse < FEW * height)
    if late.any():  # and small against the way that many of them climb, unless a function so fast that it hits any value
        for spacing in (2.0**-19, 2.0**-18):  # here too equal steps can meet equal roundings
            coarse = np.fmax(coarse, _along_some(sample, generator, spacing)[0])
        climbed = _along_some(sample, generator, 2.0**-16)[-1]
        late &= bool(np.median(coarse[late] / climbed[late]) < _STEEP)
    noise: Array = np.where(moved, np.fmax(fine, again), np.where(late, coarse, 0))
    noise = np.where(np.isfinite(noise), noise, 0)
    partly = moved & (coarse > 1e3 * np.maximum(noise, sample.eps * np.abs(sample.y))) & (coarse < FEW * np.abs(sample.y))
    if partly.any():
        sizes = np.abs(sample.y[partly])  # single outputs can meet equal roundings: all are judged together
        found = [(_roughness(sample, generator, spacing)[partly] / sizes).mean() for spacing in (2.0**-22, 2.0**-20, 2.0**-18)]
        single = (coarse[partly] / sizes).mean()  # where a kink is all there is, most differences have nothing
        partly &= bool(min(found) > _ALIKE * max(found) and found[1] > single)
        noise = np.where(partly, np.fmax(noise, coarse), noise)
    noise = np.maximum(noise, _usual(noise, np.abs(sample.y), moved | late))
    second = second_opinion(sample, generator)
    # What a narrower precision does not know of at all is no rounding: the function itself turns between such neighbours.
    floor = np.maximum(second.error, sample.eps * np.abs(sample.y))
    noise = np.where((noise > _TURNS * second.size) & (noise > _TIMES * floor) & (second.size > 0), floor, noise)
    inside = second.error > np.maximum(noise, sample.eps * np.abs(sample.y))
    return Noise(np.maximum(noise, second.error), partly | late, inside, second.another)


def _roughness(sample: Sampler, generator: np.random.Generator, spacing: float) -> Array:
    """Return the median fourth difference of each output: a kink or a jump shows in four of them, stairs in most.

    Those of a smooth function shrink with the fourth power of the spacing; next to a bend they may grow for a while.
    """
    directions = [(leaf, wobble(values, generator)) for leaf, values in enumerate(sample.origin)]
    at = sample.along(directions)
    rows = np.stack([sample.y, *(at(number * spacing) for number in range(1, _ROW))])
    typical: Array = np.median(np.abs(np.diff(rows, 4, axis=0)), axis=0)
    return typical


def _along_some(sample: Sampler, generator: np.random.Generator, spacing: float) -> tuple[Array, BoolArray, Array, Array]:
    """Return, along a random direction of all leaves, what :func:`_differences` does."""
    directions = [(leaf, wobble(values, generator)) for leaf, values in enumerate(sample.origin)]
    return _differences(sample.along(directions), sample.y, spacing)


def _usual(noise: Array, sizes: Array, moved: BoolArray) -> Array:
    """Return the noise that outputs of these sizes usually have: single ones may show none by chance.

    The larger of those that move tell: outputs near 0, made from larger numbers, have far more noise for their size.
    """
    seen = (sizes > 0) & np.isfinite(sizes) & moved
    seen &= sizes >= _LARGE * np.max(sizes, initial=0, where=seen)
    relative = np.median(noise[seen] / sizes[seen]) if seen.any() else 0.0
    return np.where(np.isfinite(sizes), sizes, 0) * relative


def wobble(values: Array, generator: np.random.Generator) -> Array:
    """Return a direction in which each entry moves by about its own size; zeros, where kinks and edges are, stay.

    Seven bits, the last of them one: small multiples of it are exact, but meet every pattern of rounding.
    """
    bits = 2 * generator.integers(32, 96, values.shape) + 1
    signs = generator.choice((-1.0, 1.0), values.shape)
    sizes = np.where(values == 0, 0, own_scales(values))
    direction: Array = (sizes * signs * bits / 128).astype(values.dtype)
    return direction


def _differences(at: Callable[[float], Array], y: Array, spacing: float) -> tuple[Array, BoolArray, Array, Array]:
    """Return the fourth differences at one spacing, which outputs moved, how large they are, and how far they moved."""
    rows = np.empty((POINTS, len(y)), y.dtype)
    rows[0] = y
    for index in range(1, POINTS):
        rows[index] = at(index * spacing)
    return fourth_differences(rows), (rows != y).any(0), np.abs(rows).max(0), np.abs(rows - y).max(0)


def fourth_differences(rows: Array) -> Array:
    """Return the root mean square of the fourth differences down each column, scaled to the error of one number."""
    fourth = np.diff(rows, 4, axis=0) * _WEIGHT
    size: Array = np.sqrt((fourth * fourth).mean(0))
    return size
