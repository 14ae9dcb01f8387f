"""A/A rates of means, skewed or not, in arms of equal and unequal size; plain, adjusted, and at planned looks."""

from __future__ import annotations

from functools import partial

import numpy as np
import rates

from reclens.stats.arms import compare_arms
from reclens.stats.moments import Moments
from reclens.stats.sequential import group_sequential

VALUES = {
    "normal": lambda rng, n: rng.normal(10, 3, n),
    "exponential": lambda rng, n: rng.exponential(1, n),
    "gamma(1/4)": lambda rng, n: rng.gamma(0.25, 1, n),
    "lognormal(0, 1)": lambda rng, n: rng.lognormal(0, 1, n),
    "lognormal(0, 1.5)": lambda rng, n: rng.lognormal(0, 1.5, n),
    "10 % buyers": lambda rng, n: (rng.random(n) < 0.1) * rng.lognormal(3, 1, n),
    "Poisson(0.1)": lambda rng, n: rng.poisson(0.1, n).astype(float),
}
SIZES = ((500, 500), (90, 10), (900, 100), (100, 900), (2700, 300), (300, 2700), (18_000, 2_000))
POCOCK = group_sequential(5, spending="pocock").upper


def single(values: str, sizes: tuple[int, int], adjusted: bool, seed: int) -> dict[str, float]:
    """One A/A test: both tails, and the lift, which is Fieller's."""
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    y = VALUES[values](rng, n)
    columns = {"y": y}
    if adjusted:
        x = rng.gamma(2, 1, n)
        columns = {"y": y + x, "x": x}
    sides = [
        Moments.of({name: column[part] for name, column in columns.items()})
        for part in (slice(0, sizes[0]), slice(sizes[0], n))
    ]
    found = compare_arms(*sides, "y", covariates=["x"] if adjusted else (), relative="fieller")
    if not found.testable:
        return {"rejected": float("nan")}
    low, high = found.relative.low, found.relative.high
    return {
        "rejected": abs(found.z) > 1.959964,
        "treatment higher": found.z > 1.959964,
        "treatment lower": found.z < -1.959964,
        "too skewed to decide": abs(found.skew) > 0.6,
        "rejected and decided": abs(found.z) > 1.959964 and abs(found.skew) <= 0.6,
        "lift covers 0": float("nan") if low is None or high is None else low <= 0 <= high,
    }


def looks(values: str, a_look: int, seed: int) -> dict[str, float]:
    """Five looks by Pocock's bounds with few units a look: the first crossing stops."""
    rng = np.random.default_rng(seed)
    y = VALUES[values](rng, 10 * a_look).reshape(2, -1)
    for k, bound in enumerate(POCOCK, 1):
        found = compare_arms(*[Moments.of({"y": arm[: k * a_look]}) for arm in y], "y")
        if found.testable and abs(found.z) >= bound:
            return {"stopped": 1.0, "stopped at the first": float(k == 1)}
    return {"stopped": 0.0, "stopped at the first": 0.0}


CELLS = [
    rates.Cell(
        f"{name}, {n}/{m}{', CUPED' if adjusted else ''}",
        partial(single, name, (n, m), adjusted),
        {"rejected": 0.05, "treatment higher": 0.025, "treatment lower": 0.025, "lift covers 0": 0.95},
    )
    for adjusted in (False, True)
    for n, m in (SIZES if not adjusted else ((900, 100), (2700, 300)))
    for name in VALUES
] + [
    rates.Cell(f"{name}, 5 looks of {a_look} an arm", partial(looks, name, a_look), {"stopped": 0.05})
    for a_look in (3, 5, 10, 30)
    for name in ("normal", "exponential")
]

if __name__ == "__main__":
    rates.main("means", CELLS, about="A/A tests of means by Welch's test with Hall's correction for skewness.")
