"""Rows in clusters (clicks of users, users of households): sums per cluster, which is then the unit.

The mean over rows is Σ values ÷ Σ rows over clusters: a ratio, whose delta-method error is the cluster-robust
(sandwich) error of a regression on the arm, as Deng, Knoblich and Lu (2018, section 3) show. No other formula is
needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reclens.errors import ArgumentValueError, UsageError
from reclens.stats.moments import Moments

__all__ = ["cluster_sums"]


def cluster_sums(values: Mapping[str, Any], clusters: np.ndarray, *, rows: str = "rows") -> Moments:
    """Moments over clusters of the sums of columns in each, and of the number of rows.

    Args:
        values: Column -> one number per row, shape (n,).
        clusters: The cluster of each row, shape (n,).
        rows: Name of the column that counts rows: the denominator of a mean over rows.

    Returns:
        Moments with one unit per cluster; compare two arms with ``compare_arms(a, b, ("clicks", "rows"))``.

    Raises:
        UsageError: If lengths differ or the name of the count is taken.

    Example:
        >>> found = cluster_sums({"clicks": [1, 0, 1, 1]}, np.array(["ann", "ann", "bob", "eve"]))
        >>> found.n, found.sum("clicks"), found.sum("rows")
        (3, 3.0, 4.0)
    """
    if rows in values:
        raise ArgumentValueError("rows", f"is '{rows}', the name of a column: expected another one for the count")
    codes = np.unique(clusters, return_inverse=True)[1]
    sums: dict[str, np.ndarray] = {}
    for name, column in values.items():
        array = np.asarray(column, np.float64)
        if array.shape != codes.shape:
            raise UsageError(
                f"'{name}' has {array.shape} values and there are {codes.shape} clusters; expected as many."
            )
        sums[name] = np.bincount(codes, array)
    return Moments.of({**sums, rows: np.bincount(codes).astype(np.float64)})
