"""Turn the formulas of a page into MathML while the documentation is built: browsers draw it themselves, without a network."""

import html
import re
from typing import Any

from math_core import LatexError, LatexToMathML

FORMULA = re.compile(r'<(span|div) class="arithmatex">\s*\\([(\[])(.*?)\\[)\]]\s*</\1>([.,;:)]*)', re.DOTALL)
DISPLAY = re.compile(r"^([ \t]*)(.*?)[ \t]*\$\$(.+?)\$\$[ \t]*", re.DOTALL | re.MULTILINE)
ANGLE = re.compile(r"(?<!\\left)(?<!\\right)\\(langle|rangle)\b")
TEXT = re.compile(r"\\text\{([^{}]*\$[^{}]*)\}")
SHORT = 30  # characters of a formula that fits the narrowest screen
SIDE = {"langle": "left", "rangle": "right"}

_CONVERTER = LatexToMathML(fancy_error=False)


def set_apart(text: str) -> str:
    """Put every displayed formula on a line of its own between blank lines, as Markdown wants it."""

    def paragraph(found: re.Match[str]) -> str:
        indent, before, formula = found[1], found[2], " ".join(found[3].split())
        lead = f"{indent}{before}\n\n" if before else "\n"
        return f"{lead}{indent}$${formula}$$\n\n{indent}"

    return DISPLAY.sub(paragraph, text)


def mathml(formula: str, *, display: bool) -> str:
    """Return a formula as MathML; brackets of inner products are as high as what they hold, and words may hold formulas."""
    formula = TEXT.sub(lambda found: alternate(found[1].split("$")), formula)
    formula = ANGLE.sub(lambda found: rf"\{SIDE[found[1]]}\{found[1]}", formula)
    try:
        made = str(_CONVERTER.convert_with_local_state(formula, displaystyle=display))
    except LatexError as error:
        error.add_note(f"in the formula {formula}")
        raise
    return made.replace(">\u00af</mo>", ">\u203e</mo>")  # an overline: a macron is half as long, and hard to see


def alternate(parts: list[str]) -> str:
    """Return words, formula, words, ... as one formula."""
    return "".join(rf"\text{{{part}}}" if position % 2 == 0 else part for position, part in enumerate(parts))


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Set the displayed formulas of a page apart."""
    return set_apart(markdown) if "$$" in markdown else markdown


def on_page_content(content: str, **_: Any) -> str:
    """Replace every formula that arithmatex marked; a formula that cannot be read stops the build.

    A displayed formula stands in a box of its own, which scrolls where the screen is narrower; a comma stays on the line of the
    short formula that it follows.
    """

    def formula(found: re.Match[str]) -> str:
        made, after = mathml(html.unescape(found[3]), display=found[2] == "["), found[4]
        if found[2] == "[":
            return f'<div class="formula">{made}</div>{after}'
        return f'<span class="unbroken">{made}{after}</span>' if after and len(found[3]) < SHORT else made + after

    return FORMULA.sub(formula, content)
