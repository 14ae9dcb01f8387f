"""How often the intervals of RMSE and MAE cover: users who rate alike, and users of whom a few have most ratings.

python benchmarks/rates_predictions.py --seeds 1000:3000
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial

import numpy as np
import polars as pl
from rates import Cell, main

from reclens.evaluation import evaluate_predictions

METRICS = ("rmse", "mae", "user_rmse", "user_mae")


def draw(rng: np.random.Generator, n: int, unequal: bool) -> pl.DataFrame:
    """Errors in halves, alike within a user; unequal users rate from 1 to 200 items, the busy ones predicted better."""
    size = np.minimum(np.ceil(rng.lognormal(1.5, 1.0, n)), 200).astype(int) if unequal else np.full(n, 8)
    user = np.repeat(np.arange(n), size)
    spread = (np.exp(rng.normal(0, 0.4, n)) * size**-0.15)[user]
    error = rng.normal(size=len(user)) * spread + (0.5 * rng.normal(size=n))[user]
    first = int(rng.integers(1 << 40))  # ids are the keys of the resampling weights
    return pl.DataFrame(
        {
            "user_id": first + user,
            "item_id": np.arange(len(user)),
            "prediction": 3 + np.round(2 * error) / 2,
            "rating": 3.0,
        }
    )


@cache
def truth(unequal: bool) -> Mapping[str, float]:
    """The values of a million users."""
    found = evaluate_predictions(draw(np.random.default_rng(99), 1_000_000, unequal), replicates=0)
    return {name: found[name].overall.value for name in METRICS}


def run(seed: int, *, n: int, unequal: bool) -> dict[str, float]:
    """One data set: whether each interval covers."""
    found = evaluate_predictions(draw(np.random.default_rng(seed), n, unequal), replicates=1000)
    covered: dict[str, float] = {}
    for name in METRICS:
        low, high = found[name].overall.low, found[name].overall.high
        covered[name] = float(low is not None and high is not None and low <= truth(unequal)[name] <= high)
    return covered


CELLS = [
    Cell(
        f"{n} users, {'1 to 200' if unequal else '8'} ratings each",
        partial(run, n=n, unequal=unequal),
        dict.fromkeys(METRICS, 0.95),
    )
    for unequal in (False, True)
    for n in (30, 100, 400)
]

if __name__ == "__main__":
    main("predictions", CELLS, about="Coverage of the 95 % intervals of predicted ratings' errors")
