"""The feedback loop: the effect over rounds of a recommender that learns from its own lists.

Lists are recommended, users of a simulated world choose, and the recommender is retrained, round after round. The
popularity drift, the homogenisation of users and the shift of a group's taste are those of Mansoury et al. (2020),
Feedback loop and bias amplification in recommender systems; the inter-user Jaccard index is that of Chaney, Stewart,
Engelhardt (2018), How algorithmic confounding in recommendation systems increases homogeneity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

import numpy as np
import polars as pl

from reclens.concentration import gini, share_in_use
from reclens.engine import Progress, quiet
from reclens.errors import ArgumentValuesError, UnknownNameError
from reclens.lab.model_strategy import ModelStrategy
from reclens.stats.estimate import Estimate, mean_estimate
from reclens.tabular import Tabular
from reclens.world.arm import Arm
from reclens.world.cards import WorldCard
from reclens.world.fitting import fit_world
from reclens.world.policy import Policy
from reclens.world.population import World
from reclens.world.settings import WorldSettings
from reclens.world.simulation import simulate
from reclens.world.strategies import Consumed, Strategy

if TYPE_CHECKING:
    from reclens.data.dataset import Dataset

__all__ = ["FeedbackLoop", "LoopCard", "LoopSlope", "Measure", "feedback_loop"]

Measure = Literal["gini", "gini_consumed", "coverage", "arp", "taste_shift", "homogenisation", "consumption"]
"""``gini``: of how often each item is shown; ``gini_consumed``: of all consumption so far; ``coverage``: share of the
catalogue that is shown; ``arp``: average popularity of what is shown, in interactions before the first round;
``taste_shift``: Kullback-Leibler divergence of the group's consumption by category from that of round 0;
``homogenisation``: mean Jaccard index of the lists of two users; ``consumption``: interactions of a user in the round,
of every round but the last, which is measured and not lived."""

_PAIRS: Final = 4_000
_UNKNOWN: Final = "(unknown)"


@dataclass(frozen=True, kw_only=True)
class LoopSlope(Tabular):
    """How fast a measure moves.

    Attributes:
        by: The attribute of users; ``"overall"`` for all of them.
        segment: The group; ``"all"`` for all users.
        measure: What moves.
        start: Mean over the seeds in round 0.
        end: Mean over the seeds in the last round.
        slope: Change a round, by least squares over the rounds of a seed; the mean over seeds with Student's interval.
            Its ``n`` is the number of seeds.
    """

    by: str
    segment: str
    measure: Measure
    start: float
    end: float
    slope: Estimate

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row."""
        return [asdict(self)]


