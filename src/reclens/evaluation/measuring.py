"""Measuring a chunk of lists: values by user, summaries of segments, exposure of items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reclens.errors import UsageError
from reclens.evaluation.context import EvaluationContext
from reclens.evaluation.passes import CodedLists
from reclens.evaluation.results import OVERALL
from reclens.metrics.conventions import Convention
from reclens.metrics.exposure_counts import Exposure
from reclens.metrics.lists import Lists
from reclens.metrics.matching import match
from reclens.metrics.registry import MetricSpec
from reclens.stats.summary import Summary

__all__ = ["MeasuredPart", "MeasuringPlan", "lists_of", "measure_lists", "sum_lists", "user_values"]


@dataclass(frozen=True, eq=False, kw_only=True)
class MeasuringPlan:
    """What every chunk is measured with."""

    specs: tuple[MetricSpec, ...]
    convention: Convention
    context: EvaluationContext
    depth: int
    replicates: int
    seed: int

    @property
    def user_metrics(self) -> list[MetricSpec]:
        """The metrics that have a value for each user."""
        return [spec for spec in self.specs if spec.info.kind == "user"]

    @property
    def cuts(self) -> list[int]:
        """The cut-offs at which exposure is counted."""
        asked = {spec.k for spec in self.specs if spec.info.kind == "catalogue" and spec.k is not None}
        return sorted(asked | {self.depth})


@dataclass(frozen=True, eq=False, kw_only=True)
class MeasuredPart:
    """What a chunk gives; parts are reduced in order."""

    values: np.ndarray
    summary: Summary
    exposure: dict[tuple[int, str, str], Exposure]
    seen: int
    listed: int
    outside: int


def measure_lists(plan: MeasuringPlan, coded: CodedLists) -> MeasuredPart:
    """What the lists of some users come to."""
    lists, values, summary, seen = sum_lists(plan, coded)
    groups = {by: (labels, codes[coded.users]) for by, (labels, codes) in plan.context.groups.items()}
    exposure = _exposures(plan, lists, groups)
    outside = exposure[(plan.depth, *OVERALL)].outside
    return MeasuredPart(
        values=values, summary=summary, exposure=exposure, seen=seen, listed=int(lists.length.sum()), outside=outside
    )


def sum_lists(plan: MeasuringPlan, coded: CodedLists) -> tuple[Lists, np.ndarray, Summary, int]:
    """The lists of some users, the values of each user, their sums, and how many listed items the users had."""
    context, users = plan.context, coded.users
    lists, profiles = lists_of(context, coded), context.profiles
    columns = {spec.text: user_values(spec, lists, plan.convention) for spec in plan.user_metrics}
    groups = {by: (labels, codes[users]) for by, (labels, codes) in context.groups.items()}
    # The served column makes a summary of every cell, also where only metrics of the catalogue were asked for.
    summary = Summary.of(
        context.keys[users],
        columns or {"": np.ones(len(users))},
        groups=groups,
        replicates=plan.replicates,
        seed=plan.seed,
        threads=1,
    )
    seen = 0
    if profiles is not None and len(users):
        ones = np.ones(len(profiles.items))
        seen = int(match(lists.items, users, profiles.indptr, profiles.items, ones).sum())
    values = np.stack(list(columns.values()), axis=1) if columns else np.zeros((len(users), 0))
    return lists, values, summary, seen


def lists_of(context: EvaluationContext, coded: CodedLists) -> Lists:
    """The lists of some users beside their truth and history."""
    items, users = coded.items, coded.users
    return Lists(
        items=items,
        gains=match(items, users, context.indptr, context.relevant, context.gains),
        length=coded.length,
        n_relevant=context.n_relevant[users],
        ideal=context.ideal(users, items.shape[1]),
        catalogue=context.catalogue,
        profiles=None if context.profiles is None else context.profiles.part(users),
    )


def user_values(spec: MetricSpec, lists: Lists, convention: Convention) -> np.ndarray:
    """The values of a metric of users, shape (users,); NaN where it is not defined, or the convention drops a user."""
    values = np.asarray(spec.info.function(lists.cut(spec.k), convention), np.float64)
    if values.shape != lists.length.shape:
        raise UsageError(f"the metric '{spec.text}' returned shape {values.shape}, expected {lists.length.shape}.")
    rule = convention.missing_list_ndcg if spec.info.name == "ndcg" else convention.missing_list
    if "truth" in spec.info.needs and rule == "drop":
        values = np.where(lists.has_list, values, np.nan)
    return values


def _exposures(
    plan: MeasuringPlan, lists: Lists, groups: dict[str, tuple[list[str], np.ndarray]]
) -> dict[tuple[int, str, str], Exposure]:
    """Counts of the catalogue's items in each cell, for each cut-off."""
    n_items = plan.context.catalogue.n_items
    places = plan.context.catalogue.position[lists.items]
    found: dict[tuple[int, str, str], Exposure] = {}
    for k in plan.cuts:
        item, length = places[:, :k], np.minimum(lists.length, k)
        counts = np.bincount(item.ravel(), minlength=n_items + 1)[:n_items]
        found[(k, *OVERALL)] = Exposure(counts, int(length.sum() - counts.sum()))
        if k == plan.depth and not any(s.k == k and s.info.kind == "catalogue" for s in plan.specs):
            continue
        for by, (labels, codes) in groups.items():
            cell = codes[:, None] * (n_items + 1) + item
            shape = len(labels), n_items + 1
            table = np.bincount(cell.ravel(), minlength=shape[0] * shape[1]).reshape(shape)[:, :n_items]
            listed = np.bincount(codes, weights=length, minlength=len(labels))
            for label, shown, total in zip(labels, table, listed, strict=True):
                found[(k, by, label)] = Exposure(shown, int(total - shown.sum()))
    return found
