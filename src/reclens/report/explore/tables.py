"""Tables of explorations: numbers, findings, regions, reasons, hubs, duplicates, recall, drift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from reclens.explore.reach import Reason
from reclens.explore.result import Exploration, Measure, MeasureName
from reclens.report._toolkit.format import NOTHING, format_estimate, format_number, percent, whole
from reclens.report._toolkit.tables import Table
from reclens.report.explore.sentences import NO_TITLES, finding_sentence, share_text
from reclens.report.explore.words import (
    FINDINGS,
    MEASURES,
    MISSING,
    REASON_MEANINGS,
    REASONS,
    REMEDIES,
    SEVERITIES,
    SUSPECTS,
)

__all__ = [
    "drift_table",
    "duplicate_table",
    "exploration_findings_table",
    "exploration_table",
    "hub_table",
    "missing_table",
    "reason_table",
    "recall_table",
    "region_table",
    "remedy_table",
]

_MOST: Final = 20
_PLAIN: Final[frozenset[MeasureName]] = frozenset(
    {"hub_skewness", "mean_cosine", "alignment", "trustworthiness", "continuity"}
)
"""Numbers that are no shares."""


def exploration_table(found: Exploration) -> Table:
    """Every number."""
    rows = tuple((MEASURES[each.measure], _number(each), whole(each.estimate.n)) for each in found.measures)
    note = (
        "Shares of the catalogue are exact; the interval says how much the share of a catalogue of this size varies. "
        "Other intervals are over users or queries."
    )
    return Table(
        title=f"Numbers of {found.name}",
        columns=("number", "value", "n"),
        rows=rows,
        records=tuple(found.to_dicts()),
        notes=(note,),
    )


def _called(name: object, titles: Mapping[str, str]) -> str:
    return titles.get(str(name), str(name))


def _number(each: Measure) -> str:
    if each.measure in _PLAIN:
        return format_estimate(asdict(each.estimate))
    return share_text(each.estimate)


def exploration_findings_table(found: Exploration, titles: Mapping[str, str] = NO_TITLES) -> Table:
    """The findings in words, the gravest first."""
    rows = tuple(
        (f"{FINDINGS[each.code]} ({SEVERITIES[each.severity]})", finding_sentence(found, each, titles))
        for each in found.findings
    )
    records = tuple({"severity": each.severity, "kind": each.kind, "code": each.code} for each in found.findings)
    return Table(title="Findings", columns=("what", "finding"), rows=rows, records=records)


def region_table(found: Exploration, *, most: int = _MOST) -> Table | None:
    """Regions by what is wanted of them and not shown, blind spots first."""
    if found.coverage is None:
        return None
    rows, records = [], []
    for each in found.coverage.regions:
        record = {
            "region": each.region,
            "name": each.name,
            "items": each.items,
            **each.numbers(),
            "suspects": ", ".join(suspect.code for suspect in each.suspects),
        }
        records.append(record)
        suspects = ", ".join(SUSPECTS[suspect.code] for suspect in each.suspects)
        rows.append(
            (
                each.name + (" (blind spot)" if each.blind else ""),
                whole(each.items),
                whole(each.shown_items),
                percent(each.shown, 1),
                percent(each.wanted, 1),
                share_text(each.gap) if each.gap.value == each.gap.value else NOTHING,
                percent(each.unshown, 1),
                suspects or NOTHING,
            )
        )
    heads = ("region", "items", "items shown", "shown", "wanted", "wanted - shown", "wanted, never shown", "suspects")
    note = (
        f"The intervals of all regions hold at once with {percent(found.coverage.level, 0)}. Blind spots: the whole "
        "interval is above 0, and the region is shown at most half as much as it is wanted."
    )
    return Table(title="Regions", columns=heads, rows=tuple(rows[:most]), records=tuple(records), notes=(note,))


def reason_table(found: Exploration) -> Table | None:
    """Why items are in no list."""
    if found.reach is None:
        return None
    counts: Mapping[Reason, int] = found.reach.counts()
    total = max(len(found.reach.rows), 1)
    rows = tuple(
        (REASONS[reason], whole(count), percent(count / total, 1), REASON_MEANINGS[reason])
        for reason, count in counts.items()
    )
    records = tuple({"reason": reason, "items": count} for reason, count in counts.items())
    return Table(
        title="Why items are in no list", columns=("reason", "items", "share", "meaning"), rows=rows, records=records
    )


def hub_table(found: Exploration, *, titles: Mapping[str, str] = NO_TITLES, most: int = 10) -> Table:
    """The largest hubs, by name."""
    records = tuple(found.hubness.to_dicts()[:most])
    rows = tuple((_called(each["id"], titles), whole(each["k_occurrence"])) for each in records)
    return Table(title="Largest hubs", columns=("item", "neighbour of"), rows=rows, records=records)


def remedy_table(found: Exploration) -> Table | None:
    """Hubness under other similarities."""
    if not found.remedies:
        return None
    rows = tuple(
        (
            REMEDIES[name],
            format_number(each.skewness),
            percent(each.anti_hubs, 1),
            percent(each.hub_slots, 1),
            percent(each.robin_hood, 1),
        )
        for name, each in found.remedies.items()
    )
    records = tuple({"similarity": name, **asdict(each)} for name, each in found.remedies.items())
    heads = ("similarity", "skewness", "anti-hubs", "places taken by hubs", "Robin Hood index")
    return Table(title="Remedies for hubs", columns=heads, rows=rows, records=records)


def duplicate_table(found: Exploration, *, titles: Mapping[str, str] = NO_TITLES, most: int = 10) -> Table | None:
    """Groups of near-duplicates, the largest first."""
    groups = found.duplicates.groups[:most]
    if not groups:
        return None
    rows = tuple(
        (" · ".join(_called(one, titles) for one in each.ids[:5]), whole(len(each.ids)), format_number(each.least))
        for each in groups
    )
    records = tuple(found.duplicates.to_dicts()[:most])
    return Table(title="Near-duplicates", columns=("items", "how many", "least cosine"), rows=rows, records=records)


def recall_table(found: Exploration, *, most: int = _MOST) -> Table | None:
    """Recall of the index by filter, and in the regions where it misses something, the worst first."""
    if found.retrieval is None:
        return None
    rows: list[tuple[str, str, str]] = []
    records: list[dict[str, Any]] = []
    for each in found.retrieval.filters:
        where = ", ".join(f"{name} = {value}" for name, value in each.where.items())
        rows.append((f"filter: {where}", share_text(each.recall), percent(each.selectivity, 1)))
        records.append({"filter": where, "items": each.items, "short": each.short, **asdict(each.recall)})
    for each in found.retrieval.regions[:most]:
        if each.recall.value == 1:  # they are ordered: so have all that follow
            break
        rows.append((each.name, share_text(each.recall), NOTHING))
        records.append({"region": each.name, **asdict(each.recall)})
    return Table(
        title=f"Recall at {found.retrieval.k} of the index",
        columns=("where", "recall", "of the items"),
        rows=tuple(rows),
        records=tuple(records),
    )


def drift_table(found: Exploration, *, titles: Mapping[str, str] = NO_TITLES, most: int = _MOST) -> Table | None:
    """Items that moved most."""
    if found.drift is None:
        return None
    records = tuple(found.drift.to_dicts()[:most])
    rows = tuple(
        (_called(each["id"], titles), format_number(each["moved"]), percent(each["lost"], 0)) for each in records
    )
    return Table(
        title="Items that moved most",
        columns=("item", "cosine distance", "neighbours changed"),
        rows=rows,
        records=records,
    )


def missing_table(found: Exploration) -> Table | None:
    """What was not given."""
    if not found.missing:
        return None
    rows = tuple((MISSING[each],) for each in found.missing)
    return Table(
        title="Not given, so not measured",
        columns=("what, and what it would show",),
        rows=rows,
        records=tuple({"missing": m} for m in found.missing),
    )
