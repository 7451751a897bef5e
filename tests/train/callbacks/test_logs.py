"""Logs, and the checkpoint of the best epoch."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.train.callbacks.event_file import Scalar, crc32c, event_file
from tests.train.test_fit_resume import run, same

BY_TENSORBOARD = bytes.fromhex(
    "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c1b000000000000001a0d"
    "9e1309000000000000f83f10ac022a0d0a0b0a046c6f7373150000803e9908deed"
)
"""What TensorBoard 2.20 itself writes: its version's event, and a loss of 0.25 in step 300, both at 1.5 seconds."""


def test_event_files_are_those_of_tensorboard() -> None:
    assert event_file([Scalar("loss", 300, 0.25)], 1.5) == BY_TENSORBOARD


@pytest.mark.parametrize(
    ("content", "checksum"),
    [(bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E), (b"", 0)],
    ids=["zeros", "ones", "rising", "none"],
)
def test_checksums_are_those_of_the_standard(content: bytes, checksum: int) -> None:
    """RFC 3720, appendix B.4."""
    assert crc32c(content) == checksum


def scalars(path: Path) -> list[tuple[str, int, float]]:
    """Read an event file, of tags of one byte for their length, by the places where things stand."""
    content, found = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        event, content = content[12 : 12 + length], content[16 + length :]
        if event[9] == 0x10:  # a step
            step, place = 0, 10
            while True:
                step |= (event[place] & 127) << 7 * (place - 10)
                place += 1
                if event[place - 1] < 128:
                    break
            value = event[place + 4 :]  # behind the keys and lengths of the summary and its value
            tag = value[2 : 2 + value[1]].decode()
            found.append((tag, step, struct.unpack("<f", value[-4:])[0]))
    return found


def test_tensorboard_is_shown_epochs_and_steps(tmp_path: Path) -> None:
    log = fn.TensorBoardLog(tmp_path / "new" / "run")
    losses: list[float] = []
    done = run(epochs=2, callbacks=[log, fn.OnStep(lambda step: losses.append(step.loss))], record=("gradient_norm",))
    first, second = sorted(log.folder.iterdir())
    found = scalars(first) + scalars(second)
    for name, column in done.history.columns().items():
        if name != "epoch":
            shown = [(step, value) for tag, step, value in found if tag == name]
            assert shown == [(epoch, float(np.float32(value))) for epoch, value in enumerate(column, 1)]
    assert [(step, value) for tag, step, value in found if tag == "step/loss"] == [
        (step, float(np.float32(one))) for step, one in enumerate(losses, 1)
    ]
    assert len([tag for tag, _, _ in found if tag == "step/gradient_norm"]) == 6


def test_a_log_that_cannot_be_written_costs_no_epoch(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    called: list[Any] = []
    for log in (fn.TensorBoardLog(tmp_path / "file"), fn.CSVLog(tmp_path / "none" / "log.csv")):
        with pytest.raises(OSError, match=r"none|file"):
            run(callbacks=[log, called.append])
    assert called == []


def test_the_log_of_a_run_that_goes_on_is_that_of_one_never_interrupted(tmp_path: Path) -> None:
    log, saving = fn.CSVLog(tmp_path / "log.csv"), fn.Checkpoint(tmp_path / "run.npz")
    run(epochs=3, callbacks=[log, saving])
    done = run(callbacks=[log], resume=saving.existing())
    assert log.path.read_text() == done.history.to_csv() == run().history.to_csv()


@pytest.mark.parametrize(("monitor", "mode"), [("val_loss", None), ("right", "max"), ("loss", "max")])
def test_the_best_epoch_is_kept_and_gone_on_with(tmp_path: Path, monitor: str, mode: Any) -> None:
    best = fn.BestCheckpoint(tmp_path / "best.npz", monitor, mode)
    whole = run(callbacks=[best])
    epoch = whole.history.best(monitor, mode).epoch
    assert same(run(epochs=epoch, resume=best.path), run(epochs=epoch))
    assert same(run(resume=best.path), whole)


def test_a_best_epoch_of_no_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="monitors 'val_loss', the columns are"):
        run(callbacks=[fn.BestCheckpoint(tmp_path / "best.npz")], validation=None)
    with pytest.raises(ValueError, match="minimum or its maximum"):
        fn.BestCheckpoint(tmp_path / "best.npz", "right")
