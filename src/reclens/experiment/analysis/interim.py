"""When an experiment is looked at, and what that does to its intervals and p-values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any, Literal

from reclens.errors import Advice, ArgumentValueError, Setting, UsageError
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.planning.plan import Plan
from reclens.stats.difference import Difference, normal_quantile
from reclens.stats.estimate import Estimate
from reclens.stats.sequential import Stopped, at_stopping, confidence_sequence, mixture_variance, msprt, spent
from reclens.stats.sequential.group import bounds_of_shape, bounds_of_spending, group_sequential
from reclens.stats.sequential.spending import CLASSICAL
from reclens.tabular import Tabular

__all__ = ["Crossing", "InterimAnalysis", "LookState", "interim_analysis"]

LookState = Literal["end", "taken_for_end", "unplanned", "planned", "unknown", "always_valid"]
"""One look at the planned end; one that is taken for it; one that no plan provides for; a look of the plan; one that
nothing tells which it is; or a method that allows any look."""

_END = 0.999  # from this share of the planned sample on, the look is the last one
_NEAR = 0.015  # information so near to a planned look is that look: nobody stops at the very unit


@dataclass(frozen=True, kw_only=True)
class Crossing(Tabular):
    """The first look of the plan, before the one at hand, at which a bound was crossed.

    It is of the users who had come in by then, with what they have done up to now.

    Attributes:
        metric: Name of the metric.
        arm: The treated arm.
        look: At which look, from 1.
        information: Share of the planned sample at that look.
        day: Its day of first exposure (ISO date).
        z: The statistic.
        bound: The bound.
        lift: The plain lift there; NaN without one.
    """

    metric: str
    arm: str
    look: int
    information: float
    day: str
    z: float
    bound: float
    lift: float

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [asdict(self)]


@dataclass(frozen=True, kw_only=True)
class InterimAnalysis(Tabular):
    """One look at an experiment.

    Attributes:
        plan: The plan.
        information: Share of the planned sample that is in; 1 at the end, and where it is not known.
        known: Whether it is known.
        schedule: Information at the looks that the bounds are made for: those of the plan, or those really taken.
        times: Information at the looks up to this one, for group-sequential bounds.
        near: How far from a look of the schedule another moment is still that look, in information.
        off_plan: Whether the plan has looks and this is none of them.
        early: Whether the experiment is looked at before its planned end.
        peeking: Whether it is and the plan has no looks for that.
        planned_units: Units of the planned sample over all arms; None where nothing tells.
        by_days: Whether information is the share of days; else that of units.
    """

    plan: Plan
    information: float
    known: bool
    schedule: tuple[float, ...]
    times: tuple[float, ...]
    near: float
    off_plan: bool
    early: bool
    peeking: bool
    planned_units: float | None
    by_days: bool

    @property
    def state(self) -> LookState:
        """How the experiment is looked at."""
        looks = self.plan.sequential
        if looks is None:
            return "unplanned" if self.information < 1 else "end" if self.known else "taken_for_end"
        if looks.method != "group":
            return "always_valid"
        return "planned" if self.known else "unknown"

    @property
    def grouped(self) -> bool:
        """Whether the plan has group-sequential looks."""
        return self.plan.sequential is not None and self.plan.sequential.method == "group"

    def share_of(self, sums: Aggregates, days: Sequence[str]) -> float:
        """Information when the users of some first days had come in, measured as that of this look."""
        if self.by_days and self.plan.days:
            first = date.fromisoformat(sums.ran[0] if sums.ran else sums.days[0])
            return min(((date.fromisoformat(days[-1]) - first).days + 1) / self.plan.days, self.information)
        so_far, whole = (sum(sums.arm(arm, days=some).n for arm in sums.arms) for some in (days, None))
        return so_far / max(whole, 1) * self.information

    def at(self, information: float) -> InterimAnalysis:
        """The look that an earlier moment was, when so much of the planned sample was in."""
        share = 1.0 if information >= _END else information
        times, off_plan = _timed(self.schedule, share, self.near)
        return replace(self, information=share, times=times, off_plan=off_plan, early=times[-1] < 1)

    def bound(self, level: float | None = None) -> float:
        """The group-sequential bound of z at this look."""
        return self.bounds(level)[-1]

    def bounds(self, level: float | None = None) -> tuple[float, ...]:
        """The group-sequential bounds of z at the looks up to this one."""
        looks = self.plan.sequential
        assert looks is not None
        later = tuple(time for time in looks.times if time > self.times[-1] + 1e-9)
        return _bounds(self.times, later, looks.spending, looks.parameter, (1 - (level or self.plan.level)) / 2)

    @property
    def futility_bound(self) -> float | None:
        """The futility bound at this look: z, upwards the better, below which the plan stops for futility; or None."""
        looks = self.plan.sequential
        if looks is None or looks.method != "group" or looks.futility is None or self.off_plan or not self.early:
            return None
        later = [time for time in looks.times if time > self.times[-1] + 1e-9]
        made = group_sequential(
            [*self.times, *later],
            spending=looks.spending,
            parameter=looks.parameter,
            level=self.plan.level,
            power=self.plan.power,
            futility=looks.futility,
        )
        assert made.futility is not None
        return made.futility[len(self.times) - 1]

    def critical_value(self, found: Difference, level: float | None = None) -> float:
        """The normal deviate beyond which a difference is rejected at this look, by the plan's level or another."""
        looks, level = self.plan.sequential, level or self.plan.level
        if looks is None:
            return normal_quantile(level)
        if looks.method == "group":
            return self.bound(level)
        ends = self._always(found.z, found.absolute.n, level)[0]
        assert ends.high is not None
        return ends.high - ends.value

    def interval(self, found: Difference, *, relative: bool = False, level: float | None = None) -> Estimate:
        """The interval that holds at this look: what the test at its critical value does not reject."""
        plain = found.relative if relative else found.absolute
        if not found.testable or plain.value != plain.value:
            return plain
        low, high = found.within(self.critical_value(found, level), relative=relative)
        note = None if low is not None else "control_reaches_zero"
        return replace(plain, low=low, high=high, level=level or self.plan.level, note=note)

    def stopped(self, found: Difference) -> Stopped | None:
        """The lift when the experiment stops at this look, allowing for the stop; None where no bound was crossed.

        None too where nothing tells which look this is: there is then no stop to allow for.
        """
        looks = self.plan.sequential
        if looks is None or looks.method != "group" or not self.known or not found.relative_se > 0:
            return None
        upper, z = self.bounds(), found.z
        if abs(z) < upper[-1]:
            return None
        # In standard errors of the difference: the lifts so many normal deviates from the estimate.
        made = at_stopping(self.times, upper, estimate=z, se=1.0, level=self.plan.level)
        low, high = found.within(z - made.low, made.high - z, relative=True)
        middle = found.within(z - made.median_unbiased, relative=True)[0]
        if low is None or high is None or middle is None:
            return None
        return replace(made, median_unbiased=middle, low=low, high=high)

    def p_value(self, found: Difference) -> float:
        """The p-value that holds at this look: under group-sequential bounds the smallest alpha that crosses them."""
        looks = self.plan.sequential
        if looks is None or not found.testable:
            return found.p_value
        if looks.method != "group":
            return self._always(found.z, found.absolute.n, self.plan.level)[1]
        z, low, high = abs(found.z), 1e-9, 1.0 - 1e-9
        if self.bound(1 - high) > z:
            return 1.0
        for _ in range(30):  # by halving, on the logarithm: p-values that matter are small
            middle = math.sqrt(low * high)
            low, high = (low, middle) if self.bound(1 - middle) <= z else (middle, high)
            if high / low < 1.001:
                break
        return high

    def _always(self, z: float, n: int, level: float) -> tuple[Estimate, float]:
        """Always-valid interval and p-value of a normal deviate, in units of its standard error."""
        looks = self.plan.sequential
        assert looks is not None
        tuning = _tuning(self.plan, self.planned_units)
        if looks.method == "confidence_sequence":
            return confidence_sequence(z, 1.0, n=n, tuning=tuning, level=level)
        # The standard error at the tuning size, from that of now: it falls with the root of the units.
        tau2 = mixture_variance(se=math.sqrt(n / tuning), level=self.plan.level)
        return msprt(z, 1.0, tau2=tau2, n=n, level=level)

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [
            {
                "information": self.information,
                "known": self.known,
                "early": self.early,
                "peeking": self.peeking,
                "off_plan": self.off_plan,
                "state": self.state,
                "look": len(self.times),
            }
        ]


