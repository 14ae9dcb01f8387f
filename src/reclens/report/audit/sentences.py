"""Sentences on the numbers of an audit: claims, what explains them, and what a criterion comes to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from reclens.audit import Audit, AuditRow
from reclens.audit.adjusted import AdjustedGap
from reclens.audit.rows import Section, Severity
from reclens.audit.severity import LEVELS
from reclens.evaluation.results import OVERALL
from reclens.findings import Finding
from reclens.report._toolkit.format import (
    count_of,
    decimal,
    format_number,
    listed,
    p_text,
    percent,
    sentence,
    significant,
    whole,
)
from reclens.report.audit.words import (
    CANDIDATES,
    OPINIONS,
    REASONS,
    SECTIONS,
    SEVERITIES,
    measure_name,
    reference_name,
)
from reclens.stats.estimate import Estimate

__all__ = [
    "claim",
    "explained_sentence",
    "finding_row",
    "finding_sentence",
    "headline",
    "is_shown",
    "overall_sentence",
    "ratio_text",
    "row_sentence",
    "section_sentence",
    "subject_text",
    "telling_gaps",
    "top_findings",
    "verdict_text",
    "who",
]

_MOST: Final = 5


def who(row: AuditRow) -> str:
    """The users that a row is about."""
    return "all users" if (row.by, row.segment) == OVERALL else f"{row.segment} ({row.by})"


def subject_text(row: AuditRow) -> str:
    """The group that a row is about, with its attribute."""
    if row.group is None:
        return who(row) if row.attribute is None else f"{who(row)}, by {row.attribute}"
    users = "" if (row.by, row.segment) == OVERALL else f", for {who(row)}"
    return f"{row.group} ({row.attribute}){users}"


def ratio_text(found: Estimate) -> str:
    """A ratio with its interval, such as ``0.86 [0.79, 0.93]``."""
    if math.isnan(found.value):
        return "–"
    ends = f" [{_short(found.low)}, {_short(found.high)}]" if found.low is not None and found.high is not None else ""
    return f"{_short(found.value)}{ends}"


def claim(row: AuditRow) -> str:
    """What a row says: a clause, which may begin with the name of a group."""
    written = _CLAIMS.get(row.measure)
    return written(row) if written is not None else _metric(row)


def verdict_text(row: AuditRow) -> str:
    """How sure a row is: what was tested, and what it came to."""
    if row.reason is not None:
        return f"not tested: {REASONS[row.reason]}"
    if row.p_adjusted is None:
        return SEVERITIES[row.severity]
    return f"{SEVERITIES[row.severity]}; adjusted {p_text(row.p_adjusted)}"


def finding_row(audit: Audit, found: Finding) -> AuditRow | None:
    """The row of an audit that a finding is about."""
    about = found.evidence[0]
    keys = ("section", "measure", "attribute", "group", "by", "segment", "reference")
    return next((row for row in audit.rows if all(getattr(row, key) == about[key] for key in keys)), None)


def row_sentence(audit: Audit, row: AuditRow) -> str:
    """A number as a sentence: how grave, the claim, the number behind it.

    Popularity names its candidates: other ones can turn the sign.
    """
    of = f"candidates: {CANDIDATES[audit.card['candidates']]}, " if row.section == "popularity" else ""
    return f"{sentence(SEVERITIES[row.severity])}: {claim(row)} ({of}n = {whole(row.n)}, {_verdict_of(row)})."


def finding_sentence(audit: Audit, found: Finding) -> str:
    """A finding as a sentence: how grave, the claim, the number behind it."""
    row = finding_row(audit, found)
    if row is None:
        return measure_name(found.code)
    return row_sentence(audit, row)


def _verdict_of(row: AuditRow) -> str:
    """The corrected p-value and how it was asked."""
    asked = "confirmatory" if row.family == "confirmatory" else "found by search"
    return asked if row.p_adjusted is None else f"adjusted {p_text(row.p_adjusted)}, {asked}"


def top_findings(audit: Audit, most: int = _MOST) -> list[Finding]:
    """The findings that matter: the gravest of each criterion and attribute first, then the gravest others.

    Many numbers tell of one group; a page that decides has room for each group once.
    """
    graded = [(found, row) for found in audit.findings if (row := finding_row(audit, found)) is not None]
    first: dict[tuple[str, str], Finding] = {}
    subjects: dict[tuple[str, str, str], Finding] = {}
    for found, row in graded:
        if found.kind != "disparity":
            continue
        attribute = row.attribute or (row.by if row.section in ("users", "lists") else "")
        first.setdefault((row.section, attribute), found)
        subjects.setdefault((row.section, attribute, row.subject), found)
    chosen = list(first.values())[:most]
    chosen += [each for each in subjects.values() if not any(each is one for one in chosen)][: most - len(chosen)]
    order = {id(found): at for at, found in enumerate(audit.findings)}
    return sorted(chosen, key=lambda found: order[id(found)])


def section_sentence(audit: Audit, section: Section) -> str:
    """What a criterion comes to, counted by severity."""
    rows = [row for row in audit.rows if row.section == section]
    counts: dict[Severity, int] = {level: sum(row.severity == level for row in rows) for level in LEVELS}
    told = ", ".join(f"{whole(n)} {SEVERITIES[level]}" for level, n in counts.items() if n)
    return f"{sentence(OPINIONS[audit.opinions[section]])}: of {count_of(len(rows), 'number')}, {told}."


def overall_sentence(audit: Audit) -> str:
    """The opinion over all criteria in a sentence."""
    groups: dict[str, list[str]] = {}
    for section, opinion in audit.opinions.items():
        groups.setdefault(OPINIONS[opinion], []).append(SECTIONS[section].lower())
    told = "; ".join(f"{opinion}: {', '.join(names)}" for opinion, names in groups.items())
    return f"{audit.system}: {told}."


def headline(audit: Audit) -> str:
    """What the audit comes to, in a line: the criteria that fail, else those with comments, else that none does."""
    measured: list[Section] = [
        section for section, opinion in audit.opinions.items() if opinion not in ("not_measured", "described")
    ]
    of = f"of {whole(len(measured))} criteria that were measured"
    for opinion in ("negative", "positive_with_comments", "not_concluded"):
        names = [SECTIONS[section].lower() for section in measured if audit.opinions[section] == opinion]
        if names:
            return f"{sentence(OPINIONS[opinion])} on {whole(len(names))} {of}: {listed(names)}"
    return f"Positive on all {of.removeprefix('of ')}" if measured else "No criterion could be measured"


def is_shown(found: Estimate) -> bool:
    """Whether a gap is there: its interval does not hold zero."""
    return found.low is not None and found.high is not None and not found.low <= 0 <= found.high


def telling_gaps(gaps: Sequence[AdjustedGap], *, most: int = 4) -> list[AdjustedGap]:
    """The gaps that are there, the largest first; where none is, the largest alone."""
    ordered = sorted(gaps, key=lambda gap: -abs(gap.raw.value))
    return [gap for gap in ordered if is_shown(gap.raw)][:most] or ordered[:1]


def explained_sentence(gap: AdjustedGap) -> str:
    """How much of a gap is explained by what else sets the groups apart."""
    parts = {"activity": "activity", "profile_popularity": "the popularity of their profiles"}
    raw = gap.raw.value
    told = " and ".join(f"{_signed(each.value)} from {parts[name]}" for name, each in gap.explained.items())
    out = f" {count_of(gap.left_out, 'user')} of the group had nobody to be compared with." if gap.left_out else ""
    return (
        f"{gap.segment} ({gap.by}) differs from the others in {gap.metric} by {_signed(raw)}"
        f"{_ends(gap.raw)}: {told}, and {_signed(gap.left.value)}{_ends(gap.left)} is left.{out}"
    )


def _signed(value: float) -> str:
    return format_number(value, signed=True)


def _ends(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return ""
    return f" [{_signed(found.low)}, {_signed(found.high)}]"


def _short(value: float | None) -> str:
    """A ratio with two decimals, or two significant digits where it is small."""
    if value is None:
        return "–"
    return decimal(value, 2) if abs(value) >= 0.1 else significant(value, 2) if value else "0"


def _share(found: Estimate) -> str:
    return percent(found.value, 1)


def _exposure_share(row: AuditRow) -> str:
    of = {"catalogue": "the catalogue", "merit": "the relevant items", "profile": "users' histories"}
    alike = of.get(row.reference, reference_name(row.reference))
    return (
        f"{subject_text(row)} has {_share(row.value)} of the exposure and {_share(row.reference_value)} of {alike}: "
        f"{ratio_text(row.ratio)} of parity"
    )


def _item(row: AuditRow) -> str:
    return f"an item of {subject_text(row)} gets {ratio_text(row.ratio)} times the exposure of other items"


def _treatment(row: AuditRow) -> str:
    return (
        f"for the relevance that it has, {subject_text(row)} gets {ratio_text(row.ratio)} times the exposure of the "
        "other groups"
    )


def _impact(row: AuditRow) -> str:
    return (
        f"for the relevance that it has, {subject_text(row)} is shown to interested users {ratio_text(row.ratio)} "
        "times as much as the other groups"
    )


def _distance(row: AuditRow) -> str:
    return (
        f"lists are {ratio_text(row.ratio)} times as far from the catalogue's shares of {row.attribute} as random "
        "lists are"
    )


def _calibration(row: AuditRow) -> str:
    if (row.by, row.segment) == OVERALL:
        return f"lists are {ratio_text(row.ratio)} times as far from tastes in {row.attribute} as random lists are"
    return (
        f"the lists of {who(row)} are {ratio_text(row.ratio)} times as far from their tastes in {row.attribute} as "
        "those of the others"
    )


def _lift(row: AuditRow) -> str:
    return f"{who(row)}: lists are {ratio_text(row.ratio)} times as popular as what these users had before"


def _drift(row: AuditRow) -> str:
    told = measure_name(row.measure)
    if row.reference == "first_round":
        return f"for {who(row)}, the {told} in the last round is {ratio_text(row.ratio)} times that of the first"
    return f"for {who(row)}, the {told} grows {ratio_text(row.ratio)} times as much as for all users"


def _disparity(row: AuditRow) -> str:
    return (
        f"lists of {who(row)} have {ratio_text(row.ratio)} times as much of {row.group} ({row.attribute}) as their "
        "histories"
    )


def _metric(row: AuditRow) -> str:
    if row.section == "loop":
        return _drift(row)
    against = {"rest": "that of all others", "known": "that of the users whose group is known"}
    return (
        f"the {measure_name(row.measure)} of {subject_text(row)} is {ratio_text(row.ratio)} times "
        f"{against.get(row.reference, reference_name(row.reference))}: {format_number(row.value.value)} against "
        f"{format_number(row.reference_value.value)}"
    )


_CLAIMS: Final[Mapping[str, Callable[[AuditRow], str]]] = {
    "exposure_share": _exposure_share,
    "exposure_of_an_item": _item,
    "treatment": _treatment,
    "impact": _impact,
    "awrf": _distance,
    "ndkl": _distance,
    "miscalibration": _calibration,
    "popularity_lift": _lift,
    "bias_disparity": _disparity,
}
