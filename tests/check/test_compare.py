"""The rules of other checkers beside fn.check, on a sample of the corpus: what the documentation says of them holds."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from tests.check.corpus_held_out import HELD_OUT
from tests.check.corpus_tricky import TRICKY
from tests.check.corpus_wrong import WRONG


def example() -> Any:
    path = Path(__file__).parents[2] / "docs" / "examples" / "compare_checkers.py"
    spec = importlib.util.spec_from_file_location("compare_checkers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_other_rules_miss_some_and_flag_some_and_this_one_does_not() -> None:
    module = example()
    mistakes, tricky = (*WRONG, *HELD_OUT)[::12], TRICKY[::2]  # all of them are asked in the corpus's own test
    board = {name: row for name, *row in module.scoreboard(mistakes, tricky)}
    caught, flagged, alarms, _ = board.pop("funcnn")
    assert (caught, flagged, alarms) == (len(mistakes), 0, 0)
    for name, (others_caught, others_flagged, _, _) in board.items():
        assert 0.7 * len(mistakes) < others_caught < len(mistakes), name  # restated well enough to catch most
        assert 0 < others_flagged < 0.7 * len(tricky), name
