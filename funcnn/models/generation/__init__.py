"""Sequences that go on: a causal network step by step, tokens drawn from it, and searches of the most probable ones."""

from funcnn.models.generation.beam_search import beam_search
from funcnn.models.generation.sample import Generated, sample
from funcnn.models.generation.sampling import Sampling
from funcnn.models.generation.stepwise import Stepped, Stepwise, stepwise
from funcnn.runtime.lazy_imports import listing

__all__ = ["Generated", "Sampling", "Stepped", "Stepwise", "beam_search", "sample", "stepwise"]
__dir__ = listing(__name__, __all__)
