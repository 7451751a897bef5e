"""Which requests are answered where they are read: those that take less than the way to another thread and back is worth."""

from __future__ import annotations

from collections import deque

_QUICK = 0.005  # seconds for which all other connections may be kept waiting
_SEEN = 4


class Pace:
    """How long the last answers of an action took, and how large their requests were."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_SEEN)
        self._sizes: deque[int] = deque(maxlen=_SEEN)

    def note(self, seconds: float, size: int) -> None:
        """Take how long an answer took."""
        self._seconds.append(seconds)
        self._sizes.append(size)

    def is_quick(self, size: int) -> bool:
        """Tell whether a request of so many bytes will be answered at once, as the last ones were that were not much smaller."""
        return len(self._seconds) == _SEEN and max(self._seconds) < _QUICK and size <= 2 * max(self._sizes)
