"""Running torch's own code with its functions replaced by layers and losses of this library."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import torch
from attrs import frozen
from torch.overrides import TorchFunctionMode, resolve_name

from tests.coverage.bridge import Inexpressible

BAR = 1e-9
"""The largest difference, as a share of the largest entry of an array, or of 1 where that is larger."""


@frozen
class Translator:
    """What a function or a module of torch is in this library."""

    call: Callable[..., Any]
    """Takes the function's arguments, or the module and its inputs."""
    constants: tuple[str, ...] = ()
    """The arguments with respect to which this library has no gradient: the targets of losses."""
    bar: float = BAR
    """Larger where torch itself is further from the truth."""


TRANSLATORS: dict[Any, Translator] = {}
"""By the function, or the module's class."""
VIEWS = frozenset(("__getitem__", "flatten", "reshape", "squeeze", "transpose", "unsqueeze", "view"))
QUESTIONS = frozenset(
    ("__bool__", "__float__", "__get__", "_nested_tensor_from_mask_left_aligned", "dim", "is_floating_point", "size")
)
MASKS = frozenset(("__eq__", "all", "full", "logical_not", "masked_fill_", "triu", "zeros", "zeros_like"))
"""What torch may go on doing by itself: nothing that calculates, but of what has no gradient, such as masks."""


def translates(
    *functions: Any, constants: tuple[str, ...] = (), bar: float = BAR
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a translator of functions or modules."""

    def registered(call: Callable[..., Any]) -> Callable[..., Any]:
        TRANSLATORS.update(dict.fromkeys(functions, Translator(call, constants, bar)))
        return call

    return registered


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of arguments or results."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors(part)
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))


class Translated(TorchFunctionMode):
    """Where it is entered, torch's functions are this library's; one that has no translator is inexpressible."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.bar = BAR
        self.constants: list[torch.Tensor] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        translator = TRANSLATORS.get(function)
        if translator is None:
            counts = function is torch.Tensor.add_ and not args[0].is_floating_point()  # the batches that a norm has seen
            name = getattr(function, "__name__", "")
            constant = not any(value.requires_grad for value in tensors(args))
            if counts or name in VIEWS or name in QUESTIONS or (name in MASKS and constant):
                return function(*args, **kwargs)
            raise Inexpressible(
                f"no {(resolve_name(function) or str(function)).removeprefix('torch.').removeprefix('nn.functional.')}"
            )
        self.calls += 1
        self.bar = max(self.bar, translator.bar)
        if translator.constants:
            given = inspect.signature(translator.call).bind(*args, **kwargs).arguments
            self.constants += [value for name in translator.constants if isinstance(value := given.get(name), torch.Tensor)]
        return translator.call(*args, **kwargs)

    def module(self, module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        """Return what a module gives, by its own translator if it has one, or by those of the functions that it calls."""
        own = TRANSLATORS.get(type(module))
        if own is not None:
            with suppress(Inexpressible):  # a block as a whole; if it lacks an option, its parts
                made = own.call(module, *args, **kwargs)
                self.calls += 1
                return made
        with self:
            return module(*args, **kwargs)
