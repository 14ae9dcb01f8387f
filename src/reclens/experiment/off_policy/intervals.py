"""Intervals of means over units: users, each with several decisions, most of which earned nothing.

The variance of Σ w r rests on the few decisions that were rewarded. Where those with large weights happen to be
missing, both the estimate and its observed variance are too low, and any interval from the sample alone (Student's,
the bootstrap's) misses on one side: 95 % intervals hold 70 to 90 % with 5 to 20 clicks. The weights of *all* decisions
are known, however, and so is about how often each item is clicked; from both follows what the variance should be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from reclens.errors import ArgumentValueError
from reclens.experiment.off_policy.log import Decisions
from reclens.stats.estimate import Estimate
from reclens.stats.pivot import hall_inverse

__all__ = ["METHODS", "Linear", "Method", "effective_rewarded", "mean_estimates"]

Method = Literal["hall", "normal"]
METHODS: Final = ("hall", "normal")

_FEW: Final = 2
_FAR: Final = 3.0
"""Standard errors below its prediction at which an observed variance says that the prediction is wrong."""


@dataclass(frozen=True, eq=False)
class Linear:
    """An estimate as the mean of ``slope · reward + offset`` over decisions; a ratio is one by its linearisation.

    Attributes:
        slope: What a reward counts; shape (n,).
        offset: What a decision counts without a reward; shape (n,).
    """

    slope: np.ndarray
    offset: np.ndarray

    def __sub__(self, other: Linear) -> Linear:
        return Linear(self.slope - other.slope, self.offset - other.offset)

    def values(self, rewards: np.ndarray) -> np.ndarray:
        """What each decision counts; shape (n,)."""
        return self.slope * rewards + self.offset


def effective_rewarded(part: Linear, rewards: np.ndarray) -> float:
    """Effective number of rewarded decisions, (Σ |g|)² / Σ g² of g = slope · reward (Kish 1965).

    >>> effective_rewarded(Linear(np.array([1.0, -1.0, 2.0, 0.0]), np.zeros(4)), np.array([1, 1, 0, 1]))
    2.0
    """
    counted = np.abs(part.slope * rewards)
    squares = float((counted**2).sum())
    return float(counted.sum()) ** 2 / squares if squares else 0.0


def mean_estimates(
    parts: Mapping[str, Linear],
    decisions: Decisions,
    *,
    moments: np.ndarray | None = None,
    shares: np.ndarray | None = None,
    level: float = 0.95,
    method: Method = "hall",
) -> dict[str, Estimate]:
    """The mean of each, with an interval over units.

    With e_u the sum over a user's decisions of value - mean, divided by 1 - h_u for their share h_u of all decisions:

    ``normal``: the jackknife variance over users, (U - 1)/U Σ e² ÷ n², which is U/(U - 1) times the plain one where all
    have as many decisions; Student's quantiles with U - 1 degrees of freedom.
    ``hall``: the sums Σ e², Σ e³ and Σ e⁴ are also predicted, from the weights of all decisions and the mean powers of
    the rewards of each item, and the larger variance counts, unless the observed one is three of its standard errors
    below the prediction, which then is wrong; Student's quantiles with the degrees of freedom that such
    a variance has (Satterthwaite 1946), and Hall's transformation (1992) for skewness. Predicted sums take decisions
    as independent, and are multiplied by the observed effect of users, Σ_u e_u² ÷ Σ_i e_i², where that is above 1.

    Args:
        parts: By name.
        decisions: Rewards and users.
        moments: Means of the powers 1 … 4 of the reward of each action at each place, shape (4, actions, places); for
            ``hall``.
        shares: What each decision adds to the number that the mean is over, shape (n,): 1 without, 1 ÷ the length of
            its list for a mean over lists.
        level: Confidence level.
        method: One of the two.

    Raises:
        UsageError: If level or method is not one.

    References:
        Hall (1992), On the removal of skewness by transformation. Journal of the Royal Statistical Society B 54.
    """
    if not 0 < level < 1:
        raise ArgumentValueError("level", f"is {level}, expected a number between 0 and 1 such as 0.95")
    if method not in METHODS:
        raise ArgumentValueError("method", f"is {method!r}, expected 'hall' or 'normal'")
    n, share = decisions.n_units, np.ones(len(decisions)) if shares is None else shares
    size = np.bincount(decisions.units, share, n)
    about = None if moments is None or method != "hall" else _about_rewards(moments, decisions)
    grown = 1 / np.maximum(1 - size / size.sum(), 1e-9)
    found: dict[str, Estimate] = {}
    for name, part in parts.items():
        values = part.values(decisions.rewards)
        value = float(values.sum() / size.sum())
        alone = values - value * share
        errors = np.bincount(decisions.units, alone, n)
        predicted = None
        if about is not None:
            predicted = _predicted_sums(value * share, part, decisions, about, grown)
            predicted *= _effect_of_users(errors, alone) ** np.array([1, 1.5, 2])
        found[name] = _transformed(value, errors * grown, predicted, float(size.sum()), level)
    return found


def _transformed(
    value: float, errors: np.ndarray, predicted: np.ndarray | None, total: float, level: float
) -> Estimate:
    """Student's interval; with predicted sums, the larger variance and Hall's transformation."""
    from scipy.special import stdtrit

    n = len(errors)
    if not math.isfinite(value):
        return Estimate(math.nan, low=None, high=None, n=n, level=level, note="zero_weights")
    if n < _FEW:
        return Estimate(value, low=None, high=None, n=n, level=level, note="one_unit")
    square = errors * errors
    sums = np.array([square.sum(), (square * errors).sum(), (square * square).sum()])
    freedom, chosen = float(n - 1), sums
    if predicted is not None:
        likely = predicted[0] - _FAR * math.sqrt(predicted[2]) <= sums[0]
        every = (sums, predicted) if likely else (sums,)
        rests = min((float(s[0]) ** 2 / float(s[2]) for s in every if s[2] > 0), default=float(n))
        freedom = min(freedom, max(2 / max(1 / rests - 1 / n, 1e-12), 1.0))
        chosen = max(every, key=lambda each: each[0])
    if chosen[0] <= 1e-24 * max(1.0, value**2) * n:
        return Estimate(value, low=None, high=None, n=n, level=level, note="no_variation")
    se = math.sqrt((n - 1) / n * float(chosen[0])) / total
    skewness = 0.0 if predicted is None else float(chosen[1]) / float(chosen[0]) ** 1.5
    quantile = float(stdtrit(freedom, 0.5 + level / 2))
    low, high = (value - se * float(hall_inverse(side * quantile, skewness)) for side in (1, -1))
    return Estimate(value, low=low, high=high, n=n, level=level)


def _about_rewards(moments: np.ndarray, decisions: Decisions) -> np.ndarray:
    """Mean, variance, third and fourth cumulant of the reward of each decision; shape (4, n)."""
    m = moments[:, decisions.actions, decisions.places]
    second = np.maximum(m[1] - m[0] ** 2, 0)
    third = m[2] - 3 * m[0] * m[1] + 2 * m[0] ** 3
    fourth = np.maximum(m[3] - 4 * m[0] * m[2] + 6 * m[0] ** 2 * m[1] - 3 * m[0] ** 4, second**2)
    return np.stack([m[0], second, third, fourth - 3 * second**2])


def _predicted_sums(
    centers: np.ndarray, part: Linear, decisions: Decisions, about: np.ndarray, grown: np.ndarray
) -> np.ndarray:
    """Σ e², Σ e³ and Σ e⁴ over users as expected of rewards that are independent given the decisions."""
    n, units, s = decisions.n_units, decisions.units, part.slope
    s2, g2 = s * s, grown * grown
    mean = np.bincount(units, s * about[0] + part.offset - centers, n)
    k2, k3, k4 = (np.bincount(units, each, n) for each in (s2 * about[1], s2 * s * about[2], s2 * s2 * about[3]))
    m2 = mean * mean
    second, third = k2 + m2, k3 + (3 * k2 + m2) * mean
    fourth = k4 + 4 * k3 * mean + 3 * k2 * k2 + (6 * k2 + m2) * m2
    return np.array([(g2 * second).sum(), (g2 * grown * third).sum(), (g2 * g2 * fourth).sum()])


def _effect_of_users(errors: np.ndarray, alone: np.ndarray) -> float:
    """By how much the variance is larger because the decisions of a user go together; 1 or more (Kish 1965)."""
    of_decisions = float((alone**2).sum())
    return max(float((errors**2).sum()) / of_decisions, 1.0) if of_decisions else 1.0
