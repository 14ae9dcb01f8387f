"""The compiled loops of the re-rankers: list by list, the first k places, one after the other.

The lists come best first. Of the items that a re-ranker holds to be alike (one group, one class of labels) the one that
stands higher is always taken first, so that each place is a choice among the heads of a few queues.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reclens.kernels import kernel

__all__ = ["calibrated_places", "fair_places", "fill_rest", "history_shares", "xquad_places"]


@kernel("void(int64[:,::1], int64)")
def fill_rest(order: Any, width: Any) -> None:
    """Append what was not chosen, in the order in which it stood.

    Args:
        order: Places, shape (n, depth); the first ``width`` of a row hold those chosen, -1 from where a list ran out.
        width: Places that were chosen.
    """
    depth = order.shape[1]
    used = np.empty(depth, np.bool_)
    for row in range(len(order)):
        for place in range(depth):
            used[place] = False
        at = 0
        while at < width and order[row, at] >= 0:
            used[order[row, at]] = True
            at += 1
        for place in range(depth):
            if not used[place]:
                order[row, at] = place
                at += 1


@kernel("int64(boolean[::1], boolean[::1], boolean, int64)")
def _next(listed: Any, flags: Any, wanted: Any, place: Any) -> Any:
    """The first place from one on that holds an item with the wanted flag; the length of the list where none does."""
    while place < len(flags) and not (listed[place] and flags[place] == wanted):
        place += 1
    return place


@kernel("void(boolean[:,::1], boolean[:,::1], int64[::1], int64[:,::1])")
def fair_places(listed: Any, protected: Any, least: Any, order: Any) -> None:
    """FA*IR: the better of two queues, unless fewer than ``least`` of the places so far are protected.

    Args:
        listed: Which places hold an item, shape (n, depth).
        protected: Which hold a protected one.
        least: Protected items that the first 1, 2, … k places need.
        order: Where the places go, shape (n, depth).
    """
    depth = listed.shape[1]
    for row in range(len(listed)):
        count = 0
        inside = _next(listed[row], protected[row], True, 0)
        outside = _next(listed[row], protected[row], False, 0)
        for place in range(len(least)):
            if inside == depth and outside == depth:
                order[row, place] = -1
            elif outside == depth or (inside < depth and (count < least[place] or inside < outside)):
                order[row, place] = inside
                inside = _next(listed[row], protected[row], True, inside + 1)
                count += 1
            else:
                order[row, place] = outside
                outside = _next(listed[row], protected[row], False, outside + 1)


@kernel("void(boolean[:,::1], boolean[:,::1], float64[:,::1], float64[::1], float64, boolean, int64, int64[:,::1])")
def xquad_places(
    listed: Any, tail: Any, relevance: Any, likes_tail: Any, weight: Any, smooth: Any, width: Any, order: Any
) -> None:
    """XQuAD with two classes, short head and long tail.

    Args:
        listed: Which places hold an item, shape (n, depth).
        tail: Which hold an item of the long tail.
        relevance: Relevance × (1 - weight) of each place.
        likes_tail: P(tail | user), shape (n,).
        weight: Weight of the classes.
        smooth: Whether "covered" is a share; else it is 1 as soon as one item stands.
        width: Places to choose.
        order: Where the places go, shape (n, depth).
    """
    depth = listed.shape[1]
    for row in range(len(listed)):
        a, b = _next(listed[row], tail[row], False, 0), _next(listed[row], tail[row], True, 0)
        n_head, n_tail = 0, 0
        for place in range(width):
            if a == depth and b == depth:
                order[row, place] = -1
                continue
            total = max(n_head + n_tail, 1)
            of_head = n_head / total if smooth else 1.0 * (n_head > 0)
            of_tail = n_tail / total if smooth else 1.0 * (n_tail > 0)
            worth_a = worth_b = -np.inf
            if a < depth:
                worth_a = relevance[row, a] + weight * (1 - likes_tail[row]) * (1 - of_head)
            if b < depth:
                worth_b = relevance[row, b] + weight * likes_tail[row] * (1 - of_tail)
            if b == depth or (a < depth and (worth_a > worth_b or (worth_a == worth_b and a < b))):
                order[row, place] = a
                a = _next(listed[row], tail[row], False, a + 1)
                n_head += 1
            else:
                order[row, place] = b
                b = _next(listed[row], tail[row], True, b + 1)
                n_tail += 1


@kernel("void(int64[::1], int64[::1], int32[::1], float32[:,::1], float64[:,::1])")
def history_shares(users: Any, indptr: Any, indices: Any, shares: Any, out: Any) -> None:
    """Mean shares of the labels over each history, shape (n, labels); NaN where there is no labelled item."""
    for row in range(len(users)):
        count = 0
        if users[row] >= 0:
            for at in range(indptr[users[row]], indptr[users[row] + 1]):
                own, known = shares[indices[at]], False
                for label in range(shares.shape[1]):
                    if own[label] > 0:
                        out[row, label] += own[label]
                        known = True
                count += known
        for label in range(shares.shape[1]):
            out[row, label] = out[row, label] / count if count else np.nan


@kernel("float64(int64[::1], float64[::1], int64, float64[::1], float64[::1], float64[::1], int64, float64)")
def _change(labels: Any, shares: Any, size: Any, p: Any, placed: Any, terms: Any, count: Any, alpha: Any) -> Any:
    """Change of Σ p log q̃ when an item is added: only the terms of its own labels change."""
    change = 0.0
    for at in range(size):
        label = labels[at]
        if p[label] > 0:
            with_it = (1 - alpha) * (placed[label] + shares[at]) / count + alpha * p[label]
            change += p[label] * np.log(with_it) - terms[label]
    return change


@kernel("void(boolean[:,::1], float64[:,::1], float32[:,:,::1], float64[:,::1], float64, float64, int64, int64[:,::1])")
def calibrated_places(
    listed: Any, relevance: Any, shares: Any, p: Any, weight: Any, alpha: Any, width: Any, order: Any
) -> None:
    """Steck's greedy: the highest relevance - weight × KL(p, q̃) with the item added.

    Args:
        listed: Which places hold an item, shape (n, depth).
        relevance: Relevance × (1 - weight) of each place.
        shares: Shares of the labels of the item of each place, shape (n, depth, labels); all 0 where there are none.
        p: Shares of each history, shape (n, labels); NaN in the rows of users without.
        weight: Weight of the divergence.
        alpha: How much of p is blended into q.
        width: Places to choose.
        order: Where the places go, shape (n, depth).
    """
    n, depth, n_labels = shares.shape
    labels, values = np.empty((depth, n_labels), np.int64), np.empty((depth, n_labels))
    sizes, free = np.empty(depth, np.int64), np.empty(depth, np.bool_)
    placed, terms = np.empty(n_labels), np.empty(n_labels)
    for row in range(n):
        _sparse(shares[row], labels, values, sizes)
        known = n_labels > 0 and not np.isnan(p[row, 0])
        free[:] = listed[row]
        placed[:] = 0.0
        count = 0
        for place in range(width):
            base = base_idle = 0.0
            for label in range(n_labels):
                terms[label] = 0.0
                if known and p[row, label] > 0:
                    share = (1 - alpha) * placed[label]
                    terms[label] = p[row, label] * np.log(share / (count + 1) + alpha * p[row, label])
                    base += terms[label]
                    # An item without labels leaves the shares as they are.
                    base_idle += p[row, label] * np.log(share / max(count, 1) + alpha * p[row, label])
            best, chosen = -np.inf, -1
            for at in range(depth):
                if free[at]:
                    worth = relevance[row, at]
                    if known and sizes[at]:
                        own = _change(labels[at], values[at], sizes[at], p[row], placed, terms, count + 1, alpha)
                        worth += weight * (base + own)
                    elif known:
                        worth += weight * base_idle
                    if chosen < 0 or worth > best:
                        best, chosen = worth, at
            order[row, place] = chosen
            if chosen >= 0:
                free[chosen] = False
                count += sizes[chosen] > 0
                for at in range(sizes[chosen]):
                    placed[labels[chosen, at]] += values[chosen, at]


@kernel("void(float32[:,::1], int64[:,::1], float64[:,::1], int64[::1])")
def _sparse(shares: Any, labels: Any, values: Any, sizes: Any) -> None:
    """The labels of each place and their shares, without zeros."""
    for at in range(len(shares)):
        sizes[at] = 0
        for label in range(shares.shape[1]):
            if shares[at, label] > 0:
                labels[at, sizes[at]], values[at, sizes[at]] = label, shares[at, label]
                sizes[at] += 1
