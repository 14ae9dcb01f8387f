"""Filters of the rows of a data set. They count the removed rows and record them in its card."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from reclens.cards import AppliedRule
from reclens.data.dataset import Dataset
from reclens.data.rules import rule
from reclens.errors import ArgumentValueError, DataError
from reclens.schema import ITEM, RATING, USER

__all__ = ["k_core", "min_rating", "with_card"]


def k_core(data: Dataset, *, users: int = 5, items: int = 5) -> Dataset:
    """Keep users and items that still have enough interactions after the others are gone.

    Leaving out an item can bring a user below the minimum, and the other way round; the filter is repeated until
    nothing changes. What remains is the largest part of the data in which every user and item meets its minimum: it
    does not depend on the order of the steps. Note that it changes the question: a 10-core knows no newcomers.

    Args:
        data: The data set; attributes of users and items that are left out are kept.
        users: Fewest interactions a user; 0 or 1 leaves users alone. A pair counts once, however often it is repeated.
        items: Fewest interactions an item; 0 or 1 leaves items alone.

    Returns:
        The data set of the remaining interactions in their order; ``card["rules"]`` tells what was left out.

    Raises:
        UsageError: If a minimum is negative.
        DataError: If nothing remains.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> core = k_core(synthetic_movielens(n_users=50, n_items=40, n_ratings=900), users=10, items=10)
        >>> core
        Dataset('synthetic': 833 interactions of 45 users with 36 items)
        >>> core.card["rules"][-1]["count"]
        67

    References:
        Seidman (1983), Network structure and minimum degree; Social Networks 5(3).
    """
    for name, least in (("users", users), ("items", items)):
        if least < 0:
            raise ArgumentValueError(name, f"is {least}, expected a number of interactions, 0 or more.")
    user = data.user_vocabulary.encode(data.interactions[USER])
    item = data.item_vocabulary.encode(data.interactions[ITEM])
    rows, rounds = np.arange(len(user)), 0
    while len(rows):
        enough = np.bincount(user[rows])[user[rows]] >= users
        enough &= np.bincount(item[rows])[item[rows]] >= items
        if enough.all():
            break
        rows, rounds = rows[enough], rounds + 1
    if not len(rows):
        raise DataError(
            f"no interaction is left in the ({users}, {items})-core of {len(user):,}",
            source=data.name,
            fix="Ask for fewer interactions a user or an item.",
        )
    lost_users = len(data.user_vocabulary) - len(np.unique(user[rows]))
    lost_items = len(data.item_vocabulary) - len(np.unique(item[rows]))
    left_out = rule(
        "k_core",
        len(user) - len(rows),
        least_of_users=users,
        least_of_items=items,
        users=lost_users,
        items=lost_items,
        rounds=rounds,
    )
    if data.log is None:
        return _with_rows(data, data.interactions[rows], left_out)
    # The core is what is left of the users and items that are left, so that it is one of events too.
    kept = data.interactions[rows]
    events = data.log.join(kept.select(ITEM).unique(), on=ITEM, how="semi", maintain_order="left")
    return _with_rows(
        data, events.join(kept.select(USER).unique(), on=USER, how="semi", maintain_order="left"), left_out
    )


def min_rating(data: Dataset, threshold: float) -> Dataset:
    """Keep interactions that were rated at least so well, as implicit feedback does.

    Each event is judged by its own rating, so that what was rated later never takes an earlier event away.

    Args:
        data: A data set with ratings.
        threshold: The lowest rating to keep.

    Returns:
        The data set of the remaining interactions in their order; ``card["rules"]`` tells how many were left out, and
        how many of those had no rating.

    Raises:
        DataError: If there are no ratings, or none is high enough.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> min_rating(synthetic_movielens(n_users=50, n_items=40, n_ratings=900), 4).interactions["rating"].min()
        4.0
    """
    if not data.has_ratings:
        raise DataError(
            "there are no ratings, so that none can be compared with the threshold",
            source=data.name,
            column=RATING,
            fix="Read the data with a rating column, or leave this filter out.",
        )
    if not np.isfinite(threshold):
        raise ArgumentValueError("threshold", f"is {threshold}, expected a finite rating")
    rating = data.events[RATING].cast(pl.Float64).fill_nan(None)
    kept = (rating >= threshold).fill_null(False)
    if not kept.any():
        raise DataError(
            f"no rating is {threshold:g} or more; the highest is {rating.max()}",
            source=data.name,
            column=RATING,
            fix="Lower the threshold.",
        )
    left_out = rule("min_rating", int((~kept).sum()), least=float(threshold), without_rating=rating.null_count())
    return _with_rows(data, data.events.filter(kept), left_out)


def _with_rows(data: Dataset, events: pl.DataFrame, left_out: AppliedRule) -> Dataset:
    """The data set of other events, repeats of a pair merged among them, and the rule that left some out."""
    return with_card(data.with_events(events), left_out)


def with_card(data: Dataset, *rules: AppliedRule, **card: Any) -> Dataset:
    """The data set with more on its card, after its events were changed.

    Segments are left out, because they were computed from rows that may now be gone (or in the test part); that is
    itself a rule of the card.

    Args:
        data: The data set.
        *rules: What was done, each made by :func:`reclens.data.rules.rule`; added to ``card["rules"]``.
        **card: Further entries of the card.
    """
    added = list(rules)
    if data.segments is not None:
        added.append(rule("segments_dropped", data.segments.width - 1))
    new_card = {**data.card, "rules": [*data.card.get("rules", []), *added], **card}
    return replace(data, segments=None, card=new_card)
