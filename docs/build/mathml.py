"""Turn the formulas of a page into MathML while the documentation is built: browsers draw it themselves, without a network."""

import html
import re
from typing import Any

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">\s*\\([(\[])(.*?)\\[)\]]\s*</\1>', re.DOTALL)
DISPLAY = re.compile(r"^([ \t]*)(.*?)[ \t]*\$\$(.+?)\$\$[ \t]*", re.DOTALL | re.MULTILINE)


def set_apart(text: str) -> str:
    """Put every displayed formula on a line of its own between blank lines, as Markdown wants it."""

    def paragraph(found: re.Match[str]) -> str:
        indent, before, formula = found[1], found[2], " ".join(found[3].split())
        lead = f"{indent}{before}\n\n" if before else "\n"
        return f"{lead}{indent}$${formula}$$\n\n{indent}"

    return DISPLAY.sub(paragraph, text)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Set the displayed formulas of a page apart."""
    return set_apart(markdown) if "$$" in markdown else markdown


def on_page_content(content: str, **_: Any) -> str:
    """Replace every formula that arithmatex marked; a formula that cannot be read stops the build."""

    def formula(found: re.Match[str]) -> str:
        return convert(html.unescape(found[3]), display="block" if found[2] == "[" else "inline")

    return FORMULA.sub(formula, content)
