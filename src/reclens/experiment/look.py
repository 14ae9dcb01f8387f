"""When an experiment is looked at, and what that does to its intervals and p-values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from reclens.errors import UsageError
from reclens.experiment.plan import Plan
from reclens.experiment.sums import Sums
from reclens.stats.difference import Difference
from reclens.stats.estimate import Estimate
from reclens.stats.sequential import Stopped, at_stopping, confidence_sequence, mixture_variance, msprt, spent
from reclens.stats.sequential.group import bounds_of_shape, bounds_of_spending
from reclens.stats.sequential.spending import CLASSICAL

__all__ = ["Look", "look_of"]

_END = 0.999  # from this share of the planned sample on, the look is the last one


@dataclass(frozen=True)
class Look:
    """One look at an experiment.

    Attributes:
        plan: The plan.
        information: Share of the planned sample that is in; 1 at the end.
        times: Information at the looks up to this one, for group-sequential bounds.
        early: Whether the experiment is looked at before its planned end.
        peeking: Whether it is and the plan has no looks for that.
        planned_units: Units of the planned sample over all arms.
        words: How it is looked at, in a sentence.
    """

    plan: Plan
    information: float
    times: tuple[float, ...]
    early: bool
    peeking: bool
    planned_units: float
    words: str

    def at(self, information: float) -> Look:
        """The look that an earlier moment was, when so much of the planned sample was in."""
        share = 1.0 if information >= _END else information
        looks = self.plan.sequential
        planned = looks.times if looks is not None and looks.method == "group" else ()
        times = (*(t for t in planned if t < share - 1e-9), share)
        return replace(self, information=share, times=times, early=share < 1)

    def bound(self, level: float | None = None) -> float:
        """The group-sequential bound of z at this look."""
        return self.bounds(level)[-1]

    def bounds(self, level: float | None = None) -> tuple[float, ...]:
        """The group-sequential bounds of z at the looks up to this one."""
        looks = self.plan.sequential
        assert looks is not None
        error = (1 - (level or self.plan.level)) / 2
        if looks.spending in CLASSICAL:
            times = [*self.times, *(t for t in looks.times if t > self.information + 1e-9)]
            shape = 0.0 if looks.spending == "pocock" else -0.5
            return bounds_of_shape(times, error=error, shape=shape)[: len(self.times)]
        so_far = spent(self.times, error=error, spending=looks.spending, parameter=looks.parameter)
        return bounds_of_spending(self.times, so_far)

    def reach(self, found: Difference) -> float:
        """Standard errors that an interval which holds at this look reaches to either side."""
        from scipy.special import ndtri, stdtrit

        looks, tail = self.plan.sequential, 0.5 + self.plan.level / 2
        if looks is None:
            return float(ndtri(tail) if math.isinf(found.df) else stdtrit(found.df, tail))
        if looks.method == "group":
            return self.bound()
        estimate = self._always(found.absolute.value, found.se, found.absolute.n)[0]
        assert estimate.high is not None
        return (estimate.high - estimate.value) / found.se

    def interval(self, found: Difference, *, relative: bool = False) -> Estimate:
        """The interval that holds at this look; of the lift it is the one that excludes zero where the p-value says so.

        The lift's is Fieller's at the same quantile.
        """
        plain = found.relative if relative else found.absolute
        if not found.se > 0 or plain.value != plain.value:
            return plain
        reach = self.reach(found)
        if not relative:
            return replace(plain, low=plain.value - reach * found.se, high=plain.value + reach * found.se)
        low, high = found.lift_within(reach)
        note = None if low is not None else "the interval of the control reaches zero, so that the lift is not bounded"
        return replace(plain, low=low, high=high, note=note)

    def stopped(self, found: Difference) -> Stopped | None:
        """The lift when the experiment stops at this look, allowing for the stop; None where no bound was crossed."""
        looks = self.plan.sequential
        if looks is None or looks.method != "group" or not found.relative_se > 0:
            return None
        upper = self.bounds()
        z = found.statistic
        if abs(z) < upper[-1]:
            return None
        # In standard errors of the difference; the lifts that lie so many from the estimate are Fieller's.
        made = at_stopping(self.times, upper, estimate=z, se=1.0, level=self.plan.level)
        low, high = found.lift_within(z - made.low, made.high - z)
        middle = found.lift_within(z - made.median_unbiased)[0]
        if low is None or high is None or middle is None:
            return None
        return replace(made, median_unbiased=middle, low=low, high=high)

    def p_value(self, found: Difference) -> float:
        """The p-value that holds at this look: under group-sequential bounds the smallest alpha that crosses them."""
        looks = self.plan.sequential
        if looks is None or not found.se > 0:
            return found.p_value
        if looks.method != "group":
            return self._always(found.absolute.value, found.se, found.absolute.n)[1]
        z, low, high = abs(found.statistic), 1e-9, 1.0 - 1e-9
        if self.bound(1 - high) > z:
            return 1.0
        for _ in range(30):  # by halving, on the logarithm: p-values that matter are small
            middle = math.sqrt(low * high)
            low, high = (low, middle) if self.bound(1 - middle) <= z else (middle, high)
            if high / low < 1.001:
                break
        return high

    def _always(self, value: float, se: float, n: int) -> tuple[Estimate, float]:
        looks = self.plan.sequential
        assert looks is not None
        tuning = float(looks.tuning or max(self.planned_units / 2, 2))
        if looks.method == "confidence_sequence":
            return confidence_sequence(value, se, n=n, tuning=tuning, level=self.plan.level)
        # The standard error at the tuning size, from that of now: it falls with the root of the units.
        tau2 = mixture_variance(se=se * math.sqrt(n / tuning), level=self.plan.level)
        return msprt(value, se, tau2=tau2, n=n, level=self.plan.level)

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [{"information": self.information, "early": self.early, "peeking": self.peeking, "words": self.words}]


def look_of(plan: Plan, sums: Sums, *, planned_units: float | None = None, days: int | None = None) -> Look:
    """How far an experiment is.

    Args:
        plan: The plan.
        sums: Its sums.
        planned_units: Units that were planned over all arms; the information is then the share that is in. Without it
            the days tell, if the plan and the sums have them; else the look is taken for the last one.
        days: Days that have run; None counts those of the sums.

    Raises:
        UsageError: If the planned units are not above 0.
    """
    n = sum(sums.arm(arm).n for arm in sums.arms)
    ran = days if days is not None else _span(sums)
    if planned_units is not None:
        if planned_units <= 0:
            raise UsageError(f"planned_units is {planned_units}, expected more than 0.")
        share = min(n / planned_units, 1.0)
    else:
        share = min(ran / plan.days, 1.0) if plan.days and ran else 1.0
    information = 1.0 if share >= _END else share
    early, looks = information < 1, plan.sequential
    times: tuple[float, ...] = (information,)
    if looks is None:
        words = (
            f"looked at after {information:.0%} of the sample, with no plan for that"
            if early
            else "one look, at the end"
        )
    elif looks.method == "group":
        times = (*(t for t in looks.times if t < information - 1e-9), information)
        words = f"look {len(times)} of a group-sequential plan ({looks.spending}), at {information:.0%} of the sample"
    else:
        words = f"{looks.method.replace('_', ' ')}: valid at any look; {information:.0%} of the sample is in"
    return Look(plan, information, times, early, early and looks is None, planned_units or n / information, words)


def _span(sums: Sums) -> int:
    """Days from the first to the last of the sums, both counted; 0 without days."""
    if not sums.days:
        return 0
    first, last = (date.fromisoformat(day) for day in (sums.days[0], sums.days[-1]))
    return (last - first).days + 1
