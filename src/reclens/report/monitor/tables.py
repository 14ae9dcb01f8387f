"""Tables of a watched system: indicators, the data gate, incidents and their trail, annotations, both weeks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import polars as pl

from reclens.monitor.health import Health
from reclens.monitor.records import OVERALL, Annotation, GateResult, Incident, SeriesKey
from reclens.monitor.week import Week
from reclens.report._toolkit.format import NOTHING, decimal, percent, whole
from reclens.report._toolkit.tables import Table
from reclens.report.monitor.sentences import bound_text, check_sentence, gravest_first, incident_title, measured_text
from reclens.report.monitor.values import (
    change_text,
    day_text,
    days_text,
    indicator_name,
    interval_text,
    series_order,
    series_text,
    slice_text,
    value_text,
)
from reclens.report.monitor.words import (
    ANNOTATIONS,
    CHECK_STATES,
    EVENTS,
    INCIDENT_STATES,
    NOT_RUN,
    SEVERITIES,
    STATES,
    check_name,
)

__all__ = [
    "annotation_table",
    "day_table",
    "gate_days_table",
    "gate_table",
    "incident_table",
    "run_table",
    "slice_table",
    "trail_table",
    "trend_table",
]


def day_table(day: Health, *, whole: bool = False) -> Table:
    """Every indicator of a day: value, band, distance and state.

    Args:
        day: The day.
        whole: Whether slices are among them.
    """
    rows = day.detections if whole else day.detections.filter(pl.col("dimension") == OVERALL)
    records = tuple(sorted(rows.to_dicts(), key=lambda row: series_order(row["indicator"])))
    return Table(
        title=f"Indicators on {day_text(day.day)}",
        columns=("indicator", "value", "expected", "band", "distance", "state", "traffic"),
        rows=tuple(_of_day(row) for row in records),
        records=records,
        notes=("The distance is in units of noise, and the band ends where it reaches the threshold.",),
    )


def _of_day(row: dict[str, Any]) -> tuple[str, ...]:
    name = row["indicator"]
    return (
        series_text(SeriesKey(name, row["dimension"], row["slice"])),
        value_text(name, row["value"]),
        value_text(name, row["expected"]),
        interval_text(name, row["low"], row["high"]),
        NOTHING if row["z"] is None else decimal(row["z"], 1, signed=True),
        {**STATES}[row["state"]],
        whole(row["n"] or 0),
    )


def slice_table(day: Health, indicator: str, dimension: str) -> Table:
    """The slices of an indicator on a day."""
    mine = (pl.col("indicator") == indicator) & (pl.col("dimension") == dimension)
    records = tuple(day.detections.filter(mine).to_dicts())
    rows = tuple((slice_text(SeriesKey(indicator, dimension, row["slice"])), *_of_day(row)[1:]) for row in records)
    return Table(
        title=f"{indicator_name(indicator)} on {day_text(day.day)}",
        columns=("slice", "value", "expected", "band", "distance", "state", "traffic"),
        rows=rows,
        records=records,
    )


def gate_table(gate: GateResult) -> Table:
    """Every check of the data of a day."""
    return Table(
        title=f"Data of {day_text(gate.day)}",
        columns=("check", "column", "state", "seen", "expected", "rows", "failed rows", "blocks"),
        rows=tuple(
            (
                check_name(each.code),
                each.column or NOTHING,
                CHECK_STATES[each.state],
                measured_text(each.code, each.seen),
                bound_text(each.code, each.bound),
                whole(each.rows),
                NOTHING if each.failed_rows is None else whole(each.failed_rows),
                "yes" if each.blocking else "no",
            )
            for each in gate.checks
        ),
        records=tuple(asdict(each) for each in gate.checks),
        notes=("Nothing to check is not the same as passed: on an empty table most checks would pass.",),
    )


def gate_days_table(gates: Sequence[GateResult], *, missing: Sequence[date] = (), newest_first: bool = False) -> Table:
    """A row a day: what the gate came to, and what failed.

    Args:
        gates: The gates.
        missing: Days between them that were not run.
        newest_first: Order of the days.
    """
    wrong = {each.day: [check for check in each.checks if check.state in ("failed", "errored")] for each in gates}
    rows = {
        each.day: (
            CHECK_STATES[each.state],
            f"{whole(sum(check.state == 'passed' for check in each.checks))} of {whole(len(each.checks))}",
            "; ".join(check_sentence(check) for check in wrong[each.day][:3]) or NOTHING,
        )
        for each in gates
    }
    rows |= dict.fromkeys(missing, (NOT_RUN, NOTHING, NOTHING))
    known = {each.day: (each.state, len(each.checks)) for each in gates} | dict.fromkeys(missing, (None, 0))
    days = sorted(rows, reverse=newest_first)
    return Table(
        title="Data of each day",
        columns=("day", "gate", "checks passed", "what failed"),
        rows=tuple((day_text(each), *rows[each]) for each in days),
        records=tuple({"day": each, "state": known[each][0], "checks": known[each][1]} for each in days),
    )


def incident_table(incidents: Sequence[Incident], *, title: str = "Incidents") -> Table:
    """Incidents, those that are open first, then by severity."""
    shown = gravest_first(incidents)
    return Table(
        title=title,
        columns=("incident", "severity", "status", "days", "effect", "traffic", "owner", "id"),
        rows=tuple(
            (
                incident_title(each),
                SEVERITIES[each.severity],
                INCIDENT_STATES[each.status],
                days_text(each.first_day, each.last_day),
                _effect(each),
                percent(each.traffic, 0),
                each.owner or NOTHING,
                each.id,
            )
            for each in shown
        ),
        records=tuple(_record(each) for each in shown),
    )


def _effect(incident: Incident) -> str:
    expected = incident.facts.get("expected")
    if incident.effect is None or expected is None:
        return NOTHING
    return change_text(expected + incident.effect, expected)


def _record(incident: Incident) -> dict[str, Any]:
    kept = ("id", "kind", "direction", "severity", "status", "first_day", "last_day", "days", "effect", "traffic")
    more = {"owner": incident.owner, "runbook": incident.runbook, "snoozed_until": incident.snoozed_until}
    suspects = ", ".join(incident.suspects) or None
    return {
        **incident.root._asdict(),
        **{name: getattr(incident, name) for name in kept},
        **more,
        "suspects": suspects,
        "symptoms": len(incident.symptoms),
    }


def trail_table(incident: Incident) -> Table:
    """The audit trail of an incident: who did what, the oldest first."""
    return Table(
        title="Who did what",
        columns=("time (UTC)", "what", "day of the data", "by", "note"),
        rows=tuple(
            (
                f"{each.at:%Y-%m-%d %H:%M}",
                EVENTS.get(each.code, each.code),
                NOTHING if each.day is None else day_text(each.day),
                each.by,
                each.note or NOTHING,
            )
            for each in incident.trail
        ),
        records=tuple({**asdict(each), "facts": None} for each in incident.trail),
    )


def annotation_table(annotations: Sequence[Annotation]) -> Table:
    """What happened, the newest first."""
    shown = sorted(annotations, key=lambda each: (each.start, each.id), reverse=True)
    return Table(
        title="Annotations",
        columns=("id", "what", "days", "text", "of", "alerts", "by"),
        rows=tuple(
            (
                each.id,
                ANNOTATIONS[each.kind],
                days_text(each.start, each.end),
                each.text,
                slice_text(SeriesKey("", each.dimension, each.slice)) if each.dimension and each.slice else "all",
                "suppressed" if each.suppress else "explained",
                each.by,
            )
            for each in shown
        ),
        records=tuple(asdict(each) for each in shown),
    )


def trend_table(week: Week, *, of: pl.DataFrame | None = None) -> Table:
    """Each indicator in the week and in the week before, and the change with its interval.

    Args:
        week: The week.
        of: Rows of its numbers; by default those of the whole day.
    """
    if of is None:
        of = week.numbers.filter(pl.col("dimension") == OVERALL)
        rows = sorted(of.to_dicts(), key=lambda row: series_order(row["indicator"]))
    else:
        rows = of.to_dicts()
    records = tuple(rows)
    return Table(
        title=f"Both weeks, {days_text(week.first, week.last)}",
        columns=("indicator", "this week", "week before", "change", "95 % interval", "in percent", "traffic"),
        rows=tuple(_of_week(row) for row in records),
        records=records,
        notes=(
            "A week is measured from the sums of its days; what has none is averaged over them.",
            "The interval is Student's t of the differences of like weekdays, three or more: it holds daily noise too.",
        ),
    )


def _of_week(row: dict[str, Any]) -> tuple[str, ...]:
    name = row["indicator"]
    return (
        series_text(SeriesKey(name, row["dimension"], row["slice"])),
        value_text(name, row["value"]),
        value_text(name, row["before"]),
        value_text(name, row["change"], signed=True),
        interval_text(name, row["low"], row["high"], signed=True),
        change_text(row["like"], row["like_before"]),
        whole(row["n"] or 0),
    )


def run_table(days: Sequence[Health]) -> Table:
    """What was found on each day that was run."""
    still = [sum(one.status != "resolved" for one in each.incidents) for each in days]
    return Table(
        title="Days",
        columns=("day", "data gate", "series", "beyond their bands or drifting", "incidents not resolved"),
        rows=tuple(
            (
                day_text(each.day),
                CHECK_STATES[each.gate.state],
                whole(each.detections.height),
                whole(each.alerts.height),
                whole(open_),
            )
            for each, open_ in zip(days, still, strict=True)
        ),
        records=tuple(
            {
                "day": each.day,
                "gate": each.gate.state,
                "series": each.detections.height,
                "alerts": each.alerts.height,
                "incidents": open_,
            }
            for each, open_ in zip(days, still, strict=True)
        ),
    )
