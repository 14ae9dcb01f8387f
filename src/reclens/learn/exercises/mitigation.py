"""Exercise 4.3: a re-ranking that closes a gap within a budget, chosen on validation and judged on other users."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.cards import Fact
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import toml_header
from reclens.learn.shop import PLACES, Shop, gumbel, top_items

__all__ = ["Mitigation"]

_METHODS: Final = ("boost", "quota", "boost_popular", "shorten", "popularity_discount", "random_places")
_USERS: Final = 1_000
"""Users of each part: validation, test, and each hidden world."""
_ITEMS: Final = 120
_CLOSED: Final = 0.5
"""Share of the gap that has to be closed."""
_BUDGET: Final = 0.02
"""Share of NDCG that may be lost."""
_AIM: Final = 0.65
"""Share of the gap that the shipped answer closes on validation: other users may close less."""
_TRUTHS: Final = 10
"""Draws of the truth that a hidden NDCG is the mean of, so that luck decides little."""
_STRENGTHS: Final = np.linspace(0.05, 2.0, 40)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Part:
    """Scores of users for items, and what they want.

    Attributes:
        scores: Users by items; minus infinity for what a user has.
        relevance: How often an item is in the truth of a user, from 0 to 1.
        group: Whether an item is of the seller.
        views: Users who have the item.
    """

    scores: np.ndarray
    relevance: np.ndarray
    group: np.ndarray
    views: np.ndarray


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What a mitigation does to a part.

    Attributes:
        closed: Share of the gap that is closed.
        lost: Share of NDCG that is lost.
        gained: The seller's places more, as a share of those that would close the gap.
        tail: Places that the less popular half of the seller's items get, divided by those that it had.
    """

    closed: float
    lost: float
    gained: float
    tail: float


