"""``python -m funcnn``: certify the gradient, train, test, and leave a folder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

from attrs import evolve

import funcnn as fn
from funcnn import tree
from funcnn.cli import folder, network, pictures
from funcnn.cli.certifying import Standing, certify
from funcnn.cli.failure import DIVERGED, INTERRUPTED, NOT_CERTIFIED, OK, RequestError
from funcnn.cli.folder import Run
from funcnn.cli.folds.cross_validation import cross_validate
from funcnn.cli.learning import TrainingTask, Trees, learn
from funcnn.cli.options import ResumeRequest, Sampling, TrainRequest, check_sampling, read_train
from funcnn.cli.problem import Problem, check_fit, load_problem
from funcnn.cli.ranks import communicator, from_first
from funcnn.cli.report.writing import write_report
from funcnn.cli.settings import Settings
from funcnn.cli.tables.parting import pose_table
from funcnn.cli.tables.predicting import load_transform
from funcnn.cli.tasks import task_of
from funcnn.cli.terminal import command, complain, more, plain, section, style, table
from funcnn.data.images.folder import has_class_folders
from funcnn.files.atomic_write import remove_leftovers, write_text
from funcnn.models.autoencoder import narrow_code
from funcnn.sharding.communicator import Communicator
from funcnn.train.record import Fit

_LEAST_STEPS, _MOST_EPOCHS = 200, 100  # of a folder of pictures, where nothing else is asked for
_SUITED = ("batch_size", "epochs", "latent_size")
"""Settings that are made to suit the data; those of a run that goes on are settled."""


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    request = read_train(arguments)
    if isinstance(request, ResumeRequest):
        return _resume(request)
    training = _prepare(request.settings, request.chosen)
    settings = training.settings
    out = request.output or folder.next_folder(settings.model, settings.data or settings.text[0])
    standing = cast(Standing, from_first(training.ranks, partial(_begin, training, request, out)))
    if standing == "wrong":
        return NOT_CERTIFIED
    return _train(training, out, request.sampling, standing, resume=False)


def _begin(training: TrainingTask, request: TrainRequest, out: Path) -> str:
    """Make the folder of a run, check the gradient, and return what was found of it."""
    folder.make_folder(out, request.overwrite)
    folder.write_config(out, training.settings, training.problem.facts)
    if training.problem.table is not None:
        fn.data.save_table_transform(out / folder.TRANSFORM, training.problem.table.transform)
    _introduce(training)
    certificate = certify(training, request.certify)
    write_text(out / folder.GRADIENT, certificate.page)
    if certificate.standing == "wrong":
        complain(f"the gradient is not certified, so nothing was trained; the whole report is in {out / folder.GRADIENT}")
    elif training.settings.folds:
        cross_validate(training, out)
    return certificate.standing


def _prepare(asked: Settings, chosen: frozenset[str]) -> TrainingTask:
    if asked.table is not None:
        asked, problem = pose_table(asked)
        task = task_of(asked.job.task)
    else:
        task = task_of(asked.job.task)
        problem = load_problem(asked, task.pose)
    settings = check_fit(_suited(asked, problem, chosen), problem)
    model = network.make_network(settings, problem.facts)
    start = network.start(settings, model, fn.Key(settings.seed).child(1), problem.facts)
    return TrainingTask(settings, problem, task, model, task.loss(), start, communicator())


def _suited(settings: Settings, problem: Problem, chosen: frozenset[str]) -> Settings:
    """Return settings that suit the data, but for those that were asked for.

    Few rows make small batches, few pictures are gone through more often, and codes of tables are narrower than their rows.
    """
    if "batch_size" not in chosen:
        settings = evolve(settings, batch_size=min(settings.batch_size, len(problem.train)))
    if "epochs" not in chosen and has_class_folders(Path(settings.data)):
        steps = -(-len(problem.train) // settings.batch_size)
        settings = evolve(settings, epochs=max(settings.epochs, min(_MOST_EPOCHS, -(-_LEAST_STEPS // steps))))
    if settings.job.task != "find_anomalies":
        return settings
    features = problem.facts.features
    if "latent_size" not in chosen:
        settings = evolve(settings, arguments=settings.arguments | {"latent_size": narrow_code(features)})
    if settings.count("latent_size") >= features:
        raise RequestError(
            f"--latent-size {settings.count('latent_size')}: the table makes {features} feature{'s' * (features != 1)}, and a"
            " code that is not narrower redraws any row: give fewer numbers, or more columns"
        )
    return settings


def _resume(request: ResumeRequest) -> int:
    """Go on with a run where its checkpoint was written."""
    settings, facts = folder.read_config(request.run)
    check_sampling(_refuse, settings.model, request.sampling)
    in_training, finished = ((request.run / name).is_file() for name in (folder.CHECKPOINT, folder.PARAMS))
    in_folds = (request.run / folder.FOLDS_DONE).is_file() and not in_training and not finished
    at_start = not in_training and finished and folder.was_interrupted(request.run)
    if not (in_folds or in_training or at_start):
        done = "it is finished" if finished else "it ended before anything was learned"
        raise RequestError(f"--resume {request.run}: there is nothing to go on with: {done}")
    training = _prepare(settings, frozenset(_SUITED))
    if training.problem.facts != facts:
        raise RequestError(f"--resume {request.run}: the data are not those of the run any more")
    if training.problem.table is not None and load_transform(facts, request.run) != training.problem.table.transform:
        raise RequestError(f"--resume {request.run}: the table is not the one of the run any more")
    _introduce(training)
    standing = _standing(request.run)
    section("Gradient", f"{standing} when the run began: {request.run / folder.GRADIENT}")
    if in_folds:  # it was interrupted before the training of all rows had begun
        from_first(training.ranks, partial(_go_on_in_folds, training, request.run))
    return _train(training, request.run, request.sampling, standing, resume=in_training)


def _go_on_in_folds(training: TrainingTask, out: Path) -> str:
    cross_validate(training, out)
    return "done"


def _standing(run: Path) -> Standing:
    """Return what was found of the gradient when a run began."""
    try:
        first = (run / folder.GRADIENT).read_text(encoding="utf-8").partition(":")[0]
    except (OSError, ValueError):
        return "not checked"
    found: dict[str, Standing] = {"PASS": "certified", "KINK-OK": "certified", "INCONCLUSIVE": "inconclusive"}
    return found.get(first, "not checked")


def _refuse(message: str) -> None:
    raise RequestError(message)


def _introduce(training: TrainingTask) -> None:
    settings, problem = training.settings, training.problem
    section("Data", problem.title, problem.parts)
    if problem.table is not None:
        left_out = problem.table.transform.left_out
        more(*(style(f"left out: {name} ({reason})", "dim") for name, reason in left_out if reason != "as asked"))
    about = fn.summary(training.model, network.in_shape(settings, problem.facts), dtype=settings.dtype)
    rows = [(row.path, row.name, f"{row.params:,}" if row.params else "") for row in about.rows]
    section("Network", *table(rows, right=(2,)), f"{about.params:,} parameters in {settings.dtype}")


def _train(training: TrainingTask, out: Path, sampling: Sampling, standing: Standing, *, resume: bool) -> int:
    settings = training.settings
    length = f"{settings.steps} steps" if settings.steps else f"{settings.epochs} epoch{'s' * (settings.epochs != 1)}"
    section(
        "Training",
        f"{settings.optimizer}, learning rate {settings.learning_rate:g} ({settings.schedule}), batches of {settings.batch_size},"
        f" {length}{', from the checkpoint on' * resume}{_said(training.ranks)}",
    )
    fitted, seconds = learn(training, out, resume)

    def finish() -> str:
        _finish(training, fitted, seconds, out, sampling, standing)
        return "done"

    from_first(training.ranks, finish)  # the others wait for it
    return {"interrupted": INTERRUPTED, "diverged": DIVERGED}.get(fitted.stopped, OK)


def _said(ranks: Communicator | None) -> str:
    return "" if ranks is None else f", in {ranks.size} processes"


def _finish(
    training: TrainingTask, fitted: Fit[Trees, Trees], seconds: float, out: Path, sampling: Sampling, standing: Standing
) -> None:
    """Test what was learned, write everything, and say how to use it."""
    settings, problem, task = training.settings, training.problem, training.task
    folder.write_params(out, fitted.params, fitted.state)  # first: nothing that follows may cost what was learned
    remove_leftovers(out)  # of earlier starts that were killed
    goes_on = fitted.stopped == "interrupted"
    counted = "step" if settings.steps else "epoch"
    write_text(out / folder.HISTORY, fitted.history.to_csv().replace("epoch", counted, 1))
    done = fitted.history.last.epoch if len(fitted.history) else 0
    ended = {"interrupted": "interrupted", "diverged": "diverged", "early": "stopped early"}.get(fitted.stopped, "done")
    more(f"{ended} after {done} {counted}{'s' * (done != 1)} in {seconds:.1f} s, {tree.size(fitted.params):,} parameters kept")
    if fitted.stopped == "early" and settings.table is not None:
        best = fn.EarlyStopping(settings.table.patience).best_epoch(fitted.history)
        more(f"those of epoch {best}, after which {done - best} brought no smaller validation loss (--patience)")

    run = Run(settings, problem.facts, training.model, fitted.params, fitted.state)
    outcome = task.report(run, problem)
    ending: dict[str, object] = {
        "stopped": fitted.stopped,
        f"{counted}s": done,
        "seconds": round(seconds, 3),
        "parameters": tree.size(fitted.params),
        "gradient": standing,
    }
    outcome = evolve(outcome, results=outcome.results | ending)
    folder.write_results(out, outcome.results)
    if task.sample is not None:
        drawn_text = task.sample(run, sampling)
        section("Sample", *plain(drawn_text).split("\n"))
        if settings.job.task == "write":
            write_text(out / folder.SAMPLE, drawn_text + "\n")
    drawn, missing = pictures.draw_all(out, fitted.history, outcome.drawings, counted)
    use = folder.script(out, settings, problem.facts, problem.source, task.use(problem.facts))
    write_report(out, run, problem, standing, outcome, drawn)
    if fitted.stopped != "interrupted":  # only now: until all is written, the run can be gone on with
        (out / folder.CHECKPOINT).unlink(missing_ok=True)
        (out / folder.FOLDS_DONE).unlink(missing_ok=True)
    folder.write_readme(out, settings, use, drawn, interrupted=goes_on)
    section("Written", f"{out}/", *_columns(sorted(entry.name for entry in out.iterdir())), *missing)
    if goes_on:
        section("Go on", command("--resume", out))
    sampled = [command("sample", out)] if task.sample is not None else []
    others = [command("predict", out, "OTHER_ROWS.csv")] if problem.table is not None else []
    section("Use it", command("predict", out), *others, *sampled, f"or the script in {out / folder.README}")


def _columns(names: list[str]) -> list[str]:
    return ["  ".join(name.ljust(16) for name in names[first : first + 4]).rstrip() for first in range(0, len(names), 4)]
