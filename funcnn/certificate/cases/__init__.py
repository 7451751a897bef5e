"""The gradient cases: one entry or more for every public factory of layers, losses and penalties.

A factory without an entry is a failing test.  To add one, an entry under the factory's name: how to make it, the shape of one
example, and, where the formula has kinks or switches, inputs that visit every branch (the checker knows what to do at a kink; a
case that never reaches a branch would prove nothing about it).
"""

from __future__ import annotations

from funcnn.certificate.cases.activations import ACTIVATIONS
from funcnn.certificate.cases.attention import ATTENTION
from funcnn.certificate.cases.case import LayerCase, LossCase, PenaltyCase
from funcnn.certificate.cases.combinators import COMBINATORS
from funcnn.certificate.cases.convolution import CONVOLUTION
from funcnn.certificate.cases.dense import DENSE
from funcnn.certificate.cases.derivatives import DERIVATIVES
from funcnn.certificate.cases.embedding import EMBEDDING
from funcnn.certificate.cases.images import IMAGES
from funcnn.certificate.cases.losses import LOSSES
from funcnn.certificate.cases.models import MODELS
from funcnn.certificate.cases.normalization import NORMALIZATION
from funcnn.certificate.cases.penalties import PENALTIES
from funcnn.certificate.cases.pooling import POOLING
from funcnn.certificate.cases.sequences import SEQUENCES
from funcnn.certificate.cases.small import SMALL
from funcnn.certificate.cases.transformers import TRANSFORMERS

LAYERS: dict[str, tuple[LayerCase, ...]] = {
    **DENSE,
    **SMALL,
    **NORMALIZATION,
    **ACTIVATIONS,
    **CONVOLUTION,
    **POOLING,
    **IMAGES,
    **SEQUENCES,
    **EMBEDDING,
    **ATTENTION,
    **TRANSFORMERS,
    **MODELS,
    **COMBINATORS,
    **DERIVATIVES,
}
"""By the name of the factory."""

__all__ = ["LAYERS", "LOSSES", "PENALTIES", "LayerCase", "LossCase", "PenaltyCase"]
