"""Joint measures of users and items, for the annex: they contradict each other, and none is decisive.

Joint measures correlate weakly with each other and are compressed near their floor (arXiv 2405.18276), so that the
parts that concern only fairness and only relevance are reported with each.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.audit.measure import AuditMeasures
from reclens.errors import DataError, UsageError
from reclens.evaluation.groups import UNKNOWN
from reclens.evaluation.results import OVERALL
from reclens.schema import ITEM, USER
from reclens.stats.estimate import Estimate
from reclens.tabular import Tabular

__all__ = [
    "BiasDisparity",
    "JointExposure",
    "RatingGap",
    "bias_disparity",
    "differential_fairness",
    "joint_exposure",
    "rating_gaps",
]

JointMeasure = Literal["ii", "ig", "gi", "gg", "ai", "ag"]
JOINT: Final[tuple[JointMeasure, ...]] = ("ii", "ig", "gi", "gg", "ai", "ag")
"""Users, then items: i for individuals, g for groups, a for all users together."""


@dataclass(frozen=True, kw_only=True)
class JointExposure(Tabular):
    """One of the six joint measures of exposure.

    Attributes:
        measure: Which one.
        value: Mean square of exposure - target after averaging over groups; 0 is parity.
        disparity: The same of the exposure alone: how concentrated it is, whatever is relevant.
        relevance: Mean product of exposure and target: how well exposure follows relevance, whoever gets it.
    """

    measure: JointMeasure
    value: float
    disparity: float
    relevance: float

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row of a table."""
        return [asdict(self)]


def joint_exposure(
    exposure: np.ndarray, target: np.ndarray, user_groups: np.ndarray, item_groups: np.ndarray
) -> list[JointExposure]:
    """The six joint measures of exposure.

    Formulas, with D = exposure - target: ``ii`` mean of D²; ``ig``, ``gi`` and ``gg`` the mean square of D averaged
    over groups of items, of users, and of both; ``ai`` and ``ag`` the same over all users. Each is disparity - 2 ·
    relevance + the mean square of the target.

    Args:
        exposure: Expected exposure, float64, shape (users, items).
        target: What it should be, same shape, such as that of relevant items first, in random order.
        user_groups: Group of each user, from 0, shape (users,).
        item_groups: Group of each item, from 0, shape (items,).

    Raises:
        UsageError: If shapes disagree.

    References:
        Wu, Mitra, Ma, Diaz, Liu (2022), Joint multisided exposure fairness for recommendation.
    """
    exposure, target = np.asarray(exposure, np.float64), np.asarray(target, np.float64)
    if exposure.shape != target.shape or exposure.shape != (len(user_groups), len(item_groups)):
        raise UsageError(
            f"exposure has shape {exposure.shape}, target {target.shape}, groups are of {len(user_groups)} users and "
            f"{len(item_groups)} items: expected one shape."
        )
    users, items = _means(user_groups), _means(item_groups).T
    everyone = np.full((1, len(user_groups)), 1 / len(user_groups))
    found = []
    for measure in JOINT:
        left = {"i": None, "g": users, "a": everyone}[measure[0]]
        right = None if measure[1] == "i" else items
        ours, theirs = _averaged(exposure, left, right), _averaged(target, left, right)
        found.append(
            JointExposure(
                measure=measure,
                value=float(((ours - theirs) ** 2).mean()),
                disparity=float((ours**2).mean()),
                relevance=float((ours * theirs).mean()),
            )
        )
    return found


def _means(groups: np.ndarray) -> np.ndarray:
    """Matrix that averages within groups, shape (groups, units)."""
    indicator = (np.arange(groups.max() + 1)[:, None] == groups).astype(np.float64)
    return indicator / indicator.sum(axis=1, keepdims=True)


def _averaged(table: np.ndarray, left: np.ndarray | None, right: np.ndarray | None) -> np.ndarray:
    table = table if left is None else left @ table
    return table if right is None else table @ right


