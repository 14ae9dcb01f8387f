"""What is measured of faults: the fast way is that of a run of the day, and a stopped run goes on where it was."""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import reclens as rl
from reclens.job import monitor_chaos
from reclens.job.monitor_chaos import run_chaos
from reclens.monitor.chaos import ChaosWorld, Fault
from reclens.monitor.day import run_day
from reclens.monitor.project import Project
from reclens.report.monitor.chaos import chaos_rows

FIRST = date(2026, 1, 5)
SETTINGS = """[log]
path = "log"
[tables]
items = "items.parquet"
[dimensions]
names = ["surface", "model_version", "position"]
"""
SAME = (
    "calibration",
    "clock_shift",
    "conversion",
    "coverage",
    "ctr",
    "duplicates",
    "feature_nulls",
    "first_place",
    "gini",
    "hour_drift",
    "late",
    "score_mean",
    "top_share",
    "top_user_share",
    "traffic",
    "traffic_share",
)


@pytest.mark.parametrize("kind", ["position_off_by_one", "timezone_shift"])
def test_the_fast_way_measures_what_a_run_of_the_day_measures(kind: str, tmp_path: Path) -> None:
    world = ChaosWorld(5, impressions=3_000)
    days = [FIRST, FIRST + timedelta(days=1)]
    fault = Fault(kind=kind, strength="strong", start=days[1])
    logs = [world.with_fault(day, fault) for day in days]
    past = monitor_chaos._Past(logs[0])
    (tmp_path / "log").mkdir()
    (tmp_path / "monitor.toml").write_text(SETTINGS)
    world.items.write_parquet(tmp_path / "items.parquet")
    project = Project(tmp_path)
    for at, (day, log) in enumerate(zip(days, logs, strict=True)):
        fast = monitor_chaos._indicators(log, past, at).filter(pl.col("dimension") != "segment")
        log.with_columns(predicted="score").write_parquet(tmp_path / "log" / f"{day}.parquet")
        whole = run_day(project, day).series
        keys = ["indicator", "dimension", "slice"]
        both = fast.join(whole, on=keys, suffix="_run", how="left").filter(pl.col("indicator").is_in(SAME))
        assert set(both["indicator"]) >= set(SAME) - (set() if at else {"clock_shift", "hour_drift"})
        for column in ("value", "numerator", "denominator"):
            known = both.drop_nulls(column).filter(pl.col(f"{column}_run").is_not_null())
            assert known[column].to_list() == pytest.approx(known[f"{column}_run"].to_list(), rel=1e-9), column
        # The bins of a day, which these are made from, have no positions.
        binned = pl.col("indicator").is_in(["feature_nulls", "calibration"]) & (pl.col("dimension") == "position")
        assert both.filter(~binned)["value_run"].null_count() == 0


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer and smaller days: they have to be enough for a forecast."""
    monkeypatch.setattr(monitor_chaos, "_CLEAN", 48)
    monkeypatch.setattr(monitor_chaos, "_JUDGED", 45)
    monkeypatch.setattr(monitor_chaos, "ChaosWorld", partial(ChaosWorld, impressions=2_000))


@pytest.mark.usefixtures("small")
def test_seeds_that_are_there_are_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, how = tmp_path / "chaos.jsonl", {"kinds": ["null_feature"], "strengths": ["strong"]}
    first = run_chaos(file, [7], **how)
    (row,) = chaos_rows(first)
    assert (row["faults"], row["found"], row["recall"], row["delay"]) == (1, 1, 1.0, 0.0)
    (fault,) = first[0]["faults"]
    assert fault["root"][0] == "feature_nulls" and first[0]["metric_days"] == 3 * monitor_chaos.METRICS
    with monkeypatch.context() as patched:
        patched.setattr(monitor_chaos, "run_seed", lambda *_, **__: pytest.fail("it was run again"))
        assert run_chaos(file, [7], **how) == first
    assert len(file.read_text().splitlines()) == 1
    # A kind that was not asked for before is run.
    more = run_chaos(file, [7], kinds=["late_partition"], strengths=["strong"])
    assert [each["kind"] for line in more for each in line["faults"]] == ["late_partition"]


@pytest.mark.usefixtures("small")
def test_chaos_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reclens.cli.app import app

    monkeypatch.chdir(tmp_path)
    command = ["monitor", "chaos", "--seeds", "1", "--kind", "null_feature", "--strength", "strong", "--format", "json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "chaos.jsonl").read_text())["seed"] == 0
    assert '"null_feature"' in done.stdout


def test_names_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(rl.errors.UnknownNameError, match="null_feature"):
        run_chaos(tmp_path / "a", [0], kinds=["null_featur"])
    with pytest.raises(rl.errors.UnknownNameError, match="strong"):
        run_chaos(tmp_path / "a", [0], strengths=["stronk"])  # type: ignore[list-item]
    (tmp_path / "a").write_text("half a li")
    with pytest.raises(rl.errors.WorkspaceError, match="cannot be read"):
        run_chaos(tmp_path / "a", [0])
