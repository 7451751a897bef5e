r"""Fixed points by Anderson acceleration (Anderson 1965; Walker & Ni 2011, SIAM J. Numer. Anal. 49, algorithm AA).

For $z = f(z)$ with the residual $g(z) = f(z) - z$, the iterates of the last $m$ steps are combined so that the residual of the
combination, as if $g$ were affine, is least:
$$ \gamma = \arg\min_\gamma \Big| g_k - \sum_{j} \gamma_j\, \Delta g_j \Big|, \qquad
   z_{k+1} = f(z_k) - \sum_j \gamma_j\, \Delta f_j, $$
with $\Delta g_j$, $\Delta f_j$ the differences of neighbouring iterates.  On a linear equation without a limit on $m$ this is
GMRES (Walker & Ni, theorem 2.2); so the same iteration solves the equation of the adjoint.

Each example has its own combination.  Whether that pays depends on how far the examples are independent, whether the result is
right does not: the iteration ends at nothing but a small residual.  The real and the imaginary part of a complex example have a
combination and a residual each, so that an imaginary part of 1e-30 is as exact as the real one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from attrs import frozen

from funcnn.typing import Array, BoolArray

FLOOR, CEILING = 4, 256
"""In units of the rounding error: where a residual is as good as none, and above which one that no longer falls is not taken."""
RIDGE = 1e-14
"""What is added to the diagonal of the small least squares, as a part of the largest that can stand there."""
PATIENCE = 6
"""So many iterations without a smaller residual say that it no longer falls."""


@frozen
class Search:
    """When an iteration ends: at a relative residual (None: one of the size of rounding errors), or after so many steps."""

    tolerance: float | None
    iterations: int
    history_size: int


@frozen(eq=False)
class Found:
    """The last iterate, and how it ended: the relative residual of each example, and which are small enough."""

    value: Array
    residuals: Array  # (N,)
    converged: BoolArray  # (N,)
    iterations: int


def as_blocks(z: Array) -> Array:
    """Return an array (N, ...) as rows (N, F), those of the imaginary parts after those of the real ones."""
    rows: Array = z.reshape(len(z), z[:1].size) if len(z) else z.reshape(0, 0)
    return np.concatenate((rows.real, rows.imag)) if z.dtype.kind == "c" else rows


def from_blocks(blocks: Array, like: Array) -> Array:
    """Return rows as the array that they come from."""
    if like.dtype.kind != "c":
        return blocks.reshape(like.shape)
    made: Array = np.empty(like.shape, like.dtype)
    half = len(blocks) // 2
    made.real, made.imag = blocks[:half].reshape(like.shape), blocks[half:].reshape(like.shape)
    return made


def largest(rows: Array) -> Array:
    """Return the largest magnitude of each row."""
    sizes: Array = np.abs(rows).max(axis=-1, initial=0)
    return sizes


def solve(step: Callable[[Array], Array], start: Array, search: Search) -> Found:
    """Return a fixed point of a function of arrays (N, ...), as near as the search says."""
    value = step(start)
    if not value.size:
        return Found(value, np.zeros(len(value)), np.ones(len(value), bool), 1)
    like: Array = np.empty(value.shape, np.result_type(value, start))
    z, mapped = as_blocks(start.astype(like.dtype)), as_blocks(value.astype(like.dtype))
    history = History.empty(search.history_size, z)
    eps = float(np.finfo(z.dtype).eps)
    limit = FLOOR * eps if search.tolerance is None else search.tolerance
    best, waited = np.full(len(like), np.inf), np.zeros(len(like), int)
    count = 1
    lost = ~np.isfinite(relative_residual(mapped - z, mapped, len(like)))  # from the start on: they spoil no other example
    while True:
        residual = mapped - z
        relative = relative_residual(residual, mapped, len(like))
        improved = relative < 0.9 * best
        best, waited = np.where(improved, relative, best), np.where(improved, 0, waited + 1)
        done = lost | (relative <= limit)
        if search.tolerance is None:
            done |= (waited >= PATIENCE) & (relative <= CEILING * eps)
        if done.all() or count >= search.iterations or not np.isfinite(relative[~lost]).all():
            return Found(from_blocks(np.where(blockwise(lost, z), mapped, z), like), relative, done, count)
        history = history.with_iterate(residual, mapped)
        moved = mapped - history.correction(residual)
        z = np.where(blockwise(done, z), z, moved)  # an example that has arrived stays where it is
        mapped = as_blocks(step(from_blocks(z, like)).astype(like.dtype))
        count += 1


def blockwise(of_examples: BoolArray, blocks: Array) -> BoolArray:
    """Return what is said of each example for its rows, to be broadcast along them."""
    return np.resize(of_examples, len(blocks))[:, np.newaxis]


def relative_residual(residual: Array, mapped: Array, examples: int) -> Array:
    """Return for each example the larger of the relative residuals of its parts."""
    size, off = largest(mapped), largest(residual)
    off = np.maximum(off - 8 * np.finfo(off.dtype).smallest_subnormal, 0)  # among the smallest numbers nothing is exact
    with np.errstate(invalid="ignore", over="ignore"):
        relative = np.where(off == 0, 0, off / np.where(size > 0, size, off + (off == 0)))
    of_parts: Array = relative.reshape(-1, examples)
    larger: Array = np.maximum(of_parts[0], of_parts[-1])
    return larger


@frozen(eq=False)
class History:
    """Differences of the last iterates' residuals and values, (m, R, F) each, and the last of both."""

    residuals: Array
    values: Array
    last: tuple[Array, Array] | None
    history_size: int

    @classmethod
    def empty(cls, history_size: int, z: Array) -> History:
        """Return a history of nothing."""
        none: Array = np.zeros((0, *z.shape), z.dtype)
        return cls(none, none, None, history_size)

    def with_iterate(self, residual: Array, value: Array) -> History:
        """Return the history with one more iterate, and without those that are too old."""
        if self.last is None:
            return History(self.residuals, self.values, (residual, value), self.history_size)
        older = slice(max(0, len(self.residuals) + 1 - self.history_size), None)
        dresidual, dvalue = residual - self.last[0], value - self.last[1]
        return History(
            np.concatenate((self.residuals[older], dresidual[None])),
            np.concatenate((self.values[older], dvalue[None])),
            (residual, value),
            self.history_size,
        )

    def correction(self, residual: Array) -> Array:
        """Return sum_j gamma_j (difference of values) for each row; the small least squares are solved in double precision."""
        if not len(self.residuals):
            return np.zeros_like(residual)
        lengths = largest(self.residuals)  # (m, R)
        scale = np.where(lengths > 0, lengths, 1)
        size = max(1, residual.shape[-1])
        unit = (self.residuals / scale[..., np.newaxis]).astype(float)
        own = largest(residual)
        own = np.where(own > 0, own, 1)
        aim = (residual / own[:, np.newaxis]).astype(float)
        rows = unit.transpose(1, 0, 2)
        gram = rows @ rows.transpose(0, 2, 1)
        seen = rows @ aim[..., np.newaxis]
        gram += RIDGE * size * np.eye(len(unit))  # differences that are nearly parallel, or zeros
        gamma = np.linalg.solve(gram, seen)[..., 0]
        factors: Array = gamma.T.astype(residual.dtype) * (own / scale)
        moved: Array = np.einsum("ir,irf->rf", factors, self.values)
        return moved
