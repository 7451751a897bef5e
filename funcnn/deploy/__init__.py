"""Networks that leave the script that made them: as ONNX files, and as plain NumPy."""

from funcnn.deploy.onnx.export import Described, export_onnx
from funcnn.deploy.onnx.graph import ExportError
from funcnn.deploy.onnx.reading.importing import Imported, import_onnx
from funcnn.deploy.onnx.reading.program import OperatorError
from funcnn.deploy.script.collect import ScriptError
from funcnn.deploy.script.prediction import export_script
from funcnn.deploy.script.training import export_training_script
from funcnn.runtime.lazy_imports import listing

__all__ = [
    "Described",
    "ExportError",
    "Imported",
    "OperatorError",
    "ScriptError",
    "export_onnx",
    "export_script",
    "export_training_script",
    "import_onnx",
]
__dir__ = listing(__name__, __all__)
