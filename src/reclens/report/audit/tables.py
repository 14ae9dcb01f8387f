"""Tables of audits: evidence, opinions, what was not measured, preflight, changes, detectable gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reclens.audit import AdjustedGap, Audit, AuditComparison, AuditPlan, AuditRow
from reclens.audit.comparison import AuditChange
from reclens.audit.severity import LEVELS
from reclens.report._toolkit.format import (
    NOTHING,
    between,
    count_of,
    decimal,
    format_number,
    p_value,
    percent,
    sentence,
    whole,
)
from reclens.report._toolkit.tables import Table
from reclens.report.audit.sentences import claim, ratio_text, subject_text
from reclens.report.audit.words import (
    CHANGES,
    FAMILIES,
    LACKING,
    OPINIONS,
    RANKERS,
    REASONS,
    SECTIONS,
    SEVERITIES,
    STEPS,
    measure_name,
    reference_name,
)

__all__ = [
    "adjusted_table",
    "change_table",
    "evidence_table",
    "finding_table",
    "hypothesis_table",
    "not_measured_table",
    "opinion_table",
    "plan_table",
    "preflight_table",
    "stage_tables",
    "tier_table",
]

_SHOWN: Final = 15


_EXACT: Final = 1e-6
"""Tolerances below this are for the rounding of sums alone."""


def opinion_table(audit: Audit) -> Table:
    """One row a criterion: what it comes to, and how many numbers of each severity stand behind it."""
    rows, records = [], []
    for section, opinion in audit.opinions.items():
        counts = {level: sum(row.severity == level for row in audit.section(section)) for level in LEVELS}
        rows.append((SECTIONS[section], OPINIONS[opinion], *(whole(counts[level]) for level in LEVELS)))
        records.append({"criterion": section, "opinion": opinion, **counts})
    heads = ("criterion", "opinion", *(SEVERITIES[level] for level in LEVELS))
    return Table(title=f"Opinion on {audit.system}", columns=heads, rows=tuple(rows), records=tuple(records))


def finding_table(audit: Audit, rows: Sequence[AuditRow], *, title: str = "Findings") -> Table:
    """Findings in words, the gravest first."""
    cells = tuple((SEVERITIES[row.severity], claim(row), whole(row.n), _p(row)) for row in rows)
    records = tuple(row.to_dicts()[0] for row in rows)
    return Table(title=title, columns=("severity", "finding", "n", "adjusted p"), rows=cells, records=records)


def evidence_table(rows: Sequence[AuditRow], *, title: str = "Evidence", most: int = _SHOWN) -> Table:
    """The numbers behind a finding: n, value, reference, ratio with interval, corrected p, how it was asked, severity.

    Args:
        rows: The rows, the gravest first.
        title: Its title.
        most: Rows that are shown; the others are counted in a note and stand in the annex.
    """
    chosen = _chosen(rows, most)
    cells = tuple(
        (
            subject_text(row),
            SEVERITIES[row.severity] + (f": {REASONS[row.reason]}" if row.reason is not None else ""),
            measure_name(row.measure),
            reference_name(row.reference),
            whole(row.n),
            format_number(row.value.value),
            format_number(row.reference_value.value),
            ratio_text(row.ratio),
            _p(row),
            FAMILIES[row.family],
        )
        for row in chosen
    )
    heads = ("group", "severity", "measure", "against", "n", "value", "reference", "ratio", "adjusted p", "asked")
    left = len(rows) - len(chosen)
    notes = (f"{whole(left)} more are in the annex of numbers (CSV).",) if left else ()
    return Table(
        title=title, columns=heads, rows=cells, records=tuple(row.to_dicts()[0] for row in chosen), notes=notes
    )


def adjusted_table(gaps: Sequence[AdjustedGap]) -> Table:
    """What explains the gap of each group: raw, due to each confounder, and what is left."""
    names = list(dict.fromkeys(name for gap in gaps for name in gap.explained))
    cells = tuple(
        (
            f"{gap.segment} ({gap.by})",
            between(gap.raw),
            *(between(gap.explained[name]) if name in gap.explained else NOTHING for name in names),
            between(gap.left),
            whole(gap.left_out),
        )
        for gap in gaps
    )
    heads = ("group", "raw gap", *(f"due to {STEPS[name]}" for name in names), STEPS["left"], "users without a match")
    notes = ("Gap: the group less all others. Users without a match have nobody of equal activity and profile.",)
    records = tuple(row for gap in gaps for row in gap.to_dicts())
    metric = gaps[0].metric if gaps else ""
    return Table(title=f"What explains gaps in {metric}", columns=heads, rows=cells, records=records, notes=notes)


def hypothesis_table(audit: Audit) -> Table:
    """The confirmatory tests, with what became of them."""
    rows = [row for row in audit.rows if row.family == "confirmatory"]
    kinds: dict[tuple[str, str | None, str, str], list[AuditRow]] = {}
    for row in rows:
        kinds.setdefault((row.measure, row.attribute, row.by, row.reference), []).append(row)
    cells, records = [], []
    for (measure, attribute, by, reference), found in kinds.items():
        worst = min(found, key=lambda row: LEVELS.index(row.severity))
        about = attribute or ("all users" if by == "overall" else by)
        cells.append(
            (measure_name(measure), about, reference_name(reference), whole(len(found)), SEVERITIES[worst.severity])
        )
        records.append(
            {
                "measure": measure,
                "attribute": attribute,
                "by": by,
                "reference": reference,
                "tests": len(found),
                "worst": worst.severity,
            }
        )
    return Table(
        title="Confirmatory tests",
        columns=("measure", "of", "against", "groups", "gravest"),
        rows=tuple(cells),
        records=tuple(records),
    )


def not_measured_table(audit: Audit) -> Table:
    """What was not audited, and what would be needed."""
    cells = tuple(
        (SECTIONS[each.section], measure_name(each.measure), sentence(LACKING[each.lacking]))
        for each in audit.not_measured
    )
    records = tuple(each.to_dicts()[0] for each in audit.not_measured)
    return Table(title="Not measured", columns=("criterion", "what", "what it would need"), rows=cells, records=records)


def preflight_table(audit: Audit) -> Table:
    """Rankers whose numbers are known, as they were measured."""
    cells = tuple(
        (
            RANKERS[check.ranker],
            check.measure,
            format_number(check.expected),
            format_number(check.found),
            "exact" if check.tolerance < _EXACT else format_number(check.tolerance),
            "passed" if check.passed else "failed",
        )
        for check in audit.preflight.checks
    )
    heads = ("ranker", "measure", "has to be", "is", "tolerance", "")
    return Table(title="Preflight", columns=heads, rows=cells, records=tuple(audit.preflight.to_dicts()))


def stage_tables(audit: Audit) -> list[Table]:
    """The same gap after the data, after the scores and in the lists, for items and for users."""
    stages = ("stage_data", "stage_scores", "stage_lists")
    found = []
    for title, section, heads in (
        (
            "Share of item groups, stage by stage",
            "exposure",
            ("histories ÷ catalogue", "candidates ÷ histories", "lists ÷ candidates"),
        ),
        (
            "Relevant items that are left, the group ÷ the others",
            "users",
            ("in the catalogue", "among candidates", "in the lists"),
        ),
    ):
        rows = [row for row in audit.rows if row.measure in stages and row.section == section]
        told: dict[str, dict[str, str]] = {}
        for row in rows:
            told.setdefault(subject_text(row), {})[row.measure] = ratio_text(row.ratio)
        if rows:
            cells = tuple((about, *(each.get(name, NOTHING) for name in stages)) for about, each in told.items())
            records = tuple(row.to_dicts()[0] for row in rows)
            found.append(Table(title=title, columns=("group", *heads), rows=cells, records=records))
    return found


def tier_table(audit: Audit) -> Table:
    """Parity of the tiers of popularity."""
    cells = tuple(
        (
            measure_name(each.measure),
            whole(each.n),
            ratio_text(each.value),
            *(percent(rate.value, 1) for rate in each.rates),
        )
        for each in audit.bias
    )
    heads = ("measure", "n", "value", "head", "middle", "tail")
    notes = ("0 is parity. Head, middle and tail: the chance of an item of the tier. Candidates are unseen items.",)
    return Table(
        title="Parity of tiers",
        columns=heads,
        rows=cells,
        records=tuple(row for each in audit.bias for row in each.to_dicts()),
        notes=notes,
    )


def change_table(found: AuditComparison, *, most: int = 60) -> Table:
    """What became of each number, what can be told first."""
    order = ("worse", "improved", "undecided", "not_tested")
    changes = sorted(found.changes, key=lambda each: order.index(each.outcome))
    cells = tuple(
        (
            _changed(each),
            measure_name(each.measure),
            reference_name(each.reference),
            ratio_text(each.before),
            ratio_text(each.after),
            ratio_text(each.change),
            NOTHING if each.p_adjusted is None else p_value(each.p_adjusted),
            CHANGES[each.outcome],
        )
        for each in changes[:most]
    )
    heads = ("group", "measure", "against", found.before, found.after, "after ÷ before", "adjusted p", "outcome")
    left = len(changes) - len(cells)
    notes = ("Impact ratios: 1 is parity, below 1 the group is worse off.",)
    notes += (f"{whole(left)} more could not be told apart or tested.",) if left else ()
    return Table(title="Changes", columns=heads, rows=cells, records=tuple(found.to_dicts()), notes=notes)


def plan_table(found: AuditPlan) -> Table:
    """Which gaps could be found of each group."""
    cells = tuple(
        (
            f"{each.segment} ({each.by})",
            whole(each.n),
            whole(each.n_reference),
            "too few users" if each.small else format_number(each.difference),
            NOTHING if each.small or each.ratio != each.ratio else decimal(each.ratio, 2),
        )
        for each in found.gaps
    )
    notes = (
        (
            f"{found.metric}, standard deviation {format_number(found.spread)} over users, "
            f"{count_of(found.tests, 'confirmatory test')} by Holm, power 80 %."
        ),
    )
    heads = ("group", "users", "others", "smallest difference that is found", "as a ratio")
    return Table(title="What could be found", columns=heads, rows=cells, records=tuple(found.to_dicts()), notes=notes)


def _changed(each: AuditChange) -> str:
    about = each.attribute or (None if each.by == "overall" else each.by)
    return each.subject if about is None else f"{each.subject} ({about})"


def _p(row: AuditRow) -> str:
    return NOTHING if row.p_adjusted is None else p_value(row.p_adjusted)


def _chosen(rows: Sequence[AuditRow], most: int) -> list[AuditRow]:
    """Graded rows, then confirmatory ones, then the rest; the other side of a pair last."""

    def key(row: AuditRow) -> tuple[bool, bool, bool]:
        graded = row.severity in ("critical", "high", "medium", "low")
        return row.severity == "descriptive", not graded, row.family != "confirmatory"

    return sorted(rows, key=key)[:most]
