"""An experiment in the simulated world, from settings: the world, its arms, the A/B test, and the true effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from reclens.data.dataset import Dataset
from reclens.engine import Progress, quiet
from reclens.errors import UsageError, expect_type
from reclens.experiment.planning.metric import FrozenSettings
from reclens.lab.model_strategy import ModelStrategy
from reclens.settings import read_toml, validate
from reclens.stats.arms import Quantity, compare_arms
from reclens.stats.difference import Difference
from reclens.stats.moments import Moments
from reclens.tabular import Tabular
from reclens.world.arm import Arm
from reclens.world.fitting import fit_world
from reclens.world.policy import Policy
from reclens.world.population import World, draw_world
from reclens.world.settings import PRESETS, WorldSettings
from reclens.world.simulation import Run, simulate
from reclens.world.strategies import Oracle, Popular, Random, Strategy
from reclens.world.truth import METRICS, REPLICATES, Truth, true_effect

__all__ = [
    "EXAMPLE_INTERFERENCE",
    "EXAMPLE_SIMULATION",
    "ArmSettings",
    "Simulation",
    "SimulationSettings",
    "ab_difference",
    "load_simulation",
    "make_arm",
    "make_pair",
    "make_world",
    "run_simulation",
]


class ArmSettings(FrozenSettings):
    """One arm: a model and how its lists are made; see :class:`reclens.world.policy.Policy`.

    Attributes:
        model: Name of a model of the library, or ``oracle``: the items that users like best, with an error of
            ``parameters.blur``.
        parameters: Hyper-parameters.
        policy: ``greedy``, ``epsilon`` or ``softmax``.
        k: Length of the lists.
        pool: Number of items of the ranking from which a list is drawn.
        epsilon: Share of lists that explore.
        sharpness: How fast the weights of ``softmax`` decrease with the rank.
        leave_out: Whether consumed items of a user are left out.
        share: Share of the users, against the shares of the other arms.
        changed: Whether the arm is new to users, so that novelty and primacy apply.
    """

    model: str = "popular"
    parameters: dict[str, Any] = Field(default_factory=dict)
    policy: Literal["greedy", "epsilon", "softmax"] = "greedy"
    k: int = 10
    pool: int = 30
    epsilon: float = 0.1
    sharpness: float = 1.0
    leave_out: bool = True
    share: float = Field(default=1.0, gt=0)
    changed: bool = False


class SimulationSettings(FrozenSettings):
    """A whole simulation.

    Attributes:
        size: Preset of the world.
        world: Fields that differ from the preset; see :class:`reclens.world.settings.WorldSettings`.
        arms: By name; the first one is the control.
        days: Number of days.
        training: ``shared``, ``diverted`` or ``separate``; see :func:`reclens.world.simulation.simulate`.
        retrain: Days from one training to the next.
        clusters: Number of clusters of similar users to randomise.
        replicates: Replicates of the truth, each with its own random numbers; 1 gives no interval, 0 no truth.
        level: Of the intervals.
        seed: Seed of the random numbers.
    """

    size: str = "small"
    world: dict[str, Any] = Field(default_factory=dict)
    arms: dict[str, ArmSettings] = Field(
        default_factory=lambda: {"control": ArmSettings(), "treatment": ArmSettings(model="item_knn", changed=True)}
    )
    days: int = Field(default=28, ge=1, le=3650)
    training: Literal["shared", "diverted", "separate"] = "shared"
    retrain: int = Field(default=7, ge=0)
    clusters: int | None = Field(default=None, ge=2)
    replicates: int = Field(default=REPLICATES, ge=0)
    level: float = Field(default=0.95, gt=0, lt=1)
    seed: int = Field(default=0, ge=0, lt=2**63)

    @model_validator(mode="after")
    def _known(self) -> SimulationSettings:
        if self.size not in PRESETS:
            raise ValueError(f"size is '{self.size}', expected one of {', '.join(PRESETS)}")
        if len(self.arms) < 1:
            raise ValueError("arms is empty: expected one or more, such as [arms.control]")
        return self

    def world_settings(self) -> WorldSettings:
        """The preset with the fields that differ.

        Raises:
            UsageError: If a key is unknown or a value is wrong.
        """
        return validate(WorldSettings, {**PRESETS[self.size], **self.world}, source="[world]")


EXAMPLE_SIMULATION: Final = """\
size = "small"             # tiny, small, medium or large
days = 28
training = "shared"        # or "diverted": each model learns from its own arm
retrain = 7

