"""What lists are held against: truth, training history, catalogue and segments, all by code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NotRequired, TypedDict

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset, group_runs
from reclens.data.read.lists import run_starts
from reclens.errors import Advice, ArgumentValueError, DataError, Setting, UnknownNameError, UsageError
from reclens.evaluation.cards import GroundCard, HashedRows, ToldHistory
from reclens.evaluation.given_histories import Told, tell
from reclens.evaluation.groups import make_groups
from reclens.evaluation.relevant import relevant_rows
from reclens.memory import require_memory
from reclens.metrics.lists import Catalogue, Profiles
from reclens.metrics.matching import count_shared
from reclens.schema import ITEM, USER, combine_hashes, fingerprint, stable_hash
from reclens.vocabulary import CAST_SIDE, Vocabulary, number_ids

__all__ = [
    "EvaluationContext",
    "Features",
    "compress_pairs",
    "feature_matrix",
    "feature_names",
    "feature_table",
    "item_vocabulary",
    "make_context",
    "nothing_relevant",
    "pair_hashes",
]

Features = str | tuple[Sequence[Any], np.ndarray]
"""Item features: the name of an attribute of ``items``, or (item ids, matrix of one row an item)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class EvaluationContext:
    """Everything of an evaluation that does not depend on the lists.

    Attributes:
        users: The evaluated users.
        keys: Stable key of each user, uint64, shape (users,).
        items: Every known item.
        indptr: Truth of each user, compressed by rows; int64, shape (users + 1,).
        relevant: Item codes, ascending within a user, int32.
        gains: Relevance of each, float64.
        profiles: Training items of each user, or None.
        catalogue: The items.
        has_catalogue: Whether it is known which items can be recommended.
        groups: Segmentation -> (labels, codes by user).
        card: What was left out and why, with counts.
    """

    users: Vocabulary
    keys: np.ndarray
    items: Vocabulary
    indptr: np.ndarray
    relevant: np.ndarray
    gains: np.ndarray
    profiles: Profiles | None
    catalogue: Catalogue
    has_catalogue: bool
    groups: Mapping[str, tuple[list[str], np.ndarray]]
    card: GroundCard

    @property
    def n_relevant(self) -> np.ndarray:
        """Relevant items of each user, int64, shape (users,)."""
        return np.diff(self.indptr)

    def ideal(self, users: np.ndarray, depth: int) -> np.ndarray:
        """The ``depth`` highest relevances of some users, falling; zeros fill up; shape (len(users), depth).

        The width is the same for any users: sums over wider rows differ in their last bits.
        """
        inside = np.arange(depth) < self.n_relevant[users][:, None]
        if self._binary:
            return inside.astype(np.float64)
        places = np.arange(depth)
        at = np.where(inside, self.indptr[users][:, None] + places, 0)
        return np.where(inside, self._falling[at], 0.0)

    @cached_property
    def _binary(self) -> bool:
        return bool((self.gains == 1).all())

    @cached_property
    def _falling(self) -> np.ndarray:
        owner = np.repeat(np.arange(len(self.users)), self.n_relevant)
        return self.gains[np.lexsort((-self.gains, owner))]


def make_context(
    truth: pl.DataFrame | None,
    *,
    train: Dataset | None,
    relevance: str | None,
    catalogue: Sequence[Any] | pl.Series | None,
    features: Features | None,
    by: Sequence[str | tuple[str, str]],
    history: pl.DataFrame | None = None,
    listed_users: pl.Series | None = None,
) -> EvaluationContext:
    """Prepare truth, history, catalogue, features and segments; arguments as of ``evaluate``.

    ``listed_users``, users with lists, are evaluated beside those of the truth, or alone when there is none.
    """
    rows, left_out = relevant_rows(truth, relevance)
    if truth is None and listed_users is None:
        raise UsageError(
            "without truth the lists have to be in memory",
            advice=Advice("give_truth", (Setting("truth"),), "Pass {truth}, or read the lists first."),
        )
    owners, runs = _runs(rows[USER])
    users = Vocabulary(owners if listed_users is None else _together(owners, listed_users))
    if not len(users):
        raise nothing_relevant()
    offered = pl.Series(ITEM, catalogue) if catalogue is not None else None
    vectors = feature_table(features, None if train is None else train.items)
    listed = None if train is None else train.item_vocabulary.ids
    items, codes = item_vocabulary(rows[ITEM], [listed, offered, None if vectors is None else vectors[0]])
    indptr, relevant, gains = compress_pairs(users.encode(owners), runs, codes, rows, (len(users), len(items)))
    popularity, profiles, n_users = _history(train, users, items)
    known_users = None if train is None else train.user_vocabulary
    told = None if history is None else tell(history, train, users, items, popularity, profiles)
    if told is not None:
        popularity, profiles, known_users, n_users = told.popularity, told.profiles, told.users, len(told.users)
    held = None if profiles is None else count_shared(indptr, relevant, profiles.indptr, profiles.items)
    in_catalogue = _in_catalogue(items, codes, offered if offered is not None else listed)
    matrix, shares = feature_matrix(vectors, items)
    about = Catalogue(
        popularity=popularity, n_users=n_users, in_catalogue=in_catalogue, features=matrix, distributions=shares
    )
    keys = stable_hash(users.ids)
    card: GroundCard = {
        "truth": {"rows": len(relevant), "hash": _pair_hash(keys, items, indptr, relevant, gains)},
        "truth_duplicates": rows.height - len(relevant),
        "truth_pairs_in_training": held,
        "relevance": relevance,
        "train": _train_card(train),
        **left_out,
        **_known(users, items, in_catalogue, told, known_users),
    }
    return EvaluationContext(
        users=users,
        keys=keys,
        items=items,
        indptr=indptr,
        relevant=relevant,
        gains=gains,
        profiles=profiles,
        catalogue=about,
        has_catalogue=train is not None or catalogue is not None,
        groups=make_groups(train, users, by),
        card=card,
    )


