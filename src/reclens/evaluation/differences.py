"""One difference of a comparison: its interval, its tests, and whom it moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reclens.metrics.registry import direction
from reclens.stats.estimate import EstimateNote

__all__ = ["Family", "Outcome", "PairedDifference"]

Family = Literal["primary", "metrics", "segments"]
"""The tests that are corrected together: the primary metric over all users, the other metrics over all users, and all
metrics by segment."""

Outcome = Literal["better", "worse", "higher", "lower", "undecided", "not_tested", "no_users"]
"""What a difference comes to after the correction; ``higher`` and ``lower`` where neither direction is better."""


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """One system against the baseline, by one metric, in one segment.

    Attributes:
        system: The system.
        baseline: The baseline system.
        metric: The metric.
        by: The segmentation; ``"overall"`` for all users.
        segment: The segment; ``"all"`` for all users.
        n: Users with a value under both; all numbers are of them.
        value: Mean of the system.
        baseline_value: Mean of the baseline.
        difference: The first minus the second.
        low: Lower end of the interval of the difference, for this difference alone or, where simultaneous intervals
            were asked for, together with all of its family; None without one.
        high: Upper end.
        relative: Difference ÷ mean of the baseline; None when that is 0.
        p_randomization: Paired randomisation test; None where there is none.
        p_bootstrap: Bootstrap test; None where there is none.
        p_adjusted: The randomisation p-value, corrected over the tests of its family; the bootstrap p-value where
            evaluations have no values of single users.
        significant: Whether ``p_adjusted`` is below 1 - level; None where there is no test.
        wins: Users for whom the system has the higher value.
        ties: Users with equal values.
        losses: Users for whom the system has the lower value.
        smallest_detectable: The true difference that a single test of this size finds with 80 % power.
        small: Whether the segment has too few users to conclude from.
        note: Why something is missing, or None.
        family: The family that the p-value is corrected in.
        tests: Tests of that family.
        system_only: Users who have a value under the system alone, and are left out.
        baseline_only: Users who have a value under the baseline alone, and are left out.
        coverage: Simulated coverage of such intervals, if it is below their level.
    """

    system: str
    baseline: str
    metric: str
    by: str
    segment: str
    n: int
    value: float
    baseline_value: float
    difference: float
    low: float | None = None
    high: float | None = None
    relative: float | None = None
    p_randomization: float | None = None
    p_bootstrap: float | None = None
    p_adjusted: float | None = None
    significant: bool | None = None
    wins: int | None = None
    ties: int | None = None
    losses: int | None = None
    smallest_detectable: float | None = None
    small: bool = False
    note: EstimateNote | None = None
    family: Family | None = None
    tests: int | None = None
    system_only: int = 0
    baseline_only: int = 0
    coverage: float | None = None

    @property
    def outcome(self) -> Outcome:
        """What the corrected test concludes; ``"no_users"`` where no user has a value under both."""
        if not self.n:
            return "no_users"
        if self.significant is None:
            return "not_tested"
        if not self.significant:
            return "undecided"
        better = direction(self.metric)
        if better is None:
            return "higher" if self.difference > 0 else "lower"
        return "better" if (self.difference > 0) == better else "worse"

    @property
    def disagreement(self) -> Literal["corrected", "borderline"] | None:
        """Why the interval excludes zero and the test does not find a difference, or the reverse; None if they agree.

        ``corrected``: by itself the difference is significant, and after the correction it is not. ``borderline``: the
        interval and the uncorrected test, two methods, fall on two sides of the limit.
        """
        if self.significant is None or self.low is None or self.high is None:
            return None
        if (self.low > 0 or self.high < 0) == self.significant:
            return None
        alone = self.p_adjusted != self.p_randomization and not self.significant
        return "corrected" if alone else "borderline"

    @property
    def gained(self) -> int | None:
        """Users whose value is better than under the baseline; higher, where neither direction is better."""
        return self.losses if direction(self.metric) is False else self.wins

    @property
    def lost(self) -> int | None:
        """Users whose value is worse than under the baseline; lower, where neither direction is better."""
        return self.wins if direction(self.metric) is False else self.losses
