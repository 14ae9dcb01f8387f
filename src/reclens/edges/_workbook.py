"""The workbook of Tableau (``.twb``): one sheet per question, over the extracts in its folder.

A sheet defines its rows, columns, marks and filters. It shows all keys of its numbers, so that a mean of values is a
single value; on the sheet of users it is the mean over users of one metric.

References: Tableau document schemas, https://github.com/tableau/tableau-document-schemas; the file fits those of 2026.1
and 2026.2.
"""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from reclens.edges._tds import describe, source_of
from reclens.export.columns import ExportColumn, ExportTable
from reclens.export.schema import DAILY_HEALTH, LEADERBOARD, SEGMENT_METRICS, USER_METRICS

__all__ = ["SHEETS", "Sheet", "write_workbook"]

_USER: Final = "http://www.tableausoftware.com/xml/user"
_IDENTITIES: Final = uuid.UUID("6f6c2f0e-4d0b-5c1e-9a55-7e0e3a8f3f10")
"""Sheets have the same identity in every export, so that what links to them stays."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One sheet.

    Attributes:
        title: Its name.
        table: Table that it shows.
        rows: Columns on its rows; measures come last.
        columns: Columns on its columns.
        mark: ``Bar``, ``Line``, ``Square`` or ``Text``.
        colour: Column that colours its marks; None for none.
        text: Measure that is written into its marks; None for none.
        keep: Column -> the value that it is filtered to.
        by_metric: Whether it is filtered to one selected metric, because metrics differ in scale.
    """

    title: str
    table: ExportTable
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    mark: str
    colour: str | None = None
    text: str | None = None
    keep: tuple[tuple[str, str], ...] = ()
    by_metric: bool = False


SHEETS: Final = (
    Sheet(title="All users", table=LEADERBOARD, rows=("run",), columns=("value",), mark="Bar", by_metric=True),
    Sheet(title="Every metric", table=LEADERBOARD, rows=("metric",), columns=("run",), mark="Text", text="value"),
    Sheet(
        title="By segment",
        table=SEGMENT_METRICS,
        rows=("segmentation", "segment", "run"),
        columns=("value",),
        mark="Bar",
        colour="run",
        by_metric=True,
    ),
    Sheet(title="Mean over users", table=USER_METRICS, rows=("run",), columns=("value",), mark="Bar", by_metric=True),
    Sheet(
        title="Daily health",
        table=DAILY_HEALTH,
        rows=("system", "indicator", "value"),
        columns=("day",),
        mark="Line",
        keep=(("segmentation", "overall"),),
    ),
    Sheet(
        title="Status by day",
        table=DAILY_HEALTH,
        rows=("system", "indicator"),
        columns=("day",),
        mark="Square",
        colour="status",
        keep=(("segmentation", "overall"),),
    ),
)
"""The sheets, in the order of their tabs."""


def write_workbook(metric: str | None) -> bytes:
    """The workbook over the extracts of its folder; it contains no names of runs, systems, segments or users.

    Args:
        metric: The metric that its sheets open with; None without evaluations.
    """
    ET.register_namespace("user", _USER)
    build = {"original-version": "18.1", "source-build": "2022.1.0 (20221.22.0415.1144)", "source-platform": "win"}
    book = ET.Element("workbook", {**build, "version": "18.1"})
    sources = ET.SubElement(book, "datasources")
    for table in dict.fromkeys(each.table for each in SHEETS):
        about = {"caption": f"RecLens {table.caption}", "inline": "true", "name": _home(table)}
        sources.append(source_of(table, about))
    sheets = ET.SubElement(book, "worksheets")
    windows = ET.SubElement(book, "windows", {"source-height": "30"})
    for at, sheet in enumerate(SHEETS):
        sheets.append(_sheet(sheet, metric))
        windows.append(_window(sheet, first=at == 0))
    ET.indent(book)
    return ET.tostring(book, encoding="utf-8", xml_declaration=True) + b"\n"


def _home(table: ExportTable) -> str:
    return f"federated.{table.name}"


def _sheet(sheet: Sheet, metric: str | None) -> ET.Element:
    found = ET.Element("worksheet", {"name": sheet.title})
    table = ET.SubElement(found, "table")
    table.append(_view(sheet, metric))
    table.append(_style(sheet))
    table.append(_panes(sheet))
    ET.SubElement(table, "rows").text = _shelf(sheet, sheet.rows)
    ET.SubElement(table, "cols").text = _shelf(sheet, sheet.columns)
    ET.SubElement(found, "simple-id", {"uuid": _identity(f"sheet {sheet.title}")})
    return found


