"""What an evaluation gives back: one metric overall and by segment, gaps between segments, and the whole run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from reclens.concentration import lorenz
from reclens.data.manifest import reading
from reclens.data.read.frames import read_parquet
from reclens.errors import ArgumentTypeError, UnknownNameError, UsageError, expect_type
from reclens.evaluation.cards import EvaluationCard
from reclens.files import made_folder
from reclens.metrics.registry import Asked, canonical, in_unit_range
from reclens.schema import read_arrays
from reclens.stats.bootstrap import estimate, largest_gap
from reclens.stats.estimate import Estimate, EstimateNote
from reclens.stats.summary import Summary
from reclens.tabular import Tabular

__all__ = ["MINIMUM_SEGMENT", "OVERALL", "Evaluation", "Gap", "MetricResult", "named_results"]

OVERALL = ("overall", "all")
"""The cell of all users: its (by, segment)."""

MINIMUM_SEGMENT = 30
"""Below so many users a segment is reported as too small to conclude from. The usual rule of thumb for means."""


@dataclass(frozen=True, kw_only=True)
class Gap(Tabular):
    """The largest difference between two segments, with an interval that allows for having looked at every pair.

    Attributes:
        metric: The metric, such as ``"ndcg@10"``.
        by: The segmentation.
        highest: The segment with the higher mean.
        lowest: The segment with the lower mean.
        value: Mean of the first minus mean of the second.
        low: Lower end of the simultaneous interval, or None.
        high: Upper end, or None.
        level: Confidence level of the interval over all pairs together.
        n_pairs: How many pairs of segments were compared.
        conclusive: True when the interval excludes zero.
        left_out: Segments with too few users to compare.
        note: Why there is no interval, as a code; None where there is one, or too few replicates for one.
    """

    metric: str
    by: str
    highest: str
    lowest: str
    value: float
    low: float | None
    high: float | None
    level: float
    n_pairs: int
    conclusive: bool
    left_out: tuple[str, ...] = ()
    note: EstimateNote | None = None

    def __str__(self) -> str:
        between = "" if self.low is None or self.high is None else f" [{self.low:.4g}, {self.high:.4g}]"
        found = "" if self.conclusive else ", not conclusive"
        return f"{self.metric} by {self.by}: {self.highest} - {self.lowest} = {self.value:.4g}{between}{found}"

    def __repr__(self) -> str:
        return f"Gap({self})"

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [asdict(self)]


@dataclass(frozen=True)
class MetricResult(Tabular):
    """One metric of one run.

    Attributes:
        name: The metric, such as ``"ndcg@10"``.
        overall: Over all evaluated users.
        by: Segmentation -> segment -> estimate, in display order.
        gaps: Segmentation -> the largest gap; only where two segments could be compared.
    """

    name: str
    overall: Estimate
    by: Mapping[str, Mapping[str, Estimate]]
    gaps: Mapping[str, Gap]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a segment; the first one is of all users."""
        found = [(*OVERALL, self.overall)]
        found += [(by, segment, each) for by, segments in self.by.items() for segment, each in segments.items()]
        return [{"metric": self.name, "by": by, "segment": segment} | asdict(each) for by, segment, each in found]

    def _about(self) -> str:
        return self.name

    def gap(self, by: str) -> Gap:
        """The largest gap between the segments of ``by``, with an interval adjusted for the looks.

        Raises:
            UnknownNameError: If the run was not evaluated by it, or it has fewer than two segments to compare.
        """
        if by not in self.gaps:
            raise UnknownNameError(f"segmentation with a gap in {self.name}", by, self.gaps)
        return self.gaps[by]


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation(Tabular):
    """Everything measured on one system's lists. ``evaluation["ndcg@10"].overall`` is an :class:`Estimate`.

    Attributes:
        system: Name of the system.
        metrics: The metrics, in the requested order.
        summary: The mergeable sums behind every user-averaged metric.
        catalogue: (metric, by, segment) -> value of the metrics of the whole catalogue, which have no interval.
        per_user: Polars frame ``user_id, n_relevant, list_length, one column a metric``; NaN is "not defined".
        segments: Polars frame ``user_id, one column a segmentation``: the segment of each evaluated user.
        exposure: Polars frame ``item_id, count, popularity``: how often each catalogue item was recommended in the
            top ``card["depth"]``, and how many users of the training data have it.
        level: Confidence level of the intervals.
        card: What was measured on what, how, and under which rules, each with its count.
    """

    system: str
    metrics: tuple[str, ...]
    summary: Summary
    catalogue: Mapping[tuple[str, str, str], float]
    per_user: pl.DataFrame
    segments: pl.DataFrame
    exposure: pl.DataFrame
    level: float
    card: EvaluationCard

    def _about(self) -> str:
        return f"Evaluation '{self.system}'"

    def __iter__(self) -> Iterator[MetricResult]:
        return (self[name] for name in self.metrics)

    def __getitem__(self, metric: Asked) -> MetricResult:
        metric = canonical(metric)
        if metric not in self.metrics:
            raise UnknownNameError("metric of this evaluation", metric, self.metrics)
        if metric not in self._known:
            self._known[metric] = self._result(metric)
        return self._known[metric]

    @cached_property
    def _known(self) -> dict[str, MetricResult]:
        """Results that were asked for: intervals take a moment, and tables and charts ask again and again."""
        return {}

    def _result(self, metric: str) -> MetricResult:
        by: dict[str, dict[str, Estimate]] = {}
        for name, segment in self.summary.cells[1:]:
            by.setdefault(name, {})[segment] = self._estimate(metric, (name, segment))
        gaps = {name: gap for name in by if (gap := self._gap(metric, name)) is not None}
        return MetricResult(metric, self._estimate(metric, OVERALL), by, gaps)

    def _estimate(self, metric: str, cell: tuple[str, str]) -> Estimate:
        key = (metric, *cell)
        if key in self.catalogue:
            n = self.summary.cell_sizes.get(cell, 0)
            return Estimate(self.catalogue[key], low=None, high=None, n=n, level=self.level, note="catalogue_metric")
        return estimate(self.summary, cell, metric, level=self.level, share=in_unit_range(metric))

    def _gap(self, metric: str, by: str) -> Gap | None:
        if (metric, *OVERALL) in self.catalogue:
            return None
        found = largest_gap(self.summary, by, metric, level=self.level, minimum=MINIMUM_SEGMENT)
        return None if found is None else Gap(metric=metric, by=by, level=self.level, **found)

    def gaps(self) -> list[Gap]:
        """The largest gap of every metric by every segmentation, in that order."""
        return [gap for result in self for gap in result.gaps.values()]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a metric and segment; the row over all users has by="overall", segment="all"."""
        return [dict(row) for row in self._rows]

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for result in self:
            cells = [(OVERALL, result.overall)]
            cells += [
                ((by, segment), found) for by, found_by in result.by.items() for segment, found in found_by.items()
            ]
            for (by, segment), found in cells:
                row = {"system": self.system, "metric": result.name, "by": by, "segment": segment, **asdict(found)}
                rows.append(row | {"small": found.n < MINIMUM_SEGMENT})
        order = ("system", "metric", "by", "segment", "n", "value", "low", "high", "level", "coverage", "small", "note")
        return [{name: row[name] for name in order} for row in rows]

    def lorenz(self, column: str = "count", *, points: int = 101) -> list[dict[str, float]]:
        """The Lorenz curve of the exposure: the share that the least shown items have together.

        Args:
            column: ``"count"`` for what was recommended, ``"popularity"`` for what users had in the training data.
            points: Points of the curve, evenly spaced over the items.

        Returns:
            Rows ``items`` (share of the items, the least shown first) and ``share`` (of the total), from 0 to 1.

        References:
            Lorenz (1905), Methods of measuring the concentration of wealth.
        """
        return lorenz(self.exposure[column].to_numpy(), points=points)

    def save(self, folder: str | Path) -> None:
        """Write the evaluation as Parquet tables, arrays and JSON into a folder, made where it is absent."""
        path = made_folder(folder)
        self.per_user.write_parquet(path / "per_user.parquet")
        self.segments.write_parquet(path / "segments.parquet")
        self.exposure.write_parquet(path / "exposure.parquet")
        pl.DataFrame(self.to_dicts(), infer_schema_length=None).write_parquet(path / "estimates.parquet")
        np.savez(path / "summary.npz", allow_pickle=False, **self.summary.arrays())
        catalogue = [[*key, value] for key, value in self.catalogue.items()]
        header = {"system": self.system, "metrics": self.metrics, "level": self.level, "catalogue": catalogue}
        header |= {"summary": self.summary.header(), "card": self.card}
        (path / "evaluation.json").write_text(json.dumps(header, indent=1, default=str), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Evaluation:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: If the folder does not hold a whole evaluation.
        """
        path = Path(folder)
        with reading(path, "evaluation", fix="Evaluate again and save it."):
            header = json.loads((path / "evaluation.json").read_text(encoding="utf-8"))
            summary = Summary.of_arrays(header["summary"], read_arrays(path / "summary.npz"))
            names = ("per_user", "segments", "exposure")
            per_user, segments, exposure = [read_parquet(path / f"{name}.parquet") for name in names]
        catalogue = {(metric, by, segment): value for metric, by, segment, value in header["catalogue"]}
        metrics, level = tuple(header["metrics"]), header["level"]
        return cls(
            system=header["system"],
            metrics=metrics,
            summary=summary,
            catalogue=catalogue,
            per_user=per_user,
            segments=segments,
            exposure=exposure,
            level=level,
            card=header["card"],
        )


def named_results(results: Any) -> dict[str, Evaluation]:
    """Evaluations by name: of a mapping, of one evaluation, or of several, which have the names of their systems.

    Raises:
        ArgumentTypeError: If something is no evaluation.
        UsageError: If two systems have one name.
    """
    if isinstance(results, Evaluation):
        return {results.system: results}
    mend = "Pass {'ease': rl.evaluate(…), 'popular': rl.evaluate(…)}."
    if not isinstance(results, Mapping):
        if isinstance(results, str) or not isinstance(results, Iterable):
            raise ArgumentTypeError("results", results, expected="evaluations by name", fix=mend)
        listed = list(results)
        names = [getattr(each, "system", "") for each in listed]
        if len(set(names)) < len(names) and all(isinstance(each, Evaluation) for each in listed):
            raise UsageError(f"two evaluations have the name of one system, of {', '.join(names)}. {mend}")
        results = dict(zip(names, listed, strict=True))
    for each in results.values():
        expect_type("results", each, Evaluation, expected="evaluations by name", fix=mend)
    return dict(results)
