"""The whole of the mitigation lab: sweep on validation, choose there, report once on test, look at the long run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.audit.loop import with_groups
from reclens.audit.mitigate.gaps import Gap
from reclens.audit.mitigate.long_run import LongRun, LoopSettings, long_runs
from reclens.audit.mitigate.standard import (
    RERANKERS,
    WEIGHTINGS,
    Goal,
    LeftOut,
    check_strengths,
    goal_of,
    spec_of,
    weigh,
)
from reclens.audit.mitigate.trials import Choice, MakeLists, Rule, Sweep, Trial, choose, confirm, reranked, sweep
from reclens.audit.mitigate.weights import TrainingWeights
from reclens.audit.settings import AuditSettings
from reclens.data.dataset import Dataset
from reclens.engine import Progress, quiet
from reclens.errors import UsageError
from reclens.models import build
from reclens.schema import RANK, SCORE, USER, stable_hash
from reclens.tabular import Tabular

__all__ = ["Candidates", "Mitigation", "MitigationSettings", "candidates_of", "mitigation"]

HeldOut = Literal["part", "users"]
"""What the choice is made by. ``part``: the validation part of the split. ``users``: half of the users, drawn by a hash
of their ids; the other half is the test."""

_LEAST: Final = 20
"""Users on either side, at least."""


@dataclass(frozen=True, kw_only=True)
class MitigationSettings:
    """What is tried, and how it is chosen.

    Attributes:
        gap: What is to be closed, declared beforehand.
        rerank: Re-ranker -> the strengths that are swept; see :data:`reclens.audit.mitigate.RERANKERS`.
        weights: Weighting of the training data -> the strengths; see :data:`reclens.audit.mitigate.WEIGHTINGS`.
        rule: How one is chosen; see :func:`choose`.
        most_lost: Share of the accuracy that may be lost, under ``"budget"``.
        loop: The long run of the best strength of each mitigation in the feedback loop; None for none.

    Raises:
        UnknownNameError: If there is no such mitigation.
        UsageError: If there is no strength, or one is below 0, or nothing is tried.
    """

    gap: Gap
    rerank: Mapping[str, Sequence[float]] = field(default_factory=lambda: dict(RERANKERS))
    weights: Mapping[str, Sequence[float]] = field(default_factory=lambda: dict(WEIGHTINGS))
    rule: Rule = "budget"
    most_lost: float = 0.02
    loop: LoopSettings | None = None

    def __post_init__(self) -> None:
        check_strengths(self.rerank, RERANKERS, "re-ranker of mitigations")
        check_strengths(self.weights, WEIGHTINGS, "weighting of training data")
        if not self.rerank and not self.weights:
            raise UsageError("nothing is tried: name a re-ranker, or a weighting of the training data.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """The long lists that mitigations choose from, on validation and on test.

    Attributes:
        validation: ``user_id, item_id, rank, score`` of the users that the choice is made by.
        validation_truth: Their relevant items.
        test: The same of the users that the choice is reported on.
        test_truth: Their relevant items.
        held_out: How the two were kept apart.
        exclude_seen: Whether lists leave out what a user has.
        depth: Places of the longest list.
        model: The name and the hyper-parameters of the model that made them; None for lists of another system.
    """

    validation: pl.DataFrame
    validation_truth: pl.DataFrame
    test: pl.DataFrame
    test_truth: pl.DataFrame
    held_out: HeldOut
    exclude_seen: bool = True
    depth: int
    model: tuple[str, Mapping[str, Any]] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Mitigation(Tabular):
    """What was tried, what was chosen on validation, and what that came to on test.

    Attributes:
        validation: All trials.
        choice: What was chosen by them.
        test: The chosen one on test, which no trial was chosen by; None if none was chosen.
        held_out: How validation and test were kept apart.
        left_out: Mitigations that could not be tried, and why.
        loop: The long run of the best strength of each mitigation beside that of the lists without.
    """

    validation: Sweep
    choice: Choice
    test: Trial | None
    held_out: HeldOut
    left_out: tuple[LeftOut, ...]
    loop: tuple[LongRun, ...] = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per trial: on validation, then on test."""
        rows = [{"part": "validation", **row} for row in self.validation.to_dicts()]
        return rows + ([] if self.test is None else [{"part": "test", **self.test.to_dicts()[0]}])


