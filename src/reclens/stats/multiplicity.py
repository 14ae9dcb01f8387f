"""Corrections of p-values for multiple tests."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Final, Literal, get_args

import numpy as np

from reclens.errors import UnknownNameError, UsageError

__all__ = ["CORRECTIONS", "Correction", "adjust", "adjust_families"]

Correction = Literal["holm", "bonferroni", "hochberg", "hommel", "sidak", "bh", "by", "none"]
CORRECTIONS: Final[tuple[Correction, ...]] = get_args(Correction)
"""The corrections.

``holm`` (1979) keeps the chance of even one false discovery below alpha; ``bonferroni`` does so too, is simpler and
never more powerful. ``hochberg`` (1988) is more powerful than Holm, for tests that do not pull against each other, and
``hommel`` (1988) never less powerful than Hochberg. ``sidak`` (1967) is as Bonferroni, exact for independent tests.
``bh`` (Benjamini and Hochberg 1995) keeps the expected share of false among all discoveries below alpha, and ``by``
(Benjamini and Yekutieli 2001) does so whatever the dependence between the tests. ``none``: each test by itself.
"""


def adjust(p_values: np.ndarray, *, correction: str = "holm") -> np.ndarray:
    """Adjusted p-values, each of which can be compared with alpha.

    Args:
        p_values: Shape (n,); NaN means that no test was made, and stays NaN.
        correction: One of ``CORRECTIONS``.

    Returns:
        Adjusted p-values, shape (n,), in the order given, capped at 1.

    Raises:
        UnknownNameError: If there is no such correction.
        UsageError: If a p-value lies outside 0 … 1.

    Example:
        >>> adjust(np.array([0.01, 0.04, 0.03]), correction="holm").round(4).tolist()
        [0.03, 0.06, 0.06]
    """
    if correction not in CORRECTIONS:
        raise UnknownNameError("correction", correction, CORRECTIONS)
    values = np.asarray(p_values, np.float64)
    tested = np.flatnonzero(~np.isnan(values))
    if ((values[tested] < 0) | (values[tested] > 1)).any():
        raise UsageError("p-values lie between 0 and 1; at least one does not.")
    adjusted = values.copy()
    order = tested[np.argsort(values[tested], kind="stable")]
    ranked, n = values[order], len(order)
    rank = np.arange(1, n + 1)
    if correction == "holm":
        ranked = np.maximum.accumulate(ranked * (n - rank + 1))
    elif correction == "bonferroni":
        ranked = ranked * n
    elif correction == "sidak":
        ranked = -np.expm1(n * np.log1p(-ranked)) if n and ranked[-1] < 1 else 1 - (1 - ranked) ** n
    elif correction == "hochberg":
        ranked = np.minimum.accumulate((ranked * (n - rank + 1))[::-1])[::-1]
    elif correction == "hommel":
        ranked = _hommel(ranked)
    elif correction in ("bh", "by"):
        # Not scipy.stats.false_discovery_control, the same to rounding: importing scipy.stats outlasts a comparison.
        harmonic = (1 / rank).sum() if correction == "by" else 1.0
        ranked = np.minimum.accumulate((ranked * n * harmonic / rank)[::-1])[::-1]
    adjusted[order] = np.minimum(ranked, 1.0)
    return adjusted


def adjust_families(
    p_values: np.ndarray, families: Sequence[Hashable], *, correction: str | Mapping[Hashable, str] = "holm"
) -> np.ndarray:
    """Adjusted p-values, corrected within families of tests.

    A family is the set of tests of which any single one would support the same claim, such as all systems by the
    primary metric over all users. Tests of other families do not affect the correction of a family. Its error rate is
    controlled within each family, not over all families.

    Args:
        p_values: Shape (n,); NaN means that no test was made: it stays NaN and does not count in its family.
        families: Family of each test, n of them.
        correction: One of ``CORRECTIONS`` for every family, or family -> correction.

    Returns:
        Adjusted p-values, shape (n,), in the order given, capped at 1.

    Raises:
        UnknownNameError: If there is no such correction, or a family has none.
        UsageError: If the lengths differ, or a p-value lies outside 0 … 1.

    Example:
        >>> p = np.array([0.03, 0.02, 0.04])
        >>> adjust_families(p, ["primary", "segments", "segments"]).round(4).tolist()
        [0.03, 0.04, 0.04]

    References:
        Hochberg and Tamhane (1987), Multiple comparison procedures, chapter 1; Dmitrienko and D'Agostino (2013),
        Traditional multiplicity adjustment methods in clinical trials.
    """
    values = np.asarray(p_values, np.float64)
    if len(values) != len(families):
        raise UsageError(f"there are {len(values)} p-values and {len(families)} families, expected one family a test.")
    adjusted = values.copy()
    for family in dict.fromkeys(families):
        if not isinstance(correction, str) and family not in correction:
            raise UnknownNameError("correction of the family", str(family), [str(known) for known in correction])
        at = [i for i, own in enumerate(families) if own == family]
        how = correction if isinstance(correction, str) else correction[family]
        adjusted[at] = adjust(values[at], correction=how)
    return adjusted


def _hommel(ranked: np.ndarray) -> np.ndarray:
    """Hommel's adjustment of p-values in rising order: Simes' test of every intersection (Wright 1992, appendix)."""
    n = len(ranked)
    if not n:
        return ranked
    adjusted = np.full(n, (n * ranked / np.arange(1, n + 1)).min())
    for size in range(n - 1, 1, -1):
        few = n - size + 1  # the smallest p-values of the intersections of this size
        least = (size * ranked[few:] / np.arange(2, size + 1)).min()
        first = np.minimum(size * ranked[:few], least)
        adjusted = np.maximum(adjusted, np.concatenate([first, np.full(n - few, first[-1])]))
    return np.maximum(adjusted, ranked)
