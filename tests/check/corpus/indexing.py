"""Mistakes in embeddings, gathers, concatenations and other functions that move entries about."""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array, IntArray
from tests.check.corpus.entry import Grads, normal, uniform, wrong


def embedding(table: Array, indices: IntArray) -> object:
    return np.tanh(table[indices])


def embedding_pull(table: Array, indices: IntArray, dy: Array) -> Array:
    d = np.zeros_like(table)
    np.add.at(d, indices, dy * (1 - np.tanh(table[indices]) ** 2))
    return d


def embedding_vjp(table: Array, indices: IntArray, dy: Array) -> tuple[Array, None]:
    return embedding_pull(table, indices, dy), None


TOKENS = (normal(6, 3), np.array([[0, 2, 2, 5], [4, 1, 3, 2]]))


@wrong(embedding, TOKENS, "row_or_column", "[0]", right=embedding_vjp)
def embedding_loses_duplicates(table: Array, indices: IntArray, dy: Array) -> object:
    """``d[indices] += dy`` writes a repeated index once."""
    d = np.zeros_like(table)
    d[indices] += dy * (1 - np.tanh(table[indices]) ** 2)
    return d, None


@wrong(embedding, TOKENS, "shifted", "[0]", right=embedding_vjp)
def embedding_index_off_by_one(table: Array, indices: IntArray, dy: Array) -> object:
    """Row 0 was reserved for padding in one of the two passes."""
    return np.roll(embedding_pull(table, indices, dy), 1, axis=0), None


@wrong(embedding, TOKENS, "row_or_column", "[0]", right=embedding_vjp)
def embedding_last_column(table: Array, indices: IntArray, dy: Array) -> object:
    """The last feature gets no gradient."""
    d = embedding_pull(table, indices, dy)
    d[:, -1] = 0
    return d, None


@wrong(embedding, TOKENS, "structure", "[1]", right=embedding_vjp)
def embedding_gradient_of_indices(table: Array, indices: IntArray, dy: Array) -> object:
    """The integer argument gets an array of zeros where None is due."""
    return embedding_pull(table, indices, dy), np.zeros(indices.shape)


def padded_embedding(table: Array, indices: IntArray) -> object:
    return table[indices] * (indices != 0)[..., None]


def padded_embedding_vjp(table: Array, indices: IntArray, dy: Array) -> tuple[Array, None]:
    d = np.zeros_like(table)
    np.add.at(d, indices, dy * (indices != 0)[..., None])
    return d, None


@wrong(padded_embedding, (normal(5, 2), np.array([[0, 1, 4], [3, 0, 2]])), "row_or_column", "[0]", right=padded_embedding_vjp)
def embedding_padding_learns(table: Array, indices: IntArray, dy: Array) -> object:
    """The padding's row is masked forward, but receives a gradient."""
    d = np.zeros_like(table)
    np.add.at(d, indices, dy)
    return d, None


def reorder(x: Array) -> object:
    return np.sin(x)[:, [2, 0, 4, 1, 3]]


def reorder_vjp(x: Array, dy: Array) -> Grads:
    return (dy[:, np.argsort([2, 0, 4, 1, 3])] * np.cos(x),)


@wrong(reorder, (normal(3, 5),), "permuted", "[0]", right=lambda x, dy: (dy[:, [1, 3, 0, 4, 2]] * np.cos(x),))
def reorder_not_inverted(x: Array, dy: Array) -> object:
    """The permutation is applied where its inverse is due."""
    return (dy[:, [2, 0, 4, 1, 3]] * np.cos(x),)


def sort(x: Array) -> object:
    return np.sort(x, axis=1)


def sort_vjp(x: Array, dy: Array) -> Grads:
    return (np.take_along_axis(dy, np.argsort(np.argsort(x, axis=1), axis=1), axis=1),)


@wrong(sort, (normal(3, 5, seed=4),), "permuted", "[0]", right=sort_vjp)
def sort_not_undone(x: Array, dy: Array) -> object:
    """The cotangent stays in sorted order."""
    return (dy.copy(),)


@wrong(sort, (normal(1, 6),), "permuted", "[0]", right=sort_vjp)
def sort_inverse_taken_for_order(x: Array, dy: Array) -> object:
    """argsort is used as its own inverse."""
    return (np.take_along_axis(dy, np.argsort(x, axis=1), axis=1),)


def roll(x: Array) -> object:
    return np.roll(x * x, 1, axis=1)


def roll_vjp(x: Array, dy: Array) -> Grads:
    return (2 * x * np.roll(dy, -1, axis=1),)


@wrong(roll, (normal(2, 5),), "shifted", "[0]", right=roll_vjp)
def roll_same_direction(x: Array, dy: Array) -> object:
    """The roll goes on where it should go back."""
    return (2 * x * np.roll(dy, 1, axis=1),)


def window(x: Array) -> object:
    return 3 * x[:, 1:-2]


def window_vjp(x: Array, dy: Array) -> Grads:
    return (3 * np.pad(dy, ((0, 0), (1, 2))),)


@wrong(window, (normal(3, 7),), "shifted", "[0]", right=window_vjp)
def window_padded_at_wrong_end(x: Array, dy: Array) -> object:
    """The zeros are put back at the wrong ends."""
    return (3 * np.pad(dy, ((0, 0), (2, 1))),)


def flip(x: Array) -> object:
    return x[::-1] ** 3


def flip_vjp(x: Array, dy: Array) -> Grads:
    return (3 * x * x * dy[::-1],)