def candidates_of(
    lists: Any,
    truth: pl.DataFrame,
    *,
    train: Dataset,
    validation: pl.DataFrame | None = None,
    model: tuple[str, Mapping[str, Any]] | None = None,
    depth: int = 100,
    exclude_seen: bool = True,
    threads: int | None = None,
) -> Candidates:
    """The long lists that mitigations choose from, and what the choice is made by.

    With a model and a validation part, the model is fitted on the training data and the choice is made on that part.
    Otherwise half of the users are set aside for it: lists of another system cannot be made anew for an earlier time.

    Args:
        lists: Long lists with scores, ``user_id, item_id, rank, score``; not looked at where a model is named.
        truth: The relevant items of the test part.
        train: The training data.
        validation: The relevant items of a validation part, which is not in ``train``.
        model: Name and hyper-parameters of a model of the library.
        depth: Places of the lists of the model.
        exclude_seen: Whether they leave out what a user has.
        threads: Threads to use.

    Raises:
        UsageError: If lists have no scores, or there are too few users to set half of them aside.
        UnknownNameError: If there is no such model or hyper-parameter.
    """
    users = truth[USER].unique(maintain_order=True)
    about: dict[str, Any] = {"exclude_seen": exclude_seen, "model": model}
    if model is not None:
        fitted = build(model[0], dict(model[1])).fit(train, threads=threads)
        how: dict[str, Any] = {"k": depth, "exclude_seen": exclude_seen, "threads": threads}
        if validation is not None and validation[USER].n_unique() >= _LEAST:
            known = validation[USER].unique(maintain_order=True)
            tables = [fitted.recommend(each, **how).table for each in (known, users)]
            return Candidates(
                validation=tables[0],
                validation_truth=validation,
                test=tables[1],
                test_truth=truth,
                held_out="part",
                depth=depth,
                **about,
            )
        lists = fitted.recommend(users, **how).table
    elif SCORE not in lists.columns or lists[SCORE].null_count():
        raise UsageError(
            "re-rankers hold relevance against fairness by scores, and the lists have none for some items."
        )
    chosen = (stable_hash(users) >> np.uint64(32)) & np.uint64(1) == 0
    sides = [users.filter(pl.Series(each)) for each in (chosen, ~chosen)]
    if min(map(len, sides)) < _LEAST:
        raise UsageError(
            f"there are {len(users):,} users with relevant items: at least {_LEAST} are needed to choose by, and as "
            "many others to report on."
        )
    parts = [[each.filter(pl.col(USER).is_in(side.implode())) for each in (lists, truth)] for side in sides]
    return Candidates(
        validation=parts[0][0],
        validation_truth=parts[0][1],
        test=parts[1][0],
        test_truth=parts[1][1],
        held_out="users",
        depth=int(lists[RANK].max()),  # type: ignore[arg-type]
        **about,
    )


def mitigation(
    candidates: Candidates,
    asked: MitigationSettings,
    *,
    train: Dataset,
    settings: AuditSettings | None = None,
    threads: int | None = None,
    progress: Progress = quiet,
) -> Mitigation:
    """Try mitigations at several strengths on validation data, choose one by a rule, and report it once on test data.

    Args:
        candidates: The long lists; see :func:`candidates_of`.
        asked: What is tried.
        train: The training data.
        settings: What is looked at, as for an audit.
        threads: Threads to use.
        progress: Called trial by trial.

    Raises:
        UsageError: If lists are not longer than what is shown, or nothing of what was asked for can be tried.
        UnknownNameError: If there is no such attribute, group or metric.

    References:
        Li, Chen, Fu, Ge, Zhang (2021), User-oriented fairness in recommendation; WWW: its published code chose by the
        test set, which is what the two parts here are kept apart for.
    """
    settings = settings or AuditSettings()
    settings = replace(settings, hypotheses=None, retrieved=0)
    lists = _first(candidates.validation, settings.k)
    goal = goal_of(train, lists, candidates.validation_truth, asked.gap, settings)  # names are checked first
    if candidates.depth <= settings.k:
        raise UsageError(
            f"the longest list has {candidates.depth} items and {settings.k} are shown: there is nothing to choose "
            "from. Give longer ones, such as 100 for each user."
        )
    tried, left_out = _Makers(candidates, goal, settings.k, threads).all_of(asked)
    if not tried:
        raise UsageError("nothing of what was asked for can be tried for this gap and these lists.")
    how: dict[str, Any] = {"train": train, "gap": asked.gap, "settings": settings}
    found = sweep(
        lists,
        {name: {at: each.on_validation for at, each in strengths.items()} for name, strengths in tried.items()},
        candidates.validation_truth,
        progress=progress,
        **how,
    )
    choice = choose(found, rule=asked.rule, most_lost=asked.most_lost)
    tested = None
    if choice.mitigation in tried:
        made = tried[choice.mitigation][choice.strength].on_test
        tested = confirm(choice, _first(candidates.test, settings.k), made, candidates.test_truth, **how)
    loop = _long_run(found, choice, tried, candidates, asked.loop, settings, goal, threads, progress)
    return Mitigation(
        validation=found,
        choice=choice,
        test=tested,
        held_out=candidates.held_out,
        left_out=tuple(left_out),
        loop=loop,
    )


