"""What every recommender is: fit, recommend, score, explain, save."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.engine import LocalEngine, Progress, chunk_ranges, quiet
from reclens.errors import DataError, NotFittedError, UnknownNameError, UsageError
from reclens.models._explanation import Explanation, explain_in_words
from reclens.models._kernels import top_of_dense
from reclens.models._saving import load_model, save_model
from reclens.models._space import Space
from reclens.schema import ITEM, RANK, SCORE, USER, Recommendations, Vocabulary, fingerprint, versions

__all__ = ["Block", "Recommender", "encode_where_possible", "top_of_scores"]


@dataclass(frozen=True, eq=False)
class Block:
    """A block of users to be served.

    Attributes:
        users: Row of each user in ``seen``; -1 for a user of whom nothing is known; int64, shape (n,).
        seen: Histories: of the training data, or those that came with the question.
        told: Whether the histories came with the question; the rows of ``seen`` then are no training users.
        keys: Stable key of each user, uint64, shape (n,).
        k: Items wanted.
        exclude_seen: Whether items of the history are left out.
    """

    users: np.ndarray
    seen: UserItemMatrix
    told: bool
    keys: np.ndarray
    k: int
    exclude_seen: bool


@dataclass(kw_only=True)
class Recommender(ABC):
    """The contract of every recommender. Hyper-parameters are fields; what was learned ends in an underscore.

    A model writes ``_fit``, ``_scores`` (every item for a block of users), ``_reasons``, ``_state`` and ``_restore``.
    One that finds the best items without scoring all of them writes ``_recommend`` too.
    """

    name: ClassVar[str]
    floor: ClassVar[float] = -np.inf
    """Only items with a score above it are recommended."""
    space: ClassVar[Mapping[str, Space]] = {}
    """What a search over hyper-parameters draws from."""
    predicts_ratings: ClassVar[bool] = False
    """Whether it can be fitted so that it predicts ratings."""

    @property
    def personal(self) -> bool:
        """Whether a user has to be known, from the training data or from a given history, to be served."""
        return True

    @property
    def folds_in(self) -> bool:
        """Whether a user who came after the fit can be served from a history that is given with the question."""
        return False

    @property
    def cold_items(self) -> bool:
        """Whether items of the items table that have no interaction can be recommended."""
        return False

    def fit(self, train: Dataset, *, threads: int | None = None, progress: Progress = quiet) -> Self:
        """Learn from the training data, which is not changed.

        Args:
            train: The training part.
            threads: Threads to use; the result does not depend on it.
            progress: Called as work goes on.

        Returns:
            The model itself.

        Raises:
            UsageError: If a hyper-parameter is out of range, or the data lacks what the model needs.
        """
        self._check()
        if not train.interactions.height:
            raise UsageError(f"the training data '{train.name}' holds no interaction: there is nothing to learn.")
        self.users_, self.items_ = train.user_vocabulary, self._catalogue(train)
        self.seen_ = self._over_catalogue(train.matrix(), train.item_vocabulary)
        self.train_ = {"name": train.name, "hash": train.fingerprint, "split": train.card.get("split"),
                       "synthetic": bool(train.card.get("synthetic"))}  # fmt: skip
        progress(f"fit {self.name}", 0, 1)
        self._fit(train, LocalEngine(threads), progress)
        progress(f"fit {self.name}", 1, 1)
        return self

    def recommend(
        self,
        users: pl.Series | Iterable[Any] | None = None,
        *,
        k: int = 10,
        exclude_seen: bool = True,
        history: pl.DataFrame | None = None,
        threads: int | None = None,
        progress: Progress = quiet,
    ) -> Recommendations:
        """The k best items of each user, best first; equal scores by item id.

        Args:
            users: User ids; by default all users of the training data, or of ``history``.
            k: Length of the lists. A list is shorter where fewer items have a score above nothing.
            exclude_seen: Whether items of the user's history are left out.
            history: What users did, ``user_id, item_id``, to recommend from instead of the training data: for users
                who came after the fit (fold-in). Items that the model does not know are left out and counted.
            threads: Threads to use; the result does not depend on it.
            progress: Called as work goes on.

        Returns:
            The lists. The card counts users who are not in the training data and short lists.

        Raises:
            NotFittedError: If the model was not fitted.
            UsageError: If k is below 1, or a history is given to a model that knows users by their id alone.
        """
        self._need_fit()
        if k < 1:
            raise UsageError(f"k is {k}, expected 1 or more.")
        known, seen, outside = self._histories(history)
        wanted = self._wanted(users, known)
        codes = known.encode(wanted).astype(np.int64)
        served = np.ones(len(codes), bool) if not self.personal else codes >= 0
        unknown = int((codes < 0).sum())
        wanted, codes = wanted.filter(served), codes[served]
        keys = self._keys(wanted)
        width = min(k, len(self.items_))
        items = np.full((len(codes), width), -1, np.int32)
        scores = np.full((len(codes), width), np.nan, np.float32)

        def serve(part: range) -> int:
            at = slice(part.start, part.stop)
            block = Block(codes[at], seen, history is not None, keys[at], width, exclude_seen)
            items[at], scores[at] = self._recommend(block)
            return len(part)

        done = 0
        for count in LocalEngine(threads).map(serve, chunk_ranges(len(codes), self._block_size())):
            done += count
            progress(f"recommend {self.name}", done, len(codes))
        rules = [
            ("users without training data", unknown, "no list" if self.personal else "served like everybody"),
            ("items of the history that the model does not know", outside, "left out"),
            *self._rules(codes, seen, history is not None),
        ]
        return self._pack(wanted, items, scores, k=k, exclude_seen=exclude_seen, rules=rules)

    def score(self, pairs: pl.DataFrame, *, threads: int | None = None, progress: Progress = quiet) -> pl.DataFrame:
        """The score of given items for given users, seen or not: what a ranking stage needs.

        Args:
            pairs: ``user_id, item_id``, in any order.
            threads: Threads to use; the result does not depend on it.
            progress: Called as work goes on.

        Returns:
            The pairs, in their order, with ``score`` (float32); null where the model does not know the user or the
            item.
        """
        self._need_fit()
        users = pairs[USER].unique()
        codes = self.users_.encode(users).astype(np.int64)
        if self.personal:
            users, codes = users.filter(codes >= 0), codes[codes >= 0]
        rows = encode_where_possible(Vocabulary(users), pairs[USER])
        columns = encode_where_possible(self.items_, pairs[ITEM])
        order = np.argsort(rows, kind="stable")
        begins = np.searchsorted(rows[order], np.arange(len(users) + 1))
        users = Vocabulary(users).ids
        codes, keys = self.users_.encode(users).astype(np.int64), self._keys(users)
        found = np.full(len(rows), np.nan, np.float32)

        def task(part: range) -> int:
            at = slice(part.start, part.stop)
            dense = self._scores(Block(codes[at], self.seen_, False, keys[at], 1, False))
            mine = order[begins[part.start] : begins[part.stop]]
            mine = mine[columns[mine] >= 0]
            found[mine] = dense[rows[mine] - part.start, columns[mine]]
            return len(part)

        done = 0
        for count in LocalEngine(threads).map(task, chunk_ranges(len(users), self._block_size())):
            done += count
            progress(f"score {self.name}", done, len(users))
        return pairs.with_columns(pl.Series(SCORE, found, nan_to_null=True))

    def predict(
        self, pairs: pl.DataFrame, *, fallback: str = "mean", clip: bool = True, threads: int | None = None,
        progress: Progress = quiet,
    ) -> pl.DataFrame:  # fmt: skip
        """The rating that each user is predicted to give each item, for models that predict ratings.

        Raises:
            UsageError: Naming the models that do, if this one does not.
        """
        from reclens.models import get, names

        able = " and ".join(name for name in names() if get(name).predicts_ratings)
        raise UsageError(f"{self.name} does not predict ratings. Models that do: {able}, with feedback='explicit'.")

    def explain(self, user: Any, item: Any, *, n: int = 5) -> Explanation:
        """Why the model scores an item as it does for a user: the reasons whose contributions add up to the score.

        Raises:
            UnknownNameError: If the user or the item is not in the training data.
        """
        self._need_fit()
        codes: list[int] = []
        for what, value, vocabulary in (("user", user, self.users_), ("item", item, self.items_)):
            code = self._code(value, vocabulary)
            if code < 0 and (what == "item" or self.personal):
                raise UnknownNameError(f"{what} in the training data", str(value), map(str, vocabulary.ids.head(200)))
            codes.append(code)
        kind, ids, parts = self._reasons(codes[0], codes[1])
        order = np.argsort(-np.abs(parts), kind="stable")[:n]
        reasons = tuple((ids[int(at)], float(parts[at])) for at in order)
        score = float(parts.sum())
        rest = score - sum(part for _, part in reasons)
        return Explanation(user, item, score, kind, reasons, rest, explain_in_words(kind, reasons, item))

    def save(self, folder: str | Path) -> None:
        """Write the model into an existing folder: arrays, ids and a JSON header, never a pickle."""
        self._need_fit()
        save_model(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a model that :meth:`save` wrote; nothing in the folder is executed.

        Raises:
            WorkspaceError: If the folder does not hold a whole model of this kind.
        """
        return load_model(cls, Path(folder))

    def _check(self) -> None:
        """Raise UsageError for a hyper-parameter out of range; most models have none that can be."""
        return

    def _block_size(self) -> int:
        """Users served at a time: dense scores of a block stay within 8 MB, and there are blocks for every thread."""
        return int(np.clip(2_000_000 // max(len(self.items_), 1), 1, 4096))

    @abstractmethod
    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None: ...

    @abstractmethod
    def _scores(self, block: Block) -> np.ndarray:
        """The score of every item, seen or not, for a block of users: float32, shape (n, items); free to be changed.

        Items that are not to be recommended have a score at or below ``floor``.
        """

    def _recommend(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Item codes (int32, -1 fills up) and scores (float32) of a block, shape (n, k) each, best first."""
        return top_of_scores(self._scores(block), block, self.floor)

    @abstractmethod
    def _reasons(self, user: int, item: int) -> tuple[str, list[Any], np.ndarray]:
        """Kind, ids and contributions of everything that adds up to a score."""

    @abstractmethod
    def _state(self) -> dict[str, np.ndarray]: ...

    @abstractmethod
    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None: ...

    def _parts(self) -> dict[str, Recommender]:
        """The fitted models that this one is made of, by label; each is saved in a folder of its own."""
        return {}

    def _restore_parts(self, parts: dict[str, Recommender]) -> None:
        """Take the models back that :meth:`_parts` gave; called before :meth:`_restore`."""
        assert not parts

    def _catalogue(self, train: Dataset) -> Vocabulary:
        """The items that can be recommended."""
        if not self.cold_items or train.items is None:
            return train.item_vocabulary
        return Vocabulary(
            pl.concat([train.item_vocabulary.ids, train.items[ITEM].cast(train.item_vocabulary.ids.dtype)])
        )

    def _over_catalogue(self, matrix: UserItemMatrix, items: Vocabulary) -> UserItemMatrix:
        """A matrix over some items, its columns recoded to the catalogue; both are sorted, so that columns ascend."""
        if len(items) == len(self.items_):
            return matrix
        codes = self.items_.encode(items.ids)
        return UserItemMatrix(matrix.indptr, codes[matrix.indices], matrix.values, len(self.items_))

    def _histories(self, history: pl.DataFrame | None) -> tuple[Vocabulary, UserItemMatrix, int]:
        """Who is known and what they have, and how many rows of a given history are about unknown items."""
        if history is None:
            return self.users_, self.seen_, 0
        if self.personal and not self.folds_in:
            raise UsageError(
                f"{self.name} knows users by their id alone and cannot use a history. Fit it on the history too, or "
                "use a model that folds in: reclens models list."
            )
        absent = [column for column in (USER, ITEM) if column not in history.columns]
        if absent:
            raise DataError(f"the history lacks {', '.join(absent)}", source="history", fix="Rename its columns.")
        rows = history.filter(pl.Series(self.items_.encode(history[ITEM]) >= 0, dtype=pl.Boolean))
        told = Dataset(rows.select(USER, ITEM))
        users = Vocabulary(history[USER])
        matrix = told.matrix()
        # A user whose items are all unknown has an empty row.
        lengths = np.zeros(len(users), np.int64)
        lengths[users.encode(told.user_vocabulary.ids)] = np.diff(matrix.indptr)
        codes = self.items_.encode(told.item_vocabulary.ids)
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        seen = UserItemMatrix(indptr, codes[matrix.indices], matrix.values, len(self.items_))
        return users, seen, history.height - rows.height

    def _need_fit(self) -> None:
        if not hasattr(self, "seen_"):
            raise NotFittedError(f"{type(self).__name__} was not fitted. Call .fit(train) first.")

    def _code(self, value: Any, vocabulary: Vocabulary) -> int:
        """The code of one id; -1 where it is not known."""
        text = pl.Series([value])
        known = text.dtype.is_integer() == vocabulary.is_integer
        return int(vocabulary.encode(text)[0]) if known else -1

    def _wanted(self, users: pl.Series | Iterable[Any] | None, known: Vocabulary) -> pl.Series:
        if users is None:
            return known.ids.alias(USER)
        asked = users if isinstance(users, pl.Series) else pl.Series(USER, list(users))
        if asked.null_count():
            raise UsageError(f"{asked.null_count():,} of the users asked for are null. Drop them first.")
        if not len(asked):
            return known.ids.clear().alias(USER)
        return asked.alias(USER).unique(maintain_order=True)

    def _keys(self, users: pl.Series) -> np.ndarray:
        """Stable keys; only models that draw at random need them."""
        return np.zeros(len(users), np.uint64)

    def _rules(self, users: np.ndarray, seen: UserItemMatrix, told: bool) -> list[tuple[str, int, str]]:
        """More for the card of the lists: what was done, to how many users, and why; arguments as of a block."""
        return []

    def _pack(
        self, users: pl.Series, items: np.ndarray, scores: np.ndarray, *, k: int, exclude_seen: bool,
        rules: list[tuple[str, int, str]],
    ) -> Recommendations:  # fmt: skip
        filled = items >= 0
        lengths = filled.sum(axis=1)
        ranks = np.broadcast_to(np.arange(1, items.shape[1] + 1, dtype=np.int32), items.shape)
        rows = np.broadcast_to(np.arange(len(users), dtype=np.int32)[:, None], items.shape)
        # Whole lists, the usual case, are laid out as they stand: picking by a mask costs more than all the rest here.
        whole = bool(filled.all())
        picked = [each.ravel() if whole else each[filled] for each in (rows, items, ranks, scores)]
        columns = (users.gather(picked[0]), self.items_.decode(picked[1]), picked[2], picked[3])
        table = pl.DataFrame(dict(zip((USER, ITEM, RANK, SCORE), columns, strict=True)))
        rules = [*rules, ("short lists", int((lengths < k).sum()), f"fewer than {k} items have a score")]
        card = {
            "model": self.name,
            "parameters": {field.name: getattr(self, field.name) for field in fields(self)},
            "train": self.train_,
            "k": k,
            "exclude_seen": exclude_seen,
            "candidates": {"n": len(self.items_), "hash": fingerprint(self.items_.ids)},
            "score_ties": "the smaller item id first",
            "versions": versions(),
            "rules": [{"rule": rule, "count": n, "detail": detail} for rule, n, detail in rules if n],
        }
        return Recommendations(table, self.name, card)


def encode_where_possible(vocabulary: Vocabulary, ids: pl.Series) -> np.ndarray:
    """Codes of ids; none are known where one side is text and the other numbers."""
    if ids.dtype.is_integer() != vocabulary.is_integer:
        return np.full(len(ids), -1, np.int32)
    return vocabulary.encode(ids)


def top_of_scores(rows: np.ndarray, block: Block, floor: float) -> tuple[np.ndarray, np.ndarray]:
    """The best items of a block by its scores, which are changed; as ``Recommender._recommend`` gives them."""
    codes = np.empty((len(block.users), block.k), np.int32)
    scores = np.empty((len(block.users), block.k), np.float32)
    top_of_dense(block.users, rows, block.seen.indptr, block.seen.indices, block.exclude_seen, np.float32(floor), codes,
                 scores)  # fmt: skip
    return codes, scores
