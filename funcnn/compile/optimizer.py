"""An optimizer whose updates of small trees run with all that can be known before them worked out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from funcnn.optim.donation import Donating
from funcnn.optim.flat import Elementwise
from funcnn.optim.optimizer import OptState, Updated
from funcnn.optim.small import SmallUpdate, small_update

P = TypeVar("P")


def compiled_optimizer(optimizer: Any) -> Any:  # Any: an optimizer, or a transformation in a chain, which stays what it is
    """Return an optimizer like another in which the rules are compiled, as far as it is made of the library's own parts.

    A plateau makes its rules anew when it lowers their rates: they stay as they are.
    """
    if isinstance(optimizer, Elementwise):
        return CompiledOptimizer(optimizer)
    own = type(optimizer).__module__.startswith("funcnn.") and not hasattr(type(optimizer), "is_plateau")
    parts: tuple[object, ...] = getattr(optimizer, "parts", ()) if own and not isinstance(optimizer, Donating) else ()
    inside = tuple([compiled_optimizer(part) for part in parts])
    return optimizer.combine(inside) if any(one is not part for one, part in zip(inside, parts, strict=True)) else optimizer


class CompiledOptimizer:
    """A rule that treats every number alike, with the update that was worked out for its parameters."""

    unscalable: ClassVar[str] = "it is compiled; compile what is made of it instead"

    def __init__(self, optimizer: Elementwise) -> None:
        self.optimizer = optimizer
        self._asked = False
        self._small: SmallUpdate[Any] | None = None  # Any: parameters of whatever type

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update."""
        return self.optimizer.init(params)

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the next parameters and state."""
        if self._small is not None:
            updated: Updated[P] | None = self._small(params, grads, state)
            if updated is not None:
                return updated
        updated = self.optimizer.update(params, grads, state)  # it shows that the arguments fit
        if not self._asked:
            self._small, self._asked = small_update(self.optimizer, params), True
        return updated

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return CompiledOptimizer, (self.optimizer,)

    def __repr__(self) -> str:
        return f"compiled({self.optimizer!r})"
