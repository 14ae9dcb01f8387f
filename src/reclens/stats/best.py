"""Multiple comparisons with the best: which of several means may be the largest."""

from __future__ import annotations

import numpy as np

__all__ = ["could_be_best"]

_EQUAL = 1e-11  # of the values: what sums of equal values in another order differ by stays below


def could_be_best(replicates: np.ndarray, values: np.ndarray, *, level: float = 0.95) -> np.ndarray:
    """Find the estimates whose true value may be the largest.

    Each estimate is the control of one simultaneous one-sided test against all others, by the bootstrap max-t method.
    An estimate is excluded if another one is significantly larger. The remaining set contains the largest true value
    with probability at least ``level``, also after selection of the best.

    Args:
        replicates: Bootstrap replicates drawn with the same weights, shape (estimates, B).
        values: The estimates, shape (estimates,).
        level: Confidence level of the set.

    Returns:
        Whether each may be the largest, shape (estimates,); always true for the largest estimate.

    References:
        Gupta (1965), On some multiple decision (selection and ranking) rules; Hsu (1984), Constrained simultaneous
        confidence intervals for multiple comparisons with the best.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> values = np.array([0.30, 0.29, 0.10])
        >>> could_be_best(values[:, None] + 0.02 * rng.standard_normal((3, 1000)), values)
        array([ True,  True, False])
    """
    stays = np.ones(len(values), dtype=bool)
    largest = np.abs(replicates).max(initial=0.0)
    for at, value in enumerate(values):
        gaps = values - value
        deviations = (replicates - replicates[at]) - gaps[:, None]
        errors = np.sqrt((deviations**2).mean(axis=1))
        moving = errors > _EQUAL * largest
        if moving.any():
            critical_value = float(np.quantile((deviations[moving] / errors[moving, None]).max(axis=0), level))
            # Correlated differences can put the quantile below that of a single one, and never below 0.
            stays[at] = not (gaps[moving] > max(critical_value, 0.0) * errors[moving]).any()
        # What does not vary against this one differs by a constant: larger is larger.
        stays[at] &= not (gaps[~moving] > _EQUAL * largest).any()
    stays[int(np.argmax(values))] = True
    return stays