class LoopCard(TypedDict):
    """How a feedback loop was simulated.

    Attributes:
        world: The card of the world.
        rounds: Number of rounds per seed.
        days: Number of days per round.
        seeds: Number of drawn worlds.
        seed: The first of them.
        k: Length of the lists.
        category: Attribute of the items that variety is measured by.
        by: Groups of users.
    """

    world: WorldCard
    rounds: int
    days: int
    seeds: int
    seed: int
    k: int
    category: str
    by: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class FeedbackLoop(Tabular):
    """What happened in the loop.

    Attributes:
        recommender: Its name.
        rounds: A row a seed, round, group and measure: ``seed, round, by, segment, measure, value``.
        slopes: Of each group and measure.
        card: How it was made.
    """

    recommender: str
    rounds: pl.DataFrame
    slopes: tuple[LoopSlope, ...]
    card: LoopCard

    def slope(self, measure: Measure, *, by: str = "overall", segment: str = "all") -> LoopSlope:
        """The slope of one measure.

        Raises:
            UnknownNameError: If it was not measured for this group.
        """
        found = {(each.measure, each.by, each.segment): each for each in self.slopes}
        if (measure, by, segment) not in found:
            raise UnknownNameError("measure of a group", f"{measure} {by} {segment}", [" ".join(key) for key in found])
        return found[measure, by, segment]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per group and measure."""
        return [row for each in self.slopes for row in each.to_dicts()]


def feedback_loop(
    source: Dataset | World,
    recommender: str | Callable[[World, int], Strategy],
    *,
    by: str | Sequence[str] = (),
    category: str = "topic",
    rounds: int = 6,
    days: int = 7,
    seeds: int = 5,
    k: int = 10,
    level: float = 0.95,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = quiet,
) -> FeedbackLoop:
    """Let a recommender learn from what it showed, for several rounds and seeds.

    Everybody gets lists in every round. They are measured before anybody chooses; round 0 is trained on what was
    consumed before. What a user consumes within a round is left out of the user's list for the rest of it. Compare two
    recommenders, or one with and without re-rankers, on the same seeds.

    Args:
        source: The data that a world is fitted to, without items and users that come later; or a world.
        recommender: Name of a model with its default hyper-parameters; or what makes a strategy from the world and a
            seed, such as :class:`reclens.lab.ModelStrategy` with hyper-parameters and re-rankers, for the long run of a
            mitigation.
        by: Attributes of users to group by; users without a value are a group.
        category: Attribute of items by which tastes are told; the world's own ``"topic"`` by default. An item with
            several labels counts for its first.
        rounds: How many, at least 2.
        days: Days of a round.
        seeds: Runs, at least 1; below 2 no slope has an interval.
        k: Length of the lists.
        level: Confidence level.
        seed: The first seed.
        threads: Threads to use.
        progress: Called as work goes on.

    Raises:
        UsageError: If a number is out of range, or the data are too few to fit a world.
        UnknownNameError: If there is no such model or attribute.

    References:
        Mansoury, Abdollahpouri, Pechenizkiy, Mobasher, Burke (2020), Feedback loop and bias amplification in
        recommender systems; CIKM, arXiv 2007.13019.
    """
    if rounds < 2 or days < 1 or seeds < 1:
        raise ArgumentValuesError(
            {"rounds": rounds, "days": days, "seeds": seeds}, "at least 2 rounds, 1 day and 1 seed"
        )
    world = source if isinstance(source, World) else _fitted(source, seed)
    groups = _groups(world, [by] if isinstance(by, str) else list(by))
    categories = _categories(world, category)
    found: list[dict[str, Any]] = []
    name = recommender if isinstance(recommender, str) else ""
    for at in range(seed, seed + seeds):
        if isinstance(recommender, str):
            strategy: Strategy = ModelStrategy(recommender, world=world, threads=threads)
        else:
            strategy = recommender(world, at)
        name, seen = strategy.name, _Observed(strategy, k)
        arm = Arm(name=name, strategy=seen, policy=Policy(k=k, pool=k))
        simulate(world, [arm], days=(rounds - 1) * days + 1, retrain=days, seed=at, threads=threads, progress=progress)
        found += [
            {"seed": at, **row} for row in _measured(seen.rounds, world, groups, categories, np.random.default_rng(at))
        ]
    table = pl.DataFrame(found)
    card: LoopCard = {
        "world": world.card,
        "rounds": rounds,
        "days": days,
        "seeds": seeds,
        "seed": seed,
        "k": k,
        "category": category,
        "by": list(dict.fromkeys(name for name, _ in groups if name != "overall")),
    }
    return FeedbackLoop(recommender=name, rounds=table, slopes=tuple(_slopes(table, level)), card=card)


class _Observed:
    """A strategy that records its training data and lists of every round."""

    def __init__(self, strategy: Strategy, k: int) -> None:
        self.strategy, self.name, self.k = strategy, strategy.name, k
        self.rounds: list[tuple[Consumed, np.ndarray]] = []

    def fit(self, consumed: Consumed, /) -> None:
        self.strategy.fit(consumed)
        self.rounds.append((consumed, np.full((consumed.n_users, self.k), -1, np.int32)))

    def recommend(self, users: np.ndarray, k: int, /) -> np.ndarray:
        lists = self.strategy.recommend(users, k)
        shown = lists[:, : self.k]
        self.rounds[-1][1][users, : shown.shape[1]] = shown
        return lists


def _fitted(data: Dataset, seed: int) -> World:
    """A world with all users and items from the first day, so that only the loop causes drift."""
    return fit_world(data, WorldSettings(users=data.matrix().n_rows, births=0.0, new_share=0.0), seed=seed)


def _groups(world: World, names: Sequence[str]) -> dict[tuple[str, str], np.ndarray]:
    """The users of each group."""
    found = {("overall", "all"): np.ones(world.users.height, bool)}
    for name in names:
        if name not in world.users.columns:
            raise UnknownNameError("attribute of users", name, world.users.columns)
        values = world.users[name].cast(pl.String).fill_null(_UNKNOWN)
        found |= {(name, label): (values == label).to_numpy() for label in sorted(values.unique())}
    return found


def _categories(world: World, name: str) -> np.ndarray:
    """The code of each item's category."""
    if name not in world.items.columns:
        raise UnknownNameError("attribute of items", name, world.items.columns)
    values = world.items[name]
    if isinstance(values.dtype, pl.List):
        values = values.list.first()
    return values.cast(pl.String).fill_null(_UNKNOWN).rank("dense").to_numpy().astype(np.int64) - 1


