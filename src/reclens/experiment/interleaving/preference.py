"""Who wins: credit of clicks on mixed lists, summed up by user, and the test that its mean is zero."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from reclens.errors import ArgumentValueError, UsageError
from reclens.experiment.interleaving.lists import Interleaved
from reclens.stats.estimate import Estimate
from reclens.stats.sequential.group import GroupSequential
from reclens.tabular import Tabular

__all__ = [
    "KNOWN_BIAS",
    "LEAST_CREDITED",
    "Preference",
    "credit",
    "nominal_level",
    "preference",
    "preference_of",
    "score_estimate",
    "team_credit",
]

KNOWN_BIAS: Final = frozenset({"balanced"})
"""Methods whose mean credit is not zero under clicks at random (Radlinski, Kurup, Joachims 2008, section 3.2)."""

LEAST_CREDITED: Final = {"optimized": 50, "probabilistic": 50}
"""Units with credit below which a method gives no verdict: its credits may be skewed (a rare large one against many
small ones), and over fewer the test was wrong in up to 15 % (``benchmarks/rates_interleaving.py``)."""

_EQUAL: Final = 1e-12


@dataclass(frozen=True, kw_only=True)
class Preference(Tabular):
    """Which ranker users prefer.

    The verdict is that of the mean credit. Wins and losses are descriptive and not tested, because a method that is
    fair in the mean may give many small credits to one ranker and few large ones to the other.

    Attributes:
        method: How lists were mixed.
        wins: Units that gave the first ranker more credit.
        losses: Units that gave it to the second.
        ties: Units with equal credit for both, or without a click.
        share: Wins ÷ (wins + losses), with the exact interval of Clopper and Pearson (1934).
        margin: (wins - losses) ÷ all units: the difference of shares over all units (Chapelle et al. 2012, with ties).
        score: Mean credit a unit, first minus second, with the interval of the test; under planned looks the repeated
            interval of this one.
        p_value: Two-sided, of no mean credit; see :func:`score_estimate`.
        enough: Whether enough units have credit for a verdict; see ``LEAST_CREDITED``.
        known_bias: Whether the method is known to favour a ranker under random clicks, which can cause its verdict.
        level: Confidence level, over all looks.
        alpha: Threshold of the p-value: 1 - level, or the alpha that the plan spends at this look.
    """

    method: str
    wins: int
    losses: int
    ties: int
    share: Estimate
    margin: float
    score: Estimate
    p_value: float
    enough: bool = True
    known_bias: bool = False
    level: float = 0.95
    alpha: float = 0.05

    @property
    def verdict(self) -> str:
        """``first``, ``second`` or ``undecided``."""
        if not self.enough or not self.p_value < self.alpha:
            return "undecided"
        return "first" if self.score.value > 0 else "second"

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [
            {
                "method": self.method,
                "wins": self.wins,
                "losses": self.losses,
                "ties": self.ties,
                "share": self.share.value,
                "low": self.share.low,
                "high": self.share.high,
                "margin": self.margin,
                "score": self.score.value,
                "score_low": self.score.low,
                "score_high": self.score.high,
                "p_value": self.p_value,
                "alpha": self.alpha,
                "verdict": self.verdict,
                "enough": self.enough,
                "known_bias": self.known_bias,
            }
        ]


def team_credit(team: np.ndarray, clicked: np.ndarray) -> np.ndarray:
    """Clicks on the items of each team: team-draft's credit (Radlinski, Kurup, Joachims 2008).

    Args:
        team: Team of each place, 0 or 1, -1 for none; shape (n, k).
        clicked: Whether each place was clicked; shape (n, k).

    Returns:
        Clicks of both teams, shape (n, 2).

    Example:
        >>> team_credit(np.array([[1, 0, 1, 0]]), np.array([[True, False, True, False]])).tolist()
        [[0, 2]]
    """
    hit = np.asarray(clicked, bool)
    return np.stack([((team == side) & hit).sum(axis=1) for side in (0, 1)], axis=1)


def credit(made: Interleaved, clicked: np.ndarray) -> np.ndarray:
    """What each list says: above 0 for the first ranker, below for the second; shape (n,).

    ``team_draft``, ``probabilistic`` and ``optimized`` add up the credit of clicked places; ``balanced`` counts the
    clicked items in the first r of both rankings, where r is how far the nearer one has to be read to hold the lowest
    item clicked (Joachims 2003).

    Raises:
        UsageError: If clicks have another shape than the lists.
    """
    hit = np.asarray(clicked, bool)
    if hit.shape != made.lists.shape:
        raise UsageError(f"clicks have shape {hit.shape} and lists {made.lists.shape}; expected one each.")
    hit = hit & (made.lists >= 0)
    if made.method != "balanced":
        return (made.credit * hit).sum(axis=1)
    lowest = hit.shape[1] - 1 - hit[:, ::-1].argmax(axis=1)
    at = made.ranks[:, np.arange(len(hit)), lowest]
    depth = at.min(axis=0)[:, None]
    counts = [(hit & (ranks <= depth)).sum(axis=1) for ranks in made.ranks]
    return np.where(hit.any(axis=1), counts[0] - counts[1], 0).astype(np.float64)


def preference(
    made: Interleaved,
    clicked: np.ndarray,
    *,
    users: np.ndarray | None = None,
    level: float = 0.95,
    looks: GroupSequential | None = None,
    look: int | None = None,
) -> Preference:
    """Sum the credit by user, and test its mean.

    Args:
        made: The mixed lists.
        clicked: Whether each place was clicked, shape (n, k).
        users: The user of each list, whose lists count as one unit; if None, each list is a unit.
        level: Confidence level, over all looks.
        looks: Planned interim looks; see :func:`reclens.stats.sequential.group_sequential`.
        look: Number of this look, from 1; by default the last one.

    Raises:
        UsageError: If shapes, the level or the look do not fit.

    Example:
        >>> from reclens.experiment.interleaving import interleave
        >>> made = interleave(np.array([[1, 2]] * 8), np.array([[3, 4]] * 8), k=2)
        >>> said = preference(made, made.lists == 1)
        >>> print(said.wins, said.losses, round(said.p_value, 4), said.verdict)
        8 0 0.0255 first
    """
    scores = credit(made, clicked)
    if users is not None:
        if np.shape(users) != scores.shape:
            raise ArgumentValueError(
                "users", f"has shape {np.shape(users)} and there are {len(scores)} lists; expected one each"
            )
        scores = np.bincount(np.unique(users, return_inverse=True)[1], scores)
    return preference_of(made.method, scores, level, looks=looks, look=look)


def preference_of(
    method: str, scores: np.ndarray, level: float, *, looks: GroupSequential | None = None, look: int | None = None
) -> Preference:
    """The preference from the score of each unit."""
    nominal = nominal_level(level, looks, look)
    wins, losses = int((scores > _EQUAL).sum()), int((scores < -_EQUAL).sum())
    n = len(scores)
    score, p_value = score_estimate(scores, level=nominal)
    return Preference(
        method=method,
        wins=wins,
        losses=losses,
        ties=n - wins - losses,
        share=_share(wins, losses, level),
        margin=(wins - losses) / n if n else 0.0,
        score=score,
        p_value=p_value,
        enough=wins + losses >= LEAST_CREDITED.get(method, 0),
        known_bias=method in KNOWN_BIAS,
        level=level,
        alpha=1 - nominal,
    )


def nominal_level(level: float, looks: GroupSequential | None = None, look: int | None = None) -> float:
    """The level of one test at a look, at which all looks together keep ``level``.

    Raises:
        UsageError: If the level is out of range or not that of the plan, or there is no such look.

    Example:
        >>> from reclens.stats.sequential import group_sequential
        >>> round(nominal_level(0.95, group_sequential(2, spending="pocock"), 1), 4)
        0.9706
    """
    from scipy.special import ndtr

    if not 0 < level < 1:
        raise ArgumentValueError("level", f"is {level}, expected a number between 0 and 1 such as 0.95")
    if looks is None:
        if look is not None:
            raise ArgumentValueError("look", f"is {look}, and no looks are planned. Give looks, or leave it out.")
        return level
    if looks.sides != 2 or abs(looks.alpha - (1 - level)) > 1e-9:
        raise UsageError(
            f"the plan of looks has {looks.sides} sides and alpha {looks.alpha:g}; expected 2 and "
            f"{1 - level:g}, as the level says."
        )
    at = len(looks.times) if look is None else look
    if not 1 <= at <= len(looks.times):
        raise ArgumentValueError("look", f"is {look}, expected 1 … {len(looks.times)}")
    return 1 - 2 * float(ndtr(-looks.upper[at - 1]))


def score_estimate(scores: np.ndarray, *, level: float = 0.95) -> tuple[Estimate, float]:
    """Mean credit with its interval, and the p-value of no mean credit, from one test.

    T = Σx ÷ √Σx² against Student's t. The variance is taken about the mean that is tested, so that the statistic stays
    bounded by √m where all of the m units with credit agree; and there are m - 1 degrees of freedom, because a unit
    without credit tells nothing about the spread of credit. The interval holds the means that the test does not reject:
    x̄ ± q s ÷ √(n - q²). Many units with credit make it Student's test and interval.

    Args:
        scores: Credit of each unit, shape (n,).
        level: Confidence level.

    Example:
        >>> found, p = score_estimate(np.array([1.0, 1, 1, 1, 0, 0, -1, 0, 1, 1]))
        >>> print(found, round(p, 3))
        0.5 [-0.3194, 1.319] 0.108
    """
    from scipy.special import stdtr, stdtrit

    x = np.asarray(scores, np.float64)
    n, m = len(x), int((np.abs(x) > _EQUAL).sum())
    value = float(x.mean()) if n else math.nan
    if m < 2:
        return Estimate(value, low=None, high=None, n=n, level=level, note="no_spread"), 1.0
    t = abs(float(x.sum())) / math.sqrt(float((x**2).sum()))
    p_value = min(1.0, 2 * float(stdtr(m - 1, -t)))
    q, spread = float(stdtrit(m - 1, (1 + level) / 2)), float(x.std())
    if n <= q**2 or spread <= _EQUAL:
        return Estimate(value, low=None, high=None, n=n, level=level, note="one_credit"), p_value
    half = q * spread / math.sqrt(n - q**2)
    return Estimate(value, low=value - half, high=value + half, n=n, level=level), p_value


def _share(wins: int, losses: int, level: float) -> Estimate:
    from scipy.special import betaincinv

    n = wins + losses
    if not n:
        return Estimate(float("nan"), low=None, high=None, n=0, level=level, note="no_preference")
    tail = (1 - level) / 2
    low = float(betaincinv(wins, losses + 1, tail)) if wins else 0.0
    high = float(betaincinv(wins + 1, losses, 1 - tail)) if losses else 1.0
    return Estimate(wins / n, low=low, high=high, n=n, level=level)
