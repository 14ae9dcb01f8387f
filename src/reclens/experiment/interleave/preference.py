"""Who wins: credit of clicks on mixed lists, summed up by user, with an exact test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from reclens.errors import UsageError
from reclens.experiment.interleave.lists import Interleaved
from reclens.stats.estimate import Estimate, mean_estimate

__all__ = ["Preference", "credit", "preference", "preference_of", "sign_test", "team_credit"]

_EQUAL: Final = 1e-12


@dataclass(frozen=True)
class Preference:
    """Which ranker users prefer.

    Attributes:
        method: How lists were mixed.
        wins: Units that gave the first ranker more credit.
        losses: Units that gave it to the second.
        ties: Units with as much for both, or without a click.
        share: Wins ÷ (wins + losses), with the exact interval of Clopper and Pearson (1934).
        margin: (wins - losses) ÷ all units: the difference of shares over everybody (Chapelle et al. 2012, with ties).
        score: Mean credit a unit, first minus second, with Student's interval.
        p_value: Exact two-sided sign test of wins against losses.
        level: Confidence level.
    """

    method: str
    wins: int
    losses: int
    ties: int
    share: Estimate
    margin: float
    score: Estimate
    p_value: float
    level: float = 0.95

    @property
    def verdict(self) -> str:
        """``first``, ``second`` or ``undecided``."""
        if not self.p_value < 1 - self.level:
            return "undecided"
        return "first" if self.wins > self.losses else "second"

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [{
            "method": self.method, "wins": self.wins, "losses": self.losses, "ties": self.ties,
            "share": self.share.value, "low": self.share.low, "high": self.share.high, "margin": self.margin,
            "score": self.score.value, "score_low": self.score.low, "score_high": self.score.high,
            "p_value": self.p_value, "verdict": self.verdict,
        }]  # fmt: skip


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


def sign_test(wins: int, losses: int) -> float:
    """Exact two-sided binomial test of equal chances; ties are left out.

    >>> round(sign_test(60, 40), 10)
    0.0568879336
    """
    from scipy.special import bdtr

    n = wins + losses
    return min(1.0, 2.0 * float(bdtr(min(wins, losses), n, 0.5))) if n else 1.0


def preference(
    made: Interleaved, clicked: np.ndarray, *, users: np.ndarray | None = None, level: float = 0.95
) -> Preference:
    """Sum the credit up by user, and test it.

    Args:
        made: The mixed lists.
        clicked: Whether each place was clicked, shape (n, k).
        users: The user of each list: her lists count together, as one vote; every list is a vote of its own without.
        level: Confidence level.

    Raises:
        UsageError: If shapes or the level do not fit.
    """
    scores = credit(made, clicked)
    if users is not None:
        if np.shape(users) != scores.shape:
            raise UsageError(f"users has shape {np.shape(users)} and there are {len(scores)} lists; expected one each.")
        scores = np.bincount(np.unique(users, return_inverse=True)[1], scores)
    return preference_of(made.method, scores, level)


def preference_of(method: str, scores: np.ndarray, level: float) -> Preference:
    """The preference from the score of each unit."""
    if not 0 < level < 1:
        raise UsageError(f"level is {level}, expected a number between 0 and 1 such as 0.95.")
    wins, losses = int((scores > _EQUAL).sum()), int((scores < -_EQUAL).sum())
    n = len(scores)
    return Preference(method, wins, losses, n - wins - losses, _share(wins, losses, level),
                      (wins - losses) / n if n else 0.0, mean_estimate(scores, level=level), sign_test(wins, losses),
                      level)  # fmt: skip


def _share(wins: int, losses: int, level: float) -> Estimate:
    from scipy.special import betaincinv

    n = wins + losses
    if not n:
        return Estimate(float("nan"), None, None, 0, level, "nobody preferred either")
    tail = (1 - level) / 2
    low = float(betaincinv(wins, losses + 1, tail)) if wins else 0.0
    high = float(betaincinv(wins + 1, losses, 1 - tail)) if losses else 1.0
    return Estimate(wins / n, low, high, n, level)
