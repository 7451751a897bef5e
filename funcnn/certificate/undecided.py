"""What cannot be decided, and why: an inconclusive row, or a loss of digits, is accepted only for a reason given here.

A reason that no row needs any more is an error too, so the table cannot rot.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from attrs import frozen


@frozen
class Reason:
    """Why some findings are no mistakes.  Name, leaf and edge are patterns, such as ``*attention*``; no leaf is the function."""

    name: str
    leaf: str
    edge: str
    why: str
    kinds: tuple[str, ...] = ("inconclusive",)
    """The kinds of findings that it explains."""

    def covers(self, name: str, edge: str, leaf: str = "*") -> bool:
        """Tell whether it is about a name, a situation and a leaf."""
        where = fnmatchcase(name, self.name) and fnmatchcase(edge, self.edge)
        return where and (leaf == "*" or fnmatchcase(leaf, self.leaf))


_NOT_SEEN = "the slope is a product of differences of 1e-8 between keys and between values: below the last digit of the output"
_BESIDE = "what it adds is below the last digit of what stands beside it"
_FLAT = "derivatives of units so far saturated that the rounding of their mean over a circle is larger than they are"
_NORMALIZED_AWAY = "a bias before batch normalization has no slope in training: what is seen is rounding"
_ONE_HOT = "every weight is 0 or 1 to the last digit: no bias changes one"
_ALL_TIES = "in a large case all windows tie at once, and a direction goes through all kinks; smaller cases decide entry by entry"
_ALL_KINKS = (
    "normalized zeros are all alike: every relu stands at its kink at once, and no neighbouring point tells the sides apart"
)
_LAST_DIGITS = "normalized zeros are all alike: at the kinks of all relus last digits decide which side's slope is taken"
_IMPOSSIBLE = "what happens had the probability 0: the loss is infinite, and has no slope"

REASONS = (
    Reason("attention*", "params.position.table", "saturated", _ONE_HOT),
    Reason("qk_norm_attention", "params.*_norm.scale", "1e-8", _NOT_SEEN),
    Reason("cross_attention*", "params.query.*", "1e-8", _NOT_SEEN),
    Reason("cross_attention*", "input?0?*", "1e-8", _NOT_SEEN),
    Reason("memory_residual", "params.query.*", "1e-8", _NOT_SEEN),
    Reason("memory_residual", "params.query.bias", "saturated", _ONE_HOT),
    Reason("drop_memory", "params?0?.query.*", "1e-8", _NOT_SEEN),
    Reason("decoder_block*", "params?[12]*.query.*", "1e-8", _NOT_SEEN),
    Reason("decoder_block*", "params?1??0?.scale", "1e-8", _NOT_SEEN),
    Reason("encoder_block", "params?0??0?.project.bias", "1e+8", _BESIDE),
    Reason("decoder_block", "params?0??0?.*.bias", "1e+8", _BESIDE),
    Reason("bilinear", "params.bias", "1e+8", _BESIDE),
    Reason("selective_scan", "params.skip", "1e+8", _BESIDE),
    Reason("selective_scan", "params.log_rate", "1e-8", _BESIDE),
    Reason("selective_scan", "input?1?", "1e-8", _BESIDE),
    Reason("mixture_of_experts", "input", "zeros", "all scores are equal: which experts are chosen jumps, and the output"),
    Reason("load_balancing_loss", "prediction", "ties", "of two largest scores which is first jumps, and the loss"),
    Reason("max_pool2d", "input", "zeros", _ALL_TIES),
    Reason("bilinear", "params.weight", "1e-8", _BESIDE),
    Reason("runge_kutta", "params*", "saturated", _BESIDE),
    Reason("laplacian", "params?0?.bias", "saturated", _FLAT),
    Reason("directional_derivatives", "params?0?.bias", "saturated", _FLAT),
    Reason("shard", "params?0?.bias", "1e-8", _NORMALIZED_AWAY),
    Reason("negative_elbo", "prediction*", "saturated", _BESIDE),
    Reason(
        "arc_face",
        "prediction",
        "ties",
        "where a cosine is 1 or -1 the slope of its angle is infinite: no difference has a limit",
    ),
    Reason("cosine_embedding", "prediction?1?", "ties", "the cosine is not continuous at a vector of zeros"),
    Reason("convnet", "input", "zeros", _ALL_KINKS, kinds=("value",)),
    Reason("resnet", "*", "zeros", _ALL_KINKS, kinds=("value", "inconclusive")),
    Reason("resnet", "params*", "zeros", _LAST_DIGITS, kinds=("precision",)),
    Reason("unet", "input", "zeros", _ALL_KINKS, kinds=("value",)),
    Reason("cross_entropy", "", "zeros", _IMPOSSIBLE, kinds=("nonfinite",)),
    Reason("cross_entropy", "", "ties", _IMPOSSIBLE, kinds=("nonfinite",)),
    Reason("binary_cross_entropy", "", "zeros", _IMPOSSIBLE, kinds=("nonfinite",)),
    Reason("binary_cross_entropy", "", "ties", _IMPOSSIBLE, kinds=("nonfinite",)),
    Reason(
        "gaussian_kl",
        "prediction?0?",
        "saturated",
        "the value is a sum with exp(log-variance) of up to 1e20: what the mean adds is below its last digit",
    ),
)
"""Findings that are explained.  Every situation is checked, so that a reason which nothing needs any more is seen."""


def reason(name: str, leaf: str, edge: str, kind: str) -> str:
    """Return why a finding is no mistake; nothing when there is no reason."""
    return next((one.why for one in REASONS if one.covers(name, edge, leaf) and kind in one.kinds), "")
