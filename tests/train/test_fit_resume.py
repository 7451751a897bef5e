"""Checkpoints: a run that was interrupted goes on as if it had not been."""

import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.train.keeping import last_good
from funcnn.train.record import Point, Reached


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


class Counting:
    """A metric that counts its calls, and a wrapper that keeps them."""

    def __init__(self) -> None:
        self.calls = 0
        self.logger = logging.getLogger("counting")

    def __call__(self, prediction: Any, target: Any) -> float:
        self.calls += 1
        return 0.0


def test_functions_that_keep_something_are_compared_as_they_begin(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    whole = run(metrics={"calls": Counting()})
    run(epochs=3, metrics={"calls": Counting()}, callbacks=[fn.Checkpoint(path)])
    assert same(run(metrics={"calls": Counting()}, resume=path), whole)


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
        ({"validation": 0.3}, "was made with validation = 0.2, this run has 0.3"),
        ({"drop_last": True}, "was made with drop_last = False"),
        ({"metrics": None}, "was made with metrics = {right: .*}, this run has {}"),
        ({"model": fn.dense(3)}, r"was made with model = dense\(6\) >> batch_norm >> .*, this run has dense\(3\)"),
        ({"optimizer": fn.sgd(0.1)}, r"was made with optimizer = Chain\(.*, this run has SGD\(learning_rate=0.1\)"),
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
    def fail(epoch: fn.Epoch[Any, Any]) -> None:
        pytest.fail("work was done")

    with pytest.raises(FileNotFoundError, match=r"the folder .* does not exist"):
        run(callbacks=[fail, fn.Checkpoint(tmp_path / "nowhere" / "run.npz")])
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        run(callbacks=[fail, fn.Checkpoint(tmp_path)])
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(FileNotFoundError, match=r"the folder .* does not exist"):
        run(callbacks=[fail, fn.Checkpoint(file / "run.npz")])


def test_a_file_that_is_gone_is_no_reason_to_lose_the_error() -> None:
    """All points are broken, and the beginning cannot be made again: there is nothing better than the last point."""
    broken: Any = Point((np.full(2, np.nan),), (), fn.sgd(0.1).init((np.zeros(2),)))
    reached: Any = Reached(broken, fn.History(), None, 0)

    def gone() -> Any:
        raise FileNotFoundError("run.npz")

    assert last_good(broken, (broken, None), reached, gone)[0] is broken
    good: Any = Point((np.zeros(2),), (), broken.opt_state)
    assert last_good(broken, (broken, None), reached, lambda: Reached(good, fn.History(), None, 0))[0] is good
    assert last_good(broken, (good, None), reached, gone)[0] is good


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device is one of Linux")
def test_a_full_device_is_found_before_the_first_step(tmp_path: Path) -> None:
    def fail(epoch: fn.Epoch[Any, Any]) -> None:
        pytest.fail("work was done")

    with pytest.raises(OSError, match="No space left on device") as caught:
        run(callbacks=[fail, fn.Checkpoint("/dev/full")])
    assert "in the trial of the checkpoint /dev/full, before the first step" in caught.value.__notes__


def test_a_checkpoint_stays_until_the_next_one_is_there(tmp_path: Path) -> None:
    """The trial before the first step takes the place of nothing."""
    path = tmp_path / "run.npz"
    run(epochs=1, callbacks=[fn.Checkpoint(path)])
    before = path.read_bytes()
    run(epochs=1, callbacks=[fn.Checkpoint(path, every=9)])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the limit is one of POSIX")
@pytest.mark.parametrize("restore_best", [False, True])
def test_a_disk_that_is_too_small_is_found_before_the_first_step(tmp_path: Path, restore_best: bool) -> None:
    """A limit on the size of files stands in for the disk: between what one point takes and what two take."""
    path = tmp_path / "run.npz"
    rule = fn.EarlyStopping(3, restore_best=restore_best)
    run(epochs=1, early_stopping=rule, callbacks=[fn.Checkpoint(path)])
    limit = path.stat().st_size - 1000
    path.unlink()
    script = f"""
        import resource, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import funcnn as fn
        from test_fit_resume import run
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        def fail(epoch):
            raise AssertionError("work was done")
        rule = fn.EarlyStopping(3, restore_best={restore_best})
        try:
            run(early_stopping=rule, callbacks=[fail, fn.Checkpoint({str(path)!r})])
        except OSError as error:
            assert "before the first step" in str(error.__notes__), error
            assert not hasattr(error, "fit")
            sys.exit(7)
    """
    root = str(Path(fn.__file__).parents[1])
    made = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=os.environ | {"PYTHONPATH": root}, check=False)
    assert made.returncode == 7
    assert list(tmp_path.iterdir()) == []
