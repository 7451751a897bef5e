"""Comparing a sample's outputs, gradients and running statistics."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from attrs import Factory, define

from tests.coverage.bridge import Inexpressible
from tests.coverage.translated import Translated, tensors

Pair = tuple[torch.Tensor, torch.Tensor]
"""An input of this library's run, and the same of torch's."""


@define
class Row:
    """What became of the samples of one operator."""

    name: str
    samples: int = 0
    equal: int = 0
    targets: int = 0
    """Of the equal ones, those in which torch has a gradient with respect to the target too."""
    reasons: dict[str, int] = Factory(dict)
    unequal: list[str] = Factory(list)

    @property
    def expressible(self) -> int:
        """How many samples could be written with this library."""
        return self.equal + len(self.unequal)

    def count(self, which: str, judge: Callable[[], bool | str]) -> None:
        """Judge one more sample: True is equal, with a gradient of the target left out if a word is given."""
        self.samples += 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.targets += judge() == "target"
            self.equal += 1
        except Inexpressible as reason:
            self.reasons[str(reason)] = self.reasons.get(str(reason), 0) + 1
        except Exception as error:  # whatever it is, the sample is not equal
            self.unequal.append(f"{which}: {type(error).__name__}: {error}")


def agree(original: Callable[[Any], Any], translated: Callable[[Translated, Any], Any], given: Any) -> bool | str:
    """Run both on the same tensors, and raise where they disagree; say "target" when gradients of targets were left out."""
    ours, theirs = copied(given), copied(given)
    mode = Translated()
    found = translated(mode, ours)  # first, since most of what cannot be expressed is known at once
    if not mode.calls:
        raise Inexpressible("no such operation")
    wanted = original(theirs)
    outputs, references = list(tensors(found)), list(tensors(wanted))
    if len(outputs) != len(references):
        raise AssertionError(f"{len(outputs)} outputs for {len(references)}")
    for number, (output, reference) in enumerate(zip(outputs, references, strict=True)):
        close(f"output {number}", output, reference, mode.bar)
    leaves = list(zip(inputs(ours), inputs(theirs), strict=True))
    left_out = compare_gradients(mode, leaves, outputs, references)
    for mine, other in leaves:
        if not other.requires_grad:
            close("running statistics", mine, other, mode.bar)
    return "target" if left_out else True


def compare_gradients(mode: Translated, leaves: list[Pair], outputs: list[torch.Tensor], references: list[torch.Tensor]) -> bool:
    """Compare the gradients of all inputs along random cotangents; tell whether one of a target was left out."""
    generator = torch.Generator().manual_seed(1)
    chosen = [(output, reference) for output, reference in zip(outputs, references, strict=True) if reference.requires_grad]
    wanted = [(mine, other) for mine, other in leaves if other.requires_grad]
    if not chosen or not wanted:
        return False
    cotangents = [torch.randn(reference.shape, dtype=torch.float64, generator=generator) for _, reference in chosen]
    expected = gradients([reference for _, reference in chosen], [other for _, other in wanted], cotangents)
    found = gradients([output for output, _ in chosen], [mine for mine, _ in wanted], cotangents)
    constants = {id(tensor) for tensor in mode.constants}
    left_out = False
    for number, ((mine, _), grad, reference) in enumerate(zip(wanted, found, expected, strict=True)):
        if id(mine) in constants:
            left_out = left_out or bool(reference.any())
        else:
            close(f"gradient {number}", grad, reference, mode.bar)
    return left_out


def gradients(of: list[torch.Tensor], to: list[torch.Tensor], along: list[torch.Tensor]) -> list[torch.Tensor]:
    """Return the gradients, 0 where nothing depends on a tensor."""
    pairs = [(output, cotangent) for output, cotangent in zip(of, along, strict=True) if output.requires_grad]
    made: Any = [None] * len(to)
    if pairs:
        made = torch.autograd.grad([output for output, _ in pairs], to, [one for _, one in pairs], allow_unused=True)
    return [torch.zeros_like(tensor) if grad is None else grad for tensor, grad in zip(to, made, strict=True)]


def copied(given: Any) -> Any:
    """Return arguments with tensors of their own, so that nothing is written into those of the other run."""
    if isinstance(given, torch.nn.Module):
        return copy.deepcopy(given)
    if isinstance(given, torch.Tensor):
        return given.detach().clone().requires_grad_(given.requires_grad)
    if isinstance(given, (list, tuple)):
        return type(given)(map(copied, given))
    return {key: copied(value) for key, value in given.items()} if isinstance(given, dict) else given


def inputs(given: Any) -> list[torch.Tensor]:
    """Return all tensors that went in, a module's parameters and buffers among them."""
    if isinstance(given, torch.nn.Module):
        return [*given.parameters(), *given.buffers()]
    if isinstance(given, torch.Tensor):
        return [given]
    if isinstance(given, dict):
        given = list(given.values())
    return [tensor for part in given for tensor in inputs(part)] if isinstance(given, (list, tuple)) else []


def close(what: str, found: torch.Tensor, wanted: torch.Tensor, bar: float) -> None:
    """Raise unless two arrays are of one shape and equal up to the bar; NaN and infinity have to stand in the same places."""
    a, b = (tensor.detach().to_dense().numpy() for tensor in (found, wanted))
    if a.shape != b.shape:
        raise AssertionError(f"{what} has the shape {a.shape}, expected {b.shape}")
    if not a.size:
        return
    if not (np.issubdtype(b.dtype, np.floating) or np.issubdtype(b.dtype, np.complexfloating)):
        if not np.array_equal(a, b):
            raise AssertionError(f"{what} is another integer in {(a != b).sum()} of {a.size} places")
        return
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True) or not np.isfinite(a[finite]).all():
        raise AssertionError(f"{what} is not finite in other places: {a.ravel()[:4]}, expected {b.ravel()[:4]}")
    apart = np.abs(a[finite] - b[finite]).max(initial=0.0)
    if apart > bar * max(1.0, np.abs(b[finite]).max(initial=0.0)):
        raise AssertionError(f"{what} differs by {apart:.1e}")
