"""Exercise 5.2: a daily workflow that is replayed for thirty days with incidents, a late file and a kill."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from reclens.cards import Fact
from reclens.learn.child import call_functions
from reclens.learn.code_rules import forbidden
from reclens.learn.daily_feed import DAYS, FIRST, HISTORY, LASTS, Month, mondays, month_of, numbers_of
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import toml_header

__all__ = ["Unattended"]

_DELAY: Final = 1
_FEWEST: Final = 3
"""Incidents of four that have to be alerted."""
_MOST_FALSE: Final = 1
_EXACT: Final = 1e-9


class Unattended(Exercise):
    """The workflow is replayed on the learner's feed and on two others."""

    code = "5.2"
    name = "thirty_days_unattended"
    files = ("workflow.py",)
    minutes = 120

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """How it is graded."""
        return {
            "days": DAYS,
            "first": str(FIRST),
            "history": HISTORY,
            "fewest": _FEWEST,
            "false": _MOST_FALSE,
            "lasts": LASTS,
            "delay": _DELAY,
        }

    def write_data(self, draw: Draw, folder: Path) -> None:
        """The runs of the learner's month, and a program that replays them."""
        month = month_of(draw)
        held = {"history": month.history, "runs": month.runs(), "mondays": mondays()}
        (folder / "month.json").write_text(json.dumps(held), encoding="utf-8")
        (folder / "replay.py").write_text(_REPLAY, encoding="utf-8")

    def templates(self, draw: Draw) -> dict[str, str]:
        """A workflow that tracks nothing."""
        return {"workflow.py": toml_header(draw) + _TEMPLATE}

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Replay the learner's month and two others."""
        source = answer["workflow.py"]
        found = list(forbidden("workflow.py", source))
        yield from found
        if found:
            return
        months = [month_of(each) for each in (draw, *draw.hidden(2))]
        calls = [("_replayed", [each.history, each.runs(), mondays()]) for each in months]
        results = call_functions("workflow.py", source + _DRIVER, calls, as_json=True)
        if isinstance(results, Remark):
            yield results
            return
        for number, (month, result) in enumerate(zip(months, results, strict=True)):
            if result.failed:
                yield Remark("workflow_failed", {"error": result.failed, "hidden": number > 0})
                return
            remarks = list(_judged(result.value, month, hidden=number > 0))
            yield from remarks
            if remarks:
                return

    def solve(self, draw: Draw, folder: Path) -> None:
        """Keyed by day, against the same weekday of the weeks before, one alert an incident."""
        (folder / "workflow.py").write_text(toml_header(draw) + _SOLUTION, encoding="utf-8")


def _judged(given: Any, month: Month, *, hidden: bool) -> Iterator[Remark]:
    state, weeks = given
    tracked = _records(state, "tracked", ("day",))
    alerts = _records(state, "alerts", ("day", "metric"))
    if tracked is None or alerts is None:
        yield Remark("no_state", {"hidden": hidden})
        return
    yield from _tracked(tracked, month, hidden)
    yield from _alerted([(str(each["day"]), str(each["metric"])) for each in alerts], month, hidden)
    for monday, week in zip(mondays(), weeks, strict=True):
        days = [str(date.fromisoformat(monday) + timedelta(each)) for each in range(7)]
        if not _same(week, numbers_of([row for day in days for row in month.feed[day]])):
            yield Remark("wrong_week", {"monday": monday, "hidden": hidden})
            return


def _records(state: Any, name: str, keys: Sequence[str]) -> list[dict[str, Any]] | None:
    """A list of the state; None if it is no list of records with these keys."""
    held = state.get(name) if isinstance(state, dict) else None
    fits = isinstance(held, list) and all(isinstance(each, dict) and set(keys) <= set(each) for each in held)
    return held if fits else None