class Mitigation(Exercise):
    """The chosen method and strength are applied to hidden users and worlds."""

    code = "4.3"
    name = "mend_it_within_a_budget"
    files = ("mitigation.toml",)
    minutes = 90

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """The seller, and what is asked for."""
        return {"seller": _terms(draw)[0], "closed": round(100 * _CLOSED), "budget": round(100 * _BUDGET)}

    def write_data(self, draw: Draw, folder: Path) -> None:
        """Scores, items and truth of the validation users."""
        shop, parts = _world(draw)
        part = parts[0]
        users = np.repeat(shop.users["user_id"].to_numpy()[:_USERS], _ITEMS)
        frame = pl.DataFrame(
            {
                "user_id": users,
                "item_id": np.tile(np.arange(1, _ITEMS + 1), _USERS),
                "score": np.round(part.scores.ravel().astype(float), 4),
                "wanted": part.relevance.ravel() > 0,
            }
        ).filter(pl.col("score").is_finite())
        frame.drop("wanted").write_parquet(folder / "scores.parquet")
        frame.filter("wanted").select("user_id", "item_id").write_parquet(folder / "truth.parquet")
        items = shop.items.select("item_id", "seller").with_columns(pl.Series("views", part.views))
        items.write_parquet(folder / "items.parquet")

    def templates(self, draw: Draw) -> dict[str, str]:
        """No method."""
        return {"mitigation.toml": _toml(draw, "", 0.0)}

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Apply the mitigation to the test users and to two hidden worlds."""
        given = tomllib.loads(answer["mitigation.toml"])
        remarks = list(_malformed(given))
        yield from remarks
        if remarks:
            return
        method, strength = str(given["method"]), float(given["strength"])
        places = [("test", _world(draw)[1][1]), *(("other_world", _world(each)[1][1]) for each in draw.hidden(2))]
        for where, part in places:
            found = list(_judged(_outcome(part, method, strength), where))
            yield from found
            if found:
                return

    def notes(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """How far the choice lies from the best that a sweep of all methods reaches on the test users."""
        given = tomllib.loads(answer["mitigation.toml"])
        part = _world(draw)[1][1]
        chosen = _outcome(part, str(given["method"]), float(given["strength"]))
        sweep = [_outcome(part, "boost", float(each)) for each in _STRENGTHS]
        sweep += [_outcome(part, "quota", float(each)) for each in (1, 2, 3)]
        least = min((each.lost for each in (*sweep, chosen) if each.closed >= chosen.closed), default=chosen.lost)
        facts = {"closed": chosen.closed, "lost": chosen.lost, "least": least, "distance": chosen.lost - least}
        yield Remark("distance_to_frontier", {name: f"{100 * value:.1f}" for name, value in facts.items()})

    def solve(self, draw: Draw, folder: Path) -> None:
        """The weakest boost that closes on validation what is asked for, and some more."""
        _write(draw, folder, "boost", _strength_for(draw, _AIM))


def _terms(draw: Draw) -> tuple[str, float]:
    """The seller, and how much less its items are wanted: the same in all worlds of a learner."""
    rng = Draw(draw.seed, draw.exercise).rng("terms")
    return f"s{rng.integers(1, 7)}", float(rng.uniform(1.35, 1.55))


@lru_cache(maxsize=8)
def _world(draw: Draw) -> tuple[Shop, tuple[_Part, _Part]]:
    """A shop, whose first users are those of validation and whose others are those of the test."""
    rng = draw.rng("world")
    seller, less = _terms(draw)
    shop = Shop.drawn(rng, users=2 * _USERS, items=_ITEMS, unwanted=(seller, less))
    scores = shop.utility + np.float32(0.5) * rng.standard_normal(shop.utility.shape, dtype=np.float32)
    group = shop.of_item("seller") == seller
    views = np.bincount(shop.history.ravel(), minlength=_ITEMS)
    relevance = np.zeros(shop.utility.shape, dtype=np.float32)
    np.put_along_axis(relevance, shop.truth, 1.0, 1)
    for _ in range(_TRUTHS - 1):
        wanted = shop.utility[_USERS:] + gumbel(rng, shop.utility[_USERS:])
        rows = relevance[_USERS:]
        truth = top_items(wanted, PLACES)
        np.put_along_axis(rows, truth, np.take_along_axis(rows, truth, 1) + 1.0, 1)
    relevance[_USERS:] /= _TRUTHS
    halves = (slice(0, _USERS), slice(_USERS, None))
    first, second = (_Part(scores=scores[half], relevance=relevance[half], group=group, views=views) for half in halves)
    return shop, (first, second)


def _outcome(part: _Part, method: str, strength: float) -> _Outcome:
    before = top_items(part.scores, PLACES)
    after = _reranked(part, before, method, strength)
    parity, had = float(part.group.mean()), _of_group(part, before)
    gap = parity - had / before.size
    tail = part.group & (part.views < np.median(part.views[part.group]))
    held = after >= 0
    return _Outcome(
        closed=(_of_group(part, after) / int(held.sum()) - had / before.size) / gap,
        lost=1 - _ndcg(part, after) / _ndcg(part, before),
        gained=(_of_group(part, after) - had) / (gap * before.size),
        tail=float((tail[after] & held).sum()) / max(1, int(tail[before].sum())),
    )


def _reranked(part: _Part, before: np.ndarray, method: str, strength: float) -> np.ndarray:
    """The lists after a mitigation; -1 where a place was taken away."""
    if method == "boost":
        return top_items(part.scores + np.float32(strength) * part.group, PLACES)
    if method == "boost_popular":
        popular = part.group & (part.views >= np.quantile(part.views[part.group], 0.8))
        return top_items(part.scores + np.float32(strength) * popular, PLACES)
    if method == "popularity_discount":
        return top_items(part.scores - np.float32(strength) * np.log1p(part.views).astype(np.float32), PLACES)
    others = ~part.group[before]
    if method == "shorten":
        last = np.cumsum(others[:, ::-1], 1)[:, ::-1]  # others from here to the end
        return np.where(others & (last <= strength), -1, before)
    if method == "quota":
        return _with_quota(part, int(strength))
    rng = np.random.default_rng(0)
    drawn = rng.choice(np.flatnonzero(part.group), before.shape)
    taken = (rng.random(before.shape) < strength) & others & ~(before[:, :, None] == drawn[:, None, :]).any(1)
    return np.where(taken, drawn, before)


def _with_quota(part: _Part, least: int) -> np.ndarray:
    """The best so many items of the seller are in each list, which stays in the order of the scores."""
    if least < 1:
        return top_items(part.scores, PLACES)
    best = top_items(np.where(part.group, part.scores, -np.inf), min(least, PLACES))
    raised = part.scores.copy()
    np.put_along_axis(raised, best, np.take_along_axis(raised, best, 1) + 1e4, 1)
    lists = top_items(raised, PLACES)
    return np.take_along_axis(lists, np.argsort(-np.take_along_axis(part.scores, lists, 1), 1), 1)


def _of_group(part: _Part, lists: np.ndarray) -> int:
    """Places that items of the seller have."""
    return int((part.group[lists] & (lists >= 0)).sum())


def _ndcg(part: _Part, lists: np.ndarray) -> float:
    """Mean NDCG by its definition, expected over the draws of the truth."""
    discount = 1 / np.log2(np.arange(2, PLACES + 2))
    gains = np.take_along_axis(part.relevance, lists, 1) * (lists >= 0)
    return float((gains @ discount).mean() / discount.sum())


def _judged(outcome: _Outcome, where: str) -> Iterator[Remark]:
    if outcome.closed < _CLOSED:
        share = f"{100 * outcome.closed:.1f}"
        yield Remark("gap_stays_open", {"where": where, "seen": share, "expected": round(100 * _CLOSED)})
    if outcome.lost > _BUDGET:
        yield Remark(
            "costs_too_much", {"where": where, "seen": f"{100 * outcome.lost:.1f}", "most": round(100 * _BUDGET)}
        )
    if outcome.closed >= _CLOSED and outcome.gained < _CLOSED * outcome.closed:
        yield Remark("levels_down", {"where": where})
    if outcome.tail < 1:
        yield Remark("harms_within_group", {"where": where, "seen": f"{100 * (1 - outcome.tail):.0f}"})


def _malformed(given: Mapping[str, Any]) -> Iterator[Remark]:
    method, strength = given.get("method"), given.get("strength")
    if method not in _METHODS:
        yield Remark("unknown_method", {"seen": str(method), "names": list(_METHODS)})
    if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 <= strength <= 100:
        yield Remark("no_strength", {"seen": str(strength)})


def _toml(draw: Draw, method: str, strength: float) -> str:
    return f'{toml_header(draw)}method = "{method}"\nstrength = {strength:.4g}\n'


def _write(draw: Draw, folder: Path, method: str, strength: float) -> None:
    (folder / "mitigation.toml").write_text(_toml(draw, method, strength), encoding="utf-8")


def _strength_for(draw: Draw, share: float) -> float:
    """The weakest boost that closes so much of the gap on validation."""
    part = _world(draw)[1][0]
    return next(float(each) for each in _STRENGTHS if _outcome(part, "boost", float(each)).closed >= share)


def _chosen(method: str, strength: float) -> Callable[[Draw, Path], None]:
    return lambda draw, folder: _write(draw, folder, method, strength)


Mitigation.wrong = {
    "nothing": _chosen("boost", 0.0),
    "too weak": lambda draw, folder: _write(draw, folder, "boost", _strength_for(draw, 0.25)),
    "too strong": lambda draw, folder: _write(draw, folder, "boost", _strength_for(draw, 1.4)),
    "popular items of the seller alone": _chosen("boost_popular", 1.2),
    "levels down": _chosen("shorten", 5),
    "by popularity": _chosen("popularity_discount", 0.3),
    "at random": _chosen("random_places", 0.06),
    "quota of three": _chosen("quota", 3),
}
