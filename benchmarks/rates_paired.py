"""Error rates of the paired randomisation test on metrics with few values, alone and after Holm's correction.

python benchmarks/rates_paired.py --seeds 1000:3000
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from rates import Cell, main

from reclens.stats.multiplicity import adjust
from reclens.stats.paired import randomization_p_values

SYSTEMS = 10
"""Systems held against one baseline, none of which differs from it."""

Draw = Callable[[np.random.Generator, int], np.ndarray]


def hit_rate(rng: np.random.Generator, n: int) -> np.ndarray:
    """Whether a user has a hit: 3 in 10 do."""
    return (rng.random(n) < 0.3).astype(np.float64)


def rare_hit_rate(rng: np.random.Generator, n: int) -> np.ndarray:
    """Whether a user has a hit: 1 in 50 does."""
    return (rng.random(n) < 0.02).astype(np.float64)


def precision(rng: np.random.Generator, n: int) -> np.ndarray:
    """Precision at 5: hits of 5 places, unequal between users."""
    return rng.binomial(5, rng.beta(1, 4, n)) / 5


def reciprocal_rank(rng: np.random.Generator, n: int) -> np.ndarray:
    """Reciprocal rank at 10, zero for two users in three."""
    return np.where(rng.random(n) < 1 / 3, 1 / rng.integers(1, 11, n), 0.0)


def ndcg(rng: np.random.Generator, n: int) -> np.ndarray:
    """Values as of NDCG: 45 % zeros, the rest skewed."""
    return np.where(rng.random(n) < 0.45, 0.0, rng.beta(1, 3, n))


def under_the_null(draw: Draw, n: int, seed: int) -> dict[str, float]:
    """Ten systems that are as good as the baseline, and share its users but no value."""
    rng = np.random.default_rng(seed)
    baseline = draw(rng, n)
    gaps = np.stack([draw(rng, n) - baseline for _ in range(SYSTEMS)], axis=1)
    keys = rng.integers(0, 2**63, n).astype(np.uint64)
    p = randomization_p_values(
        keys, gaps, np.array([0, n]), np.array([[0]]), n_targets=1, flips=9999, seed=seed, threads=1
    )[0]
    return {
        "rejected at 5 %": float(np.mean(p <= 0.05)),
        "rejected at 1 %": float(np.mean(p <= 0.01)),
        "any of ten after Holm": float((adjust(p) <= 0.05).any()),
    }


CELLS = [
    Cell(
        f"{name}, n = {n:,}",
        partial(under_the_null, draw, n),
        {"rejected at 5 %": 0.05, "rejected at 1 %": 0.01, "any of ten after Holm": 0.05},
    )
    for name, draw in (
        ("hit rate .3", hit_rate),
        ("hit rate .02", rare_hit_rate),
        ("precision@5", precision),
        ("MRR@10", reciprocal_rank),
        ("NDCG", ndcg),
    )
    for n in (30, 100, 1000)
]

if __name__ == "__main__":
    main(
        "paired",
        CELLS,
        about="The paired randomisation test where no system differs from the baseline. The rates of "
        "metrics with few values stay below the promise, because a p-value of a lattice jumps over 5 %; the systems "
        "share a baseline, so that Holm errs less often than 5 %.",
    )
