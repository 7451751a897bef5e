"""Pictures of training, predictions and networks, by matplotlib (``pip install 'funcnn[train]'``).

Each function returns a figure, which a notebook shows, and writes it where a path is given: SVG, PNG or PDF by the ending of the
name.  No window is opened and no state of pyplot is touched; equal data give equal SVG and PNG files.  :func:`diagram` is SVG of
our own, and a text.
"""

from funcnn.plots.diagram import diagram
from funcnn.plots.parameters import attention, filters, gradient_flow, histograms
from funcnn.plots.predictions import calibration, precision_recall, residuals, roc
from funcnn.plots.spaces import LossLandscape, embedding, landscape, loss_landscape
from funcnn.plots.training import confusion, curves
from funcnn.runtime.lazy_imports import listing

__all__ = [
    "LossLandscape",
    "attention",
    "calibration",
    "confusion",
    "curves",
    "diagram",
    "embedding",
    "filters",
    "gradient_flow",
    "histograms",
    "landscape",
    "loss_landscape",
    "precision_recall",
    "residuals",
    "roc",
]
__dir__ = listing(__name__, __all__)
