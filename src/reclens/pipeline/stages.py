"""The stages of a fitted pipeline at work: retrieve, merge, rank, re-rank, each timed and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from reclens.cards import ListsCard
from reclens.data.dataset import UserItemMatrix
from reclens.engine import Progress
from reclens.models import Recommender
from reclens.models._core.requests import check_k
from reclens.pipeline.boosted import BoostedRanker
from reclens.pipeline.candidates import merge
from reclens.pipeline.counts import Counts, Recorder, card_of, list_lengths
from reclens.pipeline.ordering import rank_candidates, rerank_lists
from reclens.pipeline.requests import Known, Request, in_order
from reclens.pipeline.rerank import Reranker
from reclens.pipeline.run import PipelineRun
from reclens.pipeline.specs import PipelineSpec
from reclens.schema import RANK, Recommendations, Vocabulary

__all__ = ["Stages"]


@dataclass(frozen=True, kw_only=True)
class Stages:
    """Everything that was fitted, in the order in which it works.

    Attributes:
        name: Name of the system.
        spec: What the stages were made of.
        exclude_seen: Whether retrievers leave out what the user has already had.
        retrievers: Label -> retriever.
        ranker: The ranker; None keeps the order of the candidates.
        rerankers: The re-rankers.
        users: Users of the training data.
        items: Items that any stage knows.
        seen: What each user had, in codes of ``items``.
    """

    name: str
    spec: PipelineSpec
    exclude_seen: bool
    retrievers: Mapping[str, Recommender]
    ranker: Recommender | BoostedRanker | None
    rerankers: Sequence[Reranker]
    users: Vocabulary
    items: Vocabulary
    seen: UserItemMatrix

    def run(
        self,
        users: pl.Series,
        request: Request,
        *,
        k: int,
        card: ListsCard,
        threads: int | None,
        progress: Progress,
    ) -> PipelineRun:
        """The lists of every stage for some users.

        Args:
            users: Their ids.
            request: What was asked for them.
            k: Length of the final lists.
            card: What the cards of the lists say of the pipeline.
            threads: Threads to use.
            progress: Called stage by stage.

        Raises:
            UsageError: If k is below 1.
        """
        check_k(k)
        keep, about = self.spec.keep_for(k), card | request.card()
        known = Known.of(users, request, known=self.users, items=self.items, seen=self.seen)
        total = len(self.retrievers) + 1 + bool(self.ranker) + len(self.rerankers)
        recorder = Recorder(self.name, len(users), k, total, progress)
        retrieved = self._retrieve(users, threads, recorder, request)
        candidates, n_cold = self._merge(users, retrieved, known, recorder, request)
        unscored: list[int] = []

        def order() -> pl.DataFrame:
            return in_order(rank_candidates(self.ranker, candidates, keep, threads, unscored, request, known), users)

        ranked = recorder.timed("rank", self.spec.rank_label, candidates.height, order)
        reranked = self._rerank(users, ranked, known, recorder, k, about)
        last = next(reversed(reranked.values())).table if reranked else ranked
        final = last.filter(pl.col(RANK) <= k)
        progress(f"{self.name}: done", total, total)
        counts = Counts(
            k=k,
            keep=keep,
            steps=tuple(recorder.steps),
            anybody=tuple(label for label, model in self.retrievers.items() if not model.is_personalized),
            unknown=known.n_strangers,
            withheld=known.n_items if self.exclude_seen else 0,
            unscored=unscored[0],
            capped=int((list_lengths(candidates, len(users)) > keep).sum()) if keep < k else 0,
            cold=n_cold,
            shown=final.height,
        )
        return PipelineRun(
            name=self.name,
            k=k,
            retrieved=retrieved,
            candidates=candidates,
            ranked=Recommendations(ranked, self.spec.rank_label, about | {"k": keep, "stage": "rank"}),
            reranked=reranked,
            final=Recommendations(final, self.name, about | card_of(counts)),
            steps=counts.steps,
            counts=counts,
        )

    def _retrieve(
        self, users: pl.Series, threads: int | None, recorder: Recorder, request: Request
    ) -> dict[str, Recommendations]:
        """What each retriever brings, by label."""
        found: dict[str, Recommendations] = {}
        for label, model in self.retrievers.items():
            k = self.spec.ks[label]

            def retrieve(label: str = label, model: Recommender = model, k: int = k) -> pl.DataFrame:
                asked = request.of_retrievers(users, model.items_)
                lists = model.recommend(users, k=k, exclude_seen=self.exclude_seen, threads=threads, **asked)
                found[label] = Recommendations(lists.table, label, lists.card)
                return lists.table

            recorder.timed("retrieve", label, len(model.items_), retrieve, k)
        return found

    def _merge(
        self,
        users: pl.Series,
        retrieved: Mapping[str, Recommendations],
        known: Known,
        recorder: Recorder,
        request: Request,
    ) -> tuple[pl.DataFrame, int]:
        """Merge the candidates into one set per user; also counts the users who got popular items instead."""
        cold: list[int] = []

        def join() -> pl.DataFrame:
            found, n = known.with_popular(
                merge(retrieved),
                request,
                self.seen,
                self.items,
                n=max(self.spec.ks.values()),
                exclude_seen=self.exclude_seen,
            )
            cold.append(n)
            return in_order(found, users)

        brought = sum(len(lists) for lists in retrieved.values())
        return recorder.timed("merge", "candidates", brought, join), cold[0]

    def _rerank(
        self,
        users: pl.Series,
        ranked: pl.DataFrame,
        known: Known,
        recorder: Recorder,
        k: int,
        about: ListsCard,
    ) -> dict[str, Recommendations]:
        """The lists after each re-ranker, by its number and kind."""
        found: dict[str, Recommendations] = {}
        last = ranked
        for number, each in enumerate(self.rerankers, 1):
            label = f"{number} {each.kind}"

            def move(each: Reranker = each, last: pl.DataFrame = last) -> pl.DataFrame:
                moved = rerank_lists(each, last, k, users=known.places, items=self.items, seen=known.seen)
                return in_order(moved, users)

            last = recorder.timed("rerank", label, last.height, move)
            found[label] = Recommendations(last, label, about | {"stage": label})
        return found
