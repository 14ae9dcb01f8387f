"""The diagnostics of the explorer on planted spaces: power by fault and size, and false alarms on clean ones.

Each run draws 5,000 items of 64 dimensions in 20 clusters and 1,000 users, plants one fault in 0.5, 1 or 2 % of the
items (of a hole: of the users), and explores the space. ``found``: the finding of that fault is raised, as a warning
or graver. ``hit``: share of what was planted that is among what was found. ``blind spot``: the cluster that the index
hides is a blind spot of the lists too. ``false alarm``: any warning is raised on a clean space or on its next version;
``alarm: CODE``: this one.

    python benchmarks/explore_power.py --seeds 1010:1100 --cells '%'
    python benchmarks/explore_power.py --seeds 1100:1400 --cells 'clean'

The whole grid is 100 seeds a fault and size, and 400 clean spaces. With 17 alarms of 400 the upper 95 % bound of their
rate is 6.7 %. Keep to these pieces: seeds that stand in two blocks of different ends count twice.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from rates import Cell, main

from reclens import explore
from reclens.explore.planted import Fault, PlantedSpace, planted_space
from reclens.explore.result import Exploration

CODES = {
    "duplicates": "near_duplicates",
    "orphans": "dead_stock",
    "hubs": "hubs",
    "hole": "hole",
    "unreachable": "index_unreachable",
    "drift": "moved",
}
ALARMS = (*CODES.values(), "blind_spot", "low_recall", "uneven_recall", "outside_queries")


def explored(world: PlantedSpace) -> Exploration:
    """The exploration of the version that is served, held against the earlier one."""
    common: dict[str, Any] = {"remedies": False, "threads": 1}
    return explore.run(world.items, world.lists, world.truth, users=world.users, store=world.store, **common)


def drifted(world: PlantedSpace) -> Exploration:
    """The exploration of the next version, held against this one."""
    return explore.run(world.later, before=world.items, remedies=False, threads=1)


def warned(found: Exploration) -> set[str]:
    """Codes of the findings that are more than notes."""
    return {each.code for each in found.findings if each.severity != "note"}


def rows_found(fault: Fault, found: Exploration) -> np.ndarray:
    """The rows that a diagnosis points at."""
    if fault == "duplicates":
        named = [name for group in found.duplicates.groups for name in group.ids]
        return np.array([int(str(name)[1:]) for name in named])
    if fault == "hubs":
        return found.hubness.strong
    if fault == "unreachable":
        return found.probe.unreachable if found.probe is not None else np.zeros(0, int)
    if fault == "drift":
        return found.drift.far if found.drift is not None else np.zeros(0, int)
    assert found.demand is not None
    return found.demand.dead_stock if fault == "orphans" else found.demand.far_queries


def planted(fault: Fault, strength: float, seed: int) -> dict[str, float]:
    """One space with a fault."""
    world = planted_space(fault, strength=strength, seed=seed)
    found = drifted(world) if fault == "drift" else explored(world)
    codes = warned(found)
    outcomes = {
        "found": float(CODES[fault] in codes),
        "hit": float(np.isin(world.planted, rows_found(fault, found)).mean()),
    }
    if fault == "unreachable":
        outcomes["blind spot"] = float("blind_spot" in codes)
    return outcomes


def clean(seed: int) -> dict[str, float]:
    """One space without a fault, and its next version."""
    world = planted_space("none", seed=seed)
    codes = warned(explored(world)) | warned(drifted(world))
    return {"false alarm": float(bool(codes))} | {f"alarm: {code}": float(code in codes) for code in ALARMS}


CELLS = [
    Cell("clean", clean),
    *(
        Cell(f"{fault}, {strength:.1%}", partial(planted, fault, strength))
        for fault in CODES
        for strength in (0.005, 0.01, 0.02)
    ),
]

ABOUT = """Explorations of planted spaces of 5,000 items in 64 dimensions and 1,000 users: power by fault and size, and
false alarms on clean spaces. "Found": the finding of the fault is a warning or graver. "Hit": share of what was planted
that is among what was found. "Blind spot": the cluster that the index hides is a blind spot of the lists too. "False
alarm": any warning on a clean space or on its next version. 0 alarms of 400 bound their rate by 0.9 % (upper end of the
exact 95 % interval)."""

if __name__ == "__main__":
    main("explore_power", CELLS, about=ABOUT)