@wrong(flip, (normal(5, 2),), "permuted", "[0]", right=flip_vjp)
def flip_gradient_not_flipped(x: Array, dy: Array) -> object:
    """The whole product, not the cotangent alone, is in the flipped order."""
    return ((3 * x * x)[::-1] * dy,)


def turn(x: Array) -> object:
    return np.exp(x).T


def turn_vjp(x: Array, dy: Array) -> Grads:
    return (dy.T * np.exp(x),)


@wrong(turn, (normal(4, 4),), "transpose", "[0]", right=turn_vjp)
def turn_result_left_turned(x: Array, dy: Array) -> object:
    """The gradient comes out in the output's layout."""
    return (dy * np.exp(x).T,)


def join(a: Array, b: Array) -> object:
    return np.concatenate([a, b * b], axis=1)


def join_vjp(a: Array, b: Array, dy: Array) -> Grads:
    n = a.shape[1]
    return dy[:, :n].copy(), 2 * b * dy[:, n:]


@wrong(join, (normal(4, 3), normal(4, 3, seed=1)), "swapped_leaf", "[0]", "[1]", right=join_vjp)
def join_parts_swapped(a: Array, b: Array, dy: Array) -> object:
    """The two parts are handed back in the wrong order."""
    da, db = join_vjp(a, b, dy)
    return db, da


@wrong(join, (normal(4, 3), normal(4, 2, seed=1)), "shape", "[0]", "[1]", right=join_vjp)
def join_split_at_wrong_place(a: Array, b: Array, dy: Array) -> object:
    """The cotangent is split at the second part's width."""
    n = b.shape[1]
    return dy[:, :n].copy(), dy[:, n:].copy()


def segments(x: Array, owner: IntArray) -> object:
    y = np.zeros((3, x.shape[1]), x.dtype)
    np.add.at(y, owner, np.exp(x))
    return y


def segments_vjp(x: Array, owner: IntArray, dy: Array) -> tuple[Array, None]:
    return np.exp(x) * dy[owner], None


@wrong(segments, (normal(6, 2), np.array([0, 2, 1, 1, 0, 1])), "zero_gradient", "[0]", right=segments_vjp)
def segments_gradient_lost(x: Array, owner: IntArray, dy: Array) -> object:
    """The gather writes into a copy: ``d[owner][:] = dy``."""
    d = np.zeros_like(x)
    d[np.arange(len(x))][:] = np.exp(x) * dy[owner]
    return d, None


@wrong(segments, (normal(6, 2), np.array([0, 2, 1, 1, 0, 1])), "row_or_column", "[0]", right=segments_vjp)
def segments_first_segment_dropped(x: Array, owner: IntArray, dy: Array) -> object:
    """Segment 0 is taken for padding."""
    return np.exp(x) * dy[owner] * (owner > 0)[:, None], None


def largest(x: Array) -> object:
    return x.max(1)


def largest_vjp(x: Array, dy: Array) -> Grads:
    d = np.zeros_like(x)
    d[np.arange(len(x)), x.argmax(1)] = dy
    return (d,)


@wrong(largest, (normal(4, 4, seed=2),), "region", "[0]", right=largest_vjp)
def largest_everyone(x: Array, dy: Array) -> object:
    """Every entry of the row receives the gradient of its maximum."""
    return (dy[:, None] * np.ones_like(x),)


@wrong(largest, (normal(5, 5, seed=2),), "wrong_axis", "[0]", right=largest_vjp)
def largest_of_columns(x: Array, dy: Array) -> object:
    """The place of the maximum is sought along the other axis."""
    d = np.zeros_like(x)
    d[x.argmax(0), np.arange(x.shape[1])] = dy
    return (d,)


def tile(x: Array, s: Array) -> object:
    return np.concatenate([x, x, x]) * s


def tile_vjp(x: Array, s: Array, dy: Array) -> Grads:
    d = dy * s
    n = len(x)
    return d[:n] + d[n : 2 * n] + d[2 * n :], (dy * np.concatenate([x, x, x])).sum(0)


@wrong(tile, (normal(2, 3), uniform(3)), "missing_term", "[0]", right=tile_vjp)
def tile_first_copy(x: Array, s: Array, dy: Array) -> object:
    """The copies' gradients must be added; the first is taken."""
    return (dy * s)[: len(x)], tile_vjp(x, s, dy)[1]


@wrong(tile, (normal(2, 3), uniform(3)), "constant_factor", "[0]", right=tile_vjp)
def tile_mean_of_copies(x: Array, s: Array, dy: Array) -> object:
    """The copies' gradients are averaged."""
    dx, ds = tile_vjp(x, s, dy)
    return dx / 3, ds


def masked_mean(x: Array, mask: IntArray) -> object:
    m = mask.astype(x.dtype)
    return (x * m[..., None]).sum(1) / m.sum(1)[:, None]


def masked_mean_vjp(x: Array, mask: IntArray, dy: Array) -> tuple[Array, None]:
    m = mask.astype(x.dtype)
    return m[..., None] * (dy / m.sum(1)[:, None])[:, None], None


MASK = (normal(3, 4, 2), np.array([[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]]))


@wrong(masked_mean, MASK, "region", "[0]", right=masked_mean_vjp)
def masked_mean_padding_leaks(x: Array, mask: IntArray, dy: Array) -> object:
    """Masked positions receive a gradient too."""
    return np.broadcast_to((dy / mask.sum(1)[:, None].astype(x.dtype))[:, None], x.shape) * 1, None
