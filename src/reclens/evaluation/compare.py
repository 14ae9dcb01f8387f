"""Is one system better than another? Paired differences, tests that are corrected for all the looks, and a verdict."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from reclens.data.manifest import reading
from reclens.data.read.frames import read_parquet
from reclens.errors import UnknownNameError, UsageError
from reclens.evaluation.cards import ComparisonCard
from reclens.evaluation.differences import Family, Outcome, PairedDifference
from reclens.evaluation.pairing import Pair, Pairs
from reclens.evaluation.protocol import check_comparable
from reclens.evaluation.results import MINIMUM_SEGMENT, OVERALL, Evaluation, named_results
from reclens.files import made_folder
from reclens.metrics.registry import Asked, canonical
from reclens.stats.bootstrap import difference, simultaneous_intervals
from reclens.stats.estimate import Estimate
from reclens.stats.multiplicity import adjust_families
from reclens.stats.paired import bootstrap_p_value, smallest_detectable
from reclens.stats.summary import Cell, Summary
from reclens.tabular import Tabular

__all__ = ["Comparison", "Intervals", "compare"]

Intervals = Literal["single", "simultaneous"]
"""Whether an interval holds for its difference alone, or together with all of its family."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison(Tabular):
    """A comparison of systems with a baseline.

    Attributes:
        baseline: The baseline.
        differences: One row per system, metric and segment.
        correction: How p-values were corrected.
        level: Confidence level of the intervals; tests use 1 - level.
        card: What was compared, with how many tests and replicates: ``primary``, the metric of the main question;
            ``families``, family -> tests; ``intervals``, whether they hold alone or together.
    """

    baseline: str
    differences: tuple[PairedDifference, ...]
    correction: str
    level: float
    card: ComparisonCard

    def _about(self) -> str:
        return f"Comparison against '{self.baseline}', {self.correction}"

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per system, metric and segment."""
        return [dict(vars(row)) for row in self.differences]  # asdict would copy thousands of rows deeply

    def outcomes(self, metric: str | None = None) -> dict[str, Outcome]:
        """What a metric concludes for each system over all users; by default the primary one.

        Returns:
            System -> ``"better"``, ``"worse"``, ``"higher"``, ``"lower"``, ``"undecided"``, ``"not_tested"``,
            ``"no_users"``.

        Raises:
            UnknownNameError: If the metric was not compared.
        """
        named = self.metric_named(metric)
        return {row.system: row.outcome for row in self.differences if row.by == OVERALL[0] and row.metric == named}

    def metric_named(self, metric: str | None = None) -> str:
        """A metric of the comparison as it is named here; None is the primary one.

        Raises:
            UnknownNameError: If it was not compared.
        """
        known = list(dict.fromkeys(row.metric for row in self.differences))
        named = self.card["primary"] if metric is None else canonical(metric)
        if named not in known:
            raise UnknownNameError("metric of the comparison", named, known)
        return named

    def find(self, system: str, metric: str, *, by: str = OVERALL[0], segment: str = OVERALL[1]) -> PairedDifference:
        """The difference of one system by one metric in one segment.

        Raises:
            UnknownNameError: If it was not compared.
        """
        metric = canonical(metric)
        for row in self.differences:
            if (row.system, row.metric, row.by, row.segment) == (system, metric, by, segment):
                return row
        known = {f"{row.system}: {row.metric}, {row.by} {row.segment}" for row in self.differences}
        raise UnknownNameError("difference", f"{system}: {metric}, {by} {segment}", known)

    def save(self, folder: str | Path) -> None:
        """Write the comparison as a Parquet table and JSON into a folder, made where it is absent."""
        path = made_folder(folder)
        pl.DataFrame(self.to_dicts(), infer_schema_length=None).write_parquet(path / "differences.parquet")
        header = {"baseline": self.baseline, "correction": self.correction, "level": self.level}
        header |= {"card": self.card}
        (path / "comparison.json").write_text(json.dumps(header, indent=1, default=str), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Comparison:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: If the folder does not hold a whole comparison.
        """
        path = Path(folder)
        with reading(path, "comparison", fix="Compare again and save it."):
            header = json.loads((path / "comparison.json").read_text(encoding="utf-8"))
            rows = tuple(PairedDifference(**row) for row in read_parquet(path / "differences.parquet").to_dicts())
            return cls(
                baseline=header["baseline"],
                differences=rows,
                correction=header["correction"],
                level=header["level"],
                card=header["card"],
            )


