"""The marts of dbt against those of the monitor itself: equal, after a build that was killed too."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from reclens.edges.dbt import DbtMarts, write_project
from reclens.monitor.day import run_day, run_days
from reclens.monitor.project import Project
from reclens.monitor.summary import KEYS

FIRST = date(2026, 1, 5)
DAYS = [FIRST + timedelta(days=at) for at in range(3)]

SETTINGS = """
[log]
path = "log"
cutoff = 3
hit_at = 2
cold_days = 1
late_after = 0.5

[gate]
null_share = 0.2
bad_share = 0.2
duplicate_share = 1.0
late_share = 1.0

[tables]
users = "users.parquet"
items = "items.parquet"
retrievers = "retrievers"

[indicators.ctr]
owner = "ranking team"
runbook = "https://wiki.example/ctr"
"""


def day_log(day: date, seed: int, *, unclicked: float = 0.1) -> pl.DataFrame:
    """Lists of up to five items with what a log can lack: items, clicks, scores, slices; with repeats and late rows."""
    rng = np.random.default_rng(seed)
    n, lists = 600, 150
    request = np.sort(rng.integers(0, lists, n))
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)

    def gap(values: list, share: float) -> list:
        return [None if hole else value for value, hole in zip(values, rng.random(n) < share, strict=True)]

    seconds = pl.Series(request * 500 + 60)
    return pl.DataFrame(
        {
            "request_id": [f"{day}-{each}" for each in request],
            "user_id": request % 40,
            "item_id": gap([f"i{each}" for each in rng.integers(0, 30, n)], 0.05),
            "position": rng.integers(1, 6, n),
            "clicked": gap((rng.random(n) < 0.3).tolist(), unclicked),
            "converted": gap((rng.random(n) < 0.1).tolist(), 0.5),
            "score": gap(rng.normal(size=n).tolist(), 0.1),
            "surface": [["home", "email", None][each % 3] for each in request],
            "model_version": [["v1", "v2"][each % 2] for each in request],
            "retriever": gap([["cf", "popular"][each % 2] for each in range(n)], 0.1),
            "latency_ms": [float(2 ** (each % 8)) for each in request],
            "feature.device": gap([["mobile", "tv"][each % 2] for each in range(n)], 0.1),
        }
    ).with_columns(
        timestamp=pl.lit(start).cast(pl.Datetime("us", "UTC")) + pl.duration(seconds=seconds),
        received_at=pl.lit(start).cast(pl.Datetime("us", "UTC"))
        + pl.duration(seconds=seconds + pl.Series(rng.integers(0, 3600, n))),
    )


def make_monitor(folder: Path, settings: str = SETTINGS) -> Project:
    (folder / "log").mkdir(parents=True)
    (folder / "retrievers").mkdir()
    (folder / "monitor.toml").write_text(settings, encoding="utf-8")
    for seed, day in enumerate(DAYS):
        # The second day fails its gate: it is no past of the third one.
        log = day_log(day, seed, unclicked=0.5 if seed == 1 else 0.1)
        log.write_parquet(folder / "log" / f"{day}.parquet")
        brought = log.select("timestamp", "request_id", "retriever", candidates=pl.col("position") * 7)
        brought.write_parquet(folder / "retrievers" / f"{day}.parquet")
    pl.DataFrame({"user_id": range(40), "segment": ["light", "heavy", None, "new"] * 10}).write_parquet(
        folder / "users.parquet"
    )
    pl.DataFrame({"item_id": [f"i{n}" for n in range(30)], "category": ["x", "y", "z"] * 10}).write_parquet(
        folder / "items.parquet"
    )
    return Project(folder)


def state(project: Project, day: date) -> Mapping[str, pl.DataFrame]:
    names = [*KEYS, "series"]
    return {name: table for name in names if (table := project.read_day(day, name)) is not None}


def assert_same_state(left: Project, right: Project) -> None:
    """The tables, series and gates of all days; sums of floats differ by the order of their rows."""
    assert left.days() == right.days() == DAYS
    assert left.gates() == right.gates()
    assert [gate.state for gate in left.gates().values()] == ["passed", "failed", "passed"]
    for day in DAYS:
        one, two = state(left, day), state(right, day)
        assert set(one) == set(two) and len(one) >= 8
        for name, table in one.items():
            assert_frame_equal(table, two[name], rel_tol=1e-9, abs_tol=1e-12)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A monitor whose days ran one by one, without dbt."""
    project = make_monitor(tmp_path_factory.mktemp("embedded") / "monitor")
    for day in DAYS:
        run_day(project, day)
    return project


@pytest.fixture
def with_dbt(tmp_path: Path) -> Project:
    project = make_monitor(tmp_path / "monitor")
    write_project(project, today=FIRST)
    return project


def test_one_build_over_days_makes_what_the_monitor_makes_day_by_day(embedded: Project, with_dbt: Project) -> None:
    pytest.importorskip("dbt.version", reason="dbt is not installed: pip install 'reclens[dbt]'")
    run_days(with_dbt, DAYS, marts=DbtMarts(with_dbt))
    assert_same_state(with_dbt, embedded)
