"""The families and their shares, and the function with a number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.rates.builder import Builder
from tests.rates.families import hard, plain
from tests.rates.program import Function

FAMILIES: dict[str, tuple[Callable[[Builder], Function], int]] = {
    "smooth": (plain.smooth, 10),
    "kinked": (plain.kinked, 10),
    "periodic": (hard.periodic, 10),
    "losses": (hard.losses, 10),
    "norms": (plain.norms, 8),
    "rows": (plain.rows, 8),
    "products": (plain.products, 8),
    "composed": (plain.composed, 12),
    "single": (hard.single, 6),
    "ties": (hard.ties, 6),
    "dead": (hard.dead, 4),
    "scales": (hard.scales, 4),
    "leaves": (hard.leaves, 3),
    "large": (hard.large, 1),
}
"""What makes a function, and in how many of a hundred."""
_TRIES = 100


def draw(number: int, seed: int, family: str | None = None) -> Function:
    """Return the function with a number: always the same, whatever was drawn before."""
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(number,))))
    shares = np.array([share for _, share in FAMILIES.values()], float)
    name = str(generator.choice(list(FAMILIES), p=shares / shares.sum()))
    make = FAMILIES[family or name][0]
    for _ in range(_TRIES):
        builder = Builder(generator)
        made = make(builder)
        if usable(made, builder):
            return made
    raise RuntimeError(f"no usable function of {family or name} in {_TRIES} tries")


def usable(made: Function, builder: Builder) -> bool:
    """Tell whether values are finite, and the gradient is not zero everywhere at once nor out of range."""
    if not all(np.isfinite(value).all() for value in builder.values):
        return False
    if not any(isinstance(node, int) for node in made.program.nodes):
        return False
    with np.errstate(all="ignore"):
        output = made.program(*made.args)
        ones = tuple(np.ones_like(one) for one in output) if isinstance(output, tuple) else np.ones_like(output)
        gradient = made.program.vjp(*made.args, ones)
    return all(np.isfinite(one).all() and float(np.max(np.abs(one), initial=0)) < 1e30 for one in gradient if one is not None)
