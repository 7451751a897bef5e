"""The script of a prediction."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from attrs import frozen

from funcnn.deploy.check_network import check_network
from funcnn.deploy.script.collect import Collected
from funcnn.deploy.script.network import Step, arrays, built, call, check_expressible, has_both_modes, refer_to_records, steps
from funcnn.deploy.script.program import predicting, program
from funcnn.deploy.script.simplify import Known
from funcnn.errors import check_path
from funcnn.files.atomic_write import write_atomically, write_bytes
from funcnn.grad import apply
from funcnn.layer import Eval, Layer

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")


def export_script(path: str | os.PathLike[str], model: Layer[P, S, X, Y], params: P, state: S, x: X) -> None:
    """Write the prediction of a network as one script of plain NumPy, with its weights beside it.

    The script needs NumPy and nothing else.  It is made of the library's own source, of the functions that this network calls:
    so what it computes is, to the last bit, what :func:`funcnn.apply` gives.  Checks of arguments are left out, and whatever
    is for training or for complex numbers.  Its last function, ``predict``, has a line for each layer.

    Parameters
    ----------
    path : str or path-like
        The script, ``name.py``; the weights are written to ``name.npz`` beside it.  Both are replaced, or, on an error, none.
    model, params, state
        The network and what it has learned.
    x : array or tree of arrays
        A batch such as the script will be given: the comments tell the shapes that it has on its way.

    Raises
    ------
    ScriptError
        When something of the network has no source in the library, such as a layer of one's own.
    ValueError
        When the path does not end with ``.py``.

    Examples
    --------
    >>> import numpy as np, funcnn as fn, tempfile, pathlib
    >>> model = fn.dense(2) >> fn.tanh()
    >>> start = model.init(fn.Key(0), (3,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fn.deploy.export_script(f"{folder}/net.py", model, start.params, start.state, np.zeros((1, 3)))
    ...     text = pathlib.Path(f"{folder}/net.py").read_text()
    >>> print(text[text.index("def predict") : text.index("if __name__")].rstrip())
    def predict(x):
        \"\"\"Return the output of the network.\"\"\"
        x = dense_forward(params[0], state[0], x, mode).output  # dense(2): float64[1, 2]
        x = forward_keeping_slope(tanh, None, None, params[1], state[1], x, mode).output  # tanh: float64[1, 2]
        return x
    """
    target = check_script_path(path)
    write_script(target, *script_of(target, model, params, state, x))


@frozen(eq=False)
class Around:
    """What stands around a network in a script, which is called ``network`` then, and is given what one has."""

    reads: str
    """What the file is called that the script reads, in its usage."""
    writes: str
    source: Callable[[Collected], tuple[Sequence[str], Sequence[str]]]
    """Gives the functions before and after the network, and the lines that read, predict and write."""

    def usage(self, stem: str) -> str:
        """Return the line that runs the script."""
        return f"python {stem}.py {self.reads} {self.writes}"


def script_of(
    target: Path, model: Layer[P, S, X, Y], params: P, state: S, x: X, around: Around | None = None
) -> tuple[str, dict[str, Any]]:
    """Return what :func:`export_script` writes: the script, and its weights."""
    check_network(model, params, state)
    check_expressible(model)
    apply(model, params, state, x)
    return prediction(model, params, state, x, target.with_suffix(".npz").name, around)


def write_script(target: Path, text: str, weights: Mapping[str, Any]) -> None:
    """Write a script and its weights: both, or, when a folder or the disk refuses one of them, none."""

    def both(file: IO[bytes]) -> None:
        file.write(text.encode())
        file.flush()  # a disk that is full says so now, while the old weights are there
        write_bytes(target.with_suffix(".npz"), npz(weights))

    write_atomically(target, both)


def check_script_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of a script; raise unless it ends with .py."""
    target = Path(check_path(path, "path"))
    if target.suffix != ".py":
        raise ValueError(f"path is {str(target)!r}, expected the name of a script that ends with .py")
    return target


def npz(weights: Mapping[str, Any]) -> bytes:
    """Return the bytes of NumPy's file of several arrays."""
    file = io.BytesIO()
    np.savez(file, **dict(weights))
    return file.getvalue()


def prediction(
    model: Any, params: Any, state: Any, x: Any, weights_name: str, around: Around | None = None
) -> tuple[str, dict[str, Any]]:
    """Return the text of the script and its weights."""
    collected = Collected(Known(training=None if has_both_modes(model) else False))
    refer_to_records(collected, x)
    mode = Eval(residuals=False)
    made = list(steps(model, params, state, x, mode))
    lines = [line(collected, step) for step in made]
    start = [
        f"params = {built(collected, params, 'params')}",
        f"state = {built(collected, state, 'state')}",
        f"mode = {collected.refer(Eval)}(residuals=False)",
    ]
    name = "predict" if around is None else "network"
    body = [f"    {one}" for one in ['"""Return the output of the network."""', *lines, "return x"]]
    network = "\n".join([f"def {name}(x):", *body])
    stem = Path(weights_name).stem
    if around is None:
        parts = [network, predicting(stem, x, apply(model, params, state, x))]
    else:
        functions, last = around.source(collected)
        guarded = ["try:", *[f"    {one}" for one in last], "except (OSError, ValueError) as error:", "    sys.exit(str(error))"]
        parts = [network, *functions, program(around.usage(stem), guarded)]
    docstring = f'''"""{model.name}: a prediction in plain NumPy.

Written by funcnn, of its own source; the weights are in {weights_name}.  Read it from the end: {ABOUT[name]}
"""'''
    text = "\n\n\n".join([page(collected, docstring, weights_name, start), *parts]) + "\n"
    return text, {**arrays(params, "params"), **arrays(state, "state"), **collected.arrays}


ABOUT = {
    "predict": "`predict` has a line for each\nlayer, and what a line calls stands above it.",
    "network": "`prepare` makes of what one has\nwhat the network takes, `network` has a line for each layer, and"
    " `predict` gives the answer.",
}
"""What the last functions of a script are, for its docstring."""


def page(collected: Collected, docstring: str, weights_name: str, start: list[str]) -> str:
    """Return all above the functions of the network: imports, what was collected, and its parameters."""
    imports = sorted(
        {"import numpy as np", "from pathlib import Path", *collected.imports}, key=lambda one: (one.startswith("from"), one)
    )
    w = f'w = dict(np.load(Path(__file__).with_name("{weights_name}"), allow_pickle=False))'
    return "\n\n\n".join([f"{docstring}\n\n" + "\n".join(imports) + f"\n\n{w}", *collected.texts.values(), "\n".join(start)])


def line(collected: Collected, step: Step) -> str:
    """Return the statement of a layer in a prediction."""
    made = call(collected, step.layer.forward, f"params{step.place}", f"state{step.place}", "x", "mode")
    return f"x = {made}.output  # {step.layer.name}: {step.output}"
