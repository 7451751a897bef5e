"""Mutants that change no gradient, and why.

An entry stands for a statement of a function and says how many of its mutants survive, and why these must.  When the source
changes, or the cases no longer kill the others, the number is wrong: that is a failure like a survivor.
"""

from __future__ import annotations

from typing import TypeAlias

Reasons: TypeAlias = dict[str, dict[str, tuple[int, str]]]

REASONS: Reasons = {}
"""By function, then by statement: how many, and why."""
