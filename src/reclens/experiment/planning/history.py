"""What is known of a metric before the experiment: from the units of the past, or from what the plan says."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Unpack

import numpy as np
import polars as pl

from reclens.data.read.columns import Columns
from reclens.data.read.naming import renamed
from reclens.data.read.options import ReadOptions
from reclens.data.read.sources import load
from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.experiment.planning.metric import Metric
from reclens.experiment.planning.plan import Plan
from reclens.stats.power import (
    coefficient_of_determination,
    intraclass_correlation,
    quantile_sd,
    ratio_sd,
)
from reclens.tabular import Tabular

__all__ = ["Known", "known_of", "read_columns"]


@dataclass(frozen=True, kw_only=True)
class Known(Tabular):
    """What a size rests on.

    Attributes:
        mean: Mean, share, ratio, quantile, or the statistic of an arm.
        sd: Standard deviation of a unit, before CUPED.
        skewness: Skewness of a unit after CUPED, of a mean or ratio; NaN where it is not known.
        r2: Share of the variance that the covariates take away.
        icc: Intra-cluster correlation.
        cluster_size: Mean units a cluster.
        cluster_cv: Coefficient of variation of the sizes.
        units: Units it was measured on; 0 where the plan said it.
        source: ``history`` or ``plan``.
    """

    mean: float
    sd: float
    skewness: float = math.nan
    r2: float = 0.0
    icc: float = 0.0
    cluster_size: float = 1.0
    cluster_cv: float = 0.0
    units: int = 0
    source: str = "plan"

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [asdict(self)]


def known_of(metric: Metric, plan: Plan, history: pl.DataFrame | None) -> Known:
    """What is known of a mean, share, ratio or quantile.

    Args:
        metric: The metric.
        plan: Its plan.
        history: A row a unit (several for a quantile of rows), with the columns of the metric, measured over as long
            as the experiment will last, as far as possible.

    Raises:
        UsageError: If there is neither history nor a baseline in the plan.
        UnknownNameError: If a column is missing.
        DataError: If a unit is repeated, or a column is not of numbers, holds something else than 0 and 1 for a
            proportion, never varies, or has too few rows.
    """
    if history is None:
        return _from_plan(metric)
    columns = {name: _numbers(history, name, metric) for name in metric.columns}
    if metric.kind != "quantile" and plan.unit in history.columns and history[plan.unit].is_duplicated().any():
        raise DataError(
            "a unit is repeated in the history",
            column=plan.unit,
            fix="Give one row a unit: sum up its days or sessions first.",
        )
    value = columns[metric.value or ""]
    clustered = (0.0, 1.0, 0.0)
    units = len(value)
    if metric.kind == "quantile":
        named = _column(history, plan.unit, metric).to_numpy() if plan.unit in history.columns else None
        mean, sd = quantile_sd(value, metric.q or 0.5, units=named)
        units = len(value) if named is None else len(np.unique(named))
        target = (value <= mean).astype(float)
    elif metric.kind == "ratio":
        mean, sd = ratio_sd(value, columns[metric.per or ""])
        target = value - mean * columns[metric.per or ""]
    else:
        if metric.kind == "proportion" and not np.isin(value, (0, 1)).all():
            raise DataError(
                "a proportion holds something else than 0 and 1",
                column=metric.value,
                fix='Say kind = "mean", or make the column 0 or 1.',
            )
        mean, sd, target = float(value.mean()), float(value.std(ddof=1)), value
    if not sd > 0:
        raise DataError(
            f"'{metric.name}' is {mean:g} for every unit",
            column=metric.value,
            fix="A metric that never varies cannot be tested.",
        )
    if plan.cluster is not None:
        clustered = intraclass_correlation(target, _column(history, plan.cluster, metric).to_numpy())
    before = [_covariate(each, columns) for each in metric.covariates]
    r2 = coefficient_of_determination(target, np.stack(before, axis=1)) if before else 0.0
    skewness = _skewness(target, before) if metric.kind in ("mean", "ratio") and plan.cluster is None else math.nan
    return Known(
        mean=mean,
        sd=sd,
        skewness=skewness,
        r2=r2,
        icc=clustered[0],
        cluster_size=clustered[1],
        cluster_cv=clustered[2],
        units=units,
        source="history",
    )


def read_columns(source: Any, *, columns: Columns | None = None, **how: Unpack[ReadOptions]) -> pl.DataFrame:
    """A table of units from a file, a database or a frame; columns of a text file become numbers where all of them are.

    Args:
        source: As for :func:`reclens.read`.
        columns: Other names for columns, ours to theirs; places (from 0) for a file without a header.
        **how: As for :func:`reclens.read`.

    Raises:
        DataError: If it cannot be read.
    """
    raw, _ = renamed(load(source, columns=columns, **how), columns, known=())
    if not raw.text:
        return raw.frame
    found: list[pl.Series] = []
    for column in raw.frame:
        text = column.cast(pl.String).str.strip_chars()
        text = text.replace("", None)
        text = text.str.replace(",", ".", literal=True) if _has_commas(text, raw.decimal) else text
        truth = text.str.to_lowercase().replace_strict({"true": "1", "false": "0"}, default=text)
        for kind in (pl.Int64, pl.Float64):
            number = truth.cast(kind, strict=False)
            # An id such as 007 is text: as a number it would not come back.
            if number.null_count() == text.null_count() and not text.str.contains(r"^0\d").any():
                found.append(number.alias(column.name))
                break
        else:
            found.append(text.alias(column.name))
    return pl.DataFrame(found)


def _has_commas(text: pl.Series, decimal: str | None) -> bool:
    """Whether the commas of a column are its decimal marks, where that was said."""
    return decimal == "," and bool(text.drop_nulls().str.contains(r"^[+-]?\d+(,\d+)?$").all())


def _from_plan(metric: Metric) -> Known:
    base = metric.baseline
    if base is None or base.mean is None or (base.sd is None and metric.kind != "proportion"):
        need = "mean" if metric.kind == "proportion" else "mean and sd"
        raise UsageError(f"nothing is known of '{metric.name}'. Give a history, or its {need} in [metrics.baseline].")
    sd = base.sd if base.sd is not None else (base.mean * (1 - base.mean)) ** 0.5
    skewness = math.nan if base.skewness is None else base.skewness
    return Known(
        mean=base.mean,
        sd=sd,
        skewness=skewness,
        r2=base.r2,
        icc=base.icc,
        cluster_size=base.cluster_size,
        cluster_cv=base.cluster_cv,
    )


def _skewness(values: np.ndarray, covariates: list[np.ndarray]) -> float:
    """Skewness of what covariates leave of the values."""
    left = values - values.mean()
    if covariates:
        design = np.stack([x - x.mean() for x in covariates], axis=1)
        left = left - design @ np.linalg.lstsq(design, left, rcond=None)[0]
    spread = float((left**2).mean())
    return float((left**3).mean()) / spread**1.5 if spread > 0 else math.nan


def _covariate(name: str, columns: dict[str, np.ndarray]) -> np.ndarray:
    """A covariate of each unit; a ratio as its linearisation."""
    numerator, slash, denominator = (part.strip() for part in name.partition("/"))
    if not slash:
        return columns[numerator]
    x, y = columns[numerator], columns[denominator]
    if y.sum() == 0:
        raise DataError("the denominator of a covariate adds up to 0", column=denominator)
    return x - x.sum() / y.sum() * y


def _column(history: pl.DataFrame, name: str, metric: Metric) -> pl.Series:
    if name not in history.columns:
        raise UnknownNameError(f"column for '{metric.name}'", name, history.columns)
    return history[name]


def _numbers(history: pl.DataFrame, name: str, metric: Metric) -> np.ndarray:
    column = _column(history, name, metric)
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise DataError(f"kind {column.dtype}, expected numbers", column=name)
    if len(column) < 10:
        raise DataError(f"{len(column)} rows of history", column=name, fix="Give ten units at least.")
    values = column.cast(pl.Float64)
    bad = values.is_null() | ~values.is_finite()
    if bad.any():
        raise DataError(
            "a value is missing or infinite",
            column=name,
            row=int(bad.arg_max() or 0) + 1,
            fix="Fill it in (0 for a unit that did nothing), or leave the unit out.",
        )
    if metric.cap is not None and name == metric.value:
        values = values.clip(upper_bound=metric.cap)
    return values.to_numpy()
