r"""The frequencies of rotary positions, stretched for sequences longer than those of the first training.

Indices: $i$ pair of $m/2$.  With $\theta_i = b^{-2i/m}$ the frequencies before, the base $b$, the factor $s$ by which the context
grows, and the length $L$ that the first training saw:

- *linear* (position interpolation; Chen et al. 2023, arXiv:2306.15595, section 2.3): $\theta'_i = \theta_i / s$;
- *NTK-aware* (Peng et al. 2023, arXiv:2309.00071, definition 1): the base grows instead, so that the slowest pair is
  stretched by $s$ and the fastest not at all, $b' = b\, s^{m/(m-2)}$;
- *YaRN* (the same, definition 3): $\theta'_i = \gamma_i\,\theta_i + (1 - \gamma_i)\,\theta_i/s$, where $\gamma$ falls linearly
  from 1 to 0 between the pairs that make $\beta$ and $\alpha$ turns within $L$ steps; queries and keys are also multiplied by
  $0.1 \ln s + 1$.  A pair makes $r$ turns where $i(r) = \tfrac{m}{2 \ln b} \ln \tfrac{L}{2\pi r}$; as in the authors' program
  $i(\beta)$ is rounded down and $i(\alpha)$ up;
- *Llama 3.1* (Grattafiori et al. 2024, arXiv:2407.21783; the formula is that of its program): with the wave length
  $\lambda_i = 2\pi/\theta_i$ the frequency is kept for $\lambda_i < L/h$, divided by $s$ for $\lambda_i > L/l$, and between these
  $\theta'_i = (1 - \gamma)\,\theta_i/s + \gamma\,\theta_i$ with $\gamma = (L/\lambda_i - l)/(h - l)$.

All are constants: nothing is differentiated with respect to them.
"""

import math
from typing import TypeAlias

import numpy as np
from attrs import field, frozen

from funcnn.errors import check_count, check_range
from funcnn.layers.embedding.fourier_features import TURN
from funcnn.typing import Array

DType: TypeAlias = type[np.floating] | np.dtype[np.floating]


def _factor(value: float) -> float:
    return check_range(value, "factor", 1, float("inf"), open_high=True)


def _length(value: int) -> int:
    return check_count(value, "original_length")


def _positive(value: float, what: str) -> float:
    return check_range(value, what, 0, float("inf"), open_low=True, open_high=True)


def _fast(value: float) -> float:
    return _positive(value, "fast")


def _slow(value: float) -> float:
    return _positive(value, "slow")


def _low(value: float) -> float:
    return _positive(value, "low")


def _high(value: float) -> float:
    return _positive(value, "high")


@frozen
class LinearScaling:
    """Rotary positions divided by a factor.

    Parameters
    ----------
    factor : float
        By how much the context grows, at least 1.

    Raises
    ------
    TypeError, ValueError
        When the factor is not a finite number of at least 1.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.attention(4, positions=fn.Rotary(scaling=fn.LinearScaling(4.0))).name
    'attention(4)'
    """

    factor: float = field(converter=_factor)

    magnitude = 1.0
    """What queries and keys are multiplied by."""

    def frequencies(self, base: float, features: int, dtype: DType = np.float64) -> Array:
        """Return the angle of each pair of features between neighbouring steps."""
        return plain_frequencies(base, features, dtype) / self.factor


@frozen
class NTKScaling:
    """Rotary positions with a larger base, which stretches slow pairs and leaves fast ones alone.

    Parameters
    ----------
    factor : float
        By how much the context grows, at least 1.

    Raises
    ------
    TypeError, ValueError
        When the factor is not a finite number of at least 1.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.NTKScaling(4.0).factor
    4.0
    """

    factor: float = field(converter=_factor)

    magnitude = 1.0
    """What queries and keys are multiplied by."""

    def frequencies(self, base: float, features: int, dtype: DType = np.float64) -> Array:
        """Return the angle of each pair of features between neighbouring steps; one pair alone has the angle 1."""
        kind = np.dtype(dtype).type
        stretch = kind(self.factor) ** (kind(features) / max(1, features - 2))
        return plain_frequencies(base * stretch, features, dtype)


