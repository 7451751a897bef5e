"""The certificate as a page of the documentation."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import attrs

from funcnn.certificate.edges import EDGES
from funcnn.certificate.record import PRODUCTS, Certificate, Entry, Row

_HEAD = """\
# Certificate

Every layer, loss and penalty of the library, every leaf of its parameters and its input, in float32 and float64, in
training and evaluation, in batches of none, one and several examples, at every corner of its domain: checked against
differences with error bars ([how](gradients.md)). This page is written by

```
python -m funcnn certify --page docs/certificate.md
```
"""
_READING = """\
**How to read the tables.** *Rows* counts comparisons of one leaf in one situation. *Error/bar* is the largest difference
between the hand-written gradient and the differences, in units of the error bar; up to 10 passes. *Would see* is the
smallest error, relative to the leaf's largest entry, that would have failed, in the row where that is worst, and in
brackets the median. *Controls* are gradients spoiled by one part in a thousand, leaf by leaf: each must fail.
"""
_KINDS = {"layer": "Layers", "loss": "Losses", "penalty": "Penalties"}
_SHOWN = {
    "undecided": "Where differences cannot decide",
    "overflow": "Where the value itself overflows",
    "refused": "Where the library refuses the input",
}


_PRODUCTS = """\
The products of [derivatives beyond the gradient](beyond/index.md), for every case of every layer and loss: *jvp* and *hvp* beside
central differences in long double, *ggn* beside a product made of these, *per example* beside a loop, *symmetry* of the Hessian
and *dot*, the inner product of what goes through with what comes back, at kinks and ties too. [Curvature](beyond/kfac.md) is
made of these, and of *norms* of single examples, of their *factors*, which Kronecker factors add up and whose products are the
loop's gradients, and of the *root* of a loss's Hessian, whose square is that Hessian. The largest error, relative to the largest
number, stands in each cell; where none does, nothing is compared, for the reason beside it, or the product is one of layers or of
losses alone.
"""


def _products(entries: Iterable[Entry]) -> str:
    names = tuple(dict.fromkeys(name for kind in PRODUCTS.values() for name in kind))
    rows = []
    for entry in entries:
        if entry.products:
            found: dict[str, list[float]] = defaultdict(list)
            for row in entry.products:
                if not row.note:
                    found[next((one for one in names if row.product.startswith(one)), "")].append(row.error)
            notes = "; ".join(dict.fromkeys(row.note for row in entry.products if row.note))
            errors = [f"{max(found[name]):.0e}" if found[name] else "" for name in names]
            rows.append((f"`{entry.name}`", len(entry.products), *errors, notes))
    return table(("name", "rows", *names, "not compared"), rows)


def page(made: Certificate) -> str:
    """Return the certificate as Markdown."""
    by_kind = {title: [entry for entry in made.entries if entry.kind == kind] for kind, title in _KINDS.items()}
    by_kind = {title: entries for title, entries in by_kind.items() if entries}
    parts = [_HEAD, _summary(made), _short(by_kind), _READING, folded("The situations of the inputs", _edges())]
    for title, entries in by_kind.items():
        parts += [f"## {title}\n", folded(f"{len(entries)} {title.lower()}, name by name", _entries(entries))]
        parts.append(folded(f"Leaf by leaf: the parameters and inputs of all {title.lower()}", _leaves(entries)))
    parts += ["## Products of derivatives\n", _PRODUCTS, folded("Name by name", _products(made.entries))]
    for verdict, title in _SHOWN.items():
        rows = [row for row in made.rows if row.verdict == verdict]
        if rows:
            parts += [f"## {title}\n", _notes(rows)]
    wrong = [row for row in made.rows if not row.ok]
    if wrong:
        parts += ["## What is wrong\n", _notes(wrong)]
    off = [(f"`{entry.name}`", *attrs.astuple(row)[:6]) for entry in made.entries for row in entry.products if not row.ok]
    if off:
        head = ("name", "case", "mode", "product", "error", "bar", "note")
        parts += ["## Products that are wrong\n", table(head, off)]
    return "\n".join(parts)


def folded(title: str, body: str) -> str:
    """Return a part of a page that is shown when its title is clicked on."""
    return f'<details markdown="1">\n<summary>{title}</summary>\n\n{body}\n</details>\n'


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _summary(made: Certificate) -> str:
    counts: dict[str, int] = defaultdict(int)
    for entry in made.entries:
        for verdict, count in entry.verdicts.items():
            counts[verdict] += count
    found = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(counts.items(), key=lambda item: -item[1]))
    controls = sum(entry.controls for entry in made.entries)
    missed = sum(len(entry.missed) for entry in made.entries)
    names = f"{len(made.entries)} public names"
    without = f", {len(made.missing)} without a case: {', '.join(made.missing)}" if made.missing else ", none without a case"
    where = ", ".join(f"{key} {value}" for key, value in made.environment.items() if key != "reference")
    return (
        f"**{'Certified' if made.ok else 'Not certified'}**: {names}{without}. {len(made.rows):,} rows: {found}. "
        f"Controls: {controls - missed} of {controls} spoiled gradients caught. "
        f"Differences in {made.environment['reference']}; {where}.\n"
    )


def _short(by_kind: Mapping[str, Sequence[Entry]]) -> str:
    """Return one row for each kind, which leads to its section."""
    head = ("", "names", "cases", "rows", "not decided", "largest error/bar", "spoiled gradients caught")
    rows = []
    for title, entries in by_kind.items():
        found = [row for entry in entries for row in entry.rows]
        controls, missed = sum(entry.controls for entry in entries), sum(len(entry.missed) for entry in entries)
        cases = sum(len({row.case for row in entry.rows}) for entry in entries)
        undecided = sum(row.verdict == "undecided" for row in found)
        worst = max(entry.worst_ratio for entry in entries)
        link = f"[{title}](#{title.lower()})"
        rows.append(
            (link, len(entries), cases, f"{len(found):,}", undecided, f"{worst:.2g}", f"{controls - missed} of {controls}")
        )
    return table(head, rows)


def _edges() -> str:
    return table(("situation", "what it is there to find"), ((edge.name, edge.why) for edge in EDGES))


def _entries(entries: Iterable[Entry]) -> str:
    head = ("name", "cases", "rows", "verdicts", "error/bar", "would see", "kinks", "controls", "source")
    return table(head, (_entry(entry) for entry in entries))


def _entry(entry: Entry) -> tuple[object, ...]:
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(entry.verdicts.items(), key=lambda item: -item[1]))
    return (
        f"`{entry.name}`",
        len({row.case for row in entry.rows}),
        len(entry.rows),
        verdicts,
        f"{entry.worst_ratio:.2g}",
        _power(entry.rows),
        ", ".join(entry.conventions),
        f"{entry.controls - len(entry.missed)}/{entry.controls}",
        f"`{entry.source}`",
    )


def _power(rows: Sequence[Row]) -> str:
    seen = sorted(row.power for row in rows if math.isfinite(row.power) and row.power > 0)
    return f"{seen[-1]:.0e} ({seen[len(seen) // 2]:.0e})" if seen else ""


def _notes(rows: Sequence[Row]) -> str:
    """Return one line for each reason and situation, with the names that it is about."""
    found: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for row in rows:
        situation = f"batch of {row.batch}" if row.edge == "drawn" else row.edge
        found[situation, row.note.split(":")[0] if row.verdict == "refused" else row.note][f"`{row.name}`"] = None
    return table(("situation", "why", "where"), ((*key, ", ".join(where)) for key, where in found.items()))


def _leaves(entries: Iterable[Entry]) -> str:
    lines = []
    for entry in entries:
        leaves: dict[str, list[Row]] = defaultdict(list)
        for row in entry.rows:
            if row.verdict in ("pass", "kink-ok", "undecided"):
                leaves[row.leaf].append(row)
        for path, rows in leaves.items():
            shapes = dict.fromkeys("x".join(map(str, row.shape)) or "number" for row in rows if row.edge == "drawn")
            ratio = max(row.worst_ratio for row in rows)
            kinks = sum(row.kinks for row in rows)
            leaf, power = f"`{path}`" if path else "all at once", _power(rows)
            lines.append((f"`{entry.name}`", leaf, ", ".join(shapes), len(rows), f"{ratio:.2g}", power, kinks or ""))
    return table(("name", "leaf", "shapes", "rows", "error/bar", "would see", "entries at kinks"), lines)
