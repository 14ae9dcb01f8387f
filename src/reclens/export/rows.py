"""The rows of the exported tables, produced run by run, so that a hundred runs need the memory of one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from reclens.engine import Progress, quiet
from reclens.errors import UnknownNameError, UsageError
from reclens.evaluation import Comparison, Evaluation
from reclens.evaluation.results import OVERALL
from reclens.export.columns import ExportTable
from reclens.export.schema import DAILY_HEALTH, EXPORTS, LEADERBOARD, SEGMENT_METRICS, USER_METRICS
from reclens.metrics import describe
from reclens.metrics.registry import Metric
from reclens.schema import USER
from reclens.workspace import Workspace, run_groups

__all__ = ["Compared", "export_frames", "frames_of_run", "health_rows"]


def export_frames(
    workspace: Workspace,
    *,
    evaluations: Sequence[str] | None = None,
    comparison: str | None = None,
    progress: Progress = quiet,
) -> Iterator[tuple[ExportTable, pl.DataFrame]]:
    """Yield the export of a workspace in parts: every table occurs at least once, possibly without rows.

    Args:
        workspace: The workspace.
        evaluations: Names of evaluations; by default those of the first group of
            :func:`~reclens.workspace.run_groups`, newest first.
        comparison: Use verdicts of this comparison only; by default the newest one of each run.
        progress: Called for each run.

    Yields:
        A table and some of its rows. Only one run is held in memory.

    Raises:
        UnknownNameError: If an evaluation or the comparison does not exist.
        UsageError: If there is neither an evaluation nor a monitored day.
        WorkspaceError: If an artefact is broken.
    """
    listed = workspace.list("evaluation")
    known = {each.name: each.created for each in listed}
    groups = run_groups(listed) if evaluations is None else []
    names = list(dict.fromkeys(groups[0].names if groups else evaluations or ()))
    for name in names:
        if name not in known:
            raise UnknownNameError(f"evaluation in {workspace.folder}", name, known)
    if not names and not workspace.list("health"):
        raise UsageError(
            f"{workspace.folder} has no evaluation and no watched day to export. Keep an evaluation in it, or run the "
            "monitor."
        )
    compared = [comparison] if comparison is not None else [each.name for each in workspace.list("comparison")]
    comparisons = [Compared.of(name, workspace.load("comparison", name)) for name in compared]
    for table in EXPORTS:
        yield table, table.frame([])
    for done, name in enumerate(names):
        progress(f"export · {name}", done, len(names))
        # Do not assign the evaluation to a name, which would keep it in memory while the next one is read.
        yield from frames_of_run(
            workspace.load("evaluation", name), run=name, measured_at=known[name], comparisons=comparisons
        )
    progress("export", len(names), len(names))
    yield DAILY_HEALTH, DAILY_HEALTH.frame(health_rows(workspace))


def health_rows(workspace: Workspace) -> list[dict[str, Any]]:
    """Return the rows of daily health from ``to_dicts()`` of the ``health`` artefacts."""
    found = [workspace.load("health", each.name) for each in workspace.list("health")]
    return [row for each in found for row in each.to_dicts()]


def frames_of_run(
    result: Evaluation, *, run: str, measured_at: datetime, comparisons: Sequence[Compared] = ()
) -> Iterator[tuple[ExportTable, pl.DataFrame]]:
    """Return the rows of one run.

    Args:
        result: The evaluation.
        run: Its name.
        measured_at: Time of writing, UTC.
        comparisons: Comparisons, newest first; the first with exactly this run gives the verdicts.
    """
    verdicts = _Verdicts.of(result, run, comparisons)
    overall, by_segment = [], []
    places: dict[tuple[str, str], int] = {}
    for row in result.to_dicts():
        cell = (row.pop("by"), row.pop("segment"))
        row |= {"run": run, **_of_metric(result, row["metric"]), **verdicts.row(row["metric"], cell)}
        if cell == OVERALL:
            overall.append(row | verdicts.counts(row["metric"]) | _of_card(result, measured_at))
        else:
            place = places[(row["metric"], cell[0])] = places.get((row["metric"], cell[0]), 0) + 1
            row |= {"segmentation": cell[0], "segment": cell[1], "place": place}
            by_segment.append({name: row.get(name) for name in SEGMENT_METRICS.schema})
    yield LEADERBOARD, LEADERBOARD.frame(overall)
    yield SEGMENT_METRICS, SEGMENT_METRICS.frame(by_segment)
    yield USER_METRICS, _of_users(result, run)


def _of_users(result: Evaluation, run: str) -> pl.DataFrame:
    kept = ("n_relevant", "list_length")
    metrics = [name for name in result.metrics if name in result.per_user.columns]
    long = result.per_user.select(
        pl.col(USER).cast(pl.String), *kept, *(pl.col(name).cast(pl.Float64) for name in metrics)
    ).unpivot(on=metrics, index=[USER, *kept], variable_name="metric", value_name="value")
    named = pl.lit(run).alias("run"), pl.lit(result.system).alias("system"), _segments_of(result).alias("segments")
    return USER_METRICS.tidy(long.with_columns(named).rename({USER: "user_id"}))


def _segments_of(result: Evaluation) -> pl.Expr:
    """Return the segments of each user as text, ``activity: heavy; age: 25-45``, without unknown segments.

    Runs differ in their segmentations, but a table has fixed columns.
    """
    by = [name for name in result.segments.columns if name != USER]
    if not by:
        return pl.lit(None, pl.String)
    parts = [pl.lit(f"{name}: ") + pl.col(name).cast(pl.String) for name in by]
    said = result.segments.select(
        pl.col(USER).cast(pl.String), pl.concat_str(parts, separator="; ", ignore_nulls=True).alias("segments")
    )
    return pl.col(USER).replace_strict(said[USER], said["segments"].replace("", None), default=None)


def _about(metric: str) -> Metric | None:
    """Return the metric of that name, or None if it is not registered here."""
    try:
        return describe(metric)
    except UnknownNameError:
        return None


def _of_metric(result: Evaluation, metric: str) -> dict[str, Any]:
    info = _about(metric)
    name, _, k = metric.partition("@")
    higher = None if info is None else info.higher_is_better
    facts = [] if info is None else [("", info.summary), *info.facts]
    return {
        "metric_name": name,
        "k": int(k) if k.isdigit() else None,
        "kind": "catalogue" if (metric, *OVERALL) in result.catalogue else "user",
        "better": "neither" if higher is None else "higher" if higher else "lower",
        "title": metric if info is None else info.title,
        "definition": " ".join(f"{label}: {text}" if label else text for label, text in facts) or None,
    }


def _of_card(result: Evaluation, measured_at: datetime) -> dict[str, Any]:
    card = result.card
    return {
        "truth": (card.get("truth") or {}).get("hash"),
        "convention": (card.get("convention") or {}).get("name"),
        "synthetic": bool(card.get("synthetic")),
        "measured_at": measured_at.astimezone(UTC).replace(tzinfo=None),
    }


@dataclass(frozen=True)
class Compared:
    """A comparison of the workspace with its differences grouped by system, once for all runs.

    Attributes:
        name: Its name.
        comparison: The comparison.
        systems: System -> its differences.
    """

    name: str
    comparison: Comparison
    systems: Mapping[str, Sequence[Mapping[str, Any]]]

    @classmethod
    def of(cls, name: str, comparison: Comparison) -> Compared:
        """Group a comparison by system."""
        systems: dict[str, list[Mapping[str, Any]]] = {}
        for row in comparison.to_dicts():
            systems.setdefault(row["system"], []).append(row)
        return cls(name, comparison, systems)


@dataclass(frozen=True)
class _Verdicts:
    """The differences of one run in a comparison, by metric and cell; empty for the baseline."""

    of_which: Compared | None = None
    rows: Mapping[tuple[str, str, str], Mapping[str, Any]] | None = None

    @classmethod
    def of(cls, result: Evaluation, run: str, comparisons: Sequence[Compared]) -> _Verdicts:
        """Return the first comparison of this run with a baseline, or else one with this run as the baseline.

        A comparison refers to systems by name, and a name may belong to another evaluation by now. Therefore the values
        must match too, so that a verdict never appears beside a value of another evaluation.
        """
        mine = (run, result.system)
        for each in comparisons:
            for rows in (each.systems[name] for name in mine if name in each.systems):
                if _all_same(result, rows, value="value", alone="system_only"):
                    return cls(each, {(row["metric"], row["by"], row["segment"]): row for row in rows})
        for each in comparisons:
            rows = next(iter(each.systems.values()), ())
            same = _all_same(result, rows, value="baseline_value", alone="baseline_only")
            if each.comparison.baseline in mine and same:
                return cls(each)
        return cls()

    def row(self, metric: str, cell: tuple[str, str]) -> dict[str, Any]:
        """Return the columns of the verdict."""
        if self.of_which is None:
            return {"verdict": "not compared"}
        comparison = self.of_which.comparison
        about = {"comparison": self.of_which.name, "baseline": comparison.baseline, "correction": comparison.correction}
        if self.rows is None:
            return about | {"verdict": "baseline"}
        found = self.rows.get((metric, *cell))
        if found is None:
            return {"verdict": "not compared"}
        return about | {
            "difference": found["difference"],
            "difference_low": found["low"],
            "difference_high": found["high"],
            "p_value": found["p_randomization"],
            "p_adjusted": found["p_adjusted"],
            "family": found["family"] if found["p_adjusted"] is not None else None,
            "tests": found["tests"],
            "significant": found["significant"],
            "verdict": _verdict(found),
        }

    def counts(self, metric: str) -> dict[str, Any]:
        """Return the wins, ties and losses over all users, and the smallest detectable difference."""
        found = (self.rows or {}).get((metric, *OVERALL), {})
        return {name: found.get(name) for name in ("wins", "ties", "losses", "smallest_detectable")}


def _all_same(result: Evaluation, rows: Sequence[Mapping[str, Any]], *, value: str, alone: str) -> bool:
    """Return whether the values of a comparison match an evaluation, in the rows that cover all of its users."""
    whole = [row for row in rows if not row[alone]]
    return bool(whole) and all(_same(result, row, row[value]) for row in whole)


def _same(result: Evaluation, row: Mapping[str, Any], value: float) -> bool:
    if row["metric"] not in result.metrics:
        return False
    found = result[row["metric"]]
    cell = found.overall if (row["by"], row["segment"]) == OVERALL else found.by.get(row["by"], {}).get(row["segment"])
    return cell is not None and (
        math.isclose(cell.value, value, rel_tol=1e-9, abs_tol=1e-12) or (math.isnan(cell.value) and math.isnan(value))
    )


def _verdict(row: Mapping[str, Any]) -> str:
    if row["significant"] is None:
        return "not tested"
    if not row["significant"]:
        return "undecided"
    info = _about(row["metric"])
    if info is None or info.higher_is_better is None:
        return "different"
    return "better" if (row["difference"] > 0) == info.higher_is_better else "worse"
