"""Spoiled gradients: a right one with a mistake of a chosen kind and size.

Every spoiled gradient stays linear in the cotangent, keeps shapes and dtypes and writes into nothing: only its values are wrong,
so that only differences can tell.
"""

from __future__ import annotations

import zlib
from typing import TypeAlias

import numpy as np
from attrs import frozen

from funcnn.typing import Array
from tests.rates.program import Function, Program, Step
from tests.rates.truth import outputs_of

SIZED = ("scaled", "one entry", "smooth", "erratic", "noise")
"""Mistakes that come in every size."""
WHOLE = ("sign", "sign of one entry", "zero", "transposed", "missing term", "quotient")
"""Mistakes that have the size they have."""
Cotangents: TypeAlias = tuple[Array | None, ...]


@frozen(eq=False)
class Spoiled:
    """A gradient with a mistake in one argument: called with the arguments and dy."""

    program: Program
    kind: str
    argument: int
    size: float  # of the mistake, relative to the largest entry of the argument's gradient
    entry: int  # where a mistake of one entry sits
    largest: int  # the entry that is largest at the point: a mistake grows with it
    seed: int

    def __call__(self, *given: object) -> Cotangents:
        """Return the cotangents."""
        made = list(self.program.vjp(*given))
        right = made[self.argument]
        assert right is not None
        if self.kind == "quotient":
            made[self.argument] = self._quotient(given)
        else:
            made[self.argument] = self._spoil(right, given).astype(right.dtype)
        return tuple(made)

    def _spoil(self, right: Array, given: tuple[object, ...]) -> Array:
        flat = right.reshape(-1).copy()
        reach = flat.dtype.type(self.size) * flat[self.largest]
        at = np.arange(flat.size)
        if self.kind == "scaled":
            flat *= flat.dtype.type(1 + self.size) if flat.dtype != np.longdouble else 1 + flat.dtype.type(self.size)
        elif self.kind == "one entry":
            flat[self.entry] += reach
        elif self.kind == "smooth":
            flat += reach * np.cos(0.3 * (at - self.largest)).astype(flat.dtype)
        elif self.kind == "noise":
            flat += reach * self._noise(self.seed, flat)
        elif self.kind == "erratic":
            bits = b"".join(np.asarray(one, float).tobytes() for one in given[:-1])
            flat += reach * self._noise(zlib.crc32(bits) + self.seed, flat)
        elif self.kind == "sign":
            flat *= -1
        elif self.kind == "sign of one entry":
            flat[self.entry] *= -1
        elif self.kind == "zero":
            flat *= 0
        elif self.kind == "transposed":
            return right.T.reshape(right.shape)
        return flat.reshape(right.shape)

    def _noise(self, seed: int, flat: Array) -> Array:
        noise = np.random.default_rng(seed).uniform(-1, 1, flat.size)
        noise[np.argmax(np.abs(noise))] = 1
        return noise.astype(flat.dtype)

    def _quotient(self, given: tuple[object, ...]) -> Array:
        """Return the gradient by forward differences, as code does that has no formula."""
        args: list[Array] = [np.array(one) for one in given[:-1]]
        weights = [np.asarray(one).reshape(-1) for one in outputs_of(given[-1])]
        here = [np.asarray(one).reshape(-1) for one in outputs_of(self.program(*args))]
        moved = args[self.argument].reshape(-1)
        made = np.zeros_like(moved)
        for at in range(moved.size):
            before = moved[at]
            step = moved.dtype.type(self.size) * max(abs(before), moved.dtype.type(1))
            moved[at] = before + step
            there = [np.asarray(one).reshape(-1) for one in outputs_of(self.program(*args))]
            made[at] = sum((w * (b - a)).sum() for w, a, b in zip(weights, here, there, strict=True)) / step
            moved[at] = before
        return made.reshape(args[self.argument].shape)


def spoil(made: Function, gradient: Cotangents, claims: dict[int, float], generator: np.random.Generator) -> Spoiled | None:
    """Return a spoiled gradient of a function, or None where nothing is there to be spoiled.

    ``gradient`` is the right one; ``claims`` says for each argument the smallest error that the check of the right one claims
    it would have seen: most mistakes are a little larger than that, some far larger.
    """
    program = made.program
    alive = [number for number in claims if gradient[number] is not None and np.any(gradient[number])]
    if not alive:
        return None
    argument = int(generator.choice(alive))
    shape = np.asarray(gradient[argument]).shape
    right = np.abs(np.asarray(gradient[argument], float)).reshape(-1)
    kind = str(generator.choice(SIZED if generator.random() < 0.65 else WHOLE))
    large = np.flatnonzero(right >= 1e-3 * right.max())
    entry = int(generator.choice(large)) if kind == "sign of one entry" else int(generator.integers(right.size))
    claim = claims[argument]
    if kind == "quotient":
        size = float(10.0 ** generator.uniform(-12, -3))
    elif generator.random() < 0.75 and np.isfinite(claim):
        size = claim * float(generator.choice((1.2, 2.0, 5.0, 30.0, 1e3, 1e6)))
    else:
        size = float(10.0 ** generator.uniform(-4, 1))
    if kind == "missing term":
        terms = edges(program)
        if not terms:
            return None
        program = Program(
            program.nodes, program.outputs, program.arguments, program.casts, terms[int(generator.integers(len(terms)))]
        )
    if kind == "transposed" and (len(shape) != 2 or min(shape) < 2):
        kind = "scaled"
    return Spoiled(program, kind, argument, size, entry, int(np.argmax(right)), int(generator.integers(2**31)))


def edges(program: Program) -> list[tuple[int, int]]:
    """Return the terms that a gradient may leave out: a step and one of its inputs, where that is used more than once."""
    steps = [(number, node) for number, node in enumerate(program.nodes) if isinstance(node, Step)]
    uses = [one for _, node in steps for one in node.inputs]
    return [
        (number, place) for number, node in steps for place, one in enumerate(node.inputs) if uses.count(one) > 1 and place < 2
    ]
