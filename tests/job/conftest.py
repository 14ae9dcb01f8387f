"""A monitor of a small shop, and the log of the days that come next."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

FIRST = date(2026, 1, 5)
"""A Monday: the first day that was not run is a Thursday."""


@pytest.fixture(scope="session")
def _shop(monitored: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return monitored.make_shop(tmp_path_factory.mktemp("watched") / "monitor", FIRST)


@pytest.fixture
def today(monitored: ModuleType) -> date:
    """The first day that was not run yet."""
    return FIRST + timedelta(days=monitored.PAST)


@pytest.fixture
def shop(_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the monitor, in a workspace of its own; charts of its reports are drawn in tests/report/monitor."""
    for name in ("history_chart", "contribution_chart", "incidents_chart"):
        monkeypatch.setattr(f"reclens.report.monitor.charts.{name}", lambda *_, **__: None)
    shutil.copytree(_shop, tmp_path / "workspace" / "monitor")
    return tmp_path / "workspace" / "monitor"


@pytest.fixture(scope="session")
def impressions(monitored: ModuleType) -> Callable[..., pl.DataFrame]:
    return monitored.log_of
