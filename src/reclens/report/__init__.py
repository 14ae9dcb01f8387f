"""Results as tables, charts and a self-contained HTML report. Everything is read from results, nothing is computed."""

from __future__ import annotations

from reclens.report._toolkit.html import Document
from reclens.report._toolkit.tables import (
    Table,
    format_number,
    to_csv,
    to_json,
    to_markdown,
)
from reclens.report.evaluation.gate import gate_in_words, gate_table
from reclens.report.evaluation.report import TASKS_IN_WORDS, build_report, oddities, other_names
from reclens.report.evaluation.tables import comparison_table, leaderboard, segment_table
from reclens.report.evaluation.words import verdict

__all__ = [
    "TASKS_IN_WORDS",
    "Document",
    "Table",
    "build_report",
    "comparison_table",
    "format_number",
    "gate_in_words",
    "gate_table",
    "leaderboard",
    "oddities",
    "other_names",
    "segment_table",
    "to_csv",
    "to_json",
    "to_markdown",
    "verdict",
]
