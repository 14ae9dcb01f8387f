"""What a run of a pipeline counts, stage by stage and filter by filter; batches of users add up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Final, Literal, cast

import numpy as np
import polars as pl

from reclens.cards import AppliedRule, Fact, FilterCard, ListsCard, StageCard
from reclens.engine import Progress
from reclens.schema import USER

__all__ = ["Counts", "PipelineProblem", "PipelineWarning", "Recorder", "RuleCode", "Step", "card_of", "list_lengths"]

PipelineProblem = Literal["keep_below_k"]
"""What does not fit the request: ``keep_below_k``, fewer places go on from the ranker than are asked for."""

RuleCode = Literal[
    "unknown_users",
    "no_candidates",
    "cold_users",
    "unscored",
    "keep_below_k",
    "dropped",
    "no_list",
    "short_list",
]
"""What ``card["rules"]`` counts; see the documentation of pipelines."""

_FILTERS: Final = ("available", "seen")
"""Re-rankers that drop items."""


class PipelineWarning(UserWarning):
    """The pipeline and the request do not fit; ``card["problems"]`` has the codes."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One stage of a run.

    Attributes:
        stage: ``retrieve``, ``merge``, ``rank`` or ``rerank``.
        label: Name of the retriever, ranker or re-ranker.
        users: Users served.
        rows_in: List places that came in; for a retriever the items it can recommend, once.
        rows_out: List places that went out.
        seconds: Wall time for all users together.
        asked: Items wanted for each user: k of a retriever, elsewhere the length of the final lists.
        without: Users who have nothing after the stage.
        short: Users with fewer items than requested, but at least one.
    """

    stage: str
    label: str
    users: int
    rows_in: int
    rows_out: int
    seconds: float
    asked: int = 0
    without: int = 0
    short: int = 0

    def __add__(self, other: Step) -> Step:
        """The same stage over more users."""
        rows_in = self.rows_in if self.stage == "retrieve" else self.rows_in + other.rows_in
        return Step(
            stage=self.stage,
            label=self.label,
            users=self.users + other.users,
            rows_in=rows_in,
            rows_out=self.rows_out + other.rows_out,
            seconds=self.seconds + other.seconds,
            asked=self.asked,
            without=self.without + other.without,
            short=self.short + other.short,
        )


def list_lengths(table: pl.DataFrame, n_users: int) -> np.ndarray:
    """Rows of each of the users asked for, zeros at the end for those without any; int64, shape (n_users,)."""
    if n_users == 1:
        return np.array([table.height])  # a request for one user is not held up by a count
    found = table.group_by(USER).len()["len"].to_numpy().astype(np.int64)
    return np.concatenate([found, np.zeros(n_users - len(found), np.int64)])


class Recorder:
    """Times the stages of one run and counts what they give out.

    Args:
        name: Name of the pipeline.
        n_users: Users asked for.
        k: Length of the final lists.
        stages: Stages to come.
        progress: Called before each of them.
    """

    def __init__(self, name: str, n_users: int, k: int, stages: int, progress: Progress) -> None:
        self.name, self.n_users, self.k, self.stages, self.progress = name, n_users, k, stages, progress
        self.steps: list[Step] = []

    def timed(
        self, stage: str, label: str, rows_in: int, work: Callable[[], pl.DataFrame], asked: int | None = None
    ) -> pl.DataFrame:
        """Do the work of a stage and note it; ``asked`` is k where nothing else is said."""
        self.progress(f"{self.name}: {stage} {label}", len(self.steps), self.stages)
        started = time.perf_counter()
        table = work()
        seconds = time.perf_counter() - started
        length, asked = list_lengths(table, self.n_users), asked or self.k
        without, short = int((length == 0).sum()), int(((length > 0) & (length < asked)).sum())
        self.steps.append(
            Step(
                stage=stage,
                label=label,
                users=self.n_users,
                rows_in=rows_in,
                rows_out=table.height,
                seconds=seconds,
                asked=asked,
                without=without,
                short=short,
            )
        )
        return table


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a run counted.

    Attributes:
        k: Length of the final lists.
        keep: Places that the ranker lets go on.
        steps: The stages.
        anybody: The retrievers that serve users they do not know.
        unknown: Users without training data.
        withheld: Items of the users' histories that the retrievers left out.
        unscored: Candidates that the ranker has no score for.
        capped: Users with more candidates than ``keep``, where that is below k.
        cold: Users to whom no retriever brought anything, and who get popular items.
        shown: List places of the final lists.
    """

    k: int
    keep: int
    steps: tuple[Step, ...]
    anybody: tuple[str, ...]
    unknown: int
    withheld: int
    unscored: int
    capped: int
    cold: int
    shown: int

    def __add__(self, other: Counts) -> Counts:
        """The counts of both groups of users."""
        steps = tuple(ours + theirs for ours, theirs in zip(self.steps, other.steps, strict=True))
        return Counts(
            k=self.k,
            keep=self.keep,
            steps=steps,
            anybody=self.anybody,
            unknown=self.unknown + other.unknown,
            withheld=self.withheld + other.withheld,
            unscored=self.unscored + other.unscored,
            capped=self.capped + other.capped,
            cold=self.cold + other.cold,
            shown=self.shown + other.shown,
        )

    @property
    def problems(self) -> list[PipelineProblem]:
        """What of the pipeline and the request does not fit."""
        return ["keep_below_k"] if self.keep < self.k else []

    def stages(self) -> list[StageCard]:
        """One row a stage: users, those without anything and with less than asked, places in and out."""
        rows = [asdict(step) for step in self.steps]
        return [cast("StageCard", {name: each for name, each in row.items() if name != "seconds"}) for row in rows]

    def filters(self) -> list[FilterCard]:
        """What each filter left out, also where that is nothing.

        Returns:
            ``filter, stage, label, count, first``; ``first`` counts the places that go on where a filter cuts lists.
        """
        rank = next(step for step in self.steps if step.stage == "rank")
        last = self.steps[-1]
        rows: list[tuple[str, str, str, int, int | None]] = [
            ("seen", "retrieve", "retrieve", self.withheld, None),
            ("keep", rank.stage, rank.label, rank.rows_in - rank.rows_out, self.keep),
        ]
        rows += [(_kind(step), step.stage, step.label, step.rows_in - step.rows_out, None) for step in self._dropping()]
        rows.append(("k", last.stage, last.label, last.rows_out - self.shown, self.k))
        names = ("filter", "stage", "label", "count", "first")
        return [cast("FilterCard", dict(zip(names, row, strict=True))) for row in rows]

    def rules(self) -> list[AppliedRule]:
        """What a reader of the lists has to know, each counted."""
        return [each for each in self._rules() if each["count"] or each["code"] == "keep_below_k"]

    def _rules(self) -> Iterator[AppliedRule]:
        retrievers = [step for step in self.steps if step.stage == "retrieve"]
        rank, last = next(step for step in self.steps if step.stage == "rank"), self.steps[-1]
        yield _rule("unknown_users", self.unknown, served_by=list(self.anybody))
        yield _rule("cold_users", self.cold)
        for step in retrievers:
            yield _rule("no_candidates", step.without, label=step.label, others=len(retrievers) - 1)
        yield _rule("unscored", self.unscored, label=rank.label)
        if self.problems:
            yield _rule("keep_below_k", self.capped, label=rank.label, keep=self.keep, k=self.k)
        for step in self._dropping():
            yield _rule("dropped", step.rows_in - step.rows_out, label=step.label)
        yield _rule("no_list", last.without)
        yield _rule("short_list", last.short, k=self.k)

    def _dropping(self) -> list[Step]:
        return [step for step in self.steps if step.stage == "rerank" and _kind(step) in _FILTERS]


def card_of(counts: Counts) -> ListsCard:
    """What the card of lists says of the counts."""
    return {
        "keep": counts.keep,
        "problems": counts.problems,
        "stages": counts.stages(),
        "filters": counts.filters(),
        "rules": counts.rules(),
    }


def _rule(code: RuleCode, count: int, **facts: Fact) -> AppliedRule:
    return AppliedRule(code=code, count=int(count), facts=facts)


def _kind(step: Step) -> str:
    return step.label.partition(" ")[2]
