"""Project: an A/B test in a simulated shop, its size, its estimate and the true effect."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from reclens.lab.simulation import SimulationSettings, run_simulation
from reclens.learn.exercise import Draw
from reclens.learn.measured import Measured, Number
from reclens.learn.project import Project, project_seed
from reclens.schema import fingerprint
from reclens.settings import validate, write_toml

__all__ = ["Experiment"]

_DAYS: Final = 14
_WORLD: Final = {"users": 1500, "items": 200}


class Experiment(Project):
    """Popular items against item-kNN on simulated users."""

    code = "P2"
    name = "experiment"
    level = "intermediate"
    of_phase = 2
    table = "effects"
    keys = ("arm", "metric")
    columns = ("control", "treatment", "lift", "low", "high", "true_lift")

    def write_data(self, draw: Draw, folder: Path) -> None:
        """The simulation."""
        (folder / "simulation.toml").write_text(write_toml(_settings(project_seed(draw))), encoding="utf-8")

    def measure(self, seed: int) -> Measured:
        """Simulate, estimate, and compare with everybody treated."""
        settings = validate(SimulationSettings, _settings(seed), source="simulation.toml")
        effects = pl.DataFrame(run_simulation(settings).to_dicts())
        return Measured(
            tables={"effects": effects},
            numbers=_numbers(),
            primary="clicks",
            data={
                "name": "a simulated shop of RecLens",
                "licence": "made by RecLens from the seed; free to share",
                "users": _WORLD["users"],
                "items": _WORLD["items"],
                "days": _DAYS,
                # Means of what was seen, to the digits that do not depend on the machine.
                "fingerprint": fingerprint(effects.select("arm", "metric", pl.col("control", "treatment").round(9))),
                "synthetic": True,
            },
            protocol={
                "randomised": "users, half to each arm",
                "arms": "popular items against item-kNN, trained on shared data",
                "interval": "95 % of the lift, by the delta method",
                "truth": "all users treated against none, on the same random numbers",
            },
            command="reclens experiment simulate simulation.toml --format csv --out numbers.csv",
        )


def _settings(seed: int) -> dict[str, object]:
    return {
        "size": "tiny",
        "days": _DAYS,
        "seed": seed,
        "world": dict(_WORLD),
        "arms": {"control": {"model": "popular"}, "treatment": {"model": "item_knn"}},
    }


def _numbers() -> list[Number]:
    lifts = [
        Number(
            key=metric,
            label=f"lift of {name}",
            short=f"lift of {metric}",
            query=f"SELECT lift AS value, low, high FROM effects WHERE metric = '{metric}'",
            percent=True,
            null=0.0,
            higher=True,
            finding="lift",
        )
        for metric, name in (("clicks", "clicks a user"), ("visits", "visits a user"))
    ]
    truth = Number(
        key="true_clicks",
        short="true lift of clicks",
        label="true lift of clicks a user",
        query="SELECT true_lift AS value, true_low AS low, true_high AS high FROM effects WHERE metric = 'clicks'",
        percent=True,
        null=0.0,
        higher=True,
        finding="true_lift",
    )
    return [lifts[0], truth, lifts[1]]
