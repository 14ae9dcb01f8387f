"""A/A tests by simulation: the false positive rate of a test on given data.

The same units are split into two arms at random, many times. A split is a row of ones and zeros; one matrix product of
a block of splits with the values, squares and products gives the sums of all its tests.

References: Kohavi, Tang and Xu (2020), Trustworthy online controlled experiments, chapter 19 (A/A tests).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reclens.errors import ArgumentValuesError, UsageError
from reclens.memory import require_memory
from reclens.stats.arms import Quantity, gradient, theta_of
from reclens.stats.difference import two_sided
from reclens.stats.estimate import Estimate
from reclens.stats.moments import Moments
from reclens.stats.pivot import hall, imbalance
from reclens.stats.proportions import proportion
from reclens.stats.score import pivot_of
from reclens.tabular import Tabular

__all__ = ["SplitTests", "aa_tests"]

_BLOCK = 64  # splits a product: with 10,000 units a block of doubles stays near the cache


@dataclass(frozen=True, eq=False, kw_only=True)
class SplitTests(Tabular):
    """The tests of all random splits.

    Attributes:
        p_values: Metric -> two-sided p-values, shape (splits,).
        lifts: Metric -> observed differences, shape (splits,).
        n: Units.
        share: Planned share of the second arm.
        level: Confidence level of the tests.
    """

    p_values: Mapping[str, np.ndarray]
    lifts: Mapping[str, np.ndarray]
    n: int
    share: float
    level: float = 0.95

    def false_positives(self, metric: str) -> Estimate:
        """Share of splits that were significant, with Wilson's interval of 99 %; it should contain 1 - level."""
        p = self.p_values[metric]
        tested = ~np.isnan(p)
        return proportion(int((p[tested] <= 1 - self.level).sum()), int(tested.sum()), level=0.99)

    def uniformity(self, metric: str) -> float:
        """p-value of Kolmogorov and Smirnov's test that the p-values are uniform: small means that the test is off.

        NaN where no split could be tested, as of a metric that does not vary.
        """
        from scipy.stats import kstest

        p = self.p_values[metric]
        p = p[~np.isnan(p)]
        return float(kstest(p, "uniform").pvalue) if len(p) else float("nan")

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a metric, for tables."""
        rows = []
        for metric, p in self.p_values.items():
            rate = self.false_positives(metric)
            rows.append(
                {
                    "metric": metric,
                    "splits": len(p),
                    "false_positives": rate.value,
                    "low": rate.low,
                    "high": rate.high,
                    "uniformity_p_value": self.uniformity(metric),
                    "sd_of_difference": float(np.std(self.lifts[metric])),
                }
            )
        return rows


def aa_tests(
    columns: Mapping[str, Any],
    metrics: Mapping[str, Quantity] | Sequence[str],
    *,
    covariates: Mapping[str, Sequence[Quantity]] | None = None,
    splits: int = 1000,
    share: float = 0.5,
    level: float = 0.95,
    rng: int | np.random.Generator | None = None,
    proportions: Collection[str] = (),
) -> SplitTests:
    """Test random splits of units that were all treated alike.

    Args:
        columns: Column -> values of the units, shape (n,), finite.
        metrics: Name -> column, or (numerator, denominator); or columns that are metrics as they are.
        covariates: Name of a metric -> what adjusts it (CUPED, θ over all units: the same for every split).
        splits: Number of random splits.
        share: Share of the second arm.
        level: Confidence level of the tests.
        rng: Source of the splits.
        proportions: Metrics that are shares of units, columns of 0 and 1 without covariates: their test is that of
            :func:`~reclens.stats.proportions.proportion_difference`.

    Returns:
        p-values and differences by the normal distribution, the limit of the test of
        :func:`~reclens.stats.arms.compare_arms`, skewness allowed for: with hundreds of units, equal to three digits.

    Raises:
        UsageError: If there are fewer than four units, no splits, or the share is not between 0 and 1.

    Example:
        >>> values = np.random.default_rng(0).exponential(size=1000)
        >>> found = aa_tests({"minutes": values}, ["minutes"], splits=2000, rng=1)
        >>> print(found.false_positives("minutes"))
        0.0545 [0.04284, 0.06911]
    """
    if splits < 1 or not 0 < share < 1:
        raise ArgumentValuesError({"splits": splits, "share": share}, "1 or more, and a share between 0 and 1")
    named: dict[str, Quantity] = dict(metrics) if isinstance(metrics, Mapping) else {name: name for name in metrics}
    jobs = [_Job.made(name, of, (covariates or {}).get(name, ()), columns) for name, of in named.items()]
    n = len(jobs[0].table) if jobs else 0
    if n < 4:
        raise UsageError(f"there are {n} units; expected four or more, and at least one metric.")
    generator = np.random.default_rng(rng)
    tables = np.hstack([job.table for job in jobs])
    bounds = np.cumsum([0, *(job.table.shape[1] for job in jobs)])
    totals = tables.sum(axis=0)
    require_memory(16 * splits * len(jobs), f"{splits:,} splits of {len(jobs)} metrics", advice="Take fewer splits.")
    p_values = {job.name: np.empty(splits) for job in jobs}
    lifts = {job.name: np.empty(splits) for job in jobs}
    for start in range(0, splits, _BLOCK):
        size = min(_BLOCK, splits - start)
        chosen = _splits(generator, size, n, share)
        second = chosen @ tables
        sizes = chosen.sum(axis=1)
        for at, job in enumerate(jobs):
            part = slice(bounds[at], bounds[at + 1])
            gap, p = job.tested(totals[part] - second[:, part], n - sizes, second[:, part], sizes)
            if job.name in proportions:
                p = job.tested_shares(totals[part] - second[:, part], n - sizes, second[:, part], sizes)
            p_values[job.name][start : start + size] = p
            lifts[job.name][start : start + size] = gap
    return SplitTests(p_values=p_values, lifts=lifts, n=n, share=share, level=level)


def _splits(generator: np.random.Generator, size: int, n: int, share: float) -> np.ndarray:
    """Ones for the units of the second arm, shape (size, n)."""
    if share == 0.5:  # a bit a unit
        bits = np.frombuffer(generator.bytes(size * ((n + 7) // 8)), np.uint8).reshape(size, -1)
        return np.unpackbits(bits, axis=1, count=n).astype(np.float64)
    return (generator.random((size, n), dtype=np.float32) < share).astype(np.float64)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Job:
    """One metric: its centred columns with their products, and what its tests need to know."""

    name: str
    of: Quantity
    covariates: tuple[Quantity, ...]
    names: tuple[str, ...]
    centre: np.ndarray
    theta: np.ndarray
    table: np.ndarray
    skewness: float

    @classmethod
    def made(cls, name: str, of: Quantity, covariates: Sequence[Quantity], columns: Mapping[str, Any]) -> _Job:
        parts = [part for each in (of, *covariates) for part in ((each,) if isinstance(each, str) else each)]
        names = tuple(dict.fromkeys(parts))
        lacking = [part for part in names if part not in columns]
        if lacking:
            raise UsageError(f"there is no column '{lacking[0]}' for the metric '{name}'.")
        moments = Moments.of({part: columns[part] for part in names})
        theta = theta_of([(1.0, moments, Moments.nothing(names))], of, covariates) if covariates else np.zeros(0)
        centred = np.stack([np.asarray(columns[part], np.float64) for part in names], axis=1) - moments.mean
        i, j = np.triu_indices(len(names))
        slope = gradient(moments.mean, names, of)
        for each, weight in zip(covariates, theta, strict=True):
            slope = slope - weight * gradient(moments.mean, names, each)
        linear = centred @ slope
        spread = float((linear**2).mean())
        return cls(
            name=name,
            of=of,
            covariates=tuple(covariates),
            names=names,
            centre=moments.mean,
            theta=theta,
            table=np.hstack([centred, centred[:, i] * centred[:, j]]),
            skewness=float((linear**3).mean()) / spread**1.5 if spread > 0 else 0.0,
        )

    def tested(
        self, first: np.ndarray, sizes: np.ndarray, second: np.ndarray, others: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Differences and p-values of a block of splits, from the sums of both arms."""
        from scipy.special import ndtr

        values, variances = zip(*(self._arm(sums, n) for sums, n in ((first, sizes), (second, others))), strict=True)
        gap = values[1] - values[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            skew = self.skewness * imbalance(sizes, others)
            return gap, 2 * ndtr(-np.abs(hall(gap / np.sqrt(variances[0] + variances[1]), skew)))

    def tested_shares(self, first: np.ndarray, sizes: np.ndarray, second: np.ndarray, others: np.ndarray) -> np.ndarray:
        """p-values of a block of splits where the metric is the share of units whose column is 1."""
        at = self.names.index(str(self.of))
        hits = [np.rint(sums[:, at] + self.centre[at] * n) for sums, n in ((first, sizes), (second, others))]
        counts = zip(*(each.astype(int).tolist() for each in (hits[0], sizes, hits[1], others)), strict=True)
        return np.array([two_sided(pivot_of((x, n), (y, m)).z_at(0.0)) if n and m else np.nan for x, n, y, m in counts])

    def _arm(self, sums: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Adjusted value of an arm and its variance, one a split."""
        k = len(self.names)
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = sums[:, :k] / n[:, None]
            cross = np.empty((len(n), k, k))
            i, j = np.triu_indices(k)
            cross[:, i, j] = sums[:, k:] / n[:, None] - apart[:, i] * apart[:, j]
            cross[:, j, i] = cross[:, i, j]
        means = self.centre + apart
        values, slopes = self._linear(means, self.of)
        for each, theta in zip(self.covariates, self.theta, strict=True):
            value, slope = self._linear(means, each)
            values, slopes = values - theta * value, slopes - theta * slope
        return values, np.einsum("ti,tij,tj->t", slopes, cross, slopes) / np.maximum(n - 1, 1)

    def _linear(self, means: np.ndarray, of: Quantity) -> tuple[np.ndarray, np.ndarray]:
        """As ``value_of`` and ``gradient`` of :mod:`reclens.stats.arms`, for many means at once."""
        slopes = np.zeros_like(means)
        if isinstance(of, str):
            at = self.names.index(of)
            slopes[:, at] = 1.0
            return means[:, at], slopes
        above, below = (self.names.index(name) for name in of)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = means[:, above] / means[:, below]
            slopes[:, above] = 1 / means[:, below]
            slopes[:, below] -= values / means[:, below]
        return values, slopes
