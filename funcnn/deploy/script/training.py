"""The script of a training step: forward, backward and update, a line for each layer and each way."""

from __future__ import annotations

import os
from typing import Any, TypeVar

import numpy as np
from attrs import evolve

from funcnn import tree
from funcnn.deploy.check_network import check_network
from funcnn.deploy.script.collect import Collected
from funcnn.deploy.script.network import (
    Step,
    arrays,
    built,
    call,
    check_expressible,
    has_both_modes,
    refer_to_records,
    steps,
    unwrapped,
)
from funcnn.deploy.script.prediction import check_script_path, page, write_script
from funcnn.deploy.script.program import parts, read
from funcnn.deploy.script.simplify import Known
from funcnn.deploy.script.updates import update_text
from funcnn.grad import loss_and_grad
from funcnn.key import Key
from funcnn.layer import Layer, Train, chain_parts
from funcnn.losses import reduction
from funcnn.losses.classification import softmax_cross_entropy
from funcnn.losses.loss import Loss, check_loss
from funcnn.losses.weighted import Weighted
from funcnn.optim.optimizer import Optimizer

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")


def export_training_script(
    path: str | os.PathLike[str],
    model: Layer[P, S, X, Y],
    loss: Loss[Y, T],
    optimizer: Optimizer,
    params: P,
    state: S,
    x: X,
    target: T,
) -> None:
    """Write the training step of a network as one script of plain NumPy: forward, backward and update, with nothing hidden.

    The script needs NumPy and nothing else, and its step is, to the last bit, that of :func:`funcnn.loss_and_grad` and of the
    optimizer: it is made of the same source.  Its function ``step`` has a line for each layer on the way forward and one on the
    way back; run as a program it trains on a batch from a file.

    Parameters
    ----------
    path : str or path-like
        The script, ``name.py``; the parameters are written to ``name.npz`` beside it.  Both are replaced, or, on an error,
        none.
    model, loss
        The network and what it is to make small.
    optimizer : Optimizer
        One of :func:`funcnn.sgd`, :func:`funcnn.momentum`, :func:`funcnn.nesterov`, :func:`funcnn.adam`, :func:`funcnn.adamw`,
        with a number or a schedule of the library as learning rate.
    params, state
        Where training begins.
    x, target : array or tree of arrays
        A batch such as the script will be given.

    Raises
    ------
    ScriptError
        When something of the network, the loss or the optimizer cannot be written.
    ValueError
        When the path does not end with ``.py``.

    Examples
    --------
    >>> import numpy as np, funcnn as fn, tempfile, pathlib
    >>> model = fn.dense(2) >> fn.tanh()
    >>> start = model.init(fn.Key(0), (3,))
    >>> batch = np.zeros((1, 3)), np.ones((1, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "step.py")
    ...     fn.deploy.export_training_script(
    ...         file, model, fn.mean_squared_error(), fn.sgd(0.1), start.params, start.state, *batch
    ...     )
    ...     text = file.read_text()
    >>> print(text[text.index("    # backward") : text.index("    # update")].rstrip())
        # backward
        dy = squared_error_pullback(kept, np.ones((), each.dtype) / each.size)  # mean_squared_error
        back_1 = backward_from_slope(params[1], made_1.residuals, dy)  # tanh
        back_0 = dense_backward(params[0], made_0.residuals, back_1.input, input_grad=False)  # dense(2)
    """
    file = check_script_path(path)
    check_network(model, params, state)
    check_loss(loss)
    check_expressible(model)
    loss_and_grad(model, loss)(params, state, x, target, Train(Key(0)))
    text, weights = training(model, loss, optimizer, (params, state), (x, target), file.with_suffix(".npz").name)
    write_script(file, text, weights)


# Any: networks, losses and trees of all types.


def training(model: Any, loss: Any, optimizer: Any, start: Any, batch: Any, weights_name: str) -> tuple[str, dict[str, Any]]:
    """Return the text of the script and its weights."""
    (params, state), (x, target) = start, batch
    collected = Collected(Known(training=None if has_both_modes(model) else True))
    for one in (x, target):
        refer_to_records(collected, one)
    made = list(steps(model, params, state, x, Train(Key(0))))
    names = {step.place: f"made_{index}" for index, step in enumerate(made)}
    forward = list(forward_lines(collected, made, names))
    last = f"made_{len(made) - 1}.output"
    scored, pulled = loss_lines(collected, loss, last, target)
    forward, backward = [*forward, *scored], [pulled]
    backward += backward_lines(collected, made, params)
    update = update_text(collected, optimizer, params)
    mode = f"{collected.refer(Train)}({collected.refer(Key)}(*key))"
    body = [
        '"""Return the loss, and the parameters, the state and what the optimizer remembers after a step.',
        "",
        "The key is a tuple: a seed, and a tuple of integers that tells the steps apart.",
        '"""',
        f"params, mode = network(w), {mode}",
        "# forward",
        *forward,
        "# backward",
        *backward,
        "# update",
        *gradients(made, params),
        "w, memory = update(w, grads, memory)",
        f"return loss, w, {next_state(model, names)}, memory",
    ]
    states = f"state = {built(collected, state, 'state')}"
    tree_of = f"return {built(collected, params, 'params')}"
    parts = [
        page(collected, docstring(model, loss, optimizer, weights_name), weights_name, [states]),
        f'def network(w):\n    """Return the parameters as the layers have them."""\n    {tree_of}',
        update,
        "\n".join(["def step(w, state, memory, x, target, key):", *[f"    {one}".rstrip() for one in body]]),
        program(weights_name, x, target),
    ]
    text = "\n\n\n".join(parts)
    return text + "\n", {**arrays(params, "params"), **arrays(state, "state"), **collected.arrays}


