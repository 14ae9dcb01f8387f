"""Trust checks: what has to be right before an experiment may be read. One that blocks forbids the word "ship"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from reclens.experiment.aggregate.aggregates import LEFT_OUT, OVERALL, Aggregates
from reclens.experiment.aggregate.metric_columns import effective, measures
from reclens.experiment.aggregate.unknown import with_unknown
from reclens.experiment.analysis.effects import Effect, compare_metric
from reclens.experiment.analysis.interim import InterimAnalysis
from reclens.experiment.analysis.row_checks import LOST_SHARE, row_checks
from reclens.experiment.analysis.skewness_check import skewness_check
from reclens.experiment.analysis.words import p_in_words
from reclens.experiment.check_result import BEYOND_CHANCE, SUSPECT, TrustCheck, TrustCheckCode, TrustCheckStatus
from reclens.experiment.plan.decision_rule import LEAST_POWER
from reclens.experiment.plan.plan import Plan
from reclens.stats.arms import Quantity, compare_arms
from reclens.stats.counts import sample_ratio
from reclens.stats.difference import Difference
from reclens.stats.moments import Moments
from reclens.stats.multiplicity import adjust

__all__ = ["run_checks"]

_TOP_SHARE = 0.01  # of a metric's sum in one user's hands


def run_checks(
    plan: Plan, sums: Aggregates, look: InterimAnalysis, effects: Sequence[Effect], *, stratified: bool = False
) -> tuple[TrustCheck, ...]:
    """Every trust check, in the order to read them; ``stratified`` says that the effects are post-stratified."""
    found = (
        _sample_ratio(plan, _everyone(sums)),
        *_triggered(plan, sums),
        _clean_rows(plan, sums),
        *row_checks(sums),
        _balance(plan, sums),
        _outliers(plan, sums, look, effects, stratified),
        skewness_check(plan, sums, effects),
        _peeking(plan, look),
        _power(plan, look, effects),
        _weeks(sums),
    )
    return with_unknown(found, sums.unknown) if sums.unknown else found


def _triggered(plan: Plan, sums: Aggregates) -> list[TrustCheck]:
    """Of triggered units: their sample ratio, and that the others, whom nothing could have changed, are alike."""
    if plan.triggered is None:
        return []
    ratio, rest = _sample_ratio(plan, sums, "triggered_ratio"), sums.untriggered
    if rest is None:
        return [ratio, TrustCheck("untriggered", "skipped", "No unit in the table was not triggered.")]
    rows = []
    for name, place in measures(plan.metrics, rows=rest.rows, indicators=rest.indicators).items():
        for arm in plan.treatments:
            if min(rest.arm(plan.control).n, rest.arm(arm).n) > 1:
                found = compare_metric(rest, place, plan.control, arm, level=plan.level)
                rows.append({"metric": name, "arm": arm, **found.to_dicts()[0]})
    adjusted = adjust(np.array([row["p_value"] for row in rows]), correction="holm")
    rows = [{**row, "p_adjusted": float(p)} for row, p in zip(rows, adjusted, strict=True)]
    tested = [row for row in rows if row["p_adjusted"] == row["p_adjusted"]]
    if not tested:
        return [ratio, TrustCheck("untriggered", "skipped", "No metric varies among the others.", tuple(rows))]
    worst = min(tested, key=lambda row: row["p_adjusted"])
    text = (
        f"{worst['metric']} of {worst['arm']} differs by {worst['difference']:+.4g}, {p_in_words(worst['p_adjusted'])}"
    )
    if worst["p_adjusted"] < BEYOND_CHANCE:
        return [
            ratio,
            TrustCheck(
                "untriggered",
                "fail",
                f"The units that were not triggered differ: {text}. Their "
                "experience was not the same, or the trigger depends on the arm.",
                tuple(rows),
            ),
        ]
    status: TrustCheckStatus = "warn" if worst["p_adjusted"] < SUSPECT else "pass"
    return [ratio, TrustCheck("untriggered", status, f"The most uneven of {len(rows)}: {text}.", tuple(rows))]


def _everyone(sums: Aggregates) -> Aggregates:
    """Triggered units and the others together, as counts alone."""
    if sums.untriggered is None:
        return sums
    cells = dict(sums.cells)
    bare = {cell: replace(Moments.nothing(()), n=each.n) for cell, each in cells.items() if cell[2:] == OVERALL}
    for cell, each in sums.untriggered.cells.items():
        more = replace(Moments.nothing(()), n=each.n)
        bare[cell] = bare[cell] + more if cell in bare else more
    return replace(sums, columns=(), cells=bare)


def _sample_ratio(plan: Plan, sums: Aggregates, code: TrustCheckCode = "sample_ratio") -> TrustCheck:
    """Units of each arm against the planned shares: overall, by day, by segment."""
    shares = [plan.arms[arm] for arm in sums.arms]

    def tested(by: str, segment: str, days: Sequence[str] | None) -> dict[str, Any]:
        counts = [sums.arm(arm, by=by, segment=segment, days=days).n for arm in sums.arms]
        where = {"by": "day" if days else by, "segment": days[0] if days else segment}
        return where | dict(zip(sums.arms, counts, strict=True)) | {"p_value": sample_ratio(counts, shares).p_value}

    whole = tested(*OVERALL, None)
    parts = [tested(*OVERALL, [day]) for day in sums.days]
    parts += [tested(by, segment, None) for by in sums.segmentations for segment in sums.segments(by)]
    adjusted = adjust(np.array([row["p_value"] for row in parts]), correction="holm") if parts else []
    rows = [{**whole, "p_adjusted": whole["p_value"]}]
    rows += [{**row, "p_adjusted": float(p)} for row, p in zip(parts, adjusted, strict=True)]
    worst = sorted((row for row in rows[1:] if row["p_adjusted"] < BEYOND_CHANCE), key=lambda row: row["p_adjusted"])
    seen = ", ".join(f"{arm} {whole[arm]:,}" for arm in sums.arms)
    wanted = ", ".join(f"{share:.0%}" for share in shares)
    text = f"{seen} units, planned {wanted}: {p_in_words(whole['p_value'])}"
    places = "; ".join(f"{row['by']} {row['segment']} ({p_in_words(row['p_adjusted'])})" for row in worst[:5])
    if whole["p_value"] < BEYOND_CHANCE:
        where = f" It is seen in {places}." if worst else " No single day or segment stands out." if parts else ""
        fix = "Units were lost or added on the way to an arm: find out before reading any effect."
        return TrustCheck(code, "fail", f"Mismatch: {text}.{where} {fix}", tuple(rows))
    if worst:
        return TrustCheck(code, "fail", f"Mismatch in {places}, though not overall ({text}).", tuple(rows))
    if whole["p_value"] < SUSPECT:
        often = max(1, round(1 / whole["p_value"]))
        return TrustCheck(
            code,
            "warn",
            f"{text}: chance makes one in {often:,} experiments as uneven; only below "
            f"{BEYOND_CHANCE:g} is it beyond chance.",
            tuple(rows),
        )
    return TrustCheck(code, "pass", f"{text}.", tuple(rows))


def _clean_rows(plan: Plan, sums: Aggregates) -> TrustCheck:
    """What was found on the way to the sums."""
    if not sums.rules:
        return TrustCheck("rows", "pass", "Every unit stands in one arm of the plan.")
    text = "; ".join(f"{rule['rule']}: {rule['detail']} ({rule['count']:,})" for rule in sums.rules)
    kept = sum(sums.arm(arm).n for arm in sums.arms)
    lost = sum(rule["count"] for rule in sums.rules if rule["code"] in LEFT_OUT)
    primary = {metric.name for metric in plan.primary}
    untested = any(
        rule["code"] == "one_unit" or (rule["code"] == "no_variance" and rule.get("metric") in primary)
        for rule in sums.rules
    )
    grave = untested or lost > LOST_SHARE * (kept + lost)
    return TrustCheck("rows", "fail" if grave else "warn", f"{text}.", tuple(dict(rule) for rule in sums.rules))


def _balance(plan: Plan, sums: Aggregates) -> TrustCheck:
    """A/A test on what was measured before: treatment cannot have changed it."""
    places = measures(plan.metrics, rows=sums.rows, indicators=sums.indicators)
    before = dict.fromkeys(x for place in places.values() for x in place.covariates)
    if not before:
        return TrustCheck("balance", "skipped", "The plan has no covariate measured before the experiment.")
    rows = []
    for x in before:
        for arm in plan.treatments:
            found = compare_arms(sums.arm(plan.control), sums.arm(arm), x, level=plan.level)
            rows.append(
                {"covariate": _word(x), "arm": arm, **found.to_dicts()[0], "standardised": _standardised(found)}
            )
    adjusted = adjust(np.array([row["p_value"] for row in rows]), correction="holm")
    rows = [{**row, "p_adjusted": float(p)} for row, p in zip(rows, adjusted, strict=True)]
    tested = [row for row in rows if row["p_adjusted"] == row["p_adjusted"]]
    if not tested:
        return TrustCheck("balance", "skipped", "No covariate varies.", tuple(rows))
    worst = min(tested, key=lambda row: row["p_adjusted"])
    text = (
        f"{worst['covariate']} differs by {worst['standardised']:+.3f} standard deviations in {worst['arm']} "
        f"before "
        f"the experiment, adjusted {p_in_words(worst['p_adjusted'])}"
    )
    if worst["p_adjusted"] < BEYOND_CHANCE:
        return TrustCheck(
            "balance",
            "fail",
            f"The arms were not alike: {text}. Look for a carry-over, or a randomisation that is off.",
            tuple(rows),
        )
    status: TrustCheckStatus = "warn" if worst["p_adjusted"] < SUSPECT else "pass"
    return TrustCheck("balance", status, f"The most uneven of {len(rows)}: {text}.", tuple(rows))


def _standardised(found: Difference) -> float:
    """Difference ÷ standard deviation, from its error: d / (se · √(harmonic n))."""
    spread = found.se / np.sqrt(1 / found.n_control + 1 / found.n_treatment) if found.se > 0 else float("nan")
    return float(found.absolute.value / spread)


def _outliers(
    plan: Plan, sums: Aggregates, look: InterimAnalysis, effects: Sequence[Effect], stratified: bool
) -> TrustCheck:
    """What the largest users hold, and what the effect is when values are cut off at the 99.9 % quantile.

    Like is held against like: both p-values are those of this look, and neither effect is post-stratified.
    """
    tails = sums.tails
    if tails is None:
        return TrustCheck("outliers", "skipped", "The largest values were not looked at (tails=True does).")
    rows, words, blocks = [], [], False
    for effect in effects:
        name = effect.metric.name
        if name not in tails.places or not effect.found.se > 0:
            continue
        place, found = tails.places[name], effect.found
        if stratified:
            own = measures((effect.metric,), rows=sums.rows, indicators=sums.indicators)[name]
            found = compare_metric(sums, own, plan.control, effect.arm, level=plan.level)
        cut = compare_arms(
            tails.arms[plan.control], tails.arms[effect.arm], place.of, covariates=place.covariates, level=plan.level
        )
        moved = (found.absolute.value - cut.absolute.value) / found.se
        p, p_cut = look.p_value(found), look.p_value(cut)
        column = effective(effect.metric, sums.indicators).value or ""
        held = {
            arm: tails.largest[name, arm] / total
            for arm in (plan.control, effect.arm)
            if (total := sums.arm(arm).sum(column)) > 0
        }
        top = max(held.values(), default=0.0)
        at = max(held, key=lambda arm: held[arm], default=plan.control)
        flips = (p <= plan.alpha) != (p_cut <= plan.alpha)
        of_below = f" ({effect.metric.per} at {tails.below[name]:,.6g})" if name in tails.below else ""
        rows.append(
            {
                "metric": name,
                "arm": effect.arm,
                "largest": tails.largest[name, at],
                "held_by_one": top,
                "where": at,
                "cap": tails.caps[name],
                "difference": found.absolute.value,
                "difference_cut": cut.absolute.value,
                "p_value": p,
                "p_value_cut": p_cut,
                "moved_se": moved,
            }
        )
        if top > _TOP_SHARE or abs(moved) > 1 or flips:
            words.append(
                f"{name}: one user of {at} holds {top:.1%} of its sum ({tails.largest[name, at]:,.6g}); cut "
                f"off at {tails.caps[name]:,.6g}{of_below}, the difference of {effect.arm} goes from "
                f"{found.absolute.value:+.4g} ({p_in_words(p)}) to "
                f"{cut.absolute.value:+.4g} ({p_in_words(p_cut)})"
            )
            blocks |= effect.metric.role == "primary" and (flips or abs(moved) > 1)
    if not words:
        return TrustCheck(
            "outliers",
            "pass",
            "No user holds 1 % of a metric, and cutting off values changes no conclusion.",
            tuple(rows),
        )
    return TrustCheck("outliers", "fail" if blocks else "warn", f"{'; '.join(words)}.", tuple(rows))


def _peeking(plan: Plan, look: InterimAnalysis) -> TrustCheck:
    """Whether the experiment is looked at when the plan says; without an answer it is never fine."""
    looks = plan.sequential
    if look.peeking:
        return TrustCheck(
            "peeking",
            "fail",
            f"Only {look.information:.0%} of the planned sample is in and the plan has "
            "no looks before the end: a p-value read on the way is significant too often. Wait, or plan looks "
            "([sequential]) before the next experiment. If users came in on fewer days than it ran, say how "
            "many those were (--days).",
        )
    if looks is not None and looks.method == "group":
        times = ", ".join(f"{time:.0%}" for time in looks.times)
        if not look.known:
            return TrustCheck(
                "peeking",
                "fail",
                f"The plan has looks at {times} of the sample, and nothing tells which "
                "this is. Say how far it is: --days (with days in the plan) or --planned-units.",
            )
        if look.off_plan:
            return TrustCheck(
                "peeking",
                "fail",
                f"{look.information:.0%} of the planned sample is in, and the plan has "
                f"looks at {times}: looks in between find too much. Wait for the next one; or, where looks "
                "were made at other times for reasons that have nothing to do with the results, say which "
                "(--looks-taken), so that the bounds are made for those.",
            )
    if looks is None and not look.known:
        planned = [
            f"{plan.days} days" if plan.days else "",
            f"{plan.daily_units:,g} units a day" if plan.daily_units else "",
        ]
        said = " of ".join(each for each in planned if each)
        told = (
            f"The plan is for {said}, and nothing tells how many have passed"
            if said
            else "The plan names no length and no looks"
        )
        tell = "--days or --planned-units tell" if plan.days else "--planned-units tells"
        return TrustCheck("peeking", "skipped", f"{told}: that this is the end is taken on trust. {tell}.")
    return TrustCheck("peeking", "pass", f"{look.words[0].upper()}{look.words[1:]}.")


def _power(plan: Plan, look: InterimAnalysis, effects: Sequence[Effect]) -> TrustCheck:
    """Whether the planned effect could have been seen; on the way, whether it can be at the end."""
    rows: list[dict[str, Any]] = [
        {
            "metric": e.metric.name,
            "arm": e.arm,
            "planned_effect": e.metric.effect,
            "power": e.power,
            "detectable": e.detectable,
        }
        for e in effects
        if e.metric.role == "primary"
    ]
    known = [row for row in rows if row["power"] == row["power"]]
    if not known:
        seen = [row for row in rows if row["detectable"] == row["detectable"]]
        least = f" Effects from {max(row['detectable'] for row in seen):.2%} on are found." if seen else ""
        return TrustCheck("power", "skipped", f"The plan names no smallest effect worth finding.{least}", tuple(rows))
    low = min(known, key=lambda row: row["power"])
    when = " at the planned sample" if look.early else ""
    text = (
        f"{low['metric']}: an effect of {low['planned_effect']:.2%} is found with power {low['power']:.0%}{when} "
        f"(planned {plan.power:.0%}); the smallest one found with that is {low['detectable']:.2%}"
    )
    if low["power"] >= LEAST_POWER:
        status: TrustCheckStatus = "warn" if low["power"] < plan.power - 0.05 else "pass"
        return TrustCheck("power", status, f"{text}.", tuple(rows))
    if plan.sequential is not None and (look.early or not look.known):  # a crossed bound is evidence at any look
        return TrustCheck("power", "warn", f"{text}: plan for more units.", tuple(rows))
    return TrustCheck(
        "power",
        "fail",
        f"{text}. An effect that is significant at too little power is exaggerated (Gelman "
        "and Carlin 2014), and one that is not significant shows nothing.",
        tuple(rows),
    )


def _weeks(sums: Aggregates) -> TrustCheck:
    days = sums.length
    if not days:
        return TrustCheck("weeks", "skipped", "The days were not gathered.")
    seen = f"The log covers {days} days" if sums.ran is not None else f"Users came in over {days} days"
    if days % 7:
        return TrustCheck("weeks", "warn", f"{seen}: days of the week do not count alike.")
    return TrustCheck("weeks", "pass", f"{seen}, whole weeks.")


def _word(x: Quantity) -> str:
    return x if isinstance(x, str) else f"{x[0]}/{x[1]}"
