"""Looker: a LookML project over the exported tables, and the tables themselves for a warehouse.

References: LookML reference, project manifest, model, explore, join and dashboard parameters.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from reclens.edges._lookml import block, quoted, view
from reclens.edges._staging import Exported, Parts, first_metric, refuse_to_replace, stage, write_folder
from reclens.edges._warehouse import check_database, write_database, write_parquet
from reclens.engine import Progress, quiet
from reclens.errors import ArgumentValueError
from reclens.export.rows import export_frames
from reclens.export.schema import EXPORTS, LEADERBOARD, SEGMENT_METRICS, USER_METRICS
from reclens.workspace import Workspace

__all__ = ["export_looker", "lookml_project"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCHEMA = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")

_WIDTH: Final = 24
"""Columns of a Looker dashboard."""


def export_looker(
    workspace: Workspace,
    out: str | Path,
    *,
    evaluations: Sequence[str] | None = None,
    comparison: str | None = None,
    connection: str = "reclens",
    schema: str = "main",
    database: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress = quiet,
) -> Exported:
    """Write a LookML project, and its tables.

    Args:
        workspace: The workspace.
        out: A folder: ``manifest.lkml``, ``reclens.model.lkml``, ``views/``, ``dashboards/`` and, without a database,
            ``tables/``.
        evaluations: Names of evaluations; by default the newest that can be compared with each other.
        comparison: Take verdicts of this comparison alone; by default each run's newest.
        connection: Name of the database connection in Looker.
        schema: The schema that holds the tables; ``database.schema`` is possible without ``database``.
        database: Write the tables into this DuckDB file; other tables of the file are kept. None writes Parquet files.
        overwrite: Replace files and tables of the same names.
        progress: Called for each run.

    Raises:
        UnknownNameError: If an evaluation or the comparison does not exist.
        UsageError: If there is nothing to export, or a name is invalid.
        WorkspaceError: If a file or table exists, or cannot be written.
    """
    place, file = Path(out), None if database is None else Path(database)
    project = lookml_project(connection=connection, schema=schema)
    tables = () if file is not None else tuple(f"tables/{table.name}.parquet" for table in EXPORTS)
    refuse_to_replace([place / name for name in (*project, *tables)], overwrite=overwrite)
    if file is not None:
        check_database(file, schema, overwrite=overwrite)
    frames = export_frames(workspace, evaluations=evaluations, comparison=comparison, progress=progress)
    with write_folder(place) as folder, tempfile.TemporaryDirectory(dir=folder, prefix=".parts-") as parts:
        staged, rows = stage(frames, Path(parts))
        progress("write tables", 0, 0)
        _write_tables(staged, folder, file, schema)
        for name, text in lookml_project(connection=connection, schema=schema, metric=first_metric(staged)).items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    files = tuple(place / name for name in (*project, *tables))
    return Exported(files if file is None else (*files, file), rows)


def _write_tables(parts: Parts, folder: Path, file: Path | None, schema: str) -> None:
    if file is None:
        write_parquet(parts, folder / "tables")
    else:
        write_database(parts, file, schema)


def lookml_project(*, connection: str = "reclens", schema: str = "main", metric: str | None = None) -> dict[str, str]:
    """The files of the project: path -> text. They contain no names of runs, systems, segments or users.

    Raises:
        UsageError: If a name is invalid.
    """
    if not _NAME.fullmatch(connection):
        raise ArgumentValueError(
            "connection", f"is {connection!r}, expected letters, digits and _, as Looker names connections"
        )
    if not _SCHEMA.fullmatch(schema):
        raise ArgumentValueError("schema", f"is {schema!r}, expected a plain name such as main, or database.schema")
    return {
        "manifest.lkml": _manifest(connection, schema),
        "reclens.model.lkml": _model(),
        **{f"views/{table.name}.view.lkml": view(table, schema="@{RECLENS_SCHEMA}") for table in EXPORTS},
        "dashboards/reclens.dashboard.lookml": _dashboard(metric),
    }


def _manifest(connection: str, schema: str) -> str:
    lines = ['project_name: "reclens"']
    for name, value in (("RECLENS_CONNECTION", connection), ("RECLENS_SCHEMA", schema)):
        lines += ["", *block("constant", name, [f"value: {quoted(value)}", "export: override_optional"])]
    return "\n".join(lines) + "\n"


def _model() -> str:
    lines = [
        'connection: "@{RECLENS_CONNECTION}"',
        "",
        'include: "/views/*.view.lkml"',
        'include: "/dashboards/*.dashboard.lookml"',
    ]
    for table in EXPORTS:
        body = [f"label: {quoted(table.caption)}", f"description: {quoted(table.description)}"]
        if table in (SEGMENT_METRICS, USER_METRICS):
            body += _join(table.name)
        lines += ["", *block("explore", table.name, body)]
    return "\n".join(lines) + "\n"


def _join(name: str) -> list[str]:
    """Overall values, joined to each row of a segment or user."""
    same = " AND ".join(f"${{{name}.{key}}} = ${{{LEADERBOARD.name}.{key}}}" for key in LEADERBOARD.key)
    return block("join", LEADERBOARD.name, ["type: left_outer", "relationship: many_to_one", f"sql_on: {same} ;;"])


def _dashboard(metric: str | None) -> str:
    """The dashboard, filtered to one metric, in YAML; every string is JSON-quoted, which is valid YAML."""
    lines = [
        "- dashboard: reclens",
        '  title: "Recommendation diagnostics"',
        "  layout: newspaper",
        "  preferred_viewer: dashboards-next",
        "  filters:",
    ]
    for name, field, chosen in (("Metric", "metric", metric), ("Run", "run", None)):
        about = {
            "name": name,
            "title": name,
            "type": "field_filter",
            "default_value": "" if chosen is None else _filter_of(chosen),
            "allow_multiple_values": chosen is None,
            "model": "reclens",
            "explore": LEADERBOARD.name,
            "field": f"{LEADERBOARD.name}.{field}",
        }
        lines += _item(about)
    lines.append("  elements:")
    for tile in _TILES:
        lines += _item(tile)
    return "\n".join(lines) + "\n"


def _filter_of(text: str) -> str:
    """A text as a literal filter expression, in which the wildcards ``%`` and ``_`` are escaped."""
    return re.sub(r"[\^\"%_]", r"^\g<0>", text)


def _item(about: Mapping[str, Any]) -> list[str]:
    written = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in about.items()]
    return [f"  - {written[0]}", *(f"    {line}" for line in written[1:])]


def _tile(
    name: str,
    title: str,
    kind: str,
    table: str,
    fields: str,
    *,
    row: int,
    half: int | None = None,
    note: str,
    **more: Any,
) -> dict[str, Any]:
    """A tile of the dashboard, over the whole width or one half (0 or 1)."""
    width = _WIDTH if half is None else _WIDTH // 2
    listen = {} if table == "daily_health" else {"Metric": f"{table}.metric", "Run": f"{table}.run"}
    return {
        "name": name,
        "title": title,
        "model": "reclens",
        "explore": table,
        "type": kind,
        "fields": [f"{table}.{field}" for field in fields.split()],
        "listen": listen,
        "limit": 500,
        "note_text": note,
        "note_state": "collapsed",
        "note_display": "hover",
        "row": row,
        "col": (half or 0) * width,
        "width": width,
        "height": 8,
        **more,
    }


_TILES: Final = (
    _tile(
        "leaderboard",
        "All users",
        "looker_grid",
        "leaderboard",
        "run metric value low high n difference difference_low difference_high p_value p_adjusted verdict",
        row=0,
        sorts=["leaderboard.metric", "leaderboard.value desc"],
        note="Each value with its interval; the verdict is against the baseline, corrected for the number of tests.",
    ),
    _tile(
        "by_run",
        "Value by run",
        "looker_bar",
        "leaderboard",
        "run metric value",
        row=8,
        half=0,
        pivots=["leaderboard.metric"],
        sorts=["leaderboard.run"],
        note="Metrics differ in scale: choose one.",
    ),
    _tile(
        "by_segment",
        "By segment",
        "looker_column",
        "segment_metrics",
        "segmentation segment place run metric value",
        row=8,
        half=1,
        pivots=["segment_metrics.run", "segment_metrics.metric"],
        sorts=["segment_metrics.segmentation", "segment_metrics.place"],
        note="Segments may have few users: see n.",
    ),
    _tile(
        "users",
        "Single users",
        "looker_grid",
        "user_metrics",
        "run metric mean_over_users users_measured share_at_zero",
        row=16,
        half=0,
        sorts=["user_metrics.metric", "user_metrics.mean_over_users desc"],
        note="Means over users; the mean over all of them is the value of the leaderboard.",
    ),
    _tile(
        "health",
        "Daily health",
        "looker_line",
        "daily_health",
        "day_date system indicator value",
        row=16,
        half=1,
        pivots=["daily_health.system", "daily_health.indicator"],
        filters={"daily_health.segmentation": "overall"},
        sorts=["daily_health.day_date"],
        note="Empty until a system is watched day by day.",
    ),
)
"""The tiles. Each shows a value only beside everything that names it."""
