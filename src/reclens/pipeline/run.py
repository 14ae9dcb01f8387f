"""What one run of a pipeline leaves behind: the lists of every stage, and what each stage took in and gave out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from reclens.pipeline.candidates import FUSED, FUSION
from reclens.pipeline.counts import Counts, Step
from reclens.schema import ITEM, RANK, SCORE, USER, Recommendations
from reclens.tabular import Tabular

__all__ = ["PipelineRun"]


@dataclass(frozen=True, eq=False, kw_only=True)
class PipelineRun(Tabular):
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
        counts: Counts of the run: users without a list, short lists, entries that each filter removed.
    """

    name: str
    k: int
    retrieved: Mapping[str, Recommendations]
    candidates: pl.DataFrame
    ranked: Recommendations
    reranked: Mapping[str, Recommendations]
    final: Recommendations
    steps: tuple[Step, ...]
    counts: Counts

    def _about(self) -> str:
        return f"PipelineRun '{self.name}'"

    @property
    def fused(self) -> Recommendations:
        """The first ``keep`` candidates by plain reciprocal-rank fusion: what the ranker is held against."""
        table = self.candidates.select(
            USER,
            ITEM,
            pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over(USER).alias(RANK),
            pl.col(FUSED).cast(pl.Float32).alias(SCORE),
        )
        kept = table.filter(pl.col(RANK) <= self.counts.keep)
        return Recommendations(kept, FUSION, {**self.ranked.card, "stage": FUSION})

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
