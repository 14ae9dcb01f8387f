"""Sweeping the strength of mitigations on validation data: accuracy lost against gap closed, and the choice of one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.audit.measure import POPULARITY, AuditMeasures, measure_audit
from reclens.audit.mitigate.frontier import FrontierDistance, distance_to_frontier
from reclens.audit.mitigate.gaps import Gap, ItemGap
from reclens.audit.mitigate.pareto import knee_of, pareto_front
from reclens.audit.mitigate.who_pays import WITHIN, Payer, changes, columns_of, within_groups
from reclens.audit.settings import AuditSettings
from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.engine import Progress, quiet
from reclens.errors import ArgumentValueError, UsageError
from reclens.pipeline.ordering import rerank_lists
from reclens.pipeline.rerank import build
from reclens.schema import ITEM, RANK, USER, Vocabulary
from reclens.stats.estimate import Estimate
from reclens.stats.replicated import Replicated
from reclens.tabular import Tabular

__all__ = ["Choice", "Levelling", "MakeLists", "Sweep", "Trial", "choose", "confirm", "reranked", "sweep"]

MakeLists = Callable[[], Any]
"""Makes the lists of a mitigation at one strength; timed."""

Levelling = Literal["none", "possible", "shown"]
"""Whether a gap is closed by harming both sides. ``shown``: both intervals lie below 0; ``possible``: both have less,
but not both certainly; ``none``: one of them has no less, or the gap is not closed."""

Rule = Literal["budget", "knee"]
"""``budget``: the most gap closed for a loss of accuracy within bounds. ``knee``: of the Pareto front."""

_NOTHING: Final = "none"


@dataclass(frozen=True, kw_only=True)
class Trial(Tabular):
    """A mitigation at one strength, held against the lists without it.

    Attributes:
        mitigation: Its name; ``"none"`` for the lists without it.
        strength: How strong it is, in its own unit.
        accuracy: The metric of accuracy.
        accuracy_lost: Accuracy without the mitigation less that with it; paired by user.
        gap: The gap that is left.
        gap_closed: How much smaller the gap is; more than there was, where it is turned around. Paired by user.
        share_closed: The same as a share of the gap without the mitigation.
        worse_side: Change for the side that the gap harms; see :data:`Levelling`.
        better_side: Change for the other side.
        levelling_down: Whether the gap is closed by harming both.
        turned: Whether the gap has changed its side.
        seconds: Wall time to make the lists.
        on_front: Whether no other trial loses less and closes as much.
        payers: What it changes for every group.
        distance: How far it is from what is achievable; None for gaps of users.
    """

    mitigation: str
    strength: float
    accuracy: Estimate
    accuracy_lost: Estimate
    gap: Estimate
    gap_closed: Estimate
    share_closed: float
    worse_side: Estimate
    better_side: Estimate
    levelling_down: Levelling
    turned: bool
    seconds: float
    on_front: bool
    payers: tuple[Payer, ...]
    distance: FrontierDistance | None

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables; without who pays, whose rows :attr:`payers` have."""
        row: dict[str, Any] = {"mitigation": self.mitigation, "strength": self.strength}
        for name in ("accuracy", "accuracy_lost", "gap", "gap_closed", "worse_side", "better_side"):
            row |= columns_of(name, getattr(self, name))
        if self.distance is not None:
            row |= columns_of("distance", self.distance.distance)
        codes = {"levelling_down": self.levelling_down, "turned": self.turned, "on_front": self.on_front}
        return [{**row, "share_closed": self.share_closed, **codes, "seconds": self.seconds}]


@dataclass(frozen=True, eq=False, kw_only=True)
class Sweep(Tabular):
    """All trials on one part of the data.

    Attributes:
        gap: What is to be closed.
        metric: The accuracy.
        trials: The trials; the first is the lists without a mitigation.
        knee: Place of the knee of the Pareto front among the trials; None if it has none.
        n: Users.
    """

    gap: Gap
    metric: str
    trials: tuple[Trial, ...]
    knee: int | None
    n: int

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per trial."""
        return [row for each in self.trials for row in each.to_dicts()]

    @property
    def front(self) -> tuple[Trial, ...]:
        """The trials on the Pareto front, from the cheapest on."""
        return tuple(sorted((each for each in self.trials if each.on_front), key=lambda each: each.accuracy_lost.value))


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The trial that was chosen on validation data, to be reported once on test data by :func:`confirm`.

    Attributes:
        mitigation: Its name; ``"none"`` where no mitigation meets the rule.
        strength: Its strength.
        rule: How it was chosen.
        most_lost: The share of the accuracy that may be lost, under ``"budget"``.
        looked_at: Trials that it was chosen from.
    """

    mitigation: str
    strength: float
    rule: Rule
    most_lost: float
    looked_at: int


