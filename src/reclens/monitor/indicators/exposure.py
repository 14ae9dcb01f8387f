"""Indicators of what is shown: catalogue coverage, evenness, novelty and diversity."""

from __future__ import annotations

import numpy as np
import polars as pl

from reclens import concentration
from reclens.monitor.indicators.rates import mean, share
from reclens.monitor.indicators.registry import indicator
from reclens.monitor.summary import Summary

__all__ = [
    "cold_item_ctr",
    "cold_items",
    "cold_user_ctr",
    "cold_users",
    "coverage",
    "diversity",
    "freshness",
    "gini",
    "novelty",
    "top_share",
    "top_user_share",
]

_GROUP = ["dimension", "slice"]
_TOP = 0.01


@indicator(caption="Coverage", unit="share", scale="logit", direction="down", family="exposure")
def coverage(summary: Summary) -> pl.DataFrame | None:
    """Share of the catalogue that was shown at least once.

    Formula: items shown ÷ items of the catalogue; without a table of items, those that were ever seen.
    It grows with the traffic: small slices cover less.
    """
    shown, catalogue = _shown(summary), summary.fact("catalogue")
    if shown is None or not catalogue:
        return None
    return shown.group_by(_GROUP, maintain_order=True).agg(
        value=(pl.len() / catalogue).clip(upper_bound=1.0),
        numerator=pl.len().cast(pl.Float64),
        denominator=pl.lit(catalogue),
        n=pl.col("shown").sum(),
    )


@indicator(caption="Gini of exposure", unit="share", scale="logit", direction="both", family="exposure")
def gini(summary: Summary) -> pl.DataFrame | None:
    """How unevenly impressions are spread over the catalogue: 0 evenly, near 1 all on few items.

    Formula: Σ (2j - N - 1) x_j ÷ (N Σ x) over the N items of the catalogue in ascending order of impressions x
    (Gini 1912); items that were not shown count with 0.
    """
    shown, catalogue = _shown(summary), summary.fact("catalogue")
    if shown is None or catalogue is None:
        return None
    rows = [
        {"dimension": name, "slice": value, "value": _gini(part["shown"], catalogue), "n": part["shown"].sum()}
        for (name, value), part in shown.group_by(_GROUP)
    ]
    return pl.DataFrame(rows).sort(_GROUP)


def _gini(shown: pl.Series, catalogue: float) -> float:
    return float(concentration.gini(shown.to_numpy(), cells=int(catalogue)))


