"""Writing: which character comes next."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

import funcnn as fn
from funcnn.cli import inputs
from funcnn.cli.failure import RequestError
from funcnn.cli.folder import Run
from funcnn.cli.network import Facts
from funcnn.cli.options import PredictRequest, Sampling
from funcnn.cli.problem import Problem, load_problem
from funcnn.cli.tasks.task import Outcome, Task, as_given
from funcnn.cli.terminal import command, more, section, style
from funcnn.cli.text import read_text
from funcnn.losses.loss import Loss
from funcnn.typing import Array, IntArray

_SAMPLE = 500  # characters
_BATCH = 64


def loss() -> Loss[Array, IntArray]:
    """Return the cross-entropy of the characters."""
    return cast("Loss[Array, IntArray]", fn.softmax_cross_entropy())


def mean_loss(run: Run, windows: tuple[IntArray, IntArray]) -> float:
    """Return the mean loss of windows, computed some at a time: the logits of all would fill the memory."""
    inputs_, targets = windows
    total = 0.0
    for first in range(0, len(inputs_), _BATCH):
        x, y = inputs_[first : first + _BATCH], targets[first : first + _BATCH]
        total += float(loss().forward(fn.apply(run.model, run.params, run.state, x), y).value) * len(x)
    return total / len(inputs_)


def report(run: Run, problem: Problem) -> Outcome:
    """Show the loss on text that was held out."""
    value = mean_loss(run, (problem.test.x, problem.test.y))
    _say(value, problem.test.x.size)
    return Outcome({"test_loss": value, "test_bits": value / math.log(2), "test_characters": problem.test.x.size}, {})


def _say(value: float, count: int) -> None:
    section("Test", style(f"loss {value:.4f}", "bold") + f" of {count:,} characters that were not learned from")
    more(f"{value / math.log(2):.3f} bits for a character, perplexity {math.exp(min(value, 700)):.2f}")


def predict(run: Run, request: PredictRequest) -> None:
    """Print how well a text is predicted: the held-out part of the run's own, or that of a file."""
    context_length = run.facts.features
    if request.output is not None:
        raise RequestError(
            f"--output: {run.settings.model} predicts text; python -m funcnn sample RUN --output FILE has it write"
        )
    if request.input is None:
        problem = load_problem(run.settings, as_given)
        inputs.check_alike(run, problem.facts)
        windows, said = (problem.test.x, problem.test.y), f"the held-out part of {problem.title}"
    else:
        text = read_text(request.input, "--input")
        tokens = encode(run, text, f"--input {request.input}")
        if len(tokens) < 2:
            raise RequestError(f"--input {request.input}: it has {len(tokens)} characters, expected two at least")
        length = min(context_length, len(tokens) - 1)
        windows, said = fn.data.windows(tokens, length, stride=length), str(request.input)
    inputs.introduce(request.run, run)
    section("Input", f"{windows[0].size:,} characters: {said}")
    _say(mean_loss(run, windows), windows[0].size)
    section("Sample", command("sample", request.run))


def encode(run: Run, text: str, option: str) -> IntArray:
    """Return a text as tokens of a run."""
    try:
        return fn.data.fit_vocabulary(run.facts.vocabulary).encode(text)
    except ValueError as error:
        raise RequestError(f"{option}: {error}: it did not occur in what was learned from") from None


def sample(run: Run, sampling: Sampling) -> str:
    """Continue a prompt."""
    letters = run.facts.vocabulary
    given = sampling.prompt
    prompt = given if given is not None else "\n" if "\n" in letters else letters[0]
    tokens = encode(run, prompt, "--prompt")[None]
    model: Any = run.model
    drawn = fn.generation.sample(
        model, run.params, run.state, tokens, sampling.count or _SAMPLE, fn.Key(run.settings.seed).child(4).child(sampling.seed),
        sampling=sampling.of_tokens(), context_length=run.facts.features,
    )  # fmt: skip
    text = fn.data.fit_vocabulary(letters).decode(np.asarray(drawn.tokens[0]))
    return text if given is not None else text[1:]


def use(facts: Facts) -> str:
    """Return the lines of a script that write."""
    return (
        f"vocabulary = fn.data.fit_vocabulary(data)\nprompt = vocabulary.encode(data[:{min(20, facts.features)}])[None]\n"
        f"drawn = fn.generate(model, params, state, prompt, 200, fn.Key(0), context_length={facts.features})\n"
        "print(vocabulary.decode(drawn[0]))"
    )


WRITE = Task(loss, {}, report, predict, use, as_given, sample)
