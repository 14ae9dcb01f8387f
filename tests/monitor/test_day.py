"""Days in a row, whose marts are made beside the reading of the next day, against days that were run one by one."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from reclens.errors import WorkspaceError
from reclens.monitor.day import run_day, run_days
from reclens.monitor.project import Project

FIRST = date(2026, 1, 5)
DAYS = [FIRST + timedelta(days=at) for at in range(3)]


def make_monitor(folder: Path, monitored: ModuleType) -> Project:
    """Three days; items of the second one are missing, so that it is no past of the third."""
    (folder / "log").mkdir(parents=True)
    (folder / "monitor.toml").write_text(monitored.SETTINGS.replace("[log]", "[log]\ncold_days = 1"))
    for at, day in enumerate(DAYS):
        rows = monitored.log_of(day, rate=0.05 + 0.01 * at, rows=1_200)
        gap = pl.when(pl.int_range(pl.len()) % 2 == 0).then(None).otherwise("item_id") if at == 1 else "item_id"
        rows.with_columns(item_id=gap).filter(pl.col("user_id") >= 100 * (2 - at)).write_parquet(
            folder / "log" / f"{day}.parquet"
        )
    return Project(folder)


def test_days_in_a_row_are_what_they_are_one_by_one(
    monitored: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, project = (make_monitor(tmp_path / name, monitored) for name in ("alone", "in_a_row"))
    for day in DAYS:
        run_day(alone, day)
    finish = Project.finish_day

    def full(self: Project, day: date, *state: Any) -> None:
        if day == DAYS[1]:
            raise WorkspaceError("the disk is full")
        finish(self, day, *state)

    with monkeypatch.context() as patch:
        patch.setattr(Project, "finish_day", full)
        with pytest.raises(WorkspaceError, match="full"):
            run_days(project, DAYS)
    assert project.days() == DAYS[:1] and not (project.state / "held").exists()
    assert {project.day_folder(day).parent.name for day in DAYS} == {"days"}
    assert [each.day for each in run_days(project, DAYS)] == DAYS
    assert project.gates() == alone.gates()
    assert [each.state for each in project.gates().values()] == ["passed", "failed", "passed"]
    files = sorted(each.relative_to(alone.state) for each in alone.state.rglob("*.parquet"))
    assert files == sorted(each.relative_to(project.state) for each in project.state.rglob("*.parquet"))
    assert len(files) > 20
    for file in files:
        mine, expected = (pl.read_parquet(each.state / file) for each in (project, alone))
        assert_frame_equal(mine, expected, rel_tol=1e-9, abs_tol=1e-12)
    assert not (project.state / "held").exists()
