"""Exercise 5.2: what happens in a month, a short replay by the real commands, and outcomes that are judged by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from reclens.learn.airflow_day import failure_by_airflow
from reclens.learn.crontab import read_crontab
from reclens.learn.exercise import Draw
from reclens.learn.exercises import unattended
from reclens.learn.exercises.unattended import Unattended
from reclens.learn.monitored_month import DAYS, FIRST, Month, month_of, sundays
from reclens.learn.unattended_replay import Outcome, replayed

EXERCISE = Unattended()
DRAW = Draw(3 << 64, EXERCISE.code)
STATIC = {"not tracked": "no_tracker", "nobody is told": "nobody_is_told", "of another system": "another_system"}
"""Wrong answers that are refused before anything runs; ``benchmarks/rates_learn.py`` replays the others."""


@pytest.mark.parametrize("seed", range(1, 20))
def test_a_month_has_four_incidents_a_late_log_and_a_kill(seed: int) -> None:
    draw = Draw(seed, EXERCISE.code)
    month = month_of(draw)
    assert len({each.kind for each in month.faults}) == 4
    starts = [each.start for each in month.faults]
    assert all(after - before >= timedelta(4) for before, after in pairwise(starts))
    assert starts[0] >= FIRST + timedelta(2) and month.faults[-1].end < FIRST + timedelta(DAYS)
    assert month.killed in starts and FIRST < month.late < FIRST + timedelta(DAYS - 2)
    assert not any(each.start - timedelta(1) <= month.late <= each.end for each in month.faults)
    [hidden] = draw.hidden(1)
    other = month_of(hidden)
    assert (other.system, other.ready) == (month.system, month.ready) and other.seed != month.seed
    assert month.arrives(month.late).date() == month.late + timedelta(2)


def test_weeks_end_on_sundays_within_the_month() -> None:
    assert [each.isoweekday() for each in sundays()] == [7] * 4
    assert sundays()[-1] < FIRST + timedelta(DAYS)


SHORT = Month(
    seed=7,
    system="shop",
    ready=time(5),
    faults=(),
    late=FIRST,
    killed=FIRST + timedelta(1),
    write=4,
    days=3,
    history=0,
)


def answer(name: str | None = None, *, folder: Path) -> dict[str, str]:
    (EXERCISE.solve if name is None else EXERCISE.wrong[name])(DRAW, folder)
    return {file: (folder / file).read_text() for file in EXERCISE.files}


@pytest.mark.slow
def test_a_replay_runs_the_commands_through_a_late_log_and_a_kill(tmp_path: Path) -> None:
    """Three days: the log of the first one is late, the run of the second one is killed at its fourth file."""
    schedule = read_crontab("schedule.cron", answer(folder=tmp_path)["schedule.cron"])
    ready = month_of(DRAW).ready
    settings = {"system": "shop", "dimensions": {"names": ["surface"]}, "notify": {"to": ["file:notices.jsonl"]}}
    found = replayed(replace(SHORT, ready=ready), settings, schedule)
    assert (found.failed, found.killed) == (None, 1)
    days = [str(FIRST + timedelta(at)) for at in range(3)]
    numbers = SHORT.numbers()
    tracked = {str(each["settings"]["day"]): each for each in found.tracked}
    assert [unattended._same_day(tracked[day], numbers) for day in days] == [True] * 3
    assert list(unattended._tracked(found.tracked, SHORT)) == []
    told = [(str(day), str(each["message_id"]).partition(":")[0]) for day, each in found.notices]
    # That the first day has no log is told when its run finds none, and that it is whole on the day after.
    assert (str(FIRST + timedelta(1)), "gate_failed") in told
    assert not [day for day, code in told if code == "opened"]
    assert len({each["message_id"] for _, each in found.notices}) == len(found.notices)


def test_wrong_answers_that_can_be_read_are_refused(tmp_path: Path) -> None:
    for name, code in STATIC.items():
        found = [each.code for each in EXERCISE.judge(answer(name, folder=tmp_path), DRAW)]
        assert found == [code], name


def test_a_day_is_tested_by_airflow_where_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for Airflow notes how it was called; ``make test-airflow`` runs the DAG by the real one."""
    monkeypatch.delenv("AIRFLOW_BIN", raising=False)
    assert failure_by_airflow(SHORT, {"system": "shop"}) is None, "without Airflow there is nothing to test"
    airflow = tmp_path / "airflow"
    tracks = 'mkdir -p "${RECLENS_TRACK#runs:}"; echo {} > "${RECLENS_TRACK#runs:}/day.json"'
    said = f'echo "$@" >> {tmp_path}/calls; cat "$RECLENS_WORKSPACE/monitor/monitor.toml" > {tmp_path}/settings'
    airflow.write_text(f"#!/bin/sh\n{said}\n{tracks}\n")
    airflow.chmod(0o755)
    monkeypatch.setenv("AIRFLOW_BIN", str(airflow))
    assert failure_by_airflow(SHORT, {"system": "shop"}) is None
    last = (tmp_path / "calls").read_text().splitlines()[-1]
    assert last == 'dags test reclens_monitor_daily --conf {"day": "2026-03-01"}'
    assert 'system = "shop"' in (tmp_path / "settings").read_text()
    for body in ("exit 0", "echo no such DAG; exit 1"):  # nothing is tracked, or it says that it failed
        airflow.write_text(f"#!/bin/sh\n{body}\n")
        found = failure_by_airflow(SHORT, {"system": "shop"})
        assert found is not None and (body == "exit 0" or "no such DAG" in found)


