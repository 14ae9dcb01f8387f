"""What every recommender is: fit, recommend, explain, save."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.engine import LocalEngine, Progress, chunk_ranges, quiet
from reclens.errors import NotFittedError, UnknownNameError, UsageError, WorkspaceError
from reclens.schema import ITEM, RANK, SCORE, USER, Recommendations, Vocabulary, fingerprint, read_arrays, versions

__all__ = ["Block", "Explanation", "Recommender"]

FORMAT = 1
"""Version of the saved form."""


@dataclass(frozen=True, eq=False)
class Block:
    """A block of users to be served.

    Attributes:
        users: Codes of the users; -1 for a user who is not in the training data; int64, shape (n,).
        keys: Stable key of each user, uint64, shape (n,).
        k: Items wanted.
        exclude_seen: Whether items of the training data are left out.
    """

    users: np.ndarray
    keys: np.ndarray
    k: int
    exclude_seen: bool


@dataclass(frozen=True)
class Explanation:
    """Why an item was recommended to a user.

    Attributes:
        user: The user.
        item: The item.
        score: Its score; the contributions of all reasons add up to it.
        kind: What the reasons are: ``"item"`` (items of her history), ``"user"`` (users like her) or ``"count"``.
        reasons: (id, contribution), the largest contribution first; at most ``n``.
        rest: Sum of the contributions that are not shown.
        sentence: The explanation in words.
    """

    user: Any
    item: Any
    score: float
    kind: str
    reasons: tuple[tuple[Any, float], ...]
    rest: float
    sentence: str

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a reason."""
        shared = {"user": self.user, "item": self.item, "score": self.score, "kind": self.kind}
        return [shared | {"reason": reason, "contribution": part} for reason, part in self.reasons]


