"""Factors of gradients, in groups of leaves that are rows of one matrix, added up to the blocks of a curvature matrix.

What is taken of a network for one cotangent of the output (:mod:`funcnn.derivatives.rules.pairs`) is a column; several of them
come together, in stretches.  The formulas stand in :mod:`funcnn.curvature.kronecker`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

import numpy as np
from attrs import frozen

from funcnn.curvature.blocks import Block, DiagonalBlock, Factor, KroneckerBlock
from funcnn.curvature.output_gradients import leaves_beside
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


def groups(params: object, taken: object, paths: Sequence[str]) -> list[Group]:
    """Return the leaves, whose paths are given, in groups: those of one record that have the cotangents in common are one."""
    found: list[Group] = []
    for index, (path, one) in enumerate(zip(paths, leaves_beside(params, taken), strict=True)):
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
    inputs: list[Factor | None] = []
    totals: list[Array] = []
    last: list[Group] = []
    for held in stretches:
        last = held[-1]
        if not totals:
            inputs = [input_factor([one.x for one in group.factors], sharing, share) if group.factors else None for group in last]
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
            made.append(KroneckerBlock.of(group.paths, group.leaves, factor, Factor.of(total)))
    return tuple(made)


def sum_of_squares(columns: list[Array]) -> Array:
    """Return the sum of the squares of the gradients of single examples."""
    total: Array = np.sum([square_sum(grads) for grads in columns], axis=0)
    return total


def input_factor(inputs: list[Array], sharing: Sharing, share: Array | None) -> Factor:
    """Return A, the mean of the outer products of what the leaves multiply, (n, t, i) each, beside one another."""
    parts = [x.mean(axis=1) if sharing == "reduce" else x.reshape(-1, x.shape[-1]) for x in inputs]
    ends = [0, *np.cumsum([rows.shape[1] for rows in parts]).tolist()]
    if share is None and 0 < 2 * len(parts[0]) <= ends[-1]:
        return Factor.of_rows(np.concatenate(parts, axis=1))
    right = parts if share is None else [weighted(rows, share) for rows in parts]
    factor: Array = np.empty((ends[-1], ends[-1]), parts[0].dtype)  # without a copy of many rows beside one another
    for i, (one, top, bottom) in enumerate(zip(parts, ends, ends[1:], strict=False)):
        for other, first, last in zip(right[i:], ends[i:], ends[i + 1 :], strict=False):
            factor[top:bottom, first:last] = one.T @ other
            factor[first:last, top:bottom] = factor[top:bottom, first:last].T
    if share is None:
        factor /= factor.dtype.type(max(1, len(parts[0])))
    return Factor.of(factor)


def weighted(rows: Array, share: Array) -> Array:
    """Return rows of examples, some of each, times the part of the mean that each example is."""
    steps = len(rows) // max(1, len(share))
    made: Array = rows * np.repeat(share / max(1, steps), steps).astype(rows.dtype)[:, np.newaxis]
    return made


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
