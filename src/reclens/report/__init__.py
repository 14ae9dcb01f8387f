"""Results as tables, charts and a self-contained HTML report. All numbers come from the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.report._toolkit.format import format_number
    from reclens.report._toolkit.html import Document
    from reclens.report._toolkit.tables import Table, to_csv, to_json, to_markdown
    from reclens.report.audit.about import AuditAbout, AuditAction
    from reclens.report.audit.comparison import build_audit_comparison
    from reclens.report.audit.document import AuditReport, build_audit_report
    from reclens.report.data.artefact_words import artefact_summary
    from reclens.report.evaluation.explanations import explanation_text
    from reclens.report.evaluation.gate import gate_in_words, gate_table
    from reclens.report.evaluation.problem_words import fit_problems, id_problems, task_problems
    from reclens.report.evaluation.report import TASKS_IN_WORDS, build_report, oddities, other_names
    from reclens.report.evaluation.tables import comparison_table, leaderboard, segment_table
    from reclens.report.evaluation.tuning import cautions_in_words
    from reclens.report.evaluation.words import comparison_text
    from reclens.report.experiment.decision_words import summary_of_readout
    from reclens.report.experiment.off_policy_words import off_policy_text
    from reclens.report.experiment.plan import build_plan_document
    from reclens.report.experiment.readout import build_readout
    from reclens.report.explore.document import build_exploration_report

__all__ = [
    "TASKS_IN_WORDS",
    "AuditAbout",
    "AuditAction",
    "AuditReport",
    "Document",
    "Table",
    "artefact_summary",
    "build_audit_comparison",
    "build_audit_report",
    "build_exploration_report",
    "build_plan_document",
    "build_readout",
    "build_report",
    "cautions_in_words",
    "comparison_table",
    "comparison_text",
    "explanation_text",
    "fit_problems",
    "format_number",
    "gate_in_words",
    "gate_table",
    "id_problems",
    "leaderboard",
    "oddities",
    "off_policy_text",
    "other_names",
    "segment_table",
    "summary_of_readout",
    "task_problems",
    "to_csv",
    "to_json",
    "to_markdown",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "AuditAbout": "audit.about",
        "AuditAction": "audit.about",
        "AuditReport": "audit.document",
        "Document": "_toolkit.html",
        "artefact_summary": "data.artefact_words",
        "build_audit_comparison": "audit.comparison",
        "build_audit_report": "audit.document",
        "build_exploration_report": "explore.document",
        "TASKS_IN_WORDS": "evaluation.report",
        "Table": "_toolkit.tables",
        "build_plan_document": "experiment.plan",
        "build_readout": "experiment.readout",
        "build_report": "evaluation.report",
        "cautions_in_words": "evaluation.tuning",
        "comparison_table": "evaluation.tables",
        "explanation_text": "evaluation.explanations",
        **dict.fromkeys(("fit_problems", "id_problems", "task_problems"), "evaluation.problem_words"),
        "format_number": "_toolkit.format",
        "gate_in_words": "evaluation.gate",
        "gate_table": "evaluation.gate",
        "leaderboard": "evaluation.tables",
        "oddities": "evaluation.report",
        "off_policy_text": "experiment.off_policy_words",
        "other_names": "evaluation.report",
        "segment_table": "evaluation.tables",
        "summary_of_readout": "experiment.decision_words",
        "to_csv": "_toolkit.tables",
        "to_json": "_toolkit.tables",
        "to_markdown": "_toolkit.tables",
        "comparison_text": "evaluation.words",
    },
)
