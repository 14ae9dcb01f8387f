"""Two audits side by side as a document: what improved, what got worse, with intervals."""

from __future__ import annotations

from reclens.audit import AuditComparison
from reclens.report._toolkit.document import DocumentPart, RenderedDocument, write_document
from reclens.report._toolkit.format import count_of, sentence, whole
from reclens.report._toolkit.html import figure_of
from reclens.report.audit.charts import change_chart
from reclens.report.audit.sentences import ratio_text
from reclens.report.audit.tables import change_table
from reclens.report.audit.words import CHANGES, SECTIONS, measure_name

__all__ = ["build_audit_comparison", "comparison_sentence"]

_SHOWN = 5


def comparison_sentence(found: AuditComparison) -> str:
    """How many numbers moved towards parity, and how many away from it."""
    counts = {code: sum(each.outcome == code for each in found.changes) for code in CHANGES}
    told = ", ".join(f"{whole(n)} {CHANGES[code]}" for code, n in counts.items() if n)
    return f"{found.after} against {found.before}: of {count_of(len(found.changes), 'number')}, {told}"


def build_audit_comparison(found: AuditComparison, *, synthetic: bool = False) -> RenderedDocument:
    """Write what became of every number that both audits have.

    Args:
        found: The comparison.
        synthetic: Whether the data are made up, which the page then says.
    """
    chart = change_chart(found)
    parts = [
        DocumentPart(
            title="What changed",
            lead="Impact ratios: 1 is parity, below 1 the group is worse off. A change counts as better where it leads "
            "nearer to parity and its corrected test finds it.",
            figures=() if chart is None else (figure_of(chart, "Impact ratios of both", tall=True),),
            tables=(change_table(found),),
        ),
        DocumentPart(
            title="How it was compared",
            points=(
                "On the logarithm of the impact ratios, with standard errors as of independent users.",
                "Two audits of the same users are compared too cautiously.",
                "Corrected by Benjamini and Hochberg over all changes.",
                (
                    f"Only in {found.before}: {whole(found.only_before)}. Only in {found.after}: "
                    f"{whole(found.only_after)}."
                ),
            ),
        ),
    ]
    return write_document(
        title=f"Audits compared: {found.before} and {found.after}",
        subject=f"{found.before} → {found.after} · {count_of(len(found.changes), 'number')}",
        heading="What improved, and what got worse",
        summary=[f"{comparison_sentence(found)}.", *_told(found)],
        parts=parts,
        synthetic=synthetic,
    )


def _told(found: AuditComparison) -> list[str]:
    """The first changes for sure of each kind."""
    return [
        f"{sentence(CHANGES[code])}: {SECTIONS[each.section].lower()}, {each.subject}, "
        f"{measure_name(each.measure)}: {ratio_text(each.before)} → {ratio_text(each.after)}."
        for code in ("worse", "improved")
        for each in [change for change in found.changes if change.outcome == code][:_SHOWN]
    ]
