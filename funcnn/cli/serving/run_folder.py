"""A run behind a port: each task in its own words."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import funcnn as fn
from funcnn.cli import folder
from funcnn.cli.failure import RequestError
from funcnn.cli.folder import Run
from funcnn.cli.options import Sampling
from funcnn.cli.serving import tables
from funcnn.cli.tasks import task_of
from funcnn.cli.tasks.classify import softmax
from funcnn.cli.text import tokens_of
from funcnn.deploy.server.limits import HTTPError, Limits
from funcnn.deploy.server.serving import Action, Service
from funcnn.deploy.server.strict_json import check_names, number_of, rows_of, texts_of, told, whole_of
from funcnn.typing import Array, IntArray

SHORT = 10
"""Numbers of a row that an example shows."""


def service(path: Path, limits: Limits) -> Service:
    """Return what can be asked of a run; raises a RequestError when its folder cannot be read."""
    run = folder.open_run(path)
    task = run.settings.job.task
    rows: dict[str, object] = {"inputs": rows_like(run)}
    pair: dict[str, object] = {"first": rows_like(run), "second": rows_like(run)}
    makers: dict[str, tuple[str, Callable[[Run, Limits, dict[str, object]], dict[str, object]], dict[str, object]]] = {
        "classify": ("/predict", classify, rows),
        "compare": ("/predict", compare, pair),
        "redraw": ("/predict", redraw, rows),
        "imagine": ("/predict", redraw, rows),
        "denoise": ("/predict", redraw, rows),
        "classify_text": ("/predict", classify_text, {"texts": ["a line"]}),
        "write": ("/sample", write, {"prompt": run.facts.vocabulary[-1:], "count": min(100, limits.tokens)}),
    }
    where, answer, example = makers[task] if run.settings.table is None else tables.maker(run, path)
    actions: dict[str, Action] = {where: partial(answer, run, limits)}
    if task == "imagine":
        actions["/sample"] = partial(draw, run, limits)
    facts = run.facts
    description: dict[str, object] = {
        "model": run.settings.model,
        "task": run.settings.job.about if run.settings.table is None else tables.about(run.settings.table),
        "parameters": folder.size(run),
        "dtype": run.settings.dtype,
        "classes": list(facts.classes),
        "features": facts.features,
        "picture": list(facts.picture),
        "requests": {path: shown(example) if path == where else {"count": min(10, limits.rows)} for path in actions},
        "limits": described(limits),
        "example": command(where, example),
        "funcnn": fn.__version__,
    }
    return Service(description, actions, frozenset(actions) - {"/sample"})


def described(limits: Limits) -> dict[str, object]:
    """Return the limits that whoever asks should know."""
    return {"rows": limits.rows, "bytes": limits.body_bytes, "tokens": limits.tokens, "seconds": limits.answer_seconds}


def rows_like(run: Run) -> list[list[int]]:
    """Return one row of numbers, as an example."""
    return [[0] * run.facts.features]


def shown(example: dict[str, object]) -> dict[str, object]:
    """Return an example in which long rows stand as how long they are."""
    long = {name: [f"{len(row)} numbers"] for name, rows in example.items() for row in rows_in(rows) if len(row) > SHORT}
    return example | long


def rows_in(value: object) -> list[list[object]]:
    """Return the rows that a value of a request has."""
    return [row for row in value if isinstance(row, list)] if isinstance(value, list) else []


def command(where: str, example: dict[str, object]) -> str:
    """Return a command that asks: with the numbers written out, or made, where there are many."""
    text = json.dumps(example)
    for rows in map(rows_in, example.values()):
        for row in rows:
            if len(row) > SHORT:
                text = text.replace(json.dumps(row), f"[0] * {len(row)}")
    if "*" in text:
        return f"python -c 'import json; print(json.dumps({text}))' | curl URL{where} -d @-"
    return f"curl URL{where} -d '{text}'"


def inputs_of(run: Run, limits: Limits, given: dict[str, object], name: str = "inputs") -> Array:
    """Return the rows of a request in the precision of the run."""
    rows = rows_of(given[name], name, run.facts.features, limits.rows)
    with np.errstate(over="ignore"):
        made: Array = rows.astype(run.settings.dtype)
    if not np.isfinite(made).all():
        raise HTTPError(422, f"{name} holds numbers that are too large for {run.settings.dtype}")
    return made


def chosen(run: Run, x: Array | IntArray) -> dict[str, object]:
    """Return the classes of inputs, and their probabilities."""
    logits: Array = fn.predict(run.model, run.params, run.state, x)
    return classes_of(softmax(logits), run.facts.classes)


def classes_of(shares: Array, names: tuple[str, ...]) -> dict[str, object]:
    """Return the likeliest classes by name, and the probabilities of all."""
    return {"classes": [names[best] for best in shares.argmax(1).tolist()], "probabilities": listed(shares)}


def listed(numbers: Array) -> list[object]:
    """Return numbers as lists, each as short as reads back the same; raise where one is not finite, which JSON cannot say."""
    if not np.isfinite(numbers).all():
        raise HTTPError(422, "the network gives numbers that are not finite for these inputs")
    return [[float(str(one)) for one in row] for row in numbers.reshape(len(numbers), -1)]


def classify(run: Run, limits: Limits, given: dict[str, object]) -> dict[str, object]:
    """Answer to which classes rows belong."""
    check_names(given, ("inputs",))
    return chosen(run, inputs_of(run, limits, given))


def classify_text(run: Run, limits: Limits, given: dict[str, object]) -> dict[str, object]:
    """Answer from which texts lines are."""
    check_names(given, ("texts",))
    texts = [text.strip() for text in texts_of(given["texts"], "texts", limits.rows)]
    tokens = tokens_of(texts, run.facts)
    unknown = np.flatnonzero(~tokens.any(1))
    if unknown.size:
        raise HTTPError(422, f"texts[{unknown[0]}] has no character that occurred in what was learned from")
    return chosen(run, tokens)


def compare(run: Run, limits: Limits, given: dict[str, object]) -> dict[str, object]:
    """Answer how far apart pairs of rows are, and whether they are alike."""
    from funcnn.cli.tasks.compare import MARGIN, distances

    check_names(given, ("first", "second"))
    pair = inputs_of(run, limits, given, "first"), inputs_of(run, limits, given, "second")
    if len(pair[0]) != len(pair[1]):
        raise HTTPError(422, f"first has {len(pair[0])} rows and second {len(pair[1])}, expected as many")
    apart = distances(run, pair)
    return {"distances": [row[0] for row in listed(apart[:, None])], "alike": (apart < MARGIN / 2).tolist()}  # type: ignore[index]  # lists of one


def redraw(run: Run, limits: Limits, given: dict[str, object]) -> dict[str, object]:
    """Answer what a network makes of images."""
    from funcnn.cli.tasks.images import redrawn

    check_names(given, ("inputs",))
    return {"outputs": listed(redrawn(run, inputs_of(run, limits, given)))}


def draw(run: Run, limits: Limits, given: dict[str, object]) -> dict[str, object]:
    """Answer with new images."""
    from funcnn.cli.tasks.images import imagined

    check_names(given, (), ("count", "seed"))
    count, seed = whole_of(given, "count", min(10, limits.rows), 1, limits.rows), whole_of(given, "seed", 0, 0, 2**63)
    return {"outputs": listed(imagined(run, count or 10, seed or 0))}


def write(run: Run, limits: Limits, given: dict[str, object]) -> dict[str, object]:
    """Answer with a text that goes on with a prompt."""
    sample: Any = task_of(run.settings.job.task).sample
    return {"text": told_by(partial(sample, run), sampling_of(limits, given))}


def sampling_of(limits: Limits, given: dict[str, object]) -> Sampling:
    """Return how a text is to be written."""
    check_names(given, (), ("prompt", "count", "temperature", "top_k", "seed", "top_p", "min_p", "repetition_penalty"))
    prompt = given.get("prompt")
    if not (prompt is None or (isinstance(prompt, str) and prompt)):
        raise HTTPError(422, f"prompt is {told(prompt)}, expected a text that is not empty")
    return Sampling(
        whole_of(given, "count", min(100, limits.tokens), 1, limits.tokens),
        prompt,
        number_of(given, "temperature", 0.8, 0, 100),
        whole_of(given, "top_k", None, 1, 10**6),
        whole_of(given, "seed", 0, 0, 2**63) or 0,
        number_of(given, "top_p", 1.0, 1e-6, 1),
        number_of(given, "min_p", 0.0, 0, 1),
        number_of(given, "repetition_penalty", 1.0, 1e-3, 1e3),
    )


def told_by(sample: Callable[[Sampling], str], sampling: Sampling) -> str:
    """Return a sample; what is wrong with the prompt is an error of the request."""
    try:
        return sample(sampling)
    except RequestError as error:
        raise HTTPError(422, str(error).replace("--prompt", "prompt")) from None
