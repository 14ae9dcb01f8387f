"""The study of offline metrics against true lifts: a family of models, measured on the history of a world and lived."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reclens.data import split
from reclens.engine import Progress, quiet
from reclens.lab.correlation import OfflineOnline, correlate
from reclens.lab.model_strategy import ModelStrategy
from reclens.lab.strategy_family import FAMILY, OVERALL, true_lifts
from reclens.metrics import describe, names
from reclens.models import build
from reclens.world.arm import Arm
from reclens.world.population import World
from reclens.world.realism_result import history_of

if TYPE_CHECKING:
    from reclens.data.split import Split
    from reclens.schema import Recommendations

__all__ = ["MetricColumns", "offline_metrics", "offline_online"]

MetricColumns = Callable[["Recommendations", "Split", Sequence[str]], Sequence[Mapping[str, Any]]]
"""From the lists of a model, a split and metrics to rows ``metric, by, segment, value``, as of an evaluation."""

_K: Final = 10


def offline_metrics() -> list[str]:
    """Every metric of the library, at 10 where it is cut."""
    return [
        f"{name}@{_K}" if describe(name).cut else name for name in names() if "requests" not in describe(name).needs
    ]


def offline_online(
    world: World,
    measure: MetricColumns,
    *,
    family: Mapping[str, Mapping[str, Any]] = FAMILY,
    control: str = "popular",
    by: str = "cohort",
    days: int = 14,
    replicates: int = 4,
    level: float = 0.95,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = quiet,
) -> OfflineOnline:
    """Evaluate models on a tenth of the history of a world, simulate all users under each, and correlate the results.

    Args:
        world: Where.
        measure: Function that evaluates lists; it is passed in, because this package does not import the evaluation.
        family: Parameters of the models by label, as ``reclens.models.build`` takes them.
        control: The label that lifts are taken over.
        by: Attribute of the users to split by.
        days: Simulated days under each strategy.
        replicates: Number of replicates, each with its own random numbers.
        level: Of the intervals.
        seed: Seed of the random numbers.
        threads: Threads to use.
        progress: Called model by model.

    Raises:
        UnknownNameError: If the control or the attribute does not exist.
        UsageError: If there are fewer than five models.
    """
    made = split.random(history_of(world), test_share=0.1)
    made = replace(made, train=made.train.with_segments(**{by: by}))
    offline: dict[str, dict[tuple[str, str], dict[str, float]]] = {}
    for at, (name, parameters) in enumerate(family.items()):
        progress(f"offline · {name}", at, len(family))
        lists = build(name, parameters).fit(made.train, threads=threads).recommend(made.test_users, k=_K)
        offline[name] = _cells(measure(lists, made, offline_metrics()), by)
    progress("offline", len(family), len(family))
    arms = {
        name: Arm(
            name=name, strategy=ModelStrategy(name, parameters, world=world, threads=threads), changed=name != control
        )
        for name, parameters in family.items()
    }
    lifts = true_lifts(
        world,
        arms,
        control=control,
        by=by,
        days=days,
        replicates=replicates,
        level=level,
        seed=seed,
        threads=threads,
        progress=progress,
    )
    return correlate(offline, lifts, level=level)


def _cells(rows: Sequence[Mapping[str, Any]], by: str) -> dict[tuple[str, str], dict[str, float]]:
    """Values by segment and metric, the larger the better: where lower is better the sign is turned."""
    cells: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        cell = (by, row["segment"]) if row["by"] == by else OVERALL
        turned = describe(row["metric"].partition("@")[0]).higher_is_better is False
        cells.setdefault(cell, {})[row["metric"]] = -row["value"] if turned else row["value"]
    return cells
