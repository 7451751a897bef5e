"""What a mutation score says: for every function how many of its mutants were noticed, and each that was not."""

from __future__ import annotations

import attrs
from attrs import frozen


@frozen
class Mutant:
    """One change of the source."""

    line: int
    statement: int
    operator: str
    before: str
    after: str
    reason: str = ""
    """Why it changes no gradient, where that is so."""


@frozen
class FunctionScore:
    """The mutants of one function."""

    function: str
    file: str
    total: int
    """Those that change a gradient, as far as is known, and those that do not."""
    killed: int
    """Those that the certificate's cases notice."""
    raised: int
    """Those of the killed that give an error and no gradient at all."""
    equivalent: tuple[Mutant, ...]
    survivors: tuple[Mutant, ...]


@frozen
class MutationScore:
    """The mutation score of the library."""

    functions: tuple[FunctionScore, ...]
    confirmed: int
    """How many of the killed were also given to the checker."""
    denied: tuple[str, ...]
    """Those of them that it passed: there must be none."""
    stale: tuple[str, ...]
    """Reasons for mutants that are no longer there, or no longer survive."""
    seconds: float = attrs.field(default=0.0, eq=False)

    @property
    def total(self) -> int:
        """How many mutants there are."""
        return sum(one.total for one in self.functions)

    @property
    def killed(self) -> int:
        """How many are noticed."""
        return sum(one.killed for one in self.functions)

    @property
    def raised(self) -> int:
        """How many of those by an error."""
        return sum(one.raised for one in self.functions)

    @property
    def equivalent(self) -> int:
        """How many change no gradient."""
        return sum(len(one.equivalent) for one in self.functions)

    @property
    def survivors(self) -> tuple[tuple[FunctionScore, Mutant], ...]:
        """Those that nobody explains."""
        return tuple((one, mutant) for one in self.functions for mutant in one.survivors)

    @property
    def ok(self) -> bool:
        """Whether every mutant is noticed or known to change nothing."""
        return bool(self.functions) and not self.survivors and not self.denied and not self.stale

    def __str__(self) -> str:
        lines = [
            f"{self.killed} of {self.total - self.equivalent} mutants killed in {len(self.functions)} functions"
            f" ({self.raised} by an error; {self.equivalent} more change no gradient);"
            f" {self.confirmed} of the killed confirmed by the checker"
        ]
        lines += [
            f"survived: {one.file}:{m.line} {one.function} {m.statement}: {m.before}  ->  {m.after}" for one, m in self.survivors
        ]
        lines += [f"passed by the checker: {one}" for one in self.denied]
        lines += [f"stale reason: {one}" for one in self.stale]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """Return the score as plain dicts, lists, numbers and strings, for JSON."""
        counts = {"ok": self.ok, "total": self.total, "killed": self.killed, "raised": self.raised}
        functions = [attrs.asdict(one) for one in self.functions]
        return {
            **counts,
            "equivalent": self.equivalent,
            "survivors": len(self.survivors),
            "confirmed": self.confirmed,
            "denied": list(self.denied),
            "stale": list(self.stale),
            "seconds": round(self.seconds, 1),
            "functions": functions,
        }
