"""Images in, images out: redrawn through a narrow code, drawn anew from a random one, or freed from noise."""

from __future__ import annotations

from typing import Any

import numpy as np

import funcnn as fn
from funcnn.cli import inputs, pictures
from funcnn.cli.failure import RequestError
from funcnn.cli.folder import Run
from funcnn.cli.network import Facts
from funcnn.cli.options import PredictRequest, Sampling
from funcnn.cli.problem import Examples, Labelled, Problem, load_problem
from funcnn.cli.settings import Settings
from funcnn.cli.tasks.classify import fitting, write_csv
from funcnn.cli.tasks.task import Outcome, Task
from funcnn.cli.terminal import more, section, style
from funcnn.cli.terminal import pictures as draw
from funcnn.key import Key
from funcnn.losses.loss import Loss
from funcnn.typing import Array

_DRAWN = 10  # images in a picture


def to_redraw(settings: Settings, facts: Facts, rows: Labelled, key: Key) -> Examples:
    """Return images as inputs and as what should come out."""
    _check_images(settings, facts, rows)
    return Examples(rows.x, rows.x)


def to_clean(settings: Settings, facts: Facts, rows: Labelled, key: Key) -> Examples:
    """Return images with noise as inputs, and without as what should come out."""
    _check_images(settings, facts, rows)
    noise: Array = key.generator().normal(0, settings.number("noise"), rows.x.shape).astype(rows.x.dtype)
    return Examples(rows.x + noise, rows.x)


def _check_images(settings: Settings, facts: Facts, rows: Labelled) -> None:
    if not facts.picture or rows.x.min() < 0 or rows.x.max() > 1:
        raise RequestError(
            f"--data {settings.data}: {settings.model} draws images with values from 0 to 1: use digits or a folder of IDX files"
        )


def redrawn(run: Run, x: Array) -> Array:
    """Return what a network makes of images, with values in [0, 1]."""
    output: Any = fn.predict(run.model, run.params, run.state, x)
    if run.settings.model == "autoencoder":
        return np.asarray(output)
    return shares(output[0] if run.settings.model == "vae" else output)


def shares(logits: Array) -> Array:
    """Return the logistic function: a brightness for each logit."""
    wide = logits.astype(np.float64)
    made: Array = (0.5 * (1 + np.tanh(wide / 2))).astype(logits.dtype)
    return made


def error(drawn: Array, true: Array) -> float:
    """Return the root of the mean squared difference of images."""
    return float(np.sqrt(np.mean((drawn - true) ** 2)))


def score(run: Run, problem: Problem) -> dict[str, float]:
    """Return the error of images, and that of the mean image of the training rows."""
    true = problem.test.y
    mean = np.broadcast_to(problem.train.y.mean(0), true.shape)
    return {"error": error(redrawn(run, problem.test.x), true), "baseline_error": error(mean, true)}


def report(run: Run, problem: Problem) -> Outcome:
    """Show how far images are from what they should be, some of them, and, of a model that imagines, new ones."""
    x, true, shape = problem.test.x, problem.test.y, problem.facts.picture
    drawn = redrawn(run, x)
    mean = np.broadcast_to(problem.train.y.mean(0), true.shape)
    section("Test", style(f"root mean squared error {error(drawn, true):.4f}", "bold") + f" of {len(true):,} images")
    others = {"the mean image for all": error(mean, true)}
    if run.settings.job.task == "denoise":
        others["the noisy images as they are"] = error(x, true)
    more(*(f"({name}: {value:.4f})" for name, value in others.items()))
    results: dict[str, object] = {
        "test_error": error(drawn, true),
        "test_rows": len(true),
        "error_of_the_mean": others["the mean image for all"],
    }
    rows = [x, drawn] if run.settings.job.task != "denoise" else [x, drawn, true]
    names = ["given", "drawn"] if run.settings.job.task != "denoise" else ["given", "cleaned", "true"]
    _show(rows, shape, names)
    drawings = {"images.svg": lambda: pictures.images([row[:_DRAWN] for row in rows], shape)}
    if run.settings.job.task == "imagine":
        drawings["samples.svg"] = lambda: pictures.images(list(imagined(run, 4 * _DRAWN, 0).reshape(4, _DRAWN, -1)), shape)
    return Outcome(results, drawings)


def _show(rows: list[Array], shape: tuple[int, ...], names: list[str]) -> None:
    if len(shape) != 2:
        return
    for row, name in zip(rows, names, strict=True):
        some = row[: fitting(shape)]
        more("", *draw(some, shape, [name] * len(some)))


def predict(run: Run, request: PredictRequest) -> None:
    """Redraw images, and write them where that is asked for."""
    if request.input is None:
        problem = load_problem(run.settings, run_task(run).pose)
        inputs.check_alike(run, problem.facts)
        x, true, said = problem.test.x, problem.test.y, f"the test set of the run, {problem.title}"
    else:
        x, said = inputs.read_rows(request.input, run), str(request.input)
        true = None
    drawn = redrawn(run, x)
    if request.output is not None:
        head: list[object] = ["row", *(f"pixel {number}" for number in range(drawn.shape[1]))]
        write_csv(request.output, [head, *([row, *(f"{value:.6g}" for value in image)] for row, image in enumerate(drawn))])
    inputs.introduce(request.run, run)
    section("Input", f"{inputs.rows(len(x), 'image')}: {said}")
    section("Drawn", f"root mean squared difference from the input {error(drawn, x):.4f}")
    _show([x, drawn], run.facts.picture, ["given", "cleaned" if run.settings.job.task == "denoise" else "drawn"])
    if true is not None:
        section("Test", style(f"root mean squared error {error(drawn, true):.4f}", "bold") + f" of {len(x):,} images")
    if request.output is not None:
        section("Written", str(request.output))


def imagined(run: Run, count: int, seed: int) -> Array:
    """Return images that the decoder makes of codes drawn from the standard normal distribution."""
    settings = run.settings
    decoder = fn.vae_decoder(run.facts.features, hidden=settings.sizes("hidden"), activation=settings.choice("activation"))
    code: Array = Key(seed).generator().normal(size=(count, settings.count("latent_size"))).astype(settings.dtype)
    params: Any = run.params
    state: Any = run.state
    return shares(fn.apply(decoder, params[1][0][1], state[1][0][1], code))


def sample(run: Run, sampling: Sampling) -> str:
    """Draw new images as characters."""
    images = imagined(run, sampling.count or _DRAWN, sampling.seed)
    shape = run.facts.picture
    if len(shape) != 2:
        return f"{len(images)} images of {' x '.join(map(str, shape))}: --output FILE.npy writes them"
    lines: list[str] = []
    for first in range(0, len(images), fitting(shape)):
        some = images[first : first + fitting(shape)]
        lines += [*draw(some, shape, [""] * len(some)), ""]
    return "\n".join(lines).rstrip("\n")


def use(facts: Facts) -> str:
    """Return the line of a script that redraws."""
    return "print(fn.apply(model, params, state, data.x[:10]), data.y[:10])"


def elbo() -> Loss[Any, Any]:
    """Return the negative evidence lower bound."""
    return fn.negative_elbo()


REDRAW = Task(fn.mean_squared_error, {}, report, predict, use, to_redraw, score=score)
IMAGINE = Task(elbo, {}, report, predict, use, to_redraw, sample, score)
DENOISE = Task(fn.sigmoid_cross_entropy, {}, report, predict, use, to_clean, score=score)


def run_task(run: Run) -> Task:
    """Return the task of a run."""
    return {"redraw": REDRAW, "imagine": IMAGINE}.get(run.settings.job.task, DENOISE)
