"""What a comparison concludes, in sentences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from reclens.evaluation import Comparison, PairedDifference
from reclens.metrics.registry import direction
from reclens.report._toolkit.format import decimal, format_estimate, in_words, p_in_words, percent, significant, whole
from reclens.report._toolkit.notes import note_text

__all__ = ["comparison_text", "how_tested", "model_text", "why_not_significant"]


def comparison_text(comparison: Comparison, metric: str | None = None) -> tuple[str, ...]:
    """State the conclusion of a metric for each system, and the segments with the opposite sign.

    Args:
        comparison: The comparison.
        metric: The metric; by default the primary one.

    Returns:
        Plain sentences: one to three a system, then how to read them.

    Raises:
        UnknownNameError: If the metric was not compared.
    """
    rows, baseline, primary = comparison.differences, comparison.baseline, comparison.metric_named(metric)
    sentences: list[str] = []
    better = direction(primary)
    overall = [row for row in rows if row.metric == primary and row.by == "overall"]
    if better is not None:
        overall.sort(key=lambda row: (math.isnan(row.difference), row.difference * (-1 if better else 1)))
    if better is not None and len(overall) > 1:
        sentences.append(_ranking(overall))
    for row in overall:
        own = [each for each in rows if (each.system, each.metric) == (row.system, primary)]
        sentences.append(_overall(row, comparison.correction))
        sentences += _left_out(row)
        against = [each for each in own if each.by != "overall" and each.significant and _opposed(each, row)]
        if against:
            named = ", ".join(
                f"{each.by} {each.segment} ({decimal(each.difference, 4, signed=True)})" for each in against
            )
            sentences.append(f"The difference between {row.system} and {baseline} goes the other way for {named}.")
    small: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.small and row.metric == primary:
            small.setdefault(row.by, {})[f"{row.segment} (n = {row.n})"] = None
    if small:
        named = "; ".join(f"{by} {', '.join(segments)}" for by, segments in small.items())
        sentences.append(f"Too few users to conclude anything in {named}.")
    return (*sentences, *how_tested(comparison))


def how_tested(comparison: Comparison) -> tuple[str, ...]:
    """How many tests each family has, how they are corrected, and what intervals hold for; nothing without tests."""
    rows, correction, level = comparison.differences, comparison.correction, comparison.level
    # What was tested together counts, also where a part of the rows is looked at.
    families = Counter(comparison.card.get("families") or {})
    if not any(row.p_randomization is not None for row in rows) or not families.total():
        return ()
    main = next((row.metric for row in rows if row.family == "primary"), "")
    titles = {
        "primary": f"{main} over all users (the main question)",
        "metrics": "the other metrics over all users",
        "segments": "segments",
        None: "all of them",
    }
    counts = ", ".join(f"{whole(families[family])} of {title}" for family, title in titles.items() if families[family])
    how = "without correction" if correction == "none" else f"each family corrected by itself ({correction})"
    holds = (
        "the intervals of a family hold at {} all together"
        if comparison.card.get("intervals") == "simultaneous"
        else "each interval holds at {} for its own difference"
    )
    said = (
        f"{whole(families.total())} paired randomisation tests were made, {how}: {counts}; "
        f"{holds.format(f'{percent(level, 0)}')}."
    )
    return (said,)


def why_not_significant(row: PairedDifference, correction: str) -> str | None:
    """Why the interval excludes zero and the test finds no difference, or the reverse; None where they agree."""
    if row.disagreement is None:
        return None
    if row.disagreement == "corrected":
        return (
            f"by itself it is significant (p {p_in_words(row.p_randomization)}), and not after the correction "
            f"({correction}) over the {whole(row.tests)} tests of its family"
        )
    return "its interval and its test, two methods, fall on two sides of the limit"


def _left_out(row: PairedDifference) -> list[str]:
    """How many users have a value under one of the two alone."""
    parts = [
        f"{whole(count)} with a value under {name} alone"
        for count, name in ((row.system_only, row.system), (row.baseline_only, row.baseline))
        if count
    ]
    return [f"Left out of {row.metric}, because nothing pairs with them: users {' and '.join(parts)}."] if parts else []


def _ranking(rows: Sequence[PairedDifference]) -> str:
    """Name the best systems, and count those above and below the baseline; ``rows`` are sorted, best first."""
    first, baseline = rows[0], rows[0].baseline
    higher = bool(direction(first.metric))
    leads = first.difference != 0 and (first.difference > 0) == higher
    name, value = (first.system, first.value) if leads else (baseline, first.baseline_value)
    found = Counter(row.outcome for row in rows)
    decided = found["better"] + found["worse"]
    counts = {"better": found["better"], "worse": found["worse"], "undecided": len(rows) - decided}
    against = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    if any(row.system_only or row.baseline_only or not row.n for row in rows):
        return (
            f"The systems have values of {first.metric} for different users, so that they are not ranked. Against "
            f"{baseline}: {against}."
        )
    return (
        f"{name} comes first of {len(rows) + 1} systems by {first.metric} ({decimal(value, 4)}). Against {baseline}: "
        f"{against}."
    )


def _overall(row: PairedDifference, correction: str) -> str:
    if row.outcome == "no_users":
        nobody = "no user has a value under both"
        return f"Nothing can be said of {row.system} and {row.baseline} by {row.metric}: {nobody}."
    name = f"{row.metric} ({decimal(row.value, 4)} against {decimal(row.baseline_value, 4)})"
    if row.outcome == "not_tested":
        return (
            f"{row.system} and {row.baseline} show no difference by {name}: {note_text(row.note or 'every_user_ties')}."
        )
    p = f"p {p_in_words(row.p_randomization)}"
    if row.p_adjusted != row.p_randomization:
        p += f", adjusted p {p_in_words(row.p_adjusted)}"
    numbers = f"{format_estimate(dict(vars(row)), value='difference', signed=True, digits=4)}, {p}, n = {whole(row.n)}"
    reason = why_not_significant(row, correction)
    reason = "" if reason is None else f"; {reason}"
    if row.outcome == "undecided":
        said = f"No difference between {row.system} and {row.baseline} can be concluded by {name}: {numbers}{reason}."
        if row.smallest_detectable is None:
            return said
        return (
            f"{said} A single test of this size finds true differences from about "
            f"{decimal(row.smallest_detectable, 4)} on."
        )
    better, word = direction(row.metric), row.outcome
    than = (
        f"{word} than {row.baseline}" if better is not None else f"{word} under {row.system} than under {row.baseline}"
    )
    subject = f"{row.system} is {than} by {name}" if better is not None else f"{name} is {than}"
    gain, lose = ("gain", "lose") if better is not None else ("have a higher value", "a lower one")
    return (
        f"{subject}: {numbers}{reason}; {whole(row.gained)} users {gain}, {whole(row.lost)} {lose}, {whole(row.ties)} "
        "tie."
    )


def _opposed(row: PairedDifference, overall: PairedDifference) -> bool:
    return row.difference * overall.difference < 0


def model_text(lists: Mapping[str, Any]) -> str:
    """What made the lists of a card: the model and its hyper-parameters.

    Example:
        >>> model_text({"model": "user_knn", "parameters": {"min_support": 1, "weight": 777.987582, "normal": True}})
        'user_knn: min support 1, weight 777.988, normal yes'
        >>> model_text({"name": "theirs"})
        'lists from elsewhere'
    """
    if "model" not in lists:
        return "lists from elsewhere"
    set_to = ", ".join(f"{in_words(name)} {_setting(value)}" for name, value in (lists.get("parameters") or {}).items())
    return f"{lists['model']}: {set_to}" if set_to else str(lists["model"])


def _setting(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "by rule", True: "yes", False: "no"}[value]
    return significant(value) if isinstance(value, float) else str(value)