@dataclass(frozen=True, kw_only=True)
class BiasDisparity(Tabular):
    """How much more, or less, a group of users is shown of a group of items than it has.

    Attributes:
        by: The segmentation.
        segment: The group of users.
        attribute: The attribute of items.
        group: The group of items.
        source: Preference in the histories: share of the group's items in it ÷ its share of the catalogue.
        shown: The same in the lists.
        disparity: (shown - source) ÷ source, with its interval; above 0 the preference is amplified.
    """

    by: str
    segment: str
    attribute: str
    group: str
    source: float
    shown: float
    disparity: Estimate

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row of a table."""
        row = {key: each for key, each in asdict(self).items() if key != "disparity"}
        return [row | {"disparity": self.disparity.value, "low": self.disparity.low, "high": self.disparity.high}]


def bias_disparity(measures: AuditMeasures, attribute: str, *, by: str | None = None) -> list[BiasDisparity]:
    """Bias disparity of each group of items in the lists of each group of users.

    Args:
        measures: The sums, with training data.
        attribute: The attribute of items.
        by: The segmentation; all users together by default.

    Raises:
        UsageError: If there are no training data.

    References:
        Tsintzou, Pitoura, Tsaparas (2019), Bias disparity in recommendation systems.
    """
    groups, level = measures.groups[attribute], measures.settings.level
    alike = groups.sizes / groups.sizes.sum()
    found = []
    for cell in measures.cells:
        if cell[0] != (by or OVERALL[0]) or cell[1] == UNKNOWN:
            continue
        owned, shown = (measures.by_group(kind, attribute, cell) for kind in ("owned", "shown"))  # type: ignore[arg-type]
        source, listed = owned / owned.sum() / alike, shown / shown.sum() / alike
        change = listed / source
        for at, label in enumerate(groups.labels):
            ratio = change[at].estimate(n=measures.n(cell), level=level, scale="log")
            ends = [None if end is None else end - 1 for end in (ratio.low, ratio.high)]
            found.append(
                BiasDisparity(
                    by=cell[0],
                    segment=cell[1],
                    attribute=attribute,
                    group=label,
                    source=float(source.value[at]),
                    shown=float(listed.value[at]),
                    disparity=Estimate(ratio.value - 1, low=ends[0], high=ends[1], n=ratio.n, level=level),
                )
            )
    return found


def differential_fairness(counts: np.ndarray, totals: np.ndarray, *, alpha: float = 1.0) -> float:
    """The smallest ε with e^-ε ≤ rate of one group ÷ rate of another ≤ e^ε, over all outcomes and pairs of groups.

    Formula: rate = (count + α) ÷ (total + 2α). 0 is parity; ln 1.25 = 0.22 is four fifths.

    Args:
        counts: How often each outcome befell each group, shape (groups, outcomes).
        totals: Chances of each group, shape (groups,).
        alpha: Smoothing.

    Raises:
        UsageError: If a count is negative or above its total, or the smoothing is not above 0.

    Example:
        >>> import numpy as np
        >>> round(differential_fairness(np.array([[49], [99]]), np.array([98, 98 * 2 + 2])), 4)
        0.0

    References:
        Foulds, Islam, Keya, Pan (2020), An intersectional definition of fairness; Islam, Keya, Zeng, Pan, Foulds
        (2021), Debiasing career recommendations with neural fair collaborative filtering.
    """
    counts, totals = np.asarray(counts, np.float64), np.asarray(totals, np.float64)
    if (counts < 0).any() or (counts > totals[:, None]).any() or alpha <= 0:
        raise UsageError("counts lie between 0 and the total of their group, and alpha is above 0.")
    rates = np.log((counts + alpha) / (totals[:, None] + 2 * alpha))
    return float((rates.max(axis=0) - rates.min(axis=0)).max())


@dataclass(frozen=True, kw_only=True)
class RatingGap(Tabular):
    """Unfairness of predicted ratings between one group of users and all others.

    Attributes:
        by: The segmentation.
        segment: The group.
        value: Mean over items of |(E_g[y] - E_g[r]) - (E_¬g[y] - E_¬g[r])|: errors of different size or direction.
        absolute: Of ||E_g[y] - E_g[r]| - |E_¬g[y] - E_¬g[r]||: errors of different size.
        under: Of |max(0, E_g[r] - E_g[y]) - max(0, E_¬g[r] - E_¬g[y])|.
        over: Of |max(0, E_g[y] - E_g[r]) - max(0, E_¬g[y] - E_¬g[r])|.
        non_parity: |E_g[y] - E_¬g[y]| over all predictions.
        items: Items that both sides rated; the first four are means over these.
    """

    by: str
    segment: str
    value: float
    absolute: float
    under: float
    over: float
    non_parity: float
    items: int

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row of a table."""
        return [asdict(self)]


def rating_gaps(predictions: pl.DataFrame, users: pl.DataFrame, by: str) -> list[RatingGap]:
    """The five measures of unfairness of predicted ratings, for each group against all others.

    Args:
        predictions: ``user_id, item_id, rating, prediction``, one row a rating that was predicted.
        users: ``user_id`` and the attribute.
        by: The attribute.

    Raises:
        DataError: If a column is missing.

    References:
        Yao and Huang (2017), Beyond parity: fairness objectives for collaborative filtering.
    """
    for table, needed, source in (
        (predictions, (USER, ITEM, "rating", "prediction"), "predictions"),
        (users, (USER, by), "users"),
    ):
        missing = [column for column in needed if column not in table.columns]
        if missing:
            raise DataError(
                f"there is no column '{missing[0]}'; there are {', '.join(table.columns)}",
                source=source,
                fix="Rename it.",
            )
    known = users.select(USER, pl.col(by).cast(pl.String).alias("group")).drop_nulls()
    rows = predictions.join(known, on=USER)
    found = []
    for segment in sorted(rows["group"].unique().to_list()):
        sided = rows.with_columns(mine=pl.col("group") == segment)
        means = sided.group_by(ITEM, "mine").agg(pl.col("prediction").mean(), pl.col("rating").mean())
        both = means.filter(pl.col("mine")).join(means.filter(~pl.col("mine")), on=ITEM, suffix="_other")
        ours = (both["prediction"] - both["rating"]).to_numpy()
        theirs = (both["prediction_other"] - both["rating_other"]).to_numpy()
        sides = sided.group_by("mine").agg(pl.col("prediction").mean()).sort("mine")["prediction"].to_list()
        found.append(
            RatingGap(
                by=by,
                segment=segment,
                value=_mean(np.abs(ours - theirs)),
                absolute=_mean(np.abs(np.abs(ours) - np.abs(theirs))),
                under=_mean(np.abs(np.maximum(-ours, 0) - np.maximum(-theirs, 0))),
                over=_mean(np.abs(np.maximum(ours, 0) - np.maximum(theirs, 0))),
                non_parity=abs(sides[1] - sides[0]) if len(sides) == 2 else float("nan"),
                items=both.height,
            )
        )
    return found


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
