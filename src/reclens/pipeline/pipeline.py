"""The staged recommender of production systems: retrieve, rank, re-rank (Covington, Adams, Sargin 2016)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, Self

import polars as pl

from reclens.cards import ListsCard
from reclens.data.dataset import Dataset, UserItemMatrix, as_dataset
from reclens.engine import Progress, chunk_ranges, quiet
from reclens.errors import NotFittedError, UnknownNameError, UsageError
from reclens.files import made_folder
from reclens.models import Recommender, build
from reclens.models._core.block import encode_where_possible
from reclens.models._core.requests import COLD_USERS, ColdUsers, HistoryMode, Items, asked_users, check_choice
from reclens.pipeline import rerank as rerankers
from reclens.pipeline import saving
from reclens.pipeline.boosted import BoostedRanker
from reclens.pipeline.counts import Counts, PipelineWarning, card_of
from reclens.pipeline.learn import fit_boosted
from reclens.pipeline.requests import Known, Request
from reclens.pipeline.run import PipelineRun
from reclens.pipeline.settings import load_pipeline_settings
from reclens.pipeline.specs import PipelineSpec, check_spec
from reclens.pipeline.stages import Stages
from reclens.pipeline.tracing import Retrieved, RetrievedCode, Trace, make_trace
from reclens.pipeline.vectors import build_retriever, plain_stages
from reclens.schema import ITEM, RANK, USER, Recommendations, Vocabulary, versions

__all__ = ["Pipeline"]

_NOTHING = Request()
_USERS_AT_A_TIME = 2_000
"""Users whose candidates are in memory at a time when only the final lists are kept."""


@dataclass(kw_only=True)
class Pipeline:
    """Several retrievers with k items each, one set of candidates, a ranker, re-rankers.

    Attributes:
        retrieve: Label -> the retriever: the parameters of a model, its name under ``model`` where the label is another
            one, and ``k``, the items it brings for each user. ``model = "vectors"`` asks a vector store, see
            :class:`~reclens.pipeline.vectors.VectorRetriever`.
        rank: The ranker: a model as above under ``model``, or ``model = "boosted"`` for trees that learn from the
            candidates; and ``keep``, the places that go on to the re-rankers (100, or k if that is more). None keeps
            the order of the candidates, which is the reciprocal-rank fusion of the retrievers.
        rerank: The re-rankers in order, each with its ``kind``; see :mod:`reclens.pipeline.rerank`.
        exclude_seen: Whether retrievers leave out what the user has already had.
        name: Name of the system.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> train = synthetic_movielens(n_users=60, n_items=50, n_ratings=1_500)
        >>> pipeline = Pipeline(
        ...     retrieve={"item_knn": {"k": 20}, "popular": {"k": 10}},
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

    def fit(self, train: Dataset | Any, *, threads: int | None = None, progress: Progress = quiet) -> Self:
        """Fit every stage on the training data.

        Args:
            train: The training part: a data set, or a frame ``user_id, item_id, …`` of any library.
            threads: Threads to use; the result does not depend on it.
            progress: Callback for the progress.

        Returns:
            The pipeline itself.

        Raises:
            UsageError: If a stage is not what it has to be, or the data lacks what it needs.
        """
        spec, train = self._spec(), as_dataset(train, argument="train")
        self.retrievers_ = {
            label: build_retriever(label, about).fit(train, threads=threads, progress=progress)
            for label, about in spec.retrievers.items()
        }
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
        exclude: Items | None = None,
        candidates: Items | None = None,
        history: pl.DataFrame | None = None,
        history_mode: HistoryMode = "add",
        cold_users: ColdUsers = "popular",
        threads: int | None = None,
        progress: Progress = quiet,
    ) -> PipelineRun:
        """Recommend, and keep the lists of every stage.

        Args:
            users: User ids; by default all users of the training data, or of ``history``. Lists come in this order.
            k: Length of the final lists.
            exclude: Items that no retriever may bring: ids, or a frame ``user_id, item_id``.
            candidates: The only items that retrievers may bring: ids, or a frame ``user_id, item_id``. A retriever that
                knows none of a user's candidates brings nothing; that is no error as long as any stage knows one.
            history: What users did, ``user_id, item_id``, since the fit or before they were known.
            history_mode: ``"add"`` to the training data of a known user, or ``"replace"`` it.
            cold_users: What a user gets to whom no retriever brings an item: ``"popular"``, the items with the most
                training users go on to the ranker and the re-rankers as their candidates; or ``"none"``, no list.
            threads: Threads to use; the result does not depend on it.
            progress: Callback for the progress.

        Returns:
            The run. All candidates of all users are in memory; :meth:`recommend` keeps the final lists alone.

        Raises:
            DataError: If no stage knows any of the candidates.

        Warns:
            PipelineWarning: If ``keep`` of the ranker is below k, so that no list can be whole.
        """
        request = Request(
            exclude=exclude, candidates=candidates, history=history, history_mode=history_mode, cold_users=cold_users
        )
        run = self._run(self._wanted(users, request), k, threads, progress, request)
        _warn(run.final.card)
        return run

    def recommend(
        self,
        users: pl.Series | Iterable[Any] | None = None,
        *,
        k: int = 10,
        exclude: Items | None = None,
        candidates: Items | None = None,
        history: pl.DataFrame | None = None,
        history_mode: HistoryMode = "add",
        cold_users: ColdUsers = "popular",
        threads: int | None = None,
        progress: Progress = quiet,
    ) -> Recommendations:
        """The final lists, for any number of users in bounded memory; arguments and warnings as of :meth:`run`.

        Returns:
            The lists. The card says what each stage took in and gave out (``stages``), what each filter left out
            (``filters``) and what a reader has to know (``rules``), each counted.
        """
        request = Request(
            exclude=exclude, candidates=candidates, history=history, history_mode=history_mode, cold_users=cold_users
        )
        runs = self.batches(users, k=k, request=request, threads=threads, progress=progress)
        (final,) = self._collect(runs, k, lambda run: (run.final,))
        _warn(final.card)
        return final

    def recommend_with_fusion(
        self,
        users: pl.Series | Iterable[Any] | None = None,
        *,
        k: int = 10,
        threads: int | None = None,
        progress: Progress = quiet,
    ) -> tuple[Recommendations, Recommendations, Recommendations]:
        """The final lists, those of the ranker before any re-ranker, and those of plain fusion of the same candidates.

        Arguments and warnings are those of :meth:`recommend`, whose lists come first.
        """
        runs = self.batches(users, k=k, threads=threads, progress=progress)
        final, ranked, fused = self._collect(runs, k, lambda run: (run.final, run.ranked, run.fused))
        _warn(final.card)
        return final, ranked, fused

    def batches(
        self,
        users: pl.Series | Iterable[Any] | None = None,
        *,
        k: int = 10,
        request: Request = _NOTHING,
        threads: int | None = None,
        progress: Progress = quiet,
    ) -> Iterator[PipelineRun]:
        """Runs over a part of the users each, one after the other: every stage in bounded memory; as :meth:`run`."""
        wanted = self._wanted(users, request)
        # A re-ranker that looks at all lists together needs all of them in memory.
        together = any(each.together for each in self.rerankers_)
        size = max(len(wanted), 1) if together else _USERS_AT_A_TIME
        for part in chunk_ranges(len(wanted), size) or [range(0)]:
            yield self._run(wanted[part.start : part.stop], k, threads, quiet, request)
            progress(f"recommend {self.name}", part.stop, len(wanted))

    def trace(
        self,
        user: Any,
        items: Iterable[Any] | None = None,
        *,
        k: int = 10,
        history: pl.DataFrame | None = None,
        history_mode: HistoryMode = "add",
    ) -> Trace:
        """Where items were lost on the way to one user's list.

        Args:
            user: The user.
            items: The items, such as those that they went on to choose; by default all their candidates.
            k: Length of the final list.
            history: What users did, ``user_id, item_id``, as in :meth:`recommend`.
            history_mode: ``"add"`` or ``"replace"``, as in :meth:`recommend`.

        Returns:
            The rank of each item at every stage, the stage that it did not leave, and why.

        Raises:
            UnknownNameError: If the user is neither in the training data nor in ``history``, and no retriever serves
                strangers.
        """
        request = Request(history=history, history_mode=history_mode, cold_users="none")  # what retrievers bring
        asked_user = self._wanted([user], request)
        found = self._run(asked_user, k, None, quiet, request)
        request = request.about(asked_user)
        known = Known.of(asked_user, request, known=self.users_, items=self.items_, seen=self.seen_)
        in_training = encode_where_possible(self.users_, asked_user)[0] >= 0
        if not in_training and known.n_strangers and not found.candidates.height:
            raise UnknownNameError("user of the pipeline", str(user), map(str, self.users_.ids.head(200)))
        asked = found.candidates[ITEM] if items is None else pl.Series(ITEM, list(items), self.items_.ids.dtype)
        whole = {
            label: model.recommend(
                asked_user,
                k=len(model.items_),
                exclude_seen=self.exclude_seen,
                **request.of_retrievers(asked_user, model.items_),
            ).table
            for label, model in self.retrievers_.items()
        }
        brought = tuple(self._brought(label, request, known, found, whole[label].height) for label in self.retrievers_)
        return make_trace(
            user,
            found,
            asked.unique(maintain_order=True),
            ceilings=whole,
            seen=self.items_.decode(known.seen.indices),
            known=self.items_.ids,
            retrievers=brought,
        )

    def save(self, folder: str | Path) -> None:
        """Write the fitted pipeline into a folder, made where it is absent: a folder a model, and no pickle."""
        self._need_fit()
        saving.save_pipeline(self, made_folder(folder))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a pipeline that :meth:`save` wrote; nothing in the folder is executed.

        Raises:
            DataError: If the folder does not hold a whole pipeline.
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

    def _run(
        self, users: pl.Series, k: int, threads: int | None, progress: Progress, request: Request = _NOTHING
    ) -> PipelineRun:
        self._need_fit()
        stages = Stages(
            name=self.name,
            spec=self._spec(),
            exclude_seen=self.exclude_seen,
            retrievers=self.retrievers_,
            ranker=self.ranker_,
            rerankers=self.rerankers_,
            users=self.users_,
            items=self.items_,
            seen=self.seen_,
        )
        return stages.run(users, request.about(users), k=k, card=self._card(k), threads=threads, progress=progress)

    def _collect(
        self, runs: Iterable[PipelineRun], k: int, pick: Callable[[PipelineRun], Sequence[Recommendations]]
    ) -> list[Recommendations]:
        """The first k places of some lists of each run, put together; the first ones get the counts of all runs."""
        tables: list[list[pl.DataFrame]] = []
        counts: list[Counts] = []
        picked: Sequence[Recommendations] = ()
        for run in runs:
            picked = pick(run)
            tables.append([lists.table.filter(pl.col(RANK) <= k) for lists in picked])
            counts.append(run.counts)
        total = card_of(reduce(add, counts))
        cards = [lists.card if at else lists.card | total for at, lists in enumerate(picked)]
        wholes = (pl.concat(parts) for parts in zip(*tables, strict=True))
        return [
            Recommendations(whole, lists.name, card) for whole, lists, card in zip(wholes, picked, cards, strict=True)
        ]

    def _brought(self, label: str, request: Request, known: Known, run: PipelineRun, whole: int) -> Retrieved:
        """What one retriever has for a user, and if that is nothing, why."""
        model, n = self.retrievers_[label], run.retrieved[label].table.height
        code: RetrievedCode = "served"
        if not n and model.is_personalized and known.n_strangers:
            code = "unknown_user"
        elif not n:
            asked = request.of_retrievers(known.users, model.items_)
            seen_too = model.recommend(known.users, k=1, exclude_seen=False, **asked).table.height
            code = "all_seen" if self.exclude_seen and seen_too else "no_score"
        return Retrieved(label, n, whole, code)

    def _wanted(self, users: pl.Series | Iterable[Any] | None, request: Request = _NOTHING) -> pl.Series:
        self._need_fit()
        check_choice("cold_users", request.cold_users, COLD_USERS)
        known = self.users_.ids if request.history is None else request.history[USER].unique().sort()
        wanted = asked_users(users, known)
        request.check_candidates(wanted, self.items_)
        return wanted

    def _card(self, k: int) -> ListsCard:
        return {
            "model": "pipeline",
            "parameters": {
                "retrieve": plain_stages(self.retrieve),
                "rank": None if self.rank is None else dict(self.rank),
                "rerank": [dict(each) for each in self.rerank],
            },
            "train": self.train_,
            "k": k,
            "exclude_seen": self.exclude_seen,
            "versions": versions(),
            "learned": self.ranker_.learned_ if isinstance(self.ranker_, BoostedRanker) else None,
        }

    def _need_fit(self) -> None:
        if not hasattr(self, "seen_"):
            raise NotFittedError("the pipeline was not fitted. Call .fit(train) first.")


def _warn(card: ListsCard) -> None:
    for rule in card.get("rules", ()):
        if rule["code"] == "keep_below_k":
            keep, k = rule["facts"]["keep"], rule["facts"]["k"]
            words = f"the ranker's keep = {keep} is below k = {k}: no list is longer than {keep}. Raise keep, or ask"
            warnings.warn(f"{words} for fewer.", PipelineWarning, stacklevel=3)
