"""Choosing the first k places of many lists, one place after the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reclens.pipeline.rerank._base import RankedLists

__all__ = ["greedy_order"]


def greedy_order(lists: RankedLists, gains: Callable[[np.ndarray | None], np.ndarray]) -> np.ndarray:
    """The order in which each list's best next item is taken, k times; the others follow as they stood.

    Args:
        lists: The lists.
        gains: Called before each place with the place chosen last in every list, shape (n,), or None the first time;
            gives what each candidate is worth now, shape (n, depth). Equal worth: the one that stood higher.

    Returns:
        Places, shape (n, depth).
    """
    n, depth = lists.items.shape
    free = lists.listed.copy()
    order = np.empty((n, min(lists.k, depth)), np.int64)
    rows, last = np.arange(n), None
    for place in range(order.shape[1]):
        worth = np.where(free, gains(last), -np.inf)
        # A list that has run out of items takes its empty places in order: they stay on the right.
        last = np.where(free.any(axis=1), worth.argmax(axis=1), _first_unused(order, place, depth))
        order[:, place] = last
        free[rows, last] = False
    used = np.zeros((n, depth), bool)
    used[rows[:, None], order] = True
    rest = np.argsort(used, axis=1, kind="stable")[:, : depth - order.shape[1]]
    return np.concatenate([order, rest], axis=1)


def _first_unused(order: np.ndarray, place: int, depth: int) -> np.ndarray:
    used = np.zeros((len(order), depth), bool)
    used[np.arange(len(order))[:, None], order[:, :place]] = True
    return used.argmin(axis=1)
