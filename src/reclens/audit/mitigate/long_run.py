"""The long run of mitigations: what the feedback loop comes to with each of them, beside without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from reclens.audit.mitigate.who_pays import columns_of
from reclens.stats.estimate import Estimate, mean_estimate
from reclens.tabular import Tabular

if TYPE_CHECKING:
    from reclens.lab.feedback import FeedbackLoop

__all__ = ["LongRun", "LoopSettings", "long_runs"]

_LAST: Final = ("gini", "coverage", "arp", "homogenisation")
"""Measures that are looked at in the last round; consumption is looked at over all of them together."""


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """The long run of mitigations in the feedback loop; see :func:`reclens.lab.feedback_loop`.

    Attributes:
        rounds: How many.
        seeds: Runs.
        days: Days of a round.
        seed: The first seed.
    """

    rounds: int = 6
    seeds: int = 5
    days: int = 7
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class LongRun(Tabular):
    """One measure of the loop with a mitigation, beside without.

    Attributes:
        mitigation: Its name; ``"none"`` for the loop without.
        strength: Its strength.
        measure: ``consumption``: interactions of a user over all rounds; the others in the last round.
        without: Mean over the runs without a mitigation.
        value: Mean over the runs with it.
        change: The difference, paired by run, with Student's interval.
    """

    mitigation: str
    strength: float
    measure: str
    without: float
    value: Estimate
    change: Estimate

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row of a table."""
        about = {"mitigation": self.mitigation, "strength": self.strength, "measure": self.measure}
        numbers = {**columns_of("value", self.value), **columns_of("change", self.change), "runs": self.change.n}
        return [{**about, "without": self.without, **numbers}]


def long_runs(
    mitigation: str, strength: float, without: FeedbackLoop, loop: FeedbackLoop, *, level: float = 0.95
) -> tuple[LongRun, ...]:
    """What a loop with a mitigation comes to beside one without, of the same seeds.

    Args:
        mitigation: Its name.
        strength: Its strength.
        without: The loop without it.
        loop: The loop with it.
        level: Confidence level.
    """
    found = []
    for measure in ("consumption", *_LAST):
        old, new = _of(without, measure), _of(loop, measure)
        found.append(
            LongRun(
                mitigation=mitigation,
                strength=strength,
                measure=measure,
                without=float(old.mean()),
                value=mean_estimate(new, level=level),
                change=mean_estimate(new - old, level=level),
            )
        )
    return tuple(found)


def _of(loop: FeedbackLoop, measure: str) -> np.ndarray:
    """One number a run: the sum over the rounds for consumption, else the last round."""
    rows = loop.rounds.filter((pl.col("by") == "overall") & (pl.col("measure") == measure)).sort("seed", "round")
    values = rows.group_by("seed", maintain_order=True).agg(
        pl.col("value").sum() if measure == "consumption" else pl.col("value").last()
    )
    return values["value"].to_numpy()
