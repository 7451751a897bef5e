"""Networks that leave the script that made them: as ONNX files, and as plain NumPy."""

from funcnn.deploy.onnx.export import Described, export_onnx
from funcnn.deploy.onnx.graph import ExportError
from funcnn.runtime.lazy_imports import listing

__all__ = ["Described", "ExportError", "export_onnx"]
__dir__ = listing(__name__, __all__)
