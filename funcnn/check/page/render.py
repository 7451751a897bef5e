"""The page that a person reads: verdict, leaves, what is wrong and why, and a line that runs the check again."""

from __future__ import annotations

import math

from funcnn.check.records import Finding, Findings, LeafReport, Witness

_SHOWN = 5
_BESIDES = 10  # times what would be seen: rounding that is worth a line


def render(report: Findings) -> str:
    """Return a report as text."""
    lines = [f"{report.verdict.upper()}: gradient of {report.name}", *summary(report), ""]
    lines += ["  " + "  ".join(row).rstrip() for row in _aligned(table(report.leaves))]
    for finding in worth_telling(report):
        lines += ["", *_finding(finding, report)]
    return "\n".join([*lines, "", *footing(report)])


def summary(report: Findings) -> list[str]:
    """Return one line that says which leaves are wrong, and why; none when nothing is."""
    if not report.findings:
        return []
    worst: dict[str, str] = {}
    for finding in worth_telling(report):
        worst.setdefault(finding.path or report.name, finding.kind if finding.kind == "inconclusive" else finding.diagnosis.tag)
    shown = ", ".join(f"{path} ({tag})" for path, tag in list(worst.items())[:_SHOWN])
    more = f" and {len(worst) - _SHOWN} more" if len(worst) > _SHOWN else ""
    bad, count = sum(leaf.verdict in ("fail", "inconclusive") for leaf in report.leaves), len(report.leaves)
    what = f"{bad} of {count} {'leaf' if count == 1 else 'leaves'} not passed" if bad else "the values are right"
    return [f"{what}; look at {shown}{more}"]


def worth_telling(report: Findings) -> list[Finding]:
    """Return the findings worth telling, the worst first: one that is the diagnosis of another is told with that."""
    known = {(one.path, one.diagnosis.text) for one in report.findings if one.kind == "value"}
    kept = [one for one in report.findings if one.kind == "value" or (one.path, one.text) not in known]
    return sorted(kept, key=_order)


def footing(report: Findings) -> list[str]:
    """Return what the verdict rests on, and the line that runs the check again."""
    precision = f"differences in {report.reference}" if report.reference else "nothing was differenced"
    counts = f"{report.evaluations} evaluations of the function, {report.pullbacks} of the gradient"
    lines = [f"{precision}, {counts}, seed {report.seed}", *(f"note: {note}" for note in report.notes)]
    lines += testimony(report.witness)
    if any(_power(leaf) for leaf in report.leaves):
        lines.append("would see: the smallest error, relative to the largest entry of the leaf, that would not have passed")
        narrow = sorted({leaf.dtype: leaf.rounding for leaf in report.leaves if leaf.rounding > _BESIDES * leaf.power}.items())
        lines += [f"besides, rounding in {dtype} passes up to {rounding:.0e}" for dtype, rounding in narrow]
    return [*lines, f"again: {report.reproduce}"] if report.reproduce else lines


def testimony(witness: Witness | None) -> list[str]:
    """Return the line that says whether the gradient passes the dot test by a complex step."""
    if witness is None:
        return []
    test = "<Jv, w> = <v, J'w>"
    said = {
        "holds": f"complex step: {test} holds to {witness.error:.0e}",
        "fails": f"complex step: {test} fails, by {witness.error:.0e}",
        "open": f"complex step: {test} holds to {witness.error:.0e} only; {witness.reason}",
        "silent": f"complex step: nothing, for the function is not analytic: {witness.reason}",
    }
    return [said[witness.verdict]]


def _order(finding: Finding) -> float:
    """Sort findings about values first, the worst of them at the top."""
    if finding.kind != "value":
        return 1.0 if finding.kind != "inconclusive" else 2.0
    return -_relative(finding)


def _relative(finding: Finding) -> float:
    if finding.analytic is None or finding.numeric is None or not math.isfinite(finding.analytic):
        return math.inf
    size = max(abs(finding.numeric), abs(finding.analytic))
    return abs(finding.analytic - finding.numeric) / size if size else 0.0


