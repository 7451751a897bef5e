r"""Cross-entropy of the softmax of a product, block by block of its columns: the logits are never stored.

Indices: $n$ row, $k$ feature of $D$, $c$ class of $V$; $z_{nc} = \sum_k x_{nk} W_{kc}$ the logits, $y_n$ label, $\varepsilon$ the
part of the target that is spread evenly.  A row is left out of the index where it is the same for all.
$$ \ell = (1 - \varepsilon)\,(\Lambda - z_y) + \frac{\varepsilon}{V} \sum_c (\Lambda - z_c), \qquad
   \Lambda = \log \sum_c e^{z_c}. $$

Streaming form (Milakov and Gimelshein 2018, arXiv:1805.02867, algorithm 3).  Of the blocks seen so far three numbers of a row
are kept: the largest logit $m$, $E = \sum_{c \ne y} e^{z_c - m}$ and, for the smoothing, $G = \sum_c (m - z_c)$.  A block whose
largest logit makes $m$ into $m'$ changes what was there to
$$ E \leftarrow E\,e^{m - m'} + \sum_{c\,\text{in the block},\,c \ne y} e^{z_c - m'}, \qquad
   G \leftarrow G + (m' - m)\,\#\text{seen} + \sum_{c\,\text{in the block}} (m' - z_c) , $$
sums of non-negative terms.  At the end, with $s = z_y - m \le 0$,
$$ \Lambda - m = \operatorname{log1p}\left(E + (e^s - 1)\right), \qquad
   \ell = (1 - \varepsilon)(\Lambda - m - s) + \varepsilon\left(\Lambda - m + \frac{G}{V}\right) : $$
the label's own exponential is kept apart, so that a row which is certain of it loses no digits.

Derivation.  $\mathrm{d}\Lambda = \sum_c p_c\,\mathrm{d}z_c$ with $p_c = e^{z_c - m} / (E + e^s)$, and so softmax minus target
$$ \bar z_c = \left(p_c - (1 - \varepsilon)\,[c = y] - \frac{\varepsilon}{V}\right) \bar\ell, \qquad
   p_y - 1 = -\frac{E}{E + e^s} . $$
$z$ is bilinear in $x$ and $W$
$$ \bar x_{nk} = \sum_c \bar z_{nc} W_{kc}, \qquad \bar W_{kc} = \sum_n x_{nk}\,\bar z_{nc} . $$
A block of $\bar z$ needs only its own block of $z$, which is multiplied out once more: the first sum adds over blocks, the second
has the blocks beside each other.  Memory beside the gradients is that of one block; the work is one product of four more.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import frozen

from funcnn.kernels.arrays import dot
from funcnn.typing import Array, IntArray


@frozen
class Streaming:
    """How the loss is taken: the part of the target that is spread evenly, and the columns of a block."""

    smoothing: float
    block_size: int


@frozen(eq=False)
class StreamedSums:
    """Of each row the largest logit $m$, $E$ and $E + e^s$."""

    largest: Array  # (n,), real
    others: Array  # (n,)
    whole: Array  # (n,)


@frozen(eq=False)
class Block:
    """The logits of some columns, and where the labels among these stand in them."""

    columns: slice
    logits: Array  # (n, columns)
    at_labels: tuple[IntArray, IntArray]


def blocks(x: Array, weight: Array, labels: IntArray, block_size: int) -> Iterator[Block]:
    """Yield the logits block by block, each a new array."""
    for first in range(0, weight.shape[1], block_size):
        columns = slice(first, min(first + block_size, weight.shape[1]))
        rows = np.flatnonzero((labels >= columns.start) & (labels < columns.stop))
        yield Block(columns, dot(x, weight[:, columns]), (rows, labels[rows] - first))


def streamed_losses(x: Array, weight: Array, labels: IntArray, how: Streaming) -> tuple[Array, StreamedSums]:
    """Return the losses of rows x (n, D) with a weight (D, V) and labels (n,), and the sums that the gradient needs."""
    dtype = np.result_type(x, weight)
    real = np.real(np.empty(0, dtype)).dtype
    largest: Array = np.full(len(x), -np.inf, real)
    others: Array = np.zeros(len(x), dtype)
    own: Array = np.zeros(len(x), dtype)
    gaps: Array = np.zeros(len(x), dtype)
    for block in blocks(x, weight, labels, how.block_size):
        logits, seen = block.logits, block.columns.start
        own[block.at_labels[0]] = logits[block.at_labels]
        raised = np.maximum(largest, logits.real.max(-1))
        logits -= raised[:, None]
        if how.smoothing:
            gaps -= logits.sum(-1)
            if seen:
                gaps += seen * (raised - largest)
        np.exp(logits, logits)
        logits[block.at_labels] = 0
        if seen:
            others *= np.exp(largest - raised)
        others += logits.sum(-1)
        largest = raised
    own -= largest
    whole: Array = np.expm1(own)
    whole += others
    excess = np.log1p(whole)
    whole += 1
    losses: Array = excess - own
    if how.smoothing:
        spread = real.type(how.smoothing)  # of this precision, in which it and 1 - spread make 1
        losses *= 1 - spread
        losses += spread * (excess + gaps / weight.shape[1])
    return losses, StreamedSums(largest, others, whole)


def streamed_pullback(
    x: Array, weight: Array, labels: IntArray, how: Streaming, sums: StreamedSums, dlosses: Array
) -> tuple[Array, Array]:
    """Return the cotangents of x and of the weight for a cotangent of the losses (n,)."""
    share: Array = dlosses / sums.whole
    spread = sums.largest.dtype.type(how.smoothing)
    even: Array = dlosses * (spread / weight.shape[1])
    at_label: Array = dlosses * spread - sums.others * share
    dtype = np.result_type(x, weight, share)
    dx: Array = np.zeros(x.shape, dtype)
    dweight: Array = np.empty_like(weight, dtype)
    for block in blocks(x, weight, labels, how.block_size):
        dlogits = block.logits
        dlogits -= sums.largest[:, None]
        np.exp(dlogits, dlogits)
        if dlogits.dtype != dtype:  # a cotangent may be complex where the logits are not
            dlogits = dlogits.astype(dtype)
        dlogits *= share[:, None]
        dlogits[block.at_labels] = at_label[block.at_labels[0]]
        if how.smoothing:
            dlogits -= even[:, None]
        dx += dot(dlogits, weight[:, block.columns].T)
        dweight[:, block.columns] = dot(x.T, dlogits)
    return dx, dweight
