"""What a check gives: a report that prints, draws itself in a notebook, compares, pickles and becomes JSON."""

from __future__ import annotations

import attrs
from attrs import frozen

from funcnn.check.page.html import page
from funcnn.check.page.render import render
from funcnn.check.records import Finding, LeafReport, Verdict, Witness


@frozen
class Report:
    """The result of a check.  ``str(report)`` is the page to read."""

    name: str
    leaves: tuple[LeafReport, ...]
    findings: tuple[Finding, ...]
    evaluations: int
    """Evaluations of the function in all."""
    pullbacks: int = 0
    """Evaluations of the gradient under test in all."""
    seed: int = 0
    seconds: float = attrs.field(default=0.0, eq=False)
    reproduce: str = ""
    """A line to paste that runs the check again."""
    reference: str = "longdouble"
    """The precision in which the differences were taken."""
    notes: tuple[str, ...] = ()
    """What else is worth knowing: another precision than one would expect, an explanation that was cut short."""
    witness: Witness | None = None
    """What the complex step says of the gradient; None where it was not asked."""

    @property
    def verdict(self) -> Verdict:
        """The verdict on the whole: the worst of the leaves', and ``fail`` with any other finding."""
        if any(finding.kind != "inconclusive" for finding in self.findings):
            return "fail"
        order: tuple[Verdict, ...] = ("fail", "inconclusive", "kink-ok", "pass")
        found = {leaf.verdict for leaf in self.leaves}
        if self.findings or not found:
            found.add("inconclusive")
        return next(verdict for verdict in order if verdict in found)

    @property
    def ok(self) -> bool:
        """Whether the gradient is right as far as every comparison could see: verdict ``pass`` or ``kink-ok``."""
        return self.verdict in ("pass", "kink-ok")

    def __str__(self) -> str:
        return render(self)

    def _repr_html_(self) -> str:
        return page(self)

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain dicts, lists, numbers and strings, for JSON."""
        made = attrs.asdict(self)
        made |= {"ok": self.ok, "verdict": self.verdict}
        return made

    def raise_if_failed(self) -> None:
        """Raise an AssertionError with the report as its message unless the check passed.

        Raises
        ------
        AssertionError
            When the verdict is ``fail`` or ``inconclusive``.
        """
        if not self.ok:
            raise AssertionError(str(self))
