"""Weights of training interactions and users that counter a bias of the data, for ``fit(train, weights=…)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.errors import ArgumentValueError, DataError, UnknownNameError, UsageError
from reclens.schema import ITEM, USER, WEIGHT

__all__ = ["TrainingWeights", "group_weights", "inverse_propensity", "popularity_weights"]

WeightsOf = Literal["interaction", "user"]


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingWeights:
    """Weights with a mean of 1, and what they do to the size of the sample.

    Attributes:
        table: ``user_id, weight``, or ``user_id, item_id, weight``: give it as ``weights`` to ``fit``.
        of: What is weighted.
        effective_size: (Σ w)² ÷ Σ w² (Kish 1965): as many equal interactions, or users, say as much as these. Far below
            ``n``, few of them decide, and what is learned varies from sample to sample.
        n: How many are weighted.
        clipped: How many weights were cut off at the largest allowed one.
        largest: The largest weight.
    """

    table: pl.DataFrame
    of: WeightsOf
    effective_size: float
    n: int
    clipped: int
    largest: float


def inverse_propensity(
    train: Dataset, propensities: Any = None, *, power: float = 0.5, clip: float = 0.05
) -> TrainingWeights:
    """Each interaction weighs 1 ÷ the chance that it was observed, so that what is seldom shown counts in full.

    Args:
        train: The training data.
        propensities: One number for each row of ``train.interactions``, above 0 and 1 at most. None: estimated from
            popularity, (users of the item ÷ users of the most popular item) ^ ``power``.
        power: How steeply the estimated propensity falls with popularity; 0 gives equal weights.
        clip: The least propensity that is divided by: none weighs more than 1 ÷ ``clip`` times one of propensity 1.
            Clipping trades variance for bias.

    Raises:
        UsageError: If there is not one propensity for each row, one is not above 0 or above 1, or ``power`` or ``clip``
            is out of range.

    Example:
        >>> rows = pl.DataFrame({"user_id": [1, 2, 3, 4, 4], "item_id": [7, 7, 7, 7, 8]})
        >>> found = inverse_propensity(Dataset(rows), clip=0.1)
        >>> found.table["weight"].round(3).to_list(), round(found.effective_size, 2)
        ([0.833, 0.833, 0.833, 0.833, 1.667], 4.5)

    References:
        Schnabel, Swaminathan, Singh, Chandak, Joachims (2016), Recommendations as treatments; ICML.
        Saito, Yaginuma, Nishino, Sakata, Nakata (2020), Unbiased recommender learning from missing-not-at-random
        implicit feedback; WSDM, for propensities from popularity and their clipping.
    """
    if not 0 < clip <= 1:
        raise ArgumentValueError("clip", f"is {clip}, expected a propensity above 0 and 1 at most, such as 0.05")
    rows = train.interactions
    if propensities is None:
        if not 0 <= power < np.inf:
            raise ArgumentValueError("power", f"is {power}, expected 0 or more, such as 0.5")
        counts = _users_of(train)
        chances = (counts / counts.max()) ** power
    else:
        chances = np.asarray(propensities, np.float64)
        if chances.shape != (rows.height,):
            raise UsageError(f"there are {chances.shape} propensities for {rows.height:,} interactions: one each.")
        wrong = int((~((chances > 0) & (chances <= 1))).sum())
        if wrong:
            raise UsageError(
                f"{wrong:,} propensities are not above 0 and 1 at most: what has a chance of 0 is never observed, and "
                "there are no negative chances."
            )
    return _made(rows.select(USER, ITEM), 1 / np.maximum(chances, clip), "interaction", int((chances < clip).sum()))


def popularity_weights(train: Dataset, *, power: float = 0.5) -> TrainingWeights:
    """Each interaction weighs (users of its item) ^ -``power``: at 1, all items have the same weight in total.

    In BPR, which draws interactions in proportion to their weights, this is popularity-aware sampling of the positives.

    Args:
        train: The training data.
        power: 0 gives equal weights, and 1 equal items.

    Raises:
        UsageError: If the power is out of range.

    References:
        Steck (2011), Item popularity and recommendation accuracy; RecSys.
    """
    if not 0 <= power < np.inf:
        raise ArgumentValueError("power", f"is {power}, expected 0 or more, such as 0.5")
    return _made(train.interactions.select(USER, ITEM), _users_of(train) ** -power, "interaction", 0)


def group_weights(train: Dataset, by: str, *, strength: float = 1.0, of: WeightsOf = "user") -> TrainingWeights:
    """Users weigh so that their groups do: at a strength of 1, all groups have the same weight in total.

    Args:
        train: The training data, with the group in its segments, or its table of users.
        by: The group: a segment, or a column of the table of users. Users without a value are a group of their own.
        strength: 0 gives equal weights; in between, the weight is (mean size ÷ size of the group) ^ strength.
        of: Whether groups are to have equal weight by their users, or, as ``"interaction"``, by their interactions.

    Raises:
        UnknownNameError: If there is no such segment or column.
        UsageError: If the strength is not between 0 and 1.
        DataError: If all users are of one group.

    References:
        Kamiran, Calders (2012), Data preprocessing techniques for classification without discrimination, on reweighing.
    """
    if not 0 <= strength <= 1:
        raise ArgumentValueError("strength", f"is {strength}, expected a number between 0 and 1")
    users = pl.DataFrame({USER: train.user_vocabulary.ids})
    labels = users.join(_labels(train, by), on=USER, how="left", maintain_order="left")["label"].fill_null("(unknown)")
    groups = labels.rank("dense").to_numpy().astype(np.int64) - 1
    sizes = np.diff(train.matrix().indptr) if of == "interaction" else np.ones(len(groups))
    total = np.bincount(groups, sizes)
    if len(total) < 2:
        raise DataError(f"all users have one value of '{by}': there are no groups to weigh against each other")
    weights = (total.mean() / total[groups]) ** strength
    return _made(users, weights, "user", 0, sizes)


def _labels(train: Dataset, by: str) -> pl.DataFrame:
    """``user_id, label`` of one attribute of the users."""
    for table in (train.segments, train.users):
        if table is not None and by in table.columns and by != USER:
            return table.select(USER, label=pl.col(by).cast(pl.String)).unique(USER)
    tables = [table for table in (train.segments, train.users) if table is not None]
    raise UnknownNameError("group of users", by, [name for table in tables for name in table.columns if name != USER])


def _users_of(train: Dataset) -> np.ndarray:
    """How many training users the item of each interaction has, float64."""
    matrix = train.matrix()
    counts = np.bincount(matrix.indices, minlength=matrix.n_columns)
    return counts[train.item_vocabulary.encode(train.interactions[ITEM])].astype(np.float64)


def _made(
    keys: pl.DataFrame, weights: np.ndarray, of: WeightsOf, clipped: int, sizes: np.ndarray | None = None
) -> TrainingWeights:
    """With a mean of 1 over interactions, or over what each user counts."""
    scaled = weights / np.average(weights, weights=sizes)
    table = keys.with_columns(pl.Series(WEIGHT, scaled))
    effective = float(scaled.sum() ** 2 / (scaled**2).sum())
    return TrainingWeights(
        table=table, of=of, effective_size=effective, n=len(scaled), clipped=clipped, largest=float(scaled.max())
    )
