"""The report of an audit: the page that decides, then scope, groups, findings, causes, actions and annexes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from reclens.audit import Audit
from reclens.audit.rows import Severity
from reclens.report._toolkit.card import DecisionWords
from reclens.report._toolkit.document import RenderedDocument, Stamp, write_document
from reclens.report._toolkit.format import count_of, whole
from reclens.report._toolkit.pdf import Printed, print_pdf
from reclens.report._toolkit.tables import Table, to_csv
from reclens.report.audit.about import BLANK, AuditAbout
from reclens.report.audit.annex import crosswalk_part, formula_part, rules_part
from reclens.report.audit.parts import (
    actions_part,
    again_part,
    cause_parts,
    criteria_part,
    first_actions_part,
    groups_part,
    proof_part,
    scope_part,
    sensitivity_part,
    system_part,
    thresholds_part,
)
from reclens.report.audit.sections import finding_parts, section_title
from reclens.report.audit.sentences import (
    finding_sentence,
    headline,
    top_findings,
)
from reclens.report.audit.tables import opinion_table
from reclens.report.audit.trials import trial_records, trials_part
from reclens.report.audit.words import OPINIONS, SECTIONS, SEVERITIES, TONES
from reclens.schema import versions
from reclens.stats.gate import GateResult

__all__ = ["AuditReport", "audit_id", "build_audit_report", "stamps_of", "tone_of"]

_COUNTED: Final[tuple[Severity, ...]] = ("critical", "high", "medium")


@dataclass(frozen=True)
class AuditReport:
    """A finished report.

    Attributes:
        written: The document as HTML and Markdown.
        numbers: Every number as CSV.
        trials: Every number of the mitigation trials as CSV; None where there were none.
    """

    written: RenderedDocument
    numbers: str
    trials: str | None = None

    def save(self, stem: str | Path, *, pdf: bool = True) -> tuple[dict[str, Path], Printed | None]:
        """Write ``STEM.html``, ``STEM.md``, ``STEM.csv`` and, where there is a Chromium to print it, ``STEM.pdf``.

        Trials of mitigations stand in ``STEM-trials.csv``.

        Returns:
            The files by their kind, and what became of the PDF; None where none was asked for.

        Raises:
            WorkspaceError: If a file cannot be written.
        """
        from reclens.files import write_text

        markdown, page = self.written.save(stem)
        numbers = page.with_suffix(".csv")
        write_text(numbers, self.numbers)
        files = {"html": page, "markdown": markdown, "csv": numbers}
        if self.trials is not None:
            files["trials"] = page.with_name(f"{page.stem}-trials.csv")
            write_text(files["trials"], self.trials)
        printed = print_pdf(page, page.with_suffix(".pdf")) if pdf else None
        if printed is not None and printed.path is not None:
            files["pdf"] = printed.path
        return files, printed


def build_audit_report(
    audit: Audit,
    *,
    about: AuditAbout | None = None,
    sensitivity: Mapping[str, Audit] | None = None,
    gate: GateResult | None = None,
    synthetic: bool = False,
) -> AuditReport:
    """Write the report of an audit.

    Args:
        audit: The audit.
        about: What its author says beside the numbers.
        sensitivity: The same audit under other choices, such as another k, by what was changed.
        gate: What the gate came to, where there is one.
        synthetic: Whether the data are made up, which the page then says.

    Returns:
        The document as HTML and Markdown, and the numbers as CSV.
    """
    about = about or AuditAbout()
    top = top_findings(audit)
    parts = [
        first_actions_part(audit),
        scope_part(audit, about),
        system_part(audit, about),
        groups_part(audit),
        criteria_part(audit),
        *finding_parts(audit),
        *cause_parts(audit),
        trials_part(audit.mitigation),
        actions_part(audit, about),
        thresholds_part(audit, gate),
        sensitivity_part(audit, sensitivity or {}),
        proof_part(audit),
        formula_part([row.measure for row in audit.rows] + [each.measure for each in audit.bias]),
        rules_part(opinion_table(audit)),
        crosswalk_part(),
        again_part(audit, about),
    ]
    verdict = DecisionWords(about="", headline=f"{headline(audit)}.", tone=tone_of(audit), lines=())
    summary = [finding_sentence(audit, each) for each in top]
    if not top:
        summary.append("No gap was found that is critical, high, medium or low.")
    written = write_document(
        title=about.title or f"Fairness and bias audit: {audit.system}",
        subject=f"{audit.system} · {count_of(audit.card['users'], 'user')} · lists of {audit.card['settings']['k']}",
        heading="Opinion, and the findings that matter",
        summary=summary,
        parts=parts,
        card=verdict,
        synthetic=synthetic,
        cover=_cover(audit, about),
        stamps=stamps_of(audit),
    )
    tried = None
    if audit.mitigation is not None:
        tried = to_csv(Table(title="Trials", columns=(), rows=(), records=tuple(trial_records(audit.mitigation))))
    return AuditReport(
        written, to_csv(Table(title="Numbers", columns=(), rows=(), records=tuple(audit.to_dicts()))), tried
    )


def audit_id(audit: Audit) -> str:
    """A name for exactly these numbers and settings: 12 hexadecimal digits."""
    text = json.dumps([audit.system, audit.to_dicts(), dict(audit.card)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def tone_of(audit: Audit) -> Literal["good", "open", "bad"]:
    """Bad where a criterion fails, good where every one that was measured holds."""
    found = {TONES[opinion] for section, opinion in audit.opinions.items() if audit.section(section)}
    return "bad" if "bad" in found else "good" if found <= {"good", "none"} and "good" in found else "open"


def _cover(audit: Audit, about: AuditAbout) -> list[tuple[str, str]]:
    card = audit.card

    def content(name: str) -> str:
        found = card.get(name)
        if isinstance(found, Mapping):
            return f"{found['hash']} ({whole(found['rows'])} rows)" if "rows" in found else str(found["hash"])
        return str(found) if found else "not given"

    return [
        ("Audit", audit_id(audit)),
        ("System", audit.system),
        ("Date", datetime.now(UTC).strftime("%Y-%m-%d")),
        ("Version", f"RecLens {versions()['reclens']}"),
        ("Auditor", about.auditor or BLANK),
        ("Independence", about.independence or "not stated"),
        ("Lists", content("lists")),
        ("Truth", content("truth")),
        ("Training data", content("train")),
        ("Catalogue", content("catalogue")),
    ]


def stamps_of(audit: Audit) -> list[Stamp]:
    """The opinion on each criterion, in the order of the criteria."""
    found = []
    for section, opinion in audit.opinions.items():
        rows = audit.section(section)
        counts: dict[Severity, int] = {level: sum(row.severity == level for row in rows) for level in _COUNTED}
        note = ", ".join(f"{n} {SEVERITIES[level]}" for level, n in counts.items() if n)
        missing = not rows
        found.append(
            Stamp(
                title=SECTIONS[section],
                verdict=OPINIONS[opinion],
                note=note or ("" if missing else f"{whole(len(rows))} numbers"),
                tone=TONES[opinion],
                part="Scope, and what was not measured" if missing else section_title(section),
            )
        )
    return found
