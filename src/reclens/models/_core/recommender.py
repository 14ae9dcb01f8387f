"""The base class of all recommenders: fit, recommend, score, explain, save."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset, UserItemMatrix, as_dataset
from reclens.data.titles import titles_of
from reclens.engine import LocalEngine, Progress, chunk_ranges, quiet
from reclens.errors import Advice, Setting, UnknownNameError, UsageError
from reclens.files import made_folder
from reclens.models._core.block import encode_where_possible
from reclens.models._core.degenerate import FitProblem, check_fit, say
from reclens.models._core.fit_weights import FitWeights, check_weights
from reclens.models._core.form import Form
from reclens.models._core.kernels import top_of_dense
from reclens.models._core.partial import Joined
from reclens.models._core.requests import check_k
from reclens.models._core.saving import load_model, save_model
from reclens.models._core.search_space import Space
from reclens.models._core.serving import Serving
from reclens.models._core.weights import say_odd_weights
from reclens.schema import ITEM, RANK, SCORE, Vocabulary

__all__ = ["Recommender"]


@dataclass(kw_only=True)
class Recommender(Serving):
    """Base class of all recommenders. Hyper-parameters are fields; learned attributes end in an underscore.

    A model writes ``_fit``, ``_scores`` (every item for a block of users), ``_reasons``; ``_state, _form, _restore``.
    One that finds the best items without scoring all of them writes ``_recommend`` too.
    """

    space: ClassVar[Mapping[str, Space]] = {}
    """Search space of the hyper-parameters."""
    predicts_ratings: ClassVar[bool] = False
    """Whether it can be fitted to predict ratings."""
    relates_items: ClassVar[bool] = False
    """Whether :meth:`similar_items` is supported."""
    takes_weights: ClassVar[bool] = False
    """Whether :meth:`fit` takes weights of interactions and users."""
    extra: ClassVar[str | None] = None
    """The extra of RecLens that :meth:`fit` needs, such as ``"deep"``; None for the core."""

    @property
    def cold_items(self) -> bool:
        """Whether items of the items table that have no interaction can be recommended."""
        return False

    def fit(
        self, train: Dataset | Any, *, weights: Any = None, threads: int | None = None, progress: Progress = quiet
    ) -> Self:
        """Learn from the training data, which is not changed.

        Args:
            train: The training part: a data set, or a frame ``user_id, item_id, …`` of any library.
            weights: How much each interaction counts, 0 or more, for models with ``takes_weights``: one number for each
                row of ``train.interactions``; or a frame ``user_id, item_id, weight`` of all pairs, or ``user_id,
                weight`` of all users. 2 counts as the same interaction, or the same user, twice. The card has their
                range and their hash. Rules for hyper-parameters that are None look at the data without weights.
            threads: Threads to use; the result does not depend on it.
            progress: Callback for the progress.

        Returns:
            The model itself.

        Raises:
            UsageError: If a hyper-parameter is out of range, the data lacks what the model needs, or weights are
                negative, not finite, of another length, or given to a model that takes none.
            DataError: If weights are of other users or pairs than those of the training data.
            ArgumentTypeError: If ``train`` is neither a data set nor a frame.

        Warns:
            WeightsWarning: If interactions have weights of zero or below: they count as one, like all others.
            FitWarning: If the fit is of no use, or of less than it seems; ``problems_`` has the codes and the numbers.
        """
        self._check()
        train = as_dataset(train, argument="train")
        if not train.interactions.height:
            raise UsageError(f"the training data '{train.name}' holds no interaction: there is nothing to learn.")
        self.users_, self.items_ = train.user_vocabulary, self._catalogue(train)
        self.seen_ = self._over_catalogue(train.matrix(), train.item_vocabulary)
        self.train_ = {
            "name": train.name,
            "hash": train.fingerprint,
            "split": train.card.get("split"),
            "synthetic": bool(train.card.get("synthetic")),
        }
        odd = say_odd_weights(train)
        if odd:
            self.train_["weights"] = odd
        self.titles_ = titles_of(train.items, self.items_)
        given = None if weights is None else check_weights(weights, train)
        progress(f"fit {self.name}", 0, 1)
        self.resolve(train)
        if given is None:
            self._fit(train, LocalEngine(threads), progress)
        else:
            self._fit_weighted(train, given, LocalEngine(threads), progress)
            self.train_["fit_weights"] = given.card
        self.problems_ = tuple(check_fit(self, threads=threads))
        progress(f"fit {self.name}", 1, 1)
        say(self.name, self.problems_, stacklevel=2)
        return self

    @property
    def adds_up(self) -> bool:
        """Whether :meth:`partial_fit` can learn more: everything it learned is made of counts that can be added to."""
        return False

    def partial_fit(self, more: Dataset, *, threads: int | None = None, progress: Progress = quiet) -> Self:
        """Learn more interactions, for models that are made of counts (``adds_up``): popular, item_knn, ease.

        The model is then what :meth:`fit` gives on all the data together: new users and new items join, and a pair that
        was known counts once. What is kept of counts is made at the first call and lives in memory, not in the folder
        of a saved model; later calls count only what changed.

        Args:
            more: More interactions; its attributes of users are not looked at.
            threads: Threads to use; the result does not depend on it.
            progress: Callback for the progress.

        Returns:
            The model itself. Its card names both data sets.

        Raises:
            NotFittedError: If the model was not fitted.
            UsageError: If the model, or its configuration, is not made of counts, or it was fitted with weights.
            DataError: If ids are integers on one side and text on the other.
        """
        self._need_fit()
        if "fit_weights" in self.train_:
            raise UsageError(
                f"this {self.name} was fitted with weights, and new interactions have none. Fit it on all data again."
            )
        if not self.adds_up:
            raise UsageError(
                f"this {self.name} cannot learn more without the data it was fitted on",
                advice=Advice(
                    "fit_again",
                    (Setting("weighting", "none", "model"),),
                    "Fit it on all data again. popular and ease can, and item_knn of histories with {weighting}.",
                ),
            )
        joined = Joined.of(self.users_, self.items_, self.seen_, more)
        self._learn_more(joined, LocalEngine(threads), progress)
        titles = titles_of(more.items, joined.items)
        if self.titles_ is not None:
            old = pl.Series([None] * len(joined.items), dtype=pl.String).scatter(joined.old_items, self.titles_)
            titles = old if titles is None else old.zip_with(old.is_not_null(), titles)
        self.users_, self.items_, self.seen_, self.titles_ = joined.users, joined.items, joined.after, titles
        both = hashlib.blake2b(f"{self.train_['hash']}+{more.fingerprint}".encode(), digest_size=8).hexdigest()
        self.train_ = {
            **self.train_,
            "hash": both,
            "added": [*self.train_.get("added", []), more.name],
            "synthetic": self.train_["synthetic"] or bool(more.card.get("synthetic")),
        }
        self.problems_ = tuple(check_fit(self, threads=threads))
        say(self.name, self.problems_, stacklevel=2)
        return self

    def _learn_more(self, joined: Joined, engine: LocalEngine, progress: Progress) -> None:
        """Update the learned state; implemented by models with ``adds_up``."""
        raise NotImplementedError

    def predict(
        self,
        pairs: pl.DataFrame,
        *,
        fallback: str = "mean",
        clip: bool = True,
        threads: int | None = None,
        progress: Progress = quiet,
    ) -> pl.DataFrame:
        """The rating that each user is predicted to give each item, for models that predict ratings.

        Raises:
            UsageError: Naming the models that do, if this one does not.
        """
        from reclens.models import get, names

        able = " and ".join(name for name in names() if get(name).predicts_ratings)
        raise UsageError(
            f"{self.name} does not predict ratings",
            advice=Advice(
                "predict_by", (Setting("feedback", "explicit", "model"),), f"Models that do: {able}, with {{feedback}}."
            ),
        )

    def similar_items(self, items: Any, *, k: int = 10) -> pl.DataFrame:
        """The items that are most like given items, in the geometry that the model learned.

        Neighbour models give the similarity, linear models the weight with which the item given speaks for another,
        factor models the cosine of the vectors, and ``content`` the mean of the cosines of the columns.

        Args:
            items: An id or several; they need no interaction where the model knows items without.
            k: How many for each.

        Returns:
            ``seed_item, item_id, rank, score``: the seeds in the order given, each once, and for each the most similar
            items first, equal ones by id; only scores above 0, and never the seed itself.

        Raises:
            NotFittedError: If the model was not fitted.
            UsageError: If k is below 1, or the model does not know which items are alike.
            UnknownNameError: If an item is not in the catalogue.
        """
        self._need_fit()
        if not self.relates_items:
            from reclens.models import get, names

            able = ", ".join(name for name in names() if get(name).relates_items)
            raise UsageError(f"{self.name} does not know which items are alike. Models that do: {able}.")
        check_k(k)
        single = isinstance(items, str) or not isinstance(items, Iterable)
        seeds = pl.Series("seed_item", [items] if single else items).unique(maintain_order=True)
        codes = np.array(encode_where_possible(self.items_, seeds))
        if (codes < 0).any():
            unknown = str(seeds[int((codes < 0).argmax())])
            raise UnknownNameError("item", unknown, map(str, self.items_.ids.head(200)))
        n, width = len(codes), min(k, len(self.items_))
        found, scores = np.empty((n, width), np.int32), np.empty((n, width), np.float32)
        for part in chunk_ranges(n, self._block_size()):
            at = slice(part.start, part.stop)
            rows, places = self._similarities(codes[at]), np.arange(len(part) + 1)
            top_of_dense(places[:-1], rows, places, codes[at], True, np.float32(0), found[at], scores[at])
        listed = found >= 0
        return pl.DataFrame(
            {
                "seed_item": seeds.gather(np.nonzero(listed)[0]),
                ITEM: self.items_.decode(found[listed]),
                RANK: np.cumsum(listed, axis=1, dtype=np.int32)[listed],
                SCORE: scores[listed],
            }
        )

    def save(self, folder: str | Path) -> None:
        """Write the model into a folder, which is made where it is not there: arrays, ids and JSON, never a pickle.

        Raises:
            WorkspaceError: If a file has that name, or the folder cannot be made.
        """
        self._need_fit()
        save_model(self, made_folder(folder))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a model that :meth:`save` wrote; nothing in the folder is executed.

        Raises:
            DataError: If the folder does not hold a whole model of this kind.
        """
        return load_model(cls, Path(folder))

    def _check(self) -> None:
        """Raise UsageError for a hyper-parameter out of range."""
        return

    def _problems(self) -> list[FitProblem]:
        """Problems of the fit that the model itself detects."""
        return []

    @abstractmethod
    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None: ...

    def _fit_weighted(self, train: Dataset, weights: FitWeights, engine: LocalEngine, progress: Progress) -> None:
        """Fit with weights; implemented by models with ``takes_weights``."""
        from reclens.models import get, names

        able = ", ".join(name for name in names() if get(name).takes_weights)
        raise UsageError(f"{self.name} takes no weights. Models that do: {able}.")

    def _similarities(self, items: np.ndarray) -> np.ndarray:
        """Similarity of some items to all: float32, shape (n, items), at most 0 for dissimilar ones; may be modified.

        Implemented by models with ``relates_items``.
        """
        raise NotImplementedError

    @abstractmethod
    def _state(self) -> dict[str, np.ndarray]: ...

    def _form(self) -> Mapping[str, Form]:
        """Forms of the arrays of :meth:`_state`, which are checked when a model is saved and loaded."""
        return {}

    @abstractmethod
    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None: ...

    def _parts(self) -> dict[str, Recommender]:
        """The fitted models that this one consists of, by label; each is saved in its own folder."""
        return {}

    def _restore_parts(self, parts: dict[str, Recommender]) -> None:
        """Restore the models of :meth:`_parts`; called before :meth:`_restore`."""
        assert not parts

    def _catalogue(self, train: Dataset) -> Vocabulary:
        """The items that can be recommended."""
        if not self.cold_items or train.items is None:
            return train.item_vocabulary
        return Vocabulary(
            pl.concat([train.item_vocabulary.ids, train.items[ITEM].cast(train.item_vocabulary.ids.dtype)])
        )

    def _over_catalogue(self, matrix: UserItemMatrix, items: Vocabulary) -> UserItemMatrix:
        """Recode the columns of a matrix to the catalogue; both are sorted, so that columns stay ascending."""
        if len(items) == len(self.items_):
            return matrix
        codes = self.items_.encode(items.ids)
        return UserItemMatrix(matrix.indptr, codes[matrix.indices], matrix.values, len(self.items_))
