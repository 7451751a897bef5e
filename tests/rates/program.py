"""Programs: functions put together from rules, each with its reverse written by hand, and so with an exact gradient.

A program is a list of nodes.  A node is an argument or a rule applied to earlier nodes; the gradient runs through the list
backwards and adds up what the reverse of each rule returns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from attrs import field, frozen

from funcnn.typing import Array

Constants: TypeAlias = tuple[object, ...]
Forward: TypeAlias = Callable[..., Array]
"""``forward(*xs, *constants)`` gives y."""
Reverse: TypeAlias = Callable[..., tuple[Array, ...]]
"""``reverse(xs, y, dy, *constants)`` gives the cotangent of each of xs."""


@frozen(eq=False)
class Rule:
    """An operation and its vector-Jacobian product."""

    name: str
    forward: Forward
    reverse: Reverse


@frozen(eq=False)
class Step:
    """A rule applied to nodes."""

    rule: Rule
    inputs: tuple[int, ...]
    constants: Constants = ()


@frozen(eq=False)
class Program:
    """A function of ``arguments`` arrays: called, it gives an array or, with several outputs, a tuple of arrays."""

    nodes: tuple[int | Step, ...]  # the number of an argument, or a step
    outputs: tuple[int, ...]
    arguments: int
    casts: tuple[Rule, ...] = ()  # rules that the gradient leaves out: it is computed in full precision where they are not
    without: tuple[int, int] | None = None  # a step and one of its inputs: the term that the gradient leaves out

    def __call__(self, *args: Array) -> Array | tuple[Array, ...]:
        """Return the outputs."""
        values = self.run(args)
        found = tuple(values[output] for output in self.outputs)
        return found[0] if len(found) == 1 else found

    def run(self, args: tuple[Array, ...], casts: tuple[Rule, ...] = ()) -> list[Array]:
        """Return the value of every node, with some rules left out."""
        values: list[Array] = []
        for node in self.nodes:
            if isinstance(node, Step) and node.rule in casts:
                values.append(values[node.inputs[0]])
            elif isinstance(node, Step):
                values.append(node.rule.forward(*(values[one] for one in node.inputs), *node.constants))
            else:
                values.append(args[node])
        return values

    def vjp(self, *given: object) -> tuple[Array | None, ...]:
        """Return the cotangent of each argument: None for one of integers."""
        args: tuple[Array, ...] = given[:-1]  # type: ignore[assignment]  # the last of what a gradient is given is dy
        dy = given[-1] if len(self.outputs) > 1 else (given[-1],)
        values = self.run(args, self.casts)
        cotangents: list[Array | None] = [None] * len(values)

        def add(node: int, part: Array) -> None:
            before = cotangents[node]
            cotangents[node] = part if before is None else before + part

        for output, part in zip(self.outputs, dy, strict=True):  # type: ignore[call-overload]  # dy is like the outputs
            add(output, part)
        for number in range(len(values) - 1, -1, -1):
            node, cotangent = self.nodes[number], cotangents[number]
            if not isinstance(node, Step) or cotangent is None:
                continue
            parts = node.rule.reverse(tuple(values[one] for one in node.inputs), values[number], cotangent, *node.constants)
            for place, (one, part) in enumerate(zip(node.inputs, parts, strict=False)):  # integer inputs, the last, have none
                if (number, place) != self.without:
                    add(one, part)
        found: list[Array | None] = [None] * self.arguments
        for number, node in enumerate(self.nodes):
            if isinstance(node, int) and args[node].dtype.kind not in "iu":
                made = cotangents[number]
                found[node] = np.zeros_like(args[node]) if made is None else np.array(made)
        return tuple(found)

    def text(self) -> str:
        """Return the program in words, a line for each step."""
        lines = []
        for number, node in enumerate(self.nodes):
            if isinstance(node, Step):
                said = [f"n{one}" for one in node.inputs] + [_short(one) for one in node.constants]
                lines.append(f"n{number} = {node.rule.name}({', '.join(said)})")
            else:
                lines.append(f"n{number} = args[{node}]")
        return "\n".join([*lines, "return " + ", ".join(f"n{one}" for one in self.outputs)])


def _short(constant: object) -> str:
    if isinstance(constant, np.ndarray):
        return f"{constant.dtype} {constant.shape}" if constant.size > 4 else np.array2string(constant, separator=", ")
    return f"{constant:.4g}" if isinstance(constant, float) else str(constant)


@frozen(eq=False)
class Function:
    """A random function: a program, the point, and what is known of it."""

    family: str
    program: Program
    args: tuple[Array, ...]
    ties: bool = False  # whether the point stands at a kink, so that several gradients are right
    tags: tuple[str, ...] = field(default=())
