"""Names and meanings of the measures and problems of a profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reclens.data.problems import Problem, ProblemCode
from reclens.data.profile import Profile
from reclens.report._toolkit.format import whole
from reclens.report.data.words import rule_detail, rule_name

__all__ = ["problem_detail", "problem_name", "profile_rows"]

_MEASURES: Final[Mapping[tuple[str, str], str]] = {
    ("size", "density"): "distinct pairs ÷ (users × items)",
    ("size", "repeated pairs"): "rows",
    ("columns", "not used"): "of the file; name it if it is an id, a time, a rating or a weight",
    ("time", "rows at one moment"): "rows whose user has another one with the same timestamp",
    ("time", "users tied at the end"): "their last two rows have the same timestamp",
    ("users", "head share"): "interactions of the most active 20 % of the users",
    ("items", "head share"): "interactions of the most popular 20 % of the items",
}
_OF_TAILS: Final[Mapping[str, str]] = {
    "Gini": "0: all alike, near 1: one has all",
    "number for 80 %": "{of} that have 80 % of the interactions",
    "under 5": "{of} with fewer than 5 interactions",
    "cold": "{of} with attributes but without interactions",
    "without attributes": "{of} with interactions only",
}
_PROBLEMS: Final[Mapping[ProblemCode, tuple[str, str]]] = {
    "repeated_pairs": (
        "repeated pairs",
        "users come back to items: whether that counts is the task of a split, new_items or with_repeats",
    ),
    "no_timestamp": ("no timestamp", "splits by time refuse these rows"),
    "times_before_1990": ("times before 1990", "perhaps 0 for unknown, or seconds read as milliseconds"),
    "times_in_the_future": ("times in the future", "perhaps milliseconds read as seconds, or a wrong clock"),
    "ties_at_the_end": (
        "ties in time at the end",
        "users whose last two rows have one timestamp; leave-one-out depends on the rule for ties",
    ),
    "no_time_of_day": (
        "times without a time of day",
        "all times are whole days, so that the order within a day is unknown",
    ),
    "missing_number": ("no {column}", "these rows count as interactions, but not in means"),
    "not_finite": ("{column} not finite", "NaN or infinite"),
    "weight_not_positive": ("weight not positive", "recommenders count these rows as interactions too"),
    "one_rating": ("one rating only", "all ratings are equal: treat them as implicit feedback"),
    "without_attributes": ("{of} without attributes", "rows of {n} {of} that the table of {of} does not have"),
    "repeated_ids": ("repeated {of}", "rows of the table of {of}; each id may stand in it once"),
    "missing_attribute": ("{of}: no {column}", "rows of the table of {of}"),
    "not_in_training": (
        "{part}: unknown {of}",
        "rows of {n} {of} that the training part does not have; {leads}",
    ),
    "pairs_in_training": ("{part}: pairs that training holds", "of {pairs} pairs; {does}"),
}
"""Code -> its name, and what it leads to."""
_LEADS: Final = {
    "users": "most models can only give them what is popular",
    "items": "most models cannot recommend them",
}
_DOES: Final = {
    "new_items": "left out: the task is new_items",
    "with_repeats": "kept: the task is with_repeats",
}


def problem_name(problem: Problem) -> str:
    """What a problem is."""
    return _PROBLEMS[problem.code][0].format(**_written(problem.facts))


def problem_detail(problem: Problem) -> str:
    """What a problem leads to, or what can be done."""
    more = {"leads": _LEADS.get(str(problem.facts.get("of"))), "does": _DOES.get(str(problem.facts.get("task")))}
    return _PROBLEMS[problem.code][1].format(**_written(problem.facts), **more)


def _written(facts: Mapping[str, str | int]) -> dict[str, str]:
    return {name: whole(value) if isinstance(value, int) else value for name, value in facts.items()}


def profile_rows(profile: Profile) -> list[dict[str, Any]]:
    """One row a measure: ``section``, ``measure``, ``value`` and ``detail``, what it means."""
    rows: list[dict[str, Any]] = []
    for row in profile.to_dicts():
        if row["section"] not in ("problems", "rules applied"):
            detail = _detail(row["section"], row["measure"], synthetic=profile.synthetic)
            rows.append({name: row[name] for name in ("section", "measure", "value")} | {"detail": detail})
    rows += [
        {"section": "problems", "measure": problem_name(each), "value": each.rows, "detail": problem_detail(each)}
        for each in profile.problems
    ]
    rows += [
        {"section": "rules applied", "measure": rule_name(each), "value": each["count"], "detail": rule_detail(each)}
        for each in profile.rules
    ]
    return rows


def _detail(section: str, measure: str, *, synthetic: bool) -> str:
    if (section, measure) in _MEASURES:
        return _MEASURES[section, measure]
    if section in ("users", "items"):
        return _OF_TAILS.get(measure, "interactions each").format(of=section)
    if (section, measure) == ("size", "name") and synthetic:
        return "synthetic: drawn, not observed"
    return "rows" if section == "ratings" and measure != "mean" else ""
