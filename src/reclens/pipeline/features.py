"""What a learned ranker sees of a candidate: where it was found, how popular it is, and how it fits the user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.models._core.form import check_arrays, numbers
from reclens.pipeline.candidates import FUSED
from reclens.schema import ITEM, RATING, TIMESTAMP, USER, Vocabulary

__all__ = ["CandidateFeatures"]


@dataclass(frozen=True, eq=False, kw_only=True)
class CandidateFeatures:
    """Features of candidates, from the training data alone.

    Attributes:
        users: The users of the training data.
        items: Its items.
        user_values: What is known of each user, by name; float32, shape (users,).
        item_values: What is known of each item, by name; float32, shape (items,).
        profiles: Share of each label in each user's history, float32, shape (users, labels).
        labels: Share of each label in each item, float32, shape (items, labels).
    """

    users: Vocabulary
    items: Vocabulary
    user_values: Mapping[str, np.ndarray]
    item_values: Mapping[str, np.ndarray]
    profiles: np.ndarray
    labels: np.ndarray

    @classmethod
    def learn(cls, train: Dataset) -> CandidateFeatures:
        """Count what the features are made of.

        Of items: users (logarithm), users in the last tenth of the time span (logarithm), days since the first
        interaction, mean rating. Of users: items (logarithm), mean logarithm of their items' users. Of both: how much
        of the user's history has the item's labels (the only list-valued attribute, such as genres).
        """
        matrix, users, items = train.matrix(), train.user_vocabulary, train.item_vocabulary
        popularity = np.log1p(np.bincount(matrix.indices, minlength=len(items)).astype(np.float32))
        by_item: dict[str, np.ndarray] = {
            "item: users": popularity,
            **_over_time(train, items),
            **_ratings(train, items),
        }
        labels = _labels(train, items)
        by_user, profiles = _of_histories(matrix, popularity, labels)
        return cls(users=users, items=items, user_values=by_user, item_values=by_item, profiles=profiles, labels=labels)

    def told(self, users: Vocabulary, histories: UserItemMatrix, items: Vocabulary) -> CandidateFeatures:
        """The same with what is known of some users now: their histories, by the codes of ``items``."""
        codes = self.items.encode(items.ids)[histories.indices]
        owner = np.repeat(np.arange(len(users)), np.diff(histories.indptr))[codes >= 0]
        indptr = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(users)))]).astype(np.int64)
        own = UserItemMatrix(indptr, codes[codes >= 0], histories.values[codes >= 0], len(self.items))
        by_user, profiles = _of_histories(own, self.item_values["item: users"], self.labels)
        return replace(self, users=users, user_values=by_user, profiles=profiles)

    def table(self, candidates: pl.DataFrame) -> tuple[np.ndarray, list[str]]:
        """The features of candidates as :func:`reclens.pipeline.candidates.merge` gives them.

        Returns:
            float32, shape (candidates, features), NaN where something is unknown; and the names.
        """
        columns: dict[str, np.ndarray] = {"fused": candidates[FUSED].to_numpy().astype(np.float32)}
        found = np.zeros(candidates.height, np.float32)
        for name in candidates.columns:
            kind, _, label = name.partition(":")
            if kind == "rank":
                rank = candidates[name].cast(pl.Float32).to_numpy()
                found += ~np.isnan(rank)
                columns[f"{label}: 1 / rank"] = np.nan_to_num(1 / rank)
            elif kind == "score":
                columns[f"{label}: score"] = candidates[name].cast(pl.Float32).to_numpy()
        columns["retrievers"] = found
        user, item = self.users.encode(candidates[USER]), self.items.encode(candidates[ITEM])
        columns |= {name: _take(values, user) for name, values in self.user_values.items()}
        columns |= {name: _take(values, item) for name, values in self.item_values.items()}
        columns["popularity less the user's"] = columns["item: users"] - columns["user: popularity of own items"]
        if self.labels.shape[1]:
            fit = np.einsum("ij,ij->i", self.profiles[user], self.labels[item])
            columns["labels shared with the history"] = np.where((user >= 0) & (item >= 0), fit, np.nan)
        return np.stack([values.astype(np.float32) for values in columns.values()], axis=1), list(columns)

    def state(self) -> dict[str, Any]:
        """As arrays and names; users and items are those of the training data and are kept with the pipeline."""
        arrays = {f"user/{name}": values for name, values in self.user_values.items()}
        arrays |= {f"item/{name}": values for name, values in self.item_values.items()}
        return arrays | {"profiles": self.profiles, "labels": self.labels}

    @classmethod
    def of_state(cls, arrays: Mapping[str, np.ndarray], *, users: Vocabulary, items: Vocabulary) -> CandidateFeatures:
        """Take back what :meth:`state` gave.

        Raises:
            DataError: If an array is not what it has to be.
        """
        # Names begin with whose they are: "user/user: items". Some are there for some data only: see learn.
        forms = {name: numbers(f"{name[:4]}s") for name in arrays if name.startswith(("user/user: ", "item/item: "))}
        forms |= {"profiles": numbers("users", "labels"), "labels": numbers("items", "labels", low=0, high=1)}
        arrays = check_arrays(arrays, forms, {"users": len(users), "items": len(items)})
        by_user, by_item = (
            {name[5:]: arrays[name] for name in arrays if name.startswith(kind)} for kind in ("user/", "item/")
        )
        return cls(
            users=users,
            items=items,
            user_values=by_user,
            item_values=by_item,
            profiles=arrays["profiles"],
            labels=arrays["labels"],
        )


def _of_histories(
    matrix: UserItemMatrix, popularity: np.ndarray, labels: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Features of users from their histories, and the share of each label; NaN for a user without items."""
    sizes, n = np.diff(matrix.indptr), matrix.n_rows
    owner = np.repeat(np.arange(n), sizes)
    shares = np.divide(1.0, sizes, out=np.full(n, np.nan), where=sizes > 0)
    mean_popularity = np.bincount(owner, popularity[matrix.indices], n) * shares
    by_user = {
        "user: items": np.log1p(np.where(sizes > 0, sizes, np.nan)),
        "user: popularity of own items": mean_popularity,
    }
    profiles = np.zeros((n, labels.shape[1]), np.float32)
    for label in range(labels.shape[1]):
        profiles[:, label] = np.bincount(owner, labels[matrix.indices, label], n) * shares
    return {name: values.astype(np.float32) for name, values in by_user.items()}, profiles


