"""Runs of the monitor of a small shop, and what they told."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from reclens.job.monitor import MonitorRun, run_monitor
from reclens.monitor.project import Project
from reclens.workspace import Workspace


def written(shop: Path, day: date, log: pl.DataFrame) -> Path:
    place = shop / "log" / f"{day}.parquet"
    log.write_parquet(place)
    return place


def run(shop: Path, day: date, **how: Any) -> MonitorRun:
    return run_monitor(Project(shop), day, workspace=Workspace(shop.parent), **how)


def told(shop: Path) -> list[dict[str, Any]]:
    place = shop / "notices.jsonl"
    return [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []
