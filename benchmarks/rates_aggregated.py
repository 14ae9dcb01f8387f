"""A/A rates of tables of aggregated counts: shares from counts, means from mean and sd, with and without the skewness.

python benchmarks/rates_aggregated.py --seeds 1000:3000
"""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl
import rates

from reclens.experiment import Plan, read_aggregated

VALUES = {
    "0 to 3 evenly": lambda rng, n: rng.integers(0, 4, n).astype(float),
    "90 % zeros, else Poisson(5)": lambda rng, n: (rng.random(n) < 0.1) * rng.poisson(5, n).astype(float),
    "99 % zeros, else exponential": lambda rng, n: (rng.random(n) < 0.01) * rng.exponential(1, n),
    "lognormal(0, 1.5)": lambda rng, n: rng.lognormal(0, 1.5, n),
}
"""Skewness of the values: 0, 3.6, 21 and 33."""


def plan(kind: str, sizes: tuple[int, int]) -> Plan:
    n, m = sizes
    return Plan(
        name="aa",
        arms={"old": n / (n + m), "new": m / (n + m)},
        control="old",
        metrics=({"name": "y", "kind": kind, "value": "y"},),
    )


def outcomes(asked: Plan, counts: dict[str, list[float]]) -> dict[str, float]:
    """Whether the test rejects, and whether that decides anything: a trust check may block it."""
    found = read_aggregated(asked, pl.DataFrame({"variant": ["old", "new"], **counts}))
    p = found.effects[0].p_value
    low, high = found.effects[0].absolute.low, found.effects[0].absolute.high
    skewness = next(each for each in found.trust_checks if each.code == "skewness")
    rejected = p is not None and p < 0.05
    return {
        "rejected": float(rejected),
        "interval covers": float("nan") if low is None or high is None else float(low <= 0 <= high),
        "blocked for skewness": float(skewness.status == "fail"),
        "rejected and not blocked": float(rejected and skewness.status != "fail"),
    }


def mean(values: str, sizes: tuple[int, int], told: bool, seed: int) -> dict[str, float]:
    """One A/A test of a mean; ``told`` gives the skewness of each arm too."""
    rng = np.random.default_rng(seed)
    arms = [VALUES[values](rng, n) for n in sizes]
    if min(each.std() for each in arms) == 0:
        return dict.fromkeys(("rejected", "rejected and not blocked"), 0.0)
    counts = {
        "n": list(sizes),
        "mean": [float(each.mean()) for each in arms],
        "sd": [float(each.std(ddof=1)) for each in arms],
    }
    if told:
        counts["skewness"] = [float(((each - each.mean()) ** 3).mean() / each.std() ** 3) for each in arms]
    return outcomes(plan("mean", sizes), counts)


def share(p: float, sizes: tuple[int, int], seed: int) -> dict[str, float]:
    """One A/A test of a share."""
    hits = np.random.default_rng(seed).binomial(sizes, p)
    return outcomes(plan("proportion", sizes), {"n": list(sizes), "successes": hits.tolist()})


NOMINAL = {"rejected": 0.05, "interval covers": 0.95}
CELLS = [
    *(
        rates.Cell(
            f"mean, {values}, {n:,}/{m:,}{', skewness given' if told else ''}",
            partial(mean, values, (n, m), told),
            NOMINAL,
        )
        for values in VALUES
        for (n, m), told in (((200, 200), False), ((900, 100), False), ((900, 100), True), ((27_000, 3_000), True))
    ),
    *(
        rates.Cell(f"mean, {values}, 115,000/12,800", partial(mean, values, (115_000, 12_800), False), NOMINAL)
        for values in ("90 % zeros, else Poisson(5)", "99 % zeros, else exponential")
    ),
    *(
        rates.Cell(f"share of {p:.0%}, {n:,}/{m:,}", partial(share, p, (n, m)), NOMINAL)
        for p in (0.02, 0.3)
        for n, m in ((50, 50), (1_000, 1_000), (90, 10), (900, 100), (9_000, 1_000))
    ),
]

if __name__ == "__main__":
    rates.main("aggregated", CELLS, about="A/A tests of tables of aggregated counts, by read_aggregated.")
