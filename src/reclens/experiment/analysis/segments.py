"""Effects by segment, with control of the false discovery rate, and whether they differ at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.aggregate.metric_columns import metric_columns_of
from reclens.experiment.analysis.effects import compare_metric
from reclens.experiment.analysis.interim import InterimAnalysis
from reclens.experiment.planning.plan import Plan
from reclens.stats.difference import Difference
from reclens.stats.estimate import Estimate
from reclens.stats.multiplicity import adjust
from reclens.tabular import Tabular

__all__ = ["Heterogeneity", "SegmentEffect", "heterogeneity_of", "segment_effects", "small_segments"]

_FEWEST = 30  # units of an arm below which a segment is shown without a test


@dataclass(frozen=True, kw_only=True)
class SegmentEffect(Tabular):
    """One metric of one treated arm within a segment.

    Attributes:
        metric: Name of the metric.
        arm: The treated arm.
        by: The segmentation.
        segment: The segment.
        found: The difference and its plain test.
        absolute: The difference with the interval that holds at this look.
        relative: The lift with the interval that holds at this look.
        p_value: p-value that holds at this look.
        p_adjusted: The same, adjusted over all segments of all metrics and arms by Benjamini and Hochberg.
    """

    metric: str
    arm: str
    by: str
    segment: str
    found: Difference
    absolute: Estimate
    relative: Estimate
    p_value: float
    p_adjusted: float

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [
            {
                "metric": self.metric,
                "arm": self.arm,
                "by": self.by,
                "segment": self.segment,
                **self.found.to_dicts()[0],
                "difference_low": self.absolute.low,
                "difference_high": self.absolute.high,
                "lift_low": self.relative.low,
                "lift_high": self.relative.high,
                "p_value": self.p_value,
                "p_adjusted": self.p_adjusted,
            }
        ]


@dataclass(frozen=True, kw_only=True)
class Heterogeneity(Tabular):
    """Whether an effect differs between the segments of a segmentation.

    Attributes:
        metric: Name of the metric.
        arm: The treated arm.
        by: The segmentation.
        q: Cochran's Q, Σ (d - d̄)²/v over segments with d̄ weighted by 1/v.
        df: Segments - 1.
        p_value: Of one effect in all segments; a test of this look alone, with no allowance for earlier ones.
        p_adjusted: The same, adjusted over segmentations, metrics and arms by Benjamini and Hochberg.
    """

    metric: str
    arm: str
    by: str
    q: float
    df: int
    p_value: float
    p_adjusted: float

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [dict(vars(self))]


def small_segments(plan: Plan, sums: Aggregates) -> tuple[str, ...]:
    """The segments that :func:`segment_effects` leaves out, as ``"country AT"``."""
    return tuple(
        f"{by} {segment}"
        for by in sums.segmentations
        for segment in sums.segments(by)
        if min(sums.arm(name, by=by, segment=segment).n for name in plan.arms) < _FEWEST
    )


def segment_effects(plan: Plan, sums: Aggregates, interim: InterimAnalysis) -> tuple[SegmentEffect, ...]:
    """Effects on the primary metrics within every segment that was gathered, as they hold at a look.

    Segments with fewer than 30 units in an arm are left out: they could show nothing but chance.
    """
    metric_columns = metric_columns_of(plan.metrics, rows=sums.rows, indicators=sums.indicators)
    found: list[tuple[str, str, str, str, Difference]] = []
    for metric in plan.primary:
        if metric.name not in metric_columns:
            continue
        for arm in plan.treatments:
            for by in sums.segmentations:
                for segment in sums.segments(by):
                    sizes = [sums.arm(name, by=by, segment=segment).n for name in (plan.control, arm)]
                    if min(sizes) >= _FEWEST:
                        difference = compare_metric(
                            sums,
                            metric_columns[metric.name],
                            plan.control,
                            arm,
                            level=plan.level,
                            by=by,
                            segment=segment,
                        )
                        found.append((metric.name, arm, by, segment, difference))
    p_values = [interim.p_value(each[-1]) for each in found]
    adjusted = adjust(np.array(p_values), correction="bh") if found else []
    return tuple(
        SegmentEffect(
            metric=metric,
            arm=arm,
            by=by,
            segment=segment,
            found=difference,
            absolute=interim.interval(difference),
            relative=interim.interval(difference, relative=True),
            p_value=p,
            p_adjusted=float(after),
        )
        for (metric, arm, by, segment, difference), p, after in zip(found, p_values, adjusted, strict=True)
    )


def heterogeneity_of(effects: tuple[SegmentEffect, ...]) -> tuple[Heterogeneity, ...]:
    """Cochran's test of one effect in all segments (Cochran 1954), for each metric, arm and segmentation."""
    from scipy.special import chdtrc

    groups: dict[tuple[str, str, str], list[Difference]] = {}
    for each in effects:
        if each.found.se > 0:
            groups.setdefault((each.metric, each.arm, each.by), []).append(each.found)
    rows: list[tuple[tuple[str, str, str], float, int, float]] = []
    for key, parts in groups.items():
        if len(parts) < 2:
            continue
        gaps, weights = np.array([d.absolute.value for d in parts]), np.array([d.se**-2 for d in parts])
        q = float(weights @ (gaps - weights @ gaps / weights.sum()) ** 2)
        rows.append((key, q, len(parts) - 1, float(chdtrc(len(parts) - 1, q))))
    adjusted = adjust(np.array([p for *_, p in rows]), correction="bh") if rows else []
    return tuple(
        Heterogeneity(metric=key[0], arm=key[1], by=key[2], q=q, df=df, p_value=p, p_adjusted=float(after))
        for (key, q, df, p), after in zip(rows, adjusted, strict=True)
    )