[world]                    # what is other than in the preset
click_rate = 0.1
novelty = 0.3

[arms.control]
model = "popular"

[arms.treatment]
model = "item_knn"
parameters = { neighbors = 50 }
policy = "epsilon"         # explores, and logs the propensities that off-policy evaluation needs
epsilon = 0.1
changed = true
"""
"""A simulation to start from."""


EXAMPLE_INTERFERENCE: Final = """\
size = "tiny"
days = 14
retrain = 1

[world]                    # nobody knows yet what is good: only lists tell
users = 400
items = 150
light_visits = 0.8
heavy_visits = 0.8
history = 0
organic = 0
births = 0
newness = 0
taste_spread = 0.3
appeal_spread = 1.5
click_rate = 0.2
repeat_cost = 0
satiation = 0
return_effect = 0
new_share = 0

[arms.greedy]              # harvests
model = "popular"
k = 5
pool = 150
leave_out = false

[arms.explores]            # pays for what both then know
model = "popular"
policy = "epsilon"
epsilon = 0.1
k = 5
pool = 150
leave_out = false
"""
"""A pair of arms whose test goes wrong where they train on shared data."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Simulation(Tabular):
    """The results of a simulated experiment.

    Attributes:
        settings: How it was made.
        world: Where.
        run: The results of the simulation.
        differences: A/B estimate of each arm against the control: (arm, metric) -> difference.
        truths: True effects by arm; empty without replicates.
    """

    settings: SimulationSettings
    world: World
    run: Run
    differences: Mapping[tuple[str, str], Difference]
    truths: Mapping[str, Truth]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per arm and metric: the A/B estimate and the truth as lifts, and whether the interval covers it."""
        rows: list[dict[str, Any]] = []
        for (arm, metric), found in self.differences.items():
            truth = self.truths[arm][metric] if arm in self.truths else None
            lift = found.relative
            covers = None
            if truth is not None and lift.low is not None and lift.high is not None:
                covers = bool(lift.low <= truth.lift.value <= lift.high)
            rows.append(
                {
                    "arm": arm,
                    "metric": metric,
                    "control": found.control,
                    "treatment": found.treatment,
                    "lift": lift.value,
                    "low": lift.low,
                    "high": lift.high,
                    "p_value": found.p_value,
                    "true_lift": truth.lift.value if truth else None,
                    "true_low": truth.lift.low if truth else None,
                    "true_high": truth.lift.high if truth else None,
                    "covers": covers,
                }
            )
        return rows


def load_simulation(path: str | Path) -> SimulationSettings:
    """Read a simulation from a TOML file.

    Raises:
        UsageError: If the file cannot be read, has an unknown key or a value that is wrong.
    """
    settings = validate(SimulationSettings, read_toml(path), source=str(path))
    settings.world_settings()
    return settings


def make_world(settings: SimulationSettings, *, data: Dataset | None = None, seed: int | None = None) -> World:
    """The world of a simulation: drawn, or fitted to data, by default with as many users as the data.

    Args:
        settings: What it is like.
        data: What it is fitted to.
        seed: Of its randomness; None takes that of the settings.
    """
    luck = settings.seed if seed is None else seed
    like = settings.world_settings()
    if data is None:
        return draw_world(like, seed=luck)
    if "users" not in settings.world:
        like = like.model_copy(update={"users": len(data.user_vocabulary)})
    return fit_world(data, like, seed=luck)


def make_pair(
    settings: SimulationSettings, seed: int, *, data: Dataset | None = None, threads: int | None = None
) -> tuple[World, Arm, Arm]:
    """A world, the treatment and the control of a simulation with two arms, for studies over many worlds.

    Raises:
        UsageError: If there are not two arms.
    """
    if len(settings.arms) != 2:
        raise UsageError(f"there are {len(settings.arms)} arms, expected two: the control and the treatment.")
    world = make_world(settings, data=data, seed=seed)
    control, treatment = (make_arm(name, arm, world, seed=seed, threads=threads) for name, arm in settings.arms.items())
    return world, treatment, control


def make_arm(name: str, settings: ArmSettings, world: World, *, seed: int = 0, threads: int | None = None) -> Arm:
    """An arm of a world from its settings.

    Raises:
        UnknownNameError: If there is no such model or hyper-parameter.
        UsageError: If the policy is wrong.
    """
    policy = Policy(
        kind=settings.policy,
        k=settings.k,
        pool=settings.pool,
        epsilon=settings.epsilon,
        sharpness=settings.sharpness,
        leave_out=settings.leave_out,
    )
    strategy = _strategy(settings, world, seed, threads)
    return Arm(name=name, strategy=strategy, policy=policy, share=settings.share, changed=settings.changed)


def _strategy(settings: ArmSettings, world: World, seed: int, threads: int | None) -> Strategy:
    """The world's own implementation of a model, if there is one: the same lists without intermediate tables."""
    if settings.model == "oracle":
        odd = set(settings.parameters) - {"blur"}
        if odd:
            raise UsageError(f"the oracle has no parameter {', '.join(sorted(odd))}; it has blur, in logits.")
        return Oracle(world, seed=seed, **settings.parameters)
    if not settings.parameters and settings.model == "popular":
        return Popular()
    if not settings.parameters and settings.model == "random":
        return Random(seed=seed)
    return ModelStrategy(settings.model, settings.parameters, world=world, threads=threads)


