"""The two-sided annex of an audit: joint measures of exposure, bias disparity, differential fairness, rating gaps.

These are reported without a severity: joint measures correlate weakly with each other, contradict each other and are
compressed near their floor (arXiv 2405.18276). Each comes with the part that concerns only fairness and the part
that concerns only relevance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.audit.item_groups import ItemGroups
from reclens.audit.measure import AuditMeasures
from reclens.audit.rows import AuditRow, Reason, audit_row
from reclens.audit.two_sided import differential_fairness, rating_gaps
from reclens.data.dataset import Dataset
from reclens.engine import Engine, LocalEngine, Progress, quiet
from reclens.evaluation.groups import UNKNOWN
from reclens.evaluation.measuring import lists_of
from reclens.evaluation.passes import CodedLists, measure_all
from reclens.evaluation.results import OVERALL
from reclens.evaluation.source import open_lists
from reclens.schema import USER
from reclens.stats.estimate import Estimate
from reclens.stats.replicated import Replicated, replicated_means
from reclens.stats.summary import Summary

__all__ = ["GROUPS", "PARTS", "disparity_rows", "joint_rows", "rating_rows"]

PARTS: Final = ("", "_fairness", "_relevance")
"""The joint measure; how concentrated exposure is, whatever is relevant; how well it follows relevance."""
GROUPS: Final = "groups"
"""The segment of a number that is about all groups of a segmentation together."""
_INFLATED: Final = 0.1
"""Share of a number by which its replicates may lie beside it on average; beyond, resampling inflates it."""


def joint_rows(
    recommendations: Any,
    measures: AuditMeasures,
    *,
    engine: Engine | None = None,
    progress: Progress = quiet,
) -> list[AuditRow]:
    """The six joint measures of exposure, from another pass over the lists.

    The target exposure of a user is that of an ideal list: relevant items first, in random order, then the others, in
    random order. Users without relevant items are left out. ``ii`` and ``ig`` are means over users; ``ag`` and ``gg``
    are formulas on means; ``ai`` and ``gi`` are sums of squares of as many means as there are items, which resampling
    users would inflate, so that they have no interval.

    Args:
        recommendations: The lists, as for the audit.
        measures: The sums of the audit, with a truth.
        engine: Where chunks are run.
        progress: Called to report progress.

    References:
        Wu, Mitra, Ma, Diaz, Liu (2022), Joint multisided exposure fairness for recommendation.
    """
    plan = _JointPlan(measures)
    source = open_lists(recommendations, name=measures.system)
    passed = measure_all(
        plan.measure,
        measures.context,
        measures.settings.k,
        source=source,
        engine=engine or LocalEngine(),
        progress=progress,
    )
    parts = [part for _, part in passed]
    summary = reduce(add, (part.summary for part in parts))
    items = np.sum([part.items for part in parts], axis=0)
    return plan.rows(summary, items)


@dataclass(frozen=True, eq=False)
class _JointPart:
    """Results of a chunk: sums over its users; and sums by cell and item, shape (cells, 3, items)."""

    summary: Summary
    items: np.ndarray


@dataclass(frozen=True, eq=False)
class _JointPlan:
    """Shared input of all chunks."""

    measures: AuditMeasures

    @property
    def cells(self) -> list[tuple[str, int]]:
        """All users, then each group of each segmentation."""
        groups = self.measures.context.groups.items()
        return [(OVERALL[0], 0), *((by, code) for by, (labels, _) in groups for code in range(len(labels)))]

    def measure(self, coded: CodedLists) -> _JointPart:
        """The sums of some users."""
        found, context, k = self.measures, self.measures.context, self.measures.settings.k
        known = context.n_relevant[coded.users] > 0
        users, items = coded.users[known], np.ascontiguousarray(coded.items[known][:, :k])
        inside = np.append(context.catalogue.in_catalogue, False)[items]
        hits = lists_of(context, coded).hits[known][:, :k] * inside
        weights = found.weights * inside
        first, other, relevant = self._target(users)
        n_items = context.catalogue.n_items
        square = relevant * first**2 + (n_items - relevant) * other**2
        both = other * weights.sum(axis=1) + (first - other) * (hits * found.weights).sum(axis=1)
        own = (weights**2).sum(axis=1)
        columns = dict(zip((f"ii{part}" for part in PARTS), _split(own, both, square, n_items), strict=True))
        for attribute, groups in found.groups.items():
            columns |= self._of_groups(attribute, groups, users, items, (first, other))
        keyed = {by: (labels, codes[users]) for by, (labels, codes) in context.groups.items()}
        settings = found.settings
        summary = Summary.of(
            context.keys[users], columns, groups=keyed, replicates=settings.replicates, seed=settings.seed, threads=1
        )
        return _JointPart(summary, self._by_item(users, items, weights, first, other))

    def _target(self, users: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Target exposure of relevant and of other items per user, and the number of relevant items."""
        context, weights = self.measures.context, self.measures.weights
        inside = context.catalogue.in_catalogue[context.relevant].astype(np.float64)
        owners = np.repeat(np.arange(len(context.users)), context.n_relevant)
        relevant = np.bincount(owners, inside, minlength=len(context.users))[users]
        sums, k = np.concatenate([[0.0], np.cumsum(weights)]), len(weights)
        top = sums[np.minimum(relevant, k).astype(np.int64)]
        rest = context.catalogue.n_items - relevant
        first = np.divide(top, relevant, out=np.zeros_like(relevant), where=relevant > 0)
        return first, np.divide(sums[k] - top, rest, out=np.zeros_like(relevant), where=rest > 0), relevant

    def _of_groups(
        self,
        attribute: str,
        groups: ItemGroups,
        users: np.ndarray,
        items: np.ndarray,
        target: tuple[np.ndarray, np.ndarray],
    ) -> dict[str, np.ndarray]:
        """Mean exposure and mean target of an item of each group; and ``ig`` of each user."""
        context, (first, other) = self.measures.context, target
        shown = groups.of_lists(items, self.measures.weights) / groups.sizes
        relevant = groups.of_rows(users, context.indptr, context.relevant)
        aimed = (other[:, None] * groups.sizes + (first - other)[:, None] * relevant) / groups.sizes
        parts = _split((shown**2).sum(axis=1), (shown * aimed).sum(axis=1), (aimed**2).sum(axis=1), len(groups))
        columns = dict(zip((f"ig{part}|{attribute}" for part in PARTS), parts, strict=True))
        for at in range(len(groups)):
            columns |= {f"shown|{attribute}|{at}": shown[:, at], f"target|{attribute}|{at}": aimed[:, at]}
        return columns

    def _by_item(
        self, users: np.ndarray, items: np.ndarray, weights: np.ndarray, first: np.ndarray, other: np.ndarray
    ) -> np.ndarray:
        """Exposure, target and users of each cell by item; users are indexed by their first position in the row."""
        context, n = self.measures.context, len(self.measures.context.items)
        begin, size = context.indptr[users], context.n_relevant[users]
        at = np.repeat(begin - np.concatenate([[0], np.cumsum(size)[:-1]]), size) + np.arange(size.sum())
        relevant, owner = context.relevant[at], np.repeat(np.arange(len(users)), size)
        table = np.zeros((len(self.cells), 3, n))
        for cell, (by, code) in enumerate(self.cells):
            mine = np.ones(len(users), bool) if by == OVERALL[0] else context.groups[by][1][users] == code
            listed = (items >= 0) & mine[:, None]
            table[cell, 0] = np.bincount(items[listed], weights[listed], minlength=n)
            more = np.where(mine, first - other, 0.0)[owner]
            table[cell, 1] = np.bincount(relevant, more, minlength=n) + other[mine].sum()
            table[cell, 2, 0] = mine.sum()
        return table

    def rows(self, summary: Summary, items: np.ndarray) -> list[AuditRow]:
        """The rows of all measures."""
        found, context = self.measures, self.measures.context
        rows = [self._mean(summary, "ii", None)]
        rows += [self._mean(summary, "ig", attribute) for attribute in found.groups]
        rows.append([self._items(items, OVERALL[0], part) for part in range(3)])
        rows += [self._groups(summary, OVERALL[0], attribute) for attribute in found.groups]
        for by in context.groups:
            if " × " in by:
                continue
            rows.append([self._items(items, by, part) for part in range(3)])
            rows += [self._groups(summary, by, attribute) for attribute in found.groups]
        return [row for several in rows for row in several]

    def _mean(self, summary: Summary, measure: str, attribute: str | None) -> list[AuditRow]:
        ends = "" if attribute is None else f"|{attribute}"
        return [
            self._row(
                f"jme_{measure}{part}", replicated_means(summary, OVERALL, [f"{measure}{part}{ends}"])[0], attribute
            )
            for part in PARTS
        ]

    def _groups(self, summary: Summary, by: str, attribute: str) -> list[AuditRow]:
        """``ag`` of all users, or ``gg`` of the groups of a segmentation."""
        size = range(len(self.measures.groups[attribute]))
        cells = [cell for cell in summary.cells if cell[0] == by and summary.cell_sizes[cell]]
        kinds = [[f"{kind}|{attribute}|{at}" for at in size] for kind in ("shown", "target")]
        means = [[replicated_means(summary, cell, names) for names in kinds] for cell in cells]
        name = "jme_ag" if by == OVERALL[0] else "jme_gg"
        values = (
            [(ours - theirs) * (ours - theirs) for ours, theirs in means],
            [ours * ours for ours, _ in means],
            [ours * theirs for ours, theirs in means],
        )
        return [
            self._row(f"{name}{part}", reduce(add, (each.mean() for each in several)) * (1 / len(cells)), attribute, by)
            for part, several in zip(PARTS, values, strict=True)
        ]

    def _items(self, items: np.ndarray, by: str, part: int) -> AuditRow:
        """``ai`` of all users, or ``gi`` of the groups of a segmentation."""
        inside = self.measures.context.catalogue.in_catalogue
        cells = [at for at, (name, _) in enumerate(self.cells) if name == by and items[at, 2, 0] > 0]
        n = items[cells, 2, 0][:, None]
        ours, theirs = (items[cells, kind][:, inside] / n for kind in (0, 1))
        value = ((ours - theirs) ** 2, ours**2, ours * theirs)[part].mean()
        name = "jme_ai" if by == OVERALL[0] else "jme_gi"
        known = Replicated(np.asarray(value), np.full(1, np.nan))
        return self._row(f"{name}{PARTS[part]}", known, None, by)

    def _row(self, measure: str, number: Replicated, attribute: str | None, by: str = OVERALL[0]) -> AuditRow:
        n = int((self.measures.context.n_relevant > 0).sum())
        segment = OVERALL[1] if by == OVERALL[0] else GROUPS
        about: dict[str, Any] = {"measure": measure, "attribute": attribute, "by": by, "segment": segment}
        return _described(number, n, self.measures.settings.level, **about)