def _view(sheet: Sheet, metric: str | None) -> ET.Element:
    view = ET.Element("view")
    home = ET.SubElement(view, "datasources")
    ET.SubElement(home, "datasource", {"caption": f"RecLens {sheet.table.caption}", "name": _home(sheet.table)})
    kept = dict(sheet.keep)
    if sheet.by_metric and metric is not None:
        kept["metric"] = metric
    shown = [*sheet.rows, *sheet.columns, *kept, *(each for each in (sheet.colour, sheet.text) if each)]
    used = [_column(sheet.table, name) for name in dict.fromkeys(shown)]
    needed = ET.SubElement(view, "datasource-dependencies", {"datasource": _home(sheet.table)})
    for column in used:
        describe(needed, column)
    for column in used:
        about = {"column": f"[{column.name}]", "derivation": "Avg" if column.measure else "None", "pivot": "key"}
        ET.SubElement(needed, "column-instance", {**about, "name": f"[{_instance(column)}]", "type": _type(column)})
    for name, value in kept.items():
        view.append(_filter(sheet.table, name, value))
    if kept:
        slices = ET.SubElement(view, "slices")
        for name in kept:
            ET.SubElement(slices, "column").text = _field(sheet.table, name)
    ET.SubElement(view, "aggregation", {"value": "true"})
    return view


def _filter(table: ExportTable, name: str, value: str) -> ET.Element:
    found = ET.Element("filter", {"class": "categorical", "column": _field(table, name)})
    marks = {f"{{{_USER}}}ui-domain": "database", f"{{{_USER}}}ui-enumeration": "inclusive"}
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    about = {"function": "member", "level": f"[{_instance(_column(table, name))}]", "member": quoted}
    ET.SubElement(found, "groupfilter", {**about, **marks, f"{{{_USER}}}ui-marker": "enumerate"})
    return found


def _style(sheet: Sheet) -> ET.Element:
    """A separate axis for each row, because indicators differ in scale."""
    style = ET.Element("style")
    axes = [name for name in sheet.rows[1:] if _column(sheet.table, name).measure]
    for name in axes:
        rule = ET.SubElement(style, "style-rule", {"element": "axis"})
        about = {"attr": "space", "class": "0", "field": _field(sheet.table, name), "field-type": "quantitative"}
        ET.SubElement(rule, "encoding", {**about, "range-type": "independent", "scope": "rows", "type": "space"})
    return style


def _panes(sheet: Sheet) -> ET.Element:
    panes = ET.Element("panes")
    pane = ET.SubElement(panes, "pane", {"selection-relaxation-option": "selection-relaxation-allow"})
    ET.SubElement(ET.SubElement(pane, "view"), "breakdown", {"value": "auto"})
    ET.SubElement(pane, "mark", {"class": sheet.mark})
    told = {"color": sheet.colour, "text": sheet.text}
    if any(told.values()):
        encodings = ET.SubElement(pane, "encodings")
        for kind, name in told.items():
            if name is not None:
                ET.SubElement(encodings, kind, {"column": _field(sheet.table, name)})
    return panes


def _window(sheet: Sheet, *, first: bool) -> ET.Element:
    """The window of a sheet, with its filters at the side."""
    found = ET.Element("window", {"class": "worksheet", "maximized": str(first).lower(), "name": sheet.title})
    cards = ET.SubElement(found, "cards")
    left = ET.SubElement(ET.SubElement(cards, "edge", {"name": "left"}), "strip", {"size": "160"})
    for kind in ("pages", "filters", "marks"):
        ET.SubElement(left, "card", {"type": kind})
    top = ET.SubElement(cards, "edge", {"name": "top"})
    for kind in ("columns", "rows", "title"):
        ET.SubElement(ET.SubElement(top, "strip", {"size": "31"}), "card", {"type": kind})
    if sheet.by_metric:
        right = ET.SubElement(ET.SubElement(cards, "edge", {"name": "right"}), "strip", {"size": "160"})
        ET.SubElement(right, "card", {"mode": "radiolist", "param": _field(sheet.table, "metric"), "type": "filter"})
    ET.SubElement(found, "simple-id", {"uuid": _identity(f"window {sheet.title}")})
    return found


def _shelf(sheet: Sheet, names: Iterable[str]) -> str:
    """The content of a shelf: nested headers around an axis."""
    columns = [_column(sheet.table, name) for name in names]
    headers = [_field(sheet.table, each.name) for each in columns if _type(each) == "nominal"]
    axes = [_field(sheet.table, each.name) for each in columns if _type(each) == "quantitative"]
    found = headers.pop() if headers else ""
    for each in reversed(headers):
        found = f"({each} / {found})"
    for each in axes:
        found = f"({found} * {each})" if found else each
    return found


def _column(table: ExportTable, name: str) -> ExportColumn:
    return next(each for each in table.columns if each.name == name)


def _type(column: ExportColumn) -> str:
    """``quantitative`` is an axis: of a measure, or of days."""
    return "quantitative" if column.measure or column.type in ("day", "moment") else "nominal"


def _instance(column: ExportColumn) -> str:
    return f"{'avg' if column.measure else 'none'}:{column.name}:{'qk' if _type(column) == 'quantitative' else 'nk'}"


def _field(table: ExportTable, name: str) -> str:
    return f"[{_home(table)}].[{_instance(_column(table, name))}]"


def _identity(name: str) -> str:
    return f"{{{str(uuid.uuid5(_IDENTITIES, name)).upper()}}}"
