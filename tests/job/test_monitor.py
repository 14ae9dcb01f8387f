"""A monitor from the log to the notice: what a day finds, and what happens when something is killed, full or late."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from reclens.errors import NameTakenError, UnknownNameError, UsageError, WorkspaceError
from reclens.export.rows import health_rows
from reclens.export.schema import DAILY_HEALTH
from reclens.job.monitor import backfill, replay, run_monitor
from reclens.job.monitor_check import check_run, yesterday
from reclens.job.monitor_inputs import notes_of, place_of, rules_of, store_of
from reclens.job.monitor_people import act
from reclens.job.monitor_tell import to_tell, words_of
from reclens.job.monitor_week import last_of_week
from reclens.monitor.project import Project
from reclens.workspace import Workspace
from shop_runs import run, told, written

Impressions = Callable[..., pl.DataFrame]


def test_a_day_that_went_well(shop: Path, today: date, impressions: Impressions) -> None:
    written(shop, today, impressions(today))
    done = run(shop, today)
    (day,) = done.days
    assert (day.gate.state, day.alerts.height, day.incidents, done.reports != ()) == ("passed", 0, (), True)
    # 200 clicks of 4,000 impressions, as the log was made.
    ctr = day.detections.filter((pl.col("indicator") == "ctr") & (pl.col("dimension") == "overall"))
    assert ctr["value"].item() == 0.05 and ctr["state"].item() == "ok"
    (line,) = told(shop)
    assert line["title"].startswith(f"shop: week to {today.day} Feb 2026: The system is well as far as it was seen")
    rows = DAILY_HEALTH.frame(health_rows(Workspace(shop.parent)))
    assert rows.filter((pl.col("indicator") == "ctr") & (pl.col("segment") == "all"))["status"].to_list() == ["ok"]


def test_a_drop_is_told_once_however_often_the_day_is_run(shop: Path, today: date, impressions: Impressions) -> None:
    written(shop, today, impressions(today, rate=0.02))
    first, again = run(shop, today), run(shop, today)
    (incident,) = store_of(Project(shop)).list()
    assert (incident.root.indicator, incident.direction, incident.status) == ("ctr", "down", "open")
    assert incident.owner == "ranking team"
    assert [each.code for each in first.notices] == [each.code for each in again.notices] == ["opened", "weekly"]
    lines = told(shop)
    assert len(lines) == 2 and lines[0]["key"] == incident.id
    assert (
        "Click-through rate is below its band" in lines[0]["title"]
        and "ranking team looks after it" in lines[0]["text"]
    )
    assert [each.sent for each in again.deliveries] == [0]


def test_without_sending_nothing_is_lost(shop: Path, today: date, impressions: Impressions) -> None:
    written(shop, today, impressions(today, rate=0.02))
    dry = run(shop, today, dry_run=True)
    assert told(shop) == [] and dry.deliveries == () and [each.code for each in dry.notices] == ["opened", "weekly"]
    run(shop, today)
    assert len(told(shop)) == 2


def test_a_day_that_is_corrected_takes_its_incident_back(shop: Path, today: date, impressions: Impressions) -> None:
    written(shop, today, impressions(today, rate=0.02))
    run(shop, today)
    written(shop, today, impressions(today))
    done = run(shop, today)
    (incident,) = store_of(Project(shop)).list()
    assert incident.status == "resolved" and incident.trail[-1].code == "withdrawn"
    assert [each.incidents for each in done.days] == [()]
    assert [line["title"].split(": ")[1] for line in told(shop)] == [
        "critical",
        f"week to {today.day} Feb 2026",
        "resolved",
    ]


def test_days_after_a_corrected_one_are_judged_again(shop: Path, today: date, impressions: Impressions) -> None:
    later = today + timedelta(days=1)
    written(shop, today, impressions(today, rate=0.02))
    written(shop, later, impressions(later))
    assert run(shop, today).again == run(shop, later).again == ()
    assert run(shop, today).again == ()  # nothing changed
    written(shop, today, impressions(today))
    said: list[str] = []
    done = run(shop, today, say=said.append)
    assert [each.day for each in done.days] == [today, later]
    assert done.again == (later,) and f"reclens monitor backfill --from {later} --to {later}" in said[-1]
    # As if the log had been right from the start; what is held against clicks of the past was measured before.
    other = shop.parent.parent / "other" / "monitor"
    shutil.copytree(shop, other, ignore=shutil.ignore_patterns("incidents", "published", str(today), str(later)))
    clean = backfill(Project(other), today, later, workspace=Workspace(other.parent))
    for mine, theirs in zip(done.days, clean.days, strict=True):
        same = pl.col("indicator") != "novelty"
        assert_frame_equal(mine.detections.filter(same), theirs.detections.filter(same))
    # With the days that the run named, everything is.
    (mine,) = backfill(Project(shop), *done.again * 2, workspace=Workspace(shop.parent)).days
    assert_frame_equal(mine.detections, clean.days[1].detections)


def test_a_calendar_of_holidays(shop: Path, today: date, impressions: Impressions) -> None:
    settings = shop / "monitor.toml"
    settings.write_text(settings.read_text().replace('system = "shop"', 'system = "shop"\ncalendar = "days.ics"'))
    written(shop, today, impressions(today, rate=0.02))
    with pytest.raises(UsageError, match="cannot be read"):
        run(shop, today)
    assert today not in Project(shop).days()
    event = f"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:{today:%Y%m%d}\nEND:VEVENT\nEND:VCALENDAR\n"
    (shop / "days.ics").write_text(event)
    (day,) = run(shop, today).days
    assert set(day.detections["state"]) <= {"excluded", "no_value"} and day.incidents == ()


def test_a_day_without_data_silences_its_symptoms(shop: Path, today: date, impressions: Impressions) -> None:
    done = run(shop, today)
    (day,) = done.days
    assert day.gate.state in ("not_evaluated", "errored", "failed")
    (incident,) = store_of(Project(shop)).list()
    assert incident.kind == "gate" and "ctr" not in {each.root.indicator for each in day.incidents}
    titles = [line["title"] for line in told(shop)]
    assert (len(titles) == 2 and "Data of" in titles[0]) or "data of" in titles[0]
    written(shop, today, impressions(today))
    run(shop, today)
    assert store_of(Project(shop)).list()[0].status == "resolved"


def test_of_two_runs_at_once_one_waits_or_says_so(shop: Path, today: date, impressions: Impressions) -> None:
    written(shop, today, impressions(today))
    project, released = Project(shop), threading.Event()
    with project.lock():
        with pytest.raises(NameTakenError, match="another run"):
            run(shop, today)
        with pytest.raises(NameTakenError, match="another run"):
            run(shop, today, wait=0.05)
        waiting = threading.Thread(target=lambda: (run(shop, today, wait=30), released.set()))
        waiting.start()
        assert not released.wait(0.2)
    waiting.join(30)
    assert released.is_set() and Workspace(shop.parent).load("health", f"shop-{today}").gate.state == "passed"


def test_a_receiver_that_is_down_gets_everything_once_and_in_order(
    shop: Path, today: date, impressions: Impressions, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = today + timedelta(days=1)
    written(shop, today, impressions(today, rate=0.02))
    written(shop, later, impressions(later, rate=0.01))

    def down(*_: Any, **__: Any) -> None:
        raise WorkspaceError("nobody answers")

    with monkeypatch.context() as patched:
        patched.setattr("reclens.edges.file.FileNotifier.send", down)
        said: list[str] = []
        done = run(shop, today, say=said.append)
    assert [(each.sent, each.waiting) for each in done.deliveries] == [(0, 2)]
    assert any("2 wait for the next run: nobody answers" in line for line in said)
    run(shop, later)
    ids = [line["message_id"] for line in told(shop)]
    assert len(ids) == len(set(ids)) and ids[0].startswith("opened:") and ids[1] == f"weekly:{today}"


def test_the_past_is_done_without_telling_anybody(shop: Path, today: date, impressions: Impressions) -> None:
    later = today + timedelta(days=1)
    written(shop, today, impressions(today, rate=0.02))
    written(shop, later, impressions(later, rate=0.02))
    done = backfill(Project(shop), today, today, workspace=Workspace(shop.parent))
    assert [each.code for each in done.notices] == ["opened"] and told(shop) == [] and len(done.reports) == 2
    assert to_tell(Project(shop), done.notices) == []
    run(shop, today)
    assert [line["message_id"] for line in told(shop)] == [f"weekly:{today}"]
    with pytest.raises(UsageError, match="after the last one"):
        backfill(Project(shop), later, today, workspace=Workspace(shop.parent))


def test_a_replay_says_what_other_settings_would_have_raised(
    shop: Path, today: date, impressions: Impressions, tmp_path: Path
) -> None:
    written(shop, today, impressions(today, rate=0.02))
    run(shop, today)
    before = {each: each.read_bytes() for each in (shop / "state").rglob("*") if each.is_file()}
    assert len(replay(Project(shop), today, today, folder=tmp_path / "one").notices) == 1
    (shop / "monitor.toml").write_text((shop / "monitor.toml").read_text() + "watch = false\n")
    assert replay(Project(shop), today, today, folder=tmp_path / "two").notices == ()
    assert before == {each: each.read_bytes() for each in (shop / "state").rglob("*") if each.is_file()}
    with pytest.raises(UsageError, match="no day from"):
        replay(Project(shop), today + timedelta(days=9), today + timedelta(days=9), folder=tmp_path / "three")


def test_people_look_after_incidents(shop: Path, today: date, impressions: Impressions) -> None:
    later = today + timedelta(days=1)
    for day in (today, later):
        written(shop, day, impressions(day, rate=0.02))
    run(shop, today)
    (incident,) = store_of(Project(shop)).list()
    acknowledged = act(shop, incident.id, "acknowledge", by="ann", note="rolled back")
    assert acknowledged.status == "acknowledged" and acknowledged.trail[-1].note == "rolled back"
    with pytest.raises(UsageError, match="until is missing"):
        act(shop, incident.id, "snooze", by="ann")
    assert act(shop, incident.id, "snooze", by="ann", until=later).snoozed_until == later
    run(shop, later)
    (still,) = store_of(Project(shop)).list()
    assert (still.status, still.days) == ("acknowledged", 2) and len(told(shop)) == 2
    assert act(shop, incident.id, "resolve", by="bob").status == "resolved"
    with pytest.raises(UnknownNameError):
        act(shop, "nosuch", "resolve", by="bob")


def test_a_deploy_is_the_first_suspect_and_a_holiday_is_not_judged(
    shop: Path, today: date, impressions: Impressions
) -> None:
    written(shop, today, impressions(today, rate=0.02))
    book = notes_of(Project(shop))
    deploy = book.add("deploy", today, "ranker 2.4", by="ann")
    (day,) = run(shop, today).days
    (incident,) = store_of(Project(shop)).list()
    assert incident.suspects[0] == "deploy" and [each.id for each in day.annotations] == [deploy.id]
    book.add("holiday", today, "shops are closed", by="ann")
    (day,) = run(shop, today).days
    assert set(day.detections["state"]) == {"excluded"} and day.incidents == ()


def test_the_run_that_did_not_happen(shop: Path, today: date) -> None:
    assert check_run(Project(shop), today - timedelta(days=1)).ran
    assert not check_run(Project(shop), today, dry_run=True).ran and told(shop) == []
    for _ in range(2):
        found = check_run(Project(shop), today)
        assert not found.ran and "has not run" in found.words[0]
    (line,) = told(shop)
    assert line["severity"] == "critical" and "The last day that was run is 25 Feb 2026." in line["text"]


def test_yesterday_is_that_of_the_log(shop: Path) -> None:
    from datetime import UTC, datetime

    text = (shop / "monitor.toml").read_text().replace('path = "log"', 'path = "log"\ntime_zone = "Pacific/Auckland"')
    now = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    assert yesterday(Project(shop), now) == date(2026, 2, 28)
    (shop / "monitor.toml").write_text(text)
    assert yesterday(Project(shop), now) == date(2026, 3, 1)  # it is half past one on 2 March there


def test_notices_below_the_least_severity_are_not_told(shop: Path, today: date, impressions: Impressions) -> None:
    text = (shop / "monitor.toml").read_text()
    (shop / "monitor.toml").write_text(
        text.replace("[notify]", '[notify]\nleast = "critical"\nlink = "http://h/health"')
    )
    written(shop, today, impressions(today, rate=0.035))
    done = run(shop, today, dry_run=True)
    severities = {each.severity for each in store_of(Project(shop)).list()}
    assert {each.code for each in done.notices} == ({"weekly", "opened"} if "critical" in severities else {"weekly"})
    words = words_of(Project(shop), done.notices[-1])
    assert words.title.startswith("shop: week to")


def test_wrong_names_are_said_before_the_work(shop: Path, today: date) -> None:
    text = (shop / "monitor.toml").read_text()
    (shop / "monitor.toml").write_text(text.replace("[indicators.ctr]", "[indicators.crt]"))
    with pytest.raises(UnknownNameError, match="Did you mean 'ctr'"):
        run(shop, today)
    (shop / "monitor.toml").write_text(text.replace("file:notices.jsonl", "smpt:ann@shop.example"))
    with pytest.raises(UnknownNameError, match=r"\[notify\] to: 'smpt'. Did you mean 'smtp'"):
        run(shop, today)
    assert today not in Project(shop).days()


def test_what_indicators_are_to_people(shop: Path) -> None:
    text = (shop / "monitor.toml").read_text()
    (shop / "monitor.toml").write_text(text + 'direction = "both"\nslo = 0.04\nbudget = 2.0\n')
    rules = rules_of(Project(shop).settings)
    assert (rules["ctr"].direction, rules["ctr"].slo, rules["ctr"].budget) == ("both", 0.04, 2.0)
    assert (rules["ndcg"].direction, rules["ndcg"].scale, rules["ndcg"].owner) == ("down", "logit", None)


def test_weeks_end_when_they_are_said_to(shop: Path) -> None:
    project = Project(shop)
    assert last_of_week(project, date(2026, 2, 26)) == date(2026, 2, 26)
    assert last_of_week(project, date(2026, 2, 27)) == date(2026, 3, 5)


def test_a_kept_day_leads_to_its_monitor(shop: Path, today: date, impressions: Impressions, tmp_path: Path) -> None:
    written(shop, today, impressions(today))
    run(shop, today)
    kept = Workspace(shop.parent).load("health", f"shop-{today}")
    assert kept.project == "monitor" and place_of(kept.project, Workspace(shop.parent)) == shop
    assert place_of("elsewhere", Workspace(shop.parent)) is None and place_of("", Workspace(shop.parent)) is None
    run_monitor(Project(shop), today, workspace=Workspace(tmp_path / "other"))
    other = Workspace(tmp_path / "other")
    assert place_of(other.load("health", f"shop-{today}").project, other) == shop.resolve()
