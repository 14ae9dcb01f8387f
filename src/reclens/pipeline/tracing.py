"""Where items were lost on the way to one user's list, as codes with their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from reclens.errors import UnknownNameError
from reclens.pipeline.candidates import FUSED
from reclens.pipeline.run import PipelineRun
from reclens.schema import ITEM, RANK
from reclens.tabular import Tabular

__all__ = ["LossCode", "Retrieved", "RetrievedCode", "Trace", "make_trace"]


LossCode = Literal[
    "recommended",
    "not_in_catalogue",
    "seen",
    "no_candidates",
    "below_retriever_k",
    "no_score",
    "cut_by_keep",
    "dropped",
    "below_k",
    "moved_down",
]
"""What became of an item: see the documentation of pipelines."""

RetrievedCode = Literal["served", "unknown_user", "all_seen", "no_score"]
"""Whether a retriever brought anything, and if not, why: it does not know the user, they had all that it has a score
for, or it has a score for nothing."""


@dataclass(frozen=True)
class Retrieved:
    """What one retriever has for the user of a trace.

    Attributes:
        label: The retriever.
        candidates: Items that it brought.
        items: Items that it could bring with an unlimited k.
        code: ``served``, or why there are none.
    """

    label: str
    candidates: int
    items: int
    code: RetrievedCode


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace(Tabular):
    """The way of items through a pipeline, for one user.

    Attributes:
        user: The user.
        k: Length of the final list.
        table: One row an item: ``item_id``, the rank at each retriever (``retrieve: LABEL``), after the ranker
            (``rank``), after each re-ranker and in the final list (``final``), null where it was not there; ``lost``,
            the stage it did not leave (null: it was recommended); ``code``, a :data:`LossCode`; and, by retriever, the
            rank in its whole list (``whole: LABEL``).
        retrievers: What each retriever has for the user.
        keep: Places that the ranker keeps.
    """

    user: Any
    k: int
    table: pl.DataFrame
    retrievers: tuple[Retrieved, ...]
    keep: int

    @property
    def candidates(self) -> int:
        """Items that the retrievers brought, an item that several of them brought counted for each of them."""
        return sum(each.candidates for each in self.retrievers)

    def __getitem__(self, item: Any) -> dict[str, Any]:
        """The way of one item."""
        ids = self.table[ITEM]
        rows = self.table.filter(ids == item) if isinstance(item, str) == (ids.dtype == pl.String) else None
        if rows is None or not rows.height:
            raise UnknownNameError("item of the trace", str(item), map(str, ids.head(200)))
        return rows.to_dicts()[0]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row an item."""
        return self.table.to_dicts()


def make_trace(
    user: Any,
    run: PipelineRun,
    items: pl.Series,
    *,
    ceilings: Mapping[str, pl.DataFrame],
    seen: pl.Series,
    known: pl.Series,
    retrievers: tuple[Retrieved, ...],
) -> Trace:
    """The way of some items of a run with a single user.

    Args:
        user: The user.
        run: The run.
        items: The items.
        ceilings: The whole list of each retriever, ``item_id, rank``, by label.
        seen: Items of the user's history.
        known: Items that the pipeline knows.
        retrievers: What each retriever has for the user.
    """
    table = items.alias(ITEM).to_frame()
    stages: list[tuple[str, pl.DataFrame]] = [
        (f"retrieve: {label}", lists.table) for label, lists in run.retrieved.items()
    ]
    stages += [("rank", run.ranked.table)] + [(label, lists.table) for label, lists in run.reranked.items()]
    stages.append(("final", run.final.table))
    for label, rows in stages:
        table = table.join(rows.select(ITEM, pl.col(RANK).alias(label)), on=ITEM, how="left", maintain_order="left")
    for label, rows in ceilings.items():
        whole = rows.select(ITEM, pl.col(RANK).alias(f"whole: {label}"))
        table = table.join(whole, on=ITEM, how="left", maintain_order="left")
    own, catalogue = set(seen), set(known)
    judged = [_judge(row, run, own, catalogue) for row in table.to_dicts()]
    fused = run.candidates.select(ITEM, FUSED)
    table = table.join(fused, on=ITEM, how="left", maintain_order="left")
    columns = dict(zip(("lost", "code"), zip(*judged, strict=True), strict=True)) if judged else {}
    table = table.with_columns(pl.Series(name, columns.get(name, ()), pl.String) for name in ("lost", "code"))
    order = [ITEM, *(label for label, _ in stages), "lost", "code", *(f"whole: {label}" for label in ceilings)]
    table = table.sort(["final", "rank", FUSED, ITEM], descending=[False, False, True, False], nulls_last=True)
    return Trace(user=user, k=run.k, table=table.select(order), retrievers=retrievers, keep=run.counts.keep)


def _judge(row: Mapping[str, Any], run: PipelineRun, seen: set[Any], known: set[Any]) -> tuple[str | None, LossCode]:
    """The stage that an item did not leave, and why."""
    item = row[ITEM]
    if row["final"] is not None:
        return None, "recommended"
    if item not in known:
        return "catalogue", "not_in_catalogue"
    if all(row[f"retrieve: {label}"] is None for label in run.retrieved):
        return "retrieve", _not_found(row, run, seen=item in seen)
    if row["rank"] is None:
        return "rank", "cut_by_keep"
    stages = ["rank", *run.reranked]
    for label in run.reranked:
        if row[label] is None:
            return label, "dropped"
    shown = [label for label in stages if row[label] <= run.k]
    if not shown:
        return "rank", "below_k"
    return stages[stages.index(shown[-1]) + 1], "moved_down"


def _not_found(row: Mapping[str, Any], run: PipelineRun, *, seen: bool) -> LossCode:
    if seen:
        return "seen"
    if not run.candidates.height:
        return "no_candidates"
    listed = any(row[f"whole: {label}"] is not None for label in run.retrieved)
    return "below_retriever_k" if listed else "no_score"
