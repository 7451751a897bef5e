"""What a script does as a program: arrays come from a file, and go to one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from funcnn.layers.pooling.max_unpooling import Pooled
from funcnn.masked import Masked

# Any: inputs and outputs of all types.


def parts(value: Any, name: str, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield the arrays of an input or an output: their names, as in ONNX files, and where they are: ``("input_0", "[0]")``."""
    if isinstance(value, tuple):
        for index, one in enumerate(value):
            yield from parts(one, f"{name}_{index}", f"{place}[{index}]")
    elif isinstance(value, Masked):
        yield from ((name, f"{place}.values"), (f"{name}_mask", f"{place}.mask"))
    elif isinstance(value, Pooled):
        yield from ((name, f"{place}.values"), (f"{name}_indices", f"{place}.indices"))
    else:
        yield name, place


def read(value: Any, name: str, file: str) -> str:
    """Return the expression of an input whose arrays stand in a file under their names."""
    if isinstance(value, tuple):
        inner = [read(one, f"{name}_{index}", file) for index, one in enumerate(value)]
        return f"({', '.join(inner)},)" if len(inner) == 1 else f"({', '.join(inner)})"
    if isinstance(value, Masked | Pooled):
        names = [f'{file}["{one}"]' for one, _ in parts(value, name)]
        return f"{type(value).__name__}({', '.join(names)})"
    return f'{file}["{name}"]'


def usage(stem: str, x: Any, y: Any) -> str:
    """Return the line that runs the script of a prediction."""
    given, made = ("npy" if isinstance(value, np.ndarray) else "npz" for value in (x, y))
    return f"python {stem}.py INPUT.{given} OUTPUT.{made}"


def predicting(stem: str, x: Any, y: Any) -> str:
    """Return the end of the script of a network alone: one array is in a .npy, several are in a .npz by name."""
    names = ", ".join(name for name, _ in parts(x, "input"))
    holds = "" if isinstance(x, np.ndarray) else f", where INPUT.npz holds {names}"
    lines = [
        "given = np.load(sys.argv[1], allow_pickle=False)",
        f"made = predict({'given' if isinstance(x, np.ndarray) else read(x, 'input', 'given')})",
    ]
    if isinstance(y, np.ndarray):
        lines.append("np.save(sys.argv[2], made)")
    else:
        saved = ", ".join(f"{name}=made{place}" for name, place in parts(y, "output"))
        lines.append(f"np.savez(sys.argv[2], {saved})")
    return program(f"{usage(stem, x, y)}{holds}", lines)


def program(use: str, lines: Sequence[str]) -> str:
    """Return the end of a script that is run with two files: the one that it reads, and the one that it writes."""
    head = ['if __name__ == "__main__":', "import sys", "", "if len(sys.argv) != 3:", f'    sys.exit("usage: {use}")']
    return "\n    ".join([*head, *lines]).replace("\n    \n", "\n\n")