def loss_lines(collected: Collected, loss: Any, prediction: str, target: Any) -> tuple[list[str], str]:
    """Return the statements of a loss, forward and back: of a plain mean or sum over the batch without records around it."""
    function, bound, _ = unwrapped(loss.forward)
    rule, mean = bound if function is reduction.forward else (None, False)
    if rule is None or isinstance(target, Weighted) or rule.mask is not None or (mean and rule.mass is not None):
        scored = f"scored = {call(collected, loss.forward, prediction, 'target')}  # {loss.name}"
        return [scored, "loss = scored.value"], f"dy = {call(collected, loss.backward, 'scored.residuals')}  # {loss.name}"
    rule = for_labels(rule, target)
    count = " / each.size" if mean else ""
    lines = [
        f"each, kept = {call(collected, rule.losses, prediction, 'target')}  # {loss.name}",
        f"loss = {collected.refer(reduction.total)}(each){count}",
    ]
    return lines, f"dy = {call(collected, rule.pullback, 'kept', f'np.ones((), each.dtype){count}')}  # {loss.name}"


def for_labels(rule: Any, target: Any) -> Any:
    """Return the rule of a cross-entropy for labels alone, where that is what it is given."""
    function, bound, _ = unwrapped(rule.losses)
    plain = (
        function is softmax_cross_entropy.losses and bound == [0, None] and getattr(target, "dtype", np.dtype(float)).kind in "iu"
    )
    if not plain:
        return rule
    return evolve(rule, losses=softmax_cross_entropy.label_losses, pullback=softmax_cross_entropy.label_pullback)


def docstring(model: Any, loss: Any, optimizer: Any, weights_name: str) -> str:
    """Return the first words of the script."""
    return f'''"""{model.name}: a step of training in plain NumPy, with {loss.name} and {type(optimizer).__name__}.

Written by funcnn, of its own source; the parameters are in {weights_name}.  Read it from the end: `step` goes through the layers
forward and back, a line for each, and what a line calls stands above it.
"""'''


def program(weights_name: str, x: Any, target: Any) -> str:
    """Return what the script does as a program."""
    stem = weights_name.removesuffix(".npz")
    names = " and ".join(name for value, side in ((x, "x"), (target, "target")) for name, _ in parts(value, side))
    return f"""if __name__ == "__main__":
    import sys

    if len(sys.argv) != 4:
        sys.exit("usage: python {stem}.py BATCH.npz STEPS OUTPUT.npz, where BATCH.npz holds {names}")
    batch, memory = np.load(sys.argv[1], allow_pickle=False), {{"count": 0}}
    x, target = {read(x, "x", "batch")}, {read(target, "target", "batch")}
    for count in range(int(sys.argv[2])):
        loss, new, state, memory = step(w, state, memory, x, target, (0, (count,)))
        w = {{**w, **new}}
        print(count, float(loss))
    np.savez(sys.argv[3], **w)"""


def mode_of(model_place: str, step: Step) -> str:
    """Return the mode of a layer: that of a random one has a key of its own, at its place in the chain."""
    if not step.layer.random:
        return "mode"
    return "mode" + "".join(f".child({index})" for index in model_place[1:-1].split("][") if index)


def forward_lines(collected: Collected, made: list[Step], names: dict[str, str]) -> Any:
    """Yield the statements of the layers, first to last."""
    given = "x"
    for step in made:
        name = names[step.place]
        where = f"params{step.place}", f"state{step.place}", given, mode_of(step.place, step)
        yield f"{name} = {call(collected, step.layer.forward, *where)}  # {step.layer.name}: {step.output}"
        given = f"{name}.output"


def backward_lines(collected: Collected, made: list[Step], params: Any) -> Any:
    """Yield the statements of the layers, last to first; those before the first that has parameters are not needed."""
    first = next((index for index, step in enumerate(made) if tree.leaves(at(params, step.place))), len(made))
    given = "dy"
    for index in range(len(made) - 1, first - 1, -1):
        step = made[index]
        made_call = call(collected, step.layer.backward, f"params{step.place}", f"made_{index}.residuals", given)
        if index == first and step.layer.selective:
            made_call = f"{made_call[:-1]}, input_grad=False)"
        yield f"back_{index} = {made_call}  # {step.layer.name}"
        given = f"back_{index}.input"


def at(params: Any, place: str) -> Any:
    """Return a part of the parameters of a chain."""
    for index in place[1:-1].split("]["):
        params = params[int(index)] if index else params
    return params


def gradients(made: list[Step], params: Any) -> list[str]:
    """Return the statement that gives the gradients their names."""
    lines = ["grads = {"]
    for index, step in enumerate(made):
        for path, _ in tree.walk(at(params, step.place)):
            lines.append(f'    "params{step.place}{path}": back_{index}.params{path},')
    return [*lines, "}"] if len(lines) > 1 else ["grads = {}"]


def next_state(layer: Any, names: dict[str, str], place: str = "") -> str:
    """Return the expression of the network's next state."""
    parts = chain_parts(layer)
    if not parts:
        return f"{names[place]}.state"
    inner = [next_state(one, names, f"{place}[{index}]") for index, one in enumerate(parts)]
    return f"({', '.join(inner)},)" if len(inner) == 1 else f"({', '.join(inner)})"
