"""A page of HTML in one file: text, tables and pictures, readable on a phone, in the dark, and without a network."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape

from attrs import frozen

from funcnn.tree.html_table import html_table

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6570; --line: #d7dce1; --paper: #ffffff; --card: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ec; --soft: #9aa4ae; --line: #3a424b; --paper: #15191e; --card: #1d232a; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 1.2rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; border-bottom: 1px solid var(--line); }
p { margin: .4rem 0; } .soft { color: var(--soft); }
.good { color: #2a7d2e; } .doubtful { color: #b26a00; } .bad { color: #c5362c; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; overflow-wrap: normal; white-space: nowrap; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
pre { background: var(--card); padding: .7rem; overflow-x: auto; font-size: .8rem; }
figure { margin: .8rem 0; } figure img { max-width: 100%; height: auto; background: #ffffff; padding: .4rem; border-radius: 4px; }
figure svg { max-width: 100%; height: auto; background: #ffffff; border-radius: 4px; } figcaption { color: var(--soft); }
nav a { margin-right: 1rem; } a { color: #3b6fb6; } summary { cursor: pointer; }
"""


@frozen
class Section:
    """A part of the page."""

    title: str
    parts: tuple[str, ...]
    """Pieces of HTML."""

    @property
    def anchor(self) -> str:
        """The name by which the page leads to it."""
        return re.sub(r"[^a-z]+", "-", self.title.lower()).strip("-")


def page(title: str, lead: Sequence[str], sections: Sequence[Section]) -> str:
    """Return the whole page."""
    links = "".join(f'<a href="#{one.anchor}">{escape(one.title)}</a> ' for one in sections)
    body = "\n".join(
        f'<section id="{one.anchor}"><h2>{escape(one.title)}</h2>\n' + "\n".join(one.parts) + "</section>" for one in sections
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n<meta name="viewport" content="width=device-width,'
        f' initial-scale=1">\n<link rel="icon" href="data:,">\n<title>{escape(title)}</title>\n<style>{_STYLE}</style></head>\n'
        f"<body><header><h1>{escape(title)}</h1>\n{''.join(lead)}\n<nav>{links}</nav></header>\n<main>\n{body}\n</main></body></html>\n"
    )


def text(words: str, kind: str = "") -> str:
    """Return a paragraph."""
    return f'<p class="{kind}">{escape(words)}</p>' if kind else f"<p>{escape(words)}</p>"


def table(rows: Sequence[Sequence[object]], numbers: Sequence[int] = ()) -> str:
    """Return a table whose first row is its head; columns of numbers stand at the right."""
    return f'<div class="scroll">{html_table(rows, numbers)}</div>'


def picture(svg: str, about: str) -> str:
    """Return a picture that was written as SVG, apart from the rest of the page, with what it shows."""
    packed = base64.b64encode(svg.encode()).decode()
    return (
        f'<figure><img src="data:image/svg+xml;base64,{packed}" alt="{escape(about)}"><figcaption>{escape(about)}</figcaption>'
        "</figure>"
    )


def drawing(svg: str, about: str) -> str:
    """Return SVG of our own as part of the page."""
    return f"<figure>{svg}<figcaption>{escape(about)}</figcaption></figure>"


def written(words: str) -> str:
    """Return a text whose lines stay as they are."""
    return f"<pre>{escape(words)}</pre>"


def folded(title: str, words: str) -> str:
    """Return a long text that is shown when it is asked for."""
    return f"<details><summary>{escape(title)}</summary><pre>{escape(words)}</pre></details>"
