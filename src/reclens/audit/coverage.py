"""Catalogue coverage of each group of users, at equal numbers of users."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from reclens.audit.measure import AuditMeasures
from reclens.audit.rows import AuditRow, audit_row
from reclens.evaluation.groups import UNKNOWN
from reclens.evaluation.results import OVERALL
from reclens.stats.replicated import Replicated
from reclens.stats.summary import Cell

__all__ = ["coverage_rows", "rarefied_coverage"]

_PART: Final = 4
"""The smallest group is this many times as large as the number of users that coverages are compared at: with fewer left
out the standard error of the jackknife would be too large."""


def coverage_rows(measures: AuditMeasures) -> list[AuditRow]:
    """The share of the catalogue that equally many users of each group are shown, beside the others.

    More users are shown more items, so that groups are compared at the same number of users: a quarter of the smallest
    group that is tested. None for streamed lists, which do not keep the items of each user.
    """
    if measures.items is None:
        return []
    settings, rows = measures.settings, []
    for by in dict.fromkeys(cell[0] for cell in measures.cells if cell != OVERALL):
        pairs = [(cell, measures.others(cell)) for cell in measures.cells if cell[0] == by and measures.others(cell)]
        sizes = [min(measures.n(cell), measures.n(others)) for cell, others in pairs]
        tested = [size for size in sizes if size >= settings.minimum]
        if not tested:
            continue
        for at, ((cell, others), size) in enumerate(zip(pairs, sizes, strict=True)):
            if size < 2:
                continue
            users = max(min(*tested, size) // _PART, 1)
            mine, theirs = _coverage(measures, [cell], users, 2 * at), _coverage(measures, others, users, 2 * at + 1)
            rows.append(
                audit_row(
                    mine,
                    theirs,
                    n=measures.n(cell),
                    n_reference=measures.n(others),
                    scale="logit",
                    test="difference",
                    **settings.rules,
                    section="lists",
                    measure="catalogue_coverage",
                    by=by,
                    segment=cell[1],
                    reference="rest" if cell[1] != UNKNOWN else "known",
                )
            )
    return rows


def rarefied_coverage(items: np.ndarray, in_catalogue: np.ndarray, users: int) -> tuple[float, float]:
    """The expected share of the catalogue that some users of a group are shown, and its standard error.

    Formula: mean over items i of 1 - C(n - s_i, m) ÷ C(n, m), for n users of whom s_i are shown item i, and m drawn of
    them without repeats. It is a mean over all sets of m users; its standard error is that of the jackknife, less what
    it counts twice.

    Args:
        items: Item codes of the lists, int32, shape (n, k); negative codes are padding, and lists have no duplicates.
        in_catalogue: Which items count, bool, shape (items,).
        users: Number of drawn users m; at most n.

    Returns:
        The coverage and its standard error; NaN where there are not enough users.

    Example:
        >>> rarefied_coverage(np.array([[0, 1], [0, 2], [0, 3]], np.int32), np.ones(5, bool), 1)[0]
        0.4

    References:
        Hurlbert (1971), The nonconcept of species diversity: a critique and alternative parameters; Efron and Stein
        (1981), The jackknife estimate of variance.
    """
    n, m = len(items), users
    if n < 2 or m >= n:
        return math.nan, math.nan
    listed = items.ravel() + 1  # what is no item is counted as item 0, and dropped
    shown = np.where(in_catalogue, np.bincount(listed, minlength=len(in_catalogue) + 1)[1:], 0)
    at = np.arange(int(shown.max()) + 1)
    total = int(in_catalogue.sum())
    coverage = float((1 - _missed(n, at, m))[shown[in_catalogue]].sum()) / total
    # Without one user: all items by n - 1 users, and those that the user is shown by one less of them.
    fewer = _missed(n - 1, at, m)
    without = float((1 - fewer)[shown[in_catalogue]].sum())
    change = fewer - np.concatenate([[0.0], fewer[:-1]])
    lost = np.append(np.where(in_catalogue, change[shown], 0.0), 0.0)
    left = (without + lost[items].sum(axis=1)) / total
    variance = float((n - 1) / n * ((left - left.mean()) ** 2).sum())
    # The jackknife counts twice what pairs of users who are shown the same item add: ½ (g″)² var(s)² of each item.
    missed = _missed(n, np.arange(-1, len(at) + 1).clip(0), m)
    curved = (missed[2:] - 2 * missed[1:-1] + missed[:-2])[shown[in_catalogue]]
    spread = shown[in_catalogue] * (1 - shown[in_catalogue] / n)
    twice = float(((curved * spread) ** 2).sum()) / 2 / total**2
    return coverage, math.sqrt(max(variance - twice, variance / 2))


def _missed(n: int, shown: np.ndarray, m: int) -> np.ndarray:
    """Probability that none of the users who are shown an item is among m of n users."""
    from scipy.special import gammaln

    others = np.maximum(n - shown, m)  # fewer others than m: never missed, set below
    logs = gammaln(others + 1) - gammaln(others - m + 1) - gammaln(n + 1) + gammaln(n - m + 1)
    return np.where(n - shown >= m, np.exp(logs), 0.0)


def _coverage(measures: AuditMeasures, cells: list[Cell], users: int, at: int) -> Replicated:
    assert measures.items is not None
    by, segments = cells[0][0], {cell[1] for cell in cells}
    labels, codes = measures.context.groups[by]
    wanted = np.array([label in segments for label in labels])[codes]
    value, error = rarefied_coverage(measures.items[wanted], measures.context.catalogue.in_catalogue, users)
    return Replicated.normal(
        value, error, replicates=measures.summary.replicates, seed=[measures.settings.seed, 41, at]
    )
