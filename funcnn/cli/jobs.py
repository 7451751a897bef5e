"""What can be trained: for each ready model its task, its settings, and how long it is trained by default."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from funcnn.cli.arguments import Value

Kind = Literal[
    "classify", "redraw", "imagine", "denoise", "compare", "write", "classify_text",
    "regress_table", "classify_table", "find_anomalies",
]  # fmt: skip


@frozen
class DefaultSchedule:
    """How a model is trained by default."""

    learning_rate: float
    batch_size: int
    epochs: int = 0
    """Passes through the data, or 0 where steps are counted."""
    steps: int = 0
    """Batches drawn at random, or 0 where passes are counted."""


@frozen
class Job:
    """A model, and what it is trained to do."""

    task: Kind
    about: str
    arguments: dict[str, Value]
    digits: DefaultSchedule
    """On the embedded digits, or on texts."""
    folder: DefaultSchedule
    """On a folder of IDX files, or on texts."""
    thorough: bool = False
    """Whether the gradient is quick to check entry by entry; otherwise larger leaves are looked at along random directions."""

    @property
    def reads_text(self) -> bool:
        """Whether it learns from text files, and not from rows of numbers."""
        return self.task in ("write", "classify_text")

    @property
    def reads_table(self) -> bool:
        """Whether it learns from the columns of a table."""
        return self.task in ("regress_table", "classify_table", "find_anomalies")

    @property
    def has_classes(self) -> bool:
        """Whether what it learns from has classes with names."""
        return self.task not in ("write", "regress_table", "find_anomalies")

    @property
    def counts_steps(self) -> bool:
        """Whether its training is counted in steps, and not in passes through the data."""
        return self.task == "write"


_TEXT = DefaultSchedule(0.002, 12, steps=2000)

TABLE_SCHEDULE = DefaultSchedule(0.003, 32, 300)
"""Of a table; training ends before when it no longer helps."""

JOBS = {
    "mlp": Job(
        "classify", "a perceptron reads images, or points",
        {"hidden": (128, 64), "activation": "relu", "dropout": 0.2},
        DefaultSchedule(0.005, 32, 60), DefaultSchedule(0.001, 128, 10), thorough=True,
    ),
    "lenet5": Job(
        "classify", "LeNet-5 reads images",
        {"activation": "relu", "pooling": "max"}, DefaultSchedule(0.003, 32, 12), DefaultSchedule(0.003, 128, 6),
    ),
    "convnet": Job(
        "classify", "a small convolutional network reads images",
        {"channels": (16, 32, 64), "depth": 1, "dropout": 0.0}, DefaultSchedule(0.01, 64, 10), DefaultSchedule(0.01, 128, 5),
    ),
    "resnet": Job(
        "classify", "a residual network reads images",
        {"depth": 8, "channels": (8,)}, DefaultSchedule(0.01, 64, 10), DefaultSchedule(0.01, 128, 3),
    ),
    "siamese": Job(
        "compare", "two images, one encoder: the same class or not",
        {"hidden": (128, 64), "latent_size": 8, "activation": "relu", "dropout": 0.0},
        DefaultSchedule(0.002, 32, 40), DefaultSchedule(0.001, 128, 10), thorough=True,
    ),
    "autoencoder": Job(
        "redraw", "images are redrawn through a narrow code",
        {"hidden": (128,), "latent_size": 16, "activation": "silu"},
        DefaultSchedule(0.003, 32, 80), DefaultSchedule(0.001, 128, 10), thorough=True,
    ),
    "vae": Job(
        "imagine", "a variational autoencoder redraws images, and draws new ones",
        {"hidden": (128,), "latent_size": 8, "activation": "silu"},
        DefaultSchedule(0.003, 32, 40), DefaultSchedule(0.001, 128, 15), thorough=True,
    ),
    "unet": Job(
        "denoise", "a U-Net takes noise out of images",
        {"channels": (8, 16), "depth": 1, "noise": 0.3}, DefaultSchedule(0.01, 64, 10), DefaultSchedule(0.005, 128, 2),
    ),
    "char_rnn": Job(
        "write", "a recurrent network continues a text, character by character",
        {"cell": "lstm", "features": 128, "layers": 1, "embedding_size": 32, "dropout": 0.0, "context_length": 64},
        DefaultSchedule(0.005, 16, steps=1500), DefaultSchedule(0.005, 16, steps=1500),
    ),
    "gpt": Job(
        "write", "a Transformer continues a text, character by character",
        {"layers": 4, "heads": 4, "features": 128, "context_length": 64, "dropout": 0.0}, _TEXT, _TEXT,
    ),
    "text_classifier": Job(
        "classify_text", "the lines of two or more texts are told apart",
        {"encoder": "transformer", "features": 64, "layers": 1, "heads": 4, "dropout": 0.1, "context_length": 96},
        DefaultSchedule(0.002, 32, 10), DefaultSchedule(0.002, 32, 10),
    ),
}  # fmt: skip
"""The ready models by the name of their factory."""


def models_with(argument: str) -> list[str]:
    """Return the names of the models that have a setting."""
    return [name for name, job in JOBS.items() if argument in job.arguments]
