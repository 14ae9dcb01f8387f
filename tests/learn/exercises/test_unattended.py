"""Exercise 5.2: what happens in a month, numbers by hand, the right answer, and wrong ones."""

from __future__ import annotations

import json
import runpy
from datetime import date, timedelta
from pathlib import Path

import pytest

from reclens.learn.daily_feed import FIRST, mondays, month_of, numbers_of
from reclens.learn.exercise import Draw
from reclens.learn.exercises import unattended
from reclens.learn.exercises.unattended import Unattended

EXERCISE = Unattended()
CODES = {
    "appends at each run": "days_tracked_twice",
    "forgets the late day": "days_not_tracked",
    "counts batches twice": "days_tracked_wrongly",
    "alerts each day": "double_alerts",
    "never alerts": "incidents_missed",
    "alerts at everything": "false_alerts",
    "mean of daily ratios": "wrong_week",
    "alerts at each run": "double_alerts",
}


def test_the_solution_passes_and_no_wrong_answer_does(judged) -> None:
    draw = Draw(3 << 64, EXERCISE.code)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    found = {name: {each.code for each in judged(EXERCISE, draw, write)} for name, write in EXERCISE.wrong.items()}
    assert {name: CODES[name] for name in found} == CODES
    assert not [name for name, seen in found.items() if CODES[name] not in seen], found


@pytest.mark.parametrize("seed", range(1, 20))
def test_a_month_has_four_incidents_a_late_file_and_runs_again(seed: int) -> None:
    month = month_of(Draw(seed, EXERCISE.code))
    assert sorted(month.incidents) == ["conversion", "ctr", "impressions", "latency"]
    bad = {first + timedelta(each) for first in month.incidents.values() for each in (0, 1)}
    assert len(bad) == 8
    assert month.unknown in bad and not {month.late, month.lost} & bad
    runs = month.runs()
    assert [each["day"] for each in runs if not each["saved"]] == [str(month.lost)]
    assert sum(each["day"] == str(month.unknown) for each in runs) == 2
    assert len({each["day"] for each in runs}) == 30
    [without] = [each for each in runs if each["day"] not in each["feed"]]
    assert without["day"] == str(month.late)
    again = next(each for each in runs if each["day"] == str(month.late + timedelta(1)))
    assert str(month.late) in again["feed"]
    # The incident is there: the metric of its days is far from that of the same weekday a week before or after.
    first = month.incidents["ctr"]
    near = first - timedelta(7) if first - timedelta(7) >= FIRST else first + timedelta(7)
    ratio = numbers_of(month.feed[str(first)])["ctr"] / numbers_of(month.feed[str(near)])["ctr"]
    assert 0.6 < ratio < 0.8


def test_numbers_by_hand() -> None:
    rows = [["a", "home", 100, 10, 2, 50.0], ["b", "search", 300, 10, 3, 90.0], ["a", "home", 100, 10, 2, 50.0]]
    assert numbers_of(rows) == {
        "impressions": 400,
        "clicks": 20,
        "conversions": 5,
        "ctr": 0.05,
        "conversion": 0.25,
        "latency": 80.0,
    }


def test_alerts_are_counted_by_hand() -> None:
    month = month_of(Draw(5, EXERCISE.code))
    days = {
        metric: [str(first + timedelta(each)) for each in range(-1, 4)] for metric, first in month.incidents.items()
    }
    of = list(days)

    def codes(*alerts: tuple[str, str]) -> set[str]:
        return {each.code for each in unattended._alerted(alerts, month, False)}

    three = [(days[metric][1 + (at == 0)], metric) for at, metric in enumerate(of[:3])]  # one of them a day late
    assert codes(*three) == set()
    assert codes(*three[:2]) == {"incidents_missed"}
    assert codes(*three[:2], (days[of[2]][3], of[2])) == {"incidents_missed"}  # two days late, and not false
    assert codes(*three, (days[of[3]][0], of[3])) == set()  # one false alert: the day before
    assert codes(*three, (days[of[3]][0], of[3]), (days[of[3]][4], of[3])) == {"false_alerts"}
    assert codes(*three, (days[of[0]][1], of[0])) == {"double_alerts"}
    assert codes(*three, (days[of[1]][1], of[0])) == set()  # another metric on that day is false, not doubled


def test_weeks_are_whole_and_begin_on_mondays() -> None:
    found = [date.fromisoformat(each) for each in mondays()]
    assert [each.weekday() for each in found] == [0] * 4
    assert found[-1] + timedelta(6) <= FIRST + timedelta(29)


def test_the_replay_that_the_learner_gets_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = Draw(6, EXERCISE.code)
    EXERCISE.write_data(draw, tmp_path)
    EXERCISE.solve(draw, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    runpy.run_path("replay.py")
    printed = capsys.readouterr().out
    assert "30 records, 30 days" in printed and printed.count("'metric'") >= 3
    assert len(json.loads(Path("month.json").read_text())["runs"]) == 32


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("def run_day(*a):\n    return {}\ndef weekly(*a):\n    return {}\n", "no_state"),
        ("def run_day(*a):\n    return {'tracked': [3], 'alerts': []}\ndef weekly(*a):\n    return {}\n", "no_state"),
        ("def run_day(*a):\n    return 1 / 0\ndef weekly(*a):\n    return {}\n", "workflow_failed"),
        ("def run_day(*a):\n    return {1j}\ndef weekly(*a):\n    return {}\n", "workflow_failed"),
        ("import os\n", "import_not_allowed"),
    ],
)
def test_what_is_no_workflow_is_named(source: str, code: str) -> None:
    found = EXERCISE.judge({"workflow.py": source}, Draw(1, EXERCISE.code))
    assert {each.code for each in found} == {code}
