"""The options of the command line, read into requests."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from attrs import evolve, field, frozen

import funcnn as fn
from funcnn.cli.arguments import ARGUMENTS, FORMER, Argument, whole
from funcnn.cli.failure import STATUSES
from funcnn.cli.jobs import JOBS, models_with
from funcnn.cli.settings import DTYPES, MADE, OPTIMIZERS, SCHEDULES, TABLE_MODELS, Settings, defaults_for
from funcnn.cli.table_settings import DIALECT, PURPOSES, SHIPPED, Dialect, TableSettings, dialect_of, is_table

_DESCRIPTION = """\
Train a network, its gradient certified first.

  python -m funcnn                                train on handwritten digits
  python -m funcnn --data spirals                 on another data set: xor, spirals, or a folder of IDX files such as MNIST's
  python -m funcnn --data FOLDER                  learn from pictures: a folder with a folder of them for each class
  python -m funcnn --data t.csv --target price    learn to predict a column of a table from the others
  python -m funcnn --model convnet                train another model on the digits
  python -m funcnn --model gpt --text FILE        learn to write like a text
  python -m funcnn --resume RUN                   go on with a run that was interrupted
  python -m funcnn predict RUN                    use what a run has learned
  python -m funcnn predict RUN new.csv            predict the column for other rows
  python -m funcnn sample RUN                     let it write, or draw
  python -m funcnn serve RUN                      answer requests over HTTP
  python -m funcnn export RUN --onnx FILE         write it for other programs: as ONNX, or as plain NumPy (--script)
  mpiexec -n 2 python -m funcnn                   train in two processes
  python -m funcnn check MODULE:FACTORY           check the gradient of a layer or function of your own
  python -m funcnn certify                        check every gradient of the library

