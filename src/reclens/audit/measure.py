"""One pass over lists: amounts of each item group shown to each user, as sums for all numbers of an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any, Final, TypedDict

import numpy as np
import polars as pl

from reclens.audit.attention import position_weights
from reclens.audit.cards import MeasuresCard
from reclens.audit.item_groups import ItemGroups, item_groups, popularity_tiers
from reclens.audit.measuring import (
    LIST_POPULARITY,
    POPULARITY,
    PROFILE_POPULARITY,
    MeasuringPlan,
    Quantity,
    column_of,
    needs_history,
    needs_truth,
)
from reclens.audit.settings import AuditSettings
from reclens.data.dataset import Dataset
from reclens.data.read.tables import read_table_and_rules
from reclens.engine import Engine, LocalEngine, Progress, quiet
from reclens.errors import Advice, DataError, Setting, UsageError
from reclens.evaluation.argument_checks import asked_segments, check_asked, check_needs, named_in, with_segments_of
from reclens.evaluation.cards import IdProblemRow
from reclens.evaluation.context import EvaluationContext, make_context
from reclens.evaluation.given_histories import PASS_TRAIN
from reclens.evaluation.groups import UNKNOWN, make_groups
from reclens.evaluation.overlap import check_kinds, check_overlap
from reclens.evaluation.passes import measure_all
from reclens.evaluation.results import OVERALL
from reclens.evaluation.source import Source, open_lists
from reclens.metrics.registry import MetricSpec
from reclens.schema import ITEM, SCORE, USER
from reclens.stats.replicated import Replicated, replicated_means
from reclens.stats.summary import Cell, Summary

__all__ = [
    "LIST_POPULARITY",
    "POPULARITY",
    "PROFILE_POPULARITY",
    "AuditMeasures",
    "MeasuringPlan",
    "Quantity",
    "grouped_items",
    "measure_audit",
    "plan_of",
    "refuse_single_users",
    "refuse_swapped",
]


_FEW: Final = 30
"""Users up to which groups may be as many as they are: a toy."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AuditMeasures:
    """The sums behind an audit of the lists of one system.

    Attributes:
        system: Name of the system.
        settings: Settings of the audit.
        weights: Position weights, shape (k,).
        groups: Attribute -> groups of items.
        metrics: Metrics of users that were measured.
        summary: Sums over users; columns are metrics, and ``quantity|attribute|group``.
        per_user: ``user_id`` and one column a metric, in the order of ``context.users``; NaN is "not defined".
        context: Reference data of the lists.
        has_truth: Whether relevant items are known.
        shown: Number of times each item code is in the first k positions, int64, shape (items,).
        has_chances: Whether the lists have scores that can be probabilities: all within 0 … 1.
        items: Item codes of the first k places, int32, shape (users, k), -1 past the end; None for lists that were
            streamed.
        whole: Whether the values and groups of every user are here; False where only sums came, from an engine.
        card: Card of the measured data.
    """

    system: str
    settings: AuditSettings
    weights: np.ndarray
    groups: Mapping[str, ItemGroups]
    metrics: tuple[MetricSpec, ...]
    summary: Summary
    per_user: pl.DataFrame
    context: EvaluationContext
    has_truth: bool
    shown: np.ndarray
    has_chances: bool
    items: np.ndarray | None
    whole: bool = True
    card: MeasuresCard

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All users, then every group of users."""
        return self.summary.cells

    def n(self, cells: Cell | Sequence[Cell] = OVERALL, column: str | None = None) -> int:
        """Users of a cell, or of several; with a column, those who have a value in it."""
        pooled: list[Any] = [cells] if isinstance(cells[0], str) else list(cells)
        if column is None:
            return sum(self.summary.cell_sizes[cell] for cell in pooled)
        return sum(int(self.summary.n[self.summary.index(cell, column)]) for cell in pooled)

    def n_of(self, quantity: Quantity, attribute: str, cells: Cell | Sequence[Cell] = OVERALL) -> int:
        """Users of a cell who have a value of a quantity."""
        return self.n(cells, column_of(quantity, attribute, self.groups[attribute].labels[0]))

    def has(self, quantity: Quantity) -> bool:
        """Whether the data suffice for a quantity."""
        if needs_truth(quantity):
            return self.has_truth
        if quantity == "retrieved":
            return self.settings.retrieved > 0
        return not needs_history(quantity) or self.context.profiles is not None

    def others(self, cell: Cell) -> list[Cell]:
        """The other groups of the same segmentation, without the users who could not be placed."""
        return [each for each in self.cells if each[0] == cell[0] and each != cell and each[1] != UNKNOWN]

    def by_group(self, quantity: Quantity, attribute: str, cell: Cell | Sequence[Cell] = OVERALL) -> Replicated:
        """The mean a user of a quantity in each group of items, shape (G,); of one cell, or of several together.

        Raises:
            UsageError: If the data do not suffice for it.
            UnknownNameError: If there is no such attribute or cell.
        """
        if not self.has(quantity):
            raise UsageError(f"'{quantity}' needs {'the truth' if needs_truth(quantity) else 'the training data'}.")
        if quantity == "candidates":
            return self.groups[attribute].sizes - self.by_group("owned", attribute, cell)
        labels = self.groups[attribute].labels
        return replicated_means(self.summary, cell, [column_of(quantity, attribute, label) for label in labels])

    def mean(self, name: str, cell: Cell | Sequence[Cell] = OVERALL) -> Replicated:
        """The mean of a metric, or of another column, over the users of a cell or of several: a single number."""
        return replicated_means(self.summary, cell, [name])[0]


def measure_audit(
    recommendations: Any,
    truth: Any = None,
    *,
    settings: AuditSettings,
    train: Dataset | None = None,
    users: pl.DataFrame | None = None,
    items: pl.DataFrame | None = None,
    name: str | None = None,
    engine: Engine | None = None,
    progress: Progress = quiet,
) -> AuditMeasures:
    """Sum the amounts of each item group shown to each user, in one pass over the lists.

    Users with a list or with relevant items count. Lists larger than memory are streamed, as for ``rl.evaluate``; of
    those, users without relevant items are left out.

    Args:
        recommendations: Lists of any system, as for ``rl.evaluate``.
        truth: Held-out interactions, or None.
        settings: Settings of the audit.
        train: The training data, or None. Its items are the catalogue.
        users: Attributes of users, if ``train`` has none.
        items: Attributes of items, if ``train`` has none; without training data its items are the catalogue.
        name: Name of the system.
        engine: Engine that runs the chunks.
        progress: Called to report progress.

    Raises:
        DataError: If a table is invalid, or there is nothing to audit.
        UsageError: If a requested input is missing from the data.
        UnknownNameError: If there is no such attribute, metric or group of users.
    """
    k, asked = settings.k, settings.metrics_of(truth=truth is not None)
    specs = tuple(dict.fromkeys(check_asked(list(asked)).values())) if asked else ()
    source = open_lists(recommendations, name=name, scores=truth is not None)
    source.put_in_order()
    held_out = None if truth is None else truth if isinstance(truth, pl.DataFrame) else _table(truth)
    known = _described(train, users, items, source)
    refuse_swapped(settings, known.users, known.items)
    context = _context(held_out, None if train is None else known, known, asked_segments(settings.by), source)
    _check_metrics(specs, context, truth=held_out is not None)
    groups = {each: grouped_items(each, known.items, context, settings.tiers) for each in settings.attributes}
    weights = position_weights(k, settings.attention, patience=settings.patience)
    plan = MeasuringPlan(
        context=context,
        specs=specs,
        groups=groups,
        k=k,
        retrieved=settings.retrieved,
        weights=weights,
        has_truth=held_out is not None,
        has_scores=held_out is not None and _may_be_chances(source),
        keeps_items=source.table is not None,
        replicates=settings.replicates,
        seed=settings.seed,
    )
    depth = max([k, settings.retrieved, *(spec.k or k for spec in specs)])
    how: dict[str, Any] = {"engine": engine or LocalEngine(), "progress": progress, "scores": plan.has_scores}
    passed = measure_all(plan.measure, context, depth, source=source, **how)
    if not passed:
        raise DataError("there is no list and no truth, so that nothing can be audited", source=source.where)
    order = np.argsort(np.concatenate([lists.users for lists, _ in passed]), kind="stable")
    values = np.concatenate([part.values for _, part in passed])[order]
    length = np.concatenate([np.minimum(lists.length, k) for lists, _ in passed])[order]
    shown = np.sum([part.shown for _, part in passed], axis=0)
    listed = [part.items for _, part in passed if part.items is not None]
    return AuditMeasures(
        system=source.name,
        settings=settings,
        weights=weights,
        groups=groups,
        metrics=specs,
        summary=reduce(add, (part.summary for _, part in passed)),
        per_user=pl.DataFrame({USER: context.users.ids} | {spec.text: values[:, i] for i, spec in enumerate(specs)}),
        context=context,
        has_truth=held_out is not None,
        shown=shown,
        has_chances=plan.has_scores and all(part.scores[0] >= 0 and part.scores[1] <= 1 for _, part in passed),
        items=np.concatenate(listed)[order] if listed else None,
        card={**context.card, **_counts(context, source, length, shown, train), "rules": source.rules},
    )


def _may_be_chances(source: Source) -> bool:
    """Whether there are scores, and all of them, or the first ones of a stream, lie within 0 … 1."""
    kind = source.kind_of(SCORE)
    if kind is None or not kind.is_numeric():
        return False
    scores = source.ids(SCORE, rows=None if source.table is not None else 1_000)
    return not scores.null_count() and bool((scores >= 0).all() and (scores <= 1).all())


class _Counts(TypedDict):
    users: int
    users_without_list: int
    id_problems: list[IdProblemRow]
    recommendations: int
    recommendations_outside_catalogue: int


def _counts(
    context: EvaluationContext, source: Source, length: np.ndarray, shown: np.ndarray, train: Dataset | None
) -> _Counts:
    """Counts for the card, after the ids of all tables were matched."""
    listed, known = int(length.sum()), context.n_relevant > 0
    outside = listed - int(shown[context.catalogue.in_catalogue].sum()) if context.has_catalogue else 0
    counts = {
        "lists_of_users_without_truth": int(((length > 0) & ~known).sum()),
        "recommendations": listed,
        "outside": outside,
    }
    problems = check_overlap(context, source, np.where(known, length, 0), counts, train)
    return {
        "users": len(context.users),
        "users_without_list": int((length == 0).sum()),
        "id_problems": problems,
        "recommendations": listed,
        "recommendations_outside_catalogue": outside,
    }


def _context(
    truth: pl.DataFrame | None, train: Dataset | None, known: Dataset, by: list[Any], source: Source
) -> EvaluationContext:
    """The evaluation context with the groups of users."""
    check_kinds(source, truth, train, None, None)
    context = make_context(
        truth,
        train=train,
        relevance=None,
        catalogue=None if train is not None or known.items is None else known.items[ITEM],
        features=None,
        by=(),
        listed_users=source.users(),
    )
    groups = make_groups(with_segments_of(known, by), context.users, by)
    for name, (labels, codes) in groups.items():
        placed = int(np.isin(codes, [at for at, label in enumerate(labels) if label != UNKNOWN]).sum())
        refuse_single_users(name, len(labels), placed)
    return replace(context, groups=groups)


def refuse_single_users(name: str, values: int, placed: int) -> None:
    """Refuse a segmentation that has nearly as many values as users whose value is known.

    Raises:
        UsageError: If it is one.
    """
    if " × " not in name and placed > _FEW and 2 * values > placed:
        raise UsageError(
            f"'{name}' has {values:,} values for {placed:,} users: nearly every user is a group of their own",
            advice=_TOGETHER,
        )


_TOGETHER: Final = Advice("bin_values", text="Group its values: numbers by rl.segments.bins, names under a wider one.")
_TABLES: Final = (Setting("attributes"), Setting("by"))
_OF_ITEMS: Final = Advice("name_in_attributes", _TABLES, "Name it in {attributes}, not in {by}.")
_OF_USERS: Final = Advice("name_in_by", _TABLES, "Name it in {by}, not in {attributes}.")


def refuse_swapped(settings: AuditSettings, of_users: Any, of_items: Any) -> None:
    """Refuse attributes that are looked for in the wrong table.

    Raises:
        UsageError: If one is.
    """
    users, items = (table.columns if table is not None else [] for table in (of_users, of_items))
    for name in named_in(asked_segments(settings.by)):
        if name in items and name not in users and name != ITEM:
            raise UsageError(f"'{name}' is an attribute of items, and was asked for as one of users", advice=_OF_ITEMS)
    for name in settings.attributes:
        if name in users and name not in items and name != USER:
            raise UsageError(f"'{name}' is an attribute of users, and was asked for as one of items", advice=_OF_USERS)


def _check_metrics(specs: Sequence[MetricSpec], context: EvaluationContext, *, truth: bool) -> None:
    catalogue = context.catalogue
    check_needs(
        specs,
        truth=truth,
        profiles=context.profiles is not None,
        catalogue=catalogue.n_items if context.has_catalogue else None,
        features=catalogue.features is not None,
        distributions=catalogue.distributions is not None,
    )


def grouped_items(
    name: str, items: pl.DataFrame | None, context: EvaluationContext, tiers: tuple[float, float]
) -> ItemGroups:
    """The groups of the items of a catalogue: tiers of popularity, or the values of an attribute.

    Args:
        name: ``popularity``, or a column of the items.
        items: Attributes of items, or None.
        context: The catalogue.
        tiers: Shares of the interactions that head and tail have.

    Raises:
        UnknownNameError: If there is no such attribute.
        UsageError: If there is nothing to group by.
    """
    popularity, inside = context.catalogue.popularity, context.catalogue.in_catalogue
    if name == POPULARITY and context.profiles is None and (items is None or name not in items.columns):
        raise UsageError("the tiers of popularity are made of the training data", advice=PASS_TRAIN)
    if name == POPULARITY and context.profiles is not None:
        return popularity_tiers(popularity, inside, head=tiers[0], tail=tiers[1])
    return item_groups(name, items, context.items, inside)


def plan_of(measures: AuditMeasures) -> MeasuringPlan:
    """What other lists are measured with, to be held beside those of the audit."""
    settings = measures.settings
    return MeasuringPlan(
        context=measures.context,
        specs=measures.metrics,
        groups=measures.groups,
        k=settings.k,
        retrieved=0,
        weights=measures.weights,
        has_truth=measures.has_truth,
        has_scores=False,
        keeps_items=False,
        replicates=settings.replicates,
        seed=settings.seed,
    )


def _table(truth: Any) -> pl.DataFrame:
    return read_table_and_rules(truth, required=(USER, ITEM))[0]


def _described(
    train: Dataset | None, users: pl.DataFrame | None, items: pl.DataFrame | None, source: Source
) -> Dataset:
    """A data set with the attributes of users and items: the training part, or one made for them alone."""
    given: dict[str, Any] = {key: table for key, table in (("users", users), ("items", items)) if table is not None}
    if train is not None:
        return replace(train, **given) if given else train
    first = pl.DataFrame({column: source.ids(column, rows=1) for column in (USER, ITEM)})
    return Dataset(first, **given)
