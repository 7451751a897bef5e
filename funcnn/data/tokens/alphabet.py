r"""What byte-level encodings begin with: bytes as letters, and text cut into pieces that no token reaches across.

Radford et al. (2019, GPT-2, section 2.2).  A text is UTF-8; each of the 256 bytes is written as a printable letter, so that
tokens are texts too: the printable bytes of Latin-1 as themselves, the others, in order, as the letters from U+0100 on.

Text is cut by a regular expression: the endings of English contractions; letters, digits, or other signs, each run with at
most one space before it; spaces, of which the last goes to what follows.  Llama 3's and Qwen 2's keep line ends with the signs
before them, and have digits in threes or alone.  Letters and digits are Unicode's general categories L and N, for which Python's
``re`` has no names: both are spelled out as ranges at the first use, in a tenth of a second.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import groupby
from typing import Literal, TypeAlias

_PRINTABLE = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
_OTHERS = [byte for byte in range(256) if byte not in _PRINTABLE]

LETTERS = {byte: chr(byte) for byte in _PRINTABLE} | {byte: chr(256 + place) for place, byte in enumerate(_OTHERS)}
"""The letter of each byte, in the order of the letters: that of the first 256 tokens."""
BYTES = {letter: byte for byte, letter in LETTERS.items()}
"""The byte of each letter."""


def to_letters(text: str) -> str:
    """Return a text's bytes as letters."""
    return "".join([LETTERS[byte] for byte in text.encode()])


def to_bytes(letters: str) -> bytes:
    """Return the bytes of letters."""
    return bytes([BYTES[letter] for letter in letters])


_PLANES = 0x40000
"""Code points beyond belong to no letter, digit or space (a test looks)."""
_SPACE = r"\t-\r\x85" + "".join(map(chr, (0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)))


Cut: TypeAlias = Literal["gpt2", "llama3", "qwen2"]
"""The expressions by which text is cut, by who published them first."""


@cache
def _ranges() -> tuple[str, str]:
    """Return the letters and the digits as ranges."""
    ranges = {"L": "", "N": ""}
    for category, run in groupby(range(_PLANES), lambda code: unicodedata.category(chr(code))[0]):
        if category in ranges:
            first, *others = run
            ranges[category] += f"{chr(first)}-{chr(others[-1] if others else first)}"  # no letter or digit means more there
    return ranges["L"], ranges["N"]


@cache
def _pattern(cut: Cut) -> re.Pattern[str]:
    (letter, digit), space = _ranges(), _SPACE
    signs, spaces = f"[^{space}{letter}{digit}]+", f"[{space}]+(?![^{space}])|[{space}]+"
    if cut == "gpt2":
        return re.compile(f"'s|'t|'re|'ve|'m|'ll|'d| ?[{letter}]+| ?[{digit}]+| ?{signs}|{spaces}")
    endings, digits = "(?i:'s|'t|'re|'ve|'m|'ll|'d)", f"[{digit}]{{1,3}}" if cut == "llama3" else f"[{digit}]"
    return re.compile(rf"{endings}|[^\r\n{letter}{digit}]?[{letter}]+|{digits}| ?{signs}[\r\n]*|[{space}]*[\r\n]+|{spaces}")


def pieces(text: str, cut: Cut = "gpt2") -> list[str]:
    """Return a text cut into pieces: joined, they are the text again.

    Examples
    --------
    >>> from funcnn.data.tokens.alphabet import pieces
    >>> pieces("I'll go  in 1984!")
    ['I', "'ll", ' go', ' ', ' in', ' 1984', '!']
    >>> pieces("I'll go  in 1984!", "llama3")
    ['I', "'ll", ' go', ' ', ' in', ' ', '198', '4', '!']
    """
    return _pattern(cut).findall(text)
