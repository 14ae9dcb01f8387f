"""The input of a request: users, histories since the fit, and restrictions on items."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.cards import AppliedRule, ListsCard
from reclens.data.dataset import UserItemMatrix
from reclens.data.rules import rule
from reclens.errors import ArgumentTypeError, ArgumentValueError, DataError, UnknownNameError, UsageError, expect_type
from reclens.models._core.block import encode_where_possible, rows_of
from reclens.models._core.sequences import Sequences
from reclens.schema import ITEM, USER, Vocabulary, fingerprint

__all__ = [
    "COLD_USERS",
    "HISTORY_MODES",
    "ColdUsers",
    "Histories",
    "HistoryMode",
    "Items",
    "Limits",
    "asked_users",
    "check_choice",
    "check_k",
]

ColdUsers = Literal["popular", "none"]
HistoryMode = Literal["add", "replace"]
Items = pl.DataFrame | pl.Series | Iterable[Any]
"""Items for all users, as ids, or per user, as a frame ``user_id, item_id``."""

_FEW: Final = 2_000
"""Number of ids up to which a hash is computed without a query."""
COLD_USERS: Final = ("popular", "none")
HISTORY_MODES: Final = ("add", "replace")


def check_choice(what: str, value: str, known: tuple[str, ...]) -> None:
    """Raise UnknownNameError unless an argument is one of its values."""
    if value not in known:
        raise UnknownNameError(f"value of {what}", str(value), known)


def check_k(k: Any) -> None:
    """Raise unless a length of lists is a whole number from 1 on."""
    expect_type("k", k, (int, np.integer), expected="a whole number", fix="Write k=10 for ten items a user.")
    if k < 1:
        raise ArgumentValueError("k", f"is {k}, expected 1 or more")


def asked_users(users: pl.Series | Iterable[Any] | None, default: pl.Series) -> pl.Series:
    """The requested users, each once, in the order of the request.

    Args:
        users: Ids; one id that stands alone; a frame with a column ``user_id``; or None for ``default``.
        default: The users of the training data, or of the history.

    Raises:
        ArgumentTypeError: If it is none of these, or the ids are neither integers nor text.
        UsageError: If one of them is null.
    """
    if users is None:
        return default.alias(USER)
    asked = _ids_of(users)
    if len(asked) and asked.dtype != pl.String and not asked.dtype.is_integer() and asked.null_count() < len(asked):
        raise ArgumentTypeError("users", asked[0], expected="ids of the kind that the training data has", fix=_USERS)
    if asked.null_count():
        raise UsageError(f"{asked.null_count():,} of the users asked for are null. Drop them first.")
    if not len(asked):
        return default.clear().alias(USER)
    if asked.dtype.is_integer() != default.dtype.is_integer():
        # Unknown users may have ids of any type; an id that differs from a known one only in its type is a mistake.
        meant = asked.cast(default.dtype, strict=False)
        known = meant.filter(meant.is_in(default.implode()))
        if len(known):
            slip = asked.filter(meant == known[0])[0]
            raise UsageError(
                f"the user {slip!r} is not known, and {known[0]!r} is: ids are {default.dtype}, and those asked for "
                f"{asked.dtype}. Cast them first."
            )
    return asked.alias(USER) if len(asked) == 1 else asked.alias(USER).unique(maintain_order=True)


def _ids_of(users: Any) -> pl.Series:
    """Users as a column of ids."""
    if isinstance(users, pl.Series):
        return users
    if isinstance(users, str) or (isinstance(users, int | np.integer) and not isinstance(users, bool)):
        return pl.Series(USER, [users])
    if isinstance(users, pl.DataFrame) and USER in users.columns:
        return users[USER]
    parts = hasattr(users, "test_users")
    if parts or isinstance(users, pl.DataFrame | Mapping | bytes) or not isinstance(users, Iterable):
        fix = "Pass split.test_users." if parts else _USERS
        raise ArgumentTypeError("users", users, expected="user ids, one id, or a frame with user_id", fix=fix)
    try:
        return pl.Series(USER, list(users), strict=True)
    except TypeError:
        kinds = sorted({type(each).__name__ for each in users})
        raise UsageError(f"users mixes {' and '.join(kinds)}, expected ids of one kind. {_USERS}") from None


_USERS: Final = "Write recommend([5, 7], k=10) for two users, and recommend(5) for one; k= is the length of a list."


@dataclass(frozen=True, eq=False, kw_only=True)
class Histories:
    """Histories of a request.

    Attributes:
        users: Users with a history.
        matrix: The effective history of each of them over the items of the model, one row per user.
        trained: Code of each user in the training data, -1 for one who came later; int64, shape (users,).
        changed: Whether the history differs from the training data; bool, shape (users,).
        unknown: Number of rows with items that the model does not know.
        mode: ``add`` or ``replace``.
        sequences: The same histories in the order of time; None where the model does not ask for it.
    """

    users: Vocabulary
    matrix: UserItemMatrix
    trained: np.ndarray
    changed: np.ndarray
    unknown: int
    mode: HistoryMode
    sequences: Sequences | None = None

    @classmethod
    def of(
        cls,
        history: pl.DataFrame,
        *,
        users: Vocabulary,
        items: Vocabulary,
        seen: UserItemMatrix,
        mode: HistoryMode,
        sequences: Sequences | None = None,
    ) -> Histories:
        """Encode a history by the users and items of a model.

        Args:
            history: ``user_id, item_id``.
            users: Users of the training data.
            items: The catalogue.
            seen: The training data.
            mode: Whether the rows are added to the training data of a known user, or replace it.
            sequences: The training data in the order of time, for models that ask for the order of the history.

        Raises:
            DataError: If a column is absent, or ids are of another kind than those of the model.
        """
        absent = [column for column in (USER, ITEM) if column not in history.columns]
        if absent:
            raise DataError(f"the history lacks {', '.join(absent)}", source="history", fix="Rename its columns.")
        own = Vocabulary(history[USER])
        rows, columns = own.encode(history[USER]), items.encode(history[ITEM])
        known, width = columns >= 0, max(len(items), 1)
        cells = np.unique(rows[known].astype(np.int64) * width + columns[known])
        trained = encode_where_possible(users, own.ids).astype(np.int64)
        changed = np.ones(len(own), bool)
        if mode == "add":
            before = rows_of(seen, trained)
            lengths = np.diff(before.indptr)
            before = np.repeat(np.arange(len(own)), lengths) * width + before.indices
            cells = np.union1d(before, cells)
            changed = (np.bincount(cells // width, minlength=len(own)) > lengths) | (trained < 0)
        indptr = np.concatenate([[0], np.cumsum(np.bincount(cells // width, minlength=len(own)))]).astype(np.int64)
        matrix = UserItemMatrix(indptr, (cells % width).astype(np.int32), np.ones(len(cells), np.float32), len(items))
        ordered = None
        if sequences is not None:
            ordered = Sequences.of_history(
                history.filter(pl.Series(known, dtype=pl.Boolean)),
                rows[known].astype(np.int64),
                columns[known].astype(np.int64),
                n_rows=len(own),
                n_items=width,
                before=(sequences, trained) if mode == "add" else None,
            )
        return cls(
            users=own,
            matrix=matrix,
            trained=trained,
            changed=changed,
            unknown=int((~known).sum()),
            mode=mode,
            sequences=ordered,
        )

    def places(self, users: pl.Series, trained: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The source of each user's history.

        Args:
            users: The users asked for.
            trained: Their codes in the training data.

        Returns:
            The row in :attr:`matrix`, or -1 for users of the training data; and the row in the training data, or -1
            for the others.
        """
        rows = encode_where_possible(self.users, users).astype(np.int64)
        told = rows >= 0
        rows[told] = np.where(self.changed[rows[told]], rows[told], -1)
        nothing = -np.ones_like(trained)
        return rows, np.where(rows >= 0, nothing, trained if self.mode == "add" else nothing)


