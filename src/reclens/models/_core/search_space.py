"""Distributions of hyper-parameters for the search."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Choice", "Float", "Space", "Whole"]


@dataclass(frozen=True)
class Float:
    """A real number between two bounds, drawn uniformly on the linear or the logarithmic scale.

    Attributes:
        low: Lower end.
        high: Upper end.
        log: Whether it is drawn on the logarithmic scale.
    """

    low: float
    high: float
    log: bool = True

    def draw(self, rng: np.random.Generator) -> float:
        """A value, to four significant digits, so that it can be written down."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        value = float(rng.uniform(low, high))
        return float(f"{math.exp(value) if self.log else value:.4g}")

    def edge(self, value: Any) -> str | None:
        """``"low"`` or ``"high"`` where a value lies in the outer tenth of the range or outside it, else None."""
        if value <= self.low:  # 0, which may be a default, is not on the logarithmic scale
            return "low"
        low, high, at = (
            (math.log(x) for x in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        share = (at - low) / (high - low)
        return "low" if share <= 0.1 else "high" if share >= 0.9 else None


@dataclass(frozen=True)
class Whole:
    """A whole number between two bounds, both included.

    Attributes:
        low: Lower end.
        high: Upper end.
        log: Whether it is drawn on the logarithmic scale.
    """

    low: int
    high: int
    log: bool = True

    def draw(self, rng: np.random.Generator) -> int:
        """A value."""
        if not self.log:
            return int(rng.integers(self.low, self.high, endpoint=True))
        return int(math.exp(rng.uniform(math.log(self.low), math.log(self.high + 1))))

    def edge(self, value: Any) -> str | None:
        """``"low"`` or ``"high"`` where a value lies in the outer tenth of the range, else None."""
        return Float(self.low, self.high, self.log).edge(value)


@dataclass(frozen=True)
class Choice:
    """One of several values.

    Attributes:
        values: The values.
    """

    values: tuple[Any, ...]

    def draw(self, rng: np.random.Generator) -> Any:
        """A value."""
        return self.values[int(rng.integers(len(self.values)))]

    def edge(self, value: Any) -> str | None:
        """None: values without an order have no edge."""
        return


Space = Float | Whole | Choice
