"""The mitigation lab: the cost of a smaller gap, who bears it, and the choice of a mitigation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.audit.mitigate.frontier import achievable_frontier, distance_to_frontier
    from reclens.audit.mitigate.gaps import ItemGap, UserGap
    from reclens.audit.mitigate.lab import Candidates, Mitigation, MitigationSettings, candidates_of, mitigation
    from reclens.audit.mitigate.long_run import LongRun, LoopSettings
    from reclens.audit.mitigate.standard import RERANKERS, WEIGHTINGS
    from reclens.audit.mitigate.trials import Choice, Sweep, Trial, choose, confirm, reranked, sweep
    from reclens.audit.mitigate.weights import group_weights, inverse_propensity, popularity_weights
    from reclens.audit.mitigate.who_pays import Payer

__all__ = [
    "RERANKERS",
    "WEIGHTINGS",
    "Candidates",
    "Choice",
    "ItemGap",
    "LongRun",
    "LoopSettings",
    "Mitigation",
    "MitigationSettings",
    "Payer",
    "Sweep",
    "Trial",
    "UserGap",
    "achievable_frontier",
    "candidates_of",
    "choose",
    "confirm",
    "distance_to_frontier",
    "group_weights",
    "inverse_propensity",
    "mitigation",
    "popularity_weights",
    "reranked",
    "sweep",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "RERANKERS": "standard",
        "WEIGHTINGS": "standard",
        "Candidates": "lab",
        "Choice": "trials",
        "LongRun": "long_run",
        "LoopSettings": "long_run",
        "Mitigation": "lab",
        "MitigationSettings": "lab",
        "candidates_of": "lab",
        "mitigation": "lab",
        "ItemGap": "gaps",
        "Payer": "who_pays",
        "Sweep": "trials",
        "Trial": "trials",
        "UserGap": "gaps",
        "achievable_frontier": "frontier",
        "choose": "trials",
        "confirm": "trials",
        "distance_to_frontier": "frontier",
        "group_weights": "weights",
        "inverse_propensity": "weights",
        "popularity_weights": "weights",
        "reranked": "trials",
        "sweep": "trials",
    },
)
