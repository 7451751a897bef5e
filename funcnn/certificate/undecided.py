"""Where differences cannot decide, and why: an inconclusive row is accepted only with a reason given here.

A reason that no row needs any more is an error too, so the table cannot rot.
"""

from __future__ import annotations

REASONS: dict[tuple[str, str, str], str] = {
    ("cosine_embedding", "prediction[1]", "ties"): "the cosine is not continuous at a vector of zeros",
    ("gaussian_kl", "prediction[0]", "saturated"): (
        "the value is a sum with exp(log-variance) of up to 1e20: what the mean adds is below its last digit"
    ),
}
"""By public name, leaf and edge."""