def nothing_relevant() -> DataError:
    """The error for a truth without a relevant item."""
    fix = "Check that truth holds the held-out interactions and that relevance is above 0."
    return DataError("no user has a relevant item, so that nothing can be evaluated", source="truth", fix=fix)


def _together(owners: pl.Series, listed: pl.Series) -> pl.Series:
    return pl.concat([owners, listed.alias(USER)]) if len(owners) else listed


class _Known(TypedDict):
    n_users: int
    n_items: int
    catalogue: str
    history: NotRequired[ToldHistory]
    users_without_history: NotRequired[int]


def _known(
    users: Vocabulary, items: Vocabulary, in_catalogue: np.ndarray, told: Told | None, known_users: Vocabulary | None
) -> _Known:
    """What a card tells of users, their histories and the catalogue."""
    offered = items.ids.filter(in_catalogue)
    known: _Known = {"n_users": len(users), "n_items": len(offered), "catalogue": fingerprint(offered)}
    if told is not None:
        known["history"] = told.card
    if known_users is not None:
        known["users_without_history"] = len(users) - int((users.encode(known_users.ids) >= 0).sum())
    return known


def _train_card(train: Dataset | None) -> HashedRows | None:
    """What a card tells of the training part."""
    if train is None:
        return None
    return {"name": train.name, "rows": train.interactions.height, "hash": train.fingerprint}


