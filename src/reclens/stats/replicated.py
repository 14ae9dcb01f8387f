"""Formulas of means, with intervals: arithmetic on numbers that carry their bootstrap replicates.

Functions of means over units (a share of exposure, a ratio of two such shares, a difference of two gaps) are written as
formulas on :class:`Replicated` numbers. The formula is applied to each replicate, so the standard deviation of the
replicates is the standard error of the result. The units are those of the :class:`~reclens.stats.summary.Summary` that
the means come from: numbers of one summary, or of summaries with the same seed, are paired unit by unit.

The interval is the normal one with the bootstrap standard error and Student's quantile, on the scale on which the
statistic is closest to normal: ratios on the logarithm, shares on the log odds.

References: Efron and Tibshirani (1993), An introduction to the bootstrap, chapter 13; Davison and Hinkley (1997),
Bootstrap methods and their application, section 5.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import numpy as np

from reclens.errors import ArgumentValueError, UsageError
from reclens.stats.estimate import Estimate
from reclens.stats.summary import Cell, Summary

__all__ = ["Replicated", "Scale", "means_of_rest", "replicated_means"]

Scale = Literal["identity", "log", "logit"]
"""Where the interval is made: as the number is; on its logarithm, for ratios; on its log odds, for shares."""

_ENOUGH: Final = 100
"""Fewer usable replicates give no standard error."""
_EQUAL: Final = 1e-11
"""Replicates that differ by no more than this share of the value do not vary."""


@dataclass(frozen=True, eq=False)
class Replicated:
    """Numbers with the bootstrap replicates of each.

    ``+ - * /``, ``log()`` and ``sum()`` work on values and replicates alike, with other replicated numbers of the same
    draws and with constants.

    Attributes:
        value: float64, any shape.
        draws: The replicates, shape of the values with one more axis, B; NaN where a replicate has no value.

    Example:
        >>> import numpy as np
        >>> keys = np.arange(400, dtype=np.uint64)
        >>> ours = (keys % 2).astype(float)
        >>> sums = Summary.of(keys, {"ours": ours, "all": np.ones(400) * 4.0}, replicates=400)
        >>> means = replicated_means(sums, ("overall", "all"), ["ours", "all"])
        >>> share = means[0] / means[1]
        >>> float(share.value)
        0.125
        >>> share.estimate(n=400, scale="logit")
        Estimate(0.125, low=0.113, high=0.138, n=400)
    """

    value: np.ndarray
    draws: np.ndarray
    __array_ufunc__: ClassVar[None] = None  # arrays on the left leave the arithmetic to this class

    @classmethod
    def normal(cls, value: float, error: float, *, replicates: int, seed: Sequence[int]) -> Replicated:
        """A single independent number with a known standard error: normal replicates."""
        noise = np.random.default_rng(seed).normal(size=replicates)
        return cls(np.asarray(float(value)), value + error * noise)

    def __getitem__(self, key: Any) -> Replicated:
        return Replicated(self.value[key], self.draws[key])

    def __len__(self) -> int:
        return len(self.value)

    def __add__(self, other: Any) -> Replicated:
        value, draws = _parts(other, self.draws)
        return Replicated(self.value + value, self.draws + draws)

    def __sub__(self, other: Any) -> Replicated:
        value, draws = _parts(other, self.draws)
        return Replicated(self.value - value, self.draws - draws)

    def __mul__(self, other: Any) -> Replicated:
        value, draws = _parts(other, self.draws)
        return Replicated(self.value * value, self.draws * draws)

    def __truediv__(self, other: Any) -> Replicated:
        value, draws = _parts(other, self.draws)
        with np.errstate(divide="ignore", invalid="ignore"):  # nothing over nothing is not defined, and stays NaN
            return Replicated(_finite(self.value / value), _finite(self.draws / draws))

    def __rsub__(self, other: Any) -> Replicated:
        return self * -1.0 + other

    def __rtruediv__(self, other: Any) -> Replicated:
        value, draws = _parts(other, self.draws)
        with np.errstate(divide="ignore", invalid="ignore"):
            return Replicated(_finite(value / self.value), _finite(draws / self.draws))

    __radd__ = __add__
    __rmul__ = __mul__

    def __abs__(self) -> Replicated:
        return Replicated(np.abs(self.value), np.abs(self.draws))

    def log(self) -> Replicated:
        """Natural logarithm; NaN where a number is not above 0."""
        return Replicated(_log(self.value), _log(self.draws))

    def sum(self, axis: int = 0) -> Replicated:
        """Sum along an axis of the values; the axis of the replicates stays."""
        axis %= self.value.ndim
        return Replicated(self.value.sum(axis=axis), self.draws.sum(axis=axis))

    def mean(self, axis: int = 0) -> Replicated:
        """Mean along an axis of the values."""
        return self.sum(axis) * (1.0 / self.value.shape[axis])

    def standard_error(self, scale: Scale = "identity") -> np.ndarray:
        """Standard deviation of the replicates on a scale, shape of the values; NaN with under 100 usable ones."""
        draws = _on(scale, self.draws)
        usable = np.isfinite(draws)
        if usable.all() and draws.shape[-1] >= _ENOUGH:
            return draws.std(axis=-1, ddof=1)
        n = usable.sum(axis=-1)
        filled = np.where(usable, draws, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            centre = filled.sum(axis=-1) / n
            spread = np.where(usable, draws - centre[..., None], 0.0)
            error = np.sqrt((spread**2).sum(axis=-1) / (n - 1))
        return np.where(n >= _ENOUGH, error, np.nan)

    def estimate(self, *, n: int, level: float = 0.95, scale: Scale = "identity") -> Estimate:
        """A single number with its interval.

        Args:
            n: Number of units; the smaller one, if two groups are compared.
            level: Confidence level.
            scale: Scale of the interval.

        Returns:
            The estimate; without an interval for fewer than two units, constant replicates, or a value at the end of
            the scale.

        Raises:
            UsageError: If there is more than one number, or the level is not between 0 and 1.
        """
        if self.value.ndim:
            raise UsageError(f"the estimate of one number is asked for; there are {self.value.shape}. Take one by [i].")
        if not 0 < level < 1:
            raise ArgumentValueError("level", f"is {level}, expected a number between 0 and 1 such as 0.95")
        value = float(self.value)
        spread = self._spread(scale)
        if n < 2 or spread is None:
            return Estimate(value, low=None, high=None, n=n, level=level)
        from scipy.special import stdtrit

        centre, error = spread
        half_width = -float(stdtrit(n - 1, (1 - level) / 2)) * math.sqrt(n / (n - 1)) * error
        low, high = (_back(scale, centre + sign * half_width) for sign in (-1, 1))
        return Estimate(value, low=low, high=high, n=n, level=level)

    def varies(self, scale: Scale = "identity") -> bool:
        """Whether a single number has a standard error on the scale."""
        return self._spread(scale) is not None

    def _spread(self, scale: Scale) -> tuple[float, float] | None:
        """A single number and its standard error, on the scale; None where it does not vary."""
        centre, error = float(_on(scale, self.value)), float(self.standard_error(scale))
        usable = math.isfinite(centre) and math.isfinite(error) and error > _EQUAL * max(1.0, abs(centre))
        return (centre, error) if usable else None

    def z(self, null: float = 0.0, scale: Scale = "identity") -> float:
        """Distance above another number in standard errors, on the scale; NaN if it does not vary."""
        spread = self._spread(scale)
        if spread is None:
            return math.nan
        return (spread[0] - float(_on(scale, np.asarray(null, np.float64)))) / spread[1]

    def p_value(self, null: float = 0.0, *, n: int, scale: Scale = "identity") -> float:
        """Two-sided p-value of "it is ``null``", of Student's distribution with n - 1 degrees of freedom."""
        from scipy.special import stdtr

        z = self.z(null, scale)
        return math.nan if math.isnan(z) or n < 2 else float(2 * stdtr(n - 1, -abs(z) * math.sqrt((n - 1) / n)))


