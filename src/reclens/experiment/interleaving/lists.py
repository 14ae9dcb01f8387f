"""Lists in which two rankings are mixed, for many users at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from reclens.errors import ArgumentValuesError, UnknownNameError, UsageError

__all__ = ["METHODS", "Interleaved", "Method", "interleave", "places_in"]

Method = Literal["team_draft", "balanced", "probabilistic", "optimized"]
METHODS: Final[tuple[Method, ...]] = ("team_draft", "balanced", "probabilistic", "optimized")
"""Ways to mix.

Team-draft (Radlinski, Kurup, Joachims 2008): rankers pick in turns, a coin for each round. Balanced (Joachims 2003):
both rankings are walked down alike, a coin says who begins. Probabilistic (Hofmann, Whiteson, de Rijke 2011): items are
drawn from softened rankings. Optimised (Radlinski, Craswell 2013): the mixture of lists that tells most and favours
nobody.
"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Interleaved:
    """Mixed lists, and what a click on each place says.

    Attributes:
        method: One of ``METHODS``.
        lists: Item codes, -1 where a list is shorter; int32, shape (n, k).
        credit: What a click on each place gives: to the first ranker where above 0, to the second where below; 0 at
            places that only one ranker could still fill. In ``balanced`` the credit of a click depends on the other
            clicks, and is 0 here.
        ranks: Place of each item in both rankings, from 0; the length of the ranking where it is not in it; shape
            (2, n, k).
        team: Which ranker put it there, 0 or 1, where the method says so; -1 elsewhere; int8.
    """

    method: str
    lists: np.ndarray
    credit: np.ndarray
    ranks: np.ndarray
    team: np.ndarray

    def __len__(self) -> int:
        return len(self.lists)


def interleave(
    first: np.ndarray,
    second: np.ndarray,
    *,
    k: int = 10,
    method: Method = "team_draft",
    rng: int = 0,
    softness: float = 3.0,
) -> Interleaved:
    """Mix two rankings for each user.

    If one ranking is shorter, the other fills the list, and clicks on items that only the other can add give no credit:
        they would say that it is longer, not that it is better.

    Args:
        first: Item codes of the first ranker, best first, no item twice, -1 fills up; shape (n, length).
        second: Of the second.
        k: Length of the lists.
        method: One of ``METHODS``.
        rng: Seed of coins and draws.
        softness: τ of ``probabilistic``: rank r has the weight r^-τ.

    Raises:
        UnknownNameError: If there is no such method.
        UsageError: If shapes do not fit, or k or softness is out of range.

    Example:
        >>> made = interleave(np.array([[1, 2, 3]]), np.array([[3, 1, 2]]), k=3)
        >>> sorted(made.lists[0].tolist())
        [1, 2, 3]
    """
    from reclens.experiment.interleaving.optimized import optimized

    if method not in METHODS:
        raise UnknownNameError("way to interleave", method, METHODS)
    a, b = np.asarray(first, np.int32), np.asarray(second, np.int32)
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b):
        raise UsageError(f"rankings have shapes {a.shape} and {b.shape}; expected a row a user in both.")
    if k < 1 or not softness > 0:
        raise ArgumentValuesError({"k": k, "softness": softness}, "1 or more, and a number above 0")
    drawn = np.random.default_rng(rng)
    if method == "team_draft":
        lists, team, contested = _team_draft(a, b, k, drawn)
        credit = np.where(contested, 1.0 - 2.0 * team, 0.0)
    elif method == "balanced":
        lists, team = _balanced(a, b, k, drawn)
        credit = np.zeros(lists.shape)
    elif method == "probabilistic":
        lists, credit = _probabilistic(a, b, k, drawn, softness)
        team = np.full(lists.shape, -1, np.int8)
    else:
        lists, credit = optimized(a, b, k, drawn)
        team = np.full(lists.shape, -1, np.int8)
    return Interleaved(
        method=method, lists=lists, credit=credit, ranks=np.stack([places_in(lists, a), places_in(lists, b)]), team=team
    )


def places_in(lists: np.ndarray, ranking: np.ndarray) -> np.ndarray:
    """The place of each item in a ranking, from 0; its length where it is not in it; shape of ``lists``."""
    same = (lists[:, :, None] == ranking[:, None, :]) & (lists >= 0)[:, :, None]
    return np.where(same.any(axis=2), same.argmax(axis=2), ranking.shape[1])


def _best(ranking: np.ndarray, used: np.ndarray) -> np.ndarray:
    """The best item of each row that is not used; -1 where there is none."""
    free = ~used & (ranking >= 0)
    at = free.argmax(axis=1)
    rows = np.arange(len(ranking))
    return np.where(free[rows, at], ranking[rows, at], -1)


