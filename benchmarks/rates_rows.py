"""How often the trust checks on rows of a log take chance for a difference between arms, and how often they see one.

python benchmarks/rates_rows.py --seeds 1000:3000
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

import rates

from reclens.experiment.aggregate.tally import Counted, Tally


def tested(share: np.ndarray, faulty: np.ndarray, new: np.ndarray) -> Mapping[str, float]:
    arms = {
        name: Counted(
            int(at.sum()),
            int((faulty[at] > 0).sum()),
            float(faulty[at].sum()),
            1.0,
            float(share[at].sum()),
            float((share[at] ** 2).sum()),
        )
        for name, at in (("old", ~new), ("new", new))
    }
    p = Tally(code="missing_events", column="x", handled="left_out", arms=arms).p_value
    return {"below .05": float(p < 0.05), "blocked": float(p < 0.001)}


def faulty_rows(
    seed: int, *, users: int, part: float, rate: float, sticky: bool, more: float = 0.0
) -> Mapping[str, float]:
    """Rows at fault of logs with a heavy tail; the new arm has 30 % more events, and ``more`` more faults."""
    rng = np.random.default_rng(seed)
    new = rng.random(users) < part
    events = 1 + rng.poisson(rng.lognormal(1, 1, users) * (1 + 0.3 * new))
    chance = rng.beta(0.2, 0.2 / rate - 0.2, users) if sticky else np.full(users, rate)
    faulty = rng.binomial(events, np.minimum(chance + more * new, 1.0))
    return tested(faulty / events, faulty, new)


def extreme_units(seed: int, *, users: int, part: float, kind: str, lift: float = 0.0) -> Mapping[str, float]:
    """Units above the fence Q3 + 3 max(Q3 - Q1, log 2) of logarithms; the new arm may have a lift."""
    rng = np.random.default_rng(seed)
    new = rng.random(users) < part
    made = {
        "lognormal": lambda: rng.lognormal(0, 1.5, users),
        "gamma": lambda: rng.gamma(0.5, 1, users),
        "Pareto, 1.5": lambda: 1 + rng.pareto(1.5, users),
        "Poisson": lambda: rng.poisson(rng.gamma(1, 3, users)).astype(float),
    }
    x = made[kind]() * (1 + lift * new)
    low, high = np.log(np.quantile(x[x > 0], [0.25, 0.75], method="inverted_cdf"))
    beyond = (x > np.exp(high + 3 * max(high - low, np.log(2)))).astype(float)
    return {**tested(beyond, beyond, new), "share extreme": float(beyond.mean())}


NOMINAL = {"below .05": 0.05, "blocked": 0.001}
CELLS = [
    *(
        rates.Cell(
            f"faulty rows {rate:.1%} {'by user' if sticky else 'by row'}, {users:,} users, arm of {part:.0%}",
            partial(faulty_rows, users=users, part=part, rate=rate, sticky=sticky),
            NOMINAL,
        )
        for users in (500, 20_000)
        for part in (0.5, 0.1)
        for rate in (0.005, 0.15)
        for sticky in (True, False)
    ),
    rates.Cell(
        "3 % more faulty rows, 2,000 users, arm of 50%",
        partial(faulty_rows, users=2000, part=0.5, rate=0.001, sticky=False, more=0.03),
    ),
    *(
        rates.Cell(
            f"extreme units, {kind}, 20,000 users, arm of {part:.0%}",
            partial(extreme_units, users=20_000, part=part, kind=kind),
            NOMINAL,
        )
        for kind in ("lognormal", "gamma", "Pareto, 1.5", "Poisson")
        for part in (0.5, 0.1)
    ),
    rates.Cell(
        "extreme units, Pareto, 1.5, lift of 5 %, 20,000 users, arm of 50%",
        partial(extreme_units, users=20_000, part=0.5, kind="Pareto, 1.5", lift=0.05),
    ),
]

if __name__ == "__main__":
    rates.main("rows", CELLS, about="Trust checks on the rows of a log: faulty rows and extreme units, by arm.")