def _tracked(tracked: Sequence[Mapping[str, Any]], month: Month, hidden: bool) -> Iterator[Remark]:
    days = [str(each["day"]) for each in tracked]
    counts = Counter(days)
    missing = [day for day in month.feed if day not in counts]
    twice = [day for day, count in counts.items() if count > 1]
    other = [day for day in counts if day not in month.feed]
    if missing:
        yield Remark("days_not_tracked", {"days": len(missing), "hidden": hidden})
    if twice:
        yield Remark("days_tracked_twice", {"days": len(twice), "hidden": hidden})
    if other:
        yield Remark("days_of_no_feed", {"days": len(other), "hidden": hidden})
    wrong = [str(each["day"]) for each in tracked if str(each["day"]) in month.feed and not _right(each, month)]
    if wrong:
        yield Remark("days_tracked_wrongly", {"days": len(wrong), "hidden": hidden})


def _right(record: Mapping[str, Any], month: Month) -> bool:
    return _same(record, numbers_of(month.feed[str(record["day"])]))


def _same(given: Any, expected: Mapping[str, float]) -> bool:
    if not isinstance(given, dict):
        return False
    values = [given.get(key) for key in expected]
    if not all(isinstance(each, int | float) and math.isfinite(each) for each in values):
        return False
    pairs = zip(values, expected.values(), strict=True)
    return all(abs(float(value or 0) - right) <= _EXACT * max(1, abs(right)) for value, right in pairs)


def _alerted(alerts: Sequence[tuple[str, str]], month: Month, hidden: bool) -> Iterator[Remark]:
    windows = {
        metric: {str(first + timedelta(each)) for each in range(LASTS + 1)} for metric, first in month.incidents.items()
    }
    intime = {
        metric
        for metric, first in month.incidents.items()
        for late in range(_DELAY + 1)
        if (str(first + timedelta(late)), metric) in alerts
    }
    false = [each for each in alerts if each[0] not in windows.get(each[1], ())]
    doubled = [metric for metric, days in windows.items() if sum(m == metric and d in days for d, m in alerts) > 1]
    if len(intime) < _FEWEST:
        yield Remark("incidents_missed", {"found": len(intime), "of": len(windows), "least": _FEWEST, "hidden": hidden})
    if len(false) > _MOST_FALSE:
        yield Remark("false_alerts", {"seen": len(false), "most": _MOST_FALSE, "hidden": hidden})
    if doubled:
        yield Remark("double_alerts", {"seen": len(doubled), "hidden": hidden})


