r"""What byte-level encodings begin with: bytes as letters, and text cut into pieces that no token reaches across.

Radford et al. (2019, GPT-2, section 2.2).  A text is UTF-8; each of the 256 bytes is written as a printable letter, so that
tokens are texts too: the printable bytes of Latin-1 as themselves, the others, in order, as the letters from U+0100 on.

Text is cut by a regular expression: the endings of English contractions; letters, digits, or other signs, each run with at
most one space before it; spaces, of which the last goes to what follows.  Letters and digits are Unicode's general categories
L and N, for which Python's ``re`` has no names: both are spelled out as ranges at the first use, in a tenth of a second.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import groupby

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


@cache
def _pattern() -> re.Pattern[str]:
    ranges = {"L": "", "N": ""}
    for category, run in groupby(range(_PLANES), lambda code: unicodedata.category(chr(code))[0]):
        if category in ranges:
            first, *others = run
            ranges[category] += f"{chr(first)}-{chr(others[-1] if others else first)}"  # no letter or digit means more there
    letter, digit, space = ranges["L"], ranges["N"], _SPACE
    return re.compile(
        f"'s|'t|'re|'ve|'m|'ll|'d| ?[{letter}]+| ?[{digit}]+| ?[^{space}{letter}{digit}]+|[{space}]+(?![^{space}])|[{space}]+"
    )


def pieces(text: str) -> list[str]:
    """Return a text cut into pieces: joined, they are the text again.

    Examples
    --------
    >>> from funcnn.data.tokens.alphabet import pieces
    >>> pieces("I'll go  in 1984!")
    ['I', "'ll", ' go', ' ', ' in', ' 1984', '!']
    """
    return _pattern().findall(text)
