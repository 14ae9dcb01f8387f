"""What a run of a pipeline leaves: the lists of every stage, what each took, and where an item was lost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from reclens.errors import UnknownNameError
from reclens.pipeline.candidates import FUSED
from reclens.schema import ITEM, RANK, USER, Recommendations

__all__ = ["PipelineRun", "Step", "Trace", "trace_table"]


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
    """

    stage: str
    label: str
    users: int
    rows_in: int
    rows_out: int
    seconds: float

    def __add__(self, other: Step) -> Step:
        """The same stage over more users."""
        rows_in = self.rows_in if self.stage == "retrieve" else self.rows_in + other.rows_in
        return Step(self.stage, self.label, self.users + other.users, rows_in, self.rows_out + other.rows_out,
                    self.seconds + other.seconds)  # fmt: skip


@dataclass(frozen=True, eq=False)
class PipelineRun:
    """The lists of every stage.

    Attributes:
        name: Name of the pipeline.
        k: Length of the final lists.
        retrieved: What each retriever brought, by label.
        candidates: The union, each item once a user: ``user_id, item_id, fused, rank:LABEL, score:LABEL``.
        ranked: The candidates that the ranker kept, in its order.
        reranked: The lists after each re-ranker, by ``"NUMBER KIND"``, in order.
        final: The first k places of the last stage.
        steps: What each stage took in, gave out and needed.
    """

    name: str
    k: int
    retrieved: Mapping[str, Recommendations]
    candidates: pl.DataFrame
    ranked: Recommendations
    reranked: Mapping[str, Recommendations]
    final: Recommendations
    steps: tuple[Step, ...]

    def __repr__(self) -> str:
        shown = " -> ".join(f"{step.label} {step.rows_out:,}" for step in self.steps)
        return f"PipelineRun('{self.name}': {shown})"

    def lists(self) -> Iterator[tuple[str, Recommendations]]:
        """The lists that have an order: ``candidates``, ``ranked``, those after each re-ranker, ``final``."""
        in_order = self.candidates.select(USER, ITEM, pl.int_range(1, pl.len() + 1).over(USER).alias(RANK))
        yield "candidates", Recommendations(in_order, "candidates", {})
        yield "ranked", self.ranked
        yield from self.reranked.items()
        yield "final", self.final

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a stage."""
        return [asdict(step) | {"ms_a_user": 1000 * step.seconds / max(step.users, 1)} for step in self.steps]


@dataclass(frozen=True, eq=False)
class Trace:
    """The way of items through a pipeline, for one user.

    Attributes:
        user: The user.
        k: Length of the final list.
        table: One row an item: ``item_id``, the rank at each retriever (``retrieve: LABEL``), after the ranker
            (``rank``), after each re-ranker and in the final list (``final``), null where it was not there; ``lost``,
            the stage it did not leave (null: it was recommended), and ``why``.
    """

    user: Any
    k: int
    table: pl.DataFrame

    def __getitem__(self, item: Any) -> dict[str, Any]:
        """The way of one item."""
        rows = self.table.filter(pl.col(ITEM) == item) if isinstance(item, type(self.table[ITEM][0])) else None
        if rows is None or not rows.height:
            raise UnknownNameError("item of the trace", str(item), map(str, self.table[ITEM].head(200)))
        return rows.to_dicts()[0]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row an item."""
        return self.table.to_dicts()


def trace_table(run: PipelineRun, items: pl.Series, ceilings: Mapping[str, pl.DataFrame], seen: pl.Series,
                known: pl.Series) -> pl.DataFrame:  # fmt: skip
    """The way of some items of a run with a single user.

    Args:
        run: The run.
        items: The items.
        ceilings: The whole list of each retriever, ``item_id, rank``, by label.
        seen: Items of the user's history.
        known: Items that the pipeline knows.
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
    rows = [_judge(row, run, set(seen), set(known)) for row in table.to_dicts()]
    lost, why = [row[0] for row in rows], [row[1] for row in rows]
    fused = run.candidates.select(ITEM, FUSED)
    table = table.join(fused, on=ITEM, how="left", maintain_order="left")
    table = table.with_columns(pl.Series("lost", lost, pl.String), pl.Series("why", why, pl.String))
    order = [ITEM, *(label for label, _ in stages), "lost", "why"]
    return table.sort(["final", "rank", FUSED, ITEM], descending=[False, False, True, False], nulls_last=True).select(
        order
    )


def _judge(row: Mapping[str, Any], run: PipelineRun, seen: set[Any], known: set[Any]) -> tuple[str | None, str]:
    """The stage that an item did not leave, and why."""
    item = row[ITEM]
    if row["final"] is not None:
        return None, f"recommended at place {row['final']}"
    if item not in known:
        return "catalogue", "the pipeline does not know the item: it is not in the training data"
    found = [label for label in run.retrieved if row[f"retrieve: {label}"] is not None]
    if not found:
        if item in seen:
            return "retrieve", "the user has it already"
        places = [f"{label} has it at place {row[f'whole: {label}']:,} of its list" for label in run.retrieved
                  if row[f"whole: {label}"] is not None]  # fmt: skip
        return "retrieve", "; ".join(places) or "no retriever has a score for it"
    if row["rank"] is None:
        return "rank", f"brought by {', '.join(found)}, ranked below the places that are kept"
    stages = ["rank", *run.reranked]
    for before, label in itertools.pairwise(stages):
        if row[label] is None:
            return label, f"dropped from place {row[before]}"
    shown = [label for label in stages if row[label] <= run.k]
    if not shown:
        return "rank", f"ranked at place {row['rank']}; nothing brought it among the {run.k} that are shown"
    last = shown[-1]
    lost = stages[stages.index(last) + 1]
    return lost, f"moved from place {row[last]} to {row[lost]}, below the {run.k} that are shown"
