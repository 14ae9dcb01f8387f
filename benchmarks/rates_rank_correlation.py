"""How often intervals of rank correlations hold the truth, with few strategies and up to 1.

Pairs are normal, heavy-tailed, skewed on one side, in clusters, and rounded, so that there are ties. The truth of a
cell is the mean of the statistic over many samples of 20,000 pairs (of all their pairs of pairs). Fisher's z, as it was
used before, is simulated beside.

    python benchmarks/rates_rank_correlation.py --seeds 1000:3000
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import numpy as np
from rates import Cell, main
from scipy import stats

from reclens.lab.correlation import kendall, spearman

PAIRS = {"normal": (6, 14, 30, 50, 100, 300), "t of 3 degrees": (14, 50, 100, 300)}
"""Other kinds have 14."""
KINDS = ("normal", "t of 3 degrees", "skewed", "clusters", "rounded")


def sample(kind: str, r: float, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """n pairs; r is their correlation before anything is done to them."""
    first, noise = rng.normal(size=(2, n))
    if kind == "skewed":
        first = rng.exponential(size=n) - 1
    if kind == "clusters":
        first = 0.7 * (rng.integers(0, 5, n) - 2) + 0.15 * first
    second = r * first + math.sqrt(1 - r * r) * noise
    if kind == "t of 3 degrees":
        common = np.sqrt(3 / rng.chisquare(3, n))
        first, second = first * common, second * common
    if kind == "rounded":
        first = np.round(2 * first) / 2
    return first, second


@cache
def truth(kind: str, r: float) -> tuple[float, float]:
    """Both correlations of the population."""
    rng = np.random.default_rng([7, KINDS.index(kind)])
    tests: Any = stats  # half-typed
    found = [
        (tests.spearmanr(*pair).statistic, tests.kendalltau(*pair).statistic)
        for pair in (sample(kind, r, 20_000, rng) for _ in range(10))
    ]
    rho, tau = np.mean(found, axis=0)
    return float(rho), float(tau)


def covers(kind: str, r: float, n: int, seed: int) -> Mapping[str, float]:
    """Whether each interval holds its truth."""
    pair = sample(kind, r, n, np.random.default_rng([seed, n]))
    rho, tau = truth(kind, r)
    found, other = spearman(*pair), kendall(*pair)
    errors = math.sqrt((1 + found.value**2 / 2) / (n - 3)), math.sqrt(0.437 / (n - 4))
    fisher = [
        abs(math.atanh(max(min(each.value, 1 - 1e-12), 1e-12 - 1)) - math.atanh(true)) <= 1.96 * error
        for each, true, error in zip((found, other), (rho, tau), errors, strict=True)
    ]
    inside = [
        float(each.low is not None and each.high is not None and each.low <= true <= each.high)
        for each, true in ((found, rho), (other, tau))
    ]
    return {
        "Spearman": inside[0],
        "Kendall": inside[1],
        "Spearman by Fisher's z": fisher[0],
        "Kendall by Fisher's z": fisher[1],
    }


CELLS = [
    Cell(f"{kind}, r {r}, {n} pairs", partial(covers, kind, r, n), {"Spearman": 0.95, "Kendall": 0.95})
    for kind in KINDS
    for r in (0.5, 0.9, 0.97, 0.99)
    for n in PAIRS.get(kind, (14,))
]

if __name__ == "__main__":
    main("rank_correlation", CELLS, about="Coverage of intervals of rank correlations.")
