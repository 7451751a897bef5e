"""Proof that the certificate can see: every gradient of the library, broken on purpose in every small way.

A case that never reaches a branch, or in which a term is 0, would let a wrong gradient pass.  So each function that computes a
gradient is changed automatically, one operator, constant, axis, index or statement at a time, and the cases must notice every
change that makes a gradient wrong.
"""

from __future__ import annotations

from tests.mutants.record import FunctionScore, Mutant, MutationScore
from tests.mutants.score import score

__all__ = ["FunctionScore", "Mutant", "MutationScore", "score"]
