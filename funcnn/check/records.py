"""What a check finds: verdicts, leaf by leaf, and findings, each with its diagnosis.

All records are frozen and hold plain numbers and strings: they compare, print, pickle and become JSON.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from attrs import frozen

Verdict: TypeAlias = Literal["pass", "kink-ok", "inconclusive", "fail"]
"""``kink-ok``: the point is a kink and the gradient lies between the one-sided derivatives.  ``inconclusive``: the differences
were too coarse to judge, which is never a pass."""

TAGS = (
    "constant_factor",
    "sign_flip",
    "transpose",
    "swapped_leaf",
    "missing_batch_sum",
    "wrong_axis",
    "single_entry",
    "row_or_column",
    "region",
    "border",
    "channel",
    "time",
    "zero_gradient",
    "missing_term",
    "approximation",
    "eps_mismatch",
    "shifted",
    "permuted",
    "ignores_dy",
    "nonlinear_in_dy",
    "mutates_input",
    "mutates_dy",
    "aliasing",
    "nondeterministic",
    "stale_state",
    "dtype",
    "precision_loss",
    "shape",
    "structure",
    "nonfinite",
)
"""The classes of mistakes that a diagnosis may name."""


@frozen
class Diagnosis:
    """Why a gradient is wrong, as far as the numbers tell."""

    tag: str
    """One of :data:`TAGS`, or ``unknown``."""
    text: str
    """One sentence."""
    explained: float = 0.0
    """The share of the squared error that the hypothesis explains, 0 to 1; negative when it makes the error larger."""


UNKNOWN = Diagnosis("unknown", "no hypothesis explains the difference")


@frozen
class Finding:
    """One thing that is wrong, or could not be judged."""

    kind: str
    """What was violated: ``value``, ``linearity``, ``mutation``, ``aliasing``, ``determinism``, ``state``, ``layout``,
    ``structure``, ``shape``, ``dtype``, ``precision``, ``nonfinite``, ``complex step`` or ``inconclusive``."""
    path: str
    """The leaf: ``[1]`` or ``[1].weight`` of the arguments of a function, ``params[0].weight`` or ``input`` of a layer."""
    text: str = ""
    """What came and what was expected."""
    index: tuple[int, ...] | None = None
    """The worst entry, where the finding is about entries."""
    analytic: float | None = None
    """The worst entry of the gradient under test."""
    numeric: float | None = None
    """The same entry by differences."""
    bar: float | None = None
    """The error bar of the numeric entry."""
    n_bad: int = 0
    """How many entries are wrong, of those examined."""
    n: int = 0
    """How many entries were examined."""
    diagnosis: Diagnosis = UNKNOWN
    """The best explanation."""
    rejected: tuple[Diagnosis, ...] = ()
    """Explanations that were tried and explain less."""
    picture: str = ""
    """A map of where the error sits in the leaf, as text."""


@frozen
class Witness:
    """What the complex step says of a gradient, beside the differences: the dot test <Jv, w> = <v, J'w>."""

    verdict: Literal["holds", "fails", "open", "silent"]
    """``holds`` to rounding; ``fails``, which is a finding; ``open``: the two sides differ, and it cannot be told which is wrong;
    ``silent``: the function is not analytic, or its complex step says nothing here."""
    error: float = 0.0
    """How far apart the two sides are, relative to the sum of the absolute values of their terms: the largest of all leaves."""
    reason: str = ""
    """Why nothing is said."""


@frozen
class LeafReport:
    """The verdict on one leaf and what it rests on."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    verdict: Verdict
    worst_ratio: float = 0.0
    """The largest |analytic - numeric| over its error bar; up to 10 passes."""
    worst_bar: float = 0.0
    """The largest error bar, relative to the largest entry of the leaf's gradient."""
    power: float = float("inf")
    """The smallest error of the formula, relative to the largest entry, that would have been seen."""
    kinks: int = 0
    """How many entries stand at a kink of the function."""
    convention: str = ""
    """Where between the one-sided derivatives the gradient lies at these kinks."""
    method: str = ""
    """``every entry``, ``4 directions`` or why nothing was compared."""
    evaluations: int = 0
    """How many evaluations of the function the leaf took."""
    name: str = ""
    """The path with the name of the argument in the function's signature, such as ``weight`` for ``[1]``."""
    rounding: float = 0.0
    """The rounding of the result in its own precision, relative to the largest entry, that passes beside ``power``; 0 where the
    formula was judged in that precision itself."""


class Findings(Protocol):
    """What a page shows: a :class:`funcnn.check.Report`, seen from those who draw it."""

    @property
    def name(self) -> str:
        """Of the function that was checked."""
        ...

    @property
    def verdict(self) -> Verdict:
        """On the whole."""
        ...

    @property
    def leaves(self) -> tuple[LeafReport, ...]:
        """The verdict on each leaf."""
        ...

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, or could not be judged."""
        ...

    @property
    def evaluations(self) -> int:
        """Of the function."""
        ...

    @property
    def pullbacks(self) -> int:
        """Evaluations of the gradient under test."""
        ...

    @property
    def seed(self) -> int:
        """Of everything random."""
        ...

    @property
    def reproduce(self) -> str:
        """A line that runs the check again."""
        ...

    @property
    def reference(self) -> str:
        """The precision of the differences."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What else is worth knowing."""
        ...

    @property
    def witness(self) -> Witness | None:
        """What the complex step says."""
        ...
