"""What cannot be decided, and why: an inconclusive row, or a loss of digits, is accepted only for a reason given here.

A reason that no row needs any more is an error too, so the table cannot rot.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from attrs import frozen


@frozen
class Reason:
    """Why some findings are no mistakes.  Name, leaf and edge are patterns, such as ``*attention``."""

    name: str
    leaf: str
    edge: str
    why: str
    kinds: tuple[str, ...] = ("inconclusive",)
    """The kinds of findings that it explains; none where the situation is not checked at all."""

    def covers(self, name: str, edge: str, leaf: str = "*") -> bool:
        """Tell whether it is about a name, a situation and a leaf."""
        where = fnmatchcase(name, self.name) and fnmatchcase(edge, self.edge)
        return where and (leaf == "*" or fnmatchcase(leaf, self.leaf))


REASONS = (
    Reason("attention", "params.position.table", "saturated", "every weight is 0 or 1 to the last digit: no bias changes one"),
    Reason(
        "cross_attention",
        "params.query.*",
        "1e-8",
        "the slope is a product of differences of 1e-8 between keys and between values: below the last digit of the output",
    ),
    Reason("cosine_embedding", "prediction?1?", "ties", "the cosine is not continuous at a vector of zeros"),
    Reason(
        "gaussian_kl",
        "prediction?0?",
        "saturated",
        "the value is a sum with exp(log-variance) of up to 1e20: what the mean adds is below its last digit",
    ),
)
"""Findings that are explained."""

NOT_CHECKED: tuple[Reason, ...] = (
    Reason(
        "*attention",
        "*",
        "1e+8",
        "scores of 1e16, whose own rounding is larger than the differences that decide between keys",
        kinds=(),
    ),
)
"""Situations in which no number would mean anything."""


def reason(name: str, leaf: str, edge: str, kind: str) -> str:
    """Return why a finding is no mistake; nothing when there is no reason."""
    return next((one.why for one in REASONS if one.covers(name, edge, leaf) and kind in one.kinds), "")


def not_checked(name: str, edge: str) -> str:
    """Return why a situation is left out; nothing when it is not."""
    return next((one.why for one in NOT_CHECKED if one.covers(name, edge)), "")
