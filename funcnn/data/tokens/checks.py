"""What a byte-pair encoding must be."""

from __future__ import annotations

from funcnn.data.tokens.alphabet import BYTES
from funcnn.errors import shorten, shown


def check_text(text: object, what: str = "text") -> None:
    """Raise unless this is a text that UTF-8 has bytes for."""
    if not isinstance(text, str):
        raise TypeError(f"{what} is {shown(text)}, expected a str")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{what} has half of a surrogate pair, {text[error.start]!r} at position {error.start}, which is no character"
        ) from None


def check_vocabulary(tokens: object) -> None:
    """Raise unless these are unlike texts, and every byte is among them."""
    if not isinstance(tokens, tuple) or not all(isinstance(one, str) for one in tokens):
        raise TypeError(f"tokens is {shown(tokens)}, expected a tuple of texts")
    seen: set[str] = set()
    for number, token in enumerate(tokens):
        if token in seen or not token:
            raise ValueError(f"token {number} is {shorten(token)!r}, {'which stands twice' if token else 'the empty text'}")
        seen.add(token)
    missing = BYTES.keys() - seen
    if missing:
        first = min(BYTES[letter] for letter in missing)
        raise ValueError(f"byte {first} has no token ({len(missing)} of 256 have none), so not every text can be encoded")


def check_merges(merges: object, tokens: frozenset[str]) -> None:
    """Raise unless these are unlike pairs of tokens that make tokens."""
    if not isinstance(merges, tuple) or not all(isinstance(pair, tuple) and len(pair) == 2 for pair in merges):
        raise TypeError(f"merges is {shown(merges)}, expected a tuple of pairs of texts")
    seen: set[tuple[object, object]] = set()
    for rank, pair in enumerate(merges):
        first, second = pair
        if not isinstance(first, str) or not isinstance(second, str):
            raise TypeError(f"merge {rank} is {shown(pair)}, expected a pair of texts")
        if pair in seen:
            raise ValueError(f"merge {rank} is {shown(pair)}, which stands twice")
        for one in (first, second, first + second):
            if one not in tokens:
                raise ValueError(f"merge {rank} is {shown(pair)}, and {shorten(one)!r} is no token")
        seen.add(pair)


def check_whole(whole: object, tokens: frozenset[str]) -> None:
    """Raise unless these are tokens."""
    if not isinstance(whole, frozenset):
        raise TypeError(f"whole is {shown(whole)}, expected a frozenset of tokens")
    unknown = whole - tokens
    if unknown:
        raise ValueError(f"whole has {shown(next(iter(unknown)))}, which is no token")