def compare(
    results: Mapping[str, Evaluation] | Iterable[Evaluation],
    *,
    baseline: str,
    correction: str = "holm",
    metrics: Sequence[Asked] | None = None,
    by: Sequence[str] | None = None,
    primary: Asked | None = None,
    intervals: Intervals = "single",
    level: float | None = None,
    flips: int = 9999,
    rng: int = 0,
    threads: int | None = None,
) -> Comparison:
    """Compare systems with a baseline, paired by user.

    Every user is their own control: the difference of each user's two values is what varies, and not the users. Only
    users with a value under both count; the rest are counted and left out. The interval is the paired Poisson
    bootstrap, and Tango's score interval where all values are 0 or 1; the test is the paired randomisation test, with
    a bootstrap test beside it. Evaluations without the values of single users, as Spark makes them, are paired by
    their sums: the weights of a user are the same in both, and the bootstrap test is the one that is corrected.

    The tests of all systems by the primary metric over all users are a family, whose correction does not depend on
    other metrics and segments. The other metrics over all users are a second family, all segments a third; p-values are
    corrected within each family.

    Args:
        results: Name -> evaluation, or evaluations, which have the names of their systems; all measured alike.
        baseline: Name of the baseline.
        correction: One of ``reclens.stats.CORRECTIONS``, such as ``"holm"``, ``"bh"`` or ``"none"``.
        metrics: The metrics to compare; by default those of all evaluations.
        by: The segmentations to compare; by default those of all evaluations.
        primary: The metric of the main question; by default the first that has a value for each user.
        intervals: ``"single"``: the level holds for each difference. ``"simultaneous"``: the level holds for all
            differences of a family together, by the bootstrap max-t method.
        level: Confidence level; by default that of the baseline's evaluation.
        flips: Random sign vectors of the randomisation test; p-values too small for them come from an approximation.
        rng: Seed of the signs.
        threads: Threads to use; the result does not depend on it.

    Returns:
        The comparison; :func:`reclens.report.comparison_text` says it in sentences.

    Raises:
        IncomparableError: If the evaluations differ in truth, training data, candidates, seen-item filter, convention.
        UnknownNameError: If the baseline, a metric, a segmentation, the correction or the kind of intervals does not
            exist.
        UsageError: If there is nothing to compare.

    References:
        Romano and Wolf (2005), Stepwise multiple testing as formalized data snooping; Tango (1998) for 0 and 1.
    """
    results = named_results(results)
    if baseline not in results:
        raise UnknownNameError("baseline", baseline, results)
    if len(results) < 2:
        raise UsageError("there is one evaluation only. Give the baseline and at least one more.")
    check_comparable({name: result.card for name, result in results.items()})
    asked = None if metrics is None else [canonical(name) for name in metrics]
    shared = _shared(asked, {name: result.metrics for name, result in results.items()}, "metric")
    groups = {name: [cell[0] for cell in result.summary.cells[1:]] for name, result in results.items()}
    segmentations = _shared(by, groups, "segmentation")
    if intervals not in (kinds := get_args(Intervals)):
        raise UnknownNameError("kind of intervals", intervals, kinds)
    base = results[baseline]
    level = base.level if level is None else level
    averaged = [name for name in shared if all(name in result.summary.columns for result in results.values())]
    primary = canonical(primary) if primary else next(iter(averaged), shared[0])
    if primary not in shared:
        raise UnknownNameError("primary metric among those compared", primary, shared)
    rows: list[PairedDifference] = []
    replicates: list[np.ndarray] = []
    for name, result in results.items():
        if name != baseline:
            pairs = _Against(system=name, baseline=baseline, ours=result, theirs=base, level=level, primary=primary)
            for row, drawn in pairs.differences(shared, averaged, segmentations, flips, rng, threads):
                rows.append(row)
                replicates.append(drawn)
    rows = _corrected(rows, correction, level)
    if intervals == "simultaneous":
        rows = _simultaneous(rows, replicates, level)
    families = Counter(row.family for row in rows if row.p_adjusted is not None)
    card: ComparisonCard = {
        "systems": list(results),
        "tests": families.total(),
        "flips": flips,
        "seed": rng,
        "replicates": base.summary.replicates,
        "synthetic": any(result.card.get("synthetic") for result in results.values()),
        "primary": primary,
        "families": dict(families),
        "intervals": intervals,
    }
    return Comparison(baseline=baseline, differences=tuple(rows), correction=correction, level=level, card=card)