def _first(lists: pl.DataFrame, k: int) -> pl.DataFrame:
    return lists.filter(pl.col(RANK) <= k)


@dataclass(frozen=True, eq=False)
class _Maker:
    """One mitigation at one strength."""

    on_validation: MakeLists
    on_test: MakeLists
    rerank: Mapping[str, Any] | None = None
    weights: Callable[[Dataset], TrainingWeights] | None = None


@dataclass(frozen=True, eq=False)
class _Makers:
    """What makes the lists of each mitigation."""

    candidates: Candidates
    goal: Goal
    k: int
    threads: int | None

    def all_of(self, asked: MitigationSettings) -> tuple[dict[str, dict[float, _Maker]], list[LeftOut]]:
        """Name -> strength -> what makes its lists; and what cannot be tried."""
        tried: dict[str, dict[float, _Maker]] = {}
        left: list[LeftOut] = []
        plans = [(name, each, self.reranker) for name, each in asked.rerank.items()]
        for name, strengths, make in plans + [(name, each, self.weighting) for name, each in asked.weights.items()]:
            made = {float(at): make(name, float(at)) for at in strengths}
            refused = [each for each in made.values() if isinstance(each, LeftOut)]
            if refused:
                left.append(refused[0])
            else:
                tried[name] = made  # type: ignore[assignment]
        return tried, left

    def reranker(self, name: str, strength: float) -> _Maker | LeftOut:
        spec = spec_of(name, strength, self.goal)
        if isinstance(spec, LeftOut):
            return spec
        goal, k, both = self.goal, self.k, self.candidates

        def made(lists: pl.DataFrame) -> MakeLists:
            return lambda: reranked(lists, spec, train=goal.train, k=k)

        return _Maker(made(both.validation), made(both.test), rerank=spec)

    def weighting(self, name: str, strength: float) -> _Maker | LeftOut:
        weights, both = weigh(name, strength, self.goal.by), self.candidates
        if both.model is None:
            return LeftOut(name, "no_model")
        if isinstance(weights, LeftOut):
            return weights
        label, parameters = both.model
        if not build(label, dict(parameters)).takes_weights:
            return LeftOut(name, "takes_no_weights")
        train, k, threads = self.goal.train, self.k, self.threads

        def made(truth: pl.DataFrame) -> MakeLists:
            users = truth[USER].unique(maintain_order=True)

            def lists() -> pl.DataFrame:
                fitted = build(label, dict(parameters)).fit(train, weights=weights(train).table, threads=threads)
                return fitted.recommend(users, k=k, exclude_seen=both.exclude_seen, threads=threads).table

            return lists

        return _Maker(made(both.validation_truth), made(both.test_truth), weights=weights)


def _chosen(trial: Trial, choice: Choice) -> bool:
    return (trial.mitigation, trial.strength) == (choice.mitigation, choice.strength)


def _long_run(
    found: Sweep,
    choice: Choice,
    tried: Mapping[str, Mapping[float, _Maker]],
    candidates: Candidates,
    how: LoopSettings | None,
    settings: AuditSettings,
    goal: Goal,
    threads: int | None,
    progress: Progress,
) -> tuple[LongRun, ...]:
    """The best strength of each mitigation in the loop: the chosen one, else that which closes most on the front."""
    if how is None:
        return ()
    if candidates.model is None:
        raise UsageError("the long run retrains a model: name one that makes the lists.")
    from reclens.lab.feedback import feedback_loop
    from reclens.lab.model_strategy import ModelStrategy

    label, parameters = candidates.model
    picked: list[tuple[str, float, _Maker | None]] = [("none", 0.0, None)]
    for name, strengths in tried.items():
        trials = [each for each in found.trials if each.mitigation == name]
        best = max(trials, key=lambda each: (_chosen(each, choice), each.on_front, each.gap_closed.value))
        picked.append((name, best.strength, strengths[best.strength]))
    runs, data = [], with_groups(goal.train)
    for at, (name, strength, maker) in enumerate(picked):
        progress(f"long run of {name}", at, len(picked))
        spec = () if maker is None or maker.rerank is None else (maker.rerank,)
        weights = None if maker is None or maker.weights is None else _tables_of(maker.weights)

        def strategy(world: Any, seed: int, spec: Any = spec, weights: Any = weights) -> Any:
            del seed
            return ModelStrategy(label, parameters, rerank=spec, weights=weights, world=world, threads=threads)

        loop = feedback_loop(data, strategy, k=settings.k, threads=threads, level=settings.level, **asdict(how))
        runs.append((name, strength, loop))
    level, without = settings.level, runs[0][2]
    return tuple(row for name, at, loop in runs for row in long_runs(name, at, without, loop, level=level))


def _tables_of(weights: Callable[[Dataset], TrainingWeights]) -> Callable[[Dataset], pl.DataFrame]:
    return lambda train: weights(train).table
