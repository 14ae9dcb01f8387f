"""Schedules: when cron starts what, by the manual of cron, and what is no schedule of the monitor."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from reclens.errors import DataError
from reclens.learn.crontab import read_crontab, started_on

RUN = "reclens monitor run"
SUNDAY, MONDAY, TUESDAY = (date(2026, 3, day) for day in (1, 2, 3))


def starts(times: str, day: date) -> list[str]:
    return [f"{at:%H:%M}" for at, _ in started_on(read_crontab("s", f"{times} {RUN}"), day)]


@pytest.mark.parametrize(
    ("times", "monday", "tuesday"),
    [
        ("5 6 * * *", ["06:05"], ["06:05"]),
        ("0 8 * * 1", ["08:00"], []),
        ("0 8 * * 0", [], []),
        ("0 8 * * 7,2-3", [], ["08:00"]),
        ("*/30 6-7 * * *", ["06:00", "06:30", "07:00", "07:30"], ["06:00", "06:30", "07:00", "07:30"]),
        ("0 0-20/10 * * *", ["00:00", "10:00", "20:00"], ["00:00", "10:00", "20:00"]),
        ("0 6 3 * *", [], ["06:00"]),
        ("0 6 3 * 1", ["06:00"], ["06:00"]),  # both are restricted: the days of either
        ("0 6 3 4 *", [], []),
    ],
)
def test_a_line_starts_when_cron_does(times: str, monday: list[str], tuesday: list[str]) -> None:
    assert (starts(times, MONDAY), starts(times, TUESDAY)) == (monday, tuesday)


def test_sunday_is_0_and_7() -> None:
    assert starts("0 8 * * 0", SUNDAY) == starts("0 8 * * 7", SUNDAY) == ["08:00"]


def test_days_are_computed_at_each_start_and_commands_follow_each_other() -> None:
    line = (
        "0 6 * * * cd /srv/reclens && .venv/bin/reclens monitor run -p . --wait 600 "
        r"--date $(date -d '2 days ago' +\%F) --track wandb:shop || reclens monitor check --failed run >> log 2>&1"
    )
    [(at, job)] = started_on(read_crontab("s", f"SHELL=/bin/sh\n# a comment\n\n{line}\n"), TUESDAY)
    assert at == datetime(2026, 3, 3, 6, 0)
    assert [each.when for each in job.steps] == ["always", "failed"]
    assert [each.words(TUESDAY, tracker="runs:t") for each in job.steps] == [
        ["monitor", "run", "--date", "2026-03-01", "--track", "runs:t"],
        ["monitor", "check", "--date", "2026-03-02", "--failed", "run"],
    ]
    [(_, report)] = started_on(read_crontab("s", "0 6 * * * reclens monitor report; reclens monitor check"), MONDAY)
    assert report.steps[0].words(MONDAY, tracker="") == ["monitor", "report", "--week", "2026-03-01"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "no line"),
        (f"0 6 * * {RUN}", "the weekday is 'reclens'"),
        ("0 6 * *", "five fields"),
        (f"60 6 * * * {RUN}", "the minute is '60'"),
        (f"0 x * * * {RUN}", "the hour is 'x'"),
        (f"*/0 6 * * * {RUN}", "the minute"),
        ("0 6 * * * rm -rf /", "starts 'rm -rf /'"),
        ("0 6 * * * reclens monitor chaos", "starts 'reclens monitor chaos'"),
        ("0 6 * * * reclens monitor run `id`", "starts"),
        ("0 6 * * * reclens monitor run --track $(id)", "starts"),
        ("0 6 * * * reclens monitor run | sh", "starts"),
        (f"0 6 * * * {RUN} --date 2026-03-05", "same day at each start"),
        (f"0 6 * * * {RUN} --out x", "run has '--out'"),
        (f"0 6 * * * {RUN} --date", "--date has no value"),
        (f"0 6 * * * {RUN} --track pinecone:x", "expected runs:FOLDER"),
        (f"0 6 * * * {RUN} --track runs:'a b'", "expected runs:FOLDER"),
        (f"0 6 * * * {RUN} 'open", "No closing quotation"),
        ("0 6 * * * reclens monitor check --failed 'a b'", "expected the name of a step"),
        (f"* * * * * {RUN}", "1440 commands a day"),
    ],
)
def test_what_is_no_schedule_of_the_monitor_is_refused(line: str, said: str) -> None:
    with pytest.raises(DataError, match=said.replace("(", r"\(").replace("$", r"\$")):
        started_on(read_crontab("schedule.cron", line), MONDAY)
