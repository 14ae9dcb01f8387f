"""The mitigations that are tried by default, each at a few strengths, for a gap and the lists at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.audit.item_groups import ItemGroups
from reclens.audit.measure import POPULARITY, measure_audit
from reclens.audit.mitigate.gaps import Gap, ItemGap
from reclens.audit.mitigate.weights import TrainingWeights, group_weights, inverse_propensity, popularity_weights
from reclens.audit.settings import AuditSettings
from reclens.data.dataset import Dataset
from reclens.errors import UnknownNameError, UsageError
from reclens.models._knowledge.requirements import Requirement
from reclens.schema import ITEM

__all__ = [
    "GROUP",
    "RERANKERS",
    "WEIGHTINGS",
    "Goal",
    "LeftOut",
    "LeftOutReason",
    "check_strengths",
    "goal_of",
    "spec_of",
    "weigh",
]

RERANKERS: Final[Mapping[str, tuple[float, ...]]] = {
    "calibrated": (0.2, 0.4, 0.6),
    "xquad": (0.25, 0.5, 0.75),
    "mmr": (0.2, 0.5),
    "fair_top_k": (0.5, 0.75, 1.0),
    "dual_prices": (0.25, 0.5, 0.75, 1.0),
    "popularity_discount": (0.05, 0.1, 0.2, 0.3),
    "amortised": (0.1, 0.3, 0.6),
    "det_greedy": (0.5, 1.0),
    "det_cons": (0.5, 1.0),
    "det_relaxed": (0.5, 1.0),
}
"""Re-ranker -> the strengths that are swept by default. The strength is the ``weight``, of ``popularity_discount`` the
``beta``; of ``fair_top_k`` and constrained sorting how far the asked-for share goes from what the group has now (0) to
its target (1)."""

WEIGHTINGS: Final[Mapping[str, tuple[float, ...]]] = {
    "inverse_propensity": (0.25, 0.5, 1.0),
    "popularity_weights": (0.25, 0.5, 1.0),
    "group_weights": (0.5, 1.0),
}
"""Weighting of the training data -> the strengths that are swept by default; see the functions of the same names."""

GROUP: Final = "audited_group"
"""The column of the items table that tells re-rankers the groups of the audit, tiers of popularity among them."""

_SORTS: Final = {"det_greedy": "greedy", "det_cons": "conservative", "det_relaxed": "relaxed"}
_OF_ITEMS: Final = ("fair_top_k", "dual_prices", *_SORTS)
"""Re-rankers that need a group of items to look after."""

LeftOutReason = Literal["no_item_group", "several_labels", "no_user_group", "takes_no_weights", "no_model"]
"""Why a mitigation was not tried. ``no_item_group``: it looks after a group of items, and the gap is one of users;
``several_labels``: items have several values of the attribute, and it can deal with one; ``no_user_group``: there are
no groups of users to weigh against each other; ``takes_no_weights``: the model learns without weights; ``no_model``:
lists alone cannot be trained anew."""


@dataclass(frozen=True)
class LeftOut:
    """A mitigation that was not tried.

    Attributes:
        mitigation: Its name.
        reason: Why.
    """

    mitigation: str
    reason: LeftOutReason


@dataclass(frozen=True, kw_only=True, eq=False)
class Goal:
    """What re-rankers are told of the gap.

    Attributes:
        train: The training data, whose items have the groups of the audit in the column :data:`GROUP`.
        single: Whether every item is of one group at most.
        group: The group of items that the gap is about; None for gaps of users.
        now: Group -> its share of the exposure without a mitigation.
        target: The share that the group should have; None for gaps of users.
        by: The groups of users that training weights balance; None if there are none.
        tail: Share of the interactions that the tail of popularity has.
        attention: The weight of each rank, as in the audit.
    """

    train: Dataset
    single: bool
    group: str | None
    now: Mapping[str, float]
    target: float | None
    by: str | None
    tail: float
    attention: tuple[float, ...]

    def shares(self, strength: float) -> dict[str, float]:
        """The share of every group, where that of the goal's goes ``strength`` of the way to its target.

        The others keep their proportions to each other.
        """
        assert self.group is not None and self.target is not None
        own = self.now[self.group]
        wanted = own + strength * (self.target - own)
        rest = 1 - own
        return {
            label: wanted if label == self.group else share * (1 - wanted) / rest if rest > 0 else 0.0
            for label, share in self.now.items()
        }


def goal_of(train: Dataset, lists: Any, truth: Any, gap: Gap, settings: AuditSettings) -> Goal:
    """What re-rankers have to know of a gap, measured on the lists without a mitigation.

    Args:
        train: The training data.
        lists: The lists without a mitigation.
        truth: The truth that the choice is made by.
        gap: What is to be closed.
        settings: What is looked at.

    Raises:
        UnknownNameError: If there is no such attribute or group.
    """
    columns = [] if train.items is None else [name for name in settings.attributes if name in train.items.columns]
    attribute = gap.attribute if isinstance(gap, ItemGap) else next(iter(columns), POPULARITY)
    asked = replace(settings, metrics=(), by=(), attributes=(attribute,), protected=(), hypotheses=None)
    found = measure_audit(lists, truth, settings=asked, train=train)
    groups = found.groups[attribute]
    single = bool((groups.indptr[1:] - groups.indptr[:-1] <= 1).all())
    table = pl.DataFrame({ITEM: found.context.items.ids, GROUP: _labels_of(groups, single=single)})
    items = table if train.items is None else train.items.join(table, on=ITEM, how="left")
    exposure = found.by_group("exposure", attribute).value
    return Goal(
        train=replace(train, items=items),
        single=single,
        group=gap.group if isinstance(gap, ItemGap) else None,
        now=dict(zip(groups.labels, (exposure / max(exposure.sum(), 1e-12)).tolist(), strict=True)),
        target=float((gap.of(found) + gap.share(found)).value) if isinstance(gap, ItemGap) else None,
        by=_first_group(settings) if isinstance(gap, ItemGap) else gap.by,
        tail=settings.tiers[1],
        attention=tuple(found.weights.tolist()),
    )


def _first_group(settings: AuditSettings) -> str | None:
    named = [settings.by] if isinstance(settings.by, str) else list(settings.by)
    return next(
        (each for each in named if isinstance(each, str) and "*" not in each and "×" not in each and each), None
    )


def _labels_of(groups: ItemGroups, *, single: bool) -> pl.Series:
    """The label of each item code, or a list of them; null for items outside the catalogue."""
    codes = np.repeat(np.arange(len(groups.indptr) - 1), np.diff(groups.indptr))
    named = pl.DataFrame({"code": codes, "label": pl.Series(groups.labels, dtype=pl.String).gather(groups.groups)})
    listed = named.group_by("code", maintain_order=True).agg("label")
    rows = pl.DataFrame({"code": np.arange(len(groups.indptr) - 1)}).join(listed, on="code", how="left")["label"]
    return rows.list.first() if single else rows


def spec_of(name: str, strength: float, goal: Goal) -> dict[str, Any] | LeftOut:
    """The re-ranker of a name at a strength, as in a pipeline; or why it cannot be tried for this gap.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    if name not in RERANKERS:
        raise UnknownNameError("re-ranker of mitigations", name, RERANKERS)
    if name in _OF_ITEMS and goal.group is None:
        return LeftOut(name, "no_item_group")
    if name in ("calibrated", "mmr"):
        return {"kind": name, "weight": strength, "attribute": GROUP}
    if name == "xquad":
        return {"kind": name, "weight": strength, "head_share": 1 - goal.tail}
    if name == "popularity_discount":
        return {"kind": name, "beta": strength}
    if name == "amortised":
        single = goal.group is not None and goal.single
        about = {"attribute": GROUP if single else None, "attention": goal.attention}
        return {"kind": name, "weight": strength, **about}
    return _of_groups(name, strength, goal)


