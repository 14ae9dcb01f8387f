"""What people are told, by Slack's own client against a server of the test, and whether a run that hangs is told of."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from reclens.job.monitor import MonitorRun, run_monitor
from reclens.job.monitor_check import check_run
from reclens.monitor.project import Project
from reclens.workspace import Workspace

Impressions = Callable[..., pl.DataFrame]


@pytest.fixture
def slack_shop(shop: Path, slack: Any) -> Path:
    """The shop, which tells Slack alone."""
    del slack
    text = (shop / "monitor.toml").read_text()
    text = text.replace('to = ["file:notices.jsonl"]', 'to = ["slack:"]\nlink = "https://dash/health"')
    (shop / "monitor.toml").write_text(text + 'runbook = "https://wiki/ctr"\n')
    return shop


def run(shop: Path, day: date, log: pl.DataFrame, **how: Any) -> MonitorRun:
    log.write_parquet(shop / "log" / f"{day}.parquet")
    return run_monitor(Project(shop), day, workspace=Workspace(shop.parent), **how)


def told(shop: Path) -> list[dict[str, Any]]:
    place = shop / "notices.jsonl"
    return [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []


def test_slack_shows_the_number_its_band_the_suspects_and_where_to_look(
    slack_shop: Path, today: date, impressions: Impressions, slack: Any, slack_server: ModuleType
) -> None:
    (day,) = run(slack_shop, today, impressions(today, rate=0.02)).days
    (incident,) = day.incidents
    (_, opened), (_, weekly) = slack.requests
    for message in (opened, weekly):
        assert len(slack_server.rebuilt(message["blocks"]).blocks or []) == len(message["blocks"])
    ctr = day.detections.filter((pl.col("indicator") == "ctr") & (pl.col("dimension") == "overall")).row(0, named=True)
    (table,) = [block["rows"] for block in opened["blocks"] if block["type"] == "table"]
    rows = {label["text"]: value["text"] for label, value in table}
    # 80 clicks of 4,000 impressions, as the log was made.
    assert rows["Click-through rate"] == "2.00%" and rows["Status"] == "open" and rows["Owner"] == "ranking team"
    assert rows["Usual"] == f"{ctr['low']:.2%} to {ctr['high']:.2%}" and 0.03 < ctr["low"] < 0.05 < ctr["high"] < 0.07
    (pointed,) = [b["text"]["text"] for b in opened["blocks"] if b.get("text", {}).get("type") == "mrkdwn"]
    page = f"https://dash/health?system=shop&amp;day={today}&amp;part=Incidents&amp;incident={incident.id}"
    assert pointed == f"<{page}|Open the page> · <https://wiki/ctr|Runbook>"
    assert weekly["text"].startswith("shop: week to")

    run(slack_shop, today, impressions(today))  # corrected: it is no incident any more
    (_, resolved) = slack.requests[2]
    (table,) = [block["rows"] for block in resolved["blocks"] if block["type"] == "table"]
    assert ["Status", f"resolved, {today.day} Feb 2026"] in [[cell["text"] for cell in row] for row in table]
    assert resolved["text"].startswith("shop: resolved: ") and len(slack.requests) == 3


def test_a_wrong_address_of_slack_stops_no_run_and_is_in_no_file(
    slack_shop: Path, today: date, impressions: Impressions, slack: Any, slack_server: ModuleType
) -> None:
    slack.answers = [(404, "no_service")] * 3
    said: list[str] = []
    done = run(slack_shop, today, impressions(today, rate=0.02), say=said.append)
    (delivery,) = done.deliveries
    assert (delivery.sent, delivery.waiting) == (0, 2) and "404" in str(delivery.problem)
    kept = [each.read_bytes() for each in slack_shop.parent.rglob("*") if each.is_file()]
    secrets = [part for part in slack_server.SECRET.split("/") if part != "T0AAAA"]
    assert not [part for part in secrets if any(part.encode() in each for each in kept) or part in str(said)]
    slack.answers, slack.requests[:] = [], []
    assert [each.sent for each in run(slack_shop, today, impressions(today, rate=0.02)).deliveries] == [2]
    assert [sent["text"].split(": ")[1] for _, sent in slack.requests] == ["critical", f"week to {today.day} Feb 2026"]


def test_a_run_that_hangs_is_told_of(shop: Path, today: date) -> None:
    project = Project(shop)
    with project.lock():  # as the run that hangs does
        found = check_run(Project(shop), today)
    assert not found.ran and [line["message_id"] for line in told(shop)] == [f"not_run:{today}"]


def test_a_step_that_failed_is_told_of_once_and_says_whether_the_day_was_run(shop: Path, today: date) -> None:
    yesterday = today - timedelta(days=1)
    for _ in range(2):
        found = check_run(Project(shop), today, failed="run", log="http://airflow/log")
        assert not found.ran
    assert check_run(Project(shop), yesterday, failed="tables").ran
    first, second = told(shop)
    assert first["title"] == f"shop: step run of {today.day} Feb 2026 failed" and first["severity"] == "critical"
    assert first["text"].endswith("\nLog: http://airflow/log") and "has no numbers yet" in first["text"]
    assert "was run before it failed" in second["text"] and "Log" not in second["text"]


def test_what_a_check_could_not_send_is_sent_by_the_next_one(
    shop: Path, today: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reclens.errors import WorkspaceError

    def down(*_: Any, **__: Any) -> None:
        raise WorkspaceError("nobody answers")

    with monkeypatch.context() as patched:
        patched.setattr("reclens.edges.file.FileNotifier.send", down)
        check_run(Project(shop), today)
    assert told(shop) == []
    assert check_run(Project(shop), today - timedelta(days=1)).ran
    assert [line["message_id"] for line in told(shop)] == [f"not_run:{today}"]
