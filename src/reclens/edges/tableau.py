"""Tableau: an extract (``.hyper``) a table, and beside it a data source (``.tds``) that says what its columns are.

Extracts are written by Tableau's own Hyper API (Apache-2.0), which brings the Hyper process as a binary and needs no
other library: Hyper reads the staged Parquet files itself. Nothing is reported to Tableau.

References: Hyper API, https://tableau.github.io/hyper-db; Tableau data source files (.tds).
"""

from __future__ import annotations

import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from reclens.edges._staging import Exported, Parts, refuse_to_replace, stage, write_folder
from reclens.engine import Progress, need, quiet
from reclens.errors import WorkspaceError
from reclens.export.columns import ExportColumn, ExportTable
from reclens.export.rows import export_frames
from reclens.export.schema import EXPORTS
from reclens.workspace import Workspace

__all__ = ["export_tableau", "write_tds"]

_HYPER: Final = {
    "text": "text",
    "whole": "big_int",
    "real": "double",
    "truth": "bool",
    "day": "date",
    "moment": "timestamp",
}

_TABLEAU: Final = {
    "text": "string",
    "whole": "integer",
    "real": "real",
    "truth": "boolean",
    "day": "date",
    "moment": "datetime",
}

_REMOTE: Final = {"text": "129", "whole": "20", "real": "5", "truth": "11", "day": "133", "moment": "135"}
"""What OLE DB calls the types: Tableau uses its numbers for those of the extract."""

_FORMATS: Final = {
    "count": "n#,##0;-#,##0",
    "value": "n0.0000;-0.0000",
    "signed": "*+0.0000;-0.0000;0.0000",
    "share": "p0%",
    "p": "n0.0000",
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
    """Write an extract and a data source a table. Needs the extra ``tableau``.

    Args:
        workspace: The workspace.
        out: A folder.
        evaluations: Names of evaluations; by default the newest that can be compared with each other.
        comparison: Take verdicts of this comparison alone; by default each run's newest.
        overwrite: Replace files of the same names.
        progress: Told of each run.

    Raises:
        MissingExtraError: If the Hyper API is not installed.
        UnknownNameError: If an evaluation or the comparison does not exist.
        UsageError: If there is nothing to export.
        WorkspaceError: If a file is in the way, or cannot be written.
    """
    need("tableauhyperapi", extra="tableau")
    place = Path(out)
    files = [place / f"{table.name}.{kind}" for table in EXPORTS for kind in ("hyper", "tds")]
    refuse_to_replace(files, overwrite=overwrite)
    frames = export_frames(workspace, evaluations=evaluations, comparison=comparison, progress=progress)
    with write_folder(place) as folder, tempfile.TemporaryDirectory(dir=folder, prefix=".parts-") as parts:
        staged, rows = stage(frames, Path(parts))
        progress("write extracts", 0, 0)
        _write_extracts(staged, folder)
        for table in EXPORTS:
            (folder / f"{table.name}.tds").write_bytes(write_tds(table))
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


def write_tds(table: ExportTable) -> bytes:
    """The data source of one table: which extract it reads, and what each column is."""
    name = f"hyper.{table.name}"
    source = ET.Element(
        "datasource",
        {"formatted-name": f"RecLens {table.caption}", "inline": "true", "source-platform": "win", "version": "18.1"},
    )
    outer = ET.SubElement(source, "connection", {"class": "federated"})
    named = ET.SubElement(
        ET.SubElement(outer, "named-connections"), "named-connection", {"caption": table.caption, "name": name}
    )
    ET.SubElement(
        named,
        "connection",
        {
            "authentication": "auth-none",
            "class": "hyper",
            "dbname": f"{table.name}.hyper",
            "default-settings": "yes",
            "schema": "Extract",
            "sslmode": "",
            "tablename": "Extract",
            "username": "tableau_internal_user",
        },
    )
    ET.SubElement(
        outer, "relation", {"connection": name, "name": "Extract", "table": "[Extract].[Extract]", "type": "table"}
    )
    columns = ET.SubElement(outer, "cols")
    for column in table.columns:
        ET.SubElement(columns, "map", {"key": f"[{column.name}]", "value": f"[Extract].[{column.name}]"})
    records = ET.SubElement(outer, "metadata-records")
    for ordinal, column in enumerate(table.columns):
        _record(records, column, ordinal)
    ET.SubElement(source, "aliases", {"enabled": "yes"})
    for column in table.columns:
        _describe(source, column)
    ET.indent(source)
    return ET.tostring(source, encoding="utf-8", xml_declaration=True) + b"\n"


def _record(records: ET.Element, column: ExportColumn, ordinal: int) -> None:
    """What Tableau would find in the extract itself."""
    record = ET.SubElement(records, "metadata-record", {"class": "column"})
    about = {
        "remote-name": column.name,
        "remote-type": _REMOTE[column.type],
        "local-name": f"[{column.name}]",
        "parent-name": "[Extract]",
        "remote-alias": column.name,
        "ordinal": str(ordinal),
        "local-type": _TABLEAU[column.type],
        "aggregation": _aggregation(column) or "Count",
        "contains-null": "true",
    }
    for name, value in about.items():
        ET.SubElement(record, name).text = value


def _aggregation(column: ExportColumn) -> str | None:
    """How a measure starts out: one row is one number, whose mean is itself; a sum would be a wrong number."""
    return "Avg" if column.measure else None


def _describe(source: ET.Element, column: ExportColumn) -> None:
    about = {"caption": column.caption, "datatype": _TABLEAU[column.type], "name": f"[{column.name}]"}
    aggregation = _aggregation(column)
    if aggregation is not None:
        about |= {"aggregation": aggregation, "role": "measure", "type": "quantitative"}
    else:
        about |= {"role": "dimension", "type": "ordinal" if column.type in ("day", "moment", "whole") else "nominal"}
    if column.shown:
        about["default-format"] = _FORMATS[column.shown]
    element = ET.SubElement(source, "column", about)
    text = ET.SubElement(ET.SubElement(element, "desc"), "formatted-text")
    ET.SubElement(text, "run").text = column.description
