"""Splits by time: earlier events are for training, later ones are held out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from reclens.cards import SplitCard, TiesCard
from reclens.data.dataset import Dataset
from reclens.data.split.build import ColdUsers, check_shares, check_times, make_split
from reclens.data.split.result import Split, Task
from reclens.errors import ArgumentValueError, ArgumentValuesError, DataError
from reclens.schema import TIMESTAMP_TYPE

__all__ = ["by_time", "rolling"]


def by_time(
    data: Dataset,
    *,
    test_share: float = 0.2,
    validation_share: float = 0.0,
    at: datetime | None = None,
    task: Task = "new_items",
    cold_users: ColdUsers = "drop",
) -> Split:
    """Hold out all interactions from a point in time on, for all users.

    This matches deployment: no future event of any user is known. Events at or after the cut are test events. The cut
    is the timestamp at which the share of test events is nearest to ``test_share`` (the earlier of two that are equally
    near), so events of the same timestamp stay together and no rule for ties is needed. The log is cut first, and
    repeats of a pair are merged within each part: a purchase in March stays in the training part even if it is repeated
    after the cut.

    Args:
        data: The data set; it needs timestamps.
        test_share: Share of all events to hold out, in (0, 1).
        validation_share: Share of all events to hold out for tuning, the last ones before the cut; 0 for none.
        at: The cut, instead of ``test_share``; a time without a zone is UTC.
        task: What counts as relevant. ``"new_items"`` drops held-out pairs that are also in training, and is for lists
            without seen items; ``"with_repeats"`` keeps them, and is for lists that may contain seen items. Pass
            ``exclude_seen=split.exclude_seen`` to ``recommend``.
        cold_users: ``"drop"`` drops test rows of users without training data, ``"keep"`` keeps them.

    Returns:
        The split; ``card["cut"]`` is the time of the cut.

    Raises:
        UsageError: If a share is not in (0, 1), or they leave nothing to learn from.
        DataError: If timestamps are missing, or one side of the cut would be empty.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> split = by_time(synthetic_movielens(n_users=50, n_items=40, n_ratings=900))
        >>> split, split.card["cut"]
        (Split('synthetic' by_time: train 719, test 54), '1998-02-27T05:34:20+00:00')
        >>> split.card["rules"][0]["code"], split.card["counts"]["test_cold_user_rows"]
        ('cold_user_rows', 127)

    References:
        Ji, Sun, Zhang, Li (2023), A critical study on data leakage in recommender system offline evaluation;
        TOIS 41(3).
    """
    times = check_times(data, "by_time")
    parameters: dict[str, Any] = {"validation_share": validation_share, "cold_users": cold_users}
    if at is None:
        check_shares(test_share=test_share, **({"validation_share": validation_share} if validation_share else {}))
        cut = _cut(times, test_share, data.name)
        parameters["test_share"] = test_share
    else:
        cut = at if at.tzinfo else at.replace(tzinfo=UTC)
        parameters["at"] = cut.isoformat()
        _check_both_sides(times, cut, data.name)
    parts = {"train": times < cut, "test": times >= cut}
    card: SplitCard = {
        "method": "by_time",
        "parameters": parameters,
        "ties": _NO_TIES,
        "seed": None,
        "cut": cut.isoformat(),
    }
    if validation_share:
        check_shares(validation_share=validation_share)
        before = times.filter(parts["train"])
        inner = _cut(before, min(validation_share * len(times) / len(before), 0.999_999), data.name)
        parts = {"train": times < inner, "validation": (times >= inner) & parts["train"], "test": parts["test"]}
        card["validation_cut"] = inner.isoformat()
    return make_split(data, parts, task=task, cold_users=cold_users, card=card)


def rolling(
    data: Dataset,
    *,
    folds: int = 3,
    test_share: float = 0.1,
    every: timedelta | None = None,
    task: Task = "new_items",
    cold_users: ColdUsers = "drop",
) -> list[Split]:
    """Hold out successive periods of time, each with all interactions before it as training data.

    The test periods are consecutive and end with the data. The variation of a result between folds is uncertainty that
    intervals over users do not include.

    Args:
        data: The data set; it needs timestamps.
        folds: Number of test periods.
        test_share: Share of all events in each period; ``folds * test_share`` must be below 1.
        every: Length of each period, instead of ``test_share``.
        task: As for :func:`by_time`.
        cold_users: As for :func:`by_time`.

    Returns:
        One split per fold, the earliest first; ``card["cut"]`` and ``card["until"]`` bound the test period (the last
        one has no ``until``), and ``card["later_rows"]`` counts the later rows, which are not used.

    Raises:
        UsageError: If there is no fold, or the folds leave nothing to learn from.
        DataError: If timestamps are missing, or ties leave a period without rows.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> for fold in rolling(synthetic_movielens(n_users=50, n_items=40, n_ratings=900), folds=2, test_share=0.2):
        ...     print(fold)
        Split('synthetic' rolling: train 540, test 46)
        Split('synthetic' rolling: train 719, test 54)
    """
    times = check_times(data, "rolling")
    if folds < 1:
        raise ArgumentValueError("folds", f"is {folds}, expected 1 or more")
    if every is not None and every <= timedelta(0):
        raise ArgumentValueError("every", f"is {every}, expected a length of time above zero")
    if every is None:
        check_shares(test_share=test_share)
        if folds * test_share >= 1:
            raise ArgumentValuesError(
                {"folds": folds, "test_share": test_share}, "{folds} × {test_share} below 1, so that some rows are left"
            )
        cuts = [_cut(times, test_share * left, data.name) for left in range(folds, 0, -1)]
    else:
        end = _as_datetime(times.max()) + timedelta(microseconds=1)
        cuts = [end - every * left for left in range(folds, 0, -1)]
    splits: list[Split] = []
    for fold, (cut, until) in enumerate(zip(cuts, [*cuts[1:], None], strict=True), 1):
        inside = times >= cut if until is None else (times >= cut) & (times < until)
        if not inside.any() or not (times < cut).any():
            lacks = "to test" if not inside.any() else "to learn from"
            raise DataError(
                f"fold {fold} has no row {lacks} at the cut {cut.isoformat()}",
                source=data.name,
                fix="Ask for fewer folds, or for longer stretches.",
            )
        later = 0 if until is None else int((times >= until).sum())
        card: SplitCard = {
            "method": "rolling",
            "parameters": {
                "folds": folds,
                "fold": fold,
                "cold_users": cold_users,
                **({"test_share": test_share} if every is None else {"every_seconds": every.total_seconds()}),
            },
            "ties": _NO_TIES,
            "seed": None,
            "cut": cut.isoformat(),
            "until": until.isoformat() if until else None,
            "later_rows": later,
        }
        parts = {"train": times < cut, "test": inside}
        splits.append(make_split(data, parts, task=task, cold_users=cold_users, card=card))
    return splits


_NO_TIES: TiesCard = {"rule": "whole", "users_with_a_tie_at_their_cut": 0}


def _as_datetime(value: Any) -> datetime:
    assert isinstance(value, datetime)
    return value


def _cut(times: pl.Series, share: float, source: str) -> datetime:
    """The timestamp at which the share of rows at or after it is nearest to the requested share."""
    moments, counts = np.unique(times.cast(TIMESTAMP_TYPE).to_physical().to_numpy(), return_counts=True)
    if len(moments) < 2:
        raise DataError(
            "all rows have the same timestamp, so that no moment parts them",
            source=source,
            column="timestamp",
            fix="Use split.random.",
        )
    # The first moment is no cut: nothing would be left to learn from.
    from_then_on = np.cumsum(counts[::-1])[::-1][1:]
    best = int(np.abs(from_then_on - share * len(times)).argmin())
    return _as_datetime(pl.Series([moments[1 + best]]).cast(TIMESTAMP_TYPE)[0])


def _check_both_sides(times: pl.Series, cut: datetime, source: str) -> None:
    if not (times < cut).any() or not (times >= cut).any():
        side = "before" if (times < cut).any() else "at or after"
        raise DataError(
            f"all rows lie {side} the cut {cut.isoformat()}; they span {times.min()} to {times.max()}",
            source=source,
            column="timestamp",
            fix="Cut inside that span.",
        )
