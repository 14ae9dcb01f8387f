"""Distributions compared with the reference days: drift of scores and features, missing values, calibration."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import polars as pl

from reclens.monitor.bins import HOUR, NULL_BIN
from reclens.monitor.clock import HOURS, NOISE, shift_signal
from reclens.monitor.indicators.registry import indicator
from reclens.monitor.log import PREDICTED
from reclens.monitor.summary import Summary, rolled_up
from reclens.schema import FEATURE, LATENCY, SCORE

__all__ = ["calibration", "clock_shift", "ece", "feature_nulls", "hour_drift", "js", "psi", "score_drift", "score_mean"]

_GROUP: Final = ["dimension", "slice", "column"]
_COLUMN: Final = "column"
_HALF: Final = 0.5
"""Added to each bin, so that a bin that is empty on one side has a finite term."""
_NORMAL: Final = 1.4826
"""Standard deviation of normal noise whose median size is 1."""
_FAR: Final = 6.0
"""Spreads from the usual distance beyond which a day of the past is no reference."""


@indicator(caption="PSI of features and scores", unit="", scale="log", direction="up", family="model")
def psi(summary: Summary) -> pl.DataFrame | None:
    """Population stability index against the reference days, by column; of a slice, the largest of its columns.

    Formula: Σ (p - q) ln(p ÷ q) over bins, p of the day and q of the past, with half a row added to each bin. Missing
    values have a bin; so have values below, above or outside of what was seen. Days of the past that are far from most
    others are left out. Below 0.1 is usually called stable, above 0.25 changed. Where nothing changed it is about
    (bins - 1)(1 ÷ n + 1 ÷ m) ± the error, if rows are independent: features of a user, which all rows of a list share,
    vary more.
    """
    return _by_column(summary, "psi")


@indicator(caption="JS of features and scores", unit="bits", scale="log", direction="up", family="model")
def js(summary: Summary) -> pl.DataFrame | None:
    """Jensen-Shannon divergence against the reference days, by column; of a slice, the largest of its columns.

    Formula: ½ Σ p log2(p ÷ m) + ½ Σ q log2(q ÷ m) with m = (p + q) ÷ 2, over the bins of ``psi``; 0 … 1 bit.
    """
    return _by_column(summary, "js")


@indicator(caption="Score drift", unit="", scale="log", direction="up", family="model")
def score_drift(summary: Summary) -> pl.DataFrame | None:
    """Population stability index of the scores against the reference days; formula as of ``psi``."""
    return _of_column(summary, SCORE)


@indicator(caption="Drift of the hours", unit="", scale="log", direction="up", family="data")
def hour_drift(summary: Summary) -> pl.DataFrame | None:
    """Population stability index of the hours of the day: a clock or a time zone that is wrong shows here.

    Formula: as of ``psi``, over the lists by hour, in the zone of the log.
    """
    return _of_column(summary, HOUR)


@indicator(caption="Shift of the clock", unit="", scale="identity", direction="up", family="data", drifts=False)
def clock_shift(summary: Summary) -> pl.DataFrame | None:
    """Whether a part of the lists stands at the hours of another time zone, in standard errors.

    Formula: max over shifts of 1 … 23 hours of the share that is shifted ÷ its standard error, each by weighted least
    squares from the lists by hour and those of the reference days. Without a shift about 1 ± 0.7, at any traffic; a
    share of the lists that is small for ``hour_drift``, which looks in all directions at once, is large here.
    """
    rolled, old = summary.rolled("bins"), _usual(summary)
    if rolled is None or old is None:
        return None
    now, before = _by_hour(rolled, "n"), _by_hour(old, "old")
    rows = [(*key, shift_signal(now[key], before[key]), NOISE, int(now[key].sum())) for key in now if key in before]
    return pl.DataFrame(rows, schema=["dimension", "slice", "value", "error", "n"], orient="row") if rows else None


def _by_hour(table: pl.DataFrame, count: str) -> dict[tuple[str, str], np.ndarray]:
    """Counts by the hour of each slice."""
    found = table.filter(pl.col(_COLUMN) == HOUR).group_by("dimension", "slice", maintain_order=True)
    listed = found.agg("bin", count).iter_rows()
    return {(name, slice_): np.bincount(at, n, minlength=HOURS)[:HOURS] for name, slice_, at, n in listed}


@indicator(caption="Mean score", unit="", scale="identity", direction="both", family="model")
def score_mean(summary: Summary) -> pl.DataFrame | None:
    """Mean of the scores.

    Formula: Σ score ÷ impressions with a score.
    """
    from reclens.monitor.indicators.rates import mean

    return mean(summary, "cells", "score", "score_squared", "scored")


@indicator(caption="Missing feature values", unit="share", scale="logit", direction="up", family="data")
def feature_nulls(summary: Summary) -> pl.DataFrame | None:
    """Share of feature values that are missing, by feature; of a slice, over all its features.

    Formula: values that are null or NaN ÷ values.
    """
    rolled = summary.rolled("bins")
    if rolled is None:
        return None
    features = rolled.filter(pl.col(_COLUMN).str.starts_with(FEATURE))
    whole = features.filter(pl.col("dimension") == "overall")
    by_feature = whole.with_columns(dimension=pl.lit("feature"), slice=pl.col(_COLUMN).str.strip_prefix(FEATURE))
    missing, n = pl.col("n").filter(pl.col("bin") == NULL_BIN).sum(), pl.col("n").sum()
    near = (missing + _HALF) / (n + 1)
    found = (
        pl.concat([features, by_feature])
        .group_by("dimension", "slice", maintain_order=True)
        .agg(
            value=missing / n,
            error=(near * (1 - near) / n).sqrt(),
            numerator=missing.cast(pl.Float64),
            denominator=n.cast(pl.Float64),
            n=n,
        )
    )
    return found if found.height else None


@indicator(caption="Calibration ratio", unit="ratio", scale="log", direction="both", family="model")
def calibration(summary: Summary) -> pl.DataFrame | None:
    """Clicks against what the model predicted: 1 where it is right on average.

    Formula: clicks ÷ Σ predicted probability, over impressions that have one. Error: that of a sum of independent
    clicks, √Σ p(1 - p) ÷ Σ p.
    """
    found = _predicted(summary)
    if found is None:
        return None
    clicks, total, n = (pl.col(name).sum().cast(pl.Float64) for name in ("clicks", "total", "n"))
    return found.group_by("dimension", "slice", maintain_order=True).agg(
        value=clicks / total,
        error=_variance().sum().sqrt() / total,
        numerator=clicks,
        denominator=total,
        n=n.cast(pl.Int64),
    )


@indicator(caption="Calibration error (ECE)", unit="share", scale="log", direction="up", family="model")
def ece(summary: Summary) -> pl.DataFrame | None:
    """Expected calibration error: how far click rates are from predictions, bin by bin.

    Formula: Σ_b (n_b ÷ N) |clicks_b ÷ n_b - mean prediction_b| over bins of the prediction that held as many rows each
    on the first day (Naeini et al. 2015). It is never 0: noise alone gives about Σ_b √(2 n_b p(1 - p) ÷ π) ÷ N.
    """
    found = _predicted(summary)
    if found is None:
        return None
    n = pl.col("n").sum()
    gap = (pl.col("clicks") - pl.col("total")).abs().sum()
    return found.group_by("dimension", "slice", maintain_order=True).agg(
        # The size of a normal variable has the variance 1 - 2 ÷ π.
        value=gap / n,
        error=(_variance().sum() * (1 - 2 / math.pi)).sqrt() / n,
        numerator=gap,
        denominator=n.cast(pl.Float64),
        n=n,
    )


def _variance() -> pl.Expr:
    """Variance of the clicks of a bin if its mean prediction is right."""
    return pl.col("total") * (1 - pl.col("total") / pl.col("n")).clip(lower_bound=0.0)


def _predicted(summary: Summary) -> pl.DataFrame | None:
    rolled = summary.rolled("bins")
    if rolled is None:
        return None
    found = rolled.filter((pl.col(_COLUMN) == PREDICTED) & (pl.col("bin") != NULL_BIN))
    return found if found.height and float(found["total"].sum()) > 0 else None


def _by_column(summary: Summary, measure: str) -> pl.DataFrame | None:
    found = _against_past(summary)
    if found is None:
        return None
    found = found.filter((pl.col(_COLUMN) == SCORE) | pl.col(_COLUMN).str.starts_with(FEATURE))
    if found.is_empty():
        return None
    value = pl.col(measure)
    noise = [pl.col("error")] if measure == "psi" else []
    single = found.filter(pl.col("dimension") == "overall").select(
        *noise, pl.col("n"), dimension=pl.lit(_COLUMN), slice=pl.col(_COLUMN), value=value
    )
    largest = found.group_by("dimension", "slice", maintain_order=True).agg(value=value.max(), n=pl.col("n").max())
    return pl.concat([largest, single], how="diagonal")


def _of_column(summary: Summary, column: str) -> pl.DataFrame | None:
    found = _against_past(summary)
    if found is None:
        return None
    return found.filter(pl.col(_COLUMN) == column).select("dimension", "slice", "error", "n", value="psi")


def _against_past(summary: Summary) -> pl.DataFrame | None:
    """PSI and JS of every column and slice with reference days: ``dimension, slice, column, psi, js, error, n``."""
    return summary.kept("against_past", _compared)


def _compared(summary: Summary) -> pl.DataFrame | None:
    rolled = summary.rolled("bins")
    if rolled is None:
        return None
    keys = [*_GROUP, "bin"]
    drifting = ~pl.col(_COLUMN).is_in([LATENCY, PREDICTED])
    old = _usual(summary)
    if old is None:
        return None
    joined = rolled.filter(drifting).select(*keys, new="n").join(old, on=keys, how="full", coalesce=True)
    joined = joined.with_columns(pl.col("new", "old").fill_null(0).cast(pl.Float64))
    new, before, bins = (pl.col("new").sum().over(_GROUP), pl.col("old").sum().over(_GROUP), pl.len().over(_GROUP))
    joined = joined.with_columns(n=new, m=before, bins=bins).filter((pl.col("n") > 0) & (pl.col("m") > 0))
    p, q = ((pl.col(x) + _HALF) / (pl.col(t) + _HALF * pl.col("bins")) for x, t in (("new", "n"), ("old", "m")))
    a, b = pl.col("new") / pl.col("n"), pl.col("old") / pl.col("m")
    middle = (a + b) / 2
    joined = joined.with_columns(
        psi=(p - q) * (p / q).log(),
        js=(_entropy(a, middle) + _entropy(b, middle)) / 2,
    )
    noise = (2 * (pl.col("bins").first() - 1)).sqrt() * (1 / pl.col("n").first() + 1 / pl.col("m").first())
    found = joined.group_by(_GROUP).agg(
        pl.col("psi").sum(), pl.col("js").sum(), error=noise, n=pl.col("n").first().cast(pl.Int64)
    )
    return found.sort(_GROUP)


def _usual(summary: Summary) -> pl.DataFrame | None:
    """Counts of the past by slice, column and bin, of the typical reference days; None without any."""
    return summary.kept("usual", _summed)


def _summed(summary: Summary) -> pl.DataFrame | None:
    past = summary.past.bins
    if past is None or past.is_empty():
        return None
    past = past if "day" in past.columns else past.with_columns(day=pl.lit(None, pl.Date))
    keys, drifting = [*_GROUP, "bin"], ~pl.col(_COLUMN).is_in([LATENCY, PREDICTED])
    by_day = rolled_up(
        past.filter(drifting), _sliced(summary), kept=("day", "column", "bin"), names=summary.slices
    ).select(*keys, "day", "n")
    return by_day.join(_apart(by_day), on=[*_GROUP, "day"], how="anti").group_by(keys).agg(old=pl.col("n").sum())


def _apart(by_day: pl.DataFrame) -> pl.DataFrame:
    """Reference days whose distribution is far from most others, such as days of an incident.

    They are excluded: compared with them, a normal day after the incident would be far out. The distance of
    a day is its PSI from the median share of each bin.
    """
    days, bins = by_day.select(*_GROUP, "day").unique(), by_day.select(*_GROUP, "bin").unique()
    known = days.join(bins, on=_GROUP).join(by_day, on=[*_GROUP, "day", "bin"], how="left")
    day = [*_GROUP, "day"]
    known = known.with_columns(
        p=(pl.col("n").fill_null(0) + _HALF) / (pl.col("n").sum().over(day) + _HALF * pl.len().over(day))
    )
    known = known.with_columns(q=pl.col("p").median().over([*_GROUP, "bin"]))
    known = known.with_columns(q=pl.col("q") / pl.col("q").sum().over(day))
    far = known.group_by(day).agg(
        distance=((pl.col("p") - pl.col("q")) * (pl.col("p") / pl.col("q")).log()).sum(),
        noise=(2 * (pl.len() - 1)).sqrt() / pl.col("n").sum().cast(pl.Float64),
    )
    usual = pl.col("distance").median().over(_GROUP)
    spread = (pl.col("distance") - usual).abs().median().over(_GROUP) * _NORMAL + pl.col("noise")
    return far.filter(pl.col("distance") > usual + _FAR * spread).select(day)


def _entropy(share: pl.Expr, middle: pl.Expr) -> pl.Expr:
    return pl.when(share > 0).then(share * (share / middle).log(2)).otherwise(0.0)


def _sliced(summary: Summary) -> list[str]:
    from reclens.monitor.summary import LIST_DIMENSIONS

    return [each for each in summary.dimensions if each in LIST_DIMENSIONS]
