"""How often a gate passes a value, or a difference from the baseline, that breaks its bound by a hair.

Values with ties, zeros and tails, and few users: the true mean is the bound itself, so that ``at_least`` and
``at_most`` are broken by any distance beyond it, and each should pass in at most 2.5 % of samples at the level of 95 %.
Fewer than 30 users are never judged, so that 30 are the fewest here. ``by the interval alone`` is what passed before a
gate took exact intervals of shares and left out intervals that are known to be too narrow.

    python benchmarks/rates_gate.py --seeds 1000:3000
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import numpy as np
import polars as pl
from rates import Cell, main
from rates_bca import Draw, exponential, lognormal, rare_hit, sparse_ndcg, very_lognormal
from rates_paired import precision, reciprocal_rank

from reclens.evaluation import Bound, Evaluation, GateRule, compare, gate
from reclens.schema import USER, stable_hash
from reclens.stats.summary import Summary

SHARE, COUNT = "ndcg@10", "popularity@10"
"""A metric between 0 and 1, and one without an upper bound: their names tell the gate which interval to take."""


def evaluation(system: str, metric: str, values: np.ndarray, seed: int) -> Evaluation:
    """What ``evaluate`` gives back for these values of users."""
    users = pl.Series(USER, np.arange(len(values)) + 1_000_000 * seed)
    summary = Summary.of(stable_hash(users), {metric: values}, replicates=1000, seed=seed, threads=1)
    per_user = pl.DataFrame({USER: users, metric: values})
    return Evaluation(
        system=system,
        metrics=(metric,),
        summary=summary,
        catalogue={},
        per_user=per_user,
        segments=pl.DataFrame({USER: users}),
        exposure=pl.DataFrame(),
        level=0.95,
        card={},
    )


def wrong_passes(results: Mapping[str, Evaluation], metric: str, truth: float, *, difference: bool) -> dict[str, float]:
    """Whether a mean at the bound passes each side, by the gate and by the interval alone."""
    comparison = compare(results, baseline="old", flips=99, threads=1) if difference else None
    found = {}
    for side in ("at_least", "at_most"):
        rule = GateRule(
            metric=metric, system="new", of="difference" if difference else "value", bound=Bound(**{side: truth})
        )
        row = gate(results, [rule], comparison=comparison).rows[0]
        found[f"{side} passes"] = float(row.outcome == "pass")
        plain = results["new"][metric].overall if comparison is None else comparison.find("new", metric)
        if plain.low is not None and plain.high is not None:
            ends = (plain.low >= truth, plain.high <= truth)
            found[f"{side} passes by the interval alone"] = float(ends[side == "at_most"])
    return found


def of_value(draw: Draw, truth: float, metric: str, n: int, seed: int) -> dict[str, float]:
    """One sample of users."""
    values = draw(np.random.default_rng(seed), n)
    return wrong_passes({"new": evaluation("new", metric, values, seed)}, metric, truth, difference=False)


def of_difference(draw: Draw, metric: str, n: int, seed: int) -> dict[str, float]:
    """One sample of users under two systems that are equally good, and give half of the users the same lists."""
    rng = np.random.default_rng(seed)
    old, new = draw(rng, n), draw(rng, n)
    new = np.where(rng.random(n) < 0.5, old, new)
    results = {name: evaluation(name, metric, values, seed) for name, values in (("new", new), ("old", old))}
    return wrong_passes(results, metric, 0.0, difference=True)


PROMISED = {"at_least passes": 0.025, "at_most passes": 0.025}
SIZES = (30, 50, 200)
DRAWS: tuple[tuple[str, Draw, float, str], ...] = (
    ("precision@5", precision, 0.2, SHARE),
    ("MRR@10", reciprocal_rank, sum(1 / k for k in range(1, 11)) / 30, SHARE),
    ("NDCG, 80 % zeros", sparse_ndcg, 0.2 * 0.25, SHARE),
    ("hit rate .05", rare_hit, 0.05, SHARE),
    ("exponential", exponential, 1.0, COUNT),
    ("lognormal(0, 1)", lognormal, math.exp(0.5), COUNT),
    ("lognormal(0, 1.5)", very_lognormal, math.exp(1.125), COUNT),
)
CELLS = [
    Cell(f"{name}, n = {n:,}", partial(of_value, draw, truth, metric, n), PROMISED)
    for name, draw, truth, metric in DRAWS
    for n in SIZES
] + [
    Cell(f"difference of {name}, half tie, n = {n:,}", partial(of_difference, draw, metric, n), PROMISED)
    for name, draw, _, metric in DRAWS
    for n in SIZES
]

if __name__ == "__main__":
    main(
        "gate",
        CELLS,
        about="How often a gate passes a mean, or a paired difference, that lies at its bound.",
    )