@frozen
class YarnScaling:
    """Rotary positions as YaRN stretches them: slow pairs by the factor, fast ones not at all.

    Parameters
    ----------
    factor : float
        By how much the context grows, at least 1.
    original_length : int
        The length L of the first training.
    fast, slow : float, optional
        Pairs that make more turns than ``fast`` (beta) within L steps are left alone, pairs that make fewer than ``slow`` (alpha)
        are stretched.

    Raises
    ------
    TypeError, ValueError
        When a number is out of range.

    References
    ----------
    Peng et al. (2023), YaRN: efficient context window extension of large language models, arXiv:2309.00071.

    Examples
    --------
    >>> import funcnn as fn
    >>> round(fn.YarnScaling(4.0, 2048).magnitude, 3)
    1.139
    """

    factor: float = field(converter=_factor)
    original_length: int = field(converter=_length)
    fast: float = field(default=32.0, converter=_fast)
    slow: float = field(default=1.0, converter=_slow)

    def __attrs_post_init__(self) -> None:
        if self.slow >= self.fast:
            raise ValueError(f"slow is {self.slow}, expected less than fast, which is {self.fast}")

    @property
    def magnitude(self) -> float:
        """What queries and keys are multiplied by: 0.1 ln s + 1."""
        return 0.1 * math.log(self.factor) + 1

    def frequencies(self, base: float, features: int, dtype: DType = np.float64) -> Array:
        """Return the angle of each pair of features between neighbouring steps."""
        kept = plain_frequencies(base, features, dtype)
        first, last = (self.pair_of(turns, base, features) for turns in (self.fast, self.slow))
        low, high = max(math.floor(first), 0), min(math.ceil(last), features - 1)
        share = 1 - ((np.arange(features // 2, dtype=dtype) - low) / max(high - low, 0.001)).clip(0, 1)
        made: Array = share * kept + (1 - share) * kept / self.factor
        return made

    def pair_of(self, turns: float, base: float, features: int) -> float:
        """Return which pair makes so many turns within the original length."""
        return features * math.log(self.original_length / (2 * math.pi * turns)) / (2 * math.log(base))


@frozen
class Llama3Scaling:
    """Rotary positions as Llama 3.1 stretches them.

    Parameters
    ----------
    factor : float
        By how much the context grows, at least 1.
    original_length : int
        The length L of the first training.
    low, high : float, optional
        Wave lengths above L / low are stretched, those below L / high left alone.

    Raises
    ------
    TypeError, ValueError
        When a number is out of range.

    Examples
    --------
    >>> import funcnn as fn
    >>> rotary = fn.Rotary(base=500000.0, scaling=fn.Llama3Scaling(8.0, 8192))
    >>> rotary.frequencies(128).shape
    (64,)
    """

    factor: float = field(converter=_factor)
    original_length: int = field(converter=_length)
    low: float = field(default=1.0, converter=_low)
    high: float = field(default=4.0, converter=_high)

    magnitude = 1.0
    """What queries and keys are multiplied by."""

    def __attrs_post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError(f"low is {self.low}, expected less than high, which is {self.high}")

    def frequencies(self, base: float, features: int, dtype: DType = np.float64) -> Array:
        """Return the angle of each pair of features between neighbouring steps."""
        kept = plain_frequencies(base, features, dtype)
        turns = self.original_length * kept / np.dtype(dtype).type(TURN)
        share = ((turns - self.low) / (self.high - self.low)).clip(0, 1)
        made: Array = share * kept + (1 - share) * kept / self.factor
        return made


RotaryScaling: TypeAlias = LinearScaling | NTKScaling | YarnScaling | Llama3Scaling
"""How the frequencies of rotary positions are stretched."""


def plain_frequencies(base: float | np.floating, features: int, dtype: DType = np.float64) -> Array:
    """Return b^(-2 i / m) for each pair of m features."""
    made: Array = np.dtype(dtype).type(base) ** (-2 * np.arange(features // 2, dtype=dtype) / features)
    return made
