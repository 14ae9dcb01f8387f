"""What a week comes to, in plain words: how it went, what moved, what wants a person next."""

from __future__ import annotations

from typing import Any

import polars as pl

from reclens.monitor.health import JUDGED
from reclens.monitor.records import OVERALL, Incident, SeriesKey
from reclens.monitor.week import DAYS, Week
from reclens.report._toolkit.card import DecisionWords
from reclens.report._toolkit.format import count_of, listed, whole
from reclens.report.monitor.sentences import (
    gravest_first,
    incident_sentence,
    next_sentence,
    status_sentence,
    why_sentences,
)
from reclens.report.monitor.values import (
    change_text,
    day_text,
    days_text,
    interval_text,
    series_order,
    series_text,
    value_text,
)
from reclens.report.monitor.words import WEEKDAYS

__all__ = ["changed", "compared_sentence", "headline_keys", "next_steps", "week_card", "week_sentences"]

_MOST = 6
_NOTHING_ALIKE = "Nothing is compared: no weekday has data that passed in both weeks."


def week_card(week: Week) -> DecisionWords:
    """The week on one card: whether somebody has to act, and on what."""
    still = [each for each in gravest_first(week.incidents) if each.status != "resolved"]
    critical = [each for each in still if each.severity == "critical"]
    failed = sum(each.state != "passed" for each in week.gates)
    if critical:
        headline, tone = f"Act: {count_of(len(critical), 'critical incident')} not resolved", "bad"
    elif still:
        headline, tone = f"Look at {count_of(len(still), 'incident')} not resolved", "open"
    elif not _judged(week):
        headline, tone = "Nothing is judged: the series are warming up, or no day can be judged", "open"
    elif failed or week.missing:
        headline, tone = "The system is well as far as it was seen: some days say nothing", "open"
    else:
        headline, tone = "The system is well", "good"
    ended = sum(each.status == "resolved" for each in week.incidents)
    lines = [
        ("Incidents", f"{whole(len(still))} not resolved, {whole(ended)} resolved."),
        ("Changed", _changed_text(week)),
        ("Data", _data_text(week)),
    ]
    about = f"{week.system}, {days_text(week.first, week.last)}"
    return DecisionWords(about, f"{headline}.", tone, tuple(lines))  # type: ignore[arg-type]


def _judged(week: Week) -> bool:
    """Whether any value of the week was held against a band."""
    mine = pl.col("day").is_between(week.first, week.last) & pl.col("state").is_in(JUDGED)
    return not week.detections.filter(mine).is_empty()


def _changed_text(week: Week) -> str:
    rows = changed(week)
    if not week.compared:
        return _NOTHING_ALIKE
    if not rows:
        return "No indicator changed by more than its noise from day to day."
    told = [f"{_name(row)} {change_text(row['like'], row['like_before'])}" for row in rows[:3]]
    more = f" and {whole(len(rows) - 3)} more" if len(rows) > 3 else ""
    return f"{', '.join(told)}{more}, beside {_other_days(week)}."


def _other_days(week: Week) -> str:
    if len(week.compared) == DAYS:
        return "the week before"
    return f"like days of the week before, {count_of(len(week.compared), 'day')} of {DAYS}"


def compared_sentence(week: Week) -> str:
    """Which days a change is of, where it is not of whole weeks; empty where it is."""
    if len(week.compared) == DAYS:
        return ""
    if not week.compared:
        return _NOTHING_ALIKE
    days = listed([WEEKDAYS[each.weekday()] for each in week.compared], DAYS)
    return (
        f"Changes are of {days} alone: the other days were not run, or their data failed, in one of both weeks. "
        "They are not the difference of the two columns."
    )


def _data_text(week: Week) -> str:
    good = sum(each.state == "passed" for each in week.gates)
    missing = f"; {count_of(len(week.missing), 'day')} not run" if week.missing else ""
    return f"{good} of {DAYS} days passed their checks{missing}."


def _name(row: dict[str, Any]) -> str:
    return series_text(SeriesKey(row["indicator"], row["dimension"], row["slice"]))


def changed(week: Week) -> list[dict[str, Any]]:
    """The indicators of the whole day whose interval of the change leaves zero out, the clearest first."""
    rows = week.numbers.filter((pl.col("dimension") == OVERALL) & pl.col("low").is_not_null()).to_dicts()
    clear = [row for row in rows if row["low"] > 0 or row["high"] < 0]
    return sorted(clear, key=_noise)


def _noise(row: dict[str, Any]) -> float:
    """Half of the interval as a share of the change."""
    return (row["high"] - row["low"]) / abs(row["change"])


def week_sentences(week: Week) -> list[str]:
    """What happened, the gravest first, in plain words."""
    found: list[str] = []
    for each in gravest_first(week.incidents)[:_MOST]:
        found.append(f"{incident_sentence(each)} {status_sentence(each)}")
        found += why_sentences(each)[:1] if each.contributions else []
    for row in changed(week)[:_MOST]:
        name = row["indicator"]
        found.append(
            f"{_name(row)} {'rose' if row['change'] > 0 else 'fell'} from {value_text(name, row['like_before'])} to "
            f"{value_text(name, row['like'])} ({interval_text(name, row['low'], row['high'], signed=True)})."
        )
    if week.missing:
        found.append(f"Not run: {listed([day_text(each) for each in week.missing])}.")
    if not _judged(week):
        found.append(f"No value of {week.system} was held against a band in this week.")
    return found or [f"Nothing happened: no incident, and no indicator of {week.system} left its usual range."]


def next_steps(week: Week) -> list[str]:
    """What to look at next, the most pressing first."""
    still: list[Incident] = [each for each in gravest_first(week.incidents) if each.status != "resolved"]
    found = [next_sentence(each) for each in still[:_MOST]]
    failed = [each.day for each in week.gates if each.state != "passed"]
    if failed:
        found.append(
            f"See why the data of {listed([day_text(each) for each in failed])} failed, and run those days again."
        )
    if week.missing:
        found.append(f"Run what was not run: {listed([day_text(each) for each in week.missing])}.")
    unnamed = sorted({each.root.indicator for each in still if each.owner is None})
    if unnamed:
        found.append(f"Name an owner and a runbook in monitor.toml: {listed([_of(each) for each in unnamed], 5)}.")
    return found or ["Nothing needs a person."]


def _of(indicator: str) -> str:
    return series_text(SeriesKey(indicator))


def headline_keys(week: Week, most: int = _MOST) -> list[tuple[str, str, str]]:
    """The series that a week is drawn by: roots of incidents, what changed, then the first indicators."""
    known = {tuple(row) for row in week.numbers.select("indicator", "dimension", "slice").iter_rows()}
    wanted = [tuple(each.root) for each in gravest_first(week.incidents) if each.kind != "gate"]
    wanted += [(row["indicator"], row["dimension"], row["slice"]) for row in changed(week)]
    first = week.numbers.filter((pl.col("dimension") == OVERALL) & pl.col("value").is_not_null())
    rest = first.select("indicator", "dimension", "slice").iter_rows()
    wanted += sorted(rest, key=lambda key: series_order(key[0]))
    return [each for each in dict.fromkeys(wanted) if each in known][:most]  # type: ignore[misc]
