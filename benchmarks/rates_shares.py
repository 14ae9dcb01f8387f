"""How often tests of two shares find a difference that is not there, each tail by itself, and what readouts then say.

python benchmarks/rates_shares.py --seeds 1000:3000
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import numpy as np
from rates import Cell, main

from reclens.experiment import Plan
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.analysis.readout import read_sums
from reclens.stats.score import ScorePivot, pivot_of

Z = 1.959964


def tails(seed: int, *, n: int, m: int, rate: float, bound: float, relative: bool) -> Mapping[str, float]:
    """One experiment whose true difference is the bound: is it found to be above, or below?"""
    rng = np.random.default_rng(seed)
    truth = rate * (1 + bound) if relative else rate + bound
    x, y = int(rng.binomial(n, rate)), int(rng.binomial(m, truth))
    z = pivot_of((x, n), (y, m)).z_at(bound, relative=relative)
    plain = ScorePivot((x, n), (y, m), skewness=False).z_at(bound, relative=relative)
    found = {
        "above": z >= Z,
        "below": z <= -Z,
        "either": abs(z) >= Z,
        "Miettinen-Nurminen, above": plain >= Z,
        "Miettinen-Nurminen, below": plain <= -Z,
    }
    if not relative:
        se = math.sqrt(x * (n - x) / n**3 + y * (m - y) / m**3)
        found["unpooled z, either"] = se > 0 and abs(y / m - x / n - bound) >= Z * se
    return {name: float(value) for name, value in found.items()}


def readout(seed: int, *, n: int, m: int, rate: float) -> Mapping[str, float]:
    """One A/A test from its sums to the decision."""
    rng = np.random.default_rng(seed)
    plan = Plan(
        name="A/A",
        arms={"old": n / (n + m), "new": m / (n + m)},
        metrics=({"name": "bought", "kind": "proportion", "value": "y"},),
    )
    rows = []
    for arm, size in (("old", n), ("new", m)):
        hits = float(rng.binomial(size, rate))
        rows.append({"arm": arm, "n": size, "sum:y": hits, "product:y:y": hits})
    word = read_sums(plan, Aggregates.of_rows(rows, arms=["old", "new"])).decisions[0].code
    return {"ship": float(word == "ship"), "do_not_ship": float(word == "do_not_ship")}


def _cells() -> list[Cell]:
    cells = []
    sizes = [(90, 10), (180, 20), (900, 100), (1800, 200), (200, 1800), (50, 50)]
    for n, m in sizes:
        for rate in (0.005, 0.01, 0.02, 0.05, 0.1):
            for bound, relative in ((0.0, False), (-0.2, True), (-rate / 2, False)):
                what = "no difference" if not bound else f"{bound:+.0%} lift" if relative else f"{bound:+.4g}"
                cells.append(
                    Cell(
                        f"{n:,}/{m:,}, {rate:.1%}, {what}",
                        partial(tails, n=n, m=m, rate=rate, bound=bound, relative=relative),
                        {"above": 0.025, "below": 0.025, "either": 0.05},
                    )
                )
    for n, m, rate in ((1800, 200, 0.01), (900, 100, 0.02), (90, 10, 0.02), (50, 50, 0.05)):
        cells.append(
            Cell(
                f"readout of {n:,}/{m:,}, {rate:.0%}",
                partial(readout, n=n, m=m, rate=rate),
                {"ship": 0.025, "do_not_ship": 0.025},
            )
        )
    return cells


if __name__ == "__main__":
    main(
        "shares",
        _cells(),
        about="Tests of two shares where the true difference is the bound that is tested: control "
        "and treatment units, rate of control.",
    )
