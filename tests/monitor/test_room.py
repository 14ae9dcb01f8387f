"""The room from Python: its names, and results that can be pickled."""

from __future__ import annotations

import pickle
from datetime import date

import polars as pl
import pytest

import reclens as rl
from reclens.monitor.indicators import registry

FIRST = date(2026, 1, 5)


def test_every_name_is_there() -> None:
    assert dir(rl.monitor) == sorted(rl.monitor.__all__)
    for name in rl.monitor.__all__:
        assert (getattr(rl.monitor, name).__doc__ or "").strip(), name


def test_a_monitor_from_python(hand_project: rl.monitor.Project) -> None:
    workspace = rl.Workspace(hand_project.folder / "workspace")
    done = rl.monitor.run(hand_project, FIRST, workspace=workspace)
    again = pickle.loads(pickle.dumps(done))
    assert again.days[0].gate == done.days[0].gate and again.to_dicts() == done.to_dicts()
    assert again.days[0].detections.equals(done.days[0].detections)
    week = rl.monitor.read_week(hand_project, FIRST, workspace=workspace)
    ctr = week.numbers.row(by_predicate=(pl.col("indicator") == "ctr") & (pl.col("slice") == "all"), named=True)
    assert ctr["value"] == 3 / 8 and week.synthetic is False
    assert pickle.loads(pickle.dumps(week)).to_dicts() == week.to_dicts()
    assert rl.monitor.read_incidents(hand_project) == rl.monitor.read_incidents(str(hand_project.folder)) == []
    assert rl.monitor.check(hand_project, FIRST, dry_run=True).ran


def test_an_indicator_of_ones_own(hand_project: rl.monitor.Project, monkeypatch: pytest.MonkeyPatch) -> None:
    rl.monitor.names()  # all that are built in
    monkeypatch.setattr(registry, "_REGISTERED", dict(registry._REGISTERED))

    @rl.monitor.indicator(caption="Clicks a list", unit="ratio", scale="log", direction="down", family="response")
    def clicks_a_list(summary: rl.monitor.Summary) -> pl.DataFrame | None:
        """Clicks a list."""
        cells, lists = summary.rolled("cells"), summary.rolled("lists")
        if cells is None or lists is None:
            return None
        both = cells.join(lists, on=["dimension", "slice"], suffix="_of_lists")
        return both.select("dimension", "slice", value=pl.col("clicks") / pl.col("requests"))

    series = rl.monitor.run_day(hand_project, FIRST).series.filter(indicator="clicks_a_list", dimension="overall")
    assert series["value"].to_list() == [3 / 4] and rl.monitor.describe("clicks_a_list").unit == "ratio"
