"""How long explaining may take: an explanation is worth less than a verdict, and experiments with a slow function are long."""

from __future__ import annotations

import time

EXPLAINING = 5.0
"""The seconds that all explanations of a report may take, unless said."""


class TimeUpError(Exception):
    """There is no time left for another experiment."""


class Patience:
    """The time that is left, counted from the first experiment on."""

    def __init__(self, seconds: float = EXPLAINING) -> None:
        self.seconds = seconds
        self.lost = False
        """Whether an explanation was cut short."""
        self._until: float | None = None

    def spend(self) -> None:
        """Go on, if there is time.

        Raises
        ------
        TimeUpError
            When there is none left.
        """
        now = time.perf_counter()
        if self._until is None:
            self._until = now + self.seconds
        if now > self._until:
            self.lost = True
            raise TimeUpError

    @property
    def note(self) -> str:
        """What a report says of an explanation that was cut short."""
        return f"explaining was cut short after {self.seconds:g} s: explain={12 * self.seconds:g} gives it more time"
