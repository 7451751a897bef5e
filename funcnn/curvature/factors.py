"""Factors of gradients, in groups of leaves that are rows of one matrix, added up to the blocks of a curvature matrix.

What is taken of a network for one cotangent of the output (:mod:`funcnn.derivatives.rules.pairs`) is a column; several of them
come together, in stretches.  The formulas stand in :mod:`funcnn.curvature.kronecker`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import numpy as np
from attrs import frozen

from funcnn.curvature.blocks import Block, DiagonalBlock, KroneckerBlock
from funcnn.curvature.output_gradients import beside
from funcnn.derivatives.rules.pairs import Outer
from funcnn.derivatives.rules.square_sums import square_sum, square_sum_of_columns
from funcnn.typing import Array

Sharing: TypeAlias = Literal["expand", "reduce"]
"""What is done with a matrix that an example uses several times."""


@frozen(eq=False)
class Group:
    """Leaves that are rows of one matrix, with the factors of each; or one leaf with its gradients of single examples."""

    paths: tuple[str, ...]
    leaves: tuple[int, ...]
    factors: tuple[Outer, ...]
    dy: Array

    @property
    def x(self) -> Array | None:
        """What the matrix multiplies, (n, t, i), copied; None where there is no matrix."""
        return np.concatenate([one.x for one in self.factors], axis=2) if self.factors else None


def groups(params: object, taken: object) -> list[Group]:
    """Return the leaves in groups: those of one record that have the cotangents in common are one."""
    found: list[Group] = []
    for index, (path, one) in enumerate(beside(params, taken)):
        if not isinstance(one, Outer):
            found.append(Group((path,), (index,), (), one))
            continue
        last = found[-1] if found else None
        parent = path.rpartition(".")[0]
        if last is not None and last.factors and last.paths[0].rpartition(".")[0] == parent and _same(last.dy, one.dy):
            found[-1] = Group((*last.paths, path), (*last.leaves, index), (*last.factors, one), one.dy)
        else:
            found.append(Group((path,), (index,), (one,), one.dy))
    return found


def _same(one: Array, other: Array) -> bool:
    """Tell whether two arrays are views of the same numbers."""
    address = one.__array_interface__["data"][0] == other.__array_interface__["data"][0]
    return address and one.shape == other.shape and one.strides == other.strides


def size_of(column: list[Group]) -> int:
    """Return how many numbers a column holds, or makes, beside what all columns share."""
    return sum(group.dy.size + sum(one.size for one in group.factors) for group in column)


def summed(stretches: Iterable[list[list[Group]]], sharing: Sharing, share: Array | None) -> tuple[Block, ...]:
    """Return the blocks, the cotangents of all columns added up; what matrices multiply is the same for all columns.

    ``share`` is the part of the mean that each example is, (n,); None where all are alike.
    """
    inputs: list[Array | None] = []
    totals: list[Array] = []
    last: list[Group] = []
    for held in stretches:
        last = held[-1]
        if not totals:
            inputs = [None if (x := group.x) is None else input_factor(x, sharing, share) for group in last]
        own = [
            output_factor([one.dy for one in each], sharing) if each[0].factors else sum_of_squares([one.dy for one in each])
            for each in zip(*held, strict=True)
        ]
        totals = [one + total for one, total in zip(own, totals, strict=True)] if totals else own
    made: list[Block] = []
    for group, factor, total in zip(last, inputs, totals, strict=True):
        if factor is None:
            made.append(DiagonalBlock(group.paths, group.leaves, total))
        else:
            made.append(KroneckerBlock.of(group.paths, group.leaves, factor, total))
    return tuple(made)


def sum_of_squares(columns: list[Array]) -> Array:
    """Return the sum of the squares of the gradients of single examples."""
    total: Array = np.sum([square_sum(grads) for grads in columns], axis=0)
    return total


def input_factor(x: Array, sharing: Sharing, share: Array | None) -> Array:
    """Return A, the mean of the outer products of the inputs (n, t, i)."""
    rows = x.mean(axis=1) if sharing == "reduce" else x.reshape(-1, x.shape[-1])
    if share is None:
        return rows.T @ rows / rows.dtype.type(max(1, len(rows)))
    steps = len(rows) // max(1, len(x))
    of_rows = np.repeat(share / max(1, steps), steps).astype(rows.dtype)
    weighted: Array = rows.T @ (rows * of_rows[:, np.newaxis])
    return weighted


def output_factor(columns: list[Array], sharing: Sharing) -> Array:
    """Return B, the sum of the outer products of the cotangents (n, t, o) of some columns."""
    rows: Array = np.concatenate([dy.sum(axis=1) if sharing == "reduce" else dy.reshape(-1, dy.shape[-1]) for dy in columns])
    product: Array = rows.T @ rows
    return product


def corrected(blocks: tuple[Block, ...], stretches: Iterable[list[list[Group]]]) -> tuple[Block, ...]:
    """Return the blocks with the eigenvalues that are best for their eigenvectors."""
    totals: list[Array] = [np.zeros_like(block.values) for block in blocks]
    turned: list[Array | None] = []  # what matrices multiply, in the eigenbasis: the same for all columns
    for held in stretches:
        if not turned:
            turned = [_turned(block, group.x) for block, group in zip(blocks, held[0], strict=True)]
        for total, x, block, *column in zip(totals, turned, blocks, *held, strict=True):
            if isinstance(block, KroneckerBlock) and x is not None:
                total += square_sum_of_columns([Outer(x, group.dy @ block.right) for group in column])
    return tuple(
        [
            block.corrected(total) if isinstance(block, KroneckerBlock) else block
            for block, total in zip(blocks, totals, strict=True)
        ]
    )


def _turned(block: Block, x: Array | None) -> Array | None:
    return x @ block.left if isinstance(block, KroneckerBlock) and x is not None else None
