"""Trains a network in as many processes as there are, and writes what each of them has: test_mpi.py runs one case at a time."""

import json
import os
import sys
from pathlib import Path

import numpy as np

import funcnn as fn
from funcnn.train.fingerprint import fingerprint


def rank_here() -> str:
    """Return the number of this process, as MPICH's or Open MPI's launcher says it: a closure over it would be other code."""
    return os.environ.get("PMI_RANK") or os.environ["OMPI_COMM_WORLD_RANK"]


def main(out: Path, case: str, resume: list[str]) -> None:
    ranks = fn.mpi_communicator()
    rank = ranks.rank
    key = fn.Key(0)
    generator = key.child(9).generator()
    x = generator.normal(size=(22, 6))
    labels = generator.integers(0, 3, 22)
    model = fn.dense(8) >> fn.batch_norm() >> fn.relu() >> fn.dropout(0.3) >> fn.dense(3)
    loss, target, options = fn.softmax_cross_entropy(), labels, {}
    if case == "metrics":
        options = {"metrics": {"accuracy": fn.metrics.accuracy}, "validation": 0.3}
    if case == "ignored":
        labels = labels.copy()
        labels[::2] = -1
        loss, target = fn.softmax_cross_entropy(ignore_index=-1), labels
    if case == "weights":
        target = fn.Weighted(labels, np.arange(22.0) % 4)
    if case == "other data" and rank == 1:
        x = x + 1e-9
    if case == "other code" and rank == 1:
        model = fn.dense(8) >> fn.batch_norm() >> fn.tanh() >> fn.dropout(0.3) >> fn.dense(3)

    def callback(epoch: fn.Epoch) -> None:
        assert rank == 0
        if case == "bad callback":
            raise OSError("the disk is full")
        if case == "killed" and epoch.number == 2:
            (out / "reached").touch()

    def wrap(step):  # type: ignore[no-untyped-def]
        def one(*arguments):  # type: ignore[no-untyped-def]
            if case == "raises" and rank_here() == "1":
                raise ValueError("row 7 of rank 1 is not readable")
            if case == "killed" and rank_here() == "1" and (out / "reached").exists():
                os.kill(os.getpid(), 9)
            return step(*arguments)

        return one

    if case in ("raises", "killed"):
        options["wrap"] = wrap
    epochs = 3 if case != "resumed" or resume else 1
    checkpoint = [fn.Checkpoint(out / "checkpoint.npz")] if case in ("resumed", "checkpoints") else []
    fit = fn.fit(
        model, loss, fn.momentum(0.02), x, target, key=key, epochs=epochs, batch_size=7, callbacks=[callback, *checkpoint],
        communicator=ranks, resume=resume[0] if resume else None, **options,
    )  # fmt: skip
    rows = [dict(row.values) for row in fit.history.rows]
    said = {"bits": fingerprint((fit.params, fit.state)), "rows": rows, "size": ranks.size}
    (out / f"rank{rank}.json").write_text(json.dumps(said))
    if rank == 0:
        fn.save(out / "params.npz", (fit.params, fit.state))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
