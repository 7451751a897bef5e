"""How far training is, on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from funcnn.train.history import Row

B = TypeVar("B")


class Reporter(Protocol):
    """What the training loop tells: the batches of an epoch as they pass, and each epoch's figures."""

    def steps(self, batches: Iterable[B], epoch: int) -> Iterable[B]:
        """Return the batches, to be counted as they are asked for."""
        ...

    def row(self, row: Row) -> None:
        """Show the figures of an epoch."""
        ...


class Silent:
    """Says nothing."""

    def steps(self, batches: Iterable[B], epoch: int) -> Iterable[B]:
        """Return the batches."""
        return batches

    def row(self, row: Row) -> None:
        """Do nothing."""


class Lines(Silent):
    """One line for each epoch on the standard error stream: where tqdm is not installed."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def row(self, row: Row) -> None:
        """Write the line."""
        print(f"epoch {row.epoch}/{self.epochs}: {figures(row)} ({row.seconds:.1f} s)", file=sys.stderr)


class Bar:
    """A bar of tqdm over all steps."""

    def __init__(self, epochs: int, steps: int, done: int) -> None:
        from tqdm import tqdm  # type: ignore[import-untyped]  # it has no types

        self.bar = tqdm(total=epochs * steps, initial=done * steps, unit="step", dynamic_ncols=True)
        self.epochs = epochs

    def steps(self, batches: Iterable[B], epoch: int) -> Iterator[B]:
        """Return the batches, moving the bar."""
        self.bar.set_description(f"epoch {epoch}/{self.epochs}", refresh=False)
        update = self.bar.update
        for batch in batches:
            yield batch
            update()

    def row(self, row: Row) -> None:
        """Show the figures behind the bar."""
        self.bar.set_postfix_str(figures(row))


@contextmanager
def reporter(progress: bool | None, epochs: int, steps: int, done: int) -> Iterator[Reporter]:
    """Give what shows progress: a bar where tqdm is installed, lines where it is not, nothing where nobody looks.

    Parameters
    ----------
    progress : bool or None
        None means a bar if tqdm is installed and standard error is a terminal, and otherwise nothing.
    epochs, steps, done : int
        Epochs in all, steps of an epoch, epochs done before.
    """
    if progress is False or (progress is None and not sys.stderr.isatty()):
        yield Silent()
        return
    try:
        bar = Bar(epochs, steps, done)
    except ImportError:
        yield Lines(epochs) if progress else Silent()
        return
    try:
        yield bar
    finally:
        bar.bar.close()


def figures(row: Row) -> str:
    """Return the figures of an epoch in short: ``loss 0.31, val_loss 0.35``."""
    return ", ".join(f"{name} {value:.4g}" for name, value in row.values)
