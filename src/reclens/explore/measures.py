"""The numbers of an exploration, as rows that a gate can check."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from reclens.explore.geometry import alignment
from reclens.explore.result import Exploration, Measure, MeasureName
from reclens.explore.space import EmbeddingSpace
from reclens.schema import ITEM, USER
from reclens.stats.estimate import Estimate
from reclens.stats.proportions import proportion

__all__ = ["measures_of"]


def measures_of(
    found: Exploration,
    space: EmbeddingSpace,
    users: EmbeddingSpace | None,
    truth: pl.DataFrame | None,
    *,
    level: float = 0.95,
) -> tuple[Measure, ...]:
    """Every number that was measured.

    Shares of the catalogue are of all its items: they are exact. The interval beside them is Wilson's, which says how
    much a catalogue of that size varies: findings need more than that.

    Args:
        found: The exploration.
        space: The items.
        users: The users.
        truth: Held-out interactions of users.
        level: Confidence level.
    """
    listed = [
        *_catalogue(found, len(space), level),
        *_sampled(found, level),
        *_whole(found, level),
    ]
    if users is not None and truth is not None:
        listed.append(Measure("alignment", _aligned(space, users, truth, level), False))
    return tuple(listed)


def _catalogue(found: Exploration, items: int, level: float) -> Iterator[Measure]:
    counts: dict[MeasureName, int] = {
        "near_duplicates": found.duplicates.items,
        "strong_hubs": len(found.hubness.strong),
        "anti_hubs": len(found.hubness.anti_hubs),
    }
    if found.coverage is not None:
        counts["coverage"] = int(found.coverage.shown.sum())
    if found.held is not None:
        counts["not_in_index"] = int((~found.held).sum())
    if found.probe is not None:
        counts["index_unreachable"] = len(found.probe.unreachable)
    if found.reach is not None and found.reach.structure is not None:
        counts["structurally_unreachable"] = found.reach.structure.count("unreachable")
    if found.demand is not None:
        counts["dead_stock"] = len(found.demand.dead_stock)
    for name, count in counts.items():
        yield Measure(name, proportion(count, items, level=level), True)
    if found.drift is not None:
        share = proportion(len(found.drift.far), len(found.drift.ids), level=level)
        yield Measure("moved", share, True)


def _sampled(found: Exploration, level: float) -> Iterator[Measure]:
    if found.demand is not None:
        yield Measure("far_queries", found.demand.far, False)
        yield Measure("outside_queries", found.demand.outside, False)
    if found.retrieval is not None:
        recall = found.retrieval.recall
        yield Measure("recall", recall, False)
        worst = Estimate(found.retrieval.worst, low=None, high=None, n=recall.n, level=level, note="chosen_as_best")
        yield Measure("worst_recall", worst, False)
    if found.coverage is not None and found.coverage.wants.any():
        wants, shown = found.coverage.wants, found.coverage.shown
        yield Measure("unshown_wants", proportion(int(wants[~shown].sum()), int(wants.sum()), level=level), False)
        mass = sum(each.gap.value for each in found.coverage.blind_spots)
        yield Measure("blind_spots", _plain(mass, int(wants.sum()), level), True)


def _whole(found: Exploration, level: float) -> Iterator[Measure]:
    items = len(found.hubness.counts)
    values: dict[MeasureName, float] = {
        "hub_skewness": found.hubness.total.skewness,
        "mean_cosine": found.shape.mean_cosine,
    }
    if found.quality is not None:
        values["trustworthiness"] = found.quality.trustworthiness
        values["continuity"] = found.quality.continuity
        values["neighbours_kept"] = found.quality.kept
    if found.purity is not None:
        values["purity"] = found.purity.purity
    for name, value in values.items():
        yield Measure(name, _plain(value, items, level), True)


def _plain(value: float, n: int, level: float) -> Estimate:
    return Estimate(float(value), low=None, high=None, n=n, level=level, note="catalogue_metric")


def _aligned(space: EmbeddingSpace, users: EmbeddingSpace, truth: pl.DataFrame, level: float) -> Estimate:
    """Distance of users to their held-out items."""
    items, people = space.rows(truth[ITEM]), _rows_as(users, truth[USER])
    both = (items >= 0) & (people >= 0)
    if not both.any():
        return Estimate(float("nan"), low=None, high=None, n=0, level=level, note="no_value")
    return alignment(users.unit[people[both]], space.unit[items[both]], owners=people[both], level=level)


def _rows_as(users: EmbeddingSpace, ids: pl.Series) -> np.ndarray:
    return users.rows(ids) if users.ids.dtype.is_integer() == ids.dtype.is_integer() else np.full(len(ids), -1)