def outcome(
    month: Month, *, alerts: Sequence[date], without: date | None = None, twice: bool = False, late_week: bool = False
) -> Outcome:
    """What a month may come to, with the numbers that its logs have."""
    runs: list[dict[str, Any]] = []
    for day, (impressions, clicks) in month.numbers().items():
        numbers = {"traffic": float(impressions), "ctr": clicks / impressions}
        run = {"settings": {"day": day}, "status": "done", "numbers": {} if day == str(without) else numbers}
        runs += [run, run] if twice and day == str(FIRST) else [run]
    weeks = {}
    for sunday in sundays(month.days):
        days = [str(sunday - timedelta(at)) for at in range(1 if late_week else 0, 7)]
        impressions, clicks = (sum(month.numbers()[day][at] for day in days) for at in (0, 1))
        weeks[sunday] = (
            f"7 days · {impressions:,} impressions\n\n| Click-through rate | {clicks / impressions:.2%} | x |\n"
        )
    notices = [(day, {"message_id": f"opened:{at}"}) for at, day in enumerate(alerts)]
    return Outcome(tracked=runs, notices=[*notices, (FIRST, {"message_id": "weekly:x"})], reports=weeks)


def test_outcomes_are_judged_by_hand() -> None:
    month = month_of(DRAW)
    first = [each.start + timedelta(1) for each in month.faults]
    window = {day + timedelta(at) for day in first for at in range(4)} | {
        month.late + timedelta(at) for at in (1, 2, 3)
    }
    calm = [day for at in range(1, DAYS) if (day := FIRST + timedelta(at)) not in window]

    def codes(**options: Any) -> set[str]:
        return {each.code for each in unattended._judged(outcome(month, **options), month)}

    day = timedelta(1)
    assert codes(alerts=first) == codes(alerts=first[:3]) == codes(alerts=[first[0] + day, *first[1:3]]) == set()
    assert codes(alerts=first[:2]) == {"incidents_missed"}
    assert codes(alerts=[first[0] + 2 * day, *first[1:3]]) == {"incidents_missed"}  # two days late, and not false
    assert codes(alerts=[*first, calm[0]]) == set()
    assert codes(alerts=[*first, *calm[:2]]) == {"false_alerts"}
    assert codes(alerts=[*first, first[0] + day]) == {"double_alerts"}
    assert codes(alerts=first, without=FIRST + 5 * day) == {"days_not_tracked"}
    assert codes(alerts=first, twice=True) == {"days_tracked_twice"}
    assert codes(alerts=first, late_week=True) == {"wrong_week"}
    failed = replace(outcome(month, alerts=first), failed=("reclens monitor run", "there is no monitor"))
    assert [each.code for each in unattended._judged(failed, month)] == ["command_failed"]


@pytest.mark.parametrize(
    ("file", "text", "code"),
    [
        ("monitor.toml", "nosuch = 1", "workflow_refused"),
        ("monitor.toml", 'log = "log"', "workflow_refused"),
        ("schedule.cron", "0 6 * * * reclens monitor run; rm -rf /", "workflow_refused"),
        ("schedule.cron", "* * * * * reclens monitor run --track runs:x", "workflow_refused"),
        ("monitor.toml", '[log]\npath = "log"\n[gate]\nadapter = "webhook:x"', "setting_not_taken"),
        ("monitor.toml", '[log]\npath = "log"\n[marts]\nengine = "dbt"\ncommand = ["sh"]', "setting_not_taken"),
    ],
)
def test_what_is_no_workflow_is_named(file: str, text: str, code: str, tmp_path: Path) -> None:
    found = EXERCISE.judge({**answer(folder=tmp_path), file: text}, DRAW)
    assert code in {each.code for each in found}
