"""The simulation by day: the lists of each arm, the choices of its users, and the training of strategies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np
import polars as pl

from reclens.concentration import gini
from reclens.engine import LocalEngine, Progress, chunk_ranges, quiet
from reclens.errors import ArgumentValueError, ArgumentValuesError, UsageError
from reclens.tabular import Tabular
from reclens.world._draws import mix
from reclens.world._kernels import live
from reclens.world.arm import Arm
from reclens.world.assignment import assign_arms, taste_clusters
from reclens.world.cards import PolicyCard, RunCard
from reclens.world.log import Day, DayLog
from reclens.world.population import World, organic_table
from reclens.world.strategies import Consumed

__all__ = ["TOTALS", "Run", "simulate"]

TOTALS: Final = ("visits", "lists", "impressions", "clicks", "expected_clicks")
"""What is added up for each user; expected clicks are the probabilities of clicks given what was shown."""

_CHUNK: Final = 4_096
_FITTED: Final = 16_384
"""Users that a strategy is asked for at a time."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Run(Tabular):
    """The results of the simulation.

    Attributes:
        arms: Names of the arms.
        users: One row a user: their attributes, ``variant``, the totals over all days; ``cluster`` where there are any.
        days: One row a day and arm: ``day, variant``, users who visited, and totals.
        exposures: Number of times that each arm showed each item; int64, shape (arms, items).
        tastes: Of the users at the end, float32, shape (users, d).
        folder: Where the logs are, or None.
        card: How it was made.
    """

    arms: tuple[str, ...]
    users: pl.DataFrame
    days: pl.DataFrame
    exposures: np.ndarray
    tastes: np.ndarray
    folder: Path | None
    card: RunCard

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per arm: what its users did on average, how often lists were clicked, Gini of exposure."""
        rows: list[dict[str, Any]] = []
        for at, name in enumerate(self.arms):
            own = self.users.filter(pl.col("variant") == name)
            totals = {what: float(own[what].sum()) for what in TOTALS}
            n = max(own.height, 1)
            rows.append(
                {
                    "variant": name,
                    "users": own.height,
                    "visits_per_user": totals["visits"] / n,
                    "clicks_per_user": totals["clicks"] / n,
                    "expected_clicks_per_user": totals["expected_clicks"] / n,
                    "clicks_per_list": totals["clicks"] / max(totals["lists"], 1),
                    "impressions": int(totals["impressions"]),
                    "items_shown": int((self.exposures[at] > 0).sum()),
                    "exposure_gini": float(gini(self.exposures[at])),
                }
            )
        return rows


def simulate(
    world: World,
    arms: Sequence[Arm],
    *,
    days: int = 28,
    training: Literal["shared", "diverted", "separate"] = "shared",
    retrain: int = 7,
    clusters: int | None = None,
    assignment: np.ndarray | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
    threads: int | None = None,
    progress: Progress = quiet,
) -> Run:
    """Simulate an experiment in a world.

    Args:
        world: Where; it is not changed.
        arms: At least one.
        days: Number of days.
        training: The training data of a strategy. ``shared``: what everybody consumed, whatever the arm showed it: the
            usual A/B test, in which arms help and harm each other. ``diverted``: what everybody consumed before, and
            from then on the users of its own arm (data-diverted design: Holtz et al. 2023, arXiv 2309.07107).
            ``separate``: the users of its own arm alone, also of the time before.
        retrain: Days from one training to the next; 0 for a single one before the first day.
        clusters: Users are grouped by taste into so many clusters, and clusters are randomised whole.
        assignment: Given arms of the users, shape (users,), instead of a random assignment.
        seed: Of the randomness of users and of the assignment.
        folder: Where to write logs; it must not exist.
        threads: Threads to use; the result does not depend on it.
        progress: Callback for the progress, by day.

    Returns:
        The results of the simulation.

    Raises:
        UsageError: If an argument is out of range or two arms have one name.
        WorkspaceError: If the folder exists or cannot be written.
    """
    _check(arms, days, training, retrain)
    arm_of = assign_arms(world, [arm.share for arm in arms], clusters=clusters, assignment=assignment, seed=seed)
    state = _State(world, arms, arm_of, training, seed, LocalEngine(threads))
    card: RunCard = {
        "synthetic": True,
        "world": world.card,
        "days": days,
        "training": training,
        "retrain": retrain,
        "clusters": clusters,
        "seed": seed,
        "arms": [
            {
                "name": arm.name,
                "strategy": arm.strategy.name,
                "policy": cast("PolicyCard", asdict(arm.policy)),
                "share": arm.share,
                "changed": arm.changed,
            }
            for arm in arms
        ],
    }
    names = [arm.name for arm in arms]
    with DayLog(folder, world, arms, card) as log:
        for day in range(days):
            if day == 0 or (retrain and day % retrain == 0):
                state.train(day, progress)
            progress("simulate", day, days)
            log.write(state.live(day), arm_of)
        progress("simulate", days, days)
    users = world.users.with_columns(
        pl.Series("variant", names, pl.Enum(names)).gather(arm_of),
        *(
            pl.Series(what, state.totals[:, at]).cast(pl.Float64 if what == "expected_clicks" else pl.Int64)
            for at, what in enumerate(TOTALS)
        ),
    )
    if clusters is not None and assignment is None:
        users = users.with_columns(pl.Series("cluster", taste_clusters(world, clusters, seed=seed), pl.Int32))
    return Run(
        arms=tuple(names),
        users=users,
        days=pl.concat(state.by_day),
        exposures=state.exposures,
        tastes=state.tastes,
        folder=log.folder,
        card=card,
    )


class _State:
    """The mutable state of a simulation."""

    def __init__(
        self, world: World, arms: Sequence[Arm], arm_of: np.ndarray, training: str, seed: int, engine: LocalEngine
    ) -> None:
        self.world, self.arms, self.arm_of, self.training, self.engine = world, arms, arm_of, training, engine
        n_users, n_items = world.users.height, world.items.height
        self.seed = np.uint64(mix(np.uint64(seed % 2**64), np.uint64(21)))
        self.keys = world.keys
        self.moods, self.tastes, self.consumed = world.moods(), world.tastes.copy(), world.consumed.copy()
        self.boredom = np.zeros((n_users, world.settings.topics), np.float32)
        self.log = [np.stack(world.history)]
        self.policies = np.stack([arm.policy.row(changed=arm.changed) for arm in arms])
        self.pool = min(max(arm.policy.pool for arm in arms), n_items)
        place = np.arange(1.0, self.pool + 1)
        self.ranks = np.stack([*(place**-arm.policy.sharpness for arm in arms), np.log(place)])
        self.lists = np.full((n_users, self.pool), -1, np.int32)
        self.totals = np.zeros((n_users, len(TOTALS)))
        self.exposures = np.zeros((len(arms), n_items), np.int64)
        self.by_day: list[pl.DataFrame] = []

    def train(self, day: int, progress: Progress) -> None:
        """Fit every strategy on its training data, and get candidates for its users."""
        users, items, days = np.concatenate(self.log, axis=1)
        n_users, n_items = self.world.users.height, self.world.items.height
        for at, arm in enumerate(self.arms):
            progress(f"train · {arm.name}", at, len(self.arms))
            own = np.ones(len(users), bool)
            if self.training != "shared":
                own = self.arm_of[users] == at
                own |= (days < 0) & (self.training == "diverted")
            arm.strategy.fit(
                Consumed(users=users[own], items=items[own], days=days[own], n_users=n_users, n_items=n_items, day=day)
            )
            mine = np.flatnonzero(self.arm_of == at)
            for part in chunk_ranges(len(mine), _FITTED):
                some = mine[part.start : part.stop]
                found = np.asarray(arm.strategy.recommend(some, min(arm.policy.pool, n_items)))
                if found.ndim != 2 or len(found) != len(some):
                    raise UsageError(
                        f"the strategy '{arm.strategy.name}' gave an array of shape {found.shape} for {len(some):,} "
                        "users: expected one row of item codes a user."
                    )
                if found.size and (found.max() >= n_items or found.min() < -1):
                    raise UsageError(
                        f"the strategy '{arm.strategy.name}' recommended the item code {found.max()} or {found.min()}: "
                        f"expected 0 … {n_items - 1}, and -1 where a list ends."
                    )
                self.lists[some] = -1
                self.lists[some, : found.shape[1]] = found[:, : self.pool]
        progress("train", len(self.arms), len(self.arms))

    def live(self, day: int) -> Day:
        """Simulate one day of all users."""
        world, s = self.world, self.world.settings
        appeal, knobs = world.appeal_on(day), world.knobs(day)
        table = organic_table(appeal)
        longest = int(self.policies[:, 5].max()) * s.most_lists
        shows = (self.lists, self.policies, self.ranks)
        people = (self.keys, self.arm_of, world.traits, self.moods, self.tastes, self.boredom, self.consumed)
        catalogue = (world.vectors, appeal, world.topics, table)

        def task(part: range) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
            n = len(part)
            rows, chances = np.empty((7, n * longest), np.int32), np.empty((3, n * longest), np.float32)
            totals, organic = np.empty((n, len(TOTALS)), np.float32), np.empty(n, np.int32)
            log = (rows, chances, totals, organic)
            count = live(
                part.start,
                part.stop,
                float(day),
                s.most_lists,
                self.seed,
                s.browse,
                knobs,
                shows,
                people,
                catalogue,
                log,
            )
            return rows[:, :count].copy(), chances[:, :count].copy(), totals, organic

        parts = list(self.engine.map(task, chunk_ranges(len(self.keys), _CHUNK)))
        rows = np.concatenate([part[0] for part in parts], axis=1)
        chances = np.concatenate([part[1] for part in parts], axis=1)
        totals, organic = np.concatenate([part[2] for part in parts]), np.concatenate([part[3] for part in parts])
        self._keep(day, rows, totals, organic)
        return Day(day=day, rows=rows, chances=chances, totals=totals, organic=organic)

    def _keep(self, day: int, rows: np.ndarray, totals: np.ndarray, organic: np.ndarray) -> None:
        clicked = rows[3] == 1
        alone = np.flatnonzero(organic >= 0)
        users = np.concatenate([rows[0, clicked], alone]).astype(np.int32)
        items = np.concatenate([rows[1, clicked], organic[alone]]).astype(np.int32)
        self.log.append(np.stack([users, items, np.full(len(users), day, np.int32)]))
        self.totals += totals
        n_items = self.exposures.shape[1]
        shown = self.arm_of[rows[0]].astype(np.int64) * n_items + rows[1]
        self.exposures += np.bincount(shown, minlength=self.exposures.size).reshape(self.exposures.shape)
        sums = np.stack([np.bincount(self.arm_of, totals[:, at], len(self.arms)) for at in range(len(TOTALS))])
        names = [arm.name for arm in self.arms]
        counts = {
            what: sums[at] if what == "expected_clicks" else sums[at].astype(np.int64) for at, what in enumerate(TOTALS)
        }
        self.by_day.append(
            pl.DataFrame(
                {"day": np.full(len(names), day, np.int32), "variant": pl.Series(names, dtype=pl.Enum(names)), **counts}
            )
        )


def _check(arms: Sequence[Arm], days: int, training: str, retrain: int) -> None:
    names = [arm.name for arm in arms]
    if not arms or len(arms) > 100:
        raise ArgumentValueError("arms", f"are {len(arms)}, expected 1 … 100")
    if len(set(names)) < len(names):
        raise ArgumentValueError("arms", f"are called {', '.join(names)}: expected names that differ.")
    if any(not arm.share > 0 for arm in arms):
        raise UsageError(f"shares are {[arm.share for arm in arms]}, expected numbers above 0.")
    if days < 1 or retrain < 0:
        raise ArgumentValuesError({"days": days, "retrain": retrain}, "1 or more, and 0 or more")
    if training not in ("shared", "diverted", "separate"):
        raise ArgumentValueError("training", f"is {training!r}, expected 'shared', 'diverted' or 'separate'")