def _corrected(rows: list[PairedDifference], correction: str, level: float) -> list[PairedDifference]:
    """The rows with their p-values corrected within each family."""
    tests = [row.p_randomization if row.wins is not None else row.p_bootstrap for row in rows]
    raw = np.array([np.nan if p is None else p for p in tests])
    adjusted = adjust_families(raw, [row.family for row in rows], correction=correction)
    sizes = Counter(row.family for row, p in zip(rows, tests, strict=True) if p is not None)
    return [
        row
        if np.isnan(p)
        else replace(row, p_adjusted=float(p), significant=bool(p < 1 - level), tests=sizes[row.family])
        for row, p in zip(rows, adjusted, strict=True)
    ]


def _simultaneous(rows: list[PairedDifference], replicates: list[np.ndarray], level: float) -> list[PairedDifference]:
    """The rows with intervals that hold for all of a family together."""
    for family in get_args(Family):
        at = [i for i, row in enumerate(rows) if row.family == family and row.low is not None and len(replicates[i])]
        if not at:
            continue
        values, n = (np.array([getattr(rows[i], name) for i in at]) for name in ("difference", "n"))
        low, high = simultaneous_intervals(np.stack([replicates[i] for i in at]), values, n=n, level=level)
        for place, i in enumerate(at):
            if not np.isnan(low[place]):
                rows[i] = replace(rows[i], low=float(low[place]), high=float(high[place]))
    return rows


