"""The numbers of an audit where means are least normal: ties, lattices, zeros, heavy tails, few users, 10/90 groups.

``rejected``: a gap between two groups of one distribution, or a share of exposure that is its merit, is rejected at
5 %. ``covered``: the interval of the difference, or of the ratio, holds the truth. ``alike``: a ratio of exactly 0.9,
the end of the band, is called no material difference, which 5 % at most may be.

    python benchmarks/rates_audit.py --seeds 1000:3000
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from rates import Cell, main

from reclens.audit.rows import AuditRow, audit_row
from reclens.stats.replicated import replicated_means
from reclens.stats.summary import Summary

Draw = Callable[[np.random.Generator, int], np.ndarray]
ALL = ("overall", "all")


def hit(rng: np.random.Generator, n: int) -> np.ndarray:
    """Hit or not, 10 %."""
    return (rng.random(n) < 0.1).astype(np.float64)


def recall(rng: np.random.Generator, n: int) -> np.ndarray:
    """A lattice of fifths, most of it at 0."""
    return rng.binomial(5, rng.beta(0.5, 2.5, n)) / 5


def ndcg(rng: np.random.Generator, n: int) -> np.ndarray:
    """Four fifths are 0, the rest lies anywhere."""
    return np.where(rng.random(n) < 0.8, 0.0, rng.beta(2, 3, n))


def heavy(rng: np.random.Generator, n: int) -> np.ndarray:
    """Lognormal with σ = 1.2, as of popularity."""
    return np.exp(rng.normal(-2, 1.2, n))


def ties(rng: np.random.Generator, n: int) -> np.ndarray:
    """Three values."""
    return rng.choice([0.0, 0.5, 1.0], n, p=[0.5, 0.4, 0.1])


DRAWS: dict[str, Draw] = {"hit": hit, "recall": recall, "NDCG": ndcg, "heavy tail": heavy, "ties": ties}
MEANS = {"hit": 0.1, "recall": 1 / 6, "NDCG": 0.08, "heavy tail": math.exp(-2 + 0.72), "ties": 0.3}


def row_of(name: str, sizes: tuple[int, int], seed: int, *, factor: float = 1.0) -> AuditRow:
    """A group beside the rest; a factor scales what the group gets."""
    rng = np.random.default_rng([seed, 51])
    draw, scale = DRAWS[name], "identity" if name == "heavy tail" else "logit"
    values = np.concatenate([draw(rng, sizes[0]) * factor, draw(rng, sizes[1])])
    groups = {"by": (["group", "rest"], np.repeat([0, 1], sizes))}
    keys = rng.integers(0, 2**63, len(values), dtype=np.uint64)
    summary = Summary.of(keys, {"x": values}, groups=groups, replicates=400, seed=seed)
    mine, rest = (replicated_means(summary, ("by", side), ["x"])[0] for side in ("group", "rest"))
    about = {"section": "users", "measure": "x", "by": "by", "segment": "group", "reference": "rest"}
    return audit_row(mine, rest, n=sizes[0], n_reference=sizes[1], scale=scale, test="difference", **about)


def held(low: float | None, high: float | None, truth: float) -> float:
    return math.nan if low is None or high is None else float(low <= truth <= high)


def gap(name: str, sizes: tuple[int, int], seed: int) -> dict[str, float]:
    """Two groups of one distribution, and a group at the end of the band."""
    row = row_of(name, sizes, seed)
    alike = row_of(name, sizes, seed + 1_000_000, factor=0.9).p_equivalent
    return {
        "rejected": math.nan if math.isnan(row.p_value) else float(row.p_value < 0.05),
        "covered": held(row.difference.low, row.difference.high, 0.0),
        "covered: ratio": held(row.ratio.low, row.ratio.high, 1.0),
        "alike": math.nan if math.isnan(alike) else float(alike < 0.05),
    }


def share(parity: float, n: int, seed: int) -> dict[str, float]:
    """Share of exposure of a group of items beside its merit: few users have any, and merit is a lattice."""
    rng = np.random.default_rng([seed, 52])
    taste = rng.beta(parity, 1 - parity, n)  # most users like nothing of the group, or nothing else
    weights = 1 / np.log2(np.arange(2, 12))
    exposure = (rng.random((n, 10)) < taste[:, None]) @ weights
    merit = rng.binomial(3, taste) / 3
    keys = rng.integers(0, 2**63, n, dtype=np.uint64)
    columns = {"exposure": exposure, "all": np.full(n, weights.sum()), "merit": merit}
    means = replicated_means(Summary.of(keys, columns, replicates=400, seed=seed), ALL, list(columns))
    about = {"section": "exposure", "measure": "exposure_share", "group": "g", "reference": "merit"}
    row = audit_row(means[0] / means[1], means[2], n=n, scale="logit", **about)
    return {
        "rejected": math.nan if math.isnan(row.p_value) else float(row.p_value < 0.05),
        "covered": held(row.value.low, row.value.high, parity),
        "covered: ratio": held(row.ratio.low, row.ratio.high, 1.0),
    }


SIZES = ((30, 270), (100, 900), (100, 100))
NOMINAL = {"rejected": 0.05, "covered": 0.95, "covered: ratio": 0.95, "alike": 0.05}
CELLS = [
    *(
        Cell(f"gap of {name}, {sizes[0]}/{sizes[1]}", partial(gap, name, sizes), NOMINAL)
        for name in DRAWS
        for sizes in SIZES
    ),
    *(
        Cell(f"share {parity:g}, {n} users", partial(share, parity, n), NOMINAL)
        for parity in (0.03, 0.3)
        for n in (50, 300)
    ),
]

if __name__ == "__main__":
    main(
        "audit",
        CELLS,
        about="Rows of an audit on distributions that are far from normal: hits (10 %), recall on a lattice, NDCG with "
        "80 % zeros, a lognormal tail, ties; groups of 10/90 and of equal size; shares of exposure of which few users "
        "have any.",
    )
