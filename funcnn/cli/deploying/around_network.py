"""What a run does around its network, as source for a script: what makes inputs of what one has, and answers of outputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from attrs import frozen

from funcnn.cli.folder import Run
from funcnn.cli.table_settings import TableSettings
from funcnn.cli.tables.predicting import load_transform
from funcnn.cli.tasks.classify import softmax
from funcnn.cli.tasks.find_anomalies import bound_of
from funcnn.cli.tasks.images import shares
from funcnn.data import TableTransform
from funcnn.data.tables.encodings import BooleanEncoding, CategoryEncoding, DateEncoding, Encoding
from funcnn.data.tables.targets import NumberTarget
from funcnn.data.tables.words import ABSENT
from funcnn.deploy.script.collect import Collected
from funcnn.deploy.script.inputs.arrays import as_known_tokens, as_pictures, as_rows, as_window
from funcnn.deploy.script.inputs.features import (
    category_features,
    moment_features,
    number_features,
    side_by_side,
    truth_features,
)
from funcnn.deploy.script.inputs.files import read_columns, read_lines, read_text, write_rows
from funcnn.deploy.script.prediction import Around


@frozen
class Source:
    """What a script is given."""

    prepare: str
    """The source of the function that makes of it what the network takes."""
    reads: str
    """The expression that reads it from a file."""


@frozen
class Answer:
    """What a script says."""

    predict: str
    """The source of the function."""
    writes: Sequence[str]
    """The lines that write what it gives to a file."""


def around_run(run: Run, path: Path) -> Around | None:
    """Return what stands around the network of a run; None where pairs are compared, which go in as they are."""
    task = run.settings.job.task
    if task == "compare":
        return None
    transform = None if run.settings.table is None else load_transform(run.facts, path)

    def source(collected: Collected) -> tuple[Sequence[str], Sequence[str]]:
        if transform is not None:
            given, answer = table_source(collected, run, transform), table_answer(collected, run, transform, path)
        elif task in ("classify_text", "write"):
            given, answer = text_source(collected, run), classes_answer(collected, run)
        else:
            given = array_source(collected, run)
            answer = classes_answer(collected, run) if task == "classify" else images_answer(collected, run)
        return [given.prepare, answer.predict], [f"given = {given.reads}", *answer.writes]

    reads = "ROWS.csv" if transform is not None else "TEXT.txt" if task in ("classify_text", "write") else "INPUT.npy"
    return Around(reads, "OUTPUT.npy" if task in ("redraw", "imagine", "denoise") else "PREDICTIONS.csv", source)


def array_source(collected: Collected, run: Run) -> Source:
    """Return the source for arrays: pictures as bytes, or rows of numbers."""
    dtype, picture = collected.expression(np.dtype(run.settings.dtype)), run.facts.picture
    if run.facts.from_bytes:
        about = f"pictures (n, {', '.join(map(str, picture))}), bytes or numbers from 0 to 1, as rows of numbers from 0 to 1"
        made = f"{collected.refer(as_pictures)}(given, {picture}, {dtype})"
    else:
        about = f"rows of {run.facts.features} numbers in {run.settings.dtype}"
        made = f"{collected.refer(as_rows)}(given, {run.facts.features}, {dtype})"
    return Source(
        f'def prepare(given):\n    """Return {about}."""\n    return {made}', "np.load(sys.argv[1], allow_pickle=False)"
    )


def text_source(collected: Collected, run: Run) -> Source:
    """Return the source for texts: lines that are told apart, or one that goes on."""
    vocabulary, length = repr(run.facts.vocabulary), run.facts.features
    if run.settings.job.task == "write":
        about = f"the last {length} characters of a text as tokens (1, t)"
        made, reads = collected.refer(as_window), collected.refer(read_text)
    else:
        about = f"lines as tokens (n, t), t at most {length}"
        made, reads = collected.refer(as_known_tokens), collected.refer(read_lines)
    body = f"    return {made}(given, VOCABULARY, {length})"
    prepare = f'VOCABULARY = {vocabulary}\n\n\ndef prepare(given):\n    """Return {about}."""\n{body}'
    return Source(prepare, f"{reads}(sys.argv[1])")


def table_source(collected: Collected, run: Run, transform: TableTransform) -> Source:
    """Return the source for a table: a line for each of its columns."""
    lines = [f"        *{features_of(collected, one)}," for one in transform.encodings if one.features]
    about = f"the features (n, {len(transform.features)}) of a table, a dict of columns"
    dtype = collected.expression(np.dtype(run.settings.dtype))
    prepare = [
        "def prepare(given):", f'    """Return {about}."""', "    features = [", *lines, "    ]",
        f"    return {collected.refer(side_by_side)}(features, {dtype})",
    ]  # fmt: skip
    asked = run.settings.table or TableSettings()
    names = repr(transform.names)
    numbers = repr(tuple([one.name for one in transform.encodings if one.kind == "number"]))
    absent = repr(tuple(sorted(ABSENT | {word.strip() for word in asked.missing})))
    options = [names, f"numbers={numbers}", f"absent={absent}", *(f"{name}={value!r}" for name, value in asked.dialect.items())]
    return Source("\n".join(prepare), f"{collected.refer(read_columns)}(sys.argv[1], {', '.join(options)})")


def features_of(collected: Collected, encoding: Encoding) -> str:
    """Return the expression of the features of a column."""
    if isinstance(encoding, CategoryEncoding):
        function, names = collected.refer(category_features), ["categories", "indicator"]
    elif isinstance(encoding, DateEncoding):
        function, names = collected.refer(moment_features), ["fill", "mean", "scale", "parts", "indicator"]
    elif isinstance(encoding, BooleanEncoding):
        function, names = collected.refer(truth_features), ["fill", "indicator"]
    else:
        function, names = collected.refer(number_features), ["fill", "mean", "scale", "indicator"]
    given = [f"{name}={collected.expression(getattr(encoding, name))}" for name in names]
    if isinstance(encoding, CategoryEncoding) and encoding.unseen == "error":
        given.append("refuse=True")
    return f"{function}(given, {', '.join([repr(encoding.name), *given])})"


def classes_answer(collected: Collected, run: Run, target: str = "", form: str = ".6g") -> Answer:
    """Return the answer of classes: the most probable, and the probabilities of all; of a text the next character."""
    task = run.settings.job.task
    names = tuple(run.facts.vocabulary) if task == "write" else run.facts.classes
    said = "the most probable character after each of the text" if task == "write" else "the most probable class of each row"
    place = "[0]" if task == "write" else ""
    predict = [
        f"CLASSES = {names!r}", "", "", "def predict(given):",
        f'    """Return {said}, and the probabilities (n, {len(names)}) of all."""',
        f"    probabilities = {collected.refer(softmax)}(network(prepare(given)){place})",
        "    return [CLASSES[best] for best in probabilities.argmax(1)], probabilities",
    ]  # fmt: skip
    head = f'[{target or "class"!r}, *(f"p({{name}})" for name in CLASSES)]'
    writes = [
        "names, probabilities = predict(given)",
        f'rows = [[name, *(f"{{share:{form}}}" for share in shares)] for name, shares in zip(names, probabilities)]',
        f"{collected.refer(write_rows)}(sys.argv[2], {head}, rows)",
    ]
    return Answer("\n".join(predict), writes)


def images_answer(collected: Collected, run: Run) -> Answer:
    """Return the answer of images that are redrawn."""
    drawn = "network(prepare(given))"
    if run.settings.model != "autoencoder":
        drawn = f"{collected.refer(shares)}({drawn}{'[0]' * (run.settings.model == 'vae')})"
    about = "what the network makes of images: rows of numbers from 0 to 1"
    predict = f'def predict(given):\n    """Return {about}."""\n    return {drawn}'
    return Answer(predict, ["np.save(sys.argv[2], predict(given))"])


def table_answer(collected: Collected, run: Run, transform: TableTransform, path: Path) -> Answer:
    """Return the answer for the rows of a table."""
    write = collected.refer(write_rows)
    target = transform.target
    if run.settings.job.task == "find_anomalies":
        predict = [
            f"BOUND = {collected.expression(bound_of(path))}", "", "", "def predict(given):",
            '    """Return the squared error with which each row is redrawn, and whether that is unusual."""',
            "    features = prepare(given)",
            "    errors = np.square(network(features) - features).mean(1)",
            "    return errors, errors > BOUND",
        ]  # fmt: skip
        rows = '[[f"{error:.6g}", "yes" if odd else "no"] for error, odd in zip(*predict(given))]'
        return Answer("\n".join(predict), [f'{write}(sys.argv[2], ["error", "unusual"], {rows})'])
    assert target is not None
    head = f"predicted {target.name}"
    if not isinstance(target, NumberTarget):
        return classes_answer(collected, run, head, ".4f")
    scale, mean = collected.expression(target.scale), collected.expression(target.mean)
    predict = [
        "def predict(given):", '    """Return a prediction for each row, in the unit of the training data."""',
        "    scaled = network(prepare(given))",
        f"    return scaled.reshape(len(scaled)).astype(np.float64) * {scale} + {mean}",
    ]  # fmt: skip
    return Answer("\n".join(predict), [f'{write}(sys.argv[2], [{head!r}], [[f"{{value:.6g}}"] for value in predict(given)])'])