def sweep(
    lists: Any,
    mitigations: Mapping[str, Mapping[float, MakeLists]],
    truth: Any,
    *,
    train: Dataset,
    gap: Gap,
    settings: AuditSettings | None = None,
    progress: Progress = quiet,
) -> Sweep:
    """Measure every mitigation at every strength beside the lists without it, all on the same users and replicates.

    Args:
        lists: The lists without a mitigation, as for ``rl.evaluate``.
        mitigations: Name -> strength -> what makes the lists; see :func:`reranked`.
        truth: Relevant items: of a validation part, as long as something is chosen by them.
        train: The training data.
        gap: What is to be closed.
        settings: What is looked at, as for an audit: the first metric is the accuracy; among groups of users and
            attributes of items is looked for who pays, and within each group of the first attribute, head, middle and
            tail are looked at apart.
        progress: Called trial by trial.

    Raises:
        UsageError: If there is no mitigation, or a name is ``"none"``.
    """
    if not mitigations or _NOTHING in mitigations:
        raise UsageError(f"there has to be a mitigation, by another name than '{_NOTHING}'; got {list(mitigations)}.")
    bench = _Bench.of(train, gap, truth, settings or AuditSettings())
    before = bench.measure(lists)
    trials = [bench.trial(_NOTHING, 0.0, before, before, 0.0)]
    total = sum(map(len, mitigations.values()))
    for name, strengths in mitigations.items():
        for strength, make in strengths.items():
            progress(f"{name} {strength:g}", len(trials) - 1, total)
            began = time.perf_counter()
            made = make()
            seconds = time.perf_counter() - began
            trials.append(bench.trial(name, float(strength), before, bench.measure(made), seconds))
    lost, closed = (
        np.array([getattr(each, which).value for each in trials]) for which in ("accuracy_lost", "gap_closed")
    )
    # What turns the gap around does not close it: beyond the gap, more is worse.
    most = abs(trials[0].gap.value)
    closed = most - np.abs(most - closed)
    front = pareto_front(lost, closed)
    knee = knee_of(lost[front], closed[front])
    marked = tuple(replace(each, on_front=at in front) for at, each in enumerate(trials))
    n = before.n(column=bench.metric)
    return Sweep(gap=gap, metric=bench.metric, trials=marked, knee=None if knee is None else int(front[knee]), n=n)


def choose(found: Sweep, *, rule: Rule = "budget", most_lost: float = 0.02) -> Choice:
    """Choose a trial of a sweep on validation data.

    Args:
        found: The sweep.
        rule: ``"budget"``: of the trials that certainly close some of the gap, certainly lose no more than
            ``most_lost`` of the accuracy, and do not level down, not even possibly, the one that leaves the smallest
            gap; of equal ones the one that loses least. ``"knee"``: the knee of the Pareto front.
        most_lost: Share of the accuracy without a mitigation that may be lost: the upper end of the interval counts.

    Raises:
        UsageError: If the share is not between 0 and 1, or the rule is none.
    """
    if not 0 <= most_lost <= 1:
        raise ArgumentValueError("most_lost", f"is {most_lost}, expected a share of the accuracy such as 0.02")
    if rule not in ("budget", "knee"):
        raise ArgumentValueError("rule", f"is {rule!r}, expected 'budget' or 'knee'")
    best: Trial | None = None
    if rule == "knee":
        best = None if found.knee is None else found.trials[found.knee]
    else:
        bound = most_lost * found.trials[0].accuracy.value
        able = [each for each in found.trials[1:] if _affordable(each, bound)]
        best = min(able, key=lambda each: (abs(each.gap.value), each.accuracy_lost.value), default=None)
    name, strength = (_NOTHING, 0.0) if best is None else (best.mitigation, best.strength)
    return Choice(mitigation=name, strength=strength, rule=rule, most_lost=most_lost, looked_at=len(found.trials) - 1)


def confirm(choice: Choice, lists: Any, mitigated: MakeLists, truth: Any, **settings: Any) -> Trial:
    """The chosen trial on test data, which no trial was chosen by.

    Args:
        choice: What was chosen.
        lists: The lists without a mitigation.
        mitigated: Makes those of the chosen one.
        truth: The relevant items of the test part.
        **settings: As for :func:`sweep`.

    Raises:
        UsageError: If no mitigation was chosen.
    """
    if choice.mitigation == _NOTHING:
        raise UsageError("no mitigation was chosen, so that there is nothing to confirm.")
    found = sweep(lists, {choice.mitigation: {choice.strength: mitigated}}, truth, **settings)
    return found.trials[1]


