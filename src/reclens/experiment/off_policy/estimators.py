"""The estimators of a policy's value from another policy's log.

With w = π(a|x) / μ(a|x), reward r, prediction q̂(x, a) and q̂(x, π) = Σ_a π(a|x) q̂(x, a), the value of a decision is

=============  ================================================  =====================================================
``ips``        w r                                               Horvitz and Thompson (1952)
``snips``      Σ w r / Σ w                                       Swaminathan and Joachims (2015)
``dm``         q̂(x, π)                                           direct method
``dr``         q̂(x, π) + w (r - q̂(x, a))                         Dudík, Langford, Li (2011), arXiv 1103.4601
``switch_dr``  q̂(x, π) + w [w ≤ τ] (r - q̂(x, a))                 Wang, Agarwal, Dudík (2017), arXiv 1612.01205
``dr_os``      q̂(x, π) + λ w / (w² + λ) (r - q̂(x, a))            Su, Dimakopoulou et al. (2020), arXiv 1907.09623
``mips``       w(x, c) r                                         Saito and Joachims (2022), arXiv 2202.06317
=============  ================================================  =====================================================

τ and λ are found from the log: the smallest sum of the variance and of the square of what cutting weights leaves out.
w(x, c) = π(c|x) / μ(c|x) is the ratio of the probabilities of the category c of the item, each the sum over its items:
with many items it varies far less than w, and it is right where items of a category are worth the same.

``dm``, ``switch_dr`` and ``dr_os`` have no interval. What the model of rewards has wrong does not shrink with the
log, and the log cannot bound it: what it says about the error is the very correction that they leave out.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from reclens.errors import UnknownNameError
from reclens.experiment.off_policy.intervals import Linear

__all__ = ["BIASED", "ESTIMATORS", "NEED_MODEL", "cut", "linear_parts", "tuned"]

ESTIMATORS: Final = ("ips", "snips", "dm", "dr", "switch_dr", "dr_os", "mips")
"""The estimators: inverse propensity scores, the same self-normalised, the direct method, doubly robust, doubly robust
with the direct method alone where weights are above a threshold, doubly robust with shrunk weights, and marginalised
inverse propensity scores over categories of items."""

NEED_MODEL: Final = ("dm", "dr", "switch_dr", "dr_os")
BIASED: Final = ("dm", "switch_dr", "dr_os")
"""Estimators that have no interval: their bias cannot be bounded from the log."""
_GRID: Final = 20


def linear_parts(
    name: str,
    *,
    weights: np.ndarray,
    rewards: np.ndarray,
    logged: np.ndarray | None = None,
    expected: np.ndarray | None = None,
    parameter: float | None = None,
) -> Linear:
    """What each decision counts: the estimate is the mean of slope · reward + offset.

    ``snips`` is linearised at its value v: slope n w / Σ w, offset v (1 - n w / Σ w).

    Args:
        name: One of ``ESTIMATORS``.
        weights: w of each decision; w(x, c) for ``mips``.
        rewards: r.
        logged: q̂(x, a); for the estimators that need a model.
        expected: q̂(x, π).
        parameter: τ or λ; ``None`` cuts nothing.

    Raises:
        UnknownNameError: If there is no such estimator.
    """
    if name not in ESTIMATORS:
        raise UnknownNameError("off-policy estimator", name, ESTIMATORS)
    if name in ("ips", "mips"):
        return Linear(weights, np.zeros_like(weights))
    if name == "snips":
        total = float(weights.sum())
        if not total:
            return Linear(weights, np.full_like(weights, np.nan))
        scale = weights * (len(weights) / total)
        return Linear(scale, float((weights * rewards).sum()) / total * (1 - scale))
    assert logged is not None and expected is not None
    kept = np.zeros_like(weights) if name == "dm" else cut(name, weights, parameter)
    return Linear(kept, expected - kept * logged)


def cut(name: str, weights: np.ndarray, parameter: float | None) -> np.ndarray:
    """The weights that an estimator uses in place of w.

    >>> cut("switch_dr", np.array([1.0, 8.0]), 5.0).tolist(), cut("dr_os", np.array([2.0]), 4.0).tolist()
    ([1.0, 0.0], [1.0])
    """
    if parameter is None or name not in ("switch_dr", "dr_os"):
        return weights
    if name == "switch_dr":
        return np.where(weights <= parameter, weights, 0.0)
    return parameter * weights / (weights**2 + parameter)


def tuned(
    name: str, *, weights: np.ndarray, rewards: np.ndarray, logged: np.ndarray, expected: np.ndarray, units: np.ndarray
) -> float:
    """τ or λ with the smallest estimated mean squared error: variance over users + (what cutting leaves out)².

    What is left out is estimated from the log itself, mean of (w - cut w)(r - q̂), as Su et al. (2020, section 5) do.
    """
    n, residual = len(weights), rewards - logged
    positive = weights[weights > 0]
    if not len(positive):
        return np.inf if name == "switch_dr" else 1.0
    if name == "switch_dr":
        grid = np.unique(np.quantile(positive, np.linspace(0.5, 1, _GRID)))
    else:
        grid = np.geomspace(max(float(np.quantile(positive, 0.05)) ** 2, 1e-6), 100 * float(positive.max()) ** 2, _GRID)
    best, least = float(grid[-1]), np.inf
    for parameter in grid:
        kept = cut(name, weights, float(parameter))
        values = expected + kept * residual
        sums = np.bincount(units, values - values.mean())
        error = float((sums**2).sum()) / n**2 + float(((weights - kept) * residual).mean()) ** 2
        if error < least:
            best, least = float(parameter), error
    return best
