"""The sums of an audit by partitions of whole users, as :mod:`reclens.evaluation.partitions`. Names no engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
import polars as pl

from reclens.audit.item_groups import ItemGroups
from reclens.audit.measure import AuditMeasures, grouped_items, refuse_single_users
from reclens.audit.measuring import MeasuringPlan
from reclens.audit.settings import AuditSettings
from reclens.errors import DataError
from reclens.evaluation.context import EvaluationContext
from reclens.evaluation.groups import UNKNOWN
from reclens.evaluation.partition_sums import PartitionSums
from reclens.evaluation.partition_totals import Measured, check_shared, ground_card, in_known_order
from reclens.evaluation.partitions import OpenPartition, PartitionPlan, open_partition
from reclens.schema import ITEM, USER
from reclens.vocabulary import Vocabulary

__all__ = ["AuditPlan", "audit_of"]


@dataclass(frozen=True, eq=False, kw_only=True)
class AuditPlan(PartitionPlan):
    """What every partition is audited with.

    Attributes:
        settings: Settings of the audit.
        weights: Position weights.
        items: Attributes of items, or None.
        has_scores: Whether the lists have scores that can be probabilities.
    """

    settings: AuditSettings
    weights: np.ndarray
    items: pl.DataFrame | None
    has_scores: bool

    @property
    def width(self) -> int:
        """Columns of the sums, about."""
        return len(self.user_metrics) + 200

    def open(self, tables: Iterable[pl.DataFrame]) -> OpenPartition | None:
        """Users with a list count beside those with relevant items."""
        return open_partition(self, tables, listed=True)

    def groups(self, context: EvaluationContext) -> dict[str, ItemGroups]:
        """The groups of items: those of the whole catalogue, whatever the partition."""
        settings = self.settings
        return {each: grouped_items(each, self.items, context, settings.tiers) for each in settings.attributes}

    def measure(self, tables: Iterable[pl.DataFrame]) -> PartitionSums | None:
        """The work of a partition."""
        part = self.open(tables)
        if part is None:
            return None
        context, k = part.context, self.settings.k
        measuring = MeasuringPlan(
            context=context,
            specs=self.specs,
            groups=self.groups(context),
            k=k,
            retrieved=self.settings.retrieved,
            weights=self.weights,
            has_truth="truth" in self.tables,
            has_scores=self.has_scores,
            keeps_items=False,
            replicates=self.replicates,
            seed=self.seed,
        )
        passed = part.passed(measuring.measure, self.depth, scores=self.has_scores)
        shown = np.sum([each.shown for _, each in passed], axis=0)
        length = np.concatenate([np.minimum(lists.length, k) for lists, _ in passed])
        users = np.concatenate([lists.users for lists, _ in passed])
        inside = np.flatnonzero(shown)
        counts = {
            "listed": int(length.sum()),
            "inside": int(shown[context.catalogue.in_catalogue].sum()),
            "without_list": int((length == 0).sum()),
            "strangers": int(((length > 0) & (context.n_relevant[users] == 0)).sum()),
            "matched": int(((length > 0) & (context.n_relevant[users] > 0)).sum()),
        }
        exposure = {
            "k": np.full(len(inside), k, np.int32),
            "cell": np.zeros(len(inside), np.int32),
            ITEM: context.items.decode(inside),
            "count": shown[inside].astype(np.int64),
        }
        return PartitionSums(
            keys=(part.key,),
            summary=reduce(add, (each.summary for _, each in passed)),
            exposure=pl.DataFrame(exposure),
            counts={**part.counts, **counts},
            rules=part.source.rules,
        )


def audit_of(
    plan: AuditPlan, sums: PartitionSums | None, measured: Measured, sample: Iterable[pl.DataFrame]
) -> AuditMeasures:
    """The sums of all partitions as those of one machine, but for the values of single users.

    Args:
        plan: What was measured.
        sums: The sums; None where there was no row.
        measured: What is known beside them.
        sample: All rows of some users, whom the rankers of the preflight serve.

    Raises:
        DataError: If there is nothing to audit.
        UnmatchedIdsError: If no user or no item of the lists is in the truth.
    """
    part = plan.open(sample)
    if sums is None or part is None or not sums.counts.get("users"):
        raise DataError("there is no list and no truth, so that nothing can be audited", source="the lists")
    counts: Mapping[str, int] = sums.counts
    has_truth = "truth" in plan.tables
    check_shared(plan, sums, measured, served=counts["matched"])
    offered = Vocabulary(measured.facts.ids.filter(pl.Series(measured.facts.offered)))
    shown = np.zeros(len(part.context.items), np.int64)
    code = part.context.items.encode(sums.exposure[ITEM])
    shown[code[code >= 0]] = sums.exposure["count"].to_numpy()[code >= 0]
    summary = in_known_order(plan, sums.summary)
    for by in dict.fromkeys(by for by, _ in summary.cells[1:]):
        labels = [cell for cell in summary.cells if cell[0] == by]
        refuse_single_users(by, len(labels), sum(summary.cell_sizes[cell] for cell in labels if cell[1] != UNKNOWN))
    outside = counts["listed"] - counts["inside"] if plan.has_catalogue else 0
    return AuditMeasures(
        system=measured.name,
        settings=plan.settings,
        weights=plan.weights,
        groups=plan.groups(part.context),
        metrics=plan.specs,
        summary=summary,
        per_user=pl.DataFrame(
            schema={USER: part.context.users.ids.dtype, **dict.fromkeys((spec.text for spec in plan.specs), pl.Float64)}
        ),
        context=part.context,
        has_truth=has_truth,
        shown=shown,
        has_chances=plan.has_scores,
        items=None,
        whole=False,
        card={  # pyright: ignore[reportArgumentType]
            **ground_card(plan, sums, measured, offered),
            "users": counts["users"],
            "users_without_list": counts["without_list"],
            "id_problems": [],
            "recommendations": counts["listed"],
            "recommendations_outside_catalogue": outside,
            "rules": sums.rules,
        },
    )
