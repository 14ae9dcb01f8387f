"""Optimised interleaving: the mixture of lists that tells the rankers apart best among those that favour neither."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np

from reclens.errors import ArgumentValueError

__all__ = ["mixture", "optimized"]

_LONGEST: Final = 10
"""There are up to 2^k lists."""


def optimized(a: np.ndarray, b: np.ndarray, k: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a list for each user from their mixture; see :func:`mixture`.

    Rankings of other length are compared as far as the shorter one goes.

    Returns:
        Lists, shape (n, k), and the credit of a click on each place.

    Raises:
        UsageError: If k is above 10.
    """
    if k > _LONGEST:
        raise ArgumentValueError("k", f"is {k}: optimised interleaving looks at 2^k lists, expected at most {_LONGEST}")
    lists, credit = np.full((len(a), k), -1, np.int32), np.zeros((len(a), k))
    luck, width = rng.random(len(a)), a.shape[1]
    pairs, which = np.unique(np.concatenate([a, b], axis=1), axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(which.ravel(), minlength=len(pairs)))
    for at, pair in enumerate(pairs):
        rows = order[ends[at - 1] if at else 0 : ends[at]]
        choices, chances, given = _choices(pair[:width], pair[width:], k)
        picks = np.minimum(np.searchsorted(np.cumsum(chances), luck[rows], side="right"), len(choices) - 1)
        lists[rows], credit[rows] = choices[picks], given[picks]
    return lists, credit


def _choices(first: np.ndarray, second: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The lists that two rankings allow, -1 where they end, their probabilities, and the credit of each place."""
    mine, theirs = (side[side >= 0].tolist() for side in (first, second))
    length = min(len(mine), len(theirs), k)
    # Which items they are does not matter, only where they stand: users with one pattern share the solution.
    order = {item: code for code, item in enumerate(dict.fromkeys([*mine, *theirs]))}
    names = np.fromiter(order, np.int32, len(order))
    sides = [tuple(order[item] for item in side[:length]) for side in (mine, theirs)]
    found, chances, given = mixture(*sides, length) if length else (np.zeros((1, 0), int), np.ones(1), np.zeros((1, 0)))
    choices, credit = np.full((len(found), k), -1, np.int32), np.zeros((len(found), k))
    credit[:, :length] = given
    # Places beyond the shorter ranking are filled from both in turn, for no credit.
    rest = [side[at] for at in range(max(len(mine), len(theirs))) for side in (mine, theirs) if at < len(side)]
    for row, codes in enumerate(found):
        shown = list(dict.fromkeys([*names[codes].tolist(), *rest]))[:k]
        choices[row, : len(shown)] = shown
    return choices, chances, credit


@lru_cache(maxsize=20_000)
def mixture(first: tuple[int, ...], second: tuple[int, ...], k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All lists that begin as one of the rankers would go on, and with what probability each is shown.

    A click on an item gives the difference of its inverse ranks, 1/rank_A - 1/rank_B. Probabilities solve a linear
    program: whoever clicks at random among the first j places gives 0 on average, for every j (so that neither ranker
    is favoured); under that, the expected sensitivity is largest. The sensitivity of a list is the entropy of who gets
    the credit of a click that falls on place i in proportion to 1/i, times the chance that somebody gets it
    (Radlinski and Craswell 2013, section 4).

    Args:
        first: Item codes of the first ranker.
        second: Of the second.
        k: Length of the lists.

    Returns:
        The lists, shape (m, length); their probabilities, shape (m,); credits, shape (m, length).
    """
    from scipy.optimize import linprog

    found = _prefixed(first, second, k)
    credit = np.array([[_inverse(first, item) - _inverse(second, item) for item in one] for one in found])
    lists = np.array(found, np.int64)
    m, size = lists.shape
    if m == 1:
        return lists, np.ones(1), credit
    fall = 1.0 / np.arange(1.0, size + 1)
    fall /= fall.sum()
    mine, theirs = (credit > 0) @ fall, (credit < 0) @ fall
    some = np.maximum(mine + theirs, 1e-300)
    entropy = -sum(
        np.where(part > 0, part / some * np.log2(np.maximum(part / some, 1e-300)), 0) for part in (mine, theirs)
    )
    sensitivity = entropy * (mine + theirs)
    sums = np.cumsum(credit, axis=1).T
    # Where no mixture is without favour, a slack on each place lets the one with the least favour be found.
    slack = np.concatenate([np.eye(size), -np.eye(size)], axis=1)
    rows: Any = np.concatenate(
        [np.concatenate([sums, slack], axis=1), np.concatenate([np.ones(m), np.zeros(2 * size)])[None]]
    )
    costs = np.concatenate([-sensitivity, np.full(2 * size, 1e3)])
    solved = linprog(costs, A_eq=rows, b_eq=np.r_[np.zeros(size), 1.0], bounds=(0, None), method="highs")
    chances = np.maximum(solved.x[:m], 0)
    return lists, chances / chances.sum(), credit


def _inverse(ranking: tuple[int, ...], item: int) -> float:
    return 1.0 / (ranking.index(item) + 1) if item in ranking else 0.0


def _prefixed(first: tuple[int, ...], second: tuple[int, ...], k: int) -> list[tuple[int, ...]]:
    """Lists in which every place holds the best item left of one of the rankers."""
    lists: dict[tuple[int, ...], None] = {(): None}
    for _ in range(min(k, len(set(first) | set(second)))):
        longer: dict[tuple[int, ...], None] = {}
        for one in lists:
            for ranking in (first, second):
                item = next((each for each in ranking if each not in one), None)
                if item is not None:
                    longer[(*one, item)] = None
        if not longer:
            break
        lists = longer
    return list(lists)
