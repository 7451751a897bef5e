"""The page that a person reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from funcnn.check.report import Finding, Report


def render(report: Report) -> str:
    """Return a report as text."""
    lines = [f"{report.verdict.upper()}  {report.name}"]
    lines += [f"  {leaf.path}: {leaf.verdict} ({leaf.method}, worst ratio {leaf.worst_ratio:.2g})" for leaf in report.leaves]
    lines += [_finding(finding) for finding in report.findings]
    return "\n".join(lines)


def _finding(finding: Finding) -> str:
    where = finding.path + (f"[{', '.join(map(str, finding.index))}]" if finding.index else "")
    said = f"  {where}: {finding.kind}: {finding.text}"
    if finding.analytic is not None:
        said += f"analytic {finding.analytic:.9g}, numeric {finding.numeric:.9g} +- {finding.bar:.1g};"
        said += f" {finding.n_bad} of {finding.n} entries"
    return said + f"\n    {finding.diagnosis.tag}: {finding.diagnosis.text}"
