"""The staged recommender of production systems: retrieve, rank, re-rank (Covington, Adams, Sargin 2016)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.engine import LocalEngine, Progress, chunk_ranges, quiet
from reclens.errors import NotFittedError, UnknownNameError, UsageError
from reclens.models import Recommender, build
from reclens.pipeline import rerank as rerankers
from reclens.pipeline import saving
from reclens.pipeline.boosted import BoostedRanker
from reclens.pipeline.candidates import FUSED, merge
from reclens.pipeline.learn import fit_boosted
from reclens.pipeline.run import PipelineRun, Step, Trace, trace_table
from reclens.pipeline.specs import PipelineSpec, check_spec
from reclens.schema import ITEM, RANK, SCORE, USER, Recommendations, Vocabulary, versions
from reclens.settings import load_pipeline_settings

__all__ = ["Pipeline"]

_USERS_AT_A_TIME = 2_000
"""Users whose candidates are in memory at a time when only the final lists are kept."""


@dataclass(kw_only=True)
class Pipeline:
    """Several retrievers with budgets, one set of candidates, a ranker, re-rankers.

    Attributes:
        retrieve: Label -> the retriever: the parameters of a model, its name under ``model`` where the label is another
            one, and ``budget``, the items it brings for each user.
        rank: The ranker: a model as above under ``model``, or ``model = "boosted"`` for trees that learn from the
            candidates; and ``keep``, the places that go on to the re-rankers (100). None keeps the order of the
            candidates, which is the reciprocal-rank fusion of the retrievers.
        rerank: The re-rankers in order, each with its ``kind``; see :mod:`reclens.pipeline.rerank`.
        exclude_seen: Whether retrievers leave out what the user has already had.
        name: Name of the system.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> train = synthetic_movielens(n_users=60, n_items=50, n_ratings=1_500)
        >>> pipeline = Pipeline(
        ...     retrieve={"item_knn": {"budget": 20}, "popular": {"budget": 10}},
        ...     rank={"model": "ease", "l2": 50.0, "keep": 20},
        ...     rerank=[{"kind": "mmr", "weight": 0.3}],
        ... ).fit(train)
        >>> [step.label for step in pipeline.run(k=5).steps]
        ['item_knn', 'popular', 'candidates', 'ease', '1 mmr']
    """

    retrieve: Mapping[str, Mapping[str, Any]]
    rank: Mapping[str, Any] | None = None
    rerank: Sequence[Mapping[str, Any]] = field(default_factory=list)
    exclude_seen: bool = True
    name: str = "pipeline"

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """A pipeline as a TOML file describes it; it is not fitted yet.

        Raises:
            UsageError: If the file cannot be read, or a stage is not what it has to be.
        """
        made = cls(**load_pipeline_settings(path).model_dump())
        try:
            made._spec()
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error
        return made

    def fit(self, train: Dataset, *, threads: int | None = None, progress: Progress = quiet) -> Self:
        """Fit every stage on the training data.

        Args:
            train: The training part.
            threads: Threads to use; the result does not depend on it.
            progress: Called as work goes on.

        Returns:
            The pipeline itself.

        Raises:
            UsageError: If a stage is not what it has to be, or the data lacks what it needs.
        """
        spec = self._spec()
        self.retrievers_ = {label: build(label, about).fit(train, threads=threads, progress=progress)
                            for label, about in spec.retrievers.items()}  # fmt: skip
        self.ranker_ = self._fit_ranker(spec, train, threads, progress)
        self.rerankers_ = [rerankers.build(about) for about in spec.rerankers]
        models = [*self.retrievers_.values(), *([self.ranker_] if isinstance(self.ranker_, Recommender) else [])]
        self.users_ = train.user_vocabulary
        self.items_ = Vocabulary(pl.concat([model.items_.ids for model in models]))
        matrix = train.matrix()
        codes = self.items_.encode(train.item_vocabulary.ids)
        self.seen_ = UserItemMatrix(matrix.indptr, codes[matrix.indices], matrix.values, len(self.items_))
        for each in self.rerankers_:
            each.prepare(train, self.items_)
        self.train_ = next(iter(self.retrievers_.values())).train_
        return self

    def run(
        self,
        users: pl.Series | Iterable[Any] | None = None,
        *,
        k: int = 10,
        threads: int | None = None,
        progress: Progress = quiet,
    ) -> PipelineRun:
        """Recommend, and keep the lists of every stage.

        Args:
            users: User ids; by default all users of the training data. Users whom no retriever serves have no list.
            k: Length of the final lists.
            threads: Threads to use; the result does not depend on it.
            progress: Called as work goes on.

        Returns:
            The run. All candidates of all users are in memory; :meth:`recommend` keeps the final lists alone.
        """
        return self._run(self._wanted(users), k, threads, progress)

    def recommend(
        self,
        users: pl.Series | Iterable[Any] | None = None,
        *,
        k: int = 10,
        threads: int | None = None,
        progress: Progress = quiet,
    ) -> Recommendations:
        """The final lists, for any number of users in bounded memory; arguments as of :meth:`run`."""
        wanted = self._wanted(users)
        parts: list[pl.DataFrame] = []
        for part in chunk_ranges(len(wanted), _USERS_AT_A_TIME) or [range(0)]:
            parts.append(self._run(wanted[part.start : part.stop], k, threads, quiet).final.table)
            progress(f"recommend {self.name}", part.stop, len(wanted))
        return Recommendations(pl.concat(parts), self.name, self._card(k))

    def trace(self, user: Any, items: Iterable[Any] | None = None, *, k: int = 10) -> Trace:
        """Where items were lost on the way to one user's list.

        Args:
            user: The user.
            items: The items, such as those that she went on to choose; by default all her candidates.
            k: Length of the final list.

        Returns:
            The rank of each item at every stage, the stage that it did not leave, and why.

        Raises:
            UnknownNameError: If no retriever knows the user.
        """
        found = self.run([user], k=k)
        if not found.candidates.height:
            raise UnknownNameError("user of the pipeline", str(user), map(str, self.users_.ids.head(200)))
        asked = found.candidates[ITEM] if items is None else pl.Series(ITEM, list(items), self.items_.ids.dtype)
        whole = {
            label: model.recommend([user], k=len(model.items_), exclude_seen=self.exclude_seen).table
            for label, model in self.retrievers_.items()
        }
        row = int(self.users_.encode(pl.Series([user], dtype=self.users_.ids.dtype))[0])
        own = self.seen_.indices[self.seen_.indptr[row] : self.seen_.indptr[row + 1]] if row >= 0 else []
        table = trace_table(found, asked.unique(maintain_order=True), whole, self.items_.decode(own), self.items_.ids)
        return Trace(user, k, table)

    def save(self, folder: str | Path) -> None:
        """Write the fitted pipeline into an existing, empty folder: every model in a folder of its own, no pickle."""
        self._need_fit()
        saving.save_pipeline(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a pipeline that :meth:`save` wrote; nothing in the folder is executed.

        Raises:
            WorkspaceError: If the folder does not hold a whole pipeline.
        """
        return saving.load_pipeline(cls, Path(folder))

    def _spec(self) -> PipelineSpec:
        return check_spec(self.retrieve, self.rank, self.rerank)

    def _fit_ranker(
        self, spec: PipelineSpec, train: Dataset, threads: int | None, progress: Progress
    ) -> Recommender | BoostedRanker | None:
        if spec.ranker is None:
            return None
        if spec.boosted is not None:
            return fit_boosted(spec, train, exclude_seen=self.exclude_seen, threads=threads, progress=progress)
        ranker = build("rank", spec.ranker)
        # A retriever that is the ranker too is fitted once.
        twin = next((model for model in self.retrievers_.values() if model == ranker), None)
        return twin or ranker.fit(train, threads=threads, progress=progress)

    def _run(self, users: pl.Series, k: int, threads: int | None, progress: Progress) -> PipelineRun:
        self._need_fit()
        if k < 1:
            raise UsageError(f"k is {k}, expected 1 or more.")
        spec, steps = self._spec(), []
        total = len(self.retrievers_) + 1 + bool(self.ranker_) + len(self.rerankers_)

        def timed(stage: str, label: str, rows_in: int, work: Callable[[], pl.DataFrame]) -> pl.DataFrame:
            progress(f"{self.name}: {stage} {label}", len(steps), total)
            started = time.perf_counter()
            table = work()
            steps.append(Step(stage, label, len(users), rows_in, table.height, time.perf_counter() - started))
            return table

        retrieved: dict[str, Recommendations] = {}
        for label, model in self.retrievers_.items():

            def bring(model: Recommender = model, budget: int = spec.budgets[label]) -> pl.DataFrame:
                return model.recommend(users, k=budget, exclude_seen=self.exclude_seen, threads=threads).table

            retrieved[label] = Recommendations(timed("retrieve", label, len(model.items_), bring), label, {})
        brought = sum(len(lists) for lists in retrieved.values())
        candidates = timed("merge", "candidates", brought, lambda: merge(retrieved))
        ranked = timed("rank", spec.rank_label, candidates.height, lambda: self._rank(candidates, spec.keep, threads))
        reranked, last = {}, ranked
        for number, each in enumerate(self.rerankers_, 1):
            label = f"{number} {each.kind}"
            last = timed("rerank", label, last.height, lambda each=each, last=last: self._rerank(each, last, k))
            reranked[label] = Recommendations(last, label, {})
        final = last.filter(pl.col(RANK) <= k)
        progress(f"{self.name}: done", total, total)
        return PipelineRun(
            self.name, k, retrieved, candidates, Recommendations(ranked, spec.rank_label, {}), reranked,
            Recommendations(final, self.name, self._card(k)), tuple(steps),
        )  # fmt: skip

    def _rank(self, candidates: pl.DataFrame, keep: int, threads: int | None) -> pl.DataFrame:
        """The best candidates of each user: ``user_id, item_id, rank, score``; those without a score come last."""
        pairs = candidates.select(USER, ITEM, FUSED)
        if self.ranker_ is None:
            scored = pairs.with_columns(pl.col(FUSED).cast(pl.Float32).alias(SCORE))
        elif isinstance(self.ranker_, BoostedRanker):
            scores = self.ranker_.score(candidates, threads=LocalEngine(threads).threads)
            scored = pairs.with_columns(pl.Series(SCORE, scores))
        else:
            scored = self.ranker_.score(pairs, threads=threads)
        scored = scored.sort([USER, SCORE, FUSED, ITEM], descending=[False, True, True, False], nulls_last=True)
        scored = scored.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over(USER).alias(RANK))
        return scored.filter(pl.col(RANK) <= keep).select(USER, ITEM, RANK, SCORE)

    def _rerank(self, reranker: rerankers.Reranker, table: pl.DataFrame, k: int) -> pl.DataFrame:
        """The lists in the order of a re-ranker."""
        users = table[USER].unique(maintain_order=True)
        row = Vocabulary(users).encode(table[USER])
        place = table[RANK].to_numpy() - 1
        depth = int(place.max(initial=-1)) + 1
        items = np.full((len(users), depth), -1, np.int32)
        scores = np.full((len(users), depth), np.nan, np.float32)
        items[row, place] = self.items_.encode(table[ITEM])
        scores[row, place] = table[SCORE].fill_null(float("nan")).to_numpy()
        users = Vocabulary(users).ids
        codes = self.users_.encode(users).astype(np.int64)
        # Items that the ranker does not know stand at the end of their list: they are worth what its last known one is.
        scores = _fill_right(scores)
        parts: list[pl.DataFrame] = []
        for part in chunk_ranges(len(users), 256):
            at = slice(part.start, part.stop)
            lists = rerankers.RankedLists(codes[at], items[at], scores[at], self.seen_, k)
            found = reranker.rerank(lists)
            filled = found.items >= 0
            parts.append(pl.DataFrame({
                USER: users[part.start : part.stop].gather(np.nonzero(filled)[0]),
                ITEM: self.items_.decode(found.items[filled]),
                RANK: (np.cumsum(filled, axis=1)[filled]).astype(np.int32),
                SCORE: found.scores[filled],
            }))  # fmt: skip
        return pl.concat(parts) if parts else table

    def _wanted(self, users: pl.Series | Iterable[Any] | None) -> pl.Series:
        self._need_fit()
        if users is None:
            return self.users_.ids.alias(USER)
        asked = users if isinstance(users, pl.Series) else pl.Series(USER, list(users))
        return asked.alias(USER).unique(maintain_order=True)

    def _card(self, k: int) -> dict[str, Any]:
        return {
            "model": "pipeline",
            "parameters": {
                "retrieve": {label: dict(each) for label, each in self.retrieve.items()},
                "rank": None if self.rank is None else dict(self.rank),
                "rerank": [dict(each) for each in self.rerank],
            },
            "train": self.train_,
            "k": k,
            "exclude_seen": self.exclude_seen,
            "versions": versions(),
            "rules": [],
        }

    def _need_fit(self) -> None:
        if not hasattr(self, "seen_"):
            raise NotFittedError("the pipeline was not fitted. Call .fit(train) first.")


def _fill_right(scores: np.ndarray) -> np.ndarray:
    """Each row with its NaNs replaced by the last number before them; 0 where there is none."""
    known = ~np.isnan(scores)
    at = np.maximum.accumulate(np.where(known, np.arange(scores.shape[1]), 0), axis=1)
    return np.nan_to_num(np.take_along_axis(scores, at, axis=1))
