"""Coverage of the intervals of means over users, and on which side they miss.

python benchmarks/rates_bca.py --seeds 1000:3000
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from rates import Cell, main

from reclens.stats.bootstrap import estimate
from reclens.stats.summary import Summary

Draw = Callable[[np.random.Generator, int], np.ndarray]


def normal(rng: np.random.Generator, n: int) -> np.ndarray:
    """Values without skewness."""
    return rng.normal(3.0, 1.0, n)


def exponential(rng: np.random.Generator, n: int) -> np.ndarray:
    """Skewness 2."""
    return rng.exponential(1.0, n)


def lognormal(rng: np.random.Generator, n: int) -> np.ndarray:
    """Skewness 6."""
    return rng.lognormal(0.0, 1.0, n)


def very_lognormal(rng: np.random.Generator, n: int) -> np.ndarray:
    """Skewness 33: money and counts of few users."""
    return rng.lognormal(0.0, 1.5, n)


def ndcg(rng: np.random.Generator, n: int) -> np.ndarray:
    """Values as of NDCG: 45 % zeros, the rest skewed."""
    return np.where(rng.random(n) < 0.45, 0.0, rng.beta(1, 3, n))


def sparse_ndcg(rng: np.random.Generator, n: int) -> np.ndarray:
    """Values as of NDCG in a large catalogue: 80 % zeros."""
    return np.where(rng.random(n) < 0.8, 0.0, rng.beta(1, 3, n))


def rare_hit(rng: np.random.Generator, n: int) -> np.ndarray:
    """Hit rate .05."""
    return (rng.random(n) < 0.05).astype(np.float64)


def often_hit(rng: np.random.Generator, n: int) -> np.ndarray:
    """Hit rate .3."""
    return (rng.random(n) < 0.3).astype(np.float64)


def interval_of_mean(draw: Draw, truth: float, share: bool, n: int, seed: int) -> dict[str, float]:
    """One sample of users and its 95 % interval; no answer where none is given."""
    rng = np.random.default_rng(seed)
    keys = rng.integers(0, 2**63, n).astype(np.uint64)
    summary = Summary.of(keys, {"x": draw(rng, n)}, replicates=1000, seed=seed, threads=1)
    found = estimate(summary, ("overall", "all"), "x", share=share)
    if found.low is None or found.high is None:
        return {"without an interval": 1.0}
    return {
        "covered": float(found.low <= truth <= found.high),
        "interval above the truth": float(found.low > truth),
        "interval below the truth": float(found.high < truth),
        "without an interval": 0.0,
    }


CELLS = [
    Cell(f"{name}, n = {n:,}", partial(interval_of_mean, draw, truth, share, n), {"covered": 0.95})
    for name, draw, truth, share in (
        ("normal", normal, 3.0, False),
        ("exponential", exponential, 1.0, False),
        ("lognormal(0, 1)", lognormal, math.exp(0.5), False),
        ("lognormal(0, 1.5)", very_lognormal, math.exp(1.125), False),
        ("NDCG", ndcg, 0.55 * 0.25, True),
        ("NDCG, 80 % zeros", sparse_ndcg, 0.2 * 0.25, True),
        ("hit rate .05", rare_hit, 0.05, True),
        ("hit rate .3", often_hit, 0.3, True),
    )
    for n in (10, 20, 30, 50, 100, 200, 500, 1000)
]

if __name__ == "__main__":
    main("bca", CELLS, about="95 % intervals of means over users, with 1,000 Poisson replicates.")
