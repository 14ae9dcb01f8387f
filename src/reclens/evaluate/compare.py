"""Is one system better than another? Paired differences, tests that are corrected for all the looks, and a verdict."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from reclens.data.frames import read_parquet
from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.evaluate.changes import paired_values
from reclens.evaluate.protocol import check_comparable
from reclens.evaluate.results import MINIMUM_SEGMENT, OVERALL, Evaluation
from reclens.evaluate.verdict import write_verdict
from reclens.metrics.registry import direction
from reclens.schema import USER, stable_hash
from reclens.stats.bootstrap import difference
from reclens.stats.multiplicity import adjust
from reclens.stats.paired import bootstrap_p_value, randomization_p_values, smallest_detectable
from reclens.stats.resample import block_units

__all__ = ["Comparison", "Difference", "compare"]


@dataclass(frozen=True)
class Difference:
    """One system against the baseline, by one metric, in one segment.

    Attributes:
        system: The system.
        baseline: The system it is held against.
        metric: The metric.
        by: The segmentation; ``"overall"`` for all users.
        segment: The segment; ``"all"`` for all users.
        n: Users with a value under both.
        value: Mean of the system.
        baseline_value: Mean of the baseline.
        difference: The first minus the second.
        low: Lower end of the interval of the difference, for this difference alone; None without one.
        high: Upper end.
        relative: Difference ÷ mean of the baseline; None when that is 0.
        p_randomization: Paired randomisation test; None where there is none.
        p_bootstrap: Bootstrap test; None where there is none.
        p_adjusted: The randomisation p-value, corrected over every system × metric × segment of the comparison.
        significant: Whether ``p_adjusted`` is below 1 - level; None where there is no test.
        wins: Users for whom the system has the higher value.
        ties: Users with equal values.
        losses: Users for whom the system has the lower value.
        smallest_detectable: The true difference that a single test of this size finds with 80 % power.
        small: Whether the segment has too few users to conclude from.
        note: Why something is missing, or None.
    """

    system: str
    baseline: str
    metric: str
    by: str
    segment: str
    n: int
    value: float
    baseline_value: float
    difference: float
    low: float | None = None
    high: float | None = None
    relative: float | None = None
    p_randomization: float | None = None
    p_bootstrap: float | None = None
    p_adjusted: float | None = None
    significant: bool | None = None
    wins: int | None = None
    ties: int | None = None
    losses: int | None = None
    smallest_detectable: float | None = None
    small: bool = False
    note: str | None = None

    @property
    def gained(self) -> int | None:
        """Users whose value is better than under the baseline; higher, where neither direction is better."""
        return self.losses if direction(self.metric) is False else self.wins

    @property
    def lost(self) -> int | None:
        """Users whose value is worse than under the baseline; lower, where neither direction is better."""
        return self.wins if direction(self.metric) is False else self.losses


@dataclass(frozen=True, eq=False)
class Comparison:
    """Systems held against a baseline.

    Attributes:
        baseline: The baseline.
        differences: One row a system, metric and segment.
        correction: How p-values were corrected.
        level: Confidence level of the intervals; tests use 1 - level.
        verdict: The outcome in plain sentences.
        card: What was compared, with how many tests and replicates.
    """

    baseline: str
    differences: tuple[Difference, ...]
    correction: str
    level: float
    verdict: tuple[str, ...]
    card: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Comparison(against '{self.baseline}': {len(self.differences)} differences)\n" + "\n".join(self.verdict)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a system, metric and segment."""
        return [dict(vars(row)) for row in self.differences]  # asdict would copy thousands of rows deeply

    def find(self, system: str, metric: str, *, by: str = OVERALL[0], segment: str = OVERALL[1]) -> Difference:
        """The difference of one system by one metric in one segment.

        Raises:
            UnknownNameError: If it was not compared.
        """
        for row in self.differences:
            if (row.system, row.metric, row.by, row.segment) == (system, metric, by, segment):
                return row
        known = {f"{row.system}: {row.metric}, {row.by} {row.segment}" for row in self.differences}
        raise UnknownNameError("difference", f"{system}: {metric}, {by} {segment}", known)

    def save(self, folder: str | Path) -> None:
        """Write the comparison as a Parquet table and JSON into an existing, empty folder."""
        path = Path(folder)
        pl.DataFrame(self.to_dicts(), infer_schema_length=None).write_parquet(path / "differences.parquet")
        header = {"baseline": self.baseline, "correction": self.correction, "level": self.level}
        header |= {"verdict": self.verdict, "card": self.card}
        (path / "comparison.json").write_text(json.dumps(header, indent=1, default=str), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Comparison:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: If the folder does not hold a whole comparison.
        """
        path = Path(folder)
        try:
            header = json.loads((path / "comparison.json").read_text(encoding="utf-8"))
            rows = tuple(Difference(**row) for row in read_parquet(path / "differences.parquet").to_dicts())
            return cls(
                header["baseline"],
                rows,
                header["correction"],
                header["level"],
                tuple(header["verdict"]),
                header["card"],
            )
        except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
            raise DataError(
                f"not a whole comparison ({error})", source=str(path), fix="Compare again and save it."
            ) from error


def compare(
    results: Mapping[str, Evaluation],
    *,
    baseline: str,
    correction: str = "holm",
    metrics: Sequence[str] | None = None,
    by: Sequence[str] | None = None,
    level: float | None = None,
    flips: int = 9999,
    rng: int = 0,
    threads: int | None = None,
) -> Comparison:
    """Hold systems against a baseline, user by user.

    Every user is her own control: the difference of each user's two values is what varies, and not the users. The
    interval is the paired Poisson bootstrap; the test is the paired randomisation test, with a bootstrap test beside
    it. All tests of one call are corrected together, over systems × metrics × segments.

    Args:
        results: Name -> evaluation; all measured alike.
        baseline: The name to hold the others against.
        correction: ``"holm"``, ``"bonferroni"``, ``"bh"`` or ``"none"``.
        metrics: The metrics to compare; by default those that every evaluation has.
        by: The segmentations to compare; by default those that every evaluation has.
        level: Confidence level; by default that of the baseline's evaluation.
        flips: Random sign vectors of the randomisation test; p-values too small for them come from an approximation.
        rng: Seed of the signs.
        threads: Threads to use; the result does not depend on it.

    Returns:
        The comparison, with its verdict in words.

    Raises:
        IncomparableError: If the evaluations differ in truth, training data, candidates, seen-item filter, convention.
        UnknownNameError: If the baseline, a metric or a segmentation does not exist.
        UsageError: If there is nothing to compare.
    """
    if baseline not in results:
        raise UnknownNameError("baseline", baseline, results)
    if len(results) < 2:
        raise UsageError("there is one evaluation only. Give the baseline and at least one more.")
    check_comparable({name: result.card for name, result in results.items()})
    shared = _shared(metrics, {name: result.metrics for name, result in results.items()}, "metric")
    groups = {name: [cell[0] for cell in result.summary.cells[1:]] for name, result in results.items()}
    segmentations = _shared(by, groups, "segmentation")
    base = results[baseline]
    level = base.level if level is None else level
    rows: list[Difference] = []
    for name, result in results.items():
        if name != baseline:
            rows += _differences(name, baseline, result, base, shared, segmentations, level, flips, rng, threads)
    raw = np.array([np.nan if row.p_randomization is None else row.p_randomization for row in rows])
    adjusted = adjust(raw, correction=correction)
    rows = [
        row if np.isnan(p) else replace(row, p_adjusted=float(p), significant=bool(p < 1 - level))
        for row, p in zip(rows, adjusted, strict=True)
    ]
    tests = int((~np.isnan(raw)).sum())
    card = {
        "systems": list(results), "tests": tests, "flips": flips, "seed": rng, "replicates": base.summary.replicates,
        "synthetic": bool(base.card.get("synthetic")),
    }  # fmt: skip
    verdict = write_verdict(rows, baseline=baseline, correction=correction, level=level, tests=tests)
    return Comparison(baseline, tuple(rows), correction, level, verdict, card)


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


def _differences(
    system: str,
    baseline: str,
    ours: Evaluation,
    theirs: Evaluation,
    metrics: Sequence[str],
    by: Sequence[str],
    level: float,
    flips: int,
    rng: int,
    threads: int | None,
) -> list[Difference]:
    cells = [cell for cell in theirs.summary.cells if cell == OVERALL or cell[0] in by]
    averaged = [name for name in metrics if name in ours.summary.columns and name in theirs.summary.columns]
    tests = _Paired.of(ours, theirs, averaged, cells, flips=flips, rng=rng, threads=threads)
    rows: list[Difference] = []
    for metric in metrics:
        for cell in cells:
            if metric in averaged:
                rows.append(_averaged(system, baseline, ours, theirs, metric, cell, level, tests))
            else:
                rows.append(_of_catalogue(system, baseline, ours, theirs, metric, cell))
    return rows


def _averaged(
    system: str, baseline: str, ours: Evaluation, theirs: Evaluation, metric: str, cell: tuple[str, str],
    level: float, tests: _Paired,
) -> Difference:  # fmt: skip
    found, replicates = difference(ours.summary, theirs.summary, cell, metric, level=level)
    i, j = theirs.summary.index(cell, metric)
    n = int(theirs.summary.n[i, j])
    before = float(theirs.summary.total[i, j] / n) if n else float("nan")
    wins, ties, losses, p_value = tests.of_cell(metric, cell)
    testable = found.low is not None
    spread = float(np.nanstd(replicates, ddof=1)) if testable else None
    return Difference(
        system, baseline, metric, *cell, n=found.n, value=before + found.value, baseline_value=before,
        difference=found.value, low=found.low, high=found.high, relative=found.value / before if before else None,
        p_randomization=p_value if wins + losses else None,
        p_bootstrap=bootstrap_p_value(replicates, found.value) if testable else None,
        wins=wins, ties=ties, losses=losses,
        smallest_detectable=None if spread is None else smallest_detectable(spread, level=level),
        small=found.n < MINIMUM_SEGMENT, note=found.note,
    )  # fmt: skip


def _of_catalogue(
    system: str, baseline: str, ours: Evaluation, theirs: Evaluation, metric: str, cell: tuple[str, str]
) -> Difference:
    after, before = ours.catalogue[(metric, *cell)], theirs.catalogue[(metric, *cell)]
    n = min(result.summary.cell_sizes[cell] for result in (ours, theirs))
    return Difference(
        system, baseline, metric, *cell, n=n, value=after, baseline_value=before, difference=after - before,
        relative=(after - before) / before if before else None, small=n < MINIMUM_SEGMENT,
        note="a property of all lists together: no interval and no test over users",
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Paired:
    """Wins, ties, losses and randomisation p-values of every cell and metric, from the values of each user."""

    cells: list[tuple[str, str]]
    metrics: list[str]
    counts: np.ndarray  # wins, ties, losses: (cells, metrics, 3)
    p_values: np.ndarray  # (cells, metrics)

    @classmethod
    def of(
        cls, ours: Evaluation, theirs: Evaluation, metrics: list[str], cells: list[tuple[str, str]], *,
        flips: int, rng: int, threads: int | None,
    ) -> _Paired:  # fmt: skip
        users, _, gaps = paired_values(ours, theirs, metrics)
        defined = ~np.isnan(gaps)
        order, starts, blocks = block_units(_targets(theirs, users, cells))
        filled = np.where(defined, gaps, 0.0)[order]
        signs = np.stack([filled > 0, (filled == 0) & defined[order], filled < 0], axis=2)
        counts = np.zeros((len(cells), len(metrics), 3), np.int64)
        for block, (start, stop) in zip(blocks, itertools.pairwise(starts), strict=True):
            counts[block[block >= 0]] += signs[start:stop].sum(axis=0)
        p_values = randomization_p_values(
            stable_hash(users)[order], filled, starts, blocks, n_targets=len(cells), flips=flips, seed=rng,
            threads=threads,
        )  # fmt: skip
        return cls(cells, metrics, counts, p_values)

    def of_cell(self, metric: str, cell: tuple[str, str]) -> tuple[int, int, int, float]:
        at = self.cells.index(cell), self.metrics.index(metric)
        wins, ties, losses = (int(count) for count in self.counts[at])
        return wins, ties, losses, float(self.p_values[at])


def _targets(result: Evaluation, users: pl.Series, cells: list[tuple[str, str]]) -> np.ndarray:
    """For each user the index of her cell under each segmentation; the first column is all users."""
    columns = [np.zeros(len(users), np.int32)]
    where = {cell: at for at, cell in enumerate(cells)}
    table = users.to_frame().join(result.segments, on=USER, how="left", maintain_order="left")
    for by in dict.fromkeys(cell[0] for cell in cells[1:]):
        codes = [where.get((by, label), -1) for label in table[by].to_list()]
        columns.append(np.array(codes, np.int32))
    return np.stack(columns, axis=1)
