"""Names and phrases that plans and readouts share: trust checks, looks, margins, rules, and what is not known."""

from __future__ import annotations

from typing import Final

from reclens.experiment.aggregate.aggregates import Rule, RuleCode
from reclens.experiment.aggregate.unknown import Unknown, UnknownCode
from reclens.experiment.analysis.interim import InterimAnalysis
from reclens.experiment.check_result import TrustCheckCode
from reclens.experiment.planning.metric import Metric
from reclens.report._toolkit.format import between, format_number, percent, points, significant, whole
from reclens.report.experiment.method_words import BOUND_NAMES
from reclens.stats.estimate import Estimate

__all__ = [
    "CHECK_NAMES",
    "KIND_TEXTS",
    "amount",
    "gap_text",
    "look_text",
    "margin_text",
    "rule_text",
    "unknown_text",
    "value_text",
]

CHECK_NAMES: Final[dict[TrustCheckCode, str]] = {
    "sample_ratio": "sample ratio",
    "triggered_ratio": "sample ratio of triggered units",
    "untriggered": "untriggered units",
    "rows": "rows",
    "missing_values": "missing values",
    "duplicates": "duplicates",
    "extreme_units": "extreme units",
    "unit": "unit",
    "balance": "A/A on the past",
    "outliers": "outliers",
    "skewness": "skewness",
    "peeking": "peeking",
    "power": "power",
    "weeks": "whole weeks",
}
"""The trust checks by name."""

KIND_TEXTS: Final = {
    "mean": "mean over units of a column",
    "proportion": "share of units whose column is 1",
    "ratio": "sum of a column over the sum of another, as clicks over impressions; its interval respects the unit",
    "quantile": "quantile of a column over its rows; its interval respects the unit",
    "coverage": "share of the catalogue that an arm showed to anybody; by the jackknife over units",
    "gini": "Gini coefficient of an arm's exposure over items; by the jackknife over units",
    "effective_items": "effective number of items of an arm's exposure, exp of its entropy (Hill 1973); by the "
    "jackknife over units",
}
"""The kinds of metric."""

_UNKNOWN: Final[dict[UnknownCode, str]] = {
    "repeated_units": "whether a unit is there twice: the table has no ids",
    "crossed_units": "whether a unit is in two arms: the table has no ids",
    "shared_ids": "whether whole groups of units were randomised: the table has no ids",
    "missing_values": "how many units have no value, and in which arm: the table has counts alone",
    "extreme_units": "whether units have values far beyond all others: the table has means alone",
    "outliers": "how much the largest values hold: the table has means alone",
    "skewness": "how skewed the values are: the table has means and standard deviations alone, so that the test does "
    "not allow for it",
    "covariates": "what was measured before the experiment: the effect is not adjusted by it, as planned, and the arms "
    "are not compared by it",
    "cap": "whether values were cut off as planned: the means are taken to be of the values after that",
    "segments": "the effect by segment: the table has no such column",
    "unread_metrics": "metrics that counts, means and standard deviations do not give",
}

_RULES: Final[dict[RuleCode, str]] = {
    "two_arms": "units in two arms were left out",
    "unknown_arms": "rows of unknown arms were left out",
    "missing_covariate": "missing covariates count 0, and an indicator adjusts for it",
    "one_unit": "an arm of one unit has no variance",
    "no_variance": "a metric without variance cannot be tested",
}


def unknown_text(unknown: Unknown) -> str:
    """What a table cannot tell, and why.

    Example:
        >>> unknown_text(Unknown("segments", ("country",)))
        'the effect by segment: the table has no such column (country)'
    """
    return _UNKNOWN[unknown.code] + (f" ({', '.join(unknown.of)})" if unknown.of else "")


def rule_text(rule: Rule) -> str:
    """What was found or done on the way to the sums.

    Example:
        >>> rule_text(Rule(code="unknown_arms", count=7, arms={"": 3, "x": 4}))
        "rows of unknown arms were left out: '(missing)' (3 units), 'x' (4 units) (7)"
    """
    where = {
        "two_arms": f"{rule.table}, column '{rule.column}'",
        "unknown_arms": ", ".join(f"'{name or '(missing)'}' ({whole(n)} units)" for name, n in rule.arms.items()),
        "missing_covariate": f"'{rule.column}' is missing for {whole(rule.count)} units",
        "one_unit": f"arm '{rule.arm}'",
        "no_variance": f"'{rule.metric}' has one value in arm '{rule.arm}'",
    }[rule.code]
    return f"{_RULES[rule.code]}: {where} ({whole(rule.count)})"


def look_text(interim: InterimAnalysis) -> str:
    """How far an experiment is, and how it is looked at."""
    looks, share = interim.plan.sequential, percent(interim.information, 0)
    if looks is None:
        return {
            "unplanned": f"looked at after {share} of the sample, with no plan for that",
            "end": "one look, at the end",
        }.get(interim.state, "one look, taken for the end")
    if interim.state == "always_valid":
        known = f"; {share} of the sample is in" if interim.known else ""
        return f"{looks.method.replace('_', ' ')}: valid at any look{known}"
    title = BOUND_NAMES[looks.spending]
    if interim.state == "unknown":
        return f"a look of a group-sequential plan ({title}) that is not known, read as the last"
    return f"look {len(interim.times)} of a group-sequential plan ({title}), at {share} of the sample"


def value_text(metric: Metric, value: float) -> str:
    """A value of a metric: a share in percent, anything else as a number.

    Example:
        >>> value_text(Metric(name="kept", kind="proportion", value="kept"), 0.4512)
        '45.12%'
        >>> value_text(Metric(name="clicks", value="clicks"), 4.2)
        '4.200'
    """
    return percent(value) if metric.is_share else format_number(value)


def gap_text(metric: Metric, found: Estimate) -> str:
    """A difference with its interval: of shares in percentage points, which are not percent of control.

    Example:
        >>> kept = Metric(name="kept", kind="proportion", value="kept")
        >>> gap_text(kept, Estimate(0.012, low=0.003, high=0.021, n=900))
        '+1.20 pp [+0.30, +2.10]'
    """
    if not metric.is_share or found.value != found.value:
        return between(found)
    return points(found)


def amount(metric: Metric, loss: float, *, signed: bool = False) -> str:
    """A loss as the margin of a metric is given: in percent of control, or in the unit of the metric."""
    if metric.loss[1]:
        return percent(loss, signed=signed)
    if metric.is_share:
        return f"{significant(100 * loss, 4, signed=signed)} pp"
    return significant(loss, 4, signed=signed) + (f" {metric.unit}" if metric.unit else "")


def margin_text(metric: Metric) -> str:
    """The margin of a metric as it is given, with ± where it counts either way; empty where there is none.

    Example:
        >>> margin_text(Metric(name="price", value="p", role="guardrail", margin=0.02, equivalence=True))
        '±2.00%'
    """
    if not metric.loss[0]:
        return ""
    return ("" if metric.aim == "non-inferiority" else "±") + amount(metric, metric.loss[0])