def _take(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    return np.where(codes >= 0, values[codes], np.float32(np.nan))


def _over_time(train: Dataset, items: Vocabulary) -> dict[str, np.ndarray]:
    if not train.has_timestamps:
        return {}
    times = train.interactions[TIMESTAMP].dt.epoch("us").to_numpy()
    codes = items.encode(train.interactions[ITEM])
    last, first = times.max(), np.full(len(items), np.iinfo(np.int64).max)
    np.minimum.at(first, codes, times)
    recent = codes[times > last - (last - times.min()) // 10]
    return {
        "item: recent users": np.log1p(np.bincount(recent, minlength=len(items))).astype(np.float32),
        "item: days since the first interaction": ((last - first) / 86_400e6).astype(np.float32),
    }


def _ratings(train: Dataset, items: Vocabulary) -> dict[str, np.ndarray]:
    if not train.has_ratings:
        return {}
    codes = items.encode(train.interactions[ITEM])
    total = np.bincount(codes, train.interactions[RATING].to_numpy(), len(items))
    return {"item: mean rating": (total / np.bincount(codes, minlength=len(items))).astype(np.float32)}


def _labels(train: Dataset, items: Vocabulary) -> np.ndarray:
    from reclens.pipeline.rerank._base import item_labels

    table = train.items
    if table is None or sum(isinstance(type_, pl.List) for type_ in table.schema.values()) != 1:
        return np.zeros((len(items), 0), np.float32)
    labels = item_labels("the ranker", train, items, None)
    total = labels.sum(axis=1, keepdims=True)
    return np.divide(labels, total, out=np.zeros_like(labels), where=total > 0)
