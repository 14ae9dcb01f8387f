"""Whether the test of a mean stands the skewness of its values, where the arms differ in size.

Of a difference the skewness is γ (1/n_t² - 1/n_c²) ÷ (1/n_t + 1/n_c)^1.5, where γ is that of the values. Where γ is
known the test takes it out. Where it is not, as in a table of means and standard deviations, Welch's test of arms of
100 and 900 units is wrong in 8 % of A/A tests of a count that is mostly zero, and in 25 % and more of values with a
skewness of 20; from means and standard deviations no γ can be ruled out. So the check asks how skewed values may be
before the difference has a skewness of ``UNCORRECTED``, and blocks where that is less than ``WORST``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.aggregate.metric_columns import MetricColumns, metric_columns_of
from reclens.experiment.analysis.effect_facts import Skewness, SkewOfEffect, ToleratedSkew, UnknownSkewness
from reclens.experiment.analysis.effects import Effect
from reclens.experiment.check_result import TrustCheck, TrustCheckStatus
from reclens.experiment.planning.decision_rule import SKEWED, TOO_SKEWED
from reclens.experiment.planning.plan import Plan

__all__ = ["UNCORRECTED", "WORST", "check_skewness", "tolerated_skewness"]

UNCORRECTED: Final = 0.15
"""Skewness of a difference up to which a test that does not know it is wrong in 5.5 % of A/A tests at most
(``benchmarks/rates_aggregated.py``)."""

WORST: Final = 20.0
"""Skewness that values of unknown skewness are taken to have: revenue a user has 18 (Kohavi et al. 2014, Seven rules of
thumb for web site experimenters)."""


def tolerated_skewness(n_control: int, n_treatment: int) -> float:
    """How skewed values may be for the test of a difference of means to hold its level without knowing it.

    Example:
        >>> round(tolerated_skewness(900, 100), 1), round(tolerated_skewness(64_000, 7_200), 1)
        (1.8, 15.1)
        >>> tolerated_skewness(500, 500)
        inf
    """
    apart = abs(1 / n_treatment**2 - 1 / n_control**2) / (1 / n_treatment + 1 / n_control) ** 1.5
    return UNCORRECTED / apart if apart else math.inf


def check_skewness(plan: Plan, sums: Aggregates, effects: Sequence[Effect]) -> TrustCheck:
    """Skewness of the values × imbalance of the arms ÷ √n: what the test allows for, and how much is too much."""
    nothing = Skewness(limit=TOO_SKEWED)
    if not plan.uneven:
        return TrustCheck(code="skewness", status="pass", reason="equal_arms", facts=nothing)
    metric_columns = metric_columns_of(plan.metrics, rows=sums.rows, indicators=sums.indicators)
    tested = [e for e in effects if e.metric.name in metric_columns and e.found.testable]
    untold = [e for e in tested if _unknown(sums, e, metric_columns)]
    if untold:
        return _of_unknown(untold)
    if not tested:
        return TrustCheck(code="skewness", status="skipped", reason="nothing_varies", facts=nothing)
    found = tuple(
        SkewOfEffect(
            metric=e.metric.name,
            arm=e.arm,
            role=e.metric.role,
            skewness=e.found.skew,
            n_control=e.found.n_control,
            n_treatment=e.found.n_treatment,
        )
        for e in tested
    )
    facts = Skewness(limit=TOO_SKEWED, effects=found)
    if any(each.role != "secondary" and abs(each.skewness) > TOO_SKEWED for each in found):
        return TrustCheck(code="skewness", status="fail", reason="too_skewed", facts=facts)
    status: TrustCheckStatus = "warn" if abs(facts.worst.skewness) > SKEWED else "pass"
    return TrustCheck(code="skewness", status=status, reason="allowed_for", facts=facts)


def _unknown(sums: Aggregates, effect: Effect, metric_columns: Mapping[str, MetricColumns]) -> bool:
    """Whether the sums do not tell how skewed the values are; of a share its test knows."""
    of = metric_columns[effect.metric.name].of
    if effect.metric.kind == "proportion":
        return False
    for moments in map(sums.arm, sums.arms):
        at = [moments.index(name) for name in ((of,) if isinstance(of, str) else of)]
        if moments.third is None or np.isnan(moments.third[np.ix_(at, at, at)]).any():
            return True
    return False


def _of_unknown(effects: Sequence[Effect]) -> TrustCheck:
    """The check of means whose skewness the table does not tell."""
    found = tuple(
        ToleratedSkew(
            metric=e.metric.name,
            arm=e.arm,
            role=e.metric.role,
            tolerated_skewness=tolerated_skewness(e.found.n_control, e.found.n_treatment),
            assumed_skewness=WORST,
            n_control=e.found.n_control,
            n_treatment=e.found.n_treatment,
        )
        for e in effects
    )
    facts, small = UnknownSkewness(found), [each for each in found if each.tolerated_skewness < WORST]
    if not small:
        return TrustCheck(code="skewness", status="pass", reason="tolerated", facts=facts)
    status: TrustCheckStatus = "fail" if any(each.role != "secondary" for each in small) else "warn"
    return TrustCheck(code="skewness", status=status, reason="not_tolerated", facts=facts)