These commands have options of their own: python -m funcnn predict --help.
"""
_COMMON = ("optimizer", "learning_rate", "schedule", "clip", "epochs", "steps", "batch_size", "seed", "dtype", "image_size")


@frozen
class Sampling:
    """What is to be written, or drawn, by a model that can."""

    count: int | None = None
    """Characters or pictures; by default some."""
    prompt: str | None = None
    temperature: float = 0.8
    top_k: int | None = None
    seed: int = 0
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0

    def of_tokens(self, stop: tuple[int, ...] = ()) -> fn.generation.Sampling:
        """Return how single tokens are drawn, and which of them end a text."""
        return fn.generation.Sampling(
            temperature=self.temperature, top_k=self.top_k, top_p=self.top_p, min_p=self.min_p,
            repetition_penalty=self.repetition_penalty, stop=stop,
        )  # fmt: skip


@frozen
class TrainRequest:
    """What ``python -m funcnn`` is asked for."""

    settings: Settings
    output: Path | None
    overwrite: bool
    sampling: Sampling
    certify: str | None = None
    """How thoroughly the gradient is checked before; None for what suits the model."""
    chosen: frozenset[str] = frozenset()
    """The settings that were asked for: others may be made to suit the data."""


@frozen
class ResumeRequest:
    """A run to go on with."""

    run: Path
    sampling: Sampling


@frozen
class PredictRequest:
    """What ``python -m funcnn predict`` is asked for."""

    run: Path
    input: Path | None
    output: Path | None
    image: Path | None = None
    """For a published network the image that it is to classify; for a run on a table, the file of other rows."""
    dialect: Dialect = field(factory=Dialect)
    """How the file of other rows is written, as far as that was said."""


@frozen
class SampleRequest:
    """What ``python -m funcnn sample`` is asked for."""

    run: Path
    sampling: Sampling
    output: Path | None


def read_train(arguments: Sequence[str]) -> TrainRequest | ResumeRequest:
    """Return the request that the arguments make; on a wrong one argparse prints what is wrong and exits with status 2."""
    parser = base_parser("python -m funcnn", _DESCRIPTION)
    what = parser.add_argument_group("model and data")
    what.add_argument("--model", choices=JOBS, metavar="NAME", help=f"{_told()} (default: mlp)")
    what.add_argument(
        "--data", metavar="SET", type=_text,
        help=f"{', '.join(MADE)}, a folder of IDX files, one with a folder of pictures for each class, or a table: a CSV or"
        f" Parquet file, or {SHIPPED}NAME of those that ship with scikit-learn (default: digits)",
    )  # fmt: skip
    what.add_argument(
        "--text", nargs="+", metavar="FILE", type=_text,
        help="what a model of text learns from, in UTF-8; for text_classifier two files or more, one for each class",
    )  # fmt: skip
    what.add_argument(
        "--image-size",
        type=whole_number(1, 2**12),
        metavar="N",
        help="side to which the pictures of a folder are scaled (default: as they are)",
    )
    what.add_argument("--dtype", choices=DTYPES, help="precision (default: float32; xor: float64)")
    _add_table(parser)
    sizes = parser.add_argument_group("settings of the model", "for each model that has it with its default")
    for name, argument in ARGUMENTS.items():
        _add(sizes, name, argument)
    how = parser.add_argument_group("training")
    how.add_argument(
        "--optimizer", choices=OPTIMIZERS, metavar="NAME", help=f"{', '.join(OPTIMIZERS)} (default: adam; of text adamw)"
    )
    how.add_argument(
        "--learning-rate",
        type=_number(0, math.inf, above=True, below=True),
        metavar="R",
        help=f"(default: {_each('learning_rate')})",
    )
    how.add_argument(
        "--schedule", choices=SCHEDULES,
        help="whether the learning rate falls to zero along a cosine (the default), rises first (default of text), or stays",
    )  # fmt: skip
    how.add_argument(
        "--clip", type=_number(0, math.inf, below=True), metavar="NORM",
        help="largest norm of a gradient, or 0 (default: 0; of text 1)",
    )  # fmt: skip
    how.add_argument("--epochs", type=whole_number(1), metavar="N", help=f"passes through the data (default: {_each('epochs')})")
    how.add_argument(
        "--steps", type=whole_number(1), metavar="N",
        help=f"batches drawn at random, for models that write text (default: {_each('steps')})",
    )  # fmt: skip
    how.add_argument("--cv", type=whole_number(2), metavar="K", help="a cross-validation with K folds before the training")
    how.add_argument("--batch-size", type=whole_number(1), metavar="N", help=f"rows of a step (default: {_each('batch_size')})")
    how.add_argument(
        "--seed", type=whole_number(0), metavar="N", help="the same seed gives the same parameters, bit for bit (default: 0)"
    )
    out = parser.add_argument_group("results")
    out.add_argument(
        "--sample",
        type=whole_number(1),
        metavar="N",
        help="characters to write, or pictures to draw, at the end (gpt, char_rnn, vae)",
    )
    out.add_argument("--prompt", metavar="TEXT", help="what the written text begins with (gpt, char_rnn)")
    out.add_argument(
        "--output", type=_path, metavar="FOLDER", help="run folder to write (default: runs/SET-1, or the next free number)"
    )
    how.add_argument(
        "--certify", choices=("full", "quick", "skip"),
        help="check the gradient before, entry by entry, along random directions, or not at all (default: full for small"
        " models of dense layers, quick for all others)",
    )  # fmt: skip
    parser.add_argument("--version", "-V", action="version", version=f"funcnn {fn.__version__}")
    out.add_argument("--overwrite", action="store_true", help="write into the folder of an earlier run")
    out.add_argument(
        "--resume", type=_path, metavar="RUN", help="go on with an interrupted run: the result is that of one that was not"
    )
    given = {
        name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None and value is not False
    }
    sampling = Sampling(given.pop("sample", None), given.pop("prompt", None))
    certify = given.pop("certify", None) if "resume" not in given else None
    if "resume" in given:
        run = given.pop("resume")
        if given:
            parser.error(f"argument --resume: the run has its settings already: leave out {_spelled(given)}")
        return ResumeRequest(run, sampling)
    given |= _table_of(parser, given)
    _check(parser, given, sampling)
    model = given.get("model", "mlp")
    job = JOBS[model]
    settings = defaults_for(model, "" if job.reads_text else given.get("data", "digits"))
    own = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if name in ARGUMENTS}
    settings = evolve(settings, text=tuple(given.get("text", ())), arguments=settings.arguments | own)
    settings = evolve(settings, **{name: given[name] for name in _COMMON if name in given})
    settings = evolve(settings, table=given.get("table"), folds=given.get("cv", 0))
    return TrainRequest(settings, given.get("output"), "overwrite" in given, sampling, certify, frozenset(given))


def _add_table(parser: argparse.ArgumentParser) -> None:
    """Add the options of a run on a table."""
    table = parser.add_argument_group("table")
    table.add_argument("--target", metavar="COLUMN", type=_text, help="the column that is to be predicted")
    table.add_argument(
        "--task", choices=PURPOSES,
        help="what is learned (default: the target tells; anomalies need none, or one that says which rows are usual)",
    )  # fmt: skip
    table.add_argument("--leave-out", nargs="+", metavar="COLUMN", type=_text, help="columns that are not learned from")
    table.add_argument("--categories", nargs="+", metavar="COLUMN", type=_text, help="columns of numbers that are names")
    table.add_argument("--missing", nargs="+", metavar="WORD", type=_text, help="further words that say that nothing is known")
    _add_dialect(table)
    table.add_argument(
        "--patience", type=whole_number(1), metavar="N",
        help=f"epochs without improvement after which training ends (default: {TableSettings().patience})",
    )  # fmt: skip


def _add_dialect(parser: argparse._ActionsContainer) -> None:
    """Add the options that say how a CSV file is written."""
    parser.add_argument("--separator", metavar="MARK", type=_text, help="what stands between fields (default: found out)")
    parser.add_argument("--decimal", choices=(".", ","), help="the decimal mark (default: found out)")
    parser.add_argument("--encoding", metavar="NAME", type=_text, help="such as cp1252 (default: UTF-8, or what its mark says)")


def _table_of(parser: argparse.ArgumentParser, given: dict[str, Any]) -> dict[str, object]:
    """Return what the options ask of a table, and take them out; nothing for other data."""
    known = ("target", "task", "leave_out", "categories", "missing", *DIALECT, "patience")
    own = [name for name in known if name in given]
    asked = {name: given.pop(name) for name in own}
    data = str(given.get("data", "digits"))
    if not is_table(data):
        if own:
            parser.error(f"argument {_spelled(own[:1])}: --data {data} is no table: name a CSV or Parquet file with --data")
        return {}
    if "target" not in asked and asked.get("task") != "anomalies":
        parser.error(
            f"argument --target: which column of {data} is to be predicted? name it, or learn what is usual with --task anomalies"
        )
    model = TABLE_MODELS[asked.get("task", "classification")]
    if given.get("model", model) != model:
        parser.error(
            f"argument --model: {given['model']} does not learn {asked.get('task', 'a column')} from a table: {model} does"
        )
    lists: dict[str, Any] = {name: tuple(asked.pop(name)) for name in ("leave_out", "categories", "missing") if name in asked}
    return {"model": model, "table": TableSettings(**asked, **lists, fixed_batch="batch_size" in given)}


def check_sampling(parser: Callable[[str], object], model: str, sampling: Sampling) -> None:
    """Complain about samples that a model cannot give."""
    task = JOBS[model].task
    if sampling.count is not None and task not in ("write", "imagine"):
        parser(f"argument --sample: {model} neither writes nor draws; gpt, char_rnn and vae do")
    if sampling.prompt is not None and task != "write":
        parser(f"argument --prompt: {model} does not write; gpt and char_rnn do")
    if sampling.prompt == "":
        parser("argument --prompt: it is empty, expected at least one character")


def _check(parser: argparse.ArgumentParser, given: dict[str, object], sampling: Sampling) -> None:
    """Refuse options that do not go together, and say what does."""
    model = str(given.get("model", "mlp"))
    job, texts = JOBS[model], given.get("text")
    if "overwrite" in given and "output" not in given:
        parser.error("argument --overwrite: it needs --output FOLDER, the folder to write into")
    if job.reads_text and "data" in given:
        parser.error(f"argument --data: {model} learns from text: give it with --text FILE")
    if job.reads_text and not texts:
        many = " FILE" if job.task == "classify_text" else ""
        parser.error(f"argument --model: {model} learns from text: add --text FILE{many}")
    if not job.reads_text and texts:
        readers = [name for name, other in JOBS.items() if other.reads_text]
        parser.error(f"argument --text: {model} does not learn from text: choose --model {', '.join(readers)}")
    if isinstance(texts, list) and (len(texts) > 1) != (job.task == "classify_text"):
        wanted = "the files of two texts or more, one for each class" if job.task == "classify_text" else "the file of one text"
        parser.error(f"argument --text: {model} takes {wanted}, got {len(texts)}")
    right, wrong = ("steps", "epochs") if job.counts_steps else ("epochs", "steps")
    if wrong in given:
        parser.error(f"argument --{wrong}: the training of {model} is counted in {right}: use --{right} N")
    if "cv" in given and (job.task == "write" or given.get("data") == "xor"):
        why = f"{model} learns from one text" if job.task == "write" else "the four rows of xor serve to learn and to test"
        parser.error(f"argument --cv: {why}: there are no folds")
    for name in given:
        if name in ARGUMENTS and name not in job.arguments:
            parser.error(f"argument {_spelled([name])}: {model} has no such setting; its own are {_spelled(job.arguments)}")
    check_sampling(parser.error, model, sampling)


def read_predict(arguments: Sequence[str]) -> PredictRequest:
    """Return the request that the arguments make; on a wrong one argparse prints what is wrong and exits with status 2."""
    parser = base_parser(
        "python -m funcnn predict", "Use what a run has learned, on its test set or on inputs from a file, or published weights."
    )
    parser.add_argument("run", type=_path, metavar="RUN", help="the folder that a run has written, or one of published weights")
    parser.add_argument(
        "image", type=_path, nargs="?", metavar="FILE",
        help="rows of a table whose column is to be predicted, a picture or a folder of them, or the image that a published"
        " network is to classify",
    )  # fmt: skip
    parser.add_argument(
        "--input", type=_path, metavar="FILE",
        help="inputs, one per row, scaled as in training: .npy, .csv, .tsv, .txt or IDX (whose bytes"
        " are divided by 255);"
        " for models of text a text; default: the run's test set",
    )  # fmt: skip
    parser.add_argument("--output", type=_path, metavar="FILE", help="write the predictions of all rows as CSV")
    _add_dialect(parser.add_argument_group("a table", "how its file is written, where that is not to be found out"))
    given = parser.parse_args(arguments)
    return PredictRequest(given.run, given.input, given.output, given.image, dialect_of(given))


def read_sample(arguments: Sequence[str]) -> SampleRequest:
    """Return the request that the arguments make; on a wrong one argparse prints what is wrong and exits with status 2."""
    parser = base_parser(
        "python -m funcnn sample", "Let a run, or published weights, write text (gpt, char_rnn) or draw pictures (vae)."
    )
    parser.add_argument("run", type=_path, metavar="RUN", help="the folder that a run has written, or one of published weights")
    parser.add_argument(
        "--count", type=whole_number(1), metavar="N",
        help="characters to write (default: 500; of a published network tokens, 50) or pictures (10)",
    )  # fmt: skip
    text = parser.add_argument_group("text")
    text.add_argument("--prompt", metavar="TEXT", help="what the text begins with (default: a new line)")
    text.add_argument(
        "--temperature", type=_number(0, math.inf, below=True), default=0.8, metavar="T",
        help="below 1 likely characters become more likely, at 0 the likeliest is always taken (default: 0.8)",
    )  # fmt: skip
    text.add_argument("--top-k", type=whole_number(1), metavar="K", help="draw from the so many likeliest characters only")
    text.add_argument(
        "--top-p", type=_number(0, 1, above=True), metavar="P", help="from the likeliest that have this probability together"
    )
    text.add_argument(
        "--min-p", type=_number(0, 1), metavar="P", help="from those of at least this share of the largest probability"
    )
    text.add_argument(
        "--repetition-penalty", type=_number(0, math.inf, above=True, below=True), default=1.0, metavar="R",
        help="above 1 what the text has already becomes less likely (default: 1)",
    )  # fmt: skip
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="N", help="another seed, another sample (default: 0)")
    parser.add_argument("--output", type=_path, metavar="FILE", help="write the text there, or the pictures as .npy")
    given = parser.parse_args(arguments)
    if given.prompt == "":
        parser.error("argument --prompt: it is empty, expected at least one character")
    sampling = Sampling(
        given.count, given.prompt, given.temperature, given.top_k, given.seed,
        top_p=given.top_p, min_p=given.min_p, repetition_penalty=given.repetition_penalty,
    )  # fmt: skip
    return SampleRequest(given.run, sampling, given.output)


def base_parser(prog: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog, description=description, epilog=STATUSES, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )


def _add(group: argparse._ArgumentGroup, name: str, argument: Argument) -> None:
    """Add the option of a setting of the models."""
    text = f"{argument.about} ({_of_models(name)})"
    spelled = [_spelled([one]) for one in (name, *[former for former, now in FORMER.items() if now == name])]
    if argument.kind == "choice":
        group.add_argument(*spelled, choices=argument.known, metavar="NAME", help=text)
    elif argument.kind == "sizes":
        some: Literal["*", "+"] = "*" if argument.least == 0 else "+"
        group.add_argument(*spelled, nargs=some, type=whole_number(1), metavar="N", help=text)
    elif argument.kind == "count":
        group.add_argument(*spelled, type=whole_number(argument.least, argument.most), metavar="N", help=text)
    else:
        group.add_argument(*spelled, type=_number(0, 1, below=True), metavar="P", help=text)


def _spelled(names: Iterable[str]) -> str:
    """Return settings as the options that they are."""
    return ", ".join("--" + name.replace("_", "-") for name in names)


def _told() -> str:
    return "; ".join(f"{name}: {job.about}" for name, job in JOBS.items())


def _of_models(name: str) -> str:
    """Return the models that have a setting, each with its default."""
    return "; ".join(f"{model}: {_show(JOBS[model].arguments[name])}" for model in models_with(name))


def _each(name: str) -> str:
    """Return the defaults of a setting of training: the one of digits, and those of other data sets and models that differ."""
    values = {data: getattr(defaults_for("mlp", data), name) for data in (*MADE, "a folder", "a table.csv")}
    values["a table"] = values.pop("a table.csv")
    values |= {model: getattr(defaults_for(model, "" if job.reads_text else "digits"), name) for model, job in JOBS.items()}
    first = values.pop("digits")
    others = [f"{which}: {_show(value)}" for which, value in values.items() if value not in (first, 0)]
    return "; ".join([_show(first)] * bool(first) + others)


def _show(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def whole_number(least: int, most: float = math.inf) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not {whole(least, most)}")
        return value

    return read


def _number(low: float, high: float, *, above: bool = False, below: bool = False) -> Callable[[str], float]:
    wanted = f"a number {'greater than' if above else 'of at least'} {low:g}"
    wanted += "" if high == math.inf else f" and {'less than' if below else 'at most'} {high:g}"

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high or (above and value == low) or (below and value == high):
            raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
        return value

    return read


def _text(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a name")
    return text


def _path(text: str) -> Path:
    return Path(_text(text))
