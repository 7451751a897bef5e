"""The package ``onnx``, where it is installed."""

from __future__ import annotations

from typing import Any


def library() -> Any:  # Any: the optional library, which may not be there
    """Return the package ``onnx`` with its helpers, or raise with what to do."""
    try:
        import onnx  # pyright: ignore[reportMissingImports] - an extra
        import onnx.checker  # pyright: ignore[reportMissingImports] - an extra
        import onnx.helper  # pyright: ignore[reportMissingImports] - an extra
        import onnx.numpy_helper  # pyright: ignore[reportMissingImports] - an extra
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] != "onnx":
            raise
        raise ModuleNotFoundError(
            "ONNX files are read and written by the package onnx, which is not installed: pip install 'funcnn[onnx]'", name="onnx"
        ) from None
    return onnx
