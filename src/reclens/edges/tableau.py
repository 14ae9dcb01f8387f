"""Tableau: an extract (``.hyper``) and a data source (``.tds``) per table, and a workbook (``.twb``) over them.

Extracts are written by Tableau's own Hyper API (Apache-2.0), which brings the Hyper process as a binary and needs no
other library: Hyper reads the staged Parquet files itself. No data is sent to Tableau.

References: Hyper API, https://tableau.github.io/hyper-db.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from reclens.edges._staging import Exported, Parts, first_metric, refuse_to_replace, stage, write_folder
from reclens.edges._tds import write_tds
from reclens.edges._workbook import write_workbook
from reclens.engine import Progress, need, quiet
from reclens.errors import WorkspaceError
from reclens.export.columns import ExportTable
from reclens.export.rows import export_frames
from reclens.export.schema import EXPORTS
from reclens.workspace import Workspace

__all__ = ["export_tableau"]

WORKBOOK: Final = "reclens.twb"
_HYPER: Final = {
    "text": "text",
    "whole": "big_int",
    "real": "double",
    "truth": "bool",
    "day": "date",
    "moment": "timestamp",
}


def export_tableau(
    workspace: Workspace,
    out: str | Path,
    *,
    evaluations: Sequence[str] | None = None,
    comparison: str | None = None,
    overwrite: bool = False,
    progress: Progress = quiet,
) -> Exported:
    """Write an extract and a data source per table, and a workbook over them. Needs the extra ``tableau``.

    Args:
        workspace: The workspace.
        out: A folder.
        evaluations: Names of evaluations; by default the newest that can be compared with each other.
        comparison: Take verdicts of this comparison alone; by default each run's newest.
        overwrite: Replace files of the same names.
        progress: Called for each run.

    Raises:
        MissingExtraError: If the Hyper API is not installed.
        UnknownNameError: If an evaluation or the comparison does not exist.
        UsageError: If there is nothing to export.
        WorkspaceError: If a file exists or cannot be written.
    """
    need("tableauhyperapi", extra="tableau")
    place = Path(out)
    files = [place / f"{table.name}.{kind}" for table in EXPORTS for kind in ("hyper", "tds")]
    files.append(place / WORKBOOK)
    refuse_to_replace(files, overwrite=overwrite)
    frames = export_frames(workspace, evaluations=evaluations, comparison=comparison, progress=progress)
    with write_folder(place) as folder, tempfile.TemporaryDirectory(dir=folder, prefix=".parts-") as parts:
        staged, rows = stage(frames, Path(parts))
        progress("write extracts", 0, 0)
        _write_extracts(staged, folder)
        for table in EXPORTS:
            (folder / f"{table.name}.tds").write_bytes(write_tds(table))
        (folder / WORKBOOK).write_bytes(write_workbook(first_metric(staged)))
    return Exported(tuple(files), rows)


def _write_extracts(parts: Parts, folder: Path) -> None:
    hyper = need("tableauhyperapi", extra="tableau")
    # Without a configuration of the log Hyper would leave one in the folder it is started in.
    settings = {"telemetry": hyper.Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU, "parameters": {"log_config": ""}}
    try:
        with hyper.HyperProcess(**settings) as process:
            for table in EXPORTS:
                file = folder / f"{table.name}.hyper"
                with hyper.Connection(process.endpoint, str(file), hyper.CreateMode.CREATE) as connection:
                    _fill(hyper, connection, table, parts[table.name])
    except hyper.HyperException as error:
        raise WorkspaceError(f"{folder.parent}: the extract cannot be written ({error.main_message}).") from error


def _fill(hyper: Any, connection: Any, table: ExportTable, parts: Sequence[Path]) -> None:
    columns = [
        hyper.TableDefinition.Column(column.name, getattr(hyper.SqlType, _HYPER[column.type])())
        for column in table.columns
    ]
    # Tableau looks for Extract.Extract first.
    home = hyper.TableName("Extract", "Extract")
    connection.catalog.create_schema("Extract")
    connection.catalog.create_table(hyper.TableDefinition(home, columns))
    for part in parts:
        file = hyper.escape_string_literal(str(part.resolve()))
        connection.execute_command(f"COPY {home} FROM {file} WITH (FORMAT PARQUET)")
