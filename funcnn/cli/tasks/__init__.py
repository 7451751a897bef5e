"""What models are trained to do: for each task its loss, its figures, and what one looks at in the end."""

from importlib import import_module

from funcnn.cli.jobs import Kind
from funcnn.cli.tasks.task import Task

_HOMES = {
    "classify": "classify",
    "compare": "compare",
    "redraw": "images",
    "imagine": "images",
    "denoise": "images",
    "write": "write",
    "classify_text": "classify_text",
    "regress_table": "regress_table",
    "classify_table": "classify_table",
    "find_anomalies": "find_anomalies",
}


def task_of(kind: Kind) -> Task:
    """Return a task by its name."""
    task: Task = getattr(import_module(f"funcnn.cli.tasks.{_HOMES[kind]}"), kind.upper())
    return task
