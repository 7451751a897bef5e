"""``python -m funcnn predict``: what a saved network says of its test set, or of inputs from a file."""

from __future__ import annotations

from collections.abc import Sequence

from funcnn.cli import folder
from funcnn.cli.failure import OK
from funcnn.cli.options import read_predict
from funcnn.cli.tasks import task_of


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    request = read_predict(arguments)
    run = folder.open_run(request.run)
    task_of(run.settings.job.task).predict(run, request)
    return OK
