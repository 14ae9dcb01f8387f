"""Project: six weeks of a shop with two faults in them, watched by the monitor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl

from reclens.cards import Fact
from reclens.learn.exercise import Draw, Remark
from reclens.learn.measured import Measured, Number
from reclens.learn.project import Project, project_seed
from reclens.learn.project_settings import IncidentText, ProjectSettings
from reclens.monitor.chaos import ChaosWorld, Fault
from reclens.monitor.day import run_day
from reclens.monitor.project import Project as Monitor
from reclens.schema import fingerprint
from reclens.stats.proportions import proportion_difference

__all__ = ["HealthMonitor"]

_FIRST: Final = date(2026, 1, 5)
_DAYS: Final = 42
_KINDS: Final = ("slice_down", "null_feature", "duplicated_events", "stuck_cache")
_IMPRESSIONS: Final = 6_000
_SETTINGS: Final = """\
system = "shop"

[log]
path = "log"

[dimensions]
names = ["surface"]

[detect]
warm_up = 2
"""


class HealthMonitor(Project):
    """Incidents that were put in have to be named, with day and kind, and nothing else."""

    code = "P5"
    name = "monitor"
    level = "advanced"
    of_phase = 5
    files = ("project.toml",)
    artefact = ""

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """Days and kinds."""
        last = _FIRST + timedelta(_DAYS - 1)
        kinds = ", ".join(f"`{kind}`" for kind in _KINDS)
        return {**super().facts(draw), "first": str(_FIRST), "last": str(last), "kinds": kinds}

    def write_data(self, draw: Draw, folder: Path) -> None:
        """The log of six weeks, and settings of a monitor."""
        place = folder / "monitor" / "log"
        place.mkdir(parents=True, exist_ok=True)
        _write_log(project_seed(draw), place)
        settings = folder / "monitor" / "monitor.toml"
        if not settings.exists():
            settings.write_text(_SETTINGS, encoding="utf-8")

    def own_remarks(self, settings: ProjectSettings, draw: Draw) -> Iterator[Remark]:
        """The incidents against those that were put in: one day of grace, and none too many."""
        faults = _faults(project_seed(draw))
        left = list(settings.incident)
        found = 0
        for fault in faults:
            near = {str(fault.start + timedelta(each)) for each in range(-1, 2)}
            mine = [each for each in left if each.kind == fault.kind and each.day in near]
            found += bool(mine)
            left = [each for each in left if each not in mine[:1]]
        if found < len(faults) or left:
            yield Remark("incidents_of_project", {"found": found, "of": len(faults), "false": len(left)})

    def own_entries(self, draw: Draw) -> dict[str, Any]:
        """The incidents."""
        return {"incident": [IncidentText(day=str(each.start), kind=each.kind) for each in _faults(project_seed(draw))]}

    def measure(self, seed: int) -> Measured:
        """Run the days that the numbers are about: the last two weeks."""
        with TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "log").mkdir()
            days = _write_log(seed, folder / "log", first=_DAYS - 14)
            (folder / "monitor.toml").write_text(_SETTINGS, encoding="utf-8")
            monitor = Monitor(folder)
            with monitor.lock():
                series = pl.concat([run_day(monitor, day).series for day in days])
        counts = series.filter(indicator="ctr").select("day", "dimension", "slice", "numerator", "denominator")
        return Measured(
            tables={"weeks": _weeks(series)},
            numbers=_numbers(),
            primary="ctr_change",
            data={
                "name": "a simulated log of impressions",
                "licence": "made by RecLens from the seed; free to share",
                "days": _DAYS,
                "impressions": int(series.filter(indicator="ctr", dimension="overall")["denominator"].sum()),
                "fingerprint": fingerprint(counts),
                "synthetic": True,
            },
            protocol={
                "watched": "click rate, coverage, missing features, duplicates and others, by surface",
                "forecast": "the same weekday of the weeks before",
                "budget": "1 false alert an indicator and year",
                "weeks": "the last one against the one before",
            },
            command="reclens monitor backfill --project monitor --workspace ../.. "
            f"--from {_FIRST} --to {_FIRST + timedelta(_DAYS - 1)}\n"
            "reclens monitor incidents list --project monitor",
        )


def _faults(seed: int) -> list[Fault]:
    """Two faults of different kinds in the last week and the one before."""
    rng = Draw(seed, "P5").rng("faults")
    kinds = rng.permutation(_KINDS)[:2].tolist()
    starts = [_DAYS - 12 + int(rng.integers(0, 2)), _DAYS - 6 + int(rng.integers(0, 3))]
    return [
        Fault(kind=str(kind), strength="strong", start=_FIRST + timedelta(at))
        for kind, at in zip(kinds, starts, strict=True)
    ]


def _write_log(seed: int, folder: Path, *, first: int = 0) -> list[date]:
    world, faults = ChaosWorld(seed, impressions=_IMPRESSIONS), _faults(seed)
    days = [_FIRST + timedelta(at) for at in range(first, _DAYS)]
    for day in days:
        log = world.day(day)
        for fault in faults:
            log = world.with_fault(day, fault, clean=log)
        log.write_parquet(folder / f"{day}.parquet")
    return days


def _weeks(series: pl.DataFrame) -> pl.DataFrame:
    """Clicks and impressions of both weeks by surface, and the change of the click rate with its interval."""
    rows = series.filter(indicator="ctr").with_columns(
        late=pl.col("day") > series["day"].max() - timedelta(7)  # type: ignore[operator]
    )
    sums = rows.group_by("dimension", "slice", "late").agg(pl.col("numerator", "denominator").sum())
    found: list[dict[str, object]] = []
    for (dimension, slice_), part in sums.group_by("dimension", "slice"):
        old, new = (part.filter(late=late).select("numerator", "denominator").row(0) for late in (False, True))
        change = proportion_difference((int(old[0]), int(old[1])), (int(new[0]), int(new[1])))
        found.append(
            {
                "dimension": dimension,
                "slice": slice_,
                "before": old[0] / old[1],
                "after": new[0] / new[1],
                "change": change.absolute.value,
                "low": change.absolute.low,
                "high": change.absolute.high,
                "impressions": int(new[1]),
            }
        )
    return pl.DataFrame(found).sort("dimension", "slice")


def _numbers() -> list[Number]:
    return [
        Number(
            short=surface or "all surfaces",
            key="ctr_change" if not surface else f"ctr_change_{surface}",
            label=f"click rate of the last week less that of the week before{surface and f', surface {surface}'}",
            query="SELECT change AS value, low, high, impressions AS n FROM weeks WHERE "
            + (f"dimension = 'surface' AND slice = '{surface}'" if surface else "dimension = 'overall'"),
            percent=True,
            null=0.0,
            higher=True,
            finding="week",
        )
        for surface in ("", "home", "search", "item")
    ]
