"""Power at the size that is promised: guardrails and effects by kind of metric, margin, direction and allocation."""

from __future__ import annotations

from functools import cache, partial
from itertools import product

import numpy as np
import rates

from reclens.stats.arms import compare_arms
from reclens.stats.difference import Difference
from reclens.stats.moments import Moments
from reclens.stats.power import Question
from reclens.stats.proportions import proportion_difference

KINDS = ("normal", "gamma, cv 1", "lognormal, cv 1", "gamma, cv 2", "share 10 %", "share 50 %", "ratio")


def values(kind: str, rng: np.random.Generator, n: int, growth: float = 1.0) -> dict[str, np.ndarray]:
    """Units of an arm; of a ratio, clicks and views."""
    if kind == "normal":
        return {"y": growth * rng.normal(1, 1, n)}
    if kind == "gamma, cv 1":
        return {"y": growth * rng.gamma(1, 1, n)}
    if kind == "gamma, cv 2":
        return {"y": growth * rng.gamma(0.25, 4, n)}
    if kind == "lognormal, cv 1":
        return {"y": growth * rng.lognormal(-np.log(2) / 2, np.log(2) ** 0.5, n)}
    views = rng.poisson(5, n) + 1.0
    return {"y": growth * views * rng.gamma(0.5, 2, n), "v": views}


@cache
def known(kind: str) -> tuple[float, float]:
    """Standard deviation and skewness of a unit."""
    drawn = values(kind, np.random.default_rng(0), 2_000_000)
    left = drawn["y"] - 1 if "v" not in drawn else (drawn["y"] - drawn["v"]) / drawn["v"].mean()
    return float(left.std()), float((left**3).mean() / left.std() ** 3)


@cache
def question(kind: str, margin: float | None, sign: int, share: float) -> Question:
    """What the planner asks."""
    more = {"margin": margin, "sign": sign, "shares": (1 - share, share)}
    if kind.startswith("share"):
        return Question(kind="proportion", mean=0.1 if "10" in kind else 0.5, **more)
    sd, skewness = known(kind)
    return Question(
        kind="ratio" if kind == "ratio" else "mean", mean=1.0, sd=sd, skewness=skewness, scales=True, **more
    )


def drawn(kind: str, rng: np.random.Generator, sizes: tuple[int, int], growth: float) -> Difference:
    """One experiment, compared as the readout does."""
    if kind.startswith("share"):
        p = 0.1 if "10" in kind else 0.5
        hits = [int(rng.binomial(n, p * g)) for n, g in zip(sizes, (1.0, growth), strict=True)]
        return proportion_difference((hits[0], sizes[0]), (hits[1], sizes[1]))
    sides = [Moments.of(values(kind, rng, n, g)) for n, g in zip(sizes, (1.0, growth), strict=True)]
    return compare_arms(*sides, ("y", "v") if kind == "ratio" else "y", relative="fieller")


def guardrail(kind: str, margin: float, sign: int, share: float, seed: int) -> dict[str, float]:
    """Whether a guardrail holds where nothing has changed."""
    answer = question(kind, margin, sign, share).size(power=0.8)
    found = drawn(kind, np.random.default_rng(seed), (answer.n_control, answer.n_treatment), 1.0)
    return {"holds": sign * found.z_at(-sign * margin, relative=True) > 1.959964}


def effect(kind: str, lift: float, share: float, seed: int) -> dict[str, float]:
    """Whether an effect that multiplies every value is found."""
    answer = question(kind, None, 1, share).size(effect=lift, power=0.8)
    found = drawn(kind, np.random.default_rng(seed), (answer.n_control, answer.n_treatment), 1 + lift)
    return {"found": abs(found.z) > 1.959964}


CELLS = [
    rates.Cell(
        f"guardrail, {kind}, margin {margin:.0%}, {better} is better, share {share:.0%}",
        partial(guardrail, kind, margin, sign, share),
        {"holds": 0.8},
    )
    for kind, margin, (better, sign), share in product(KINDS, (0.05, 0.2), (("higher", 1), ("lower", -1)), (0.1, 0.5))
] + [
    rates.Cell(f"effect, {kind}, {lift:+.0%}, share {share:.0%}", partial(effect, kind, lift, share), {"found": 0.8})
    for kind, lift, share in product(KINDS, (0.1, 0.3, -0.2), (0.1, 0.5))
]

if __name__ == "__main__":
    rates.main("power", CELLS, about="Power of the readout's tests at the size that the planner gives for 80 %.")