def table(leaves: tuple[LeafReport, ...]) -> list[tuple[str, ...]]:
    """Return the table of the leaves, its head first."""
    rows: list[tuple[str, ...]] = [("leaf", "shape", "dtype", "verdict", "compared", "error/bar", "would see")]
    for leaf in leaves:
        shape = "x".join(map(str, leaf.shape)) or "number"
        compared = leaf.method != "not compared"
        ratio, power = (f"{leaf.worst_ratio:.2g}", _power(leaf)) if compared else ("", "")
        kinks = f", {leaf.kinks} at kinks" if leaf.kinks else ""
        kinks += f" ({leaf.convention})" if leaf.convention else ""
        rows.append((_called(leaf), shape, leaf.dtype, leaf.verdict, leaf.method + kinks, ratio, power))
    return rows


def _aligned(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return rows whose cells are as wide as their columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [tuple(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _called(leaf: LeafReport) -> str:
    """Return the path of a leaf, with its name where that says more."""
    return leaf.path if leaf.name in ("", leaf.path) else f"{leaf.path} {leaf.name}"


def _power(leaf: LeafReport) -> str:
    """Return the smallest error that would have been seen, relative to the leaf's largest entry (or its norm)."""
    return f"{leaf.power:.0e}" if math.isfinite(leaf.power) and leaf.power else ""


def where(finding: Finding, report: Findings) -> str:
    """Return the leaf and the entry that a finding is about, with the name of the argument."""
    index = f"[{', '.join(map(str, finding.index))}]" if finding.index else ""
    leaf = next((leaf for leaf in report.leaves if leaf.path == finding.path), None)
    name = f" of {leaf.name}" if leaf and leaf.name not in ("", leaf.path) else ""
    return (finding.path or report.name) + index + name


def _finding(finding: Finding, report: Findings) -> list[str]:
    lines = [f"  {where(finding, report)}  {finding.kind}", *(f"    {line}" for line in sentences(finding))]
    if finding.picture:
        lines.append(f"    {CAPTION} (dark: large; blank: none; ?: not looked at):")
        lines += [f"      |{row}|" for row in finding.picture.splitlines()]
    return lines


CAPTION = "error by entry, the last axis to the right"


def sentences(finding: Finding) -> list[str]:
    """Return what is to be said of a finding: the numbers, the diagnosis, what else was tried."""
    lines = [numbers(finding)] if finding.analytic is not None else []
    lines += [finding.text] if finding.text else []
    said = finding.diagnosis
    if finding.kind == "inconclusive":
        return lines
    if said.text != finding.text:
        share = f" (explains {_share(said.explained)} of the error)" if said.explained else ""
        lines.append(f"diagnosis: {said.tag}: {said.text}{share}")
    else:
        lines.append(f"diagnosis: {said.tag}")
    fits = [other.tag for other in finding.rejected if other.explained >= _FITS]
    others = [f"{other.tag} ({_share(other.explained)})" for other in finding.rejected if other.explained < _FITS]
    if fits:
        lines.append(f"fits as well, but says less: {', '.join(fits)}")
    if others:
        lines.append(f"rejected, with what they explain: {', '.join(others[:6])}")
    return lines


_FITS = 1 - 1e-6


def numbers(finding: Finding) -> str:
    """Return the worst entry: the gradient under test, the differences, the error."""
    said = f"analytic {(finding.analytic or 0.0):.9g}"
    if finding.numeric is None or math.isnan(finding.numeric):
        return said
    said += f", numeric {finding.numeric:.9g}"
    if finding.bar is not None and math.isfinite(finding.bar):
        said += f" +- {finding.bar:.1g}"
    relative = _relative(finding)
    return f"{said} (relative error {relative:.2g})" if math.isfinite(relative) else said


def _share(explained: float) -> str:
    """Return a share as per cent, with as many nines as it has."""
    if explained <= 0:
        return "0 %"
    if explained < 0.99:
        return f"{100 * explained:.0f} %"
    return "100 %" if explained > 1 - 1e-9 else f"{100 * explained:.7f}".rstrip("0").rstrip(".") + " %"
