"""torch's own test inputs: of its functionals and of its modules."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch.nn.parameter import UninitializedTensorMixin
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.common_modules import module_db

from tests.coverage.compare import Row, agree
from tests.coverage.translated import Translated

ALSO = ("softmax", "log_softmax", "sigmoid", "tanh", "exp")
"""Functions beside those of ``torch.nn.functional`` that are layers here."""
COPIES = ("with_dtype", "complex", "without_cudnn", "chunked_none")
"""Variants that bring the same inputs once more, in another precision or for another device."""


def functionals() -> Iterator[Row]:
    """Yield what became of the inputs of each functional."""
    for op in op_db:
        name = op.name.removeprefix("nn.functional.")
        if (op.name == name and name not in ALSO) or op.variant_test_name in COPIES:
            continue
        row = Row(f"{name} ({op.variant_test_name})" if op.variant_test_name else name)
        torch.manual_seed(0)
        for number, sample in enumerate(op.sample_inputs("cpu", torch.float64, requires_grad=True)):
            given = [sample.input, *sample.args], sample.kwargs
            row.count(f"{row.name} {number}", partial(agree, partial(call, op.op), partial(replaced, op.op), given))
        yield row


def call(function: Any, given: Any) -> Any:
    """Call a function with its arguments."""
    return function(*given[0], **given[1])


def replaced(function: Any, mode: Translated, given: Any) -> Any:
    """Call it with torch's functions replaced."""
    with mode:
        return call(function, given)


def modules() -> Iterator[Row]:
    """Yield what became of the inputs of each module, in training and in evaluation."""
    for info in module_db:
        row = Row(info.module_cls.__name__)
        for training in (True, False):
            torch.manual_seed(0)
            samples = info.module_inputs_func(info, device="cpu", dtype=torch.float64, requires_grad=True, training=training)
            for number, sample in enumerate(samples):
                made = sample.constructor_input
                module = info.module_cls(*made.args, **made.kwargs).double().train(training)
                call_of = sample.forward_input
                if any(isinstance(parameter, UninitializedTensorMixin) for parameter in module.parameters()):
                    module(*call_of.args, **call_of.kwargs)  # a lazy one finds its shapes
                given = [module, list(call_of.args), call_of.kwargs]
                which = f"{row.name} {'training' if training else 'evaluation'} {number}"
                row.count(which, partial(agree, apply, apply_replaced, given))
        yield row


def apply(given: Any) -> Any:
    """Apply a module."""
    module, args, kwargs = given
    return module(*args, **kwargs)


def apply_replaced(mode: Translated, given: Any) -> Any:
    """Apply it with torch's functions replaced."""
    module, args, kwargs = given
    return mode.module(module, *args, **kwargs)