def interim_analysis(
    plan: Plan,
    sums: Aggregates,
    *,
    planned_units: float | None = None,
    days: int | None = None,
    looks_taken: Sequence[float] = (),
) -> InterimAnalysis:
    """How far an experiment is.

    Args:
        plan: The plan.
        sums: Its sums.
        planned_units: Units that were planned over all arms; the information is then the share that is in. Without it
            the days tell, if the plan and the sums have them; else it is not known.
        days: Days that have run; None counts those of the sums, of a log up to its last event.
        looks_taken: Information at the looks that were made before this one, where they are not those of the plan:
            spending functions then give the bounds of the looks really taken.

    Raises:
        UsageError: If the planned units are not a number above 0, the days fewer than 1, the looks taken do not rise up
            to this one, or nothing tells what a method without planned looks is tuned for.
    """
    if planned_units is not None and not 0 < planned_units < math.inf:
        raise ArgumentValueError("planned_units", f"is {planned_units}, expected a number above 0")
    if days is not None and days < 1:
        raise ArgumentValueError("days", f"is {days}, expected 1 or more: how many the experiment has run")
    n = sum(sums.arm(arm).n for arm in sums.arms)
    ran = days if days is not None else sums.length
    share = n / planned_units if planned_units is not None else ran / plan.days if plan.days and ran else None
    looks, whole = plan.sequential, planned_units or _planned(plan)
    if share is None and looks is not None and looks.method != "group" and whole is not None:
        share = n / whole  # where any look is allowed, it need not be told exactly
    information, known = 1.0 if share is None or share >= _END else share, share is not None
    schedule, times, off_plan = (1.0,), (information,), False
    # Days are whole: the one nearest to a planned look is half a day from it at most.
    near = _NEAR if planned_units is not None or not plan.days else max(_NEAR, 0.5 / plan.days + 1e-9)
    if looks is None:
        if looks_taken:
            raise UsageError(
                "looks were taken, and the plan has none",
                advice=Advice(
                    "no_looks",
                    (Setting("looks_taken"),),
                    "Leave {looks_taken} out, or plan with [sequential].",
                ),
            )
    elif looks.method == "group":
        schedule = _taken(looks.spending, looks_taken, information) if looks_taken else looks.times
        times, off_plan = _timed(schedule, information, near)
    else:
        _tuning(plan, whole)
    early = times[-1] < 1
    return InterimAnalysis(
        plan=plan,
        information=information,
        known=known,
        schedule=schedule,
        times=times,
        near=near,
        off_plan=off_plan,
        early=early,
        peeking=early and looks is None,
        planned_units=whole,
        by_days=known and planned_units is None and bool(plan.days),
    )


