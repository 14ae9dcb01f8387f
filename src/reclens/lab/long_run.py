"""The study of a holdout: its power over months, a surrogate index beside the truth, the effect by age of exposure."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from reclens.engine import Progress, quiet
from reclens.lab.holdout import SurrogateStudy, effect_by_age, surrogate_study
from reclens.lab.simulation import SimulationSettings, make_pair
from reclens.tabular import Tabular
from reclens.world.simulation import simulate

if TYPE_CHECKING:
    from reclens.data.dataset import Dataset

__all__ = ["LongRun", "simulate_holdout"]


@dataclass(frozen=True, kw_only=True)
class LongRun(Tabular):
    """What is known about a long test.

    Attributes:
        power: One row per month, as of :func:`reclens.lab.holdout.holdout_power`; empty where no numbers were given.
        lift: The true lift that the power is for; None without it.
        goal: The power asked for.
        surrogate: The surrogate index against the truth; None without a world.
        ages: The effect by days since first exposure, as of :func:`reclens.lab.holdout.effect_by_age`.
        metric: The outcome.
        short: Days of the surrogates.
        long: Days of the outcome.
        fitted: Whether the world is fitted to data; a drawn one is made up.
    """

    power: tuple[Mapping[str, float], ...] = ()
    lift: float | None = None
    goal: float = 0.8
    surrogate: SurrogateStudy | None = None
    ages: tuple[Mapping[str, Any], ...] = ()
    metric: str = "clicks"
    short: int = 14
    long: int = 56
    fitted: bool = False

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per number: ``part, at, what, value, low, high, users``; at is a month or a day."""
        names = ("part", "at", "what", "value", "low", "high", "users")
        rows: list[tuple[Any, ...]] = []
        for row in self.power:
            month, users = int(row["month"]), round(row["users"])
            rows.append(("power", month, "power", row["power"], None, None, users))
            rows.append(("power", month, "detectable lift", row["detectable_lift"], None, None, users))
        if self.surrogate is not None:
            rows += [
                ("surrogate", None, row["what"], row["value"], row["low"], row["high"], None)
                for row in self.surrogate.to_dicts()
            ]
        rows += [
            ("age", row["age"], "difference", row["difference"], row["low"], row["high"], row["users"])
            for row in self.ages
        ]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def record(self) -> dict[str, Any]:
        """Every number, for an appendix."""
        return {**asdict(self), "power": [dict(row) for row in self.power], "ages": [dict(row) for row in self.ages]}


def simulate_holdout(
    settings: SimulationSettings,
    *,
    short: int = 14,
    long: int = 56,
    metric: str = "clicks",
    surrogates: Sequence[str] = ("clicks", "visits", "lists"),
    data: Dataset | None = None,
    threads: int | None = None,
    progress: Progress = quiet,
) -> tuple[SurrogateStudy, list[dict[str, Any]]]:
    """A surrogate study and the effect by days since first exposure, of two arms that train on shared data.

    Args:
        settings: The world and the arms; the first one is the control.
        short: Days of the surrogates.
        long: Days of the outcome.
        metric: One of ``reclens.world.simulation.TOTALS``.
        surrogates: Totals of the first days that the index is made of.
        data: What the world is fitted to.
        threads: Threads to use.
        progress: Callback for the progress.

    Raises:
        UsageError: If there are not two arms, or ``long`` is not longer than ``short``.
        UnknownNameError: If a total does not exist.
    """
    world, treatment, control = make_pair(settings, settings.seed, data=data, threads=threads)
    common: dict[str, Any] = {"retrain": settings.retrain, "seed": settings.seed, "threads": threads}
    study = surrogate_study(
        world,
        treatment,
        control,
        short=short,
        long=long,
        outcome=metric,
        surrogates=surrogates,
        replicates=max(settings.replicates, 1),
        level=settings.level,
        progress=progress,
        **common,
    )
    with tempfile.TemporaryDirectory() as place:
        run = simulate(world, [control, treatment], days=long, folder=Path(place) / "log", progress=progress, **common)
        files = sorted((Path(str(run.folder)) / "user_days").glob("*.parquet"))
        log = pl.read_parquet(files, glob=False, hive_partitioning=False)
    return study, effect_by_age(
        log, treatment=treatment.name, control=control.name, metric=metric, most=long, level=settings.level
    )
