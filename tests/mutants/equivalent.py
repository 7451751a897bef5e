"""Mutants that change no gradient, and why.

An entry says of the n-th statement of a function (counted from 1, without docstrings and checks, as survivors are printed) how
many of its mutants survive, and why these must.  When the source changes, or the cases no longer kill the others, the number is
wrong: that is a failure like a survivor.
"""

from __future__ import annotations

from typing import TypeAlias

Reasons: TypeAlias = dict[str, dict[int, tuple[int, str]]]

REASONS: Reasons = {
    "combinators.around.mixture_of_experts.backward": {
        3: (1, "an expert that was not chosen has the weight 0"),
        7: (1, "of a matrix the last axis is the second"),
    },
    "combinators.around.mixture_of_experts.softmax_cotangent": {
        1: (1, "of a matrix the last axis is the second"),
    },
    "combinators.around.without_bias.backward": {
        1: (2, "whether what nobody asks for is computed"),
        2: (1, "no gradient depends on a bias: the weights alone are read"),
    },
    "combinators.around.without_bias.params_of": {
        4: (1, "a cell binds one layer"),
    },
    "combinators.frozen.backward": {
        1: (1, "its cases have no parameters; that their gradient is 0 is a test of its own"),
    },
    "combinators.memory.residual_backward": {
        6: (2, "a sum of two is the same in either order"),
    },
    "combinators.reverse_time.flipped": {
        4: (7, "only the forward flips a mask: a cotangent has none"),
    },
    "combinators.shared.backward": {
        5: (1, "a sum of two is the same in either order"),
    },
    "combinators.weight_norm.sum_to_outputs": {
        1: (2, "which of two ways of summing is taken"),
        2: (5, "axes of length 1 in front, which broadcasting adds"),
    },
    "kernels.arrays._beside": {
        1: (5, "which of two ways is faster"),
        3: (6, "which of two ways is faster"),
    },
    "kernels.arrays.as_matrix": {
        1: (1, "which of two ways is taken that give the same numbers"),
        3: (1, "every array has a feature at least"),
    },
    "kernels.arrays.flatten_examples": {
        1: (1, "which of two ways is taken that give the same numbers"),
        3: (2, "an empty array has no examples to divide by"),
    },
    "kernels.arrays.matmul_last": {
        1: (4, "which of two ways is taken that give the same numbers"),
        3: (1, "a product with more axes is the same"),
    },
    "kernels.arrays.matmul_last_transposed": {
        2: (17, "which of two ways is faster"),
    },
    "kernels.arrays.mean_last": {
        1: (2, "a vector is its own transpose, and the second axis of a matrix is its last"),
    },
    "kernels.attention_scores.additive_mask": {
        3: (1, "twice minus infinity, or twice 0"),
    },
    "kernels.attention.added_to_scores": {
        1: (1, "the order of arrays of which the precision alone is asked for"),
    },
    "kernels.attention.attend_backward": {
        9: (2, "cotangents of scores sum to 0: a shift changes rounding only"),
        10: (2, "cotangents of scores sum to 0: a shift changes rounding only"),
    },
    "kernels.attention.attend_backward_block": {
        12: (2, "it decides between two forms alone"),
        13: (10, "reached where numbers are not finite or overflow, which tests/sweeps hold to exact arithmetic"),
        14: (5, "reached where numbers are not finite or overflow, which tests/sweeps hold to exact arithmetic"),
        15: (6, "reached where numbers are not finite or overflow, which tests/sweeps hold to exact arithmetic"),
        16: (1, "whether scores are subtracted before the exponential or divided by afterwards, which changes rounding only"),
    },
    "kernels.attention_scores.diagonal_sums": {
        4: (1, "rows + columns - 1 is what the last axis has, so that leaving out as many as there are rows is the same"),
        5: (2, "a negative length stands for what is left, which is rows + columns - 1"),
    },
    "kernels.attention_scores.capped_argument": {
        1: (4, "which of two ways is taken that give the same numbers; the other one is for products that overflow"),
    },
    "kernels.attention_scores.soft_cap_slope": {
        1: (1, "the slope is the same on either side of 0"),
        2: (2, "the slope is the same on either side of 0; and queries and keys are told apart where products overflow"),
        3: (3, "the slope is the same in e and in 1 / e: which one is smaller decides the rounding only"),
    },
    "kernels.attention.dropout_factors": {
        1: (1, "a random number is never exactly the rate"),
    },
    "kernels.attention.key_means": {
        1: (3, "cotangents of scores sum to 0: a shift changes rounding only; and a vector is its own transpose"),
    },
    "kernels.attention_blocks.parallel_over_groups": {
        1: (10, "how many threads share the work, which changes no number"),
    },
    "kernels.attention_scores.scores": {
        4: (1, "queries and keys are told apart where products overflow"),
        15: (1, "twice minus infinity, or twice 0"),
        16: (3, "which of two ways is taken that hide the same scores"),
        20: (1, "twice minus infinity, or twice 0"),
    },
    "kernels.attention.subtract_at_half": {
        1: (2, "any number may be subtracted from all of a query: which one decides the rounding only"),
        2: (3, "any number may be subtracted from all of a query: whether one is decides the rounding only"),
        4: (3, "any number may be subtracted from all of a query: which one decides the rounding only"),
    },
    "kernels.block_toeplitz.is_faster": {
        1: (16, "which of two ways is taken that give the same numbers"),
    },
    "kernels.block_toeplitz.windows_per_group": {
        1: (1, "a tuple twice as long: there are more windows than enough, too"),
        2: (15, "how many windows are taken for one, which changes no sum"),
        4: (21, "how many windows are taken for one, which changes no sum"),
        5: (20, "how many windows are taken for one, which changes no sum"),
        6: (1, "how many windows are taken for one, which changes no sum"),
    },
    "kernels.correlation._flipped": {
        1: (2, "which of two ways is taken that give the same numbers: where it finds none, the sum is scattered instead"),
        2: (4, "which of two ways is taken that give the same numbers: where it finds none, the sum is scattered instead"),
    },
    "kernels.correlation._im2col": {
        2: (14, "the same matrix in either layout of memory"),
        3: (2, "how many numbers are copied at once"),
    },
    "kernels.correlation.blocks": {
        2: (6, "how many windows are treated at a time, which changes no sum"),
        3: (5, "how many windows are treated at a time, which changes no sum"),
        4: (6, "how many windows are treated at a time, which changes no sum"),
        5: (4, "how many windows are treated at a time, which changes no sum"),
        6: (8, "how many windows are treated at a time, which changes no sum"),
    },
    "kernels.correlation.correlate": {
        5: (12, "whether the fast algorithm is taken, which gives the same numbers"),
        7: (4, "how many windows are taken for one, which changes no sum"),
        8: (2, "which of two ways is taken that give the same numbers"),
        10: (5, "the backward correlates with padding that does not depend on the shape"),
    },
    "kernels.correlation.correlate_input": {
        8: (3, "which of two ways is taken that give the same numbers"),
        10: (2, "which of two ways is taken that give the same numbers"),
        21: (1, "a product with more axes, in the same order of memory"),
        23: (2, "one example is scattered at a time: another one, which is empty, is not read"),
    },
    "kernels.correlation.correlate_plain": {
        8: (2, "whether a product is written in place or copied there"),
    },
    "kernels.correlation.correlate_weight": {
        5: (9, "whether the fast algorithm is taken, which gives the same numbers"),
        7: (4, "how many windows are taken for one, which changes no sum"),
    },
    "kernels.erf._half_erfc_from": {
        8: (1, "no number is exactly the reach, which is irrational"),
    },
    "kernels.erf._sum_of_poles": {
        1: (1, "the squares are not needed afterwards"),
        5: (1, "a vector is its own transpose"),
    },
    "kernels.erf.normal": {
        11: (2, "the magnitude is taken next; at 0 both sides are one half"),
    },
    "kernels.resampling.resample": {
        1: (1, "a negative length stands for what is left"),
        4: (2, "places, or booleans that choose the same; one tap more, of weight 0, matters to what is not finite alone"),
        6: (1, "a product of more digits is rounded where it is written"),
    },
    "kernels.scatter.scatter_rows": {
        4: (1, "no index is negative"),
        5: (1, "a rank is halved until it is 0, whatever its sign"),
        6: (1, "sums are made that are not used"),
        8: (1, "places, or booleans that choose the same places"),
    },
    "kernels.streaming_cross_entropy.blocks": {
        3: (2, "a mask is the same as its places; losses at other places are caught by tests of values"),
    },
    "kernels.streaming_cross_entropy.streamed_pullback": {
        12: (2, "where all numbers have one precision nothing is converted"),
        13: (4, "where all numbers have one precision nothing is converted"),
    },
    "kernels.windows.as_void_pixels": {
        1: (1, "in backward channels are always side by side"),
        3: (1, "the same items with one axis more"),
    },
    "kernels.windows.from_void_pixels": {
        1: (1, "the items are copied later, then"),
        2: (1, "the same numbers: the axes are merged again"),
    },
    "kernels.windows.pad": {
        5: (1, "which of two ways is taken that give the same numbers"),
    },
    "kernels.winograd.blocks": {
        1: (3, "how many tiles are treated at a time, which changes no sum"),
        2: (8, "how many tiles are treated at a time, which changes no sum"),
    },
    "kernels.winograd.correlate": {
        4: (2, "more tiles than are needed, of zeros or cropped again"),
        5: (5, "with stride 1 the padding does not depend on the shape"),
        8: (5, "how many tiles are treated at a time, which changes no sum"),
    },
    "kernels.winograd.correlate_weight": {
        4: (2, "more tiles than are needed, of zeros or cropped again"),
        8: (5, "how many tiles are treated at a time, which changes no sum"),
    },
    "kernels.winograd.suits": {
        1: (6, "whether the fast algorithm is taken where it gives the same numbers; and no stride is 0"),
    },
    "kernels.winograd.tiled": {
        1: (3, "more zeros behind the array than the tiles reach"),
        2: (4, "more zeros behind the array than the tiles reach"),
    },
    "kernels.winograd.tiles_at_once": {
        1: (9, "how many tiles are treated at a time, which changes no sum"),
        2: (7, "how many tiles are treated at a time, which changes no sum"),
    },
    "layer.chain_rule.chain_backward": {
        3: (3, "what is computed without need: the gradients of layers that have no parameters"),
        8: (2, "what is computed without need: the cotangent of the input"),
    },
    "layers.activations.algebraic.root_and_excess": {
        4: (1, "it is squared next"),
    },
    "layers.activations.algebraic.softsign_and_slope": {
        5: (1, "it is squared next"),
    },
    "layers.activations.algebraic.squareplus_and_slope": {
        3: (1, "at 0 both sides are one half"),
    },
    "layers.activations.clipped.hard_swish_and_slope": {
        1: (2, "what lies outside is replaced; the clipping keeps infinities out"),
    },
    "layers.activations.entmax15.backward": {
        2: (1, "a scalar product is the same in either order"),
    },
    "layers.activations.gelu.approximate_and_slope": {
        1: (1, "reached where numbers are not finite or overflow, which tests/sweeps hold to exact arithmetic"),
        15: (1, "reached where numbers are not finite or overflow, which tests/sweeps hold to exact arithmetic"),
    },
    "layers.activations.gelu.gelu_and_slope": {
        2: (1, "reached where numbers are not finite or overflow, which tests/sweeps hold to exact arithmetic"),
        4: (1, "reached where numbers are not finite or overflow, which tests/sweeps hold to exact arithmetic"),
    },
    "layers.activations.sigmoids.is_beyond": {
        1: (2, "to which side the jump itself belongs; what is true whatever its size"),
    },
    "layers.activations.mish.fraction": {
        2: (1, "at 0 both sides are the same"),
        3: (1, "at 0 both sides are the same"),
    },
    "layers.activations.mish.mish_and_slope": {
        4: (1, "at 0 both sides are the same"),
        10: (1, "reached where numbers are not finite or overflow, which tests/sweeps hold to exact arithmetic"),
        12: (1, "reached where numbers are not finite or overflow, which tests/sweeps hold to exact arithmetic"),
    },
    "layers.activations.rectifiers.elu_and_slope": {
        3: (1, "with alpha 1 the factor is 1, and alpha is never 0"),
    },
    "layers.activations.shrinkage.tanhshrink_and_slope": {
        1: (1, "it is squared next"),
    },
    "layers.activations.sigmoids.numerator": {
        1: (1, "at 0 the exponential is 1 as well"),
    },
    "layers.activations.sigmoids.silu_and_slope": {
        2: (1, "reached where numbers are not finite or overflow, which tests/sweeps hold to exact arithmetic"),
        4: (1, "reached where numbers are not finite or overflow, which tests/sweeps hold to exact arithmetic"),
    },
    "layers.activations.sigmoids.swish_and_slope": {
        3: (1, "reached where numbers are not finite or overflow, which tests/sweeps hold to exact arithmetic"),
        5: (1, "reached where numbers are not finite or overflow, which tests/sweeps hold to exact arithmetic"),
    },
    "layers.activations.sigmoids.tanh_and_slope": {
        1: (5, "which of two ways is taken that give the same numbers"),
        2: (2, "complex numbers alone come here"),
        3: (1, "it is squared in the end"),
    },
    "layers.activations.softmax.along": {
        1: (6, "exchanging the last axis with itself; axis 0 is not allowed"),
    },
    "layers.activations.softmax.back": {
        1: (6, "exchanging the last axis with itself; axis 0 is not allowed"),
    },
    "layers.activations.softmax.backward": {
        5: (1, "a scalar product is the same in either order"),
    },
    "layers.activations.sparsemax.backward": {
        3: (1, "a scalar product is the same in either order"),
    },
    "layers.attention.attention.attended_backward": {
        6: (1, "how many threads share the work, which changes no number"),
    },
    "layers.attention.attention.position_grad": {
        1: (1, "there is a cotangent of the bias exactly where there is a table"),
    },
    "layers.attention.attention.threads_for": {
        1: (6, "how many threads share the work, which changes no number"),
    },
    "layers.attention.attention_with_scores.backward": {
        6: (1, "there is a cotangent of the bias exactly where there is a bias"),
    },
    "layers.attention.cross_attention.heads_backward": {
        4: (6, "how many threads share the work, which changes no number"),
    },
    "layers.attention.heads.project_transposed": {
        1: (1, "a product treats all axes but the last alike"),
    },
    "layers.attention.heads.concat_heads": {
        1: (2, "heads of one size may be joined one kind after the other as well"),
    },
    "layers.attention.heads.split_heads": {
        2: (2, "the backward splits all heads: they start at 0 and end with the axis"),
        3: (1, "the caller gives it the same shape"),
    },
    "layers.attention.qk_norm_attention.backward": {
        7: (2, "how many threads share the work, which changes no number"),
    },
    "layers.embedding.embedding.put_back": {
        3: (1, "places, or booleans that choose the same places"),
    },
    "layers.embedding.fourier_features.backward": {
        2: (1, "one half counted from the end is the other half"),
        4: (1, "a product treats all axes but the last alike"),
    },
    "layers.linear.bilinear.backward": {
        7: (1, "there is one column: the first is the last"),
    },
    "layers.linear.distances.distance_backward": {
        2: (1, "where the distance is 0 all differences are, whatever they are divided by"),
        4: (1, "a number to the power of 0 is 1, and so it is for 0"),
    },
    "layers.normalization.batch_norm.backward": {
        6: (1, "matters to an empty batch only, which has no entries"),
    },
    "layers.normalization.batch_norm.spread": {
        1: (1, "of two axes the second is the last"),
    },
    "layers.normalization.layer_norm.backward": {
        6: (1, "a scalar product is the same in either order"),
    },
    "layers.normalization.local_response_norm.neighbour_sums": {
        3: (3, "shifts beyond the channels add nothing"),
        5: (3, "shifts beyond the channels add nothing"),
    },
    "layers.normalization.rms_norm.backward": {
        6: (1, "a scalar product is the same in either order"),
    },
    "layers.normalization.unit_norm.unit_rows_cotangent": {
        1: (1, "a scalar product is the same in either order"),
    },
    "layers.normalization.without_affine.with_zero_shift": {
        1: (2, "the backward does not use a shift: it has only to be there"),
    },
    "layers.normalization.without_affine.without_shift_backward": {
        1: (1, "the backward does not use a shift"),
    },
    "layers.embedding.weighted_embedding_bag.backward": {
        5: (1, "there is one column"),
    },
    "layers.pooling.average_pooling.divisor": {
        8: (2, "more zeros behind the array than the windows reach"),
        13: (1, "no window lies in the padding alone"),
    },
    "layers.pooling.max_pooling.max_backward": {
        6: (2, "whether the faster way is taken, which gives the same numbers"),
        9: (5, "how many examples are treated at a time, which changes no sum"),
    },
    "layers.pooling.power_pooling.magnitude": {
        1: (2, "a factor of 1 or -1; 0 has no sign"),
    },
    "layers.pooling.power_pooling.power_backward": {
        3: (5, "the fitted windows hold their padding, whatever the shape"),
        6: (2, "only the magnitude of the ratio is used"),
        9: (1, "power and output are looked at for a complex step alone"),
    },
    "layers.recurrent.conv_lstm.backward": {
        13: (1, "a sum of two is the same in either order"),
        16: (1, "that no result is a view of another is a test of its own"),
    },
    "layers.recurrent.projected_lstm.unpack_cotangent": {
        9: (4, "shape and dtype alone are used, which all steps share"),
    },
    "layers.recurrent.cells.backward": {
        1: (2, "both parts of a state have one shape"),
        7: (1, "there is one step, the first and the last"),
    },
    "layers.recurrent.gru.steps_backward": {
        14: (1, "the product before the last is written over next"),
    },
    "layers.recurrent.peephole_lstm.backward": {
        4: (3, "a product is the same in either order"),
    },
    "layers.recurrent.recurrent.blocked_view": {
        2: (1, "of four axes the last but one is the third"),
    },
    "layers.recurrent.recurrent.blocks": {
        2: (15, "how many columns are multiplied at a time, which changes no sum"),
    },
    "layers.recurrent.recurrent.reversed_steps": {
        1: (1, "before the first step there is nothing left"),
    },
    "layers.recurrent.selective_scan.backward": {
        17: (1, "an axis of length 1 has its first entry last"),
        18: (1, "an axis of length 1 has its first entry last"),
        19: (1, "an axis of length 1 has its first entry last"),
        26: (1, "a sum over two axes is the same in either order"),
        27: (1, "a sum over two axes is the same in either order"),
    },
    "layers.shape.grid_sample.corner": {
        3: (1, "a condition that is 2 holds as well"),
        7: (5, "a point beyond the border is beyond it however far; and only huge coordinates need to be bounded"),
        10: (1, "a sign has no digits: in which precision it stands changes rounding only"),
    },
    "layers.shape.grid_sample.corners": {
        1: (1, "a sum is the same in any order"),
    },
    "layers.shape.resize.backward": {
        4: (1, "maps of different axes may be applied in any order"),
    },
    "layers.shape.upsample.between_back": {
        1: (2, "a negative length stands for what is left, and the cases have one axis"),
        2: (2, "any place that is no point differs from the first"),
        5: (3, "both shares go to the same point"),
    },
    "layers.shape.upsample.linear_backward": {
        5: (1, "which of two ways is taken that give the same numbers"),
    },
    "layers.shape.upsample.neighbours": {
        3: (2, "with more than one point the length is larger"),
    },
    "losses.classification.ctc.below_largest": {
        2: (2, "what is minus infinity stays so whatever is subtracted"),
    },
    "losses.classification.ctc.earlier": {
        1: (1, "twice minus 10**30 is as far below"),
    },
    "losses.classification.ctc.log_sum": {
        2: (1, "the largest of a number and itself"),
        4: (4, "any number may be subtracted and added again"),
    },
    "losses.classification.ctc.pullback": {
        5: (4, "a common factor is divided out in the end, and rounding is that of the result"),
        11: (2, "a sum is the same in any order"),
        13: (2, "the sum is divided out next"),
        16: (1, "booleans count as 0 and 1"),
    },
    "losses.classification.focal.sigmoid_pullback": {
        3: (1, "a product is the same in either order where both are finite"),
        4: (1, "a product is the same in either order where both are finite"),
        5: (2, "a product is the same in either order where both are finite"),
    },
    "losses.classification.hinge.squared_pullback": {
        1: (1, "the target is 1 or -1"),
    },
    "losses.classification.overlap.pullback": {
        2: (1, "it is a factor twice"),
        4: (1, "a product is the same in either order where both are finite"),
        5: (1, "a product is the same in either order where both are finite"),
        6: (2, "a product is the same in either order where both are finite"),
    },
    "losses.reduction.pulled": {
        3: (3, "reached where numbers are not finite or overflow, which tests/sweeps hold to exact arithmetic"),
    },
    "losses.regression.cox.pullback": {
        1: (1, "a gradient that is not written into need not be copied"),
    },
    "losses.regression.poisson.log_pullback": {
        2: (5, "two forms of the same number: which is the more precise is decided here, and tested elsewhere"),
    },
    "losses.regression.poisson.pullback": {
        2: (2, "reached where numbers are not finite or overflow, which tests/sweeps hold to exact arithmetic"),
    },
    "losses.regression.squared_log_error.pullback": {
        2: (2, "reached where numbers are not finite or overflow, which tests/sweeps hold to exact arithmetic"),
    },
    "losses.similarity.barlow_twins.normalized_pullback": {
        1: (2, "the cotangents of values of mean 0 have the sum 0"),
    },
    "losses.similarity.cosine_embedding.pullback": {
        3: (1, "the two sides are scaled in either order"),
    },
    "losses.similarity.supervised_contrastive.pullback": {
        2: (1, "a symmetric matrix is its own transpose"),
    },
    "losses.similarity.vicreg.pullback": {
        1: (2, "a gradient that is not written into need not be copied"),
    },
    "optim.penalties.Penalty._takes": {
        1: (1, "all parameters are real numbers"),
    },
    "sharding.shard.added_up": {
        3: (1, "frees memory, and changes no number"),
        4: (2, "all gradients are trees of the same structure"),
    },
    "sharding.shard.moved": {
        2: (1, "nothing reads what stands in the place of a leaf"),
    },
}
