"""Tables as HTML: how records show themselves in a notebook, and in pages."""

from __future__ import annotations

from collections.abc import Container, Sequence


def html_table(rows: Sequence[Sequence[object]], numbers: Container[int] = ()) -> str:
    """Return a table whose first row is its head; the cells of some columns are numbers, which stand at the right."""
    head, *body = rows
    return f"<table>{_line(head, 'th', numbers)}{''.join(_line(row, 'td', numbers) for row in body)}</table>"


def _line(cells: Sequence[object], tag: str, numbers: Container[int]) -> str:
    from html import escape  # not on import: few programs need it

    made = [
        f'<{tag} class="number" style="text-align:right">{escape(str(cell))}</{tag}>'
        if place in numbers
        else f'<{tag} style="text-align:left">{escape(str(cell))}</{tag}>'
        for place, cell in enumerate(cells)
    ]
    return f"<tr>{''.join(made)}</tr>"
