"""ONNX's own node tests: one node, its inputs and its outputs, which are stored in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from onnx import helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from tests.coverage.bridge import Inexpressible, unless
from tests.coverage.compare import Row, close
from tests.coverage.translated import tensors

BAR = 1e-5
"""The largest difference, as for torch's inputs: what is computed here in float64 is compared with numbers of float32."""
COARSE = {"test_averagepool_2d_ceil_last_window_starts_on_pad": 1e-4}
"""Tests whose outputs are stored with four digits."""
NODES: dict[str, Callable[..., Any]] = {}
"""By the operator: a function of the attributes and the inputs, None where one is left out."""


def node(*operators: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a translator of operators."""

    def registered(translator: Callable[..., Any]) -> Callable[..., Any]:
        NODES.update(dict.fromkeys(operators, translator))
        return translator

    return registered


def nodes() -> Iterator[Row]:
    """Yield what became of the tests of each operator that there is here."""
    rows = {operator: Row(operator) for operator in sorted(NODES)}
    for case in collect_testcases(None):
        if case.model is None or len(case.model.graph.node) != 1:
            continue
        (one,) = case.model.graph.node
        if one.op_type in rows and case.data_sets:
            rows[one.op_type].count(case.name, partial(agree, one, *case.data_sets[0], COARSE.get(case.name, BAR)))
    yield from rows.values()


def agree(one: Any, inputs: Any, outputs: Any, bar: float) -> bool:
    """Compare a node's outputs with what is stored, and raise where they disagree."""
    values = iter([numpy_helper.to_array(value) if hasattr(value, "HasField") else np.asarray(value) for value in inputs])
    arguments = [tensor(next(values)) if name else None for name in one.input]
    attributes = {
        attribute.name: value.decode() if isinstance(value := helper.get_attribute_value(attribute), bytes) else value
        for attribute in one.attribute
    }
    found = NODES[one.op_type](attributes, *arguments)
    made = list(found) if isinstance(found, tuple) else [found]
    wanted = [place for place, name in enumerate(one.output) if name]
    unless(wanted[-1] >= len(made), "statistics, masks or scores as an output")
    for place, output in zip(wanted, outputs, strict=True):
        stored = torch.from_numpy(np.array(output))
        reference = stored.double() if stored.is_floating_point() else stored
        (given,) = tensors(made[place])
        close(f"output {place}", given.to(reference.dtype), reference, bar)
    return True


def tensor(value: np.ndarray) -> torch.Tensor:
    """Return an input, in float64 where it is of float32."""
    if value.dtype in (np.float32, np.float64):
        return torch.from_numpy(value.astype(np.float64))
    if value.dtype.kind in "iub":
        return torch.from_numpy(value.astype(np.int64) if value.dtype.kind in "iu" else value)
    raise Inexpressible("half precision")
