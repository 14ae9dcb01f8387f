"""Which items some user vector could bring into a top k, by dot product: certificates, and an exact test for the rest.

The items that p ranks at most k-th are those with fewer than k items of a larger product. An item is *reachable* if
there is such a p: any p that ranks it among the first k proves it. It is *unreachable* if its vector lies in the convex
hulls of k sets of other items that have no item in common: whatever p is, each of these sets holds an item with at
least its product. Both proofs come from non-negative least squares: it either writes the vector as a mean of others, or
leaves a residual that separates them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.engine import Progress, quiet
from reclens.tabular import Tabular

__all__ = ["Reachability", "StructuralReach", "structural_reach"]

Reachability = Literal["reachable", "unreachable", "not_decided"]

MOST_EXACT: Final = 500
"""Items that the exact test is run on, at most; the others that the certificates leave open are not decided."""
_START: Final = 96
"""Other items that the first attempt to separate an item looks at."""
_MORE: Final = 64
_ROUNDS: Final = 40
_TOLERANCE: Final = 1e-9
_BLOCK: Final = 256


@dataclass(frozen=True, eq=False, kw_only=True)
class StructuralReach(Tabular):
    """Items that some user vector, existing or not, could bring into a list.

    Attributes:
        rows: The tested items, shape (m,).
        status: Of each, ``"reachable"``, ``"unreachable"`` or ``"not_decided"``.
        best_share: The best share of the k-th product that any direction that was tried gives it; 1 or more where one
            reaches it, NaN where products are not positive.
        k: Length of lists.
        tested: Number of items with the exact test.
    """

    rows: np.ndarray
    status: tuple[Reachability, ...]
    best_share: np.ndarray
    k: int
    tested: int

    def count(self, status: Reachability) -> int:
        """Items of a status."""
        return sum(each == status for each in self.status)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per item."""
        return self.to_frame().to_dicts()

    def to_frame(self) -> pl.DataFrame:
        """One row per item: ``row``, ``status``, ``best_share``."""
        return pl.DataFrame({"row": self.rows, "status": list(self.status), "best_share": self.best_share})


def structural_reach(
    vectors: np.ndarray,
    rows: np.ndarray,
    *,
    k: int = 10,
    users: np.ndarray | None = None,
    most_exact: int = MOST_EXACT,
    rng: int = 0,
    progress: Progress = quiet,
) -> StructuralReach:
    """Tell for items whether any user vector at all could rank them among the first k.

    For k = 1 the exact test decides every item. For larger k it gives a proof of the one or of the other where it finds
    one; between the two some items stay open, which are counted as not decided.

    Cheap certificates come first: an item's own direction, the direction away from those that beat it there, and the
    vectors of users. What they leave open is tested exactly, of a sample where there is much.

    Args:
        vectors: Vectors of all items, shape (n, d), compared by dot product.
        rows: The items in question.
        k: Length of lists.
        users: Vectors of users, shape (u, d), to try.
        most_exact: Items that are tested exactly, at most.
        rng: Seed of that sample.
        progress: Called as work goes on.

    Example:
        >>> square = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [0.1, 0.0]])
        >>> structural_reach(square, np.array([0, 4]), k=1).status
        ('reachable', 'unreachable')

    References:
        Dean, Rich and Recht (2020), Recommendations and user agency: the reachability of collaboratively-filtered
        information; Lawson and Hanson (1974), Solving least squares problems, for the exact test; Chinneck (1996), An
        effective polynomial-time heuristic for the minimum-cardinality IIS set-covering problem.
    """
    exact = np.ascontiguousarray(vectors, np.float64)
    rows = np.asarray(rows, np.int64)
    share = _certificates(exact, rows, k, users)
    open_rows = np.flatnonzero(~(share >= 1))
    chosen = open_rows
    if len(chosen) > most_exact:
        chosen = np.sort(np.random.default_rng(rng).choice(chosen, most_exact, replace=False))
    status: list[Reachability] = ["reachable" if found >= 1 else "not_decided" for found in share]
    for done, at in enumerate(chosen):
        status[at] = _decide(exact, int(rows[at]), k)
        progress("exact reachability", done + 1, len(chosen))
    return StructuralReach(rows=rows, status=tuple(status), best_share=share, k=k, tested=len(chosen))


