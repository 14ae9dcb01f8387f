"""Popularity bias: whether lists are more popular than users are, and whether popular items are favoured.

The candidates of :func:`popularity_bias` are the items of the catalogue that a user does not have in the training data;
published values flip their sign with that choice, which the card therefore names.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.audit.measure import LIST_POPULARITY, POPULARITY, PROFILE_POPULARITY, AuditMeasures
from reclens.audit.rows import AuditRow, audit_row
from reclens.data.dataset import Dataset, Segmenter
from reclens.errors import Advice, ArgumentValuesError, Setting, UsageError
from reclens.evaluation.results import OVERALL
from reclens.schema import USER
from reclens.stats.estimate import Estimate
from reclens.stats.replicated import Replicated
from reclens.stats.summary import Cell
from reclens.tabular import Tabular

__all__ = ["TASTES", "PopularityBias", "lift_rows", "popularity_bias", "popularity_taste"]

TASTES: Final = ("niche", "diverse", "blockbuster")


@dataclass(frozen=True, kw_only=True)
class PopularityBias(Tabular):
    """How unequally the tiers of popularity are recommended.

    Attributes:
        measure: ``pop_rsp``: chance of a candidate to be recommended; ``pop_reo``: chance of a relevant item to be.
        by: The segmentation of users.
        segment: The group of users.
        value: Standard deviation over the tiers ÷ their mean; 0 is parity.
        rates: The chance in each tier: head, middle, tail.
        n: Users.
    """

    measure: Literal["pop_rsp", "pop_reo"]
    by: str
    segment: str
    value: Estimate
    rates: tuple[Estimate, ...]
    n: int

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row of a table."""
        rates = dict(zip(("head", "middle", "tail"), (each.value for each in self.rates), strict=True))
        found = {key: each for key, each in asdict(self).items() if key not in ("value", "rates")}
        return [found | {"value": self.value.value, "low": self.value.low, "high": self.value.high} | rates]


def popularity_bias(measures: AuditMeasures, *, cell: Cell = OVERALL) -> list[PopularityBias]:
    """Popularity-based statistical parity and equal opportunity of the tiers.

    Formulas, over the tiers g: PopRSP = std P(R@k | g) ÷ mean P(R@k | g), with P(R@k | g) = Σ_u items of g in the list
    ÷ Σ_u candidates of g; PopREO the same with the relevant items of g in the list ÷ the relevant items of g. The
    variance is the mean square over the tiers.

    Args:
        measures: The sums, with the attribute ``"popularity"``.
        cell: The group of users.

    Raises:
        UsageError: If the tiers were not measured, or there are no training data.

    References:
        Zhu, Wang, Caverlee (2020), Measuring and mitigating item under-recommendation bias in personalized ranking
        systems.
    """
    if POPULARITY not in measures.groups or not measures.has("candidates"):
        raise UsageError(
            "the tiers of popularity were not measured",
            advice=Advice(
                "measure_tiers",
                (Setting("train"), Setting("attributes", ["popularity"])),
                "Pass {train} and {attributes}.",
            ),
        )
    kinds: list[tuple[Literal["pop_rsp", "pop_reo"], Replicated]] = [
        ("pop_rsp", _rate(measures, "shown", "candidates", cell))
    ]
    if measures.has_truth:
        kinds.append(("pop_reo", _rate(measures, "hits", "relevant", cell)))
    n, level = measures.n(cell), measures.settings.level
    return [
        PopularityBias(
            measure=measure,
            by=cell[0],
            segment=cell[1],
            value=_relative_spread(rates).estimate(n=n, level=level),
            rates=tuple(rates[at].estimate(n=n, level=level, scale="logit") for at in range(len(rates))),
            n=n,
        )
        for measure, rates in kinds
    ]


def lift_rows(measures: AuditMeasures) -> list[AuditRow]:
    """Group average popularity of lists beside that of the same users' histories, for each group of users.

    The ratio is 1 + ΔGAP, the popularity lift: above 1 the group is shown more popular items than it has. GAP is the
    mean over users of the mean share of the other training users who have an item. Published values count the user
    too, which raises the GAP of a history by (1 - GAP) ÷ users: lists like the histories would have a lift below 1.

    References:
        Abdollahpouri, Mansoury, Burke, Mobasher (2019), The unfairness of popularity bias in recommendation; Kowald,
        Schedl, Lex (2020), The unfairness of popularity bias in music recommendation.
    """
    rows = []
    for by, segment in measures.cells:
        cell = (by, segment)
        n = min(measures.n(cell, LIST_POPULARITY), measures.n(cell, PROFILE_POPULARITY))
        rows.append(
            audit_row(
                measures.mean(LIST_POPULARITY, cell),
                measures.mean(PROFILE_POPULARITY, cell),
                n=n,
                **measures.settings.rules,
                section="popularity",
                measure="popularity_lift",
                by=by,
                segment=segment,
                reference="profile",
                harm="high",
            )
        )
    return rows


def popularity_taste(*, popular: float = 0.2, niche: float = 0.2, blockbuster: float = 0.2) -> Segmenter:
    """Users by their liking of popular items: niche, diverse and blockbuster, for ``data.with_segments(taste=…)``.

    Popular items are the ``popular`` share of the items with the most users (ties by id). Users are ordered by the
    share of popular items in their history (ties by id); the first ``niche`` share of them is niche, the last
    ``blockbuster`` share blockbuster, the rest diverse.

    Args:
        popular: Share of the items.
        niche: Share of the users.
        blockbuster: Share of the users.

    Raises:
        UsageError: If a share is not between 0 and 1, or those of the users add up to more than 1.

    References:
        Abdollahpouri, Mansoury, Burke, Mobasher (2019), The unfairness of popularity bias in recommendation.
    """
    if not (0 < popular < 1 and niche > 0 and blockbuster > 0 and niche + blockbuster <= 1):
        raise ArgumentValuesError(
            {"popular": popular, "niche": niche, "blockbuster": blockbuster},
            "shares between 0 and 1; {niche} and {blockbuster} add up to 1 or less",
        )

    def segment(data: Dataset) -> pl.DataFrame:
        matrix = data.matrix()
        counts = np.bincount(matrix.indices, minlength=matrix.n_columns)
        order = np.lexsort((np.arange(len(counts)), -counts))
        top = np.zeros(len(counts))
        top[order[: round(popular * len(counts))]] = 1.0
        owners = np.repeat(np.arange(matrix.n_rows), np.diff(matrix.indptr))
        share = np.bincount(owners, top[matrix.indices], minlength=matrix.n_rows) / np.diff(matrix.indptr)
        ranked = np.lexsort((np.arange(len(share)), share))
        codes = np.ones(len(share), np.int64)
        codes[ranked[: round(niche * len(share))]] = 0
        codes[ranked[len(share) - round(blockbuster * len(share)) :]] = 2
        label = pl.Series(TASTES).gather(codes).cast(pl.Enum(TASTES))
        return pl.DataFrame({USER: data.user_vocabulary.ids, "label": label})

    return segment


def _rate(measures: AuditMeasures, part: Any, whole: Any, cell: Cell) -> Replicated:
    return measures.by_group(part, POPULARITY, cell) / measures.by_group(whole, POPULARITY, cell)


def _relative_spread(rates: Replicated) -> Replicated:
    """Standard deviation ÷ mean over the groups that have a rate."""
    rates = rates[np.isfinite(rates.value)]
    apart = rates - rates.mean()
    squares = (apart * apart).mean()
    return Replicated(np.sqrt(squares.value), np.sqrt(squares.draws)) / rates.mean()
