"""``python -m funcnn predict``: what a saved or a published network says of its test set, or of inputs from a file."""

from __future__ import annotations

from collections.abc import Sequence

from funcnn.cli import folder
from funcnn.cli.failure import OK, RequestError
from funcnn.cli.options import PredictRequest, read_predict
from funcnn.cli.published.opening import is_published
from funcnn.cli.published.seeing import predict as predict_published
from funcnn.cli.tasks import task_of


def _reads_files(request: PredictRequest) -> bool:
    """Tell whether a run takes a file of rows, as one on a table does, or a picture."""
    settings, facts = folder.read_config(request.run)
    return settings.job.reads_table or (settings.job.task == "classify" and bool(facts.picture))


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    request = read_predict(arguments)
    if is_published(request.run):
        if request.image is None or request.input is not None:
            raise RequestError(f"{request.run} is of a published network: give the image that it is to classify after the folder")
        predict_published(request.run, request.image, request.output)
        return OK
    if request.image is not None and (request.input is not None or not _reads_files(request)):
        raise RequestError(
            f"{request.image}: {request.run} is not of published weights, of a table or of pictures: a run takes its inputs from"
            " --input"
        )
    run = folder.open_run(request.run)
    task_of(run.settings.job.task).predict(run, request)
    return OK