@dataclass(frozen=True, eq=False, kw_only=True)
class Limits:
    """Restrictions on the items that may be recommended.

    Attributes:
        shown: Whether each item may be recommended at all; bool, shape (items,). None: all of them.
        only: Candidates of each user, one row per user; None: all items.
        barred: Excluded items of each user; None: none.
        card: Entries for the card of the lists.
        rules: AppliedRule, count and detail, for the card.
    """

    shown: np.ndarray | None
    only: UserItemMatrix | None
    barred: UserItemMatrix | None
    card: ListsCard
    rules: list[AppliedRule]

    @classmethod
    def of(cls, users: pl.Series, items: Vocabulary, *, exclude: Items | None, candidates: Items | None) -> Limits:
        """Read the arguments ``exclude`` and ``candidates``.

        Raises:
            DataError: If a frame lacks a column, or no candidate is known.
        """
        shown, only, barred = None, None, None
        card: ListsCard = {"candidates": {"n": len(items)}}
        rules: list[AppliedRule] = []
        if candidates is not None:
            ids, codes, owners = _read(candidates, "candidates", users, items)
            unknown = int((codes < 0).sum())
            if len(codes) and unknown == len(codes):
                examples = ", ".join(map(str, ids.head(3)))
                raise DataError(
                    f"none of the {len(codes):,} candidates is known to the model, such as {examples}",
                    source="candidates",
                    fix=f"Its items are like {', '.join(map(str, items.ids.head(3)))}.",
                )
            rules.append(rule("unknown_candidates", unknown))
            card["candidates"] = {"n": len(np.unique(codes[codes >= 0])), "hash": _hash(candidates, ids)}
            if owners is None:
                shown = np.zeros(len(items), bool)
                shown[codes[codes >= 0]] = True
            else:
                only = _rows(owners, codes, len(users), len(items))
                without = int((np.diff(only.indptr) == 0).sum())
                rules.append(rule("users_without_known_candidate", without))
        if exclude is not None:
            ids, codes, owners = _read(exclude, "exclude", users, items)
            card["exclude"] = {"n": len(np.unique(codes[codes >= 0])), "hash": _hash(exclude, ids)}
            rules.append(rule("unknown_excluded_items", int((codes < 0).sum())))
            if owners is None:
                shown = np.ones(len(items), bool) if shown is None else shown
                shown[codes[codes >= 0]] = False
            else:
                barred = _rows(owners, codes, len(users), len(items))
        return cls(shown=shown, only=only, barred=barred, card=card, rules=rules)

    def __bool__(self) -> bool:
        return self.shown is not None or self.only is not None or self.barred is not None

    def apply(self, rows: np.ndarray, users: np.ndarray) -> None:
        """Remove the scores of items that may not be recommended.

        Args:
            rows: float32, shape (n, items); changed.
            users: The place of each row among the users of the request, shape (n,).
        """
        if self.shown is not None:
            rows[:, ~self.shown] = -np.inf
        for row, user in enumerate(users):
            if self.barred is not None:
                rows[row, self.barred.indices[self.barred.indptr[user] : self.barred.indptr[user + 1]]] = -np.inf
            if self.only is not None:
                mine = self.only.indices[self.only.indptr[user] : self.only.indptr[user + 1]]
                kept = rows[row, mine].copy()
                rows[row] = -np.inf
                rows[row, mine] = kept