def run_simulation(
    settings: SimulationSettings | str | Path,
    *,
    data: Dataset | None = None,
    folder: str | Path | None = None,
    threads: int | None = None,
    progress: Progress = quiet,
) -> Simulation:
    """Run a simulated experiment, and compute the true effect of each arm against the first.

    Args:
        settings: Settings of the simulation, or their TOML file.
        data: Data to fit the world to; if omitted, the world is drawn.
        folder: Folder for the logs.
        threads: Threads to use; the result does not depend on it.
        progress: Callback for the progress.

    Raises:
        UsageError: If the settings are wrong.
        UnknownNameError: If there is no such model.
        WorkspaceError: If the folder exists or cannot be written.
    """
    kinds = (SimulationSettings, str, Path)
    expect_type("settings", settings, kinds, expected="settings or a TOML file", fix="rl.lab.SimulationSettings(…)")
    settings = settings if isinstance(settings, SimulationSettings) else load_simulation(settings)
    progress("make the world", 0, 1)
    world = make_world(settings, data=data)
    progress("make the world", 1, 1)
    arms = [make_arm(name, arm, world, seed=settings.seed, threads=threads) for name, arm in settings.arms.items()]
    run = simulate(
        world,
        arms,
        days=settings.days,
        training=settings.training,
        retrain=settings.retrain,
        clusters=settings.clusters,
        seed=settings.seed,
        folder=folder,
        threads=threads,
        progress=progress,
    )
    differences = {
        (arm.name, metric): ab_difference(run, arm.name, arms[0].name, metric, level=settings.level)
        for arm in arms[1:]
        for metric in METRICS
    }
    truths: dict[str, Truth] = {}
    for arm in arms[1:] if settings.replicates else []:
        truths[arm.name] = true_effect(
            world,
            arm,
            arms[0],
            days=settings.days,
            retrain=settings.retrain,
            replicates=settings.replicates,
            level=settings.level,
            seed=settings.seed,
            threads=threads,
            progress=progress,
        )
    return Simulation(settings=settings, world=world, run=run, differences=differences, truths=truths)


def ab_difference(run: Run, treatment: str, control: str, metric: str, *, level: float = 0.95) -> Difference:
    """The A/B estimate of a run: Welch's test for a total per user, the delta method for clicks over lists.

    The interval of the lift is Fieller's at the quantile of the test: it excludes zero exactly if the test rejects.

    If clusters were randomised, they are the units, and a total per user is a ratio of sums over clusters.

    Raises:
        UsageError: If an arm has fewer than two units.
    """
    columns: Sequence[str] = ("clicks", "lists") if metric == "clicks_per_list" else (metric,)
    of: Quantity = ("clicks", "lists") if metric == "clicks_per_list" else metric
    clustered = "cluster" in run.users.columns
    if clustered and metric != "clicks_per_list":
        of = (metric, "rows")
    sides: list[Moments] = []
    for name in (control, treatment):
        own = run.users.filter(run.users["variant"] == name)
        values = {column: own[column].to_numpy().astype(float) for column in columns}
        if clustered:
            from reclens.stats.clustered import cluster_sums

            sides.append(cluster_sums(values, own["cluster"].to_numpy()))
        else:
            sides.append(Moments.of(values))
        if sides[-1].n < 2:
            raise UsageError(f"the arm '{name}' has {sides[-1].n} units, expected two or more. Simulate more users.")
    return compare_arms(sides[0], sides[1], of, level=level, relative="fieller")
