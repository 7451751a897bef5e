"""Functions that decide between forms of one formula, or work where numbers leave their range: other tests hold them.

The certificate's inputs are ordinary numbers and corners of the domain, where every form gives the same gradient: a mutant of
such a function changes nothing there that a case could see.  Each is named with the tests that compare its forms with one
another, or with exact arithmetic, and that fail when it is wrong.
"""

from __future__ import annotations

ELSEWHERE = {
    "kernels.arrays._where": "tests/kernels/test_steps.py",
    "kernels.arrays.all_finite": "tests/sweeps/test_layer_extremes.py",
    "kernels.arrays._dot_rows": "tests/layers/test_attention.py: threads",
    "kernels.arrays.dot": "tests/kernels/test_arrays.py: which form is taken",
    "kernels.arrays.parallel_dot": "tests/layers/test_attention.py: threads",
    "kernels.arrays.sum_axis0": "tests/kernels/test_arrays.py, tests/sweeps/test_averages.py",
    "kernels.arrays.column_sums": "tests/kernels/test_arrays.py, tests/sweeps/test_averages.py",
    "kernels.arrays.without_tangent": "tests/derivatives/test_every_layer.py",
    "kernels.attention_blocks.visible_keys": "tests/layers/test_attention_options.py: rules, for several sizes of blocks",
    "kernels.attention_scores.differences": "tests/sweeps/test_layer_extremes.py",
    "kernels.attention_scores.ends_in_a_square": "tests/layers/test_attention_options.py: rules, for several sizes of blocks",
    "kernels.attention_scores.exponentials": "tests/sweeps/test_layer_extremes.py",
    "kernels.attention_scores.far_argument": "tests/layers/test_attention_options.py: scores beyond the range",
    "kernels.attention_scores.may_overflow": "tests/sweeps/test_layer_extremes.py",
    "kernels.attention_scores.power_below": "tests/sweeps/test_layer_extremes.py",
    "kernels.correlation.correlate_many_channels": "tests/sweeps/test_convolution_locality.py",
    "kernels.spatial.takes_products": "tests/layers/test_images.py",
    "kernels.winograd.are_even": "tests/sweeps/test_convolution_locality.py",
    "kernels.winograd.are_even_by_windows": "tests/sweeps/test_convolution_locality.py",
    "layers.pooling.adaptive_pooling.cell_sums": "tests/layers/test_pooling.py, tests/sweeps/test_averages.py",
    "layers.pooling.power_pooling.signs": "tests/derivatives/test_products.py, tests/layers/test_pooling.py",
    "losses.limits.row_totals": "tests/sweeps/test_loss_limits.py",
    "losses.limits.times": "tests/sweeps/test_loss_limits.py",
}

ROOMS = {
    "combinators.implicit.": "tests/combinators/test_implicit.py",
    "derivatives.": "tests/derivatives",
    "kernels.step_products.": "tests/kernels/test_arrays.py, tests/kernels/test_steps.py",
    "kernels.steps.": "tests/kernels/test_steps.py",
    "kernels.transcendental.": "tests/kernels/test_transcendental.py",
}
"""Rooms whose mutants are not counted.

Iterations that go on until they are exact enough repair many a mutant by themselves, what chooses a step or a circle changes
digits alone, what looks for layers that are not analytic raises errors and computes no gradient, and forms for complex numbers
are not reached by gradients of real ones.
"""


def is_held_elsewhere(name: str) -> bool:
    """Tell whether the mutants of a function are left to other tests."""
    return name in ELSEWHERE or name.startswith(tuple(ROOMS))
