"""The sums of an audit on Spark: the plan, the sums of all partitions, and some users for its preflight."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from reclens.audit.attention import position_weights
from reclens.audit.measure import AuditMeasures, refuse_swapped
from reclens.audit.partitions import AuditPlan, audit_of
from reclens.audit.settings import AuditSettings
from reclens.data.dataset import Dataset
from reclens.edges._spark_frames import (
    SparkTables,
    check_kinds,
    lists_of,
    of_some_users,
    pairs_of,
    segments_of,
    together,
    with_chances,
)
from reclens.edges._spark_rows import polars_of
from reclens.edges._spark_work import CARRIED, Work, tables_of
from reclens.errors import UsageError
from reclens.evaluation.argument_checks import asked_segments, check_asked, with_segments_of
from reclens.metrics.conventions import convention_named
from reclens.schema import ITEM

__all__ = ["audit_on"]

_PREFLIGHT: Final = 2_000
"""Users whom the rankers of the preflight serve, as on one machine; their rows come to the driver."""


def audit_on(
    work: Work, recommendations: Any, truth: Any, settings: AuditSettings, *, users: Any, items: Any
) -> AuditMeasures:
    """Plan, measure, add.

    Args:
        work: The engine, and the training data.
        recommendations: The lists.
        truth: Held-out interactions, or None.
        settings: Settings of the audit.
        users: Attributes of users, where the training data have none.
        items: Attributes of items, likewise.
    """
    tables, learned = _tables(work.asked.train, users, items, settings)
    refuse_swapped(settings, tables.users, tables.items)
    attributes, trained = work.in_memory(tables.items), tables.interactions is not None
    if not trained and attributes is not None:
        work = replace(work, asked=replace(work.asked, catalogue=attributes[ITEM]))
    by = asked_segments(settings.by)
    lists, ordered_by = lists_of(work.engine, recommendations, scores=truth is not None)
    lists, has_scores = with_chances(lists)
    labels, people = segments_of(work.engine, tables.users, by)
    frames = {"lists": lists, **pairs_of(work.engine, truth, tables.interactions, None, None)}
    frames |= {} if people is None else {"users": people}
    check_kinds(frames)
    facts = work.facts(frames, attributes if trained else None)
    if len(facts.ids) > CARRIED:
        raise UsageError(f"an audit takes all items to every task, and {len(facts.ids):,} are more than {CARRIED:,}.")
    metrics = settings.metrics_of(truth=truth is not None)
    specs = tuple(dict.fromkeys(check_asked(list(metrics)).values())) if metrics else ()
    work.check(specs, frames, facts)
    plan = AuditPlan(
        specs=specs,
        convention=convention_named("trec"),
        depth=max([settings.k, settings.retrieved, *(spec.k or settings.k for spec in specs)]),
        replicates=settings.replicates,
        seed=settings.seed,
        ordered_by=ordered_by,
        relevance=None,
        tables=frozenset(frames),
        has_catalogue=work.has_catalogue(frames),
        facts=facts,
        n_items=int(facts.offered.sum()),
        n_users=facts.n_users,
        labels=labels,
        by=by,
        settings=settings,
        weights=position_weights(settings.k, settings.attention, patience=settings.patience),
        items=attributes,
        has_scores=has_scores,
    )
    rows = together(frames, labels)
    sums = work.total(plan, rows)
    measured = work.measured(recommendations, frames, facts, settings.level, learned, {})
    return audit_of(plan, sums, measured, [polars_of(of_some_users(rows, frames, most=_PREFLIGHT))])


def _tables(train: Any, users: Any, items: Any, settings: AuditSettings) -> tuple[SparkTables, Dataset | None]:
    """Training data and attributes as tables, and the training data in memory, where they are."""
    own = {key: table for key, table in (("users", users), ("items", items)) if table is not None}
    if isinstance(train, Dataset):
        learned = with_segments_of(replace(train, **own), asked_segments(settings.by))
        return tables_of(learned), learned
    tables = train if isinstance(train, SparkTables) else SparkTables(interactions=train)
    return replace(tables, **own), None
