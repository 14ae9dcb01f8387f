"""The tables that leave RecLens for other tools: their columns, declared once, for every format alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import polars as pl

from reclens.errors import DataError

__all__ = ["DAILY_HEALTH", "EXPORTS", "LEADERBOARD", "SEGMENT_METRICS", "USER_METRICS", "ExportColumn", "ExportTable"]

Type = Literal["text", "whole", "real", "truth", "day", "moment"]
Shown = Literal["", "count", "value", "signed", "share", "p"]

_POLARS: Final = {
    "text": pl.String(),
    "whole": pl.Int64(),
    "real": pl.Float64(),
    "truth": pl.Boolean(),
    "day": pl.Date(),
    "moment": pl.Datetime("us"),
}


@dataclass(frozen=True)
class ExportColumn:
    """One column.

    Attributes:
        name: Its name in files and in SQL.
        type: ``text``, ``whole`` (64-bit), ``real`` (64-bit), ``truth``, ``day`` or ``moment`` (UTC, no zone).
        caption: Its name for people.
        description: What it holds, in full sentences.
        measure: A number to be shown; without it the column is something to group and filter by.
        shown: How its numbers are written; empty for the tool's own way.
    """

    name: str
    type: Type
    caption: str
    description: str
    measure: bool = False
    shown: Shown = ""


@dataclass(frozen=True)
class ExportTable:
    """One table.

    Attributes:
        name: Its name in files and in SQL.
        caption: Its name for people.
        description: What a row is.
        columns: The columns, in order.
        key: The columns that name a row; none of them is ever empty, and no two rows have the same.
        empty: Why it has no rows, when it has none.
    """

    name: str
    caption: str
    description: str
    columns: tuple[ExportColumn, ...]
    key: tuple[str, ...]
    empty: str = "no evaluation is exported"

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Column -> Polars type."""
        return {column.name: _POLARS[column.type] for column in self.columns}

    def frame(self, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
        """Rows as a frame of exactly these columns; what a row lacks is null, and so is NaN.

        Raises:
            DataError: If a row has another column, lacks a part of the key, or has a value of another type.
        """
        odd = {name for row in rows for name in row} - set(self.schema)
        if odd:
            raise DataError(
                f"a row has the columns {', '.join(sorted(odd))}, which are not among {', '.join(self.schema)}",
                source=self.name,
            )
        try:
            frame = pl.DataFrame(list(rows), schema=self.schema, orient="row")
        except (pl.exceptions.PolarsError, TypeError) as error:
            raise DataError(f"a row does not have the declared types ({error})", source=self.name) from error
        return self.tidy(frame)

    def tidy(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A frame in the declared order and types, NaN as null.

        Raises:
            DataError: If a part of the key is empty.
        """
        frame = frame.select(pl.col(name).cast(kind) for name, kind in self.schema.items())
        frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None))
        empty = [name for name in self.key if frame[name].null_count()]
        if empty:
            raise DataError("a part of the key is empty", source=self.name, column=empty[0])
        return frame


_RUN: Final = (
    ExportColumn("run", "text", "Run", "Name of the evaluation in the workspace: one system measured once."),
    ExportColumn("system", "text", "System", "Name that the system gave itself; two runs may share it."),
)
_METRIC: Final = (
    ExportColumn(
        "metric",
        "text",
        "Metric",
        "The metric with its cut-off, such as ndcg@10. Numbers of different metrics are never added or averaged.",
    ),
    ExportColumn("metric_name", "text", "Metric without cut-off", "The metric without its cut-off, such as ndcg."),
    ExportColumn("k", "whole", "Cut-off", "The first k places of a list that count; empty for the whole list."),
    ExportColumn(
        "kind",
        "text",
        "Kind of metric",
        "user: one value a user, averaged. catalogue: one value for all lists together, which is no mean of anything.",
    ),
    ExportColumn("better", "text", "Better is", "higher, lower, or neither where no direction is better by itself."),
)
_ESTIMATE: Final = (
    ExportColumn(
        "value",
        "real",
        "Value",
        "The metric. It stands for one row alone: it is not added, and averaged "
        "only over users of one run by one metric.",
        True,
        "value",
    ),
    ExportColumn("low", "real", "Low", "Lower end of the interval; empty where no honest one exists.", True, "value"),
    ExportColumn("high", "real", "High", "Upper end of the interval; empty where no honest one exists.", True, "value"),
    ExportColumn("n", "whole", "Users", "Users behind the value.", True, "count"),
    ExportColumn("level", "real", "Level", "Confidence level of the interval.", False, "share"),
    ExportColumn(
        "coverage",
        "real",
        "Coverage",
        "How often such intervals held the truth in simulations, where that "
        "is less than their level; empty where they keep it.",
        False,
        "share",
    ),
    ExportColumn("small", "truth", "Few users", "Whether there are too few users to conclude from."),
    ExportColumn("note", "text", "Note", "Why there is no interval, or what to keep in mind, as a code."),
)
_VERDICT: Final = (
    ExportColumn(
        "comparison",
        "text",
        "Comparison",
        "Name of the comparison in the workspace that the verdict is of; empty when this run was not compared.",
    ),
    ExportColumn("baseline", "text", "Baseline", "The system that this one was held against."),
    ExportColumn(
        "difference",
        "real",
        "Difference",
        "Mean difference from the baseline, over the users with a value under both.",
        True,
        "signed",
    ),
    ExportColumn(
        "difference_low",
        "real",
        "Difference low",
        "Lower end of the interval of the difference, for this difference alone.",
        True,
        "signed",
    ),
    ExportColumn(
        "difference_high", "real", "Difference high", "Upper end of the interval of the difference.", True, "signed"
    ),
    ExportColumn("p_value", "real", "p", "p-value of the paired randomisation test by itself.", True, "p"),
    ExportColumn(
        "p_adjusted",
        "real",
        "Adjusted p",
        "p-value of the paired randomisation test, corrected over the tests of its family.",
        True,
        "p",
    ),
    ExportColumn(
        "family",
        "text",
        "Family",
        "Tests that are corrected together: primary (the main question), metrics "
        "(the others over all users) or segments; empty where there is no test.",
    ),
    ExportColumn("tests", "whole", "Tests", "Tests of that family.", True, "count"),
    ExportColumn(
        "significant",
        "truth",
        "Significant",
        "Whether the difference is significant after the correction; empty where there is no test.",
    ),
    ExportColumn(
        "verdict",
        "text",
        "Verdict",
        "better, worse, different (where neither direction is better), "
        "undecided, not tested, baseline, or not compared.",
    ),
    ExportColumn("correction", "text", "Correction", "How p-values were corrected for the number of tests."),
)

LEADERBOARD: Final = ExportTable(
    "leaderboard",
    "Leaderboard",
    "One row a run and metric, over all evaluated users.",
    (
        *_RUN,
        *_METRIC,
        ExportColumn("title", "text", "Metric title", "Name of the metric for people."),
        ExportColumn("definition", "text", "Definition", "What the metric is: formula, range, rules."),
        *_ESTIMATE,
        *_VERDICT,
        ExportColumn(
            "wins", "whole", "Users with a higher value", "Users for whom this run has the higher value.", True, "count"
        ),
        ExportColumn("ties", "whole", "Users with equal values", "Users with equal values.", True, "count"),
        ExportColumn(
            "losses",
            "whole",
            "Users with a lower value",
            "Users for whom the baseline has the higher value.",
            True,
            "count",
        ),
        ExportColumn(
            "smallest_detectable",
            "real",
            "Smallest detectable",
            "The true difference that a single test of this size finds with 80 % power.",
            True,
            "value",
        ),
        ExportColumn(
            "truth",
            "text",
            "Held-out data",
            "Hash of the held-out data. Runs with different ones were not measured alike and must not be compared.",
        ),
        ExportColumn("convention", "text", "Convention", "The conventions of the metrics, such as trec."),
        ExportColumn("synthetic", "truth", "Synthetic", "Whether the data is synthetic."),
        ExportColumn("measured_at", "moment", "Measured at (UTC)", "When the evaluation was written."),
    ),
    ("run", "metric"),
)
"""Runs × metrics over all users, with the verdict of a comparison."""

SEGMENT_METRICS: Final = ExportTable(
    "segment_metrics",
    "Metrics by segment",
    "One row a run, metric, segmentation and segment.",
    (
        *_RUN,
        *_METRIC,
        ExportColumn(
            "segmentation",
            "text",
            "Segmentation",
            "What users are grouped by. Each user is in one segment "
            "of each segmentation at most; different segmentations are never added.",
        ),
        ExportColumn("segment", "text", "Segment", "The group of users."),
        ExportColumn("place", "whole", "Place of the segment", "Display order of the segment, from 1."),
        *_ESTIMATE,
        *_VERDICT,
    ),
    ("run", "metric", "segmentation", "segment"),
    "the evaluations are by no segment",
)
"""Runs × metrics × segments."""

USER_METRICS: Final = ExportTable(
    "user_metrics",
    "Metrics of single users",
    "One row a run, metric and user; metrics of the whole catalogue have no such rows.",
    (
        *_RUN,
        _METRIC[0],
        ExportColumn("user_id", "text", "User", "Id of the user, as text."),
        ExportColumn(
            "segments",
            "text",
            "Segments",
            "The segments of the user in this run, such as activity: heavy; age: 25-45. Filter by what it contains. "
            "Empty where the run was measured by no segment.",
        ),
        ExportColumn(
            "value",
            "real",
            "Value",
            "The metric for this user; empty where it is not defined. Averaged over "
            "the users of one run by one metric it is the value of the leaderboard.",
            True,
            "value",
        ),
        ExportColumn(
            "n_relevant",
            "whole",
            "Relevant items",
            "Held-out relevant items of the user; the same in every row of the user in a run.",
            True,
            "count",
        ),
        ExportColumn(
            "list_length",
            "whole",
            "List length",
            "Items in the user's list; the same in every row of the user in a run.",
            True,
            "count",
        ),
    ),
    ("run", "metric", "user_id"),
    "the evaluations have no metric of single users",
)
"""Runs × metrics × users, in long form."""

DAILY_HEALTH: Final = ExportTable(
    "daily_health",
    "Daily health",
    "One row a day, system, indicator, segmentation and segment.",
    (
        ExportColumn("day", "day", "Day", "The day, UTC."),
        ExportColumn("system", "text", "System", "The system that is watched."),
        ExportColumn(
            "indicator",
            "text",
            "Indicator",
            "What is watched. Numbers of different indicators are never added or averaged.",
        ),
        ExportColumn("segmentation", "text", "Segmentation", "What users are grouped by; overall for all users."),
        ExportColumn("segment", "text", "Segment", "The group of users; all for all users."),
        *_ESTIMATE[:5],
        ExportColumn("expected", "real", "Expected", "The value that the days before lead to expect.", True, "value"),
        ExportColumn("status", "text", "Status", "ok, warning or alert."),
        _ESTIMATE[-1],
    ),
    ("day", "system", "indicator", "segmentation", "segment"),
    "nothing in this workspace watches a system day by day; the columns are declared",
)
"""Days × indicators. The monitor supplies the rows."""

EXPORTS: Final = (LEADERBOARD, SEGMENT_METRICS, USER_METRICS, DAILY_HEALTH)
"""The tables, in the order they are written."""