def _read(
    given: Items, what: str, users: pl.Series, items: Vocabulary
) -> tuple[pl.Series, np.ndarray, np.ndarray | None]:
    """Ids and codes of items, and the position of each row's user; None if they apply to all users."""
    if not isinstance(given, pl.DataFrame):
        ids = given if isinstance(given, pl.Series) else pl.Series(ITEM, list(given))
        return ids, items.encode(ids), None
    if ITEM not in given.columns:
        raise DataError(f"'{what}' lacks {ITEM}", source=what, fix="Rename its columns.")
    if USER not in given.columns:
        return given[ITEM], items.encode(given[ITEM]), None
    distinct = Vocabulary(users)
    places = np.empty(len(distinct), np.int64)
    places[distinct.encode(users)] = np.arange(len(users))
    codes = encode_where_possible(distinct, given[USER])
    mine = given.filter(pl.Series(codes >= 0, dtype=pl.Boolean))
    return mine[ITEM], items.encode(mine[ITEM]), places[codes[codes >= 0]]


def _rows(owners: np.ndarray, codes: np.ndarray, n_users: int, n_items: int) -> UserItemMatrix:
    """Known items by user, each once."""
    width = max(n_items, 1)
    cells = np.unique(owners[codes >= 0] * width + codes[codes >= 0])
    indptr = np.concatenate([[0], np.cumsum(np.bincount(cells // width, minlength=n_users))]).astype(np.int64)
    return UserItemMatrix(indptr, (cells % width).astype(np.int32), np.ones(len(cells), np.float32), n_items)


def _hash(given: Items, ids: pl.Series) -> str:
    if isinstance(given, pl.DataFrame) and USER in given.columns:
        return fingerprint(given.select(USER, ITEM).unique())
    ids = ids.unique() if len(ids) > _FEW else ids
    if len(ids) > _FEW:
        return fingerprint(ids.alias(ITEM))
    # The queries for a fingerprint take longer than the rest of a request for one user.
    texts = sorted(set(ids.cast(pl.String).drop_nulls().to_list()))
    return hashlib.blake2b(json.dumps(texts).encode(), digest_size=8).hexdigest()