def _certificates(vectors: np.ndarray, rows: np.ndarray, k: int, users: np.ndarray | None) -> np.ndarray:
    """The best share of the k-th product, of some directions; 1 or more is a proof."""
    best = np.full(len(rows), np.nan)
    for start in range(0, len(rows), _BLOCK):
        mine = rows[start : start + _BLOCK]
        own = vectors[mine]
        products = own @ vectors.T
        ahead = np.argpartition(-products, min(k, products.shape[1] - 1), axis=1)[:, : k + 1]
        away = own - vectors[ahead].mean(axis=1)
        for directions in (own, away):
            found = _shares(directions @ vectors.T, mine, k)
            best[start : start + _BLOCK] = np.fmax(best[start : start + _BLOCK], found)
    for start in range(0, 0 if users is None else len(users), _BLOCK):
        products = np.asarray(users[start : start + _BLOCK], np.float64) @ vectors.T  # type: ignore[index]
        best = np.fmax(best, _best_of_users(products, rows, k))
    return best


def _shares(products: np.ndarray, own: np.ndarray, k: int) -> np.ndarray:
    """Ratio of each item's own product to the k-th largest product of the others, one row per direction."""
    at = np.arange(len(own))
    mine = products[at, own]
    products[at, own] = -np.inf
    return _ratio(mine, _kth(products, k))


def _best_of_users(products: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """The same for users: the item itself is among the k where its product is at least the k-th."""
    kth = _kth(products, k)[:, None]
    return np.fmax.reduce(_ratio(products[:, rows], kth), axis=0)


def _kth(products: np.ndarray, k: int) -> np.ndarray:
    n = products.shape[1]
    return np.partition(products, n - k, axis=1)[:, n - k] if k <= n else np.full(len(products), -np.inf)


def _ratio(mine: np.ndarray, kth: np.ndarray) -> np.ndarray:
    """How much of the k-th product it has; a larger product counts as reached also where products are negative."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(kth > 0, mine / kth, np.nan)
    reached = mine >= kth - _TOLERANCE * np.maximum(np.abs(kth), 1)
    return np.where(reached & (np.isnan(found) | (found < 1)), 1.0, found)


def _decide(vectors: np.ndarray, row: int, k: int) -> Reachability:
    """Proof of the one or of the other, or neither.

    A direction is looked for that may leave k - 1 items ahead: of each set that encloses the vector the one of the
    largest weight is given up (Chinneck 1996). Where that fails, k disjoint sets are looked for.
    """
    scaled = vectors / max(float(np.abs(vectors).max()), 1e-300)
    given_up = np.zeros(len(vectors), bool)
    for _ in range(k):
        support, weights, ahead = _enclosed(scaled, row, given_up)
        if ahead < k:
            return "reachable"
        if not len(support):
            break
        given_up[support[np.argmax(weights)]] = True
    used = np.zeros(len(vectors), bool)
    for _ in range(k):
        support, _, ahead = _enclosed(scaled, row, used)
        if ahead < k:
            return "reachable"
        if not len(support):
            # Ahead are items of the sets alone, k or more of them: neither is proven.
            return "not_decided"
        used[support] = True
    return "unreachable"


def _enclosed(vectors: np.ndarray, row: int, without: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """A set of other items whose hull holds the vector, and its weights there; or none.

    Items are looked at by and by: those that beat it in its own direction, then those that beat it where it is ahead
    of the ones before.

    Args:
        vectors: Of all items.
        row: The item.
        without: Items that may be ahead.

    Returns:
        The set, empty where there is none; its weights; the fewest items that were ahead in any direction tried.
    """
    own, none = vectors[row], np.zeros(0, np.int64)
    candidates = ~without
    candidates[row] = False
    order = np.argsort(np.where(candidates, -(vectors @ own), np.inf), kind="stable")
    active = order[: min(_START, int(candidates.sum()))]
    fewest = len(vectors)
    for _ in range(_ROUNDS):
        weights, direction = _separate(vectors[active], own)
        if weights is not None:
            used = weights > 0
            return active[used], weights[used], fewest
        products = vectors @ direction
        beating = products >= products[row] - _TOLERANCE
        beating[row] = False
        fewest = min(fewest, int(beating.sum()))
        new = np.setdiff1d(np.flatnonzero(beating & candidates), active)
        if not len(new):
            return none, none, fewest
        active = np.concatenate([active, new[np.argsort(-products[new], kind="stable")[:_MORE]]])
    return none, none, fewest


def _separate(others: np.ndarray, own: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Weights that make the vector a mean of others; without such, the direction in which it is ahead of all."""
    from scipy.optimize import nnls

    if not len(others):
        return None, own
    columns = np.vstack([others.T, np.ones(len(others))])
    target = np.append(own, 1.0)
    weights, residual = nnls(columns, target, maxiter=20 * columns.shape[1])
    if residual <= _TOLERANCE:
        return weights, own
    left = (target - columns @ weights)[:-1]
    return None, left / max(float(np.linalg.norm(left)), 1e-300)
