"""Demonstration of the monitor: sixty simulated days with injected incidents, from the log to the page."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from reclens.engine import Progress, quiet
from reclens.errors import NameTakenError
from reclens.job.monitor import MonitorRun, backfill, run_monitor
from reclens.job.monitor_init import SYNTHETIC, init_project, simulated_log
from reclens.job.monitor_inputs import notes_of
from reclens.monitor.project import Project
from reclens.monitor.records import Incident, SeriesKey
from reclens.schema import CLICKED, ITEM, SURFACE
from reclens.workspace import Workspace

__all__ = ["DEMO", "DemoResult", "Injected", "run_demo"]

DEMO: Final = "monitor-demo"
"""Folder of the demonstration in the workspace, and name of its system."""
_START: Final = date(2026, 1, 8)
_TOLD: Final = 3
"""Last days that are run one by one, with notices; those before are done as the past."""
_SURFACE: Final = "item_page"
_FEATURE: Final = "feature.item_age"


@dataclass(frozen=True, kw_only=True)
class Injected:
    """An incident that was injected into the log.

    Attributes:
        code: What it is.
        first: First day.
        last: Last day.
        roots: Series that it is about: one of them is the root of what should be found.
    """

    code: str
    first: date
    last: date
    roots: tuple[SeriesKey, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class DemoResult:
    """The demonstration.

    Attributes:
        project: Its monitor.
        injected: The injected incidents.
        last: The run of the last day.
    """

    project: Project
    injected: tuple[Injected, ...]
    last: MonitorRun

    def found(self, incidents: Sequence[Incident]) -> dict[str, Incident | None]:
        """The incident that was found for each one that was put in, by its days and its series."""
        return {each.code: _matching(each, incidents) for each in self.injected}


def run_demo(
    workspace: Workspace,
    *,
    days: int = 60,
    users: int = 6_000,
    seed: int = 0,
    progress: Progress = quiet,
    say: Callable[[str], None] = lambda line: None,
) -> DemoResult:
    """Simulate days, inject incidents into the last ones, and monitor them; replaces an older demonstration.

    Args:
        workspace: Where it is kept.
        days: Days of the log, at least twenty-one; incidents are in the last seventeen.
        users: Users of the simulated world.
        seed: Seed of the random numbers.
        progress: Called to report progress.
        say: Called with one line of text per step.

    Returns:
        The monitor, the injected incidents, and the last run.

    Raises:
        NameTakenError: If the folder of the demonstration holds something else.
        WorkspaceError: If writing fails.
    """
    folder = workspace.folder / DEMO
    if folder.exists():
        if not (folder / SYNTHETIC).is_file():
            raise NameTakenError(f"{folder} holds something else than a demonstration. Move it, or name a workspace.")
        shutil.rmtree(folder)
    span = [_START + timedelta(days=at) for at in range(days)]
    progress(f"simulate {days} days", 0, 1)
    simulated_log(folder / "log", days=days, users=users, seed=seed, start=_START)
    progress(f"simulate {days} days", 1, 1)
    injected = _inject(folder / "log" / "impressions", span)
    for each in injected:
        say(f"put in: {each.code.replace('_', ' ')}, {each.first} to {each.last}")
    project = init_project(folder, system=DEMO, made=True).project
    _note_deploy(project, span[-2])
    backfill(project, span[0], span[-_TOLD - 1], workspace=workspace, synthetic=True, progress=progress, say=say)
    runs = [run_monitor(project, day, workspace=workspace, synthetic=True, say=say) for day in span[-_TOLD:]]
    return DemoResult(project=project, injected=injected, last=runs[-1])


def _inject(folder: Path, days: Sequence[date]) -> tuple[Injected, ...]:
    """Inject incidents into the last three weeks of a log."""
    plan: list[tuple[str, int, int, Callable[[pl.DataFrame], pl.DataFrame], tuple[SeriesKey, ...]]] = [
        ("stuck_candidates", -17, -15, _stuck, (SeriesKey("coverage"), SeriesKey("gini"), SeriesKey("top_share"))),
        ("late_partition", -12, -12, _partial, (SeriesKey("data_gate"),)),
        ("null_feature", -9, -7, _nulls, (SeriesKey("feature_nulls", "feature", "item_age"),)),
        ("slice_down", -2, -1, _down, (SeriesKey("ctr", SURFACE, _SURFACE),)),
    ]
    found = []
    for code, first, last, change, roots in plan:
        for at in range(first, last + 1):
            file = folder / f"{days[at]}.parquet"
            change(pl.read_parquet(file)).write_parquet(file)
        found.append(Injected(code=code, first=days[first], last=days[last], roots=roots))
    return tuple(found)


def _stuck(rows: pl.DataFrame) -> pl.DataFrame:
    """The cache of candidates is stuck: two of three places show one of thirty items."""
    shown = rows[ITEM].unique(maintain_order=True).head(30)
    other = pl.Series(shown.to_list() * (rows.height // len(shown) + 1))[: rows.height]
    stuck = pl.int_range(pl.len()) % 3 != 0
    return rows.with_columns(pl.when(stuck).then(other.cast(rows.schema[ITEM])).otherwise(pl.col(ITEM)).alias(ITEM))


def _partial(rows: pl.DataFrame) -> pl.DataFrame:
    """Most of the day has not arrived."""
    return rows.head(rows.height // 6)


def _nulls(rows: pl.DataFrame) -> pl.DataFrame:
    """A fifth of a feature is missing."""
    missing = pl.int_range(pl.len()) % 5 == 0
    return rows.with_columns(pl.when(missing).then(None).otherwise(pl.col(_FEATURE)).alias(_FEATURE))


def _down(rows: pl.DataFrame) -> pl.DataFrame:
    """Two of three clicks on one surface are gone."""
    lost = (pl.col(SURFACE).cast(pl.String) == _SURFACE) & (pl.int_range(pl.len()) % 3 != 0)
    return rows.with_columns(pl.when(lost).then(0).otherwise(pl.col(CLICKED)).cast(rows.schema[CLICKED]).alias(CLICKED))


def _note_deploy(project: Project, day: date) -> None:
    text = "new layout of the item page"
    notes_of(project).add("deploy", day, text, by="demo", dimension=SURFACE, slice=_SURFACE)


def _matching(injected: Injected, incidents: Sequence[Incident]) -> Incident | None:
    """The incident that is about the series of an injection, on its days."""
    on = [each for each in incidents if injected.first <= each.first_day <= injected.last + timedelta(days=1)]
    exact = [each for each in on if each.root in injected.roots]
    near = [each for each in on if set(injected.roots) & set(each.symptoms)]
    return next(iter([*exact, *near]), None)