def _measured(
    rounds: Sequence[tuple[Consumed, np.ndarray]],
    world: World,
    groups: Mapping[tuple[str, str], np.ndarray],
    categories: np.ndarray,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    n_items, kinds = world.items.height, int(categories.max()) + 1
    popularity = np.bincount(rounds[0][0].items, minlength=n_items)
    rows: list[dict[str, Any]] = []
    for (by, segment), members in groups.items():
        people = np.flatnonzero(members)
        pairs = people[rng.integers(0, len(people), (_PAIRS, 2))]
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        first = np.zeros(0)
        for at, (consumed, lists) in enumerate(rounds):
            shown = lists[people]
            shown = shown[shown >= 0]
            exposure = np.bincount(shown, minlength=n_items)
            owned = consumed.items[members[consumed.users]]
            # Half a count per category avoids infinite distances for unseen tastes.
            taste = np.bincount(categories[owned], minlength=kinds) + 0.5
            taste = taste / taste.sum()
            first = taste if at == 0 else first
            values: dict[Measure, float] = {
                "gini": float(gini(exposure)),
                "gini_consumed": float(gini(np.bincount(owned, minlength=n_items))),
                "coverage": float(share_in_use(exposure)),
                "arp": float(popularity[shown].mean()) if len(shown) else float("nan"),
                "taste_shift": float((taste * np.log(taste / first)).sum()),
                "homogenisation": _jaccard(lists, pairs),
            }
            if at + 1 < len(rounds):
                later = int(members[rounds[at + 1][0].users].sum())
                values["consumption"] = (later - len(owned)) / len(people)
            rows += [
                {"round": at, "by": by, "segment": segment, "measure": name, "value": value}
                for name, value in values.items()
            ]
    return rows


def _jaccard(lists: np.ndarray, pairs: np.ndarray) -> float:
    """Mean Jaccard index of the lists of pairs of users; NaN without a pair."""
    if not len(pairs):
        return float("nan")
    one, other = lists[pairs[:, 0]], lists[pairs[:, 1]]
    both = ((one[:, :, None] == other[:, None, :]) & (one >= 0)[:, :, None]).sum(axis=(1, 2))
    either = (one >= 0).sum(axis=1) + (other >= 0).sum(axis=1) - both
    return float(np.where(either > 0, both / np.maximum(either, 1), 0.0).mean())


def _slopes(table: pl.DataFrame, level: float) -> list[LoopSlope]:
    found: list[LoopSlope] = []
    for (by, segment, measure), rows in table.group_by("by", "segment", "measure", maintain_order=True):
        # Rows are sorted by seed, then by round.
        values = rows["value"].to_numpy().reshape(rows["seed"].n_unique(), -1)
        if values.shape[1] < 2:  # consumption over two rounds: one number has no slope
            continue
        time = np.arange(values.shape[1]) - (values.shape[1] - 1) / 2
        slopes = values @ time / (time @ time)
        found.append(
            LoopSlope(
                by=str(by),
                segment=str(segment),
                measure=measure,  # type: ignore[arg-type]
                start=float(values[:, 0].mean()),
                end=float(values[:, -1].mean()),
                slope=mean_estimate(slopes, level=level),
            )
        )
    return found
