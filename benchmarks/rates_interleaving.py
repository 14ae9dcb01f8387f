"""How often interleaving decides where no ranker is better, and how often it finds an effect at the size it asks for.

Fairness: clicks that depend on the place alone, identical rankers, items of equal relevance in another order, and
rankings of other length. ``balanced`` is known to fail some of them (Radlinski, Kurup, Joachims 2008, section 3.2), and
its verdict says so. Power: at the units that ``units_needed`` gives for the effect and noise of the click model.

    python benchmarks/rates_interleaving.py --seeds 1000:3000
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

import numpy as np
from rates import Cell, main

from reclens.experiment.interleaving import METHODS, credit, interleave, preference
from reclens.lab.interleaving import units_needed
from reclens.stats.sequential import group_sequential

K = 5
SAME = list(range(8))
ROTATED = [*range(1, 8), 0]
FAIR: Mapping[str, tuple[list[int], list[int], list[float]]] = {
    # first ranking, second ranking, relevance by item
    "identical rankers": (SAME, SAME, [0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1]),
    "clicks at random": (SAME, ROTATED, [0.4] * 8),
    "rare clicks at random": (SAME, ROTATED, [0.03] * 8),
    "equal relevance, swapped": (SAME, [1, 0, 3, 2, 5, 4, 6, 7], [0.5, 0.5, 0.3, 0.3, 0.1, 0.1, 0.05, 0.05]),
    "equal relevance, turned": (SAME, [1, 2, 0, 5, 4, 3, 6, 7], [0.5] * 3 + [0.2] * 3 + [0.05] * 2),
    "other length": ([0, 1, 2], [3, 0, 4, 1, 5, 6, 2, 7], [0.4] * 8),
}
BETTER = (SAME, [3, 0, 4, 1, 5, 2, 6, 7], [0.30, 0.25, 0.22, 0.18, 0.18, 0.16, 0.1, 0.1])
LOOKS = group_sequential(4)


def shown(method: str, case: tuple[list[int], list[int], list[float]], n: int, seed: int) -> tuple[Any, np.ndarray]:
    """Mixed lists of n units, and their clicks: a place p is looked at with probability p^-0.5, and clicked by its
    relevance."""
    first, second, relevance = case
    rng = np.random.default_rng([seed, 3])
    rankings = (np.tile(np.array(each), (n, 1)) for each in (first, second))
    made = interleave(*rankings, k=K, method=method, rng=seed)  # type: ignore[arg-type]
    chance = np.array([*relevance, 0.0])[made.lists] * np.arange(1.0, K + 1) ** -0.5
    return made, rng.random(made.lists.shape) < chance


def fair(method: str, name: str, n: int, seed: int) -> dict[str, float]:
    """Whether a verdict was given where neither ranker is better."""
    said = preference(*shown(method, FAIR[name], n, seed))
    value = said.score
    covers = float("nan") if value.low is None or value.high is None else float(value.low <= 0 <= value.high)
    return {"decided": said.verdict != "undecided", "interval holds 0": covers}


@lru_cache
def needed(method: str, *, planned: bool) -> int:
    """Units for 80 % power, from the moments of a large sample."""
    scores = credit(*shown(method, BETTER, 200_000, 7))
    share = float((np.abs(scores) > 1e-12).mean())
    looks = LOOKS if planned else None
    return round(units_needed(float(scores.mean()), float(scores.std()), credited=share, looks=looks))


def power(method: str, seed: int) -> dict[str, float]:
    """Whether the better ranker is found at the size given; with one look, and with four planned ones."""
    made, clicked = shown(method, BETTER, needed(method, planned=False), seed)
    found = {"found": float(preference(made, clicked).verdict == "first")}
    n = needed(method, planned=True)
    made, clicked = shown(method, BETTER, n, seed)
    for look, time in enumerate(LOOKS.times, 1):
        some = slice(round(time * n))
        part = type(made)(method, made.lists[some], made.credit[some], made.ranks[:, some], made.team[some])
        said = preference(part, clicked[some], looks=LOOKS, look=look)
        if said.verdict != "undecided":
            return found | {"found with 4 looks": float(said.verdict == "first")}
    return found | {"found with 4 looks": 0.0}


def looked(method: str, seed: int) -> dict[str, float]:
    """Whether any of four planned looks decides where clicks are at random."""
    n = 1_200
    made, clicked = shown(method, FAIR["clicks at random"], n, seed)
    for look, time in enumerate(LOOKS.times, 1):
        some = slice(round(time * n))
        part = type(made)(method, made.lists[some], made.credit[some], made.ranks[:, some], made.team[some])
        if preference(part, clicked[some], looks=LOOKS, look=look).verdict != "undecided":
            return {"decided": 1.0}
    return {"decided": 0.0}


def cells() -> list[Cell]:
    """Every method in every fair world, its power, and its looks."""
    grid: list[Cell] = []
    for method in METHODS:
        biased = method == "balanced"
        for name in FAIR:
            for n in (100, 1_000):
                nominal = {} if biased else {"decided": 0.05, "interval holds 0": 0.95}
                grid.append(Cell(f"{method}, {name}, {n:,} units", partial(fair, method, name, n), nominal))
        grid.append(Cell(f"{method}, power", partial(power, method), {"found": 0.8, "found with 4 looks": 0.8}))
        if not biased:
            grid.append(Cell(f"{method}, four looks", partial(looked, method), {"decided": 0.05}))
    return grid


if __name__ == "__main__":
    main("interleaving", cells(), about="Verdicts of interleaving where no ranker is better, and power where one is.")
