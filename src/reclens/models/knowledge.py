"""Knowledge: items that meet declared requirements, for anybody (Burke 2000; Felfernig and Burke 2008)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from reclens.cards import AppliedRule
from reclens.data.dataset import Dataset
from reclens.data.rules import rule
from reclens.engine import LocalEngine, Progress
from reclens.errors import Advice, ArgumentValueError, DataError, Setting, UnknownNameError, UsageError
from reclens.models._core.block import Block
from reclens.models._core.form import Form, bytes_, numbers
from reclens.models._core.recommender import Recommender
from reclens.models._knowledge.attributes import Attributes
from reclens.models._knowledge.critiquing import Critiqued, likeness, possible_critiques, requirements_of
from reclens.models._knowledge.relaxing import Relaxation, Relaxations, minimal_conflicts, minimal_relaxations
from reclens.models._knowledge.requirements import Requirement, parse_requirement
from reclens.schema import ITEM, RANK, SCORE

__all__ = ["Knowledge"]

_MOST = 16
_NOTHING = np.zeros(0, np.int32)
_EMPTY = {"relax": "the first of the relaxations is applied", "nothing": "nobody gets a list"}


@dataclass(kw_only=True)
class Knowledge(Recommender):
    """Items that meet all requirements, ranked by preferences; users need no history.

    The score of an item that fits is 1 + Σ weight × utility ÷ Σ weight over the preferences + ``popularity`` × users of
    the item ÷ users of the most popular item; items that fail a requirement have 0 and are not recommended. A utility
    is 1 or 0 for what is met or not, and a share for the wishes ``low``, ``high`` and ``near``. Requirements and
    preferences are small texts, described at the top of ``reclens.models._knowledge.requirements``. Items that a user
    has are left out by ``exclude_seen`` as always.

    When no item meets all requirements, the first of the minimal relaxations is applied, the one that drops the fewest
    requirements, of these the one that brings the most items, and of these the one that drops what was declared last;
    the card of the lists says what was dropped. A user who already has every item that fits gets no list.

    Attributes:
        require: Requirements that items have to meet, such as ``["genres includes Comedy", "year >= 1990"]``.
        prefer: What is preferred -> its weight, such as ``{"price low": 2.0, "genres includes War": 1.0}``.
        popularity: Weight of the item's popularity beside the preferences; small, so that it ranks what is alike.
        when_nothing_fits: ``relax``, or ``nothing`` to recommend nothing then.
        critiques: Words of your own for :meth:`critique`, such as ``{"roomier": "higher bedrooms"}``.

    References:
        Felfernig, Burke (2008), Constraint-based recommender systems; ICEC. Felfernig, Schubert, Zehentner (2012), An
        efficient diagnosis algorithm for inconsistent constraint sets; AI EDAM 26(1). Junker (2004), QuickXPlain; AAAI.
        McCarthy, Reilly, McGinty, Smyth (2004), On the dynamic generation of compound critiques; AH.
    """

    name: ClassVar[str] = "knowledge"
    min_score: ClassVar[float] = 0.0

    require: Sequence[str | Mapping[str, Any]] = ()
    prefer: Mapping[str, float] = field(default_factory=dict)
    popularity: float = 0.01
    when_nothing_fits: str = "relax"
    critiques: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Bring requirements to the form in which they are saved."""
        if not isinstance(self.require, str):
            self.require = tuple(str(parse_requirement(each)) for each in self.require)

    @property
    def is_personalized(self) -> bool:
        """No: whoever asks is served."""
        return False

    @property
    def cold_items(self) -> bool:
        """Yes: an item needs attributes, and no interaction."""
        return True

    def _check(self) -> None:
        if isinstance(self.require, str):
            raise ArgumentValueError("require", f"is a text, expected a list: [{self.require!r}]", of="model")
        if len(self.require) > _MOST:
            raise UsageError(f"there are {len(self.require)} requirements, expected {_MOST} at most: prefer the rest.")
        for text, weight in self.prefer.items():
            parse_requirement(text)
            if not weight > 0 or not np.isfinite(weight):
                raise UsageError(f"the weight of '{text}' is {weight}, expected a number above 0.")
        if not self.popularity >= 0 or not np.isfinite(self.popularity):
            raise ArgumentValueError("popularity", f"is {self.popularity}, expected 0 or more", of="model")
        if self.when_nothing_fits not in _EMPTY:
            raise UnknownNameError("value of when_nothing_fits", self.when_nothing_fits, _EMPTY)

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        if train.items is None and (self.require or self.prefer):
            raise UsageError(
                f"knowledge needs attributes of the items, and '{train.name}' has none",
                advice=Advice("read_items", (Setting("items"),), "Read them too, by {items}."),
            )
        self.attributes_ = Attributes.of(train.items, self.items_)
        self.counts_ = np.bincount(self.seen_.indices, minlength=len(self.items_)).astype(np.float32)
        listed = self.items_.ids.clear() if train.items is None else train.items[ITEM].cast(self.items_.ids.dtype)
        self.absent_ = len(self.items_) - int(self.items_.ids.is_in(listed.implode()).sum())
        self._answer()

    def _answer(self) -> None:
        """Compute the fitting items and all parts of the scores: contributions of shape (requirements, items)."""
        self.required_ = [parse_requirement(each) for each in self.require]
        met = [self.attributes_.met(each) for each in self.required_]
        self.failed_ = np.zeros(len(self.items_), np.int64)
        for at, each in enumerate(met):
            self.failed_ |= (~each).astype(np.int64) << at
        fits = self.failed_ == 0
        self.dropped_ = 0
        if not fits.any() and self.when_nothing_fits == "relax":
            self.dropped_ = minimal_relaxations(self.failed_)[0][0]
            fits = (self.failed_ & ~self.dropped_) == 0
        wishes = {parse_requirement(text): float(weight) for text, weight in self.prefer.items()}
        total = sum(wishes.values())
        parts = {str(each): weight / total * self.attributes_.utility(each) for each, weight in wishes.items()}
        parts["popularity"] = self.popularity * self.counts_.astype(np.float64) / max(float(self.counts_.max()), 1.0)
        self.parts_ = parts
        self.scores_ = np.where(fits, 1 + sum(parts.values()), 0).astype(np.float32)

    def _scores(self, block: Block) -> np.ndarray:
        return np.repeat(self.scores_[None, :], len(block.users), axis=0)

    def asked(
        self, *, require: Sequence[str | Mapping[str, Any]] | None = None, prefer: Mapping[str, float] | None = None
    ) -> Self:
        """The same knowledge asked otherwise, without a new fit.

        Args:
            require: Requirements; those of this model if None.
            prefer: Preferences; those of this model if None.

        Returns:
            A fitted model.

        Raises:
            UsageError: If a requirement cannot be read, or does not go with its column.
        """
        self._need_fit()
        changes = {"require": require, "prefer": prefer}
        return self._changed(**{name: value for name, value in changes.items() if value is not None})

    def _changed(self, **changes: Any) -> Self:
        """A fitted model that shares what was learned."""
        made = replace(self, **changes)
        made._check()
        for learned in ("users_", "items_", "seen_", "train_", "attributes_", "counts_", "absent_"):
            setattr(made, learned, getattr(self, learned))
        made._answer()
        return made

    def best(self, *, user: Any = None, k: int = 10) -> pl.DataFrame:
        """The best items for anybody, or for a user: without those that they have in the training data.

        Returns:
            ``item_id, rank, score``.

        Raises:
            NotFittedError: If the model was not fitted.
        """
        self._need_fit()
        scores = self.scores_.copy()
        scores[self._seen_by(user)] = 0
        order = np.lexsort((np.arange(len(scores)), -scores))[:k]
        order = order[scores[order] > 0]
        ranks = np.arange(1, len(order) + 1, dtype=np.int32)
        return pl.DataFrame({ITEM: self.items_.decode(order), RANK: ranks, SCORE: scores[order]})

    def relaxations(self, *, user: Any = None, examples: int = 3) -> Relaxations:
        """What to drop when no item meets all requirements.

        Args:
            user: Leave out the items that this user has in the training data.
            examples: Items to show of each.

        Returns:
            The minimal relaxations, ranked, and the minimal conflicts behind them; without either where an item fits.
        """
        self._need_fit()
        open_items = np.ones(len(self.items_), bool)
        open_items[self._seen_by(user)] = False
        texts = tuple(map(str, self.required_))
        found = minimal_relaxations(self.failed_[open_items])
        n_fit = sum(count for each, count in found if each == 0)
        value = sum(self.parts_.values())
        alternatives: list[Relaxation] = []
        for dropped, count in found if not n_fit else []:
            rows = np.flatnonzero(open_items & (self.failed_ == dropped))
            best = rows[np.argsort(-np.asarray(value)[rows], kind="stable")][:examples]
            ids = tuple(self.items_.decode(best).to_list())
            alternatives.append(Relaxation(_chosen(texts, dropped), count, ids, self._instead(dropped, rows)))
        conflicts = () if n_fit else tuple(_chosen(texts, each) for each in minimal_conflicts([s for s, _ in found]))
        return Relaxations(texts, n_fit, tuple(alternatives), conflicts)

    def critique(
        self, item: Any, critique: str, *, user: Any = None, k: int = 10, like: bool | None = None
    ) -> Critiqued:
        """The items that answer a critique of an item: ``cheaper``, ``newer, other genres``, ``like genres``.

        The critique becomes requirements relative to the item, in the place of the declared ones on the same columns;
        the other declared ones stay.

        Args:
            item: The item; it needs no interaction.
            critique: What is said of it, described at the top of ``reclens.models._knowledge.critiquing``.
            user: Leave out the items that this user has in the training data.
            k: Items to return.
            like: Whether items that are like this one in the other columns come first; if None, where nothing was
                declared in ``prefer``.

        Raises:
            UnknownNameError: If the item or a column does not exist.
            UsageError: If the critique means nothing, or the item has no value to compare with.
        """
        row = self._row(item)
        new = requirements_of(critique, row, self.attributes_, self.critiques)
        columns = {each.column for each in new}
        kept = [str(each) for each in self.required_ if each.column not in columns]
        prefer = dict(self.prefer)
        if like or (like is None and not prefer):
            prefer |= {str(each): weight for each, weight in likeness(row, self.attributes_, but=columns).items()}
        require = [*kept, *map(str, new)]
        made = self._changed(require=require, prefer=prefer, when_nothing_fits="nothing")
        made.scores_[[row, *self._seen_by(user)]] = 0
        n_items = int((made.scores_ > 0).sum())
        return Critiqued(
            item=item,
            critique=critique,
            require=tuple(map(str, made.required_)),
            prefer=prefer,
            n_items=n_items,
            table=made.best(k=k),
        )

    def possible(self, item: Any, *, size: int = 2, user: Any = None) -> pl.DataFrame:
        """The critiques that an item allows, and how many items each leaves.

        Args:
            item: The item.
            size: Most columns of one critique: 1 for unit critiques, 2 for pairs of them too.
            user: Leave out the items that this user has in the training data.

        Returns:
            ``critique, size, items``: unit critiques first, of each size those that leave the most items; a critique
            that leaves none is left out, as is a compound one that leaves no fewer than one of its parts.

        Raises:
            UnknownNameError: If the item does not exist.
        """
        row = self._row(item)
        open_items = np.ones(len(self.items_), bool)
        open_items[self._seen_by(user)] = open_items[row] = False
        units = possible_critiques(row, self.attributes_)
        met = {said: self.attributes_.met(each) for said, each in units.items()}
        masks = {said: met[said] & open_items & self._meets_but({each.column}) for said, each in units.items()}
        rows = [(said, 1, int(mask.sum())) for said, mask in masks.items()]
        for number in range(2, size + 1):
            for chosen in combinations(units, number):
                columns = {units[said].column for said in chosen}
                if len(columns) < number:
                    continue
                both = open_items & self._meets_but(columns)
                for said in chosen:
                    both &= met[said]
                least = min(int(masks[said].sum()) for said in chosen)
                if both.sum() < least:
                    rows.append((", ".join(chosen), number, int(both.sum())))
        rows = sorted((row for row in rows if row[2]), key=lambda row: (row[1], -row[2], row[0]))
        schema = {"critique": pl.String(), "size": pl.Int64(), "items": pl.Int64()}
        return pl.DataFrame(rows, schema, orient="row")

    def _meets_but(self, columns: set[str]) -> np.ndarray:
        """Which items meet the declared requirements on other columns than these."""
        bits = sum(1 << at for at, each in enumerate(self.required_) if each.column not in columns)
        return (self.failed_ & bits) == 0

    def _instead(self, dropped: int, rows: np.ndarray) -> str | None:
        """The nearest requirement on a number that lets one of some items fit, in the place of the one dropped."""
        at = dropped.bit_length() - 1
        if dropped != 1 << at or self.required_[at].operator not in ("<", "<=", ">", ">="):
            return None
        column, operator = self.required_[at].column, self.required_[at].operator[0]
        values = self.attributes_.numbers(column)[rows]
        if np.isnan(values).all():
            return None
        nearest = rows[np.nanargmin(values) if operator == "<" else np.nanargmax(values)]
        return str(Requirement(column, f"{operator}=", self.attributes_.shown(column, int(nearest))))

    def _row(self, item: Any) -> int:
        self._need_fit()
        code = self._code(item, self.items_)
        if code < 0:
            raise UnknownNameError("item", str(item), map(str, self.items_.ids.head(200)))
        return code

    def _seen_by(self, user: Any) -> np.ndarray:
        """Items of the user's history; empty for an unknown user."""
        code = -1 if user is None else self._code(user, self.users_)
        return self.seen_.indices[self.seen_.indptr[code] : self.seen_.indptr[code + 1]] if code >= 0 else _NOTHING

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        failed, texts = int(self.failed_[item]), tuple(map(str, self.required_))
        kept = (1 << len(texts)) - 1 & ~self.dropped_
        met, missed = _chosen(texts, kept & ~failed), _chosen(texts, kept & failed)
        if missed or not self.scores_[item]:
            each = len(met) / len(texts)  # what is met and what is failed cancel out
            parts = [1 / len(texts)] * len(met) + [-each / len(missed)] * len(missed)
            return "rule", [*met, *(f"not: {text}" for text in missed)], np.array(parts) + 0.0
        reasons = dict.fromkeys(met, 1 / max(len(met), 1)) if met else {"nothing is required": 1.0}
        wished = {text: float(values[item]) for text, values in self.parts_.items() if values[item]}
        if "popularity" in wished:
            wished[f"popularity ({int(self.counts_[item]):,} users)"] = wished.pop("popularity")
        names = [*reasons, *(f"the wish {text}" if text in self.parts_ else text for text in wished)]
        return "rule", names, np.array([*reasons.values(), *wished.values()])

    def _rules(self, blocks: Sequence[Block]) -> list[AppliedRule]:
        dropped = _chosen(tuple(map(str, self.required_)), self.dropped_)
        fits = self.scores_ > 0
        n_users, n_everything = sum(len(block.users) for block in blocks), 0
        for block in blocks:
            seen, known = block.seen, block.users[block.users >= 0]
            had = np.concatenate([[0], np.cumsum(fits[seen.indices])])
            n_everything += int((had[seen.indptr[known + 1]] - had[seen.indptr[known]] == fits.sum()).sum())
        unmet = [each for at, each in enumerate(self.required_) if (self.failed_ >> at & 1).all()]
        nearest = [self.attributes_.nearest(each) or "" for each in unmet]
        return [
            rule("requirements_dropped", len(dropped), requirements=list(dropped)),
            rule("requirements_unmet", len(unmet), requirements=list(map(str, unmet)), nearest=nearest),
            rule("users_without_match", n_users if not fits.any() else 0),
            rule("users_with_all_matches", n_everything if fits.any() else 0),
            rule("items_not_in_table", self.absent_),
        ]

    def notes(self) -> tuple[AppliedRule, ...]:
        """What there is to know of the requirements: which were dropped, and which no item meets."""
        self._need_fit()
        return tuple(each for each in self._rules([]) if each["count"])

    def _state(self) -> dict[str, np.ndarray]:
        absent = np.array([self.absent_])
        return {"counts": self.counts_, "absent": absent, "attributes": self.attributes_.to_bytes()}

    def _form(self) -> Mapping[str, Form]:
        return {
            "counts": numbers("items", low=0),
            "absent": numbers("1", dtype="int64", low=0, high="items"),
            "attributes": bytes_("size"),
        }

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.counts_, self.absent_ = arrays["counts"], int(arrays["absent"][0])
        self.attributes_ = Attributes.from_bytes(arrays["attributes"])
        if not self.attributes_.table[ITEM].equals(self.items_.ids):
            raise DataError("the attributes are those of other items")
        self._answer()


def _chosen(texts: tuple[str, ...], bits: int) -> tuple[str, ...]:
    return tuple(text for at, text in enumerate(texts) if bits >> at & 1)
