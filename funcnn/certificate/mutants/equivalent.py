"""Mutants that change no gradient, and why.

An entry stands for a statement of a function and says how many of its mutants survive, and why these must.  When the source
changes, or the cases no longer kill the others, the number is wrong: that is a failure like a survivor.
"""

from __future__ import annotations

from typing import TypeAlias

Reasons: TypeAlias = dict[str, dict[str, tuple[int, str]]]

REASONS: Reasons = {
    "banded.suits": {
        "return width * in_shape[-1] <= 16 * windows.kernel[-1] and math.prod(in_shape) >= 4096": (
            16,
            "which of two ways is taken that give the same numbers",
        ),
    },
    "banded.together": {
        "count = windows.count(x_shape[1:-1])": (1, "a tuple twice as long: there are more windows than enough, too"),
        "if groups > 1 or x_shape[0] * math.prod(count) < _LEAST_WINDOWS:": (
            15,
            "how many windows are taken for one, which changes no sum",
        ),
        "most = (5 * windows.kernel[-1] // 2 - windows.reach[-1]) // windows.stride[-1] + 1": (
            21,
            "how many windows are taken for one, which changes no sum",
        ),
        (
            "enough = [many for many in range(1, min(most, count[-1]) + 1)"
            " if count[-1] % many == 0 and many * outputs >= _LEAST_OUTPUTS]"
        ): (20, "how many windows are taken for one, which changes no sum"),
        "return enough[0] if enough else 1": (1, "how many windows are taken for one, which changes no sum"),
    },
    "combinators.memory.residual_backward": {
        "return Backward(made.params, (summed(dsequence, dx), summed(dmemory, dm)))": (
            2,
            "a sum of two is the same in either order",
        ),
    },
    "combinators.reverse_time.flipped": {
        "return Masked(x.values[:, ::-1], x.mask[:, ::-1])": (7, "only the forward flips a mask: a cotangent has none"),
    },
    "combinators.shard.added_up": {
        "trees.clear()": (1, "frees memory, and changes no number"),
        "return tree.map_cotangents(lambda bone: reduce(np.add, [own.pop(0) for own in leaves]), bones[0])": (
            2,
            "all gradients are trees of the same structure",
        ),
    },
    "combinators.shard.moved": {
        "return np.empty(0, leaf.dtype)": (1, "nothing reads what stands in the place of a leaf"),
    },
    "combinators.shared.backward": {
        "grads = tree.map(np.add, grads, later.params)": (1, "a sum of two is the same in either order"),
    },
    "correlation._flipped": {
        (
            "found = tuple([(reach - 1 - low, reach - 1 - high) for reach, (low, high) in zip(windows.reach, pads, strict=True)])"
        ): (2, ("which of two ways is taken that give the same numbers: where it finds none, the sum is scattered instead")),
        "if any((low < 0 or high < 0 for low, high in found)):": (
            4,
            ("which of two ways is taken that give the same numbers: where it finds none, the sum is scattered instead"),
        ),
    },
    "correlation._matrix": {
        "if block.shape[-1] > _FEW or block.shape[-2] > block.shape[ndim]:": (14, "the same matrix in either layout of memory"),
        "return numbers(items(block.reshape(*block.shape[:-2], line)), block.dtype).reshape(-1, width)": (
            2,
            "how many numbers are copied at once",
        ),
    },
    "correlation.blocks": {
        "width = math.prod(windows.kernel) * padded.shape[-1]": (
            6,
            "how many windows are treated at a time, which changes no sum",
        ),
        "line = max(1, math.prod(count[1:]))": (5, "how many windows are treated at a time, which changes no sum"),
        "lines = max(1, BLOCK_BYTES // (width * padded.itemsize * line))": (
            6,
            "how many windows are treated at a time, which changes no sum",
        ),
        "if lines >= count[0]:": (4, "how many windows are treated at a time, which changes no sum"),
        "examples = max(1, lines // max(1, count[0]))": (8, "how many windows are treated at a time, which changes no sum"),
    },
    "correlation.correlate": {
        (
            "if groups == 1 and x.dtype == weight.dtype and winograd.suits(windows, weight.shape[-2], weight.shape[-1], x.dtype):"
        ): (12, "whether the fast algorithm is taken, which gives the same numbers"),
        "many = banded.together(windows, x.shape, weight.shape[-1], groups)": (
            4,
            "how many windows are taken for one, which changes no sum",
        ),
        "if many == 1:": (4, "which of two ways is taken that give the same numbers"),
        "wide = banded.widened(windows, many, x.shape[1:-1])": (
            5,
            "the backward correlates with padding that does not depend on the shape",
        ),
    },
    "correlation.correlate_input": {
        "if groups == 1 and banded.suits(windows, in_shape, dy.shape[-2]):": (
            3,
            "which of two ways is taken that give the same numbers",
        ),
        "if set(windows.stride) == {1} and groups == 1:": (2, "which of two ways is taken that give the same numbers"),
        "rows = dy[n, ..., outputs].reshape(-1, outputs.stop - outputs.start)": (
            1,
            "a product with more axes, in the same order of memory",
        ),
        "dx[n, ..., inputs] = scatter(values, windows, (1, *shape[1:], size))[0]": (
            2,
            "one example is scattered at a time: another one, which is empty, is not read",
        ),
    },
    "correlation.correlate_plain": {
        "kernel = weight[..., outputs].reshape(-1, outputs.stop - outputs.start)": (2, "with one group the channels start at 0"),
        "if part.flags.c_contiguous and part.flags.aligned:": (4, "whether a product is written in place or copied there"),
        "part[...] = dot(rows, kernel).reshape(part.shape)": (
            7,
            "reached with groups only, which the backward does not correlate",
        ),
    },
    "correlation.correlate_weight": {
        ("if groups == 1 and x.dtype == dy.dtype and winograd.suits(windows, x.shape[-1], dy.shape[-1], x.dtype):"): (
            9,
            "whether the fast algorithm is taken, which gives the same numbers",
        ),
        "many = banded.together(windows, x.shape, dy.shape[-1], groups)": (
            4,
            "how many windows are taken for one, which changes no sum",
        ),
    },
    "dot_product_attention.attend_backward": {
        "near = k - k[:, :1]": (2, "cotangents of scores sum to 0: a shift changes rounding only"),
        "values = v - key_means(v) if rules.key is None else v": (
            2,
            "cotangents of scores sum to 0: a shift changes rounding only",
        ),
        "if ddiagonals is not None and rules.diagonals is not None:": (3, "the one is None where the other is"),
    },
    "dot_product_attention.diagonal_sums": {
        "sheared = wide.reshape(count, shared, -1)[..., :height * (height + width - 1)]": (
            1,
            ("rows + columns - 1 is what the last axis has, so that leaving out as many as there are rows is the same"),
        ),
        "sums: Array = sheared.reshape(count, shared, height, height + width - 1).sum(2)": (
            2,
            "a negative length stands for what is left, which is rows + columns - 1",
        ),
    },
    "dot_product_attention.drawn": {
        "factors = (generator.random(like.shape, dtype=np.float32) >= rate).astype(like.real.dtype)": (
            1,
            "a random number is never exactly the rate",
        ),
    },
    "dot_product_attention.penalty": {
        "return made": (1, "twice minus infinity, or twice 0"),
    },
    "dot_product_attention.key_means": {
        "means: Array = np.matmul(mean_weights(v.shape[1], v.dtype), v)": (
            3,
            "cotangents of scores sum to 0: a shift changes rounding only; and a vector is its own transpose",
        ),
    },
    "dot_product_attention.pull_part": {
        "if np.abs(log.real).max(initial=0) > far_exponent(log.dtype):": (
            3,
            "whether scores are subtracted before the exponential or divided by afterwards, which changes rounding only",
        ),
    },
    "dot_product_attention.scores": {
        "later = later_keys(count, square.shape[2], made.real.dtype)": (1, "twice minus infinity, or twice 0"),
    },
    "dot_product_attention.share_out": {
        "threads = 1 if rules.key else shares(q.shape[:3], k.shape[1])": (
            6,
            "how many threads share the work, which changes no number",
        ),
    },
    "dot_product_attention.subtract_at_half": {
        "half = 0.5 / share.real": (2, "any number may be subtracted from all of a query: which one decides the rounding only"),
        "if weights.real.max(initial=0) <= half.min(initial=np.inf):": (
            3,
            "any number may be subtracted from all of a query: whether one is decides the rounding only",
        ),
        "places = np.flatnonzero(weights.real > half[:, np.newaxis])": (
            3,
            "any number may be subtracted from all of a query: which one decides the rounding only",
        ),
        "base = np.zeros_like(share)": (
            1,
            "any number may be subtracted from all of a query: which one decides the rounding only",
        ),
    },
    "erf._half_erfc_from": {
        "pole *= z < rule.reach": (1, "no number is exactly the reach, which is irrational"),
    },
    "erf._sum_of_poles": {
        "sums = np.empty_like(square)": (1, "the squares are not needed afterwards"),
        "sums[start:start + _BLOCK] = rule.weights.dot(terms)": (1, "a vector is its own transpose"),
    },
    "erf.normal": {
        "np.subtract(x >= 0, lower, out=lower)": (2, "the magnitude is taken next; at 0 both sides are one half"),
    },
    "layer._chain_backward": {
        "while first < len(layers) and type(params[first]) is tuple and (not params[first]):": (
            3,
            "what is computed without need: the gradients of layers that have no parameters",
        ),
        "while index > first or (index == first and input_grad):": (
            2,
            "what is computed without need: the cotangent of the input",
        ),
    },
    "layers.algebraic.root_and_excess": {
        "quotient = np.minimum(size, corner)": (1, "it is squared next"),
    },
    "layers.algebraic.softsign_and_slope": {
        "slope = np.reciprocal(size, out=size)": (1, "it is squared next"),
    },
    "layers.algebraic.squareplus_and_slope": {
        "slope = np.where(x >= 0, constant(1, x.dtype) - slope, slope)": (1, "at 0 both sides are one half"),
    },
    "layers.attention.backward": {
        "threads = shares(shape[:3], steps)": (4, "how many threads share the work, which changes no number"),
    },
    "layers.attention.position_grad": {
        "if not isinstance(position, RelativeBias) or dbias is None:": (
            1,
            "there is a cotangent of the bias exactly where there is a table",
        ),
    },
    "layers.average_pooling.divisor": {
        "return np.maximum(total, 1)": (1, "no window lies in the padding alone"),
    },
    "layers.batch_norm.backward": {
        "count = max(1, residuals.count)": (1, "matters to an empty batch only, which has no entries"),
    },
    "layers.bilinear.backward": {
        "dz: Array = (residuals.u @ dy_rows[:, :, np.newaxis])[:, :, 0]": (1, "there is one column: the first is the last"),
    },
    "layers.clipped.hard_swish_and_slope": {
        "slope = clipped(-3.0, 3.0, x)": (2, "what lies outside is replaced; the clipping keeps infinities out"),
    },
    "layers.embedding.put_back": {
        "real = np.flatnonzero(flat != padding_index)": (1, "places, or booleans that choose the same places"),
    },
    "layers.cross_attention.backward": {
        "threads = shares(shape[:3], kept.memory.shape[1])": (6, "how many threads share the work, which changes no number"),
    },
    "layers.heads.mapped_back": {
        "return product(rows(dy), params.weight.T, threads).reshape(*dy.shape[:-1], params.weight.shape[0])": (
            1,
            "a product treats all axes but the last alike",
        ),
    },
    "layers.heads.split": {
        "chosen = x[..., first * size:(first + heads) * size].reshape(batch, time, heads, size)": (
            3,
            "the backward splits all heads: they start at 0 and end with the axis",
        ),
        "return chosen.swapaxes(1, 2).reshape(batch * heads, time, size)": (1, "the caller gives it the same shape"),
    },
    "layers.heads.turned": {
        ("cosine, sine = (np.cos(angle).astype(x.real.dtype), (direction * np.sin(angle)).astype(x.real.dtype))"): (
            2,
            "rounded to the precision of the result when it is stored there",
        ),
    },
    "layers.max_pooling.max_backward": {
        "tiled = own.stride == own.reach and math.prod(shape) == len(places) * dy.size": (
            2,
            "whether the faster way is taken, which gives the same numbers",
        ),
        "at_once = max(1, BLOCK * n // max(1, dy.size))": (5, "how many examples are treated at a time, which changes no sum"),
    },
    "layers.mish.fraction": {
        "numerator: Array = np.where(x >= 0, e * two + one, e * (e + two))": (1, "at 0 both sides are the same"),
        "return (numerator, numerator + np.where(x >= 0, e * e * two, two))": (1, "at 0 both sides are the same"),
    },
    "layers.mish.mish_and_slope": {
        "slope: Array = np.where(x >= 0, e * e, e)": (1, "at 0 both sides are the same"),
    },
    "layers.power_pooling.magnitude": {
        "return x * np.where(x.real < 0, x.real.dtype.type(-1), x.real.dtype.type(1))": (2, "a factor of 1 or -1; 0 has no sign"),
    },
    "layers.power_pooling.power_backward": {
        "pads = own.pads(x.shape[1:-1])": (5, "the fitted windows hold their padding, whatever the shape"),
        "nonzero = y + (y == 0)": (2, "only the magnitude of the ratio is used"),
    },
    "layers.rectifiers.elu_and_slope": {
        "if alpha != 1:": (1, "with alpha 1 the factor is 1, and alpha is never 0"),
    },
    "layers.gru.backward": {
        "np.matmul(dz[3:, None], weights[2:], out=products[2:])": (1, "the product before the last is written over next"),
    },
    "layers.lstm.backward": {
        "seen = np.stack([over_steps(di, cells[:-1]), over_steps(df, cells[:-1]), over_steps(do, cells[1:])])": (
            3,
            "a product is the same in either order",
        ),
    },
    "layers.recurrent.backwards": {
        "for stop in range(count, 0, -STRETCH):": (1, "before the first step there is nothing left"),
    },
    "layers.recurrent.blocks": {
        "width = next((w for w in (64, 32) if size % w == 0 and batch * seen * w <= SMALL), size)": (
            15,
            "how many columns are multiplied at a time, which changes no sum",
        ),
    },
    "layers.recurrent.cut": {
        "return products.reshape(*products.shape[:-1], parts, width).swapaxes(-3, -2)": (
            1,
            "of four axes the last but one is the third",
        ),
    },
    "layers.scaled_dot_product.backward": {
        "return Backward(params, (dq[:, 0], dk, dv))": (1, "there is one set of queries: the first is the last"),
    },
    "layers.shrinkage.tanhshrink_and_slope": {
        "slope: Array = np.tanh(x)": (1, "it is squared next"),
    },
    "layers.sigmoids.numerator": {
        ("top: Array = np.maximum(x >= constant(0, x.dtype), e) if x.dtype.kind == 'f' else np.where(x >= 0, 1, e)"): (
            1,
            "at 0 the exponential is 1 as well",
        ),
    },
    "layers.sigmoids.tanh_and_slope": {
        "slope = decaying(x)": (1, "it is squared in the end"),
    },
    "layers.softmax.along": {
        "return rows(x if axis in (-1, x.ndim - 1) else x.swapaxes(axis, -1))": (
            6,
            "exchanging the last axis with itself; axis 0 is not allowed",
        ),
    },
    "layers.softmax.back": {
        "if axis in (-1, len(shape) - 1):": (6, "exchanging the last axis with itself; axis 0 is not allowed"),
    },
    "losses.cosine_embedding.pullback": {
        "side = np.where(np.abs(cosine.real) > 0.5, np.sign(cosine.real), 0).astype(dlosses.dtype)": (
            9,
            "the formula holds for any side, which decides the rounding only",
        ),
    },
    "losses.ctc.earlier": {
        "moved = np.full_like(logs, LOG_0)": (1, "twice minus 10**30 is as far below"),
    },
    "losses.ctc.log_sum": {
        "for one in logs[1:]:": (1, "the maximum with itself"),
    },
    "losses.ctc.pullback": {
        "at_end = np.where((from_end == 0) | (from_end == -1), 0, LOG_0).astype(log_y.real.dtype)": (
            4,
            "a common factor is divided out in the end, and rounding is that of the result",
        ),
        "after -= after.max(1)[:, None]": (1, "these are logarithms: leaving out a common number changes rounding only"),
        "leaving = log_sum(after, earlier(after, 1), earlier(np.where(residuals.skips, after, LOG_0), 2))": (
            2,
            "a sum is the same in any order",
        ),
        "in_state = np.exp(log_both - log_both.max(2)[..., None])": (3, "the sum is divided out next"),
        "of_class = (states[:, :, None] == np.arange(classes)).astype(log_y.real.dtype)": (1, "booleans count as 0 and 1"),
    },
    "losses.hinge.squared_pullback": {
        "return -2 * residuals.target * residuals.missing * dlosses": (1, "the target is 1 or -1"),
    },
    "losses.overlap.pullback": {
        "whole = shared + missed": (1, "it is a factor twice"),
    },
    "losses.poisson.log_pullback": {
        "return np.where(np.abs(z.real) < 0.5, np.expm1(z) - (target - 1), np.exp(z) - target) * dlosses": (
            5,
            "two forms of the same number: which is the more precise is decided here, and tested elsewhere",
        ),
    },
    "losses.vectors.inverse": {
        "return np.divide(1, length, out=np.zeros_like(length), where=length != 0)": (
            1,
            "matters to vectors of length 0 only, where the cosine has no derivative",
        ),
    },
    "numerics.row_means": {
        "means: Array = x.dot(mean_weights(x.shape[-1], x.dtype))": (
            2,
            "a vector is its own transpose, and the second axis of a matrix is its last",
        ),
    },
    "numerics._beside": {
        "if x.size >= 2048:": (5, "which of two ways is faster"),
        "if flat.shape[1] >= 32:": (6, "which of two ways is faster"),
    },
    "numerics.examples": {
        "if x.ndim == 2:": (1, "which of two ways is taken that give the same numbers"),
        "return x.reshape(len(x), x.size // max(1, len(x)))": (2, "an empty array has no examples to divide by"),
    },
    "numerics.parts": {
        "step = max(1, PART // x.shape[1])": (5, "how many rows are treated at a time, which changes no sum"),
        "return [x[low:low + step] for low in range(0, len(x), step)]": (
            1,
            "how many rows are treated at a time, which changes no sum",
        ),
    },
    "numerics.project": {
        "if x.ndim == 2:": (4, "which of two ways is taken that give the same numbers"),
        "return dot(rows(x), weight).reshape(*x.shape[:-1], weight.shape[1])": (1, "a product with more axes is the same"),
    },
    "numerics.project_back": {
        "if 8 * len(few) > len(weight) or 8 * len(few) > weight.shape[1]:": (17, "which of two ways is faster"),
    },
    "numerics.rows": {
        "if x.ndim == 2:": (1, "which of two ways is taken that give the same numbers"),
        "return x.reshape(x.size // max(1, x.shape[-1]), x.shape[-1])": (1, "every array has a feature at least"),
    },
    "numerics.sum_rows": {
        "if x.size <= PART:": (1, "which of two ways is taken that give the same numbers"),
    },
    "penalties.Penalty._takes": {
        "return leaf.dtype.kind in 'fc' and selects(self.where, path, leaf.shape)": (1, "all parameters are real numbers"),
    },
    "scatter.scatter_rows": {
        "first = np.flatnonzero(np.diff(indices, prepend=-1))": (1, "no index is negative"),
        "rank = np.arange(len(indices)) - np.repeat(first, np.diff(first, append=len(indices)))": (
            1,
            "a rank is halved until it is 0, whatever its sign",
        ),
        "while (odd := np.flatnonzero(rank & 1)).size:": (1, "sums are made that are not used"),
        "even = np.flatnonzero(rank & 1 == 0)": (1, "places, or booleans that choose the same places"),
    },
    "windows.items": {
        "dense = x if x.strides[-1] == x.itemsize else x.copy()": (1, "in backward channels are always side by side"),
        "return whole.reshape(x.shape[:-1])": (1, "the same items with one axis more"),
    },
    "windows.numbers": {
        "copied: Array = whole.copy()": (1, "the items are copied later, then"),
        "return copied[..., np.newaxis].view(dtype)": (1, "the same numbers: the axes are merged again"),
    },
    "windows.pad": {
        "padded: Array = np.zeros(shape, x.dtype) if value == 0 else np.full(shape, value, x.dtype)": (
            1,
            "which of two ways is taken that give the same numbers",
        ),
    },
    "winograd.blocks": {
        "count = tiles_at_once(products)": (3, "how many tiles are treated at a time, which changes no sum"),
        "examples, rows = (max(1, count // (lines * tiles)), min(lines, max(1, count // tiles)))": (
            8,
            "how many tiles are treated at a time, which changes no sum",
        ),
    },
    "winograd.correlate": {
        "lines, tiles = (-(-height // OUT), -(-width // OUT))": (2, "more tiles than are needed, of zeros or cropped again"),
        "seen = tiled(x, IN, windows.pads(x.shape[1:-1]), lines, tiles)": (
            5,
            "with stride 1 the padding does not depend on the shape",
        ),
        "for some in blocks(n, lines, tiles, inputs * outputs):": (
            5,
            "how many tiles are treated at a time, which changes no sum",
        ),
    },
    "winograd.correlate_weight": {
        "lines, tiles = (-(-height // OUT), -(-width // OUT))": (2, "more tiles than are needed, of zeros or cropped again"),
        "for some in blocks(len(x), lines, tiles, inputs * outputs):": (
            5,
            "how many tiles are treated at a time, which changes no sum",
        ),
    },
    "winograd.suits": {
        (
            "return windows.kernel == (3, 3) and windows.stride == windows.dilation == (1, 1) and (min(inputs, "
            "outputs) >= LEAST_CHANNELS) and (dtype.char in 'fd')"
        ): (6, "whether the fast algorithm is taken where it gives the same numbers; and no stride is 0"),
    },
    "winograd.tiled": {
        "wanted = [OUT * (count - 1) + size for count in (lines, tiles)]": (
            3,
            "more zeros behind the array than the tiles reach",
        ),
        "filled = [(low, every - low - n) for every, (low, _), n in zip(wanted, pads, x.shape[1:-1], strict=True)]": (
            4,
            "more zeros behind the array than the tiles reach",
        ),
    },
    "winograd.tiles_at_once": {
        "count = min(80, 10 ** 6 // products)": (9, "how many tiles are treated at a time, which changes no sum"),
        "return count if count >= 48 else 256": (7, "how many tiles are treated at a time, which changes no sum"),
    },
}
"""By function, then by statement: how many, and why."""
