"""Predictions here beside onnxruntime and OpenVINO on the exported files: what a user would pick to serve.

``python -m tests.benchmarks.runtimes`` prints a row for each network and batch: milliseconds here, and those of each runtime over
them, the median of rounds in which all take turns, on one thread each.  OpenVINO takes part where it is installed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import funcnn as fn
from funcnn.deploy.onnx.export import onnx_bytes
from funcnn.runtime.blas import one_thread

ROUNDS = 15
SECONDS = 0.05
"""Of a round of one runtime."""


def networks() -> dict[str, tuple[Any, Any]]:
    """Return the networks with the shape of an example, or the tokens."""
    return {
        "infer-digits": (fn.mlp(64, 10), (64,)),
        "infer-lenet": (fn.lenet5(), (28, 28, 1)),
        "infer-gpt": (fn.gpt(65, layers=4, heads=4, features=128, context_length=64), (64,)),
    }


def runtimes(content: bytes, x: Any) -> dict[str, Callable[[], Any]]:
    """Return calls of the other runtimes, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    found: dict[str, Callable[[], Any]] = {"onnxruntime": lambda: session.run(None, {"input": x})}
    try:
        import openvino
    except ModuleNotFoundError:
        return found
    core = openvino.Core()
    hints = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(core.read_model(content), "CPU", hints).create_infer_request()
    found["openvino"] = lambda: request.infer({"input": x})
    return found


def seconds(call: Callable[[], Any]) -> float:
    """Return the processor time of a call."""
    calls, begin = 0, time.process_time()
    while time.process_time() - begin < SECONDS or not calls:
        call()
        calls += 1
    return (time.process_time() - begin) / calls


def row(name: str, batch: int) -> str:
    """Measure a network at a batch and return its row."""
    model, shape = networks()[name]
    start = model.init(fn.Key(0), shape)
    params, state = fn.tree.astype((start.params, start.state), np.float32)
    generator = np.random.default_rng(0)
    tokens = name == "infer-gpt"
    x = generator.integers(0, 65, (batch, *shape)) if tokens else generator.normal(size=(batch, *shape)).astype(np.float32)
    own = fn.compiled(model)
    calls = {"here": lambda: own(params, state, x), **runtimes(onnx_bytes(model, params, state, x, fn.deploy.Described()), x)}
    for call in calls.values():
        call()
        call()
    times = {one: [] for one in calls}
    for _ in range(ROUNDS):
        for one, call in calls.items():
            times[one].append(seconds(call))
    here = np.array(times.pop("here"))
    ratios = [f"{np.median(np.array(one) / here):.2f}" for one in times.values()]
    return f"| {name} | {batch} | {1000 * np.median(here):.3f} | {' | '.join(ratios)} |"


if __name__ == "__main__":
    with one_thread():
        for each in networks():
            for size in (1, 64):
                print(row(each, size), flush=True)
