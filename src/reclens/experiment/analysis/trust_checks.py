"""Trust checks: what has to be right before an experiment may be read. One that fails forbids the decision to ship."""

from __future__ import annotations

from collections.abc import Sequence

from reclens.errors import Advice, Setting
from reclens.experiment.aggregate.aggregates import LEFT_OUT, Aggregates
from reclens.experiment.aggregate.unknown import Unknown, UnknownCode
from reclens.experiment.analysis.arm_checks import check_balance, check_ratio, check_triggered, everyone
from reclens.experiment.analysis.check_facts import NotKnown, Progress, RowRules, Weeks
from reclens.experiment.analysis.effect_checks import check_outliers, check_power
from reclens.experiment.analysis.effects import Effect
from reclens.experiment.analysis.interim import InterimAnalysis
from reclens.experiment.analysis.row_checks import LOST_SHARE, row_checks
from reclens.experiment.analysis.skewness_check import check_skewness
from reclens.experiment.check_result import CHECK_CODES, CheckReason, TrustCheck, TrustCheckCode, TrustCheckStatus
from reclens.experiment.planning.plan import Plan

__all__ = ["CHECKED", "run_checks"]

_CHECKS: dict[UnknownCode, TrustCheckCode] = {
    "repeated_units": "rows",
    "crossed_units": "rows",
    "shared_ids": "unit",
    "missing_values": "missing_values",
    "extreme_units": "extreme_units",
    "outliers": "outliers",
    "skewness": "skewness",
    "covariates": "balance",
}
"""The check that cannot be made without it."""

CHECKED = frozenset(_CHECKS)
"""Codes of what is not known that a check tells of."""


def run_checks(
    plan: Plan, sums: Aggregates, interim: InterimAnalysis, effects: Sequence[Effect], *, stratified: bool = False
) -> tuple[TrustCheck, ...]:
    """Every check, in the order to read them; ``stratified`` says that the effects are post-stratified."""
    found = (
        check_ratio(plan, everyone(sums)),
        *check_triggered(plan, sums),
        _rows(plan, sums),
        *row_checks(sums),
        check_balance(plan, sums),
        check_outliers(plan, sums, interim, effects, stratified=stratified),
        check_skewness(plan, sums, effects),
        _peeking(plan, interim),
        check_power(plan, interim, effects),
        _weeks(sums),
    )
    return _with_unknown(found, sums.unknown) if sums.unknown else found


def _with_unknown(checks: Sequence[TrustCheck], unknown: Sequence[Unknown]) -> tuple[TrustCheck, ...]:
    """The checks, where those that cannot be made are skipped; what was found stays found.

    Without rules "every unit stands in one arm" is no finding where nobody knows the units.
    """
    found = {check.code: check for check in checks}
    untold: dict[TrustCheckCode, list[Unknown]] = {}
    for each in unknown:
        if each.code in _CHECKS:
            untold.setdefault(_CHECKS[each.code], []).append(each)
    for code, listed in untold.items():
        check = found.get(code)
        if check is None or check.status == "skipped" or (code == "rows" and check.status == "pass"):
            found[code] = TrustCheck(code=code, status="skipped", reason="not_known", facts=NotKnown(tuple(listed)))
    return tuple(sorted(found.values(), key=lambda check: CHECK_CODES.index(check.code)))


def _rows(plan: Plan, sums: Aggregates) -> TrustCheck:
    """Check the problems that were found while the rows were aggregated."""
    if not sums.rules:
        return TrustCheck(code="rows", status="pass", reason="clean", facts=RowRules())
    kept = sum(sums.arm(arm).n for arm in sums.arms)
    lost = sum(rule.count for rule in sums.rules if rule.code in LEFT_OUT)
    primary = {metric.name for metric in plan.primary}
    untested = any(
        rule.code == "one_unit" or (rule.code == "no_variance" and rule.metric in primary) for rule in sums.rules
    )
    grave = untested or lost > LOST_SHARE * (kept + lost)
    return TrustCheck(
        code="rows", status="fail" if grave else "warn", reason="rules_applied", facts=RowRules(sums.rules)
    )


def _peeking(plan: Plan, interim: InterimAnalysis) -> TrustCheck:
    """Check that the looks follow the plan; without an answer the status is never ``pass``."""
    looks = plan.sequential
    units = Setting("planned_units")

    def found(status: TrustCheckStatus, reason: CheckReason, advice: Advice | None = None) -> TrustCheck:
        return TrustCheck(code="peeking", status=status, reason=reason, facts=Progress(interim), advice=advice)

    if interim.peeking:
        return found("fail", "too_early", Advice("say_days", (Setting("days"),)))
    if looks is not None and looks.method == "group":
        if not interim.known:
            return found("fail", "look_unknown", Advice("say_progress", (Setting("days"), units)))
        if interim.off_plan:
            return found("fail", "off_plan", Advice("say_looks", (Setting("looks_taken"),)))
    if looks is None and not interim.known:
        told = (Setting("days"), units) if plan.days else (units,)
        return found("skipped", "length_unknown", Advice("say_progress" if plan.days else "say_units", told))
    return found("pass", "on_schedule")


def _weeks(sums: Aggregates) -> TrustCheck:
    days, facts = sums.length, Weeks(sums.length, sums.ran is not None)
    if not days:
        return TrustCheck(code="weeks", status="skipped", reason="no_days", facts=facts)
    if days % 7:
        return TrustCheck(code="weeks", status="warn", reason="part_weeks", facts=facts)
    return TrustCheck(code="weeks", status="pass", reason="whole_weeks", facts=facts)
