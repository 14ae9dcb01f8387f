"""Requests to a fitted recommender: lists, scores and explanations, for training users and new ones."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl

from reclens.cards import AppliedRule, CandidatesCard, ListsCard
from reclens.data.rules import rule
from reclens.engine import LocalEngine, Progress, chunk_ranges, quiet
from reclens.errors import UnknownNameError
from reclens.memory import require_memory
from reclens.models._core.block import encode_where_possible, top_of_scores
from reclens.models._core.degenerate import on_card, say, short_of
from reclens.models._core.explanation import Explanation
from reclens.models._core.requests import (
    COLD_USERS,
    ColdUsers,
    Histories,
    HistoryMode,
    Items,
    Limits,
    asked_users,
    check_choice,
    check_k,
)
from reclens.models._core.scoring import Group, Scoring, part_of
from reclens.schema import ITEM, RANK, SCORE, USER, Recommendations, Vocabulary, fingerprint, versions

__all__ = ["Serving"]


class Serving(Scoring, ABC):
    """The request methods of a fitted recommender."""

    def recommend(
        self,
        users: pl.Series | pl.DataFrame | Iterable[Any] | Any = None,
        *,
        k: int = 10,
        exclude_seen: bool = True,
        exclude: Items | None = None,
        candidates: Items | None = None,
        history: pl.DataFrame | None = None,
        history_mode: HistoryMode = "add",
        cold_users: ColdUsers = "popular",
        threads: int | None = None,
        progress: Progress = quiet,
    ) -> Recommendations:
        """The k best items of each user, best first; equal scores by item id; users in the order asked for.

        Args:
            users: User ids, or one id alone; by default all users of the training data, or of ``history``. A frame
                gives the users of its column ``user_id``.
            k: Length of the lists. A list is shorter where fewer items have a score above nothing.
            exclude_seen: Whether items of the user's history are left out.
            exclude: Items to leave out: ids, for everybody, or a frame ``user_id, item_id``, for each user.
            candidates: The only items that may be shown: ids, or a frame ``user_id, item_id``, as for ``exclude``; a
                user without rows in the frame has no list.
            history: What users did, ``user_id, item_id``, since the fit or before they were known (fold-in). Items that
                the model does not know are left out and counted.
            history_mode: ``"add"``: the history of a known user adds to their training data. ``"replace"``: the history
                is all that is known, and a user without rows in it is a cold one.
            cold_users: What a user gets of whom the model knows no item, or on whose items it has nothing to say (no
                item has a score, or all have 0): ``"popular"``, the items with the most training users, whose number is
                the score; or ``"none"``, no list. The card counts these users. A model that is not personal serves
                everybody itself.
            threads: Threads to use; the result does not depend on it.
            progress: Callback for the progress.

        Returns:
            The lists. The card counts what was left out, cold users and short lists.

        Raises:
            NotFittedError: If the model was not fitted.
            UsageError: If k is below 1, or a history is given to a model that cannot use it.
            UnknownNameError: If ``history_mode`` or ``cold_users`` has no such value.
            DataError: If a frame lacks a column, or no candidate is known to the model.
        """
        self._need_fit()
        check_k(k)
        check_choice("cold_users", cold_users, COLD_USERS)
        told = self._told(history, history_mode)
        wanted = asked_users(users, self.users_.ids if told is None else told.users.ids)
        limits = Limits.of(wanted, self.items_, exclude=exclude, candidates=candidates)
        groups = self._groups(wanted, told, k=min(k, len(self.items_)), exclude_seen=exclude_seen)
        width = min(k, len(self.items_))
        # Codes and scores, and the table made of them.
        require_memory(
            40 * len(wanted) * width,
            f"lists of {width:,} items for {len(wanted):,} users",
            advice="Ask for a smaller k, or for some users at a time.",
        )
        items = np.full((len(wanted), width), -1, np.int32)
        scores = np.full(items.shape, np.nan, np.float32)

        def write(groups: Sequence[Group], answer: Callable[[Group], tuple[np.ndarray, np.ndarray]]) -> None:
            parts = [
                (at[part.start : part.stop], block.take(slice(part.start, part.stop)))
                for at, block in groups
                for part in chunk_ranges(len(at), self._block_size())
            ]

            def task(part: Group) -> int:
                items[part[0]], scores[part[0]] = answer(part)
                return len(part[0])

            done = 0
            for count in map(task, parts) if len(parts) == 1 else LocalEngine(threads).map(task, parts):
                done += count
                progress(f"recommend {self.name}", done, len(wanted))

        known = [part_of(group, group[1].lengths() > 0) for group in groups] if self.is_personalized else groups
        write(known, lambda part: self._list_part(part, limits))
        n_known = sum(len(at) for at, _ in known)
        problems = [] if limits or np.isinf(self.min_score) else short_of(known, items, k)
        silent = [part_of(group, items[group[0], 0] < 0) for group in groups] if self.is_personalized else []
        if cold_users == "popular":
            write(silent, lambda part: self._popular_part(part, limits))
        rules = self._counts(groups, known, silent, cold_users, told, limits)
        card: ListsCard = {**limits.card, "problems": on_card(self.problems_, problems)}
        if told is not None:
            card["history"] = {"users": len(told.users), "mode": history_mode}
        if n_known < len(wanted) or silent:
            card["cold_users"] = cold_users
        if not any(each.code == "short_lists" for each in self.problems_):
            say(self.name, problems, stacklevel=2)
        return self._pack(wanted, items, scores, k=k, exclude_seen=exclude_seen, rules=rules, said=card)

    def score(
        self,
        pairs: pl.DataFrame,
        *,
        history: pl.DataFrame | None = None,
        history_mode: HistoryMode = "add",
        threads: int | None = None,
        progress: Progress = quiet,
    ) -> pl.DataFrame:
        """The score of given items for given users, seen or not: what a ranking stage needs.

        Args:
            pairs: ``user_id, item_id``, in any order.
            history: What users did, as in :meth:`recommend`.
            history_mode: ``"add"`` or ``"replace"``, as in :meth:`recommend`.
            threads: Threads to use; the result does not depend on it.
            progress: Callback for the progress.

        Returns:
            The pairs, in their order, with ``score`` (float32); null where the model does not know the user or the
            item, or has no score for the item.
        """
        self._need_fit()
        told = self._told(history, history_mode)
        users = Vocabulary(pairs[USER])
        rows, columns = users.encode(pairs[USER]), encode_where_possible(self.items_, pairs[ITEM])
        order = np.argsort(rows, kind="stable")
        begins = np.searchsorted(rows[order], np.arange(len(users) + 1))
        found = np.full(len(rows), np.nan, np.float32)

        def task(part: Group) -> int:
            dense = self._scores(part[1])
            for row, user in enumerate(part[0]):
                mine = order[begins[user] : begins[user + 1]]
                mine = mine[columns[mine] >= 0]
                found[mine] = dense[row, columns[mine]]
            return len(part[0])

        groups = self._groups(users.ids, told, k=1, exclude_seen=False)
        if self.is_personalized:
            groups = [part_of(group, group[1].lengths() > 0) for group in groups]
        parts = [
            (at[part.start : part.stop], block.take(slice(part.start, part.stop)))
            for at, block in groups
            for part in chunk_ranges(len(at), self._block_size())
        ]
        done = 0
        for count in LocalEngine(threads).map(task, parts):
            done += count
            progress(f"score {self.name}", done, len(users))
        found[~np.isfinite(found)] = np.nan
        return pairs.with_columns(pl.Series(SCORE, found, nan_to_null=True))

    def explain(
        self,
        user: Any,
        item: Any,
        *,
        n: int = 5,
        history: pl.DataFrame | None = None,
        history_mode: HistoryMode = "add",
    ) -> Explanation:
        """Why the model scores an item as it does for a user: the reasons whose contributions add up to the score.

        Args:
            user: The user.
            item: The item.
            n: Most reasons to show.
            history: What the user did, as in :meth:`recommend`.
            history_mode: ``"add"`` or ``"replace"``, as in :meth:`recommend`.

        Returns:
            The explanation. A user of whom no item is known has no reasons but how popular the item is.

        Raises:
            UnknownNameError: If the item is not in the catalogue, or the user neither in the training data nor in
                ``history``.
        """
        self._need_fit()
        code = self._code(item, self.items_)
        if code < 0:
            raise UnknownNameError("item in the training data", str(item), map(str, self.items_.ids.head(200)))
        told = self._told(history, history_mode)
        asked = pl.Series(USER, [user])
        (_, block), *_ = [group for group in self._groups(asked, told, k=1, exclude_seen=False) if len(group[0])]
        if self.is_personalized and not block.from_history and block.users[0] < 0:
            raise UnknownNameError("user in the training data", str(user), map(str, self.users_.ids.head(200)))
        if self.is_personalized and not block.lengths().any():
            kind, ids, parts = "count", ["users in the training data who have it"], self._popularity[[code]]
        else:
            kind, ids, parts = self._reasons(block, code)
        parts = parts.astype(np.float64)
        order = np.argsort(-np.abs(parts), kind="stable")[:n]
        reasons = tuple((ids[int(at)], float(parts[at])) for at in order)
        score = float(parts.sum())
        rest = score - sum(part for _, part in reasons)
        title, *titles = self._titles([item, *(reason for reason, _ in reasons)] if kind == "item" else [item])
        return Explanation(
            user=user,
            item=item,
            score=score,
            kind=kind,
            reasons=reasons,
            rest=rest,
            item_title=title,
            titles=tuple(titles),
        )

    def _list_part(self, part: Group, limits: Limits) -> tuple[np.ndarray, np.ndarray]:
        at, block = part
        if not limits:
            return self._recommend(block)
        rows = self._scores(block)
        limits.apply(rows, at)
        return top_of_scores(rows, block, self.min_score, zeros_say_nothing=self.is_personalized)

    def _popular_part(self, part: Group, limits: Limits) -> tuple[np.ndarray, np.ndarray]:
        """The most popular items, for users without scores."""
        at, block = part
        rows = np.repeat(self._popularity[None, :], len(at), axis=0)
        limits.apply(rows, at)
        return top_of_scores(rows, block, 0.0)

    def _counts(
        self,
        groups: Sequence[Group],
        known: Sequence[Group],
        silent: Sequence[Group],
        cold_users: ColdUsers,
        told: Histories | None,
        limits: Limits,
    ) -> list[AppliedRule]:
        """The counts for the card."""
        strangers = sum(int((block.lengths() == 0).sum()) for _, block in groups)
        unheard = sum(len(at) for at, _ in silent) - strangers if self.is_personalized else 0
        gets = cold_users if self.is_personalized else "like_everybody"
        return [
            rule("users_without_known_item", strangers, gets=gets),
            rule("users_model_is_silent_on", unheard, gets=gets),
            rule("unknown_history_items", told.unknown if told else 0),
            *limits.rules,
            *self._rules([block for _, block in known if len(block.users)]),
        ]

    def _pack(
        self,
        users: pl.Series,
        items: np.ndarray,
        scores: np.ndarray,
        *,
        k: int,
        exclude_seen: bool,
        rules: list[AppliedRule],
        said: ListsCard,
    ) -> Recommendations:
        filled = items >= 0
        lengths = filled.sum(axis=1)
        ranks = np.broadcast_to(np.arange(1, items.shape[1] + 1, dtype=np.int32), items.shape)
        rows = np.broadcast_to(np.arange(len(users), dtype=np.int32)[:, None], items.shape)
        # Full lists, the usual case, need no mask, which would take longer than the rest of this function.
        whole = bool(filled.all())
        picked = [each.ravel() if whole else each[filled] for each in (rows, items, ranks, scores)]
        columns = (users[picked[0]], self.items_.decode(picked[1]), picked[2], picked[3])
        table = pl.DataFrame(dict(zip((USER, ITEM, RANK, SCORE), columns, strict=True)))
        short = int(((lengths < k) & (lengths > 0)).sum())
        rules = [
            *rules,
            rule("users_without_list", int((lengths == 0).sum())),
            rule("short_lists", short, k=k),
        ]
        everything = self._kept("catalogue", self.items_, lambda items: fingerprint(items.ids))
        candidates: CandidatesCard = {"n": len(self.items_), "hash": everything}
        card: ListsCard = {
            "model": self.name,
            "parameters": self.settings(),
            "automatic": {name: self.automatic[name].formula for name in self.resolved_},
            "train": self.train_,
            "k": k,
            "exclude_seen": exclude_seen,
            **said,
            "candidates": candidates | said.get("candidates", candidates),
            "score_ties": "smaller_id",
            "versions": versions(),
            "rules": [each for each in rules if each["count"]],
        }
        return Recommendations(table, self.name, card)
