"""Checkpoints: a run that was interrupted goes on as if it had not been."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn


def run(**changes: Any) -> fn.Fit[Any, Any]:
    generator = np.random.default_rng(0)
    task: dict[str, Any] = {
        "model": fn.dense(6) >> fn.batch_norm() >> fn.relu() >> fn.dropout(0.3) >> fn.dense(3),
        "loss": fn.softmax_cross_entropy(),
        "optimizer": fn.chain(fn.clip_by_global_norm(1.0), fn.adam(fn.schedules.cosine(0.1, 60))),
        "x": generator.normal(size=(30, 5)).astype(np.float32),
        "y": generator.integers(0, 3, 30),
        "key": fn.Key(2**70).child(5),
        "epochs": 8,
        "batch_size": 8,
        "validation": 0.2,
        "metrics": {"right": lambda p, t: float((p.argmax(1) == t).mean())},
    }
    return fn.fit(**(task | changes))


def same(first: fn.Fit[Any, Any], second: fn.Fit[Any, Any]) -> bool:
    trees = [(one.params, one.state, one.opt_state) for one in (first, second)]
    return fn.tree.same(*trees) and first.history == second.history and first.stopped == second.stopped


@pytest.mark.parametrize("epochs", [1, 3, 7, 8])
def test_a_resumed_run_has_the_bits_of_one_never_interrupted(tmp_path: Path, epochs: int) -> None:
    path = tmp_path / "run.npz"
    run(epochs=epochs, callbacks=[fn.Checkpoint(path)])
    assert same(run(resume=path), run())


def test_early_stopping_goes_on_too(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    rule = fn.EarlyStopping(3)
    whole = run(early_stopping=rule, epochs=60)
    assert whole.stopped == "early"
    for epochs in (1, len(whole.history) - 1, len(whole.history)):
        run(early_stopping=rule, epochs=epochs, callbacks=[fn.Checkpoint(path)])
        assert same(run(early_stopping=rule, epochs=60, resume=path), whole)


def test_a_checkpoint_is_written_every_so_often(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    run(epochs=5, callbacks=[fn.Checkpoint(path, every=2)])
    again = run(epochs=4, resume=path)
    assert len(again.history) == 4
    assert same(again, run(epochs=4))
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]


def test_a_killed_process_is_resumed(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    script = f"""
        import os, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import funcnn as fn
        from test_fit_resume import run
        def die(epoch):
            if epoch.number == 3:
                os.kill(os.getpid(), 9)
        run(callbacks=[fn.Checkpoint({str(path)!r}), die])
    """
    root = str(Path(fn.__file__).parents[1])
    made = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=os.environ | {"PYTHONPATH": root}, check=False)
    assert made.returncode != 0
    assert same(run(resume=path), run())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": fn.Key(1)}, "was made with key = "),
        ({"batch_size": 4}, "was made with batch_size = 8, this run has 4"),
        ({"validation": 0.3}, "was made with rows = 24, this run has 21"),
        ({"drop_last": True}, "was made with drop_last = False"),
        ({"metrics": None}, "was made with columns"),
        ({"model": fn.dense(3)}, "expected DenseParams"),
        ({"model": fn.dense(5) >> fn.batch_norm() >> fn.relu() >> fn.dropout(0.3) >> fn.dense(3)}, r"\[0\]\.params\[0\]\.weight"),
        ({"optimizer": fn.sgd(0.1)}, r"\[0\]\.opt_state"),
    ],
)
def test_another_run_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "run.npz"
    run(epochs=1, callbacks=[fn.Checkpoint(path)])
    with pytest.raises(fn.FileError, match=message):
        run(resume=path, **changes)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "params.npz"
    fn.save(path, (np.zeros(1),), note="hello")
    with pytest.raises(fn.FileError, match=r"is not a checkpoint of fn\.Checkpoint"):
        run(resume=path)
    fn.save(path, (np.zeros(1),), note='{"key": ["1", []]}')
    with pytest.raises(fn.FileError, match=r"is not a checkpoint of fn\.Checkpoint"):
        run(resume=path)


def test_an_unwritable_checkpoint_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"the folder .* does not exist"):
        run(callbacks=[fn.Checkpoint(tmp_path / "nowhere" / "run.npz")])
