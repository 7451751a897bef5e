"""The mutation score as a page of the documentation."""

from __future__ import annotations

from collections import defaultdict

from funcnn.certificate.page import folded, table
from tests.mutants.elsewhere import ELSEWHERE, ROOMS
from tests.mutants.record import MutationScore

_HEAD = """\
# Mutation score

Whether the cases of the [certificate](certificate.md) would notice a wrong gradient is measured: every function that computes
a gradient is changed in its source, one operator, sign, factor, axis, index, transpose or statement at a time. Each mutant
that changes a gradient must be noticed by the same cases that certify it; of those that are, one in fifty is also given to
the checker, which must fail it. *Killed* counts them, out of those that are not equivalent. This page is written by

```
python -m tests.mutants --page docs/mutation-score.md
```
"""


def page(made: MutationScore) -> str:
    """Return the mutation score as Markdown."""
    parts = [_HEAD, _score(made), folded(f"{len(made.functions)} functions, one by one", _functions(made))]
    if made.survivors:
        parts += ["## Survivors\n", _survivors(made)]
    elsewhere = table(
        ("function", "tests"),
        ((f"`{one}`", where) for one, where in (*ELSEWHERE.items(), *((f"{room}*", tests) for room, tests in ROOMS.items()))),
    )
    parts += ["## Functions that other tests hold\n", elsewhere]
    return "\n".join([*parts, "## Mutants that change no gradient\n", folded("Each with its reason", _equivalent(made))])


def _score(made: MutationScore) -> str:
    possible = made.total - made.equivalent
    return (
        f"**Mutation score**: {made.killed:,} of {possible:,} mutants of {len(made.functions)} functions killed"
        f" ({100 * made.killed / max(1, possible):.1f} %), {made.equivalent:,} more change no gradient; {made.confirmed} of the"
        f" killed confirmed by the checker.\n"
    )


def _functions(made: MutationScore) -> str:
    rows = (
        (f"`{one.function}`", f"{one.killed}/{one.total - len(one.equivalent)}", one.raised or "", len(one.equivalent) or "")
        for one in made.functions
    )
    return table(("function", "killed", "by an error", "no change"), rows)


def _survivors(made: MutationScore) -> str:
    rows = ((f"`{one.function}`", mutant.line, f"`{mutant.before}`", f"`{mutant.after}`") for one, mutant in made.survivors)
    return table(("function", "line", "before", "after"), rows)


def _equivalent(made: MutationScore) -> str:
    """Return one line for each line of source and reason."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in made.functions:
        for mutant in one.equivalent:
            found[one.function, mutant.before, mutant.reason].append(f"`{mutant.after}`")
    rows = ((f"`{function}`", f"`{before}`", "; ".join(after), reason) for (function, before, reason), after in found.items())
    return table(("function", "before", "after", "why"), rows)