_TEMPLATE: Final = '''

def run_day(day, feed, history, state):
    """The state after the run of a day."""
    state.setdefault("tracked", [])  # a record for each day: day, impressions, clicks, ...
    state.setdefault("alerts", [])  # a record for each alert: day, metric
    return state


def weekly(state, monday):
    """The numbers of the week that begins on a Monday."""
    return {}
'''
_DRIVER: Final = """

def _replayed(history, runs, mondays):
    import json

    state = {}
    for run in runs:
        copy = json.loads(json.dumps([run["day"], run["feed"], history, state]))
        after = json.loads(json.dumps(run_day(*copy)))
        if run["saved"]:
            state = after
    return [state, [weekly(json.loads(json.dumps(state)), monday) for monday in mondays]]
"""
_REPLAY: Final = '''"""Replays month.json with workflow.py, and prints what it tracked and alerted: python replay.py"""

import json
from pathlib import Path

from workflow import run_day, weekly

month = json.loads(Path("month.json").read_text())
state = {}
for run in month["runs"]:
    after = run_day(run["day"], run["feed"], month["history"], json.loads(json.dumps(state)))
    if run["saved"]:
        state = after
print(len(state["tracked"]), "records,", len({each["day"] for each in state["tracked"]}), "days")
print("alerts:", *state["alerts"], sep="\\n  ")
print("weeks:", *(weekly(state, monday) for monday in month["mondays"]), sep="\\n  ")
'''
_SOLUTION: Final = """
import math
import statistics
from collections import defaultdict

METRICS = {"impressions": -1, "ctr": -1, "conversion": -1, "latency": 1}  # direction that is worse
LIMIT = 5
COOL_DOWN = 5


def numbers(rows):
    once = {row[0]: row for row in rows}.values()
    impressions, clicks, conversions = (sum(row[at] for row in once) for at in (2, 3, 4))
    return {
        "impressions": impressions,
        "clicks": clicks,
        "conversions": conversions,
        "ctr": clicks / impressions,
        "conversion": conversions / clicks,
        "latency": sum(row[2] * row[5] for row in once) / impressions,
    }


def number_of(day):
    year, month, rest = (int(part) for part in day.split("-"))
    month, year = (month + 12, year - 1) if month < 3 else (month, year)
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + rest


def run_day(day, feed, history, state):
    tracked = {each["day"]: each for each in state.get("tracked", [])}
    alerts = list(state.get("alerts", []))
    for each in sorted(feed):
        if each in tracked:
            continue
        tracked[each] = {"day": each, **numbers(feed[each])}
        for metric in METRICS:
            since = [abs(number_of(each) - number_of(a["day"])) for a in alerts if a["metric"] == metric]
            if min(since, default=COOL_DOWN + 1) > COOL_DOWN and unusual(metric, each, tracked[each], history):
                alerts.append({"day": each, "metric": metric})
    return {"tracked": list(tracked.values()), "alerts": alerts}


def unusual(metric, day, record, history):
    logs = defaultdict(list)
    for past, rows in history.items():
        logs[number_of(past) % 7].append(math.log(numbers(rows)[metric]))
    means = {weekday: statistics.mean(values) for weekday, values in logs.items()}
    rest = [value - means[weekday] for weekday, values in logs.items() for value in values]
    spread = math.sqrt(sum(each**2 for each in rest) / (len(rest) - len(means)))
    difference = math.log(record[metric]) - means[number_of(day) % 7]
    return METRICS[metric] * difference > LIMIT * spread


def weekly(state, monday):
    days = [each for each in state["tracked"] if 0 <= number_of(each["day"]) - number_of(monday) < 7]
    total = {name: sum(each[name] for each in days) for name in ("impressions", "clicks", "conversions")}
    return {
        **total,
        "ctr": total["clicks"] / total["impressions"],
        "conversion": total["conversions"] / total["clicks"],
        "latency": sum(each["impressions"] * each["latency"] for each in days) / total["impressions"],
    }
"""


def _coded(old: str, new: str) -> Callable[[Draw, Path], None]:
    """A wrong answer: one thing of the workflow is otherwise."""
    assert old in _SOLUTION

    def write(draw: Draw, folder: Path) -> None:
        (folder / "workflow.py").write_text(toml_header(draw) + _SOLUTION.replace(old, new), encoding="utf-8")

    return write


Unattended.wrong = {
    "appends at each run": _coded(
        'return {"tracked": list(tracked.values()), "alerts": alerts}',
        'return {"tracked": [*state.get("tracked", []), {"day": day, **numbers(feed.get(day) or feed[min(feed)])}], '
        '"alerts": alerts}',
    ),
    "forgets the late day": _coded("for each in sorted(feed):", "for each in [day] if day in feed else []:"),
    "counts batches twice": _coded("once = {row[0]: row for row in rows}.values()", "once = rows"),
    "alerts each day": _coded("COOL_DOWN = 5", "COOL_DOWN = 0"),
    "never alerts": _coded("LIMIT = 5", "LIMIT = 500"),
    "alerts at everything": _coded("LIMIT = 5", "LIMIT = 0.5"),
    "mean of daily ratios": _coded(
        '"ctr": total["clicks"] / total["impressions"],', '"ctr": statistics.mean(each["ctr"] for each in days),'
    ),
    "alerts at each run": _coded(
        "        if each in tracked:\n            continue\n",
        "        if each in tracked and each != day:\n            continue\n"
        "        if each in tracked:\n            alerts = alerts + [a for a in alerts if a['day'] == each]\n",
    ),
}
