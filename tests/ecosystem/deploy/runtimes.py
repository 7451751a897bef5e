"""What runs an exported file: onnxruntime, and where it has no kernel in double precision, ONNX's own reference."""

import math
from typing import Any

import numpy as np
import onnxruntime
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from onnxruntime.capi import onnxruntime_pybind11_state as state

import funcnn as fn


class Erf(OpRun):
    """The error function in the precision of its input: the reference's own gives float32 always."""

    def _run(self, x: Any) -> Any:
        return (np.vectorize(math.erf, otypes=[x.dtype])(x),)


def session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def run_onnxruntime(content: bytes, feeds: dict[str, Any]) -> dict[str, Any]:
    made = session(content)
    asked = {one.name for one in made.get_inputs()}
    given = {name: value for name, value in feeds.items() if name in asked}
    return dict(zip([one.name for one in made.get_outputs()], made.run(None, given), strict=True))


def run_reference(content: bytes, feeds: dict[str, Any]) -> dict[str, Any]:
    made = ReferenceEvaluator(content, new_ops=[Erf])
    return dict(zip(made.output_names, made.run(None, feeds), strict=True))


def run(content: bytes, feeds: dict[str, Any], dtype: Any) -> dict[str, Any]:
    """Run a file; in single precision by onnxruntime alone."""
    if dtype == np.float32:
        return run_onnxruntime(content, feeds)
    try:
        return run_onnxruntime(content, feeds)
    except (state.NotImplemented, state.RuntimeException) as error:
        if "Could not find an implementation" not in str(error) and "does not support double" not in str(error):
            raise
        return run_reference(content, feeds)


def named(value: Any, name: str) -> dict[str, Any]:
    """Return the arrays of an input or an output by the names that a file has for them."""
    if isinstance(value, tuple):
        return {key: one for i, part in enumerate(value) for key, one in named(part, f"{name}_{i}").items()}
    if isinstance(value, fn.Masked):
        return {name: value.values, f"{name}_mask": value.mask}
    if isinstance(value, fn.Pooled):
        return {name: value.values, f"{name}_indices": value.indices}
    return {name: value}