def replicated_means(summary: Summary, cells: Cell | Sequence[Cell], columns: Sequence[str]) -> Replicated:
    """Means of some columns over a cell, or over several cells that share no unit; shape (columns,).

    Raises:
        UnknownNameError: If there is no such cell or column.
    """
    pooled: list[Any] = [cells] if isinstance(cells[0], str) else list(cells)
    at = [[summary.index(cell, column) for column in columns] for cell in pooled]
    rows, places = [each[0][0] for each in at], [place for _, place in at[0]]
    found = np.ix_(rows, places)
    n, total = summary.n[found].sum(axis=0).astype(np.float64), summary.total[found].sum(axis=0)
    weights, sums = summary.weights[found].sum(axis=0), summary.sums[found].sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):  # no unit has a value
        return Replicated(_finite(total / n), _finite(sums / weights))


def means_of_rest(
    summary: Summary, cell: Cell, columns: Sequence[str], *, whole: Cell = ("overall", "all")
) -> Replicated:
    """Means of some columns over the units of ``whole`` that are not in a cell of it; shape (columns,).

    Raises:
        UnknownNameError: If there is no such cell or column.
    """
    inner = [summary.index(cell, column) for column in columns]
    outer = [summary.index(whole, column) for column in columns]
    (rows, places), (all_rows, _) = (tuple(map(list, zip(*at, strict=True))) for at in (inner, outer))
    n, total = (each[all_rows, places] - each[rows, places] for each in (summary.n, summary.total))
    weights, sums = (each[all_rows, places] - each[rows, places] for each in (summary.weights, summary.sums))
    with np.errstate(divide="ignore", invalid="ignore"):  # no unit is left
        return Replicated(_finite(total / n), _finite(sums / np.where(weights > 0.5, weights, 0.0)))


def _parts(other: Any, draws: np.ndarray) -> tuple[Any, Any]:
    """Values and replicates of the other side; a constant is the same in every replicate."""
    if isinstance(other, Replicated):
        if other.draws.shape[-1] != draws.shape[-1]:
            raise UsageError(f"numbers with {draws.shape[-1]} and {other.draws.shape[-1]} replicates do not pair.")
        return other.value, other.draws
    value = np.asarray(other, np.float64)
    return value, value[..., None]


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def _log(values: np.ndarray) -> np.ndarray:
    return np.log(values, out=np.full(np.shape(values), np.nan), where=np.asarray(values) > 0)


def _on(scale: Scale, values: np.ndarray) -> np.ndarray:
    if scale == "identity":
        return np.asarray(values)
    return _log(values) if scale == "log" else _log(values) - _log(1 - np.asarray(values))


def _back(scale: Scale, value: float) -> float:
    if scale == "identity":
        return value
    if scale == "log":
        return math.exp(min(value, 700.0))
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0
