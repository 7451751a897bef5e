"""A report as it shows in a notebook: the same page, with the error drawn as a picture."""

from __future__ import annotations

from html import escape

from funcnn.check.page.picture import SHADES
from funcnn.check.page.render import CAPTION, footing, sentences, summary, table, where, worth_telling
from funcnn.check.records import Finding, Findings

_COLOURS = {"pass": "#2a7d2e", "kink-ok": "#2a7d2e", "inconclusive": "#b26a00", "fail": "#b3261e"}
_CELL = 12  # pixels


def page(report: Findings) -> str:
    """Return a report as HTML."""
    verdict = f'<b style="color:{_COLOURS[report.verdict]}">{report.verdict.upper()}</b>'
    parts = [f"<p>{verdict}: gradient of <code>{escape(report.name)}</code><br>{escape(' '.join(summary(report)))}</p>"]
    head, *rows = table(report.leaves)
    parts.append("<table><tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>")
    parts += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    parts.append("</table>")
    parts += [_finding(finding, report) for finding in worth_telling(report)]
    parts.append("<p><small>" + "<br>".join(map(escape, footing(report))) + "</small></p>")
    return "<div>" + "\n".join(parts) + "</div>"


def _finding(finding: Finding, report: Findings) -> str:
    lines = "<br>".join(map(escape, sentences(finding)))
    text = f"<p><b><code>{escape(where(finding, report))}</code></b> {escape(finding.kind)}<br>{lines}</p>"
    if not finding.picture:
        return text
    return f"{text}\n<p><small>{CAPTION}, grey: not looked at</small><br>{heat_map(finding.picture)}</p>"


def heat_map(picture: str) -> str:
    """Return the map of an error, as :func:`funcnn.check.page.picture.heat_map` draws it with characters, as an SVG picture."""
    rows = picture.splitlines()
    width, height = max(map(len, rows)) * _CELL, len(rows) * _CELL
    cells = []
    for y, row in enumerate(rows):
        for x, shade in enumerate(row):
            colour, opacity = ("#999999", 0.25) if shade == "?" else ("#b3261e", _darkness(shade))
            place = f'x="{x * _CELL}" y="{y * _CELL}" width="{_CELL}" height="{_CELL}"'
            cells.append(f'<rect {place} fill="{colour}" fill-opacity="{opacity:.2g}"/>' if opacity else "")
    frame = f'<rect width="{width}" height="{height}" fill="none" stroke="#999999"/>'
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{CAPTION}">{"".join(cells)}{frame}</svg>'


def _darkness(shade: str) -> float:
    """Return how dark a character of the map is, 0 to 1."""
    return SHADES.index(shade) / (len(SHADES) - 1) if shade in SHADES else 1.0