def reranked(candidates: pl.DataFrame, spec: Mapping[str, Any], *, train: Dataset, k: int) -> pl.DataFrame:
    """Lists of k from longer ones, by a re-ranker of the pipelines.

    Args:
        candidates: ``user_id, item_id, rank, score``: more items than are shown, such as 100 for each user.
        spec: The re-ranker, such as ``{"kind": "xquad", "weight": 0.5}``.
        train: The training data.
        k: Places that are shown.

    Returns:
        ``user_id, item_id, rank, score``.
    """
    items = Vocabulary(pl.concat([train.item_vocabulary.ids, candidates[ITEM].cast(train.item_vocabulary.ids.dtype)]))
    matrix = train.matrix()
    codes = items.encode(train.item_vocabulary.ids)
    seen = UserItemMatrix(matrix.indptr, codes[matrix.indices], matrix.values, len(items))
    made = build(spec)
    made.prepare(train, items)
    moved = rerank_lists(made, candidates, k, users=train.user_vocabulary, items=items, seen=seen)
    return moved.filter(pl.col(RANK) <= k)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Bench:
    """What all trials are measured with."""

    train: Dataset
    gap: Gap
    truth: Any
    settings: AuditSettings
    metric: str

    @classmethod
    def of(cls, train: Dataset, gap: Gap, truth: Any, settings: AuditSettings) -> _Bench:
        """Looking also at what the gap is made of, and at tiers of popularity within the groups of items."""
        metrics, by = settings.metrics_of(truth=True), settings.by
        named = [by] if isinstance(by, str) else list(by)
        attributes = list(settings.attributes)
        if isinstance(gap, ItemGap):
            attributes = [gap.attribute, *attributes]
        else:
            metrics, named = (*metrics, gap.metric), [*named, gap.by]
        attributes = list(dict.fromkeys(attributes))
        crossed = next((each for each in attributes if each != POPULARITY), None)
        if crossed is not None:
            train, attributes = _crossed(train, crossed, settings), [*attributes, WITHIN]
        wanted = replace(
            settings,
            metrics=tuple(dict.fromkeys(metrics)),
            by=tuple(dict.fromkeys(each for each in named if each)),
            attributes=tuple(attributes),
        )
        return cls(train=train, gap=gap, truth=truth, settings=wanted, metric=metrics[0])

    def measure(self, lists: Any) -> AuditMeasures:
        """The sums of some lists."""
        return measure_audit(lists, self.truth, settings=self.settings, train=self.train)

    def trial(self, name: str, strength: float, before: AuditMeasures, after: AuditMeasures, seconds: float) -> Trial:
        """All numbers of one trial."""
        accuracy, was = after.mean(self.metric), before.mean(self.metric)
        own, old = self.gap.of(after), self.gap.of(before)
        n, n_gap = before.n(column=self.metric), self.gap.n(before)
        sign = -1.0 if float(old.value) < 0 else 1.0
        closed = (old - own) * sign
        sides = [new - first for new, first in zip(self.gap.sides(after), self.gap.sides(before), strict=True)]
        worse, better = sides if sign > 0 else sides[::-1]
        whole = abs(float(old.value))
        distance = None
        if isinstance(self.gap, ItemGap) and self.metric == f"ndcg@{self.settings.k}":
            distance = distance_to_frontier(after, self.gap, self.metric, level=self.settings.level)
        ends = [self._estimate(each, n_gap) for each in (closed, worse, better)]
        return Trial(
            mitigation=name,
            strength=strength,
            accuracy=self._estimate(accuracy, n),
            accuracy_lost=self._estimate(was - accuracy, n),
            gap=self._estimate(own, n_gap),
            gap_closed=ends[0],
            share_closed=ends[0].value / whole if whole > 0 else math.nan,
            worse_side=ends[1],
            better_side=ends[2],
            levelling_down=_levelling(*ends),
            turned=float(own.value) * sign < 0,
            seconds=seconds,
            on_front=False,
            payers=() if after is before else changes(before, after, metric=self.metric, level=self.settings.level),
            distance=distance,
        )

    def _estimate(self, number: Replicated, n: int) -> Estimate:
        return number.estimate(n=n, level=self.settings.level)


def _crossed(train: Dataset, attribute: str, settings: AuditSettings) -> Dataset:
    """The training data, whose items have the labels of an attribute crossed with tiers of popularity."""
    alone = {"metrics": (), "by": (), "protected": (), "attributes": (attribute, POPULARITY)}
    asked = replace(settings, k=1, attention="log", **alone)
    first = train.interactions.select(USER, ITEM).head(1).with_columns(pl.lit(1).alias(RANK))
    found = measure_audit(first, settings=asked, train=train)
    table = within_groups(found.groups[attribute], found.groups[POPULARITY], found.context.items)
    items = table if train.items is None else train.items.join(table, on=ITEM, how="left")
    return replace(train, items=items)


def _levelling(closed: Estimate, worse: Estimate, better: Estimate) -> Levelling:
    """Whether a gap was closed by taking from both sides."""
    if not (closed.value > 0 and worse.value < 0 and better.value < 0):
        return "none"
    certain = all(each.high is not None and each.high < 0 for each in (worse, better))
    return "shown" if certain else "possible"


def _affordable(trial: Trial, bound: float) -> bool:
    """Whether a trial certainly closes some of the gap, for a loss that certainly stays within the bound."""
    closes = trial.gap_closed.low is not None and trial.gap_closed.low > 0
    lost = trial.accuracy_lost
    most = lost.value if lost.high is None else lost.high
    return closes and most <= bound and trial.levelling_down == "none"
