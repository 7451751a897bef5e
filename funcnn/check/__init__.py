"""Verification of gradients by finite differences."""

from typing import TYPE_CHECKING

from funcnn.runtime.lazy_imports import attach

if TYPE_CHECKING:  # for type checkers and readers; at run time each name is imported at its first use
    from funcnn.check.adapters.foreign import check_foreign
    from funcnn.check.adapters.jax import check_jax
    from funcnn.check.adapters.objects import check_backward, check_object
    from funcnn.check.adapters.pytorch import check_torch
    from funcnn.check.adapters.scipy import check_scipy
    from funcnn.check.functions import check_grad, check_vjp
    from funcnn.check.networks import check_layer, check_loss, check_model
    from funcnn.check.numeric import NumericGradient, numeric_grad
    from funcnn.check.products import check_hvp, check_jvp
    from funcnn.check.records import Diagnosis, Finding, LeafReport, Witness
    from funcnn.check.report import Report
    from funcnn.check.rounding import Trusted, TrustedDigits, trusted_digits

__all__ = [
    "Diagnosis",
    "Finding",
    "LeafReport",
    "NumericGradient",
    "Report",
    "Trusted",
    "TrustedDigits",
    "Witness",
    "check_backward",
    "check_foreign",
    "check_grad",
    "check_hvp",
    "check_jax",
    "check_jvp",
    "check_layer",
    "check_loss",
    "check_model",
    "check_object",
    "check_scipy",
    "check_torch",
    "check_vjp",
    "numeric_grad",
    "trusted_digits",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(__name__, __all__)