@lru_cache(maxsize=4096)
def _bounds(
    times: tuple[float, ...], later: tuple[float, ...], spending: str, parameter: float | None, error: float
) -> tuple[float, ...]:
    """Bounds of z at the looks so far; fixed shapes rest on the later looks too."""
    if spending in CLASSICAL:
        shape = 0.0 if spending == "pocock" else -0.5
        return bounds_of_shape([*times, *later], error=error, shape=shape)[: len(times)]
    return bounds_of_spending(times, spent(times, error=error, spending=spending, parameter=parameter))


def _timed(schedule: Sequence[float], information: float, near: float) -> tuple[tuple[float, ...], bool]:
    """The looks up to one, and whether it is none of them."""
    nearest = min(schedule, key=lambda time: abs(time - information))
    if abs(nearest - information) <= near:
        return tuple(time for time in schedule if time <= nearest), False
    return (*(time for time in schedule if time < information), information), True


def _taken(spending: str, looks: Sequence[float], information: float) -> tuple[float, ...]:
    """The looks really taken, this one the last."""
    if spending in CLASSICAL:
        raise UsageError(
            f"bounds of the shape '{spending}' hold at planned looks alone, and not at the looks that were taken",
            advice=Advice(
                "fixed_looks",
                (Setting("looks_taken"),),
                "Leave {looks_taken} out, or plan with a spending function, as lan_demets_obrien_fleming.",
            ),
        )
    times = (*looks, information)
    if not all(low < high for low, high in zip((0.0, *times), times, strict=False)):
        seen = ", ".join(f"{each:g}" for each in looks)
        raise UsageError(
            f"the looks taken are {seen}; expected shares of the planned sample that rise from above 0 to "
            f"below {information:g}, which is in now."
        )
    return times


def _planned(plan: Plan) -> float | None:
    """Units of the planned sample over all arms, where days and traffic are planned."""
    if plan.days is None or plan.daily_units is None:
        return None
    low, high = plan.slice
    return plan.days * plan.daily_units * (1 - plan.holdout) * (1 - plan.layer_holdout) * (high - low)


def _tuning(plan: Plan, planned: float | None) -> float:
    """Units of both arms of a comparison at which a method without planned looks is tightest: fixed beforehand."""
    looks = plan.sequential
    assert looks is not None
    if looks.tuning is not None:
        return float(looks.tuning)
    if planned is None:
        raise UsageError(
            f"nothing tells the planned sample, which {looks.method} is tuned for: tuned to data it does not hold",
            advice=Advice(
                "say_units",
                (Setting("planned_units"),),
                "Give tuning in [sequential], days and daily_units in the plan, or {planned_units}.",
            ),
        )
    pair = plan.arms[plan.control] + sum(plan.arms[arm] for arm in plan.treatments) / len(plan.treatments)
    return max(planned * pair / 2, 2.0)
