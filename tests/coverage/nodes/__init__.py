"""What ONNX's operators are in this library: one file for each family."""

from tests.coverage.nodes import attention, elementwise, losses, normalization, recurrent, resizing, spatial

__all__ = ["attention", "elementwise", "losses", "normalization", "recurrent", "resizing", "spatial"]
