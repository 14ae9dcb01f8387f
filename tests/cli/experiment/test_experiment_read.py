"""``reclens experiment read`` as a process."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens.workspace import Workspace

PLAN = """
name = "carousel"
[arms]
old = 0.5
new = 0.5
[[metrics]]
name = "clicks"
value = "clicked"
covariates = ["clicked_before"]
effect = 0.1
[[metrics]]
name = "click-through rate"
kind = "ratio"
value = "clicked"
per = "events"
role = "secondary"
"""


def log(path: Path, *, lift: float) -> None:
    """Two weeks of events, one of them before the experiment."""
    rng = np.random.default_rng(1)
    users = np.repeat(np.arange(3000), 8)
    rate = rng.beta(2, 8, 3000)
    new = rng.random(3000) < 0.5
    day = np.tile([0, 2, 4, 6, 7, 9, 11, 13], 3000)
    chance = rate[users] + lift * new[users] * (day >= 7)
    pl.DataFrame(
        {
            "user_id": users,
            "variant": np.where(new[users], "new", "old"),
            "clicked": (rng.random(len(users)) < chance) * 1,
            "timestamp": np.datetime64("2026-01-05", "us") + day * np.timedelta64(1, "D"),
        }
    ).write_parquet(path)


def test_from_a_log_and_a_plan_to_a_readout(run, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN, encoding="utf-8")
    log(tmp_path / "log.parquet", lift=0.05)
    found = run(
        "experiment",
        "read",
        "plan.toml",
        "log.parquet",
        "--events",
        "--start",
        "2026-01-12",
        "--format",
        "json",
        "--out",
        "readout",
        "--keep",
        "week-1",
        cwd=tmp_path,
    )
    assert "- Ship new: it improves clicks" in found.stderr
    rows = json.loads(found.stdout)["rows"]
    assert (rows[0]["verdict"], rows[0]["decision"], rows[0]["blocked_by"]) == ("better", "ship", None)
    assert rows[0]["n_control"] + rows[0]["n_treatment"] == 3000
    assert "Decision" in (tmp_path / "readout.md").read_text(encoding="utf-8")
    assert "<script" in (tmp_path / "readout.html").read_text(encoding="utf-8")
    kept = Workspace(tmp_path / "workspace").load("readout", "week-1")
    assert [each.code for each in kept.decisions] == ["ship"] and sum(kept.units.values()) == 3000


def test_a_blocked_verdict_ends_with_status_1_and_bad_input_with_2(run, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN.replace('covariates = ["clicked_before"]', ""), encoding="utf-8")
    log(tmp_path / "log.parquet", lift=0.05)
    frame = pl.read_parquet(tmp_path / "log.parquet")
    frame.filter((pl.col("variant") == "old") | (pl.col("user_id") % 2 == 0)).write_parquet(tmp_path / "lost.parquet")
    blocked = run("experiment", "read", "plan.toml", "lost.parquet", "--events", cwd=tmp_path, status=1)
    assert "No decision on new: 1 trust check fails." in blocked.stderr
    assert "Sample ratio: Mismatch" in blocked.stderr
    assert "blocked: sample ratio" in " ".join(blocked.stdout.split())
    blocked = run(
        "experiment", "read", "plan.toml", "lost.parquet", "--events", "--format", "json", cwd=tmp_path, status=1
    )
    row = json.loads(blocked.stdout)["rows"][0]
    assert (row["decision"], row["blocked_by"]) == ("blocked", "sample_ratio")
    crossed = frame.with_columns(variant=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("new")).otherwise("variant"))
    crossed = crossed.with_columns(
        variant=pl.when(pl.int_range(pl.len()) == 1).then(pl.lit("old")).otherwise("variant")
    )
    crossed.write_parquet(tmp_path / "crossed.parquet")
    wrong = run("experiment", "read", "plan.toml", "crossed.parquet", "--events", cwd=tmp_path, status=2)
    assert "1 units stand in two arms" in wrong.stderr and "by --drop-two-arms" in wrong.stderr
    left = run("experiment", "read", "plan.toml", "crossed.parquet", "--events", "--drop-two-arms", cwd=tmp_path)
    assert "Ship new" in left.stderr


def test_looks_of_the_plan_and_looks_really_taken(run, tmp_path: Path) -> None:
    looks = '[sequential]\nlooks = 4\n[[metrics]]\nname = "clicks"'
    plan = PLAN.replace("[arms]", "days = 28\n[arms]").replace('[[metrics]]\nname = "clicks"', looks)
    (tmp_path / "plan.toml").write_text(plan, encoding="utf-8")
    log(tmp_path / "log.parquet", lift=0.08)
    read = ("experiment", "read", "plan.toml", "log.parquet", "--events", "--start", "2026-01-12")
    early = run(*read, "--days", "7", cwd=tmp_path)
    assert "Ship new" in early.stderr
    between = run(*read, "--days", "10", cwd=tmp_path, status=1)
    assert "36% of the planned sample is in, and the plan has looks at 25%, 50%, 75%, 100%" in between.stderr
    taken = run(*read, "--days", "10", "--looks-taken", "0.2", "--looks-taken", "0.3", cwd=tmp_path)
    assert "Ship new" in taken.stderr


def test_a_a_tests_of_the_past(run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    before = rng.gamma(2, 1, 4000)
    frame = pl.DataFrame(
        {
            "user_id": range(4000),
            "clicked_before": before,
            "clicked": rng.poisson(before),
            "events": rng.integers(1, 9, 4000),
        }
    )
    frame.write_parquet(tmp_path / "users.parquet")
    (tmp_path / "plan.toml").write_text(PLAN, encoding="utf-8")
    found = run("experiment", "aa", "plan.toml", "users.parquet", "--format", "json", cwd=tmp_path)
    rows = json.loads(found.stdout)["rows"]
    assert [row["metric"] for row in rows] == ["clicks", "click-through rate"]
    assert all(abs(row["false_positives"] - 0.05) < 0.025 for row in rows)
    # The plan cuts values off: what is tested then are the values that were cut off, in every arm and by its share.
    capped = PLAN.replace('value = "clicked"\ncov', 'value = "clicked"\ncap = 5\ncov') + (
        '[[metrics]]\nname = "p90"\nkind = "quantile"\nvalue = "clicked"\nq = 0.9\nrole = "secondary"\n'
    )
    three = capped.replace("old = 0.5\nnew = 0.5", "old = 0.5\nnew = 0.25\nnewer = 0.25")
    (tmp_path / "three.toml").write_text(three, encoding="utf-8")
    found = run("experiment", "aa", "three.toml", "users.parquet", "--format", "json", cwd=tmp_path)
    rows = json.loads(found.stdout)["rows"]
    assert [(row["arm"], row["metric"]) for row in rows] == [
        (arm, metric) for arm in ("new", "newer") for metric in ("clicks", "click-through rate")
    ]
    assert rows[0]["share"] == pytest.approx(1 / 3) and "not tested" in found.stderr and "p90" in found.stderr
    # The standard deviation of the difference of arms of a third and two thirds, adjusted by the regression on before.
    cut = np.minimum(frame["clicked"].to_numpy(), 5)
    residual = cut - np.polyval(np.polyfit(before, cut, 1), before)
    expected = residual.std() * np.sqrt(1 / (4000 / 3) + 1 / (8000 / 3))
    assert rows[0]["sd_of_difference"] == pytest.approx(expected, rel=0.1)
    # One user of a million clicks: splits are then a coin on where she falls, and hardly ever significant.
    odd = frame.with_columns(clicked=pl.when(pl.col("user_id") == 7).then(1_000_000).otherwise("clicked"))
    odd.write_parquet(tmp_path / "odd.parquet")
    assert "Cap outliers" in run("experiment", "aa", "plan.toml", "odd.parquet", cwd=tmp_path, status=1).stderr


def test_triggered_users_and_duplicates_are_options(run, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN.replace("effect = 0.1", "effect = 0.2"), encoding="utf-8")
    log(tmp_path / "log.parquet", lift=0.05)
    frame = pl.read_parquet(tmp_path / "log.parquet").with_columns(event=pl.int_range(pl.len()))
    frame = frame.with_columns(met=pl.col("user_id") % 2 == 0)
    pl.concat([frame, frame.filter((pl.col("variant") == "new") & (pl.col("event") % 30 == 0))]).write_parquet(
        tmp_path / "twice.parquet"
    )
    common = (
        "experiment",
        "read",
        "plan.toml",
        "twice.parquet",
        "--events",
        "--start",
        "2026-01-12",
        "--triggered",
        "met",
        "--event-id",
        "event",
        "--out",
        "readout",
        "--format",
        "json",
    )
    kept = run(*common, cwd=tmp_path, status=1)
    assert "Duplicates: Not alike" in kept.stderr and "--drop-duplicates" in kept.stderr
    found = run(*common, "--drop-duplicates", cwd=tmp_path)
    row = json.loads(found.stdout)["rows"][0]
    assert row["decision"] == "ship" and row["n_control"] + row["n_treatment"] == 1500
    text = (tmp_path / "readout.md").read_text(encoding="utf-8")
    assert "Triggered units and all units" in text and "50.0%" in text
