"""Putting a program together, node by node, with the value of each at the point: what comes next may depend on it."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from funcnn.typing import Array, IntArray
from tests.rates.program import Function, Program, Rule, Step
from tests.rates.rules import groups, linear
from tests.rates.rules.elementwise import KINKED, SCALE, SMOOTH

T = TypeVar("T")
_LARGEST = 8.0  # values are brought below, so that no composition explodes


class Builder:
    """A program that is being made, at a point."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator
        self.nodes: list[int | Step] = []
        self.values: list[Array] = []
        self.args: list[Array] = []
        self.ties = False

    def pick(self, choices: dict[str, T] | tuple[T, ...] | list[T]) -> T:
        """Return one of several."""
        among = list(choices.values()) if isinstance(choices, dict) else list(choices)
        return among[int(self.generator.integers(len(among)))]

    def chance(self, share: float) -> bool:
        """Return True with a probability."""
        return bool(self.generator.random() < share)

    def power(self, low: float, high: float) -> float:
        """Return a power of ten with an exponent between two numbers."""
        return float(10.0 ** self.generator.uniform(low, high))

    def normal(self, *shape: int) -> Array:
        """Return normal numbers."""
        return self.generator.normal(size=shape)

    def leaf(self, array: Array | IntArray) -> int:
        """Add an argument and return its node."""
        self.args.append(np.array(array))  # pyright: ignore[reportArgumentType] - labels stand among the arguments
        self.nodes.append(len(self.args) - 1)
        self.values.append(self.args[-1])
        return len(self.nodes) - 1

    def apply(self, rule: Rule, *inputs: int, constants: tuple[object, ...] = ()) -> int:
        """Add a step and return its node."""
        with np.errstate(all="ignore"):
            value = rule.forward(*(self.values[one] for one in inputs), *constants)
        self.nodes.append(Step(rule, inputs, constants))
        self.values.append(value)
        return len(self.nodes) - 1

    def calm(self, node: int, largest: float = _LARGEST) -> int:
        """Return the node, divided by a number where its values are large."""
        size = float(np.max(np.abs(self.values[node]), initial=0))
        return node if size <= largest else self.apply(SCALE, node, constants=(float(2.0 ** -np.ceil(np.log2(size / largest))),))

    def smooth(self, node: int) -> int:
        """Apply a smooth function to each entry."""
        return self.apply(self.pick(SMOOTH), self.calm(node, 4.0))

    def kinked(self, node: int, at_kink: float = 0.0) -> int:
        """Apply a function with kinks to each entry."""
        return self.apply(self.pick(KINKED), node, constants=(at_kink,))

    def dense(self, node: int, width: int, bias: bool = True) -> int:
        """Multiply by a matrix, an argument or a constant, and perhaps add a bias."""
        inside = self.values[node].shape[-1]
        w = self.normal(inside, width) / inside**0.5
        made = (
            self.apply(linear.TIMES, node, constants=(w,)) if self.chance(0.3) else self.apply(linear.MATMUL, node, self.leaf(w))
        )
        return self.apply(linear.ADD, made, self.leaf(0.3 * self.normal(width))) if bias and self.chance(0.5) else made

    def norm(self, node: int, eps: float | None = None) -> int:
        """Normalize rows, or columns where there are several rows."""
        shape = self.values[node].shape
        axis = 0 if len(shape) == 2 and shape[0] > 2 and self.chance(0.3) else -1
        rule = self.pick((groups.STANDARDIZE, groups.RMS, groups.NORMALIZE))
        return self.apply(rule, node, constants=(axis, self.power(-8, -1) if eps is None else eps))

    def function(self, family: str, *outputs: int, tags: tuple[str, ...] = (), full: bool = False) -> Function:
        """Return what was made, with the last node as its output unless others are given."""
        outputs = outputs or (len(self.nodes) - 1,)
        program = Program(tuple(self.nodes), outputs, len(self.args), linear.CASTS if full else ())
        tags = (*tags, "gradient in full precision") if full else tags
        return Function(family, program, tuple(self.args), self.ties, tags)
