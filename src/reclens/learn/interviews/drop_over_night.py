"""Scenario: the share of clicks fell over night; logging, stale features, routing, the model, or the season."""

from __future__ import annotations

from datetime import date, timedelta
from typing import ClassVar, Final

import numpy as np
import polars as pl

from reclens.learn.interviews.scenario import Dashboard, Scenario

__all__ = ["DropOverNight"]

_DIMENSIONS: Final = {
    "platform": ("web", "ios", "android"),
    "surface": ("home", "item_page", "mail"),
    "version": ("v7", "v8", "fallback"),
}
_SHARES: Final = {
    "platform": (0.40, 0.25, 0.35),
    "surface": (0.5, 0.3, 0.2),
    "version": (0.47, 0.47, 0.06),
}
_CAUSES: Final = ("logging", "stale_features", "routing", "model", "season")
_CHECKS: Final = {
    "logging": "orders_against_clicks",
    "stale_features": "age_of_features",
    "routing": "traffic_by_version",
    "model": "clicks_by_version",
    "season": "same_days_last_year",
}
_CURES: Final = {
    "logging": "mend_the_log_and_annotate",
    "stale_features": "run_the_feature_job_again",
    "routing": "restore_the_routing",
    "model": "roll_the_version_back",
    "season": "leave_everything_as_it_is",
}
_DAYS: Final = 15
_DAILY: Final = 300_000
"""Impressions of a day."""
_CTR: Final = np.array([0.062, 0.060, 0.036])
"""Clicks per impression by version."""
_ORDERS: Final = 0.12
"""Orders per true click."""


class DropOverNight(Scenario):
    """Yesterday's clicks per impression are far below those of the days before."""

    code = "i.a"
    name = "drop_over_night"
    choices: ClassVar = {
        "cause": _CAUSES,
        "where": ("everywhere", *(each for names in _DIMENSIONS.values() for each in names)),
        "first_check": tuple(sorted(_CHECKS.values())),
        "containment": tuple(sorted(_CURES.values())),
    }

    def dashboard(self, rng: np.random.Generator) -> Dashboard:
        """Two weeks by platform, surface and version, and the same days of the year before."""
        cause = str(rng.choice(_CAUSES))
        where = _place(cause, rng)
        last = date(2026, 3, 2) + timedelta(int(rng.integers(200)))
        rows: list[pl.DataFrame] = []
        for at in range(_DAYS):
            broken = cause if at == _DAYS - 1 else None
            rows += _rows(last - timedelta(_DAYS - 1 - at), _cells(rng, broken, where), broken, where, rng)
        data = pl.concat(rows)
        before = 0.79 if cause == "season" else float(rng.uniform(0.98, 1.02))
        ctr = float(rng.uniform(0.05, 0.06))
        year = pl.DataFrame(
            {
                "days": ["the two weeks before", "that day"],
                "ctr": [ctr, ctr * before],
            }
        )
        tables = {name: _table(data, name, last) for name in _DIMENSIONS} | {"year_before": year}
        whole = _table(data.filter(pl.col("by") == "platform").with_columns(slice=pl.lit("all")), "platform", last)
        row = whole.row(0, named=True)
        facts = {"day": last.isoformat(), "ctr": row["ctr"], "ctr_before": row["ctr_before"]}
        answer = {"cause": cause, "where": where, "first_check": _CHECKS[cause], "containment": _CURES[cause]}
        return Dashboard(data=data, tables=tables, answer=answer, facts=facts)


def _place(cause: str, rng: np.random.Generator) -> str:
    if cause == "logging":
        return str(rng.choice(_DIMENSIONS["platform"]))
    if cause == "stale_features":
        return str(rng.choice(_DIMENSIONS["surface"][:2]))
    return {"routing": "fallback", "model": str(rng.choice(("v7", "v8"))), "season": "everywhere"}[cause]


def _cells(rng: np.random.Generator, cause: str | None, where: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Impressions, logged clicks and orders by platform, surface and version."""
    versions = np.array((0.25, 0.25, 0.50) if cause == "routing" else _SHARES["version"])
    share = np.einsum("i,j,k->ijk", _SHARES["platform"], _SHARES["surface"], versions)
    impressions = rng.poisson(_DAILY * rng.uniform(0.96, 1.04) * share)
    ctr = np.broadcast_to(_CTR, impressions.shape) * rng.uniform(0.99, 1.01)
    lost = {"stale_features": 0.55, "model": 0.50, "season": 0.78}.get(cause or "", 1.0)
    ctr = np.where(_mask(where) if cause in ("stale_features", "model", "season") else False, ctr * lost, ctr)
    clicks = rng.binomial(impressions, ctr)
    orders = rng.binomial(clicks, _ORDERS)
    logged = np.where(_mask(where), rng.binomial(clicks, 0.35), clicks) if cause == "logging" else clicks
    return impressions, logged, orders


def _mask(where: str) -> np.ndarray:
    mask = np.zeros((3, 3, 3), bool)
    for axis, names in enumerate(_DIMENSIONS.values()):
        if where in names:
            mask[(slice(None),) * axis + (names.index(where),)] = True
            return mask
    return ~mask


def _rows(
    day: date,
    cells: tuple[np.ndarray, np.ndarray, np.ndarray],
    cause: str | None,
    where: str,
    rng: np.random.Generator,
) -> list[pl.DataFrame]:
    rows = []
    for axis, (by, names) in enumerate(_DIMENSIONS.items()):
        others = tuple(each for each in range(3) if each != axis)
        impressions, clicks, orders = (each.sum(axis=others) for each in cells)
        hours = rng.uniform(2, 5, 3)
        if cause == "stale_features" and by == "surface":
            hours[names.index(where)] += 28
        frame = pl.DataFrame({"slice": names, "impressions": impressions, "clicks": clicks, "orders": orders})
        hidden = pl.lit(None, pl.Float64)
        aged = frame.with_columns(feature_age_hours=pl.Series(hours) if by == "surface" else hidden)
        rows.append(aged.select(pl.lit(day).alias("day"), pl.lit(by).alias("by"), pl.all()))
    return rows


def _table(data: pl.DataFrame, by: str, last: date) -> pl.DataFrame:
    """Each slice yesterday, and on a mean day before."""
    mine = data.filter(pl.col("by") == by)
    yesterday = pl.col("day") == last

    def ratio(top: str, bottom: str, when: pl.Expr) -> pl.Expr:
        return pl.col(top).filter(when).sum() / pl.col(bottom).filter(when).sum()

    table = mine.group_by("slice", maintain_order=True).agg(
        pl.col("impressions").filter(yesterday).sum(),
        impressions_before=pl.col("impressions").filter(~yesterday).sum() / (_DAYS - 1),
        ctr=ratio("clicks", "impressions", yesterday),
        ctr_before=ratio("clicks", "impressions", ~yesterday),
        orders=pl.col("orders").filter(yesterday).sum(),
        orders_before=pl.col("orders").filter(~yesterday).sum() / (_DAYS - 1),
        feature_age_hours=pl.col("feature_age_hours").filter(yesterday).mean(),
    )
    return table if by == "surface" else table.drop("feature_age_hours")
