"""False alerts of the monitor per metric and year: series of many kinds, by the days of history.

    nice -n 19 python benchmarks/rates_monitor.py --seeds 1000:1100

A run is a monitor of twelve metrics of one kind with four slices each, without an incident. It judges the days of four
weeks behind the history; alerts of a metric within a week are one. What is counted is the whole detection, with its
forecasts, tails, and pooled thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Final, Literal

import numpy as np
import polars as pl
from rates import Cell, main

from reclens.monitor.detect import DetectOptions, detect
from reclens.monitor.records import SERIES
from reclens.monitor.rules import Rule

BEGIN: Final = date(2026, 1, 5)
BUDGET: Final = 0.5
ABOUT: Final = (
    "False alerts of a metric and year, beside the budget of half of one. A run is a monitor of twelve metrics of one "
    "kind with four slices each, or of one such metric, and judges four weeks behind its history; alerts of a metric "
    "within a week are one. Before day 42 everything is warming up."
)
METRICS, SLICES, JUDGED = 12, 4, 28
HISTORIES: Final = (28, 42, 56, 240)
"""Days before the first judged one: within warm-up, at its end, and behind it."""
Drawn = tuple[np.ndarray, np.ndarray | None, Literal["identity", "logit"]]
"""Values of shape (days, series), the rows behind them if they are counts, and the scale they are judged on."""


def gaussian(rng: np.random.Generator, shape: tuple[int, int]) -> Drawn:
    """Amounts with a week and normal noise."""
    return 10 + _week(rng, shape) + rng.normal(size=shape), None, "identity"


def lattice(rng: np.random.Generator, shape: tuple[int, int]) -> Drawn:
    """Shares of 0.2 % to 5 % of 400 rows: few different values."""
    return rng.binomial(400, np.geomspace(0.002, 0.05, shape[1]), shape), np.full(shape, 400), "logit"


def zero_inflated(rng: np.random.Generator, shape: tuple[int, int]) -> Drawn:
    """Amounts that are 0 on three days of five, and else lognormal."""
    return np.where(rng.random(shape) < 0.6, 0.0, rng.lognormal(size=shape)), None, "identity"


def lognormal(rng: np.random.Generator, shape: tuple[int, int]) -> Drawn:
    """Amounts with a lognormal tail that nobody took the logarithm of."""
    return rng.lognormal(size=shape), None, "identity"


def heavy(rng: np.random.Generator, shape: tuple[int, int]) -> Drawn:
    """Amounts with the tails of t with 3 degrees of freedom."""
    return 10 + _week(rng, shape) + rng.standard_t(3, shape), None, "identity"


def follows(rng: np.random.Generator, shape: tuple[int, int]) -> Drawn:
    """Amounts of which a day resembles the one before it: AR(1) with .5."""
    noise = rng.normal(size=shape)
    for day in range(1, len(noise)):
        noise[day] = 0.5 * noise[day - 1] + np.sqrt(1 - 0.25) * noise[day]
    return 10 + _week(rng, shape) + noise, None, "identity"


def weekdays(rng: np.random.Generator, shape: tuple[int, int]) -> Drawn:
    """Shares of 5 % of rows that are ten times as many on one weekday as on another, in slices of unequal size."""
    of_day = np.geomspace(1, 10, 7)[np.arange(shape[0]) % 7][:, None]
    n = np.broadcast_to((of_day * np.geomspace(100, 5000, shape[1])).astype(int), shape)
    return rng.binomial(n, 0.05), n, "logit"


KINDS: Final[Mapping[str, Callable[[np.random.Generator, tuple[int, int]], Drawn]]] = {
    "gaussian": gaussian,
    "binomial lattice": lattice,
    "zero-inflated": zero_inflated,
    "lognormal": lognormal,
    "t with 3 degrees": heavy,
    "AR(1) .5": follows,
    "unequal weekdays": weekdays,
}


def _week(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return np.tile(2 * rng.normal(size=(7, shape[1])), (shape[0] // 7 + 1, 1))[: shape[0]]


def frame(values: np.ndarray, n: np.ndarray | None, slices: int = SLICES) -> pl.DataFrame:
    """Columns of SERIES: ``slices`` columns of values are one indicator, the first of them the whole day."""
    series = values.shape[1]
    at, of = (each.ravel() for each in np.indices(values.shape))
    flat, rows = values.ravel().astype(float), np.full(values.size, 1000) if n is None else n.ravel()
    counts = {"numerator": flat, "denominator": rows.astype(float)}
    p = (flat + 0.5) / (rows + 1.0)
    names = np.array(["all", *(f"s{each}" for each in range(1, slices))])
    return (
        pl.DataFrame(
            {
                "day": pl.Series(at).cast(pl.Int64) * 86_400_000,
                "indicator": np.array([f"i{each:03d}" for each in range(series // slices)])[of // slices],
                "dimension": np.where(of % slices == 0, "overall", "surface"),
                "slice": names[of % slices],
                "value": flat if n is None else flat / rows,
                "error": np.full(values.size, np.nan) if n is None else np.sqrt(p * (1 - p) / rows),
                **({} if n is None else counts),
                "n": rows,
            }
        )
        .select(
            (pl.lit(BEGIN) + pl.duration(milliseconds="day")).alias("day"),
            *(
                (pl.col(name) if name not in counts or n is not None else pl.lit(None)).cast(kind).alias(name)
                for name, kind in SERIES.items()
                if name != "day"
            ),
        )
        .with_columns(pl.col("error").fill_nan(None))
    )


def alerts(found: pl.DataFrame, cool_down: int = 7) -> int:
    """Alerts: one an indicator and week, however many of its slices."""
    days = found.filter(pl.col("state").is_in(["level", "drift"])).select("indicator", "day").unique().sort(pl.all())
    total, last = 0, {}
    for name, day in days.iter_rows():
        if name not in last or (day - last[name]).days > cool_down:
            total, last[name] = total + 1, day
    return total


def judge(kind: str, history: int, metrics: int, seed: int) -> dict[str, float]:
    """False alerts a metric and year of one monitor."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind), history, metrics])
    values, n, scale = KINDS[kind](rng, (history + JUDGED, metrics * SLICES))
    series = frame(values, n)
    rules = {name: Rule(scale=scale) for name in series["indicator"].unique()}
    found = detect(series, rules, start=BEGIN + timedelta(days=history), options=DetectOptions(budget=BUDGET))
    judged = found.filter(pl.col("state") != "warming_up").select("indicator", "day").n_unique()
    return {"alerts": alerts(found) / (judged / 365.25) if judged else float("nan")}


def grid() -> list[Cell]:
    """Kinds by histories, and each kind as the only metric of a monitor."""
    return [
        Cell(f"{kind}, {history} days", partial(judge, kind, history, METRICS), {"alerts": BUDGET})
        for kind in KINDS
        for history in HISTORIES
    ] + [Cell(f"{kind}, 56 days, 1 metric", partial(judge, kind, 56, 1), {"alerts": BUDGET}) for kind in KINDS]


if __name__ == "__main__":
    main("monitor", grid(), about=ABOUT)
