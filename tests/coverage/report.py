"""What was counted, as text."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from textwrap import fill

from tests.coverage.compare import Row


def table(rows: list[Row]) -> str:
    """Return the totals and the rows as Markdown."""
    whole = Row("")
    lines = ["| operator | samples | expressible | equal | why not the rest |", "|---|--:|--:|--:|---|"]
    for row in sorted(rows, key=lambda row: row.name.lower()):
        reasons = "; ".join(f"{reason} ({count})" for reason, count in sorted(row.reasons.items(), key=lambda one: -one[1]))
        lines.append(f"| {row.name} | {row.samples} | {row.expressible} | {row.equal} | {reasons} |")
        whole.samples, whole.equal = whole.samples + row.samples, whole.equal + row.equal
        whole.targets += row.targets
        whole.unequal += row.unequal
    kept = f" In {whole.targets:,} of them torch has a gradient with respect to a target too." if whole.targets else ""
    totals = (
        f"torch {version('torch')}, onnx {version('onnx')}: {whole.samples:,} samples of {len(rows)} operators, of which "
        f"{whole.expressible:,} can be expressed and {whole.equal:,} are equal.{kept}"
    )
    return "\n".join([fill(totals, 130), "", *lines])


def put(page: Path, mark: str, text: str) -> None:
    """Put a text between the two marks ``<!-- mark -->`` and ``<!-- /mark -->`` of a page."""
    first, last = f"<!-- {mark} -->\n", f"\n<!-- /{mark} -->"
    before, found, rest = page.read_text().partition(first)
    _, ended, after = rest.partition(last)
    if not found or not ended:
        raise ValueError(f"{page} has no marks <!-- {mark} --> and <!-- /{mark} -->, expected a pair of them")
    page.write_text(before + first + text + last + after)