def _split(own: np.ndarray, both: np.ndarray, target: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of (E - T)², of E² and of E · T, from their sums over n places."""
    return (own - 2 * both + target) / n, own / n, both / n


def _described(number: Replicated, n: int, level: float, *, reference: str = "parity", **about: Any) -> AuditRow:
    """A descriptive number; without an interval if resampling inflates it."""
    found = number.estimate(n=n, level=level)
    centre = float(np.nanmean(number.draws)) if np.isfinite(number.draws).any() else math.nan
    honest = abs(centre - found.value) <= _INFLATED * abs(found.value)
    reason: Reason | None = None
    if not math.isfinite(found.value):
        reason = "not_defined"
    elif found.low is None:
        reason = "no_variation" if number.draws.size > 1 else "resampling"
    elif not honest:
        reason, found = "resampling", replace(found, low=None, high=None)
    return AuditRow(
        section="two_sided",
        reference=reference,
        n=n,
        n_reference=n,
        value=found,
        reference_value=Estimate(0.0, low=None, high=None, n=n, level=level),
        difference=found,
        ratio=Estimate(math.nan, low=None, high=None, n=n, level=level),
        harm="high",
        reason=reason,
        family="descriptive",
        **about,
    )


def disparity_rows(measures: AuditMeasures) -> list[AuditRow]:
    """Bias disparity of each group of users and items; and differential fairness of each pair of groupings.

    Bias disparity is the ratio of two preferences less 1: that in the lists, and that in the histories, each the share
    of the group's items ÷ their share of the catalogue; its ratio is what the row has. Differential fairness is ε over
    the chances of each group of users to be shown an item of each group.

    References:
        Tsintzou, Pitoura, Tsaparas (2019), Bias disparity in recommendation systems; Foulds, Islam, Keya, Pan (2020),
        An intersectional definition of fairness.
    """
    rows: list[AuditRow] = []
    for attribute, groups in measures.groups.items():
        alike = groups.sizes / groups.sizes.sum()
        for cell in measures.cells if measures.has("owned") else ():
            owned, shown = measures.by_group("owned", attribute, cell), measures.by_group("shown", attribute, cell)
            source, listed = owned / owned.sum() / alike, shown / shown.sum() / alike
            rows += [
                audit_row(
                    listed[at],
                    source[at],
                    n=measures.n(cell),
                    scale="log",
                    level=measures.settings.level,
                    section="two_sided",
                    measure="bias_disparity",
                    attribute=attribute,
                    group=label,
                    by=cell[0],
                    segment=cell[1],
                    reference="profile",
                    harm="either",
                    family="descriptive",
                )
                for at, label in enumerate(groups.labels)
            ]
        for by in measures.context.groups:
            rows += _differential(measures, attribute, by)
    return rows


def _differential(measures: AuditMeasures, attribute: str, by: str) -> list[AuditRow]:
    """ε of the groups of one segmentation; of groups that are large enough."""
    least = measures.settings.minimum
    cells = [each for each in measures.cells if each[0] == by and each[1] != UNKNOWN and measures.n(each) >= least]
    if len(cells) < 2:
        return []
    shown = [measures.by_group("shown", attribute, cell) for cell in cells]
    sizes = [measures.n(cell) for cell in cells]

    def epsilon(means: list[np.ndarray]) -> float:
        counts = np.stack([mean * n for mean, n in zip(means, sizes, strict=True)])
        return differential_fairness(counts, counts.sum(axis=1) + 1e-9)

    value = np.asarray(epsilon([each.value for each in shown]))
    draws = np.array([epsilon([each.draws[:, at] for each in shown]) for at in range(shown[0].draws.shape[-1])])
    number = Replicated(value, draws)
    about = {"measure": "differential_fairness", "attribute": attribute, "by": by, "segment": GROUPS}
    return [_described(number, sum(sizes), measures.settings.level, **about)]


_RATINGS: Final[Mapping[str, str]] = {
    "value": "rating_value",
    "absolute": "rating_absolute",
    "under": "rating_under",
    "over": "rating_over",
    "non_parity": "rating_non_parity",
}


def rating_rows(predictions: pl.DataFrame, train: Dataset, by: list[str], *, level: float = 0.95) -> list[AuditRow]:
    """Unfairness of predicted ratings: value, absolute, under, over, and non-parity, of each group beside all others.

    They are means of absolute differences of as many means as there are items, which resampling users would inflate, so
    that they have no interval.

    Args:
        predictions: ``user_id, item_id, rating, prediction``, one row a rating that was predicted.
        train: The training data, with the groups.
        by: The segmentations and attributes of users; combinations of columns are left out.
        level: Confidence level.

    Raises:
        DataError: If a column is missing.

    References:
        Yao and Huang (2017), Beyond parity: fairness objectives for collaborative filtering.
    """
    rows: list[AuditRow] = []
    tables = [table for table in (train.segments, train.users) if table is not None]
    for name in by:
        table = next((each for each in tables if name in each.columns), None)
        if table is None:
            continue
        rated = predictions.join(table.select(USER, name), on=USER)
        sizes = dict(rated.group_by(pl.col(name).cast(pl.String)).agg(pl.col(USER).n_unique()).iter_rows())
        for gap in rating_gaps(predictions, table, name):
            for field, measure in _RATINGS.items():
                value = Replicated(np.asarray(getattr(gap, field)), np.full(1, np.nan))
                about = {"measure": measure, "by": name, "segment": gap.segment, "reference": "rest"}
                rows.append(_described(value, int(sizes.get(gap.segment, 0)), level, **about))
    return rows