def _runs(ids: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """Each run of one id, and its length: matching runs is cheaper than matching rows where tables are grouped."""
    starts = run_starts(ids)
    return ids.gather(starts), np.diff(np.append(starts, len(ids)))


def pair_hashes(keys: np.ndarray, items: Vocabulary, indptr: np.ndarray, own: np.ndarray) -> np.ndarray:
    """A hash of each (user, item), uint64: the same for integer and text ids."""
    rows = np.repeat(keys * np.uint64(0x9E3779B97F4A7C15), np.diff(indptr))
    rows ^= stable_hash(items.ids)[own]
    return rows


def _pair_hash(keys: np.ndarray, items: Vocabulary, indptr: np.ndarray, own: np.ndarray, gains: np.ndarray) -> str:
    """Content hash of (user, item, gain) triples: independent of order, and of integer or text ids."""
    rows = pair_hashes(keys, items, indptr, own)
    return combine_hashes(rows if (gains == 1).all() else rows ^ gains.view(np.uint64))


def item_vocabulary(truth: pl.Series, others: list[pl.Series | None]) -> tuple[Vocabulary, np.ndarray]:
    """The items of all tables, and the codes of those in the truth.

    Raises:
        DataError: If some tables hold integers and others strings.
    """
    series = [truth, *(ids for ids in others if ids is not None)]
    filled = [ids.cast(pl.Int64) if ids.dtype.is_integer() else ids for ids in series if len(ids)]
    if len({ids.dtype for ids in filled}) > 1:
        raise DataError(
            "item ids are integers in one table and strings in another, so that none can match",
            column=ITEM,
            fix=CAST_SIDE,
        )
    if not filled:
        return Vocabulary(pl.Series(ITEM, [], pl.Int64)), np.zeros(0, np.int32)
    places = np.zeros(0, np.int64)
    if len(truth):
        filled[0], places = number_ids(filled[0])
    items = Vocabulary(pl.concat([ids.alias(ITEM) for ids in filled]))
    return items, items.encode(filled[0])[places]


def compress_pairs(
    owners: np.ndarray, runs: np.ndarray, items: np.ndarray, rows: pl.DataFrame, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compress the truth by rows; a repeated pair keeps its higher gain."""
    if "gain" not in rows.columns:
        indptr, own = group_runs(owners, runs, items, shape[0])
        return indptr, own, np.ones(len(own))
    key = np.repeat(owners.astype(np.int64) * shape[1], runs) + items
    gains = rows["gain"].to_numpy()
    order = np.lexsort((-gains, key))
    key, gains = key[order], gains[order]
    first = np.append(True, key[1:] != key[:-1])[: len(key)]
    owner, own = np.divmod(key[first], shape[1])
    indptr = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=shape[0]))]).astype(np.int64)
    return indptr, own.astype(np.int32), np.ascontiguousarray(gains[first], np.float64)


def _history(train: Dataset | None, users: Vocabulary, items: Vocabulary) -> tuple[np.ndarray, Profiles | None, int]:
    """Training users of each item, training items of each evaluated user, and the number of training users."""
    if train is None:
        return np.zeros(len(items), np.int64), None, 0
    matrix = train.matrix()
    code_of = items.encode(train.item_vocabulary.ids)
    popularity = np.zeros(len(items), np.int64)
    popularity[code_of] = np.bincount(matrix.indices, minlength=matrix.n_columns)
    row_of = users.encode(train.user_vocabulary.ids)
    sizes = np.zeros(len(users), np.int64)
    sizes[row_of[row_of >= 0]] = np.diff(matrix.indptr)[row_of >= 0]
    kept = np.repeat(row_of >= 0, np.diff(matrix.indptr))
    # Codes of both vocabularies follow the order of the ids, so that rows and items stay in order.
    own = code_of[matrix.indices[kept]].astype(np.int32)
    return popularity, Profiles(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), own), matrix.n_rows


def feature_table(features: Features | None, table: pl.DataFrame | None) -> tuple[pl.Series, Any] | None:
    """Item ids, and either their lists of labels or their vectors."""
    if isinstance(features, tuple):
        ids, matrix = pl.Series(ITEM, features[0]), np.asarray(features[1], np.float64)
        if matrix.ndim != 2 or len(ids) != len(matrix):
            raise ArgumentValueError(
                "features", f"has {len(ids)} ids and a matrix of shape {matrix.shape}: expected one row an id."
            )
        if not np.isfinite(matrix).all():
            raise DataError("a vector holds NaN or infinity", source="features", fix="Drop or repair those items.")
        return ids, matrix
    listed = feature_names(table)
    if features is None:
        return (table[ITEM], table[listed[0]]) if table is not None and len(listed) == 1 else None
    if table is None or features not in table.columns or features == ITEM:
        raise UnknownNameError("item attribute", features, [] if table is None else set(table.columns) - {ITEM})
    return table[ITEM], table[features]


def feature_names(table: pl.DataFrame | None) -> list[str]:
    """The attributes of the items that hold lists of labels, such as genres."""
    kinds = {} if table is None else table.schema
    return [name for name, kind in kinds.items() if isinstance(kind, pl.List)]


def _in_catalogue(items: Vocabulary, relevant: np.ndarray, candidates: pl.Series | None) -> np.ndarray:
    """Whether each item can be recommended: the candidates, or the relevant items where none are given."""
    known = relevant if candidates is None else items.encode(candidates)
    return np.bincount(known, minlength=len(items)) > 0


def feature_matrix(
    table: tuple[pl.Series, Any] | None, items: Vocabulary
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Vectors by item code, and shares by item code where no vector has a negative part."""
    if table is None:
        return None, None
    ids, content = table
    code = items.encode(ids)
    if isinstance(content, pl.Series):
        listed = isinstance(content.dtype, pl.List)
        labels = pl.DataFrame({"code": code, "label": content.cast(pl.List(pl.String) if listed else pl.String)})
        # One label an item is a list of one; an item without any has no part in the vectors.
        pairs = (labels.explode("label") if listed else labels).drop_nulls().unique()
        words = Vocabulary(pairs["label"])
        require_memory(
            24 * len(items) * len(words),
            f"the {len(words):,} labels of {len(items):,} items",
            advice=Advice(
                "fewer_features", (Setting("features"),), "Name an item attribute with fewer values by {features}."
            ),
        )
        matrix = np.zeros((len(items), len(words)))
        matrix[pairs["code"].to_numpy(), words.encode(pairs["label"])] = 1.0
    else:
        matrix = np.zeros((len(items), content.shape[1]))
        matrix[code] = content
    if (matrix < 0).any():
        return matrix, None
    sums = matrix.sum(axis=1, keepdims=True)
    return matrix, np.divide(matrix, sums, out=np.zeros_like(matrix), where=sums > 0)