def _of_groups(name: str, strength: float, goal: Goal) -> dict[str, Any] | LeftOut:
    """Re-rankers with a target share of a group."""
    assert goal.group is not None and goal.target is not None
    if name == "dual_prices":
        now, shares = goal.now[goal.group], goal.shares(strength)
        more = goal.target >= now
        # A floor for who is to have more; the others pay in proportion to what that costs in relevance.
        floors = {label: share for label, share in shares.items() if (label == goal.group) == more}
        about = {"attribute": GROUP, "attention": goal.attention}
        return {"kind": name, "target": _bounded(floors), "weight": 1.0, **about}
    if not goal.single:
        return LeftOut(name, "several_labels")
    if name == "fair_top_k":
        wanted = goal.shares(strength)[goal.group]
        where = str(Requirement(column=GROUP, operator="=", values=(goal.group,)))
        return {"kind": name, "where": where, "share": min(max(wanted, 0.01), 0.99)}
    return {
        "kind": "constrained_sort",
        "attribute": GROUP,
        "method": _SORTS[name],
        "target": _bounded(goal.shares(strength)),
    }


def _bounded(shares: Mapping[str, float]) -> dict[str, float]:
    """Shares that add up to 1 at most, in spite of rounding."""
    total = max(sum(shares.values()), 1.0)
    return {label: min(max(share / total, 0.0), 1.0) for label, share in shares.items()}


def weigh(name: str, strength: float, by: str | None) -> Callable[[Dataset], TrainingWeights] | LeftOut:
    """What makes training weights by a name and a strength; or why there can be none.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    if name not in WEIGHTINGS:
        raise UnknownNameError("weighting of training data", name, WEIGHTINGS)
    if name == "inverse_propensity":
        return lambda train: inverse_propensity(train, power=strength)
    if name == "popularity_weights":
        return lambda train: popularity_weights(train, power=strength)
    if by is None:
        return LeftOut(name, "no_user_group")
    return lambda train: group_weights(train, by, strength=strength)


def check_strengths(asked: Mapping[str, Sequence[float]], known: Mapping[str, object], kind: str) -> None:
    """Raise where there is no such mitigation, or it has no strengths.

    Raises:
        UnknownNameError: If there is none of that name.
        UsageError: If there is no strength, or one is below 0.
    """
    for name, strengths in asked.items():
        if name not in known:
            raise UnknownNameError(kind, name, known)
        if not strengths or min(strengths) < 0:
            raise UsageError(f"{name} has the strengths {list(strengths)}, expected one or more numbers from 0.")
