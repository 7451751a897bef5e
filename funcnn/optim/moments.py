"""What Adam and its variants share: a learning rate, two decay rates and a small constant, and two moments."""

from __future__ import annotations

from attrs import frozen

from funcnn.optim.flat import Elementwise
from funcnn.optim.hyper import AMOUNT, FRACTION, settle
from funcnn.optim.schedules.rate import Rate, check_rate
from funcnn.typing import Array


@frozen
class Moments(Elementwise):
    """The hyper-parameters of Adam and its variants, and the names of what they remember."""

    learning_rate: Rate
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate, beta1=FRACTION, beta2=FRACTION, eps=AMOUNT)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered."""
        return ("mean", "square")

    @property
    def _square_share(self) -> float | None:
        return 1 - self.beta2

    @property
    def _squares(self) -> tuple[int, float] | None:
        return 2, 1 - self.beta2

    def _moments(self, g: Array, mean: Array, square: Array) -> tuple[Array, Array]:
        """Return the next m and v."""
        b1, b2 = self.beta1, self.beta2
        return b1 * mean + (1 - b1) * g, b2 * square + (1 - b2) * (g * g)
