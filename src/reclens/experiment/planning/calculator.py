"""The calculator: one metric, a handful of numbers, and the whole answer; the command line and the dashboard ask it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from reclens.errors import Advice, ArgumentValueError, Setting, UsageError
from reclens.experiment.planning.history import Known
from reclens.experiment.planning.looks import inflation_of
from reclens.experiment.planning.metric import Baseline, Metric
from reclens.experiment.planning.plan import Plan, Sequential
from reclens.experiment.planning.power_question import effect_by_days, power_curve, question_of
from reclens.experiment.planning.traffic import days_for
from reclens.stats.power import Answer, Question
from reclens.stats.sequential import Price, price_in_power
from reclens.tabular import Tabular

__all__ = ["Calculation", "calculate"]

_COLUMN = {"mean": "clicks", "proportion": "clicked", "ratio": "clicks", "quantile": "seconds"}


@dataclass(frozen=True, kw_only=True)
class Calculation(Tabular):
    """A question of power, answered.

    Attributes:
        plan: The question as a plan, to go on from.
        question: The question.
        answer: The answer, with its formula and neighbours.
        days: Days to collect the units; None without traffic.
        curves: Rows ``effect, n, power`` of the power curves.
        by_day: Rows ``days, n, effect``: the smallest effect found after each day; empty without traffic.
        prices: What looking early costs.
    """

    plan: Plan
    question: Question
    answer: Answer
    days: int | None
    curves: list[dict[str, Any]]
    by_day: list[dict[str, Any]]
    prices: list[Price]

    def to_dicts(self) -> list[dict[str, Any]]:
        """The answer as one row, with the days."""
        return [{**self.answer.to_dicts()[0], "days": self.days}]


def calculate(
    *,
    kind: Literal["mean", "proportion", "ratio", "quantile"] = "proportion",
    mean: float,
    sd: float | None = None,
    effect: float | None = None,
    n: float | None = None,
    margin: float | None = None,
    equivalence: bool = False,
    power: float = 0.8,
    level: float = 0.95,
    arms: int = 2,
    treated: float | None = None,
    correction: str = "holm",
    r2: float = 0.0,
    icc: float = 0.0,
    cluster_size: float = 1.0,
    cluster_cv: float = 0.0,
    looks: int = 1,
    spending: str = "lan_demets_obrien_fleming",
    method: str = "group",
    daily: float | None = None,
    formula: str | None = None,
    lower_is_better: bool = False,
    name: str = "my experiment",
) -> Calculation:
    """Answer what was left open: without ``n`` the size, without ``effect`` the smallest effect, with both the power.

    Args:
        kind: Kind of metric.
        mean: Mean, share, ratio or quantile in control.
        sd: Standard deviation of a unit; a proportion needs none.
        effect: Relative effect (0.03 = 3 %).
        n: Units over all arms.
        margin: Of a non-inferiority test, relative; the effect is then the true one, 0 by default.
        equivalence: Whether the margin counts either way.
        power: Required power.
        level: Confidence level.
        arms: Arms, control included.
        treated: Share of each treatment; equal shares by default.
        correction: For several treatments.
        r2: What CUPED takes of the variance.
        icc: Intra-cluster correlation.
        cluster_size: Mean units a cluster.
        cluster_cv: Coefficient of variation of cluster sizes.
        looks: Looks, the last included.
        spending: Bounds of the looks.
        method: ``group``, ``confidence_sequence`` or ``msprt``.
        daily: New units a day.
        formula: Formula; the default of the kind without it.
        lower_is_better: Whether a decrease is what one hopes for.
        name: Name of the plan.

    Raises:
        UsageError: If nothing or too little was asked, or a number is out of range.

    Example:
        >>> calculate(mean=0.2, effect=0.25).answer.n
        2188
    """
    _check_choices({"kind": kind, "correction": correction, "spending": spending, "method": method})
    _check_asked(kind, sd=sd, effect=effect, n=n, margin=margin, equivalence=equivalence)
    shares = _shares(arms, treated)
    _check_ranges(effect, margin, looks)
    numbers = {"mean": mean, "sd": sd, "r2": r2, "icc": icc, "cluster_size": cluster_size, "cluster_cv": cluster_cv}
    _check_numbers(numbers | {"margin": margin, "power": power, "level": level, "daily": daily})
    sign = -1 if lower_is_better else 1
    wanted = None if effect is None else abs(effect)
    baseline = Baseline(mean=mean, sd=sd, r2=r2, icc=icc, cluster_size=cluster_size, cluster_cv=cluster_cv)
    better: Literal["higher", "lower"] = "lower" if lower_is_better else "higher"
    metric = _metric(kind, baseline, better, effect=wanted, margin=margin, equivalence=equivalence)
    deciding = metric if margin is None else Metric(name="what decides", value="clicks")
    sequential = Sequential(method=method, looks=looks, spending=spending) if looks > 1 or method != "group" else None  # type: ignore[arg-type]
    plan = Plan(
        name=name,
        arms=shares,
        metrics=tuple(dict.fromkeys((deciding, metric))),
        level=level,
        power=power,
        correction=correction,  # type: ignore[arg-type]  # the plan checks it
        daily_units=daily,
        sequential=sequential,
        cluster="cluster" if icc > 0 else None,
    )
    spread = sd if sd is not None else (mean * (1 - mean)) ** 0.5 if 0 < mean < 1 else 0.0
    known = Known(mean=mean, sd=spread, r2=r2, icc=icc, cluster_size=cluster_size, cluster_cv=cluster_cv)
    question = question_of(metric, plan, known, inflation=inflation_of(plan), formula=formula)
    true = sign * (wanted or 0.0) if margin is None else effect or 0.0
    if n is None:
        answer = question.size(effect=true, power=power)
    elif effect is None:
        answer = question.effect(n=n, power=power, sign=sign if margin is None else 1)
    else:
        answer = question.power_at(effect=true, n=n)
    days = None if daily is None else days_for(answer.n, daily)
    by_day = (
        []
        if daily is None or equivalence
        else effect_by_days(question, daily=daily, days=min(max(2 * (days or 14), 14), 90), power=power, sign=sign)
    )
    return Calculation(
        plan=plan,
        question=question,
        answer=answer,
        days=days,
        curves=power_curve(question, effects=_effects(answer, margin, equivalence=equivalence), around=answer.n),
        by_day=by_day,
        prices=price_in_power(max(looks, 2) if looks > 1 else 4, level=level, power=power),
    )


def _metric(
    kind: Literal["mean", "proportion", "ratio", "quantile"],
    baseline: Baseline,
    better: Literal["higher", "lower"],
    *,
    effect: float | None,
    margin: float | None,
    equivalence: bool,
) -> Metric:
    """The metric of the question; with a margin it is a guardrail."""
    guard: dict[str, Any] = (
        {"role": "primary"} if margin is None else {"role": "guardrail", "margin": margin, "equivalence": equivalence}
    )
    return Metric(
        name="the metric",
        kind=kind,
        value=_COLUMN.get(kind),
        per="impressions" if kind == "ratio" else None,
        q=0.9 if kind == "quantile" else None,
        better=better,
        effect=effect or None,
        baseline=baseline,
        **guard,
    )


def _effects(answer: Answer, margin: float | None, *, equivalence: bool) -> list[float]:
    """True effects that get a power curve each."""
    if margin is None:
        return [answer.effect / 2, answer.effect, 1.5 * answer.effect]
    return [0.0, margin / 4, margin / 2] if equivalence else [-margin / 2, 0.0, margin / 2]


def _shares(arms: int, treated: float | None) -> dict[str, float]:
    """Arm -> share of the units."""
    if arms < 2:
        raise ArgumentValueError("arms", f"is {arms}, expected two at least: control is one of them")
    share = 1 / arms if treated is None else treated
    if not 0 < share * (arms - 1) < 1:
        raise ArgumentValueError(
            "treated",
            f"is {share:g}: {arms - 1} treatments would take {share * (arms - 1):.0%} of the units, and control some",
        )
    names = ["control", *(f"treatment {at}" if arms > 2 else "treatment" for at in range(1, arms))]
    return dict(zip(names, [1 - share * (arms - 1), *[share] * (arms - 1)], strict=True))


def _check_ranges(effect: float | None, margin: float | None, looks: int) -> None:
    """Refuse an effect and a number of looks that are none."""
    if margin is None and effect is not None and not 0 < effect < float("inf"):
        raise ArgumentValueError(
            "effect", f"is {effect:g}, expected more than 0, such as 0.03: a change either way is found"
        )
    if not 1 <= looks <= 50:
        raise ArgumentValueError("looks", f"is {looks}, expected 1 … 50: the last look counts")


_RANGES: Final[Mapping[str, tuple[Callable[[float], bool], str]]] = {
    "mean": (
        lambda mean: math.isfinite(mean) and mean != 0,
        "a number other than 0",
    ),
    "sd": (lambda sd: 0 < sd < math.inf, "more than 0"),
    "r2": (lambda share: 0 <= share < 1, "0 or more, below 1"),
    "icc": (lambda share: 0 <= share <= 1, "0 … 1"),
    "cluster_size": (lambda size: 1 <= size < math.inf, "1 or more"),
    "cluster_cv": (lambda cv: 0 <= cv < math.inf, "0 or more"),
    "margin": (lambda margin: 0 < margin < math.inf, "more than 0"),
    "power": (lambda share: 0 < share < 1, "a share between 0 and 1"),
    "level": (lambda share: 0 < share < 1, "a share between 0 and 1"),
    "daily": (lambda units: 0 < units < math.inf, "more than 0"),
}
"""Argument -> whether a value is one of it, and what is expected."""


_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "kind": ("mean", "proportion", "ratio", "quantile"),
    "correction": get_args(Plan.model_fields["correction"].annotation),
    "method": get_args(Sequential.model_fields["method"].annotation),
    "spending": get_args(Sequential.model_fields["spending"].annotation),
}


def _check_choices(chosen: Mapping[str, str]) -> None:
    """Refuse names that are none of the choices, before the plan names them by its own fields."""
    for name, value in chosen.items():
        if value not in _CHOICES[name]:
            *first, last = map(repr, _CHOICES[name])
            raise ArgumentValueError(name, f"is {value!r}, expected {', '.join(first)} or {last}")


def _check_numbers(numbers: Mapping[str, float | None]) -> None:
    """Refuse numbers that no plan could have, by the names under which they were given."""
    for name, value in numbers.items():
        good, expected = _RANGES[name]
        if value is not None and not good(value):
            raise ArgumentValueError(name, f"is {value:g}, expected {expected}")


def _check_asked(
    kind: str, *, sd: float | None, effect: float | None, n: float | None, margin: float | None, equivalence: bool
) -> None:
    """Refuse a question in which too little was said."""
    if effect is None and n is None and margin is None:
        asked = Setting("effect"), Setting("n"), Setting("margin")
        raise UsageError(
            "neither an effect nor a number of units is given",
            advice=Advice("ask_something", asked, "Give {effect}, {n} or {margin}."),
        )
    if equivalence and margin is None:
        raise ArgumentValueError("margin", "is missing: equivalence needs what does not matter, such as 0.02")
    if sd is None and kind != "proportion":
        raise ArgumentValueError("sd", f"is missing: a {kind} needs the standard deviation of a unit")
