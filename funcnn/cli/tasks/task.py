"""What a task is: a record of functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from funcnn.cli.folder import Run
from funcnn.cli.network import Facts
from funcnn.cli.options import PredictRequest, Sampling
from funcnn.cli.pictures import Drawings
from funcnn.cli.problem import Examples, Labelled, Problem
from funcnn.cli.settings import Settings
from funcnn.key import Key
from funcnn.losses.loss import Loss
from funcnn.typing import Array


@frozen(eq=False)
class Outcome:
    """What a test gave."""

    results: dict[str, object]
    """The figures, by their names in the results of a run."""
    drawings: Drawings
    """What would draw the pictures that belong to it."""
    prediction: Array | None = None
    """What the network said of the test set, where that is one array."""


def as_given(settings: Settings, facts: Facts, rows: Labelled, key: Key) -> Examples:
    """Return the labelled rows themselves: inputs and labels."""
    return Examples(rows.x, rows.y)


@frozen
class Task:
    """What there is to do with a model, from its loss to its use."""

    loss: Callable[[], Loss[Any, Any]]
    metrics: Mapping[str, Callable[[Any, Any], float]]
    """Figures to watch in training."""
    report: Callable[[Run, Problem], Outcome]
    """Tests a network, prints how good it is, and shows what one would look at."""
    predict: Callable[[Run, PredictRequest], None]
    """Uses a network on inputs from a file, or on the test set."""
    use: Callable[[Facts], str]
    """The last line of a script: it uses ``model``, ``params``, ``state`` and ``data``."""
    pose: Callable[[Settings, Facts, Labelled, Key], Examples] = as_given
    """Makes examples of labelled rows."""
    sample: Callable[[Run, Sampling], str] | None = None
    """Writes, or draws as characters; None for tasks that have nothing to show."""
    score: Callable[[Run, Problem], dict[str, float]] | None = None
    """The figures of the test set, for cross-validation; None for tasks without."""
