"""The data source of Tableau (``.tds``): its extract and its columns.

References: Tableau data source files (.tds).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Final

from reclens.export.columns import ExportColumn, ExportTable

__all__ = ["describe", "source_of", "write_tds"]

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


def write_tds(table: ExportTable) -> bytes:
    """The data source of one table as a file."""
    about = {"formatted-name": f"RecLens {table.caption}", "inline": "true", "source-platform": "win"}
    source = source_of(table, about)
    ET.indent(source)
    return ET.tostring(source, encoding="utf-8", xml_declaration=True) + b"\n"


def source_of(table: ExportTable, about: Mapping[str, str]) -> ET.Element:
    """The data source of one table: its extract and its columns.

    Args:
        table: The table.
        about: Attributes of the element.
    """
    name = f"hyper.{table.name}"
    source = ET.Element("datasource", {**about, "version": "18.1"})
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
        describe(source, column)
    return source


def _record(records: ET.Element, column: ExportColumn, ordinal: int) -> None:
    """Metadata that Tableau would read from the extract."""
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
    """Default aggregation of a measure: the mean, because a sum over rows would be wrong."""
    return "Avg" if column.measure else None


def describe(source: ET.Element, column: ExportColumn) -> None:
    """Add a column to a data source or its dependency."""
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
