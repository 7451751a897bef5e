r"""The gradients of single examples for each column of the loss's curvature: $g_{nc} = J_n^\top s_{nc}$.

They are the rows of a matrix $R$ with $G = R^\top R$, the generalized Gauss-Newton matrix
(:mod:`funcnn.curvature.loss_curvature`). What comes back for a column is a tree like the parameters with the examples first,
from one backward in which layers keep the examples apart (:mod:`funcnn.derivatives.apart`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.curvature.loss_curvature import output_columns
from funcnn.derivatives.apart import Apart, Kind, batch_size
from funcnn.derivatives.complex_step import check_mode, check_real, parts
from funcnn.derivatives.matrices import one_array
from funcnn.derivatives.per_example import checked
from funcnn.layer import Forward, Layer, Mode, Residuals, Train, params_only
from funcnn.losses.loss import Loss
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
T = TypeVar("T")

_HELD = 1 << 22
"""How many numbers are held of columns that are taken together."""


def output_gradients(model: Layer[P, S, X, Array], loss: Loss[Array, T], kind: Kind = "grads") -> OutputGradients[P, S, X, T]:
    """Return the function that yields the gradients of single examples, column by column; raise for what is no layer or loss."""
    return OutputGradients(*checked(model, loss, kind))


@frozen
class OutputGradients(Generic[P, S, X, T]):
    """What :func:`output_gradients` returns."""

    model: Layer[P, S, X, Array]
    loss: Loss[Array, T]
    apart: Layer[P, S, X, Array] = field(repr=False)

    def __call__(self, params: P, state: S, x: X, target: T, mode: Mode) -> Iterator[P]:
        """Yield the gradients of single examples for each column: trees like the parameters, examples first."""
        network = run_apart(self.apart, params, state, x, mode)
        for column in output_columns(self.loss, network.output, target):
            yield params_only(self.apart, params, network.residuals, column).params

    def rows(self, params: P, state: S, x: X, columns: list[Array], mode: Mode) -> Iterator[P]:
        """Yield the gradients of single examples for cotangents of the output."""
        network = run_apart(self.apart, params, state, x, mode)
        for column in columns:
            yield params_only(self.apart, params, network.residuals, column).params

    @staticmethod
    def no_direction(params: P) -> P:
        """Return a tree like the parameters, with None in the place of integers."""
        leaves: list[Any] = [leaf if leaf.dtype.kind == "f" else None for leaf in tree.leaves(params)]
        return tree.rebuild(params, iter(leaves))


def run_apart(model: Layer[P, S, X, Array], params: P, state: S, x: X, mode: Mode) -> Forward[Array, S, Residuals]:
    """Return the forward of a network whose layers keep the examples apart; check what is given."""
    check_mode(mode)
    check_real(params, "params")
    check_real(x, "x")
    batch_size(x)
    network = model.forward(params, state, x, Apart(mode.key, 0) if isinstance(mode, Train) else mode)
    one_array(network.output)
    return network


def leaves_beside(params: object, taken: Any) -> list[Any]:
    """Return what was taken for each leaf of the parameters: not every form of gradients is a tree of arrays."""
    if isinstance(params, np.ndarray):
        return [taken]
    if type(params) is tuple and type(taken) is tuple:  # most nodes: without the steps, for speed
        pairs: Any = zip(params, taken, strict=True)
    else:
        pairs = [(one, other) for (_, one), (_, other) in zip(tree.children(params), tree.children(taken), strict=True)]
    return [leaf for one, other in pairs for leaf in leaves_beside(one, other)]


def in_stretches(columns: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield what comes for each column, several at a time, as long as no more than some millions of numbers are held.

    What is the same for all columns is then done once for several, and products of matrices have more rows.
    """
    held: list[T] = []
    for column in columns:
        held.append(column)
        if (len(held) + 1) * size(column) > _HELD:
            yield held
            held = []
    if held:
        yield held


def flat_rows(grads: Any, kept: tuple[bool, ...] | None = None) -> Array:
    """Return the gradients of single examples as a matrix (n, D), of the leaves that are kept."""
    leaves = [leaf for leaf in parts(grads) if leaf is not None]
    chosen = leaves if kept is None else [leaf for leaf, own in zip(leaves, kept, strict=True) if own]
    rows: Array = np.concatenate([leaf.reshape(len(leaf), -1) for leaf in chosen], axis=1)
    return rows
