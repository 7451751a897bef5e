"""``python -m funcnn sample``: a saved or a published network writes text, or draws images."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from funcnn.cli import folder
from funcnn.cli.failure import OK, RequestError
from funcnn.cli.options import SampleRequest, read_sample
from funcnn.cli.published.opening import is_published
from funcnn.cli.published.writing import write as write_published
from funcnn.cli.tasks import task_of
from funcnn.cli.terminal import plain, show
from funcnn.files.atomic_write import write_bytes


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    request = read_sample(arguments)
    if is_published(request.run):
        text = write_published(request.run, request.sampling)
        if request.output is not None:
            _write_bytes(request.output, text.encode())
        show(*plain(text).split("\n"))
        return OK
    run = folder.open_run(request.run)
    task = task_of(run.settings.job.task)
    if task.sample is None:
        raise RequestError(f"{request.run} is of {run.settings.model}, which neither writes nor draws: use predict")
    if request.sampling.prompt is not None and run.settings.job.task != "write":
        raise RequestError(f"--prompt: {run.settings.model} does not write; gpt and char_rnn do")
    text = task.sample(run, request.sampling)
    if request.output is not None:
        _write(request, run, text)
    show(*plain(text).split("\n"))
    return OK


def _write(request: SampleRequest, run: folder.Run, text: str) -> None:
    assert request.output is not None
    content = text.encode()
    if run.settings.job.task == "imagine":
        from funcnn.cli.tasks.images import imagined

        file = io.BytesIO()
        np.save(file, imagined(run, request.sampling.count or 10, request.sampling.seed).reshape(-1, *run.facts.picture))
        content = file.getvalue()
    _write_bytes(request.output, content)


def _write_bytes(path: Path, content: bytes) -> None:
    try:
        write_bytes(path, content)
    except OSError as error:
        raise RequestError(f"--output {path}: cannot write there: {error.strerror or error}") from None
