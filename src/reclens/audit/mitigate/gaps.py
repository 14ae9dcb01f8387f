"""The gap that a mitigation is to close: the exposure of a group of items, or the accuracy for a group of users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reclens.audit.measure import AuditMeasures
from reclens.errors import UnknownNameError
from reclens.evaluation.results import OVERALL
from reclens.stats.replicated import Replicated

__all__ = ["Baseline", "Gap", "ItemGap", "UserGap"]

Baseline = Literal["catalogue", "merit", "profile"]
"""The share of the exposure that a group should have: that of the items, of the relevant ones, of the histories."""


@dataclass(frozen=True)
class ItemGap:
    """The share of exposure that a group of items should have, less the one that it has.

    Attributes:
        attribute: An attribute of the items; ``"popularity"`` is head, middle and tail.
        group: The group.
        baseline: What its share is compared with.
    """

    attribute: str
    group: str
    baseline: Baseline = "catalogue"

    def of(self, measures: AuditMeasures) -> Replicated:
        """The gap, a single number; above 0, the group is shown too little."""
        return self.share(measures) * -1.0 + self._target(measures)

    def share(self, measures: AuditMeasures) -> Replicated:
        """The share of the exposure that the group has."""
        exposure = measures.by_group("exposure", self.attribute)
        return exposure[self._at(measures)] / exposure.sum()

    def sides(self, measures: AuditMeasures) -> tuple[Replicated, Replicated]:
        """What users found of the group, and of all others: relevant items, weighted by place; the mean a user."""
        found = measures.by_group("attention", self.attribute)
        own = found[self._at(measures)]
        return own, found.sum() - own

    def n(self, measures: AuditMeasures) -> int:
        """Users that the gap rests on."""
        return measures.n()

    def _at(self, measures: AuditMeasures) -> int:
        labels = measures.groups[self.attribute].labels
        if self.group not in labels:
            raise UnknownNameError(f"group of '{self.attribute}'", self.group, labels)
        return labels.index(self.group)

    def _target(self, measures: AuditMeasures) -> Replicated | float:
        if self.baseline == "catalogue":
            sizes = measures.groups[self.attribute].sizes
            return float(sizes[self._at(measures)] / sizes.sum())
        shares = measures.by_group(self.baseline, self.attribute)
        return shares[self._at(measures)] / shares.sum()


@dataclass(frozen=True)
class UserGap:
    """The accuracy for one group of users less that for another.

    Attributes:
        metric: A metric of users, such as ``"ndcg@10"``.
        by: What the users are grouped by.
        better: The group that is served better.
        worse: The group that is served worse.
    """

    metric: str
    by: str
    better: str
    worse: str

    def of(self, measures: AuditMeasures) -> Replicated:
        """The gap, a single number; above 0, the group ``worse`` is served worse."""
        worse, better = self.sides(measures)
        return better - worse

    def sides(self, measures: AuditMeasures) -> tuple[Replicated, Replicated]:
        """The metric of the group that is served worse, and of the other."""
        known = [cell[1] for cell in measures.cells if cell[0] == self.by and cell != OVERALL]
        for label in (self.worse, self.better):
            if label not in known:
                raise UnknownNameError(f"group of '{self.by}'", label, known)
        return measures.mean(self.metric, (self.by, self.worse)), measures.mean(self.metric, (self.by, self.better))

    def n(self, measures: AuditMeasures) -> int:
        """Users of the smaller of the two groups."""
        return min(measures.n((self.by, label), self.metric) for label in (self.worse, self.better))


Gap = ItemGap | UserGap
