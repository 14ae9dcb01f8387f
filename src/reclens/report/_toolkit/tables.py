"""Results as tables, for the terminal, Markdown, CSV, JSON and HTML alike."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from reclens.report._toolkit.format import NOTHING

__all__ = [
    "Table",
    "to_csv",
    "to_json",
    "to_markdown",
]

_NUMBER = re.compile(r"[<>]?\s?[-+−±]?[\d.]")
_BESIDE = re.compile(r"\[[^]]*\]|\([^)]*\)")
_WORD = re.compile(r"[^\W\d_]{2,}")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as text, from rows of numbers.

    Attributes:
        title: What it shows.
        columns: Column heads.
        rows: Cells, as many as columns.
        records: The numbers behind it, one dictionary a row of the result.
        notes: How to read it; a document says it once, in a panel of its own.
        footnotes: Meaning of the marks in the cells, shown below the table.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    records: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...] = ()
    footnotes: tuple[str, ...] = ()

    @cached_property
    def numeric(self) -> tuple[bool, ...]:
        """Whether each column holds numbers, which are read from the right; words are read from the left."""
        columns = ([row[at] for row in self.rows] for at in range(len(self.columns)))
        return tuple(all(cell == NOTHING or _is_number(cell) for cell in cells) for cells in columns)


def _is_number(cell: str) -> bool:
    """Whether a cell holds a number, perhaps with its unit: a sentence can begin with one too."""
    return _NUMBER.match(cell) is not None and len(_WORD.findall(_BESIDE.sub("", cell))) < 2


def to_markdown(table: Table) -> str:
    """The table as Markdown; ``|`` in a cell and HTML tags are escaped."""
    lines = [_line(table.columns), _line(["---", *("--:" if number else "---" for number in table.numeric[1:])])]
    lines += [_line(row) for row in table.rows]
    said = (*table.footnotes, *table.notes)
    return "\n".join([*lines, "", *(f"*{_text(note)}*  " for note in said)]) + "\n"


def to_csv(table: Table) -> str:
    """The numbers behind the table as CSV. A text or head that a spreadsheet would run as a formula gets a quote."""
    out = io.StringIO()
    if table.records:
        heads = list(table.records[0])
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(map(_inert, heads))
        writer.writerows([_inert(record.get(name)) for name in heads] for record in table.records)
    return out.getvalue()


def to_json(table: Table) -> str:
    """The numbers behind the table as JSON; NaN, which JSON does not have, is null."""
    records = [
        {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in record.items()}
        for record in table.records
    ]
    content = {"title": table.title, "notes": [*table.footnotes, *table.notes], "rows": records}
    return json.dumps(content, indent=1, ensure_ascii=False, default=_time_as_text)


def _time_as_text(value: object) -> str:
    if isinstance(value, date):  # a datetime is one too
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_text(cell).replace("|", "\\|") for cell in cells) + " |"


def _text(words: str) -> str:
    """Words on one line, in which no tag begins: names come from data, and Markdown passes HTML on."""
    return _TAG.sub("&lt;", words.replace("\n", " "))


def _inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