def _team_draft(
    a: np.ndarray, b: np.ndarray, k: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Team-draft lists, the team of each item, and whether the other team could have placed it with equal probability.

    A round is contested if both rankers pick in it whoever begins: then each team has each of its places with the same
    chance, and clicks by place alone give nothing on average. The end of the list may cut a round to its first pick.
    """
    n, rows = len(a), np.arange(len(a))
    lists, team = np.full((n, k), -1, np.int32), np.full((n, k), -1, np.int8)
    contested, open_ = np.zeros((n, k), bool), np.ones(n, bool)
    used = np.zeros(a.shape, bool), np.zeros(b.shape, bool)
    sizes = np.zeros((2, n), np.int64)
    for place in range(k):
        level = sizes[0] == sizes[1]
        turn = np.where(level, rng.integers(2, size=n), (sizes[1] < sizes[0]).astype(np.int64))
        picks = np.stack([_best(a, used[0]), _best(b, used[1])])
        left = np.stack([(~own & (ranking >= 0)).sum(axis=1) for own, ranking in zip(used, (a, b), strict=True)])
        least = left.min(axis=0)
        # With one and the same best item, whoever comes second needs another one.
        needed = np.where((picks[0] == picks[1]) & (place < k - 1), 2, 1)
        open_ &= ~level | (least >= needed)
        turn = np.where(picks[turn, rows] >= 0, turn, 1 - turn)  # whoever has nothing left gives way
        item = picks[turn, rows]
        lists[:, place], team[:, place] = item, np.where(item >= 0, turn, -1)
        contested[:, place] = open_
        sizes[turn, rows] += item >= 0
        for own, ranking in zip(used, (a, b), strict=True):
            own |= (ranking == item[:, None]) & (item >= 0)[:, None]
    return lists, team, contested


def _balanced(a: np.ndarray, b: np.ndarray, k: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    n, rows = len(a), np.arange(len(a))
    lists, team = np.full((n, k + 1), -1, np.int32), np.full((n, k + 1), -1, np.int8)
    begins, at, size = rng.integers(2, size=n), np.zeros((2, n), np.int64), np.zeros(n, np.int64)
    wide = [np.concatenate([each, np.full((n, 1), -1, np.int32)], axis=1) for each in (a, b)]
    lengths = (a.shape[1], b.shape[1])
    for _ in range(lengths[0] + lengths[1]):
        turn = np.where(at[0] == at[1], begins, (at[1] < at[0]).astype(np.int64))
        over = [at[side] >= lengths[side] for side in range(2)]
        turn = np.where(over[0] & (turn == 0), 1, np.where(over[1] & (turn == 1), 0, turn))
        own = [wide[side][rows, np.minimum(at[side], lengths[side])] for side in range(2)]
        item = np.where(turn == 0, own[0], own[1])
        fresh = (item >= 0) & ~(lists == item[:, None]).any(axis=1) & (size < k)
        place = np.where(fresh, size, k)  # the last column is thrown away
        lists[rows, place], team[rows, place] = np.where(fresh, item, -1), np.where(fresh, turn, -1)
        size += fresh
        at[turn, rows] += 1
    return lists[:, :k], team[:, :k]


def _probabilistic(
    a: np.ndarray, b: np.ndarray, k: int, rng: np.random.Generator, softness: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw place by place from the mean of both softened rankings; credit is the expected team, given the list."""
    n, rows = len(a), np.arange(len(a))
    only = np.where(places_in(b, a) < a.shape[1], -1, b)
    union = np.concatenate([a, only], axis=1)
    weights = np.stack([_soft(places_in(union, each), each.shape[1], softness) for each in (a, b)])
    lists, credit = np.full((n, k), -1, np.int32), np.zeros((n, k))
    for place in range(min(k, union.shape[1])):
        sums = weights.sum(axis=2, keepdims=True)
        chances = np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 0)
        both = chances.sum(axis=0)
        totals = both.cumsum(axis=1)
        at = np.minimum((totals <= (rng.random(n) * totals[:, -1])[:, None]).sum(axis=1), union.shape[1] - 1)
        there = totals[:, -1] > 0
        lists[:, place] = np.where(there, union[rows, at], -1)
        mine, theirs = chances[0, rows, at], chances[1, rows, at]
        both_left = (sums[:, :, 0] > 0).all(axis=0)
        credit[:, place] = np.divide(mine - theirs, mine + theirs, out=np.zeros(n), where=both_left)
        weights[:, rows, at] = 0
    return lists, credit


def _soft(places: np.ndarray, length: int, softness: float) -> np.ndarray:
    return np.where(places < length, (places + 1.0) ** -softness, 0.0)
