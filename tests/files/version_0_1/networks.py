"""Networks whose parameters version 0.1 wrote into the files beside this one.

To write them again, run this file with that version: ``PYTHONPATH=<its sources> python networks.py``.  Names and arguments here
are those that both versions have.
"""

from pathlib import Path
from typing import Any

import numpy as np

import funcnn as fn

KEY = fn.Key(0)
ROOM = Path(__file__).parent

NETWORKS: dict[str, tuple[fn.Layer[Any, Any, Any, Any], Any]] = {
    "attention": (fn.attention(2, causal=True), (3, 4)),
    "batch_norm": (fn.conv2d(2, 3) >> fn.batch_norm() >> fn.relu() >> fn.flatten() >> fn.dense(2), (4, 4, 1)),
    "dense": (fn.dense(3) >> fn.tanh() >> fn.dense(2), (4,)),
    "embedding": (fn.embedding(5, 3) >> fn.lstm(2), (4,)),
    "gru": (fn.gru(2), (3, 2)),
    "layer_norm": (fn.residual(fn.layer_norm() >> fn.dense(3)), (3,)),
    "rnn": (fn.bidirectional(fn.rnn(2), fn.rnn(2)), (3, 2)),
    "transformer": (fn.encoder_block(4, 2, hidden=4), (3, 4)),
}
"""By name: the network and the shape of one example."""


def examples(shape: tuple[int, ...], name: str) -> Any:
    """Return two examples: tokens for an embedding, numbers for all others."""
    numbers = np.arange(2 * int(np.prod(shape))).reshape(2, *shape)
    return numbers % 5 if name == "embedding" else np.sin(numbers.astype(np.float64))


def training(epochs: int, resume: Path | None = None, callbacks: tuple[Any, ...] = ()) -> Any:
    """Return the result of a short training run, in which what an optimizer, a schedule and a mode keep is in use."""
    model = fn.dense(4) >> fn.batch_norm() >> fn.relu() >> fn.dropout(0.5) >> fn.dense(2)
    x = np.sin(np.arange(40.0)).reshape(10, 4)
    y = np.arange(10) % 2
    optimizer = fn.chain(fn.clip_by_global_norm(1.0), fn.adam(fn.schedules.cosine(0.1, steps=20)))
    return fn.fit(
        model, fn.softmax_cross_entropy(), optimizer, x, y, key=KEY, epochs=epochs, batch_size=4, callbacks=callbacks,
        progress=False, resume=resume,
    )  # fmt: skip


def write() -> None:
    """Write the files."""
    written = {}
    for name, (model, shape) in NETWORKS.items():
        start = model.init(KEY, shape)
        output = model.forward(start.params, start.state, examples(shape, name), fn.Eval()).output
        written[name] = {"params": start.params, "state": start.state, "output": output}
    fn.save(ROOM / "networks.npz", written)
    training(2, callbacks=(fn.Checkpoint(ROOM / "checkpoint.npz"),))
    fn.save(ROOM / "trained.npz", training(4).params)


if __name__ == "__main__":
    write()
