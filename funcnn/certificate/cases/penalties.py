"""Cases of penalties on parameters."""

from __future__ import annotations

import funcnn as fn
from funcnn.certificate.cases.case import PenaltyCase

PENALTIES: dict[str, tuple[PenaltyCase, ...]] = {
    "l1_penalty": (
        PenaltyCase(lambda: fn.l1_penalty(0.3)),
        PenaltyCase(lambda: fn.l1_penalty(0.3, where="weight"), label="some leaves"),
    ),
    "l2_penalty": (
        PenaltyCase(lambda: fn.l2_penalty(0.3)),
        PenaltyCase(lambda: fn.l2_penalty(0.3, where=fn.is_matrix), label="matrices"),
    ),
}
