"""The steps of a path: ``[2].weight`` is ``[2]`` and then ``.weight``."""

from __future__ import annotations

import ast
import re

from funcnn.errors import shown

_STEP = re.compile(r"\.[A-Za-z_]\w*|\[\d+\]|\[(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")\]")


def steps_of(path: str, what: str = "path") -> tuple[str, ...]:
    """Return the steps of a path, a key of a dict in the quotes that ``repr`` gives it.

    Raises
    ------
    TypeError, ValueError
        When it is no text, or does not read as steps.

    Examples
    --------
    >>> from funcnn.tree.steps import steps_of
    >>> steps_of('[2]["gate"].weight')
    ('[2]', "['gate']", '.weight')
    """
    if not isinstance(path, str):
        raise TypeError(f"{what} is {shown(path)}, expected a text such as '[2].weight'")
    found: list[str] = []
    end = 0
    while end < len(path):
        step = _STEP.match(path, end)
        if step is None:
            raise ValueError(
                f"{what} is {path!r}, which does not go on with a step such as [2], .weight or ['key'] at {path[end:]!r}"
            )
        text, end = step.group(), step.end()
        found.append(f"[{ast.literal_eval(text[1:-1])!r}]" if text[1] in "'\"" else text)
    return tuple(found)
