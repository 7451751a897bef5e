"""Texts as data: one to be continued, or several to be told apart by their lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from attrs import frozen

from funcnn import data
from funcnn.cli.failure import RequestError
from funcnn.cli.network import Facts
from funcnn.cli.settings import Settings
from funcnn.cli.terminal import plain
from funcnn.deploy.script.inputs.arrays import as_tokens
from funcnn.typing import IntArray

_TRAINED = 0.9  # share of a text that is learned from
_WATCHED = 64  # windows on which the loss is looked at in training
_TESTED = 4000  # windows on which it is computed in the end


@frozen(eq=False)
class Tokens:
    """A text as windows of tokens, (inputs, targets): at each place the target is the next token."""

    title: str
    parts: str
    facts: Facts
    train: tuple[IntArray, IntArray]
    watched: tuple[IntArray, IntArray]
    test: tuple[IntArray, IntArray]
    source: str


@frozen(eq=False)
class Lines:
    """The lines of several texts as padded tokens, and the numbers of the texts."""

    title: str
    facts: Facts
    x: IntArray
    y: IntArray
    source: str


def read_text(name: str | Path, option: str = "--text") -> str:
    """Return the content of a text file.

    Raises
    ------
    RequestError
        When there is none, or it is no text in UTF-8.
    """
    try:
        return Path(name).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RequestError(f"{option} {name}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise RequestError(f"{option} {name}: not a text in UTF-8 (byte {error.start}): convert it first") from None


def load_text(settings: Settings) -> Tokens:
    """Return the text of a run: its first part to learn from, its last to test on."""
    (name,), length = settings.text, settings.count("context_length")
    text = read_text(name)
    cut = int(_TRAINED * len(text))
    if len(text) - cut < length + 1:
        longest = len(text) - cut - 1
        hint = f"--context-length {longest} fits" if longest > 1 else "give a longer one"
        raise RequestError(f"--text {name}: {len(text):,} characters are too few for a context of {length}: {hint}")
    vocabulary = data.fit_vocabulary(text)
    tokens = vocabulary.encode(text)
    held_out = data.windows(tokens[cut:], length, stride=length)
    return Tokens(
        f"{len(text):,} characters of {name}, {len(vocabulary)} different ones",
        f"{cut:,} to train, the last {len(text) - cut:,} to validate and to test; {length} are seen at a time",
        Facts((), length, (), vocabulary.characters),
        data.windows(tokens[:cut], length),
        some(held_out, _WATCHED),
        some(held_out, _TESTED),
        _source(name),
    )


def _source(name: str) -> str:
    """Return the expression that reads a text in a script."""
    return f"pathlib.Path({str(Path(name).resolve())!r}).read_text('utf-8-sig')"


def some(windows: tuple[IntArray, IntArray], most: int) -> tuple[IntArray, IntArray]:
    """Return at most so many windows, evenly spread."""
    rows = np.unique(np.linspace(0, len(windows[0]) - 1, most).astype(int))
    return windows[0][rows], windows[1][rows]


def load_lines(settings: Settings) -> Lines:
    """Return the lines of the texts of a run that are not empty, each cut after the context length."""
    names = tuple([plain(Path(name).stem) for name in settings.text])
    if len(set(names)) < len(names):
        names = tuple(map(plain, settings.text))
    texts = [[line for line in map(str.strip, read_text(name).splitlines()) if line] for name in settings.text]
    for name, lines in zip(settings.text, texts, strict=True):
        if len(lines) < 8:
            raise RequestError(f"--text {name}: it has {len(lines)} lines that are not empty, expected at least 8")
    vocabulary = data.fit_vocabulary("".join(line for lines in texts for line in lines)).characters
    facts = Facts(names, settings.count("context_length"), (), vocabulary)
    x = tokens_of([line for lines in texts for line in lines], facts)
    y = np.repeat(np.arange(len(texts)), [len(lines) for lines in texts])
    title = f"{len(x):,} lines of {' and '.join(names)}, {len(vocabulary)} different characters"
    return Lines(title, facts, x, y, _source(settings.text[0]) + ".splitlines()[:10]")


def tokens_of(lines: list[str], facts: Facts) -> IntArray:
    """Return lines as tokens (n, t), t at most the context length: 0 where a line has ended, and for unknown characters."""
    return as_tokens(lines, facts.vocabulary, facts.features)


def lines_of(tokens: IntArray, facts: Facts) -> list[str]:
    """Return the lines that tokens stand for."""
    return ["".join(facts.vocabulary[token - 1] for token in row if token) for row in tokens.tolist()]
