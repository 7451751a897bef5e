"""What is known about a wrong leaf: all that a diagnosis may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from attrs import field, frozen

from funcnn.check.differences.patience import Patience
from funcnn.typing import Array


@frozen(eq=False)
class LeafEvidence:
    """One leaf of the arguments with its gradient, analytic and numeric."""

    path: str
    value: Array
    """The leaf itself."""
    analytic: Array | None
    """Its gradient by the code under test, in the reference precision (None when it has no usable shape)."""
    numeric: Array
    """Its gradient by differences; NaN in the entries that were not examined."""
    bar: Array
    """The error bars of ``numeric``."""
    wrong: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    """Which entries fail (of those examined)."""
    kink: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    """Which entries stand at a kink."""


@frozen(eq=False)
class Evidence:
    """The case around one wrong leaf, in the reference precision (long double where that is wider than float64).

    ``function(*args)`` gives a tree of arrays; ``pullback(*args, dy)`` gives a tuple with one cotangent tree for each argument in
    ``differentiated``.  Both are pure as seen from here: copy what you want to move.
    """

    leaf: int
    """The position of the wrong leaf in ``leaves``."""
    leaves: tuple[LeafEvidence, ...]
    """Every floating leaf of the arguments."""
    function: Callable[..., object]
    pullback: Callable[..., object]
    args: tuple[object, ...]
    differentiated: tuple[int, ...]
    """Which arguments have cotangents."""
    cotangent: object
    """dy: a tree like the output, None for an integer output."""
    output: object
    """function(*args)."""
    seed: int
    constants: Mapping[str, float] = field(factory=dict)
    """Numbers of the case by name, such as hyper-parameters, for naming a factor."""
    kind: str = "value"
    """The kind of the finding: ``value`` or ``precision``."""
    patience: Patience = field(factory=Patience)
    """The time that experiments may take."""
    _stale: Callable[[], bool] = field(default=lambda: False, repr=False, alias="stale")

    @property
    def wrong(self) -> LeafEvidence:
        """The wrong leaf."""
        return self.leaves[self.leaf]

    def stale(self) -> bool:
        """Tell whether the gradient is right where it was first called, and wrong elsewhere."""
        return self._stale()
