"""The page that a person reads: verdict, leaves, what is wrong and why, and a line that runs the check again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from funcnn.check.report import Finding, LeafReport, Report


def render(report: Report) -> str:
    """Return a report as text."""
    lines = [f"{report.verdict.upper()}: gradient of {report.name}", ""]
    lines += _table(report.leaves)
    for finding in sorted(report.findings, key=_order):
        lines += ["", *_finding(finding, report)]
    precision = f"differences in {report.reference}" if report.reference else "nothing was differenced"
    counts = f"{report.evaluations} evaluations of the function, {report.pullbacks} of the gradient"
    lines += ["", f"{precision}, {counts}, seed {report.seed}"]
    if report.reproduce:
        lines.append(f"again: {report.reproduce}")
    return "\n".join(lines)


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


def _table(leaves: tuple[LeafReport, ...]) -> list[str]:
    rows = [("leaf", "shape", "dtype", "verdict", "compared", "error/bar", "would see")]
    for leaf in leaves:
        shape = "x".join(map(str, leaf.shape)) or "number"
        compared = leaf.method != "not compared"
        ratio, power = (f"{leaf.worst_ratio:.2g}", _power(leaf)) if compared else ("", "")
        kinks = f", {leaf.kinks} at kinks ({leaf.convention})" if leaf.kinks else ""
        rows.append((_called(leaf), shape, leaf.dtype, leaf.verdict, leaf.method + kinks, ratio, power))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _called(leaf: LeafReport) -> str:
    """Return the path of a leaf, with its name where that says more."""
    return leaf.path if leaf.name in ("", leaf.path) else f"{leaf.path} {leaf.name}"


def _power(leaf: LeafReport) -> str:
    """Return the smallest error that would have been seen, relative to the leaf's largest entry (or its norm)."""
    return f"{leaf.power:.0e}" if math.isfinite(leaf.power) and leaf.power else ""


def _finding(finding: Finding, report: Report) -> list[str]:
    index = f"[{', '.join(map(str, finding.index))}]" if finding.index else ""
    leaf = next((leaf for leaf in report.leaves if leaf.path == finding.path), None)
    name = f" of {leaf.name}" if leaf and leaf.name not in ("", leaf.path) else ""
    where = (finding.path or report.name) + index + name
    lines = [f"  {where}  {finding.kind}"]
    if finding.analytic is not None:
        lines.append(f"    {_numbers(finding)}")
    if finding.text:
        lines.append(f"    {finding.text}")
    said = finding.diagnosis
    if said.text != finding.text:
        share = f" (explains {_share(said.explained)} of the error)" if said.explained else ""
        lines.append(f"    diagnosis: {said.tag}: {said.text}{share}")
    else:
        lines.append(f"    diagnosis: {said.tag}")
    others = [f"{other.tag} ({_share(other.explained)})" for other in finding.rejected[:6]]
    if others:
        lines.append(f"    less likely: {', '.join(others)}")
    if finding.picture:
        lines.append("    error by entry, the last axis to the right (dark: large; blank: none; ?: not looked at):")
        lines += [f"      |{row}|" for row in finding.picture.splitlines()]
    return lines


def _numbers(finding: Finding) -> str:
    said = f"analytic {finding.analytic:.9g}"
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
