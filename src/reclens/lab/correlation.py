"""Offline against online: does a metric order strategies as their true lifts do?

For each offline metric and segment, the rank correlation over a family of strategies between the metric and the lift,
with its interval, and its regret: the lift of the strategy that the metric ranks first against the best one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np

from reclens.errors import UsageError
from reclens.lab.strategy_family import OVERALL, StrategyEffects
from reclens.stats.estimate import Estimate
from reclens.stats.rank_correlation import rank_interval
from reclens.tabular import Tabular

__all__ = ["Correlation", "OfflineOnline", "correlate", "kendall", "spearman"]

_FEWEST: Final = 5


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """One offline metric in one segment.

    Attributes:
        metric: The offline metric.
        segment: Segmentation and segment; ``("all", "all")`` is everybody.
        spearman: Rank correlation with the true lift, with its interval over strategies.
        kendall: Kendall's τ-b, with its interval.
        chosen: The strategy that the metric ranks first.
        regret: Lift of the best strategy minus that of the chosen one.
    """

    metric: str
    segment: tuple[str, str]
    spearman: Estimate
    kendall: Estimate
    chosen: str
    regret: float


@dataclass(frozen=True)
class OfflineOnline(Tabular):
    """All metrics against the truth.

    Attributes:
        correlations: By metric and segment, the best metric first within a segment.
        points: One row per strategy, metric and segment: offline value, lift; for a scatter.
        lifts: What they were compared with.
    """

    correlations: tuple[Correlation, ...]
    points: tuple[Mapping[str, Any], ...]
    lifts: StrategyEffects

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per metric and segment."""
        rows: list[dict[str, Any]] = []
        for each in self.correlations:
            rho, tau = asdict(each.spearman), asdict(each.kendall)
            rows.append(
                {
                    "metric": each.metric,
                    "by": each.segment[0],
                    "segment": each.segment[1],
                    "n": rho["n"],
                    "spearman": rho["value"],
                    "low": rho["low"],
                    "high": rho["high"],
                    "kendall": tau["value"],
                    "kendall_low": tau["low"],
                    "kendall_high": tau["high"],
                    "chosen": each.chosen,
                    "regret": each.regret,
                }
            )
        return rows


def correlate(
    offline: Mapping[str, Mapping[tuple[str, str], Mapping[str, float]]], lifts: StrategyEffects, *, level: float = 0.95
) -> OfflineOnline:
    """Correlate offline metrics with true lifts.

    Args:
        offline: Strategy -> segment -> metric -> value, the larger the better; strategies that have no lift are left
            out, and segments that the lifts do not have.
        lifts: The truth.
        level: Of the intervals.

    Raises:
        UsageError: If fewer than five strategies are on both sides.
    """
    names = [name for name in offline if name in lifts.values]
    if len(names) < _FEWEST:
        raise UsageError(
            f"{len(names)} strategies have an offline result and a lift, expected {_FEWEST} or more: over fewer a rank "
            "correlation says nothing. 12 is a good number."
        )
    found: list[Correlation] = []
    points: list[Mapping[str, Any]] = []
    cells = [cell for cell in lifts.values[names[0]] if all(cell in offline[name] for name in names)]
    for cell in sorted(cells, key=lambda cell: (cell != OVERALL, cell)):
        online = np.array([lifts.values[name][cell].value for name in names])
        rows: list[Correlation] = []
        for metric in offline[names[0]][cell]:
            values = np.array([offline[name][cell].get(metric, np.nan) for name in names])
            points += [
                {
                    "metric": metric,
                    "by": cell[0],
                    "segment": cell[1],
                    "strategy": name,
                    "offline": value,
                    "lift": lift,
                    "low": lifts.values[name][cell].low,
                    "high": lifts.values[name][cell].high,
                }
                for name, value, lift in zip(names, values.tolist(), online.tolist(), strict=True)
            ]
            usable = ~np.isnan(values)
            if usable.sum() < _FEWEST:
                continue
            first = int(np.flatnonzero(usable)[np.argmax(values[usable])])
            rows.append(
                Correlation(
                    metric=metric,
                    segment=cell,
                    spearman=spearman(values[usable], online[usable], level=level),
                    kendall=kendall(values[usable], online[usable], level=level),
                    chosen=names[first],
                    regret=float(online.max() - online[first]),
                )
            )
        found += sorted(rows, key=lambda row: -np.nan_to_num(row.spearman.value, nan=-2.0))
    return OfflineOnline(tuple(found), tuple(points), lifts)


def spearman(first: np.ndarray, second: np.ndarray, *, level: float = 0.95) -> Estimate:
    """Spearman's rank correlation, with the interval of :func:`reclens.stats.rank_correlation.rank_interval`.

    Example:
        >>> print(spearman(np.arange(12.0), np.r_[1.0, 0.0, np.arange(2.0, 12)]))
        0.993 [0.9369, 1]
    """
    from scipy.stats import spearmanr

    found: Any = spearmanr(first, second) if _vary(first, second) else None
    return _with_interval("spearman", float(found.statistic) if found is not None else float("nan"), len(first), level)


def kendall(first: np.ndarray, second: np.ndarray, *, level: float = 0.95) -> Estimate:
    """Kendall's τ-b, with the interval of :func:`reclens.stats.rank_correlation.rank_interval`."""
    from scipy.stats import kendalltau

    found: Any = kendalltau(first, second) if _vary(first, second) else None
    return _with_interval("kendall", float(found.statistic) if found is not None else float("nan"), len(first), level)


def _vary(first: np.ndarray, second: np.ndarray) -> bool:
    return bool(np.ptp(first) > 0 and np.ptp(second) > 0)


def _with_interval(statistic: Literal["spearman", "kendall"], value: float, n: int, level: float) -> Estimate:
    if np.isnan(value):
        return Estimate(value, low=None, high=None, n=n, level=level, note="one_side_constant")
    value = float(np.sign(value)) if abs(value) > 1 - 1e-9 else value
    low, high = rank_interval(statistic, value, n, level=level)
    return Estimate(value, low=low, high=high, n=n, level=level, note="over_strategies")
