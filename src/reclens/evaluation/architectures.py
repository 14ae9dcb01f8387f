"""What one kind of systems has over another: means over the systems of each kind, paired by user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from reclens.errors import UsageError
from reclens.evaluation.protocol import check_comparable
from reclens.evaluation.results import OVERALL, Evaluation
from reclens.schema import USER, stable_hash
from reclens.stats.bootstrap import estimate
from reclens.stats.estimate import Estimate
from reclens.stats.summary import Summary
from reclens.tabular import Tabular

__all__ = ["Contrast", "contrasts"]


@dataclass(frozen=True, kw_only=True)
class Contrast(Tabular):
    """One metric in one segment, for two kinds of systems.

    Attributes:
        metric: The metric.
        by: The segmentation; ``"overall"`` for all users.
        segment: The segment.
        first: Mean over the users and the systems of the first kind.
        second: The same of the second kind.
        difference: The first less the second, with an interval over users: the systems are given and not drawn.
    """

    metric: str
    by: str
    segment: str
    first: float
    second: float
    difference: Estimate

    @property
    def conclusive(self) -> bool:
        """Whether the interval excludes zero."""
        low, high = self.difference.low, self.difference.high
        return low is not None and high is not None and (low > 0 or high < 0)

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        own = {name: getattr(self, name) for name in ("metric", "by", "segment", "first", "second")}
        return [own | asdict(self.difference) | {"conclusive": self.conclusive}]


def contrasts(
    first: Mapping[str, Evaluation],
    second: Mapping[str, Evaluation],
    *,
    metrics: Sequence[str],
    by: Sequence[str] = (),
    level: float = 0.95,
) -> list[Contrast]:
    """Hold the systems of one kind against those of another.

    Each user has one value for each kind, the mean over its systems, and is their own control. Users without a value
    under one of the systems are left out of a metric.

    Args:
        first: System -> evaluation, of one kind.
        second: The same of the other kind; all of them measured alike.
        metrics: Metrics that are averaged over users and that all of them have.
        by: Segmentations that all of them have.
        level: Confidence level of the intervals.

    Returns:
        A row a metric and segment; of each metric the one of all users comes first.

    Raises:
        IncomparableError: If they were not measured alike.
        UsageError: If a kind has no system.
    """
    if not first or not second:
        raise UsageError("there are no two kinds of systems to hold against each other.")
    everything = [*first.values(), *second.values()]
    check_comparable({f"{at}": each.card for at, each in enumerate(everything)})
    base = everything[0]
    users = base.per_user[USER]
    sides = [_means(list(each.values()), users, metrics) for each in (first, second)]
    gaps = sides[0] - sides[1]
    labels = users.to_frame().join(base.segments, on=USER, how="left", maintain_order="left")
    groups: dict[str, tuple[list[str], np.ndarray]] = {}
    for name in by:
        known = [label for own, label in base.summary.cells if own == name]
        places = {label: at for at, label in enumerate(known)}
        groups[name] = known, np.array([places.get(label, -1) for label in labels[name].to_list()], np.int64)
    summary = Summary.of(
        stable_hash(users),
        dict(zip(metrics, gaps.T, strict=True)),
        groups=groups,
        replicates=base.summary.replicates,
        seed=base.summary.seed,
    )
    rows = []
    for column, metric in enumerate(metrics):
        paired = ~np.isnan(gaps[:, column])
        for cell in summary.cells:
            inside = paired if cell == OVERALL else paired & (groups[cell[0]][1] == groups[cell[0]][0].index(cell[1]))
            values = [float(side[inside, column].mean()) if inside.any() else float("nan") for side in sides]
            found = estimate(summary, cell, metric, level=level)
            rows.append(
                Contrast(
                    metric=metric, by=cell[0], segment=cell[1], first=values[0], second=values[1], difference=found
                )
            )
    return rows


def _means(results: Sequence[Evaluation], users: pl.Series, metrics: Sequence[str]) -> np.ndarray:
    """The mean of each user over some systems; NaN where one of them has no value. Shape (users, metrics)."""
    total = np.zeros((len(users), len(metrics)))
    for result in results:
        table = users.to_frame().join(result.per_user, on=USER, how="left", maintain_order="left")
        total += table.select(pl.col(name).cast(pl.Float64).fill_null(float("nan")) for name in metrics).to_numpy()
    return total / len(results)
