"""How often tests of quantiles reject between arms treated alike, and how often intervals cover a true difference.

python benchmarks/rates_quantiles.py --seeds 1000:3000
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from rates import Cell, main
from scipy import stats

from reclens.stats.quantiles import QuantilePivot, mid_quantiles

Z = 1.959963984540054


def poisson(rng: np.random.Generator, n: int, *, mean: float) -> np.ndarray:
    return rng.poisson(mean, n).astype(np.float64)


def seconds(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.round(rng.lognormal(1, 0.5, n))


def lognormal(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.lognormal(0, 1, n)


def revenue(rng: np.random.Generator, n: int, *, zero: float) -> np.ndarray:
    return (rng.random(n) >= zero) * rng.lognormal(0, 1, n)


DRAWS: dict[str, tuple[Callable[[np.random.Generator, int], np.ndarray], float]] = {
    "Poisson(3.67), median": (partial(poisson, mean=3.67), 0.5),
    "Poisson(10.3), p90": (partial(poisson, mean=10.3), 0.9),
    "seconds rounded, p90": (seconds, 0.9),
    "revenue 70 % zero, p90": (partial(revenue, zero=0.7), 0.9),
    "revenue 40 % zero, median": (partial(revenue, zero=0.4), 0.5),
    "revenue 70 % zero, median": (partial(revenue, zero=0.7), 0.5),
    "lognormal, median": (lognormal, 0.5),
    "lognormal, p90": (lognormal, 0.9),
}
SIZES = ((250, 250), (450, 50), (1000, 1000), (1800, 200), (10_000, 10_000), (18_000, 2_000))


def alike(kind: str, sizes: tuple[int, int], seed: int) -> Mapping[str, float]:
    """One A/A test: whether it can be tested, and rejects in each direction."""
    draw, q = DRAWS[kind]
    rng = np.random.default_rng(seed)
    return _outcome([draw(rng, n) for n in sizes], q, None)


def clustered(sizes: tuple[int, int], seed: int) -> Mapping[str, float]:
    """One A/A test of five counts a user, whose means differ from user to user."""
    rng = np.random.default_rng(seed)
    users = [np.repeat(np.arange(n), 5) for n in sizes]
    rows = [rng.poisson(np.repeat(rng.gamma(4, 1, n), 5)).astype(np.float64) for n in sizes]
    return _outcome(rows, 0.5, users)


def shifted(means: tuple[float, float], q: float, sizes: tuple[int, int], seed: int) -> Mapping[str, float]:
    """Whether the true difference and the true lift are covered; on which side a guardrail at the truth would err."""
    rng = np.random.default_rng(seed)
    k = np.arange(100)
    truth = [float(np.interp(q, stats.poisson.cdf(k, mean) - stats.poisson.pmf(k, mean) / 2, k)) for mean in means]
    arms = mid_quantiles([poisson(rng, n, mean=mean) for mean, n in zip(means, sizes, strict=True)], q)
    pivot = QuantilePivot(arms[0], arms[1], (arms[0].spread(), arms[1].spread()))
    z = pivot.z_at(truth[1] - truth[0])
    lift = pivot.z_at(truth[1] / truth[0] - 1, relative=True)
    return {
        "difference covered": abs(z) <= Z,
        "lift covered": abs(lift) <= Z,
        "margin held in error": lift > Z,
        "margin broken in error": lift < -Z,
    }


def _outcome(rows: list[np.ndarray], q: float, clusters: list[np.ndarray] | None) -> Mapping[str, float]:
    arms = mid_quantiles(rows, q, clusters=clusters)
    if any(arm.untestable()[0] is not None for arm in arms):
        return {"tested": 0.0, "rejected": 0.0, "up": 0.0}
    z = QuantilePivot(arms[0], arms[1], (arms[0].spread(), arms[1].spread())).z_at(0.0)
    return {"tested": 1.0, "rejected": abs(z) > Z, "up": z > Z}


def cells() -> list[Cell]:
    promised = {"rejected": 0.05, "up": 0.025}
    found = [
        Cell(f"{kind}, {sizes[0]:,}/{sizes[1]:,}", partial(alike, kind, sizes), promised)
        for kind in DRAWS
        for sizes in SIZES
    ]
    found += [
        Cell(f"clustered counts, median, {a:,}/{b:,} users", partial(clustered, (a, b)), promised)
        for a, b in ((200, 200), (360, 40), (1000, 1000), (1800, 200))
    ]
    covered = {
        "difference covered": 0.95,
        "lift covered": 0.95,
        "margin held in error": 0.025,
        "margin broken in error": 0.025,
    }
    found += [
        Cell(
            f"Poisson {means[0]} to {means[1]}, {q:g} quantile, {a:,}/{b:,}",
            partial(shifted, means, q, (a, b)),
            covered,
        )
        for means, q in (((3.67, 4.2), 0.5), ((10.3, 12.0), 0.9))
        for a, b in SIZES
    ]
    return found


if __name__ == "__main__":
    main(
        "quantiles",
        cells(),
        about="Tests of mid-quantiles. A/A: between arms of one distribution; otherwise between "
        "two Poisson distributions, at the difference of their mid-quantiles. A quantile within the zeros is not "
        "tested, and counts as not rejected.",
    )
