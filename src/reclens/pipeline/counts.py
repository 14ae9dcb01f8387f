"""What a run of a pipeline counts, stage by stage and filter by filter; batches of users add up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl

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


@dataclass(frozen=True)
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
        short: Users who have something, and less than was asked.
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
            self.stage,
            self.label,
            self.users + other.users,
            rows_in,
            self.rows_out + other.rows_out,
            self.seconds + other.seconds,
            self.asked,
            self.without + other.without,
            self.short + other.short,
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
        self.steps.append(Step(stage, label, self.n_users, rows_in, table.height, seconds, asked, without, short))
        return table


@dataclass(frozen=True)
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
            self.k,
            self.keep,
            steps,
            self.anybody,
            self.unknown + other.unknown,
            self.withheld + other.withheld,
            self.unscored + other.unscored,
            self.capped + other.capped,
            self.cold + other.cold,
            self.shown + other.shown,
        )

    @property
    def problems(self) -> list[PipelineProblem]:
        """What of the pipeline and the request does not fit."""
        return ["keep_below_k"] if self.keep < self.k else []

    def stages(self) -> list[dict[str, Any]]:
        """One row a stage: users, those without anything and with less than asked, places in and out."""
        rows = [asdict(step) for step in self.steps]
        return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]

    def filters(self) -> list[dict[str, Any]]:
        """What each filter left out, also where that is nothing: ``filter, label, count, detail``."""
        rank = next(step for step in self.steps if step.stage == "rank")
        last = self.steps[-1]
        rows = [
            ("seen", "retrieve", self.withheld, "items of the users' histories that no retriever brings"),
            ("keep", rank.label, rank.rows_in - rank.rows_out, f"candidates behind the first {self.keep}"),
        ]
        rows += [(_kind(step), step.label, step.rows_in - step.rows_out, "items dropped") for step in self._dropping()]
        rows.append(("k", last.label, last.rows_out - self.shown, f"places behind the first {self.k}"))
        return [dict(zip(("filter", "label", "count", "detail"), row, strict=True)) for row in rows]

    def rules(self) -> list[dict[str, Any]]:
        """What a reader of the lists has to know, each counted: ``code, label, rule, count, detail``."""
        found = [row for row in self._rules() if row[3] or row[0] == "keep_below_k"]
        return [dict(zip(("code", "label", "rule", "count", "detail"), row, strict=True)) for row in found]

    def _rules(self) -> Iterator[tuple[RuleCode, str, str, int, str]]:
        retrievers = [step for step in self.steps if step.stage == "retrieve"]
        rank, last = next(step for step in self.steps if step.stage == "rank"), self.steps[-1]
        served = f"served by {', '.join(self.anybody)}" if self.anybody else "popular items, or no list"
        yield "unknown_users", "", "users without a known item", self.unknown, served
        yield "cold_users", "", "users to whom no retriever brings an item", self.cold, "the most popular items"
        for step in retrievers:
            others = "the other retrievers serve them" if len(retrievers) > 1 else "no list"
            yield "no_candidates", step.label, f"{step.label}: users without a candidate", step.without, others
        detail = "they come after those it can"
        yield "unscored", rank.label, f"{rank.label}: candidates it cannot score", self.unscored, detail
        if self.problems:
            detail = f"keep = {self.keep} is below k = {self.k}: no list is longer than {self.keep}"
            yield "keep_below_k", rank.label, f"{rank.label}: lists that keep cut", self.capped, detail
        for step in self._dropping():
            yield "dropped", step.label, f"{step.label}: items dropped", step.rows_in - step.rows_out, "of all lists"
        yield "no_list", "", "users without a list", last.without, "nothing is left to recommend to them"
        yield "short_list", "", "short lists", last.short, f"fewer than {self.k} items are left for them"

    def _dropping(self) -> list[Step]:
        return [step for step in self.steps if step.stage == "rerank" and _kind(step) in _FILTERS]


def card_of(counts: Counts) -> dict[str, Any]:
    """What the card of lists says of the counts."""
    return {
        "keep": counts.keep,
        "problems": counts.problems,
        "stages": counts.stages(),
        "filters": counts.filters(),
        "rules": counts.rules(),
    }


def _kind(step: Step) -> str:
    return step.label.partition(" ")[2]
