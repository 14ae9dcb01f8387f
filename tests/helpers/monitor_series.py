"""Series of a monitor from arrays."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from reclens.monitor.records import OVERALL, SERIES

BEGIN = date(2026, 1, 5)


def counts(x, n, *, indicator="ctr", slices=None):
    """Columns of SERIES of shares, from arrays of shape (days, series)."""
    days, series = x.shape
    at, of = np.divmod(np.arange(days * series), series)
    names = [(OVERALL, "all"), *(("surface", f"s{i}") for i in range(1, series))] if slices is None else slices
    x, n = x.ravel().astype(float), np.broadcast_to(n, x.shape).ravel().astype(float)
    p = np.clip((x + 0.5) / (n + 1), 0, 1)
    return pl.DataFrame(
        {
            "day": [BEGIN + timedelta(days=int(i)) for i in at],
            "indicator": [indicator] * len(x),
            "dimension": [names[i][0] for i in of],
            "slice": [names[i][1] for i in of],
            "value": x / n,
            "error": np.sqrt(p * (1 - p) / n),
            "numerator": x,
            "denominator": n,
            "n": n.astype(int),
        }
    ).cast(pl.Schema(SERIES))


def amounts(values, *, indicator="amount", n=1000):
    """The same of values without counts; NaN is no value."""
    frame = counts(np.nan_to_num(values), 1, indicator=indicator)
    return frame.with_columns(
        value=pl.Series(values.ravel()).fill_nan(None),
        error=pl.lit(None, pl.Float64),
        numerator=pl.lit(None, pl.Float64),
        denominator=pl.lit(None, pl.Float64),
        n=pl.lit(n, pl.Int64),
    )
