"""Verification of gradients by finite differences."""

from funcnn.check.functions import check_grad, check_hvp, check_vjp
from funcnn.check.networks import check_layer, check_loss, check_model
from funcnn.check.numeric import NumericGradient, numeric_grad
from funcnn.check.records import Diagnosis, Finding, LeafReport
from funcnn.check.report import Report
from funcnn.deferred import listing

__all__ = [
    "Diagnosis",
    "Finding",
    "LeafReport",
    "NumericGradient",
    "Report",
    "check_grad",
    "check_hvp",
    "check_layer",
    "check_loss",
    "check_model",
    "check_vjp",
    "numeric_grad",
]
__dir__ = listing(__name__, __all__)
