"""What a run of a pipeline counted, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from reclens.report._toolkit.format import decimal, format_estimate, whole

__all__ = ["filter_line", "ranker_problems", "rule_detail", "rule_line", "rule_name"]

Facts = Mapping[str, Any]


def rule_line(rule: Mapping[str, Any]) -> str:
    """A rule, its count and what it means.

    Example:
        >>> rule_line({"code": "unscored", "count": 1200, "facts": {"label": "rank ease"}})
        'rank ease: candidates it cannot score: 1,200 (they come after those it can)'
    """
    return f"{rule_name(rule)}: {whole(rule['count'])} ({rule_detail(rule)})"


def rule_name(rule: Mapping[str, Any]) -> str:
    """What was counted, by the stage that did it."""
    name, label = _RULES[rule["code"]][0], rule["facts"].get("label")
    return f"{label}: {name}" if label else name


def rule_detail(rule: Mapping[str, Any]) -> str:
    """What it means for the lists."""
    return _RULES[rule["code"]][1](rule["facts"])


def filter_line(row: Mapping[str, Any]) -> str:
    """What a filter of a pipeline left out, with its count.

    Example:
        >>> row = {"filter": "keep", "stage": "rank", "label": "ease", "count": 1200, "first": 50}
        >>> filter_line(row)
        'ease: 1,200 candidates behind the first 50.'
    """
    if row["filter"] == "seen" and row["stage"] == "retrieve":
        what = "items of the users' histories that no retriever brings"
    elif row["first"] is not None:
        what = f"{'candidates' if row['filter'] == 'keep' else 'places'} behind the first {row['first']}"
    else:
        what = "items dropped"
    return f"{row['label']}: {whole(row['count'])} {what}."


def _served(facts: Facts) -> str:
    return f"served by {', '.join(facts['served_by'])}" if facts["served_by"] else "popular items, or no list"


_RULES: Final[dict[str, tuple[str, Callable[[Facts], str]]]] = {
    "unknown_users": ("users without a known item", _served),
    "cold_users": ("users to whom no retriever brings an item", lambda _: "the most popular items"),
    "no_candidates": (
        "users without a candidate",
        lambda facts: "the other retrievers serve them" if facts["others"] else "no list",
    ),
    "unscored": ("candidates it cannot score", lambda _: "they come after those it can"),
    "keep_below_k": (
        "lists that keep cut",
        lambda facts: f"keep = {facts['keep']} is below k = {facts['k']}: no list is longer than {facts['keep']}",
    ),
    "dropped": ("items dropped", lambda _: "of all lists"),
    "no_list": ("users without a list", lambda _: "nothing is left to recommend to them"),
    "short_list": ("short lists", lambda facts: f"fewer than {facts['k']} items are left for them"),
}
"""Code -> what was counted, and what it means."""


def ranker_problems(card: Mapping[str, Any]) -> list[str]:
    """In words, that the ranker of an evaluated pipeline loses to plain fusion; nothing where it does not."""
    worse = [row for row in card.get("ranker", ()) if row["verdict"] == "worse"]
    if not worse:
        return []
    row, *others = worse
    also = f"; also by {', '.join(each['metric'] for each in others)}" if others else ""
    means = f"{row['metric']} {decimal(row['ranked'], 4)} against {decimal(row['fusion'], 4)}"
    gain = format_estimate(row, signed=True, digits=4)
    return [f"the ranker {row['ranker']} loses to plain fusion of the same candidates: {means}, {gain}{also}"]