def _shared(wanted: Sequence[str] | None, present: Mapping[str, Sequence[str]], what: str) -> list[str]:
    """What every result has, in the order of the first; or what was asked for, if every result has it."""
    names = list(dict.fromkeys(next(iter(present.values()))))
    common = [name for name in names if all(name in there for there in present.values())]
    for name in wanted or ():
        if name not in common:
            raise UnknownNameError(f"{what} that every evaluation has", name, common)
    if not common and what == "metric":
        raise UsageError("the evaluations have no metric in common. Evaluate them with the same metrics.")
    return common if wanted is None else list(wanted)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Against:
    """One system against the baseline."""

    system: str
    baseline: str
    ours: Evaluation
    theirs: Evaluation
    level: float
    primary: str

    def differences(
        self, metrics: Sequence[str], averaged: list[str], by: Sequence[str], flips: int, rng: int, threads: int | None
    ) -> Iterator[tuple[PairedDifference, np.ndarray]]:
        """Every metric in every segment, with the replicates of its difference."""
        cells = [cell for cell in self.theirs.summary.cells if cell == OVERALL or cell[0] in by]
        pairs = None
        in_memory = all(_has_values(each) for each in (self.ours, self.theirs))
        if averaged and in_memory:
            pairs = Pairs.of(self.ours, self.theirs, averaged, cells, flips=flips, rng=rng, threads=threads)
        for metric in metrics:
            for cell in cells:
                if metric in averaged and pairs is None:
                    yield self._of_sums(metric, cell)
                elif pairs is not None and metric in averaged:
                    yield self._averaged(metric, cell, pairs.pair(metric, cell, level=self.level))
                else:
                    yield self._of_catalogue(metric, cell), np.zeros(0)

    def _averaged(self, metric: str, cell: Cell, pair: Pair) -> tuple[PairedDifference, np.ndarray]:
        wins, ties, losses = pair.counts
        row = replace(
            self._row(
                metric,
                cell,
                gap=pair.gap,
                means=(pair.value, pair.baseline_value),
                replicates=pair.replicates if pair.p_value is not None else None,
            ),
            n=pair.n,
            p_randomization=pair.p_value,
            wins=wins,
            ties=ties,
            losses=losses,
            small=pair.n < MINIMUM_SEGMENT,
            system_only=pair.alone[0],
            baseline_only=pair.alone[1],
            coverage=pair.gap.coverage,
        )
        return row, pair.replicates

    def _of_sums(self, metric: str, cell: Cell) -> tuple[PairedDifference, np.ndarray]:
        """A difference of sums alone: equal weights pair the users, and the bootstrap tests."""
        n, m = (each.summary.cell_sizes.get(cell, 0) for each in (self.ours, self.theirs))
        gap, replicates = Estimate(float("nan"), low=None, high=None, n=0, level=self.level, note="no_value"), None
        if n and m:
            gap, replicates = difference(self.ours.summary, self.theirs.summary, cell, metric, level=self.level)
        means = (_mean(self.ours.summary, cell, metric), _mean(self.theirs.summary, cell, metric))
        row = self._row(metric, cell, gap=gap, means=means, replicates=replicates)
        return row, np.zeros(0) if replicates is None else replicates

    def _row(
        self, metric: str, cell: Cell, *, gap: Estimate, means: tuple[float, float], replicates: np.ndarray | None
    ) -> PairedDifference:
        """What both kinds of averages have; ``replicates`` of the difference are None where nothing can be tested."""
        tested = replicates if gap.low is not None else None
        return PairedDifference(
            system=self.system,
            baseline=self.baseline,
            metric=metric,
            by=cell[0],
            segment=cell[1],
            n=gap.n,
            value=means[0],
            baseline_value=means[1],
            difference=gap.value,
            low=gap.low,
            high=gap.high,
            relative=gap.value / means[1] if means[1] else None,
            p_bootstrap=None if tested is None else bootstrap_p_value(tested, gap.value),
            smallest_detectable=None
            if tested is None
            else smallest_detectable(float(np.nanstd(tested, ddof=1)), level=self.level),
            small=gap.n < MINIMUM_SEGMENT,
            note=gap.note,
            family="segments" if cell != OVERALL else "primary" if metric == self.primary else "metrics",
        )

    def _of_catalogue(self, metric: str, cell: Cell) -> PairedDifference:
        after, before = self.ours.catalogue[(metric, *cell)], self.theirs.catalogue[(metric, *cell)]
        n = min(result.summary.cell_sizes[cell] for result in (self.ours, self.theirs))
        return PairedDifference(
            system=self.system,
            baseline=self.baseline,
            metric=metric,
            by=cell[0],
            segment=cell[1],
            n=n,
            value=after,
            baseline_value=before,
            difference=after - before,
            relative=(after - before) / before if before else None,
            small=n < MINIMUM_SEGMENT,
            note="catalogue_metric",
        )


def _has_values(result: Evaluation) -> bool:
    """Whether the values of single users are there, and not their sums alone."""
    return bool(result.per_user.height) or not result.summary.cell_sizes[OVERALL]


def _mean(summary: Summary, cell: Cell, metric: str) -> float:
    if cell not in summary.cell_sizes:
        return float("nan")
    i, j = summary.index(cell, metric)
    return float(summary.total[i, j] / summary.n[i, j]) if summary.n[i, j] else float("nan")
