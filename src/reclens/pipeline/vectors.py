"""Retrieval from a vector store: the items nearest to the user, whatever the store is and whatever made the vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.rules import AppliedRule, rule
from reclens.engine import LocalEngine, Progress, chunk_ranges
from reclens.errors import Advice, ArgumentValueError, DataError
from reclens.models import Recommender, build, get
from reclens.models._core.block import Block
from reclens.models._core.form import Form, numbers
from reclens.models._core.parameters import make
from reclens.protocols import VectorStore, adapter
from reclens.schema import ITEM, Vocabulary

__all__ = ["VectorRetriever", "build_retriever", "plain_stages", "retriever_class"]

_FETCHED: Final = 1_000
"""Vectors that are asked of a store at once."""


@dataclass(kw_only=True)
class VectorRetriever(Recommender):
    """The items of a vector store that are nearest to the user by cosine, also such as nobody has had yet.

    Attributes:
        store: The store of the items: its address, such as ``local:stores/plots``, or a ``VectorStore``. Ids of the
            store are the item ids as text.
        users: Where the vector of a user comes from: ``mean`` of the vectors of their items, each at length 1, or a
            store, by address or as an object, that holds vectors of users, such as those of a model.

    A pipeline whose stores are addresses can be saved; a store that is an object cannot.
    """

    name: ClassVar[str] = "vectors"
    relates_items: ClassVar[bool] = True

    store: Any = ""
    users: Any = "mean"

    @property
    def cold_items(self) -> bool:
        """Yes: an item needs a vector, and no interaction."""
        return True

    @property
    def supports_fold_in(self) -> bool:
        """Whether users are the mean of their items; a store of users knows nothing of a later history."""
        return self.users == "mean"

    def settings(self) -> dict[str, Any]:
        """The hyper-parameters, stores by their place."""
        return {"store": _place(self.store), "users": _place(self.users)}

    def _check(self) -> None:
        for name, value in (("store", self.store), ("users", self.users)):
            if not value or not isinstance(value, str | VectorStore):
                raise ArgumentValueError(
                    name, f"is {value!r}, expected a vector store or its address, such as 'local:stores/plots'."
                )

    def _store(self, name: str) -> VectorStore:
        """A store, opened once."""
        given = getattr(self, name)
        if not isinstance(given, str):
            return given
        return self._kept(f"opened_{name}", given, lambda address: adapter(address, VectorStore))

    def _catalogue(self, train: Dataset) -> Vocabulary:
        """The items of the training data, and all others that the store holds."""
        known = train.item_vocabulary
        stored = pl.Series(ITEM, [one for page in self._store("store").list_ids() for one in page], dtype=pl.String)
        if not len(stored):
            raise DataError(
                f"the store {_place(self.store)} is empty",
                fix=Advice("fill_store", text="Write a space into it: rl.explore.move."),
            )
        ids = stored.cast(known.ids.dtype, strict=False).drop_nulls()
        if not ids.is_in(known.ids.implode()).any():
            raise DataError(
                f"the store {_place(self.store)} holds no item of the training data",
                column=ITEM,
                fix="See that both have the same ids.",
            )
        return Vocabulary(pl.concat([known.ids, ids]))

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        del engine
        store = self._store("store")
        names = self.items_.ids.cast(pl.String).to_list()
        found = None
        for part in chunk_ranges(len(names), _FETCHED):
            got = store.fetch(names[part.start : part.stop])
            if found is None:
                found = np.zeros((len(names), got.vectors.shape[1]), np.float32)
            found[self._codes(got.ids)] = got.vectors
            progress(f"fit {self.name}: vectors", part.stop, len(names))
        assert found is not None
        self.vectors_ = found
        self.train_["vectors"] = {"without": int((~found.any(axis=1)).sum())}

    def _codes(self, names: Sequence[str]) -> np.ndarray:
        """The code of each id of the store; -1 where it is no item."""
        ids = pl.Series(ITEM, names, dtype=pl.String).cast(self.items_.ids.dtype, strict=False)
        codes = np.full(len(ids), -1, np.int64)
        known = ids.is_not_null().to_numpy()
        codes[known] = self.items_.encode(ids.drop_nulls())
        return codes

    def _user_vectors(self, block: Block) -> np.ndarray:
        """The vectors of users at length 1, 0 where there is none: float32, shape (n, d)."""
        if self.users == "mean":
            found = self._sums(block)
        else:
            found = np.zeros((len(block.users), self.vectors_.shape[1]), np.float32)
            known = np.flatnonzero(block.trained >= 0)
            names = self.users_.decode(block.trained[known]).cast(pl.String).to_list()
            at = dict(zip(names, known.tolist(), strict=True))
            for part in chunk_ranges(len(names), _FETCHED):
                got = self._store("users").fetch(names[part.start : part.stop])
                if len(got.ids):
                    found[[at[one] for one in got.ids]] = got.vectors
        lengths = np.sqrt(np.einsum("ij,ij->i", found, found, dtype=np.float64))[:, None]
        return np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 1e-9, casting="same_kind")

    def _sums(self, block: Block) -> np.ndarray:
        from scipy.sparse import csr_array

        lengths = block.lengths()
        begins = np.where(lengths > 0, block.seen.indptr[block.users], 0)
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        cells = np.arange(indptr[-1]) + np.repeat(begins - indptr[:-1], lengths)
        shape = (len(lengths), len(self.items_))
        histories: Any = csr_array((np.ones(len(cells), np.float32), block.seen.indices[cells], indptr), shape=shape)
        return histories @ self.vectors_

    def _scores(self, block: Block) -> np.ndarray:
        people = self._user_vectors(block)
        rows = people @ self.vectors_.T
        rows[:, ~self.vectors_.any(axis=1)] = -np.inf
        rows[~people.any(axis=1)] = -np.inf
        return rows

    def _recommend(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        people = self._user_vectors(block)
        codes = np.full((len(people), block.k), -1, np.int32)
        scores = np.full(codes.shape, np.nan, np.float32)
        # Who has had much is asked for more, and the others are not: powers of two, so that there are few requests.
        had = block.lengths() if block.exclude_seen else np.zeros(len(people), np.int64)
        wanted = np.minimum(block.k + 2 ** np.ceil(np.log2(had + 1)).astype(np.int64) - 1, len(self.items_))
        for width in np.unique(wanted[people.any(axis=1)]):
            rows = np.flatnonzero((wanted == width) & people.any(axis=1))
            answers, cosines = self._store("store").query(people[rows], int(width))
            flat = self._codes([one for line in answers for one in line])
            ends = np.cumsum([len(line) for line in answers])
            for row, line, values in zip(rows, np.split(flat, ends[:-1]), cosines, strict=True):
                keep = line >= 0
                if block.exclude_seen:
                    keep &= ~np.isin(line, block.seen.indices[block.history(int(row))])
                order = np.lexsort((line[keep], -values[: len(line)][keep]))[: block.k]
                codes[row, : len(order)] = line[keep][order]
                scores[row, : len(order)] = values[: len(line)][keep][order]
        return codes, scores

    def _similarities(self, items: np.ndarray) -> np.ndarray:
        return self.vectors_[items] @ self.vectors_.T

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        if self.users != "mean":
            parts = self._user_vectors(block)[0].astype(np.float64) * self.vectors_[item]
            return "factor", list(range(len(parts))), parts
        own = block.seen.indices[block.history()]
        length = float(np.linalg.norm(self._sums(block)[0])) or 1.0
        return "item", self.items_.decode(own).to_list(), (self.vectors_[own] @ self.vectors_[item]) / length

    def _rules(self, blocks: Sequence[Block]) -> list[AppliedRule]:
        del blocks
        return [rule("items_without_feature", self.train_.get("vectors", {}).get("without", 0))]

    def _state(self) -> dict[str, np.ndarray]:
        for name in ("store", "users"):
            if not isinstance(getattr(self, name), str):
                raise ArgumentValueError(
                    name,
                    "is an object, which no file can hold. Name the store by its address, such as "
                    "'local:stores/plots'.",
                )
        return {"vectors": self.vectors_}

    def _form(self) -> Mapping[str, Form]:
        return {"vectors": numbers("items", "dimension")}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.vectors_ = arrays["vectors"]


def _place(store: Any) -> str:
    return store if isinstance(store, str) else store.describe().place


def retriever_class(name: str) -> type[Recommender]:
    """The class of a retriever by its name: a model, or retrieval from a vector store."""
    return VectorRetriever if name == VectorRetriever.name else get(name)


def build_retriever(label: str, about: Mapping[str, Any]) -> Recommender:
    """A retriever from its description, as :func:`reclens.models.build` makes a model; ``vectors`` is one too."""
    if about.get("model", label) != VectorRetriever.name:
        return build(label, about)
    given = {name: value for name, value in about.items() if name != "model"}
    objects = {name: value for name, value in given.items() if isinstance(value, VectorStore)}
    made = make(VectorRetriever, given | dict.fromkeys(objects, "object:"))
    for name, value in objects.items():
        setattr(made, name, value)
    return made


def plain_stages(retrieve: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The retrievers as values that JSON can hold: stores by their place."""
    return {
        label: {name: _place(value) if isinstance(value, VectorStore) else value for name, value in about.items()}
        for label, about in retrieve.items()
    }
