"""Generate LookML: views of declared tables.

Each number of RecLens comes from one row. A measure returns it if all rows in view share one key, and NULL otherwise:
a sum or a mean over metrics, runs or segmentations would be wrong but look plausible. The test ``MIN(key) = MAX(key)``
works in every dialect, and is not affected by joins that repeat rows.

``lkml.dump`` is not used, because it writes no comments and does not escape backslashes; the tests parse with lkml.

References: LookML reference, view, measure, explore and join parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reclens.export.columns import ExportColumn, ExportTable
from reclens.export.schema import DAILY_HEALTH, LEADERBOARD, SEGMENT_METRICS, USER_METRICS

__all__ = ["block", "quoted", "view"]

_FORMATS: Final = {
    "count": "#,##0",
    "value": "0.0000",
    "signed": "+0.0000;-0.0000;0.0000",
    "share": "0%",
    "p": "0.0000",
}

_DIMENSIONS: Final = {"text": "string", "whole": "number", "real": "number", "truth": "yesno"}


@dataclass(frozen=True, kw_only=True)
class _Measure:
    """A measure beyond the columns: its SQL, or the rows it counts by a filter.

    ``sql`` is valid only if the columns in ``within`` are constant over all rows.
    """

    name: str
    label: str
    description: str
    type: str = "number"
    sql: str = ""
    within: tuple[str, ...] = ()
    shown: str = "count"
    filters: Mapping[str, str] | None = None


_COUNT: Final = _Measure(name="count", label="Rows", description="Rows in view.", type="count")

_MORE: Final[Mapping[str, tuple[_Measure, ...]]] = {
    LEADERBOARD.name: (
        _COUNT,
        _Measure(name="runs", label="Runs", description="Distinct runs.", type="count_distinct", sql="${run}"),
        _Measure(
            name="runs_better",
            label="Runs that are better",
            description="Distinct runs that are significantly better than their baseline by at least one metric in "
            "view.",
            type="count_distinct",
            sql="${run}",
            filters={"verdict": "better"},
        ),
        _Measure(
            name="runs_worse",
            label="Runs that are worse",
            description="Distinct runs that are significantly worse than their baseline by at least one metric in "
            "view.",
            type="count_distinct",
            sql="${run}",
            filters={"verdict": "worse"},
        ),
    ),
    SEGMENT_METRICS.name: (
        _COUNT,
        _Measure(
            name="users",
            label="Users in the segments",
            description="Users behind the value, added over segments of one segmentation, "
            "run and metric; empty where several are in view.",
            sql="SUM(${TABLE}.n)",
            within=("run", "metric", "segmentation"),
        ),
        _Measure(
            name="mean_over_users",
            label="Mean over users",
            description="Mean over the users of the segments in view: each segment "
            "counts by its users. Empty where several runs, metrics or segmentations are in view, and for metrics "
            "of the whole catalogue, which are no means.",
            sql="CASE WHEN MAX(${TABLE}.kind) = 'user' THEN SUM(${TABLE}.value * ${TABLE}.n) / "
            "NULLIF(SUM(${TABLE}.n), 0) END",
            within=("run", "metric", "segmentation"),
            shown="value",
        ),
    ),
    USER_METRICS.name: (
        _COUNT,
        _Measure(name="users", label="Users", description="Distinct users.", type="count_distinct", sql="${user_id}"),
        _Measure(
            name="users_measured",
            label="Users with a value",
            description="Users for whom the metric is defined; of one run and metric.",
            sql="COUNT(${TABLE}.value)",
            within=("run", "metric"),
        ),
        _Measure(
            name="mean_over_users",
            label="Mean over users",
            description="Mean over the users in view for whom the metric is defined: "
            "over all users it is the value of the leaderboard. Of one run and metric.",
            sql="AVG(${TABLE}.value)",
            within=("run", "metric"),
            shown="value",
        ),
        _Measure(
            name="share_at_zero",
            label="Share of users at 0",
            description="Users whose value is 0, of those who have one. Of one run and metric.",
            sql="AVG(CASE WHEN ${TABLE}.value = 0 THEN 1.0 WHEN ${TABLE}.value IS NOT NULL THEN 0.0 END)",
            within=("run", "metric"),
            shown="share",
        ),
        _Measure(
            name="mean_list_length",
            label="Mean list length",
            description="Mean over the users in view. Of one run and metric.",
            sql="AVG(${TABLE}.list_length)",
            within=("run", "metric"),
            shown="value",
        ),
        _Measure(
            name="mean_relevant",
            label="Mean relevant items",
            description="Mean over the users in view. Of one run and metric.",
            sql="AVG(${TABLE}.n_relevant)",
            within=("run", "metric"),
            shown="value",
        ),
    ),
    DAILY_HEALTH.name: (
        _COUNT,
        _Measure(
            name="alerts",
            label="Alerts",
            description="Rows whose status is alert.",
            type="count",
            filters={"status": "alert"},
        ),
        _Measure(
            name="warnings",
            label="Warnings",
            description="Rows whose status is warning.",
            type="count",
            filters={"status": "warning"},
        ),
        _Measure(name="days", label="Days", description="Distinct days.", type="count_distinct", sql="${TABLE}.day"),
    ),
}


def view(table: ExportTable, *, schema: str) -> str:
    """The view of a table: a dimension per column, a measure per number, and aggregates of several rows."""
    body = [f"sql_table_name: {schema}.{table.name} ;;", f"label: {quoted(table.caption)}", "", *_key(table)]
    body += [line for column in table.columns for line in _column(table, column)]
    for measure in _MORE[table.name]:
        body += _measure(measure)
    while not body[-1]:
        body.pop()
    return "\n".join([f"# {table.description}", *block("view", table.name, body)]) + "\n"


def block(kind: str, name: str, body: Sequence[str]) -> list[str]:
    """Lines of ``kind: name { … }``."""
    return [f"{kind}: {name} {{", *(f"  {line}" if line else "" for line in body), "}"]


def quoted(text: str) -> str:
    r"""A string of LookML. Quotes and Liquid templates are escaped.

    >>> quoted('a "b" {{ c }}')
    '"a \\"b\\" { { c } }"'
    """
    for opening in ("{{", "{%", "@{", "${", "}}", "%}"):
        text = text.replace(opening, " ".join(opening))
    text = " ".join(text.split())
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _key(table: ExportTable) -> list[str]:
    """A text key of a row. Looker needs it for joins that repeat rows."""
    if table is DAILY_HEALTH:
        return []  # nothing is joined to it, and a day becomes text in each dialect in another way
    first, last = table.key[:-1], table.key[-1]
    # No name of a run or metric holds a bar; a segmentation may. The last part may hold anything.
    parts = [
        f"REPLACE(REPLACE({_of(name)}, '%', '%25'), '|', '%7C')" if name == "segmentation" else _of(name)
        for name in first
    ]
    sql = " || '|' || ".join([*parts, _of(last)])
    return [*block("dimension", "key", ["primary_key: yes", "hidden: yes", "type: string", f"sql: {sql} ;;"]), ""]


def _column(table: ExportTable, column: ExportColumn) -> list[str]:
    if column.measure:
        said = f"{column.description} Empty where rows of several {_listed(table.key)} are in view."
        return _measure(
            _Measure(
                name=column.name,
                label=column.caption,
                description=said,
                sql=f"MAX({_of(column.name)})",
                within=table.key,
                shown=column.shown,
            )
        )
    about = [f"label: {quoted(column.caption)}", f"description: {quoted(column.description)}"]
    if column.type in ("day", "moment"):
        frames = "date, week, month" if column.type == "day" else "time, date, week, month"
        kind = "date" if column.type == "day" else "timestamp"
        about += ["type: time", f"timeframes: [{frames}]", "convert_tz: no", f"datatype: {kind}"]
        return [*block("dimension_group", column.name, [*about, f"sql: {_of(column.name)} ;;"]), ""]
    about.append(f"type: {_DIMENSIONS[column.type]}")
    if column.shown:
        about.append(f"value_format: {quoted(_FORMATS[column.shown])}")
    return [*block("dimension", column.name, [*about, f"sql: {_of(column.name)} ;;"]), ""]


def _measure(measure: _Measure) -> list[str]:
    body = [f"label: {quoted(measure.label)}", f"description: {quoted(measure.description)}", f"type: {measure.type}"]
    body.append(f"value_format: {quoted(_FORMATS[measure.shown])}")
    for name, value in (measure.filters or {}).items():
        body.append(f"filters: [{name}: {quoted(value)}]")
    if measure.sql:
        same = " AND ".join(f"MIN({_of(name)}) = MAX({_of(name)})" for name in measure.within)
        body.append(f"sql: CASE WHEN {same} THEN {measure.sql} END ;;" if same else f"sql: {measure.sql} ;;")
    return [*block("measure", measure.name, body), ""]


def _of(name: str) -> str:
    return f"${{TABLE}}.{name}"


def _listed(names: Sequence[str]) -> str:
    words = [f"{name.removesuffix('_id')}s" for name in names]
    return f"{', '.join(words[:-1])} or {words[-1]}"