@dataclass(kw_only=True)
class Recommender(ABC):
    """The contract of every recommender. Hyper-parameters are fields; what was learned ends in an underscore.

    A model writes ``_fit``, ``_recommend`` (the top k of a block of users), ``_reasons``, ``_state`` and ``_restore``.
    """

    name: ClassVar[str]
    personal: ClassVar[bool] = True
    """Whether a user has to be in the training data to be served."""

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
        self.users_, self.items_ = train.user_vocabulary, train.item_vocabulary
        self.seen_ = train.matrix()
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
        threads: int | None = None,
        progress: Progress = quiet,
    ) -> Recommendations:
        """The k best items of each user, best first; equal scores by item id.

        Args:
            users: User ids; by default all users of the training data.
            k: Length of the lists. A list is shorter where fewer items have a score above nothing.
            exclude_seen: Whether items of the user's training data are left out.
            threads: Threads to use; the result does not depend on it.
            progress: Called as work goes on.

        Returns:
            The lists. The card counts users who are not in the training data and short lists.

        Raises:
            NotFittedError: If the model was not fitted.
            UsageError: If k is below 1.
        """
        self._need_fit()
        if k < 1:
            raise UsageError(f"k is {k}, expected 1 or more.")
        wanted = self._wanted(users)
        codes = self.users_.encode(wanted).astype(np.int64)
        served = np.ones(len(codes), bool) if not self.personal else codes >= 0
        unknown = int((codes < 0).sum())
        wanted, codes = wanted.filter(served), codes[served]
        keys = self._keys(wanted)
        width = min(k, len(self.items_))
        items = np.full((len(codes), width), -1, np.int32)
        scores = np.full((len(codes), width), np.nan, np.float32)

        def serve(part: range) -> int:
            at = slice(part.start, part.stop)
            items[at], scores[at] = self._recommend(Block(codes[at], keys[at], width, exclude_seen))
            return len(part)

        done = 0
        for count in LocalEngine(threads).map(serve, chunk_ranges(len(codes), self._block_size())):
            done += count
            progress(f"recommend {self.name}", done, len(codes))
        return self._pack(wanted, items, scores, k=k, exclude_seen=exclude_seen, unknown=unknown)

    def explain(self, user: Any, item: Any, *, n: int = 5) -> Explanation:
        """Why the model scores an item as it does for a user: the reasons whose contributions add up to the score.

        Raises:
            UnknownNameError: If the user or the item is not in the training data.
        """
        self._need_fit()
        codes: list[int] = []
        for what, value, vocabulary in (("user", user, self.users_), ("item", item, self.items_)):
            text = pl.Series([value])
            known = text.dtype.is_integer() == vocabulary.is_integer
            code = int(vocabulary.encode(text)[0]) if known else -1
            if code < 0 and (what == "item" or self.personal):
                raise UnknownNameError(f"{what} in the training data", str(value), map(str, vocabulary.ids.head(200)))
            codes.append(code)
        kind, ids, parts = self._reasons(codes[0], codes[1])
        order = np.argsort(-np.abs(parts), kind="stable")[:n]
        reasons = tuple((ids[int(at)], float(parts[at])) for at in order)
        score = float(parts.sum())
        rest = score - sum(part for _, part in reasons)
        return Explanation(user, item, score, kind, reasons, rest, self._sentence(kind, reasons, item))

    def save(self, folder: str | Path) -> None:
        """Write the model into an existing folder: arrays, ids and a JSON header, never a pickle."""
        self._need_fit()
        path = Path(folder)
        np.savez(path / "arrays.npz", allow_pickle=False, **self._state())
        pl.DataFrame({USER: self.users_.ids}).write_parquet(path / "users.parquet")
        pl.DataFrame({ITEM: self.items_.ids}).write_parquet(path / "items.parquet")
        np.savez(path / "seen.npz", indptr=self.seen_.indptr, indices=self.seen_.indices)
        header = {"format": FORMAT, "model": self.name, "parameters": asdict(self), "train": self.train_,
                  "versions": versions()}  # fmt: skip
        (path / "header.json").write_text(json.dumps(header, indent=1, default=str), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a model that :meth:`save` wrote; nothing in the folder is executed.

        Raises:
            WorkspaceError: If the folder does not hold a whole model of this kind.
        """
        path = Path(folder)
        try:
            header = json.loads((path / "header.json").read_text(encoding="utf-8"))
            if header["model"] != cls.name or header["format"] != FORMAT:
                raise ValueError(f"it holds a '{header['model']}' of format {header['format']}")
            model = cls(**header["parameters"])
            model.users_ = Vocabulary(pl.read_parquet(path / "users.parquet")[USER])
            model.items_ = Vocabulary(pl.read_parquet(path / "items.parquet")[ITEM])
            seen = read_arrays(path / "seen.npz")
            ones = np.ones(len(seen["indices"]), np.float32)
            model.seen_ = UserItemMatrix(seen["indptr"], seen["indices"], ones, len(model.items_))
            model.train_ = header["train"]
            model._restore(read_arrays(path / "arrays.npz"))
        except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
            raise WorkspaceError(
                f"{path}: not a whole '{cls.name}' model ({error}). Fit the model again and save it."
            ) from error
        return model

    def _check(self) -> None:
        """Raise UsageError for a hyper-parameter out of range; most models have none that can be."""
        return

    def _block_size(self) -> int:
        """Users served at a time: dense scores of a block stay within 32 MB."""
        return int(np.clip(8_000_000 // max(len(self.items_), 1), 1, 4096))

    @abstractmethod
    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None: ...

    @abstractmethod
    def _recommend(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Item codes (int32, -1 fills up) and scores (float32) of a block, shape (n, k) each, best first."""

    @abstractmethod
    def _reasons(self, user: int, item: int) -> tuple[str, list[Any], np.ndarray]:
        """Kind, ids and contributions of everything that adds up to a score."""

    @abstractmethod
    def _state(self) -> dict[str, np.ndarray]: ...

    @abstractmethod
    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None: ...

    def _sentence(self, kind: str, reasons: tuple[tuple[Any, float], ...], item: Any) -> str:
        if not reasons:
            return f"Nothing in the training data speaks for {item}."
        named = ", ".join(f"{reason} ({part:.3g})" for reason, part in reasons)
        return {
            "item": f"{item} is close to what the user has: {named}.",
            "user": f"Users with a similar history have {item}: {named}.",
            "count": f"{named}.",
        }[kind]

    def _need_fit(self) -> None:
        if not hasattr(self, "seen_"):
            raise NotFittedError(f"{type(self).__name__} was not fitted. Call .fit(train) first.")

    def _wanted(self, users: pl.Series | Iterable[Any] | None) -> pl.Series:
        if users is None:
            return self.users_.ids.alias(USER)
        asked = users if isinstance(users, pl.Series) else pl.Series(USER, list(users))
        if asked.null_count():
            raise UsageError(f"{asked.null_count():,} of the users asked for are null. Drop them first.")
        if not len(asked):
            return self.users_.ids.clear().alias(USER)
        return asked.alias(USER).unique(maintain_order=True)

    def _keys(self, users: pl.Series) -> np.ndarray:
        """Stable keys; only models that draw at random need them."""
        return np.zeros(len(users), np.uint64)

    def _pack(
        self, users: pl.Series, items: np.ndarray, scores: np.ndarray, *, k: int, exclude_seen: bool, unknown: int
    ) -> Recommendations:
        filled = items >= 0
        lengths = filled.sum(axis=1)
        ranks = np.broadcast_to(np.arange(1, items.shape[1] + 1, dtype=np.int32), items.shape)
        table = pl.DataFrame({
            USER: users.gather(np.repeat(np.arange(len(users)), lengths)),
            ITEM: self.items_.decode(items[filled]),
            RANK: ranks[filled],
            SCORE: scores[filled],
        })  # fmt: skip
        rules = [
            ("users without training data", unknown, "no list" if self.personal else "served like everybody"),
            ("short lists", int((lengths < k).sum()), f"fewer than {k} items have a score"),
        ]
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
