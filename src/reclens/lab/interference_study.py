"""Bias of A/B tests whose arms learn from each other, by design, with known truth.

Recommenders that train on each other's logs share their discoveries: one that explores bears the cost alone, and the
other benefits. An A/B test can even get the sign wrong (Holtz, Brennan et al. 2023, arXiv 2309.07107, symbiosis
bias; Si 2023, arXiv 2310.17496). Data-diverted arms and clusters of users reduce the bias at the cost of precision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from reclens.engine import Progress, quiet
from reclens.errors import ArgumentValueError, UnknownNameError
from reclens.lab.simulation import ab_difference
from reclens.stats.estimate import Estimate, mean_estimate
from reclens.stats.proportions import proportion
from reclens.tabular import Tabular
from reclens.world.arm import Arm
from reclens.world.population import World
from reclens.world.simulation import simulate
from reclens.world.truth import METRICS, true_effect

__all__ = ["DESIGNS", "DesignResult", "Interference", "Make", "interference"]

DESIGNS: Final[dict[str, dict[str, Any]]] = {
    "shared": {"training": "shared"},
    "diverted": {"training": "diverted"},
    "separate": {"training": "separate"},
    "clusters": {"training": "shared", "clusters": 40},
    "clusters, diverted": {"training": "diverted", "clusters": 40},
}
"""Designs by name, as arguments of ``reclens.world.simulation.simulate``."""

Make = Callable[[int], tuple[World, Arm, Arm]]
"""From a seed to a world, the treatment and the control."""


@dataclass(frozen=True, kw_only=True)
class DesignResult:
    """Results of tests of one design, over seeds.

    Attributes:
        design: Its name.
        truth: Mean true effect, with an interval over seeds; that of a world is the mean over its replicates.
        estimate: Mean estimate.
        bias: Mean of estimate minus truth, seed by seed; its interval is over seeds (Student's t).
        spread: Standard deviation of the estimates.
        wrong_sign: Share of tests whose estimate has the wrong sign against the mean truth (Wilson interval).
        misled: Share of tests that are significant with the wrong sign.
        coverage: Share of tests whose interval holds the truth of their world, as its replicates find it.
    """

    design: str
    truth: Estimate
    estimate: Estimate
    bias: Estimate
    spread: float
    wrong_sign: Estimate
    misled: Estimate
    coverage: Estimate


@dataclass(frozen=True)
class Interference(Tabular):
    """Designs against each other.

    Attributes:
        metric: What was measured, a user.
        seeds: How many worlds.
        designs: By design.
        effects: Of each seed: the truth and the estimate of each design.
    """

    metric: str
    seeds: int
    designs: tuple[DesignResult, ...]
    effects: tuple[Mapping[str, float], ...]

    def __getitem__(self, design: str) -> DesignResult:
        return next(each for each in self.designs if each.design == design)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per design."""
        rows: list[dict[str, Any]] = []
        for each in self.designs:
            row: dict[str, Any] = {"design": each.design}
            for name, value in asdict(each).items():
                if isinstance(value, dict):
                    row |= {name: value["value"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
                elif name != "design":
                    row[name] = value
            rows.append(row)
        return rows


def interference(
    make: Make,
    *,
    designs: Sequence[str] | Mapping[str, Mapping[str, Any]] = ("shared", "diverted", "clusters"),
    seeds: int = 20,
    replicates: int = 4,
    days: int = 28,
    retrain: int = 7,
    metric: str = "expected_clicks",
    level: float = 0.95,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = quiet,
) -> Interference:
    """Run tests of several designs in many worlds, and hold each against the truth of its world.

    Args:
        make: Makes a world and two arms from a seed.
        designs: Names of ``DESIGNS``, or arguments of ``simulate`` by name.
        seeds: How many worlds.
        replicates: How many times the truth of a world is lived, with luck that no test has: where arms learn, one life
            is a draw and not the truth.
        days: How long the tests run.
        retrain: Days from one training to the next.
        metric: One of ``reclens.world.truth.METRICS``; expected clicks have the least noise.
        level: Of the intervals.
        seed: Of the first world.
        threads: Threads to use; the result does not depend on it.
        progress: Called world by world.

    Raises:
        UsageError: If there are fewer than two seeds, or replicates is below 1.
        UnknownNameError: If a design or metric does not exist.
    """
    if seeds < 2:
        raise ArgumentValueError("seeds", f"is {seeds}, expected two or more: the spread over worlds is what is asked")
    if metric not in METRICS:
        raise UnknownNameError("metric of the world", metric, METRICS)
    chosen = dict(designs) if isinstance(designs, Mapping) else {name: _design(name) for name in designs}
    effects: list[Mapping[str, float]] = []
    marks: dict[str, list[tuple[bool, bool]]] = {name: [] for name in chosen}
    for at in range(seeds):
        progress("interference · worlds", at, seeds)
        world, treatment, control = make(seed + at)
        truth = true_effect(
            world,
            treatment,
            control,
            days=days,
            retrain=retrain,
            replicates=replicates,
            seed=seed + seeds + at * replicates,
            threads=threads,
        )
        row = {"truth": truth[metric].difference.value}
        for name, how in chosen.items():
            run = simulate(
                world, [control, treatment], days=days, retrain=retrain, seed=seed + at, threads=threads, **how
            )
            found = ab_difference(run, treatment.name, control.name, metric, level=level).absolute
            row[name] = found.value
            low, high = found.low, found.high
            if low is None or high is None:
                marks[name].append((False, False))
            else:
                marks[name].append((low <= row["truth"] <= high, low > 0 or high < 0))
        effects.append(row)
    progress("interference · worlds", seeds, seeds)
    results = tuple(_summary(name, effects, marks[name], level) for name in chosen)
    return Interference(metric, seeds, results, tuple(effects))


def _design(name: str) -> dict[str, Any]:
    if name not in DESIGNS:
        raise UnknownNameError("design", name, DESIGNS)
    return DESIGNS[name]


def _summary(
    design: str, effects: Sequence[Mapping[str, float]], marks: Sequence[tuple[bool, bool]], level: float
) -> DesignResult:
    truth = np.array([row["truth"] for row in effects])
    found = np.array([row[design] for row in effects])
    wrong = np.sign(found) != np.sign(truth.mean())
    covers, significant = (np.array(side) for side in zip(*marks, strict=True))
    n = len(effects)
    true, mean, bias = (mean_estimate(each, level=level) for each in (truth, found, found - truth))
    return DesignResult(
        design=design,
        truth=true,
        estimate=mean,
        bias=bias,
        spread=float(found.std(ddof=1)),
        wrong_sign=proportion(int(wrong.sum()), n, level=level),
        misled=proportion(int((wrong & significant).sum()), n, level=level),
        coverage=proportion(int(covers.sum()), n, level=level),
    )
