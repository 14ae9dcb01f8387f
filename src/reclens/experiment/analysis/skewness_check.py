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
from typing import Any, Final

import numpy as np

from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.aggregate.metric_columns import MetricColumns, measures
from reclens.experiment.analysis.effects import Effect
from reclens.experiment.check_result import TrustCheck, TrustCheckStatus
from reclens.experiment.plan.decision_rule import SKEWED, TOO_SKEWED
from reclens.experiment.plan.plan import Plan

__all__ = ["UNCORRECTED", "WORST", "skewness_check", "tolerated_skewness"]

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


def skewness_check(plan: Plan, sums: Aggregates, effects: Sequence[Effect]) -> TrustCheck:
    """Skewness of the values × imbalance of the arms ÷ √n: what the test allows for, and how much is too much."""
    if not plan.uneven:
        return TrustCheck("skewness", "pass", "The arms are of one size, so that skewed values cancel.")
    places = measures(plan.metrics, rows=sums.rows, indicators=sums.indicators)
    untold = [e for e in effects if e.metric.name in places and e.found.testable and _unknown(sums, e, places)]
    if untold:
        return _of_unknown(untold)
    rows: list[dict[str, Any]] = [
        {
            "metric": e.metric.name,
            "arm": e.arm,
            "role": e.metric.role,
            "skewness": e.found.skew,
            "n_control": e.found.n_control,
            "n_treatment": e.found.n_treatment,
        }
        for e in effects
        if e.metric.name in places and e.found.testable
    ]
    if not rows:
        return TrustCheck("skewness", "skipped", "No metric is a mean or a ratio that varies.")
    worst = max(rows, key=lambda row: abs(row["skewness"]))
    text = (
        f"{worst['metric']} in {worst['arm']}: the skewness of the difference (that of the values × imbalance of "
        f"the arms ÷ √n) is {worst['skewness']:+.2f}"
    )
    deciding = [row for row in rows if row["role"] != "secondary" and abs(row["skewness"]) > TOO_SKEWED]
    if deciding:
        return TrustCheck(
            "skewness",
            "fail",
            f"{text}, beyond ±{TOO_SKEWED:g}, up to which the test allows for it. "
            "The smaller arm has too few units for values that are so skewed: cap the metric, or take in "
            "more units.",
            tuple(rows),
        )
    status: TrustCheckStatus = "warn" if abs(worst["skewness"]) > SKEWED else "pass"
    return TrustCheck("skewness", status, f"{text}; up to ±{TOO_SKEWED:g} the test allows for it.", tuple(rows))


def _unknown(sums: Aggregates, effect: Effect, places: Mapping[str, MetricColumns]) -> bool:
    """Whether the sums do not tell how skewed the values are; of a share its test knows."""
    of = places[effect.metric.name].of
    if effect.metric.kind == "proportion":
        return False
    for moments in map(sums.arm, sums.arms):
        at = [moments.index(name) for name in ((of,) if isinstance(of, str) else of)]
        if moments.third is None or np.isnan(moments.third[np.ix_(at, at, at)]).any():
            return True
    return False


def _of_unknown(effects: Sequence[Effect]) -> TrustCheck:
    """The check of means whose skewness the table does not tell."""
    rows: list[dict[str, Any]] = [
        {
            "metric": e.metric.name,
            "arm": e.arm,
            "role": e.metric.role,
            "tolerated_skewness": tolerated_skewness(e.found.n_control, e.found.n_treatment),
            "assumed_skewness": WORST,
            "n_control": e.found.n_control,
            "n_treatment": e.found.n_treatment,
        }
        for e in effects
    ]
    worst = min(rows, key=lambda row: row["tolerated_skewness"])
    small = [row for row in rows if row["tolerated_skewness"] < WORST]
    seen = (
        f"The skewness of the values is not known, and {worst['n_control']:,} against {worst['n_treatment']:,} units "
        f"stand one of {worst['tolerated_skewness']:.3g}"
    )
    if not small:
        return TrustCheck("skewness", "pass", f"{seen}, which is more than values have ({WORST:g}).", tuple(rows))
    status: TrustCheckStatus = "fail" if any(row["role"] != "secondary" for row in small) else "warn"
    fix = "Give it (a column VALUE_skewness beside mean and sd), read a table of units, or take in more units."
    return TrustCheck("skewness", status, f"{seen}; values may have up to {WORST:g}. {fix}", tuple(rows))
