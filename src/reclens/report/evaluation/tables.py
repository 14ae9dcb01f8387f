"""The tables of evaluations and of their comparison."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from reclens.evaluation import Comparison, Evaluation, PairedDifference
from reclens.metrics import direction, names
from reclens.report._toolkit.format import (
    NOTHING,
    format_estimate,
    format_number,
    p_in_words,
    percent,
    significant,
    whole,
)
from reclens.report._toolkit.tables import Table
from reclens.report.evaluation.words import how_tested

__all__ = [
    "best_first",
    "comparison_table",
    "gap_table",
    "leaderboard",
    "segment_table",
    "smallest_first",
    "verdict_table",
]


def leaderboard(
    results: Mapping[str, Evaluation], *, comparison: Comparison | None = None, metrics: Sequence[str] | None = None
) -> Table:
    """Systems × metrics over all users, with intervals and, beside a comparison, what differs from the baseline.

    The systems are sorted by the first metric, the best first.

    Args:
        results: Name -> evaluation.
        comparison: Marks ▲ (better than the baseline), ▼ (worse) and ≠ (different, where neither direction is better)
            what is significant after the correction.
        metrics: The metrics to show; all by default.
    """
    metrics = (
        list(metrics)
        if metrics is not None
        else list(dict.fromkeys(name for result in results.values() for name in result.metrics))
    )
    marks = _marks(comparison)
    rows, records = [], []
    for system in best_first(results, metrics[0] if metrics else ""):
        result = results[system]
        own = {row["metric"]: {**row, "system": system} for row in result.to_dicts() if row["by"] == "overall"}
        records += list(own.values())
        cells = [
            (_marked(own[metric]) + marks.get((system, metric), "")) if metric in own else NOTHING for metric in metrics
        ]
        rows.append((system, *cells))
    notes = [f"{_level(results)} intervals over users; – where there is none.", *_undercover(records)]
    if comparison is not None:
        notes.append(
            f"▲ better, ▼ worse, ≠ different from {comparison.baseline}: paired randomisation test, the main "
            f"question and the other metrics corrected each by itself ({comparison.correction})."
        )
    return Table(
        title="All users", columns=("system", *metrics), rows=tuple(rows), records=tuple(records), notes=tuple(notes)
    )


def best_first(results: Mapping[str, Evaluation], metric: str) -> list[str]:
    """The systems by a metric, the best first; in the order given where neither direction is better."""
    better = direction(metric) if metric.split("@")[0] in names() else None
    if better is None:
        return list(results)
    sign = -1.0 if better else 1.0

    def place(system: str) -> tuple[bool, float]:
        value = results[system][metric].overall.value if metric in results[system].metrics else math.nan
        return math.isnan(value), sign * value

    return sorted(results, key=place)


_SEGMENTS: Final = 6
"""Segments that stand beside each other at most."""


def segment_table(results: Mapping[str, Evaluation], *, metric: str, by: str) -> Table:
    """Systems × segments of one metric; the best system over all users comes first.

    Many segments are rows, because a page has no room for as many columns.
    """
    segments = list(dict.fromkeys(s for result in results.values() for s in result[metric].by.get(by, {})))
    rows, records = [], []
    for system in best_first(results, metric):
        result = results[system]
        own = {
            row["segment"]: {**row, "system": system}
            for row in result.to_dicts()
            if row["metric"] == metric and row["by"] == by
        }
        records += list(own.values())
        cells = (
            _marked(own[segment]) + (" (few)" if own[segment]["small"] else "") if segment in own else NOTHING
            for segment in segments
        )
        rows.append((system, *cells))
    sizes = {record["segment"]: record["n"] for record in records}
    heads = [f"{segment} (n = {whole(sizes[segment])})" for segment in segments]
    notes = (f"{_level(results)} intervals over users.", "(few): too few users to conclude from.")
    notes += tuple(_undercover(records))
    columns = ("system", *heads)
    if len(segments) > max(_SEGMENTS, len(rows)):
        columns, *rows = zip(("segment", *heads), *rows, strict=True)
    return Table(title=f"{metric} by {by}", columns=columns, rows=tuple(rows), records=tuple(records), notes=notes)


def verdict_table(comparison: Comparison, *, system: str, metric: str) -> Table:
    """The paired differences of one system by segment and what each comes to: the segments that lose come first."""
    order = {"worse": 0, "no_users": 1, "not_tested": 1, "undecided": 1}
    shown = [
        row
        for row in comparison.differences
        if (row.system, row.metric) == (system, metric) and row.by != "overall" and row.n
    ]
    shown.sort(key=lambda row: (order.get(row.outcome, 2), row.difference * (-1 if direction(metric) is False else 1)))
    rows = tuple(
        (
            f"{row.by}: {row.segment}",
            _outcome_in_words(row),
            _marked(vars(row), value="difference", signed=True),
            NOTHING if row.relative is None else percent(row.relative, 1, signed=True),
            p_in_words(row.p_adjusted).removeprefix("= "),
            whole(row.n),
        )
        for row in shown
    )
    note = (
        "Paired differences by segment, p-values corrected over all segments and metrics. Not concluded: neither a "
        "gain nor a loss is shown, which is no proof of equality."
    )
    return Table(
        title=f"{metric} of {system} against {comparison.baseline}, by segment",
        columns=("segment", "verdict", "difference", "relative", "adjusted p", "n"),
        rows=rows,
        records=tuple(dict(vars(row)) for row in shown),
        notes=(note, *_undercover([dict(vars(row)) for row in shown])),
    )


def _outcome_in_words(row: PairedDifference) -> str:
    few = " (few users)" if row.small else ""
    said = {"worse": f"worse for {row.segment}", "better": f"better for {row.segment}"}
    return said.get(row.outcome, row.outcome if row.outcome in ("higher", "lower") else "not concluded") + few


def gap_table(results: Mapping[str, Evaluation], *, metric: str) -> Table | None:
    """The largest gap between two segments, by segmentation and system, the largest first; None where there is none."""
    found = [(system, gap) for system, result in results.items() for gap in result[metric].gaps.values()]
    if not found:
        return None
    found.sort(key=lambda pair: -pair[1].value)
    rows = tuple(
        (
            gap.by,
            system,
            gap.highest,
            gap.lowest,
            format_estimate(gap.to_dicts()[0]),
            "shown" if gap.conclusive else "not concluded",
        )
        for system, gap in found
    )
    note = "The interval of a gap allows for having looked at every pair of segments."
    return Table(
        title=f"Largest gaps in {metric}",
        columns=("segmentation", "system", "highest", "lowest", "gap", "verdict"),
        rows=rows,
        records=tuple({**gap.to_dicts()[0], "system": system} for system, gap in found),
        notes=(note,),
    )


def comparison_table(comparison: Comparison, *, by: str | None = "overall", metric: str | None = None) -> Table:
    """Differences from the baseline; ``by=None`` shows every segment, ``metric=None`` every metric.

    Within a metric and a segment, the best system is first.
    """
    shown = [row for row in comparison.differences if by in (None, row.by) and metric in (None, row.metric)]
    metrics = list(dict.fromkeys(row.metric for row in shown))
    segments = list(dict.fromkeys((row.by, row.segment) for row in shown))
    shown.sort(key=lambda row: (metrics.index(row.metric), segments.index((row.by, row.segment)), _from_best(row)))
    records = [dict(vars(row)) for row in shown]
    heads = [
        "system",
        "metric",
        "segment",
        "difference",
        "relative",
        "p",
        "adjusted p",
        "gain / tie / lose",
        "detectable",
        "n",
    ]
    rows: list[list[str]] = []
    for found, row in zip(shown, records, strict=True):
        segment = "all" if row["by"] == "overall" else f"{row['by']}: {row['segment']}"
        relative = NOTHING if row["relative"] is None else percent(row["relative"], 1, signed=True)
        counts = (
            NOTHING if found.gained is None else f"{whole(found.gained)} / {whole(found.ties)} / {whole(found.lost)}"
        )
        raw, p = (p_in_words(row[name]).removeprefix("= ") for name in ("p_randomization", "p_adjusted"))
        p += (" *" if row["significant"] else "") + _MARKS[found.disagreement]
        difference = _marked(row, value="difference", signed=True) + (" (few)" if row["small"] else "")
        n = whole(found.n) + (f" (of {whole(_most(found))})" if _most(found) > found.n else "")
        detectable = format_number(row["smallest_detectable"])
        rows.append([row["system"], row["metric"], segment, difference, relative, raw, p, counts, detectable, n])
    # A segment or a metric that is the same in every row takes no column.
    same = [at for at, fixed in ((2, by == "overall"), (1, metric is not None)) if fixed]
    for cells in (heads, *rows):
        for at in same:
            del cells[at]
    title = f"Against {comparison.baseline}" if metric is None else f"{metric} against {comparison.baseline}"
    return Table(
        title=title,
        columns=tuple(heads),
        rows=tuple(map(tuple, rows)),
        records=tuple(records),
        notes=_how_compared(comparison, shown),
    )


def _from_best(row: PairedDifference) -> tuple[bool, float]:
    better = direction(row.metric)
    size = 0.0 if better is None else -row.difference if better else row.difference
    return math.isnan(row.difference), 0.0 if math.isnan(size) else size


_MARKS: Final = {"corrected": " °", "borderline": " ¹", None: ""}


def _most(row: PairedDifference) -> int:
    """Users with a value under one of the two, or both."""
    return row.n + row.system_only + row.baseline_only


def _how_compared(comparison: Comparison, shown: Sequence[PairedDifference]) -> tuple[str, ...]:
    """How to read the table of differences."""
    together = comparison.card.get("intervals") == "simultaneous"
    reasons = {row.disagreement for row in shown}
    notes = [
        (
            f"Differences from {comparison.baseline} over the users with a value under both, "
            f"{percent(comparison.level, 0)} "
            f"intervals, {'those of a family all together' if together else 'each for itself'}."
        ),
        f"* significant at {significant(1 - comparison.level, 2)} after the correction ({comparison.correction}).",
    ]
    if "corrected" in reasons:
        notes.append(
            "° significant by itself, and not after the correction over the tests of its family: the "
            "interval, which holds for this difference alone, excludes zero."
        )
    if "borderline" in reasons:
        notes.append("¹ the interval and the test, two methods, fall on two sides of the limit.")
    if any(_most(row) > row.n for row in shown):
        notes.append("n (of …): users with a value under one of the two systems alone are left out.")
    notes += how_tested(comparison)
    notes += [
        "gain / tie / lose: users whose value is better, equal, worse; higher and lower where neither is better.",
        "detectable: the true difference that a single test of this size finds with 80 % power.",
        *_undercover([dict(vars(row)) for row in shown]),
    ]
    return tuple(notes)


def _marked(row: Mapping[str, Any], *, value: str = "value", signed: bool = False) -> str:
    """An estimate, with a mark where its interval holds the truth less often than its level."""
    return format_estimate(row, value=value, signed=signed) + ("†" if row.get("coverage") is not None else "")


def _undercover(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the mark means: how often the intervals held the truth in simulations."""
    shares = sorted({row["coverage"] for row in rows if row.get("coverage") is not None})
    if not shares:
        return []
    often = percent(shares[0], 0) if len(shares) == 1 else f"{percent(shares[0], 0)} to {percent(shares[-1], 0)}"
    return [f"† skewed values of few users: such 95 % intervals held the truth in {often} of simulations."]


def _marks(comparison: Comparison | None) -> dict[tuple[str, str], str]:
    marks: dict[tuple[str, str], str] = {}
    for row in comparison.differences if comparison is not None else ():
        if row.by == "overall" and row.significant:
            better = direction(row.metric)
            mark = "≠" if better is None else "▲" if (row.difference > 0) == better else "▼"
            marks[(row.system, row.metric)] = f" {mark}"
    return marks


def _level(results: Mapping[str, Evaluation]) -> str:
    return percent(next(iter(results.values())).level, 0)


def smallest_first(segmentations: Iterable[str]) -> list[str]:
    """Each name once, those with the fewest segments first: charts beside each other are then about as tall.

    Example:
        >>> smallest_first(["genre", "genre", "age", "genre", "age", "city", "city"])
        ['age', 'city', 'genre']
    """
    counts = Counter(segmentations)
    return sorted(counts, key=lambda name: counts[name])