@indicator(caption="Share of the top 1 %", unit="share", scale="logit", direction="both", family="exposure")
def top_share(summary: Summary) -> pl.DataFrame | None:
    """Share of the impressions that the most shown hundredth of the catalogue has.

    Formula: impressions of the ⌈N / 100⌉ most shown of N items ÷ all impressions.
    """
    shown, catalogue = _shown(summary), summary.fact("catalogue")
    if shown is None or not catalogue:
        return None
    top = -(-int(catalogue) // 100)
    return _top_of(shown, top)


@indicator(caption="Share of the busiest users", unit="share", scale="logit", direction="up", family="traffic")
def top_user_share(summary: Summary) -> pl.DataFrame | None:
    """Share of the impressions that the busiest hundredth of the users of the day has: bots show here.

    Formula: impressions of the ⌈U / 100⌉ busiest of U users ÷ all impressions.
    """
    users, activity = summary.table("users"), summary.table("activity")
    if users is not None:
        activity = users.group_by("impressions").agg(users=pl.len().cast(pl.Int64))
    elif len(summary.days) > 1:  # a user of two days would count twice
        activity = None
    return None if activity is None else _busiest(activity)


def _busiest(activity: pl.DataFrame) -> pl.DataFrame:
    """Share of the impressions that the busiest users have, of how many users had how many impressions."""
    ordered = activity.sort("impressions", descending=True)
    shown, users = (ordered[name].cast(pl.Float64).to_numpy() for name in ("impressions", "users"))
    top = -(-int(users.sum()) // round(1 / _TOP))
    among = np.clip(top - (np.cumsum(users) - users), 0, users)
    most, whole = float((shown * among).sum()), float((shown * users).sum())
    return pl.DataFrame(
        {
            "dimension": ["overall"],
            "slice": ["all"],
            "value": [most / whole],
            "numerator": [most],
            "denominator": [whole],
            "n": [int(whole)],
        }
    )


@indicator(caption="Novelty", unit="bits", scale="identity", direction="both", family="exposure")
def novelty(summary: Summary) -> pl.DataFrame | None:
    """How rarely clicked the items are that are shown: mean self-information, in bits.

    Formula: mean of -log2((clicks of the item + 1) ÷ (clicks + items)) over impressions, with the clicks of the
    reference days (Zhou et al. 2010). No value before there are any.
    """
    return mean(summary, "cells", "information", "information_squared", "informed")


@indicator(caption="Diversity of lists", unit="share", scale="logit", direction="both", family="exposure")
def diversity(summary: Summary) -> pl.DataFrame | None:
    """Probability that two items of a list differ in category; the mean over lists.

    Formula: 1 - Σ n_c (n_c - 1) ÷ (n (n - 1)) over the categories c of a list with n items of known category.
    """
    return mean(summary, "lists", "diversity", "diversity_squared", "diverse")


@indicator(caption="Freshness", unit="share", scale="logit", direction="down", family="exposure")
def freshness(summary: Summary) -> pl.DataFrame | None:
    """Share of impressions of items that were released within ``fresh_days``.

    Formula: impressions of fresh items ÷ impressions of items whose release is known.
    """
    return share(summary, "cells", "fresh_item", "released")


@indicator(caption="Share of new items", unit="share", scale="logit", direction="both", family="exposure", drifts=False)
def cold_items(summary: Summary) -> pl.DataFrame | None:
    """Share of impressions of items that were first shown within ``cold_days``.

    Formula: impressions of new items ÷ impressions. No value in the first ``cold_days`` of the monitor.
    """
    return share(summary, "cells", "new_item", "item_known")


@indicator(caption="Share of new users", unit="share", scale="logit", direction="both", family="traffic", drifts=False)
def cold_users(summary: Summary) -> pl.DataFrame | None:
    """Share of lists for users who were first seen within ``cold_days``.

    Formula: lists of new users ÷ lists. No value in the first ``cold_days`` of the monitor.
    """
    return share(summary, "lists", "new_user", "user_known")


@indicator(caption="CTR of new items", unit="share", scale="logit", direction="down", family="response")
def cold_item_ctr(summary: Summary) -> pl.DataFrame | None:
    """Click-through rate of items that were first shown within ``cold_days``.

    Formula: clicks on new items ÷ their impressions.
    """
    return share(summary, "cells", "new_item_clicks", "new_item")


@indicator(caption="CTR of new users", unit="share", scale="logit", direction="down", family="response")
def cold_user_ctr(summary: Summary) -> pl.DataFrame | None:
    """Click-through rate of users who were first seen within ``cold_days``.

    Formula: clicks of new users ÷ their impressions.
    """
    return share(summary, "cells", "new_user_clicks", "new_user")


def _shown(summary: Summary) -> pl.DataFrame | None:
    """Impressions by item, for the monitored slices."""
    items = summary.table("items")
    if items is None:
        return None
    known = [("overall", ["all"]), *((name, found) for name, found in summary.slices.items() if found)]
    wanted = [(pl.col("dimension") == name) & pl.col("slice").is_in(found) for name, found in known]
    found = items.filter(pl.any_horizontal(wanted))
    return found if found.height else None


def _top_of(table: pl.DataFrame, top: int) -> pl.DataFrame:
    x = pl.col("shown").cast(pl.Float64)
    return (
        table.sort("shown", descending=True)
        .group_by(_GROUP, maintain_order=True)
        .agg(
            value=x.head(top).sum() / x.sum(), numerator=x.head(top).sum(), denominator=x.sum(), n=pl.col("shown").sum()
        )
        .sort(_GROUP)
    )
