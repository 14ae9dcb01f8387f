"""A comparison in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reclens.metrics.registry import direction

if TYPE_CHECKING:
    from reclens.evaluate.compare import Difference

__all__ = ["p_in_words", "write_verdict"]


def write_verdict(
    rows: Sequence[Difference], *, baseline: str, correction: str, level: float, tests: int
) -> tuple[str, ...]:
    """Say what the first metric concludes for each system, and in which segments it goes the other way.

    Args:
        rows: The differences, p-values corrected.
        baseline: The baseline.
        correction: The correction.
        level: The confidence level.
        tests: How many tests were corrected together.

    Returns:
        Plain sentences: one or two a system, then one on how to read them.
    """
    sentences: list[str] = []
    primary = next((row.metric for row in rows if row.p_randomization is not None), rows[0].metric)
    better = direction(primary)
    overall = [row for row in rows if row.metric == primary and row.by == "overall"]
    if better is not None:
        overall.sort(key=lambda row: row.difference, reverse=better)
    if better is not None and len(overall) > 1:
        sentences.append(_ranking(overall))
    for system in (row.system for row in overall):
        own = [row for row in rows if row.system == system and row.metric == primary]
        overall = next(row for row in own if row.by == "overall")
        sentences.append(_overall(overall, level))
        against = [row for row in own if row.by != "overall" and row.significant and _opposed(row, overall)]
        if against:
            named = ", ".join(f"{row.by} {row.segment} ({row.difference:+.4f})" for row in against)
            sentences.append(f"The difference between {system} and {baseline} goes the other way for {named}.")
    small: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.small and row.metric == primary:
            small.setdefault(row.by, {})[f"{row.segment} (n = {row.n})"] = None
    if small:
        named = "; ".join(f"{by} {', '.join(segments)}" for by, segments in small.items())
        sentences.append(f"Too few users to conclude anything in {named}.")
    if tests:
        how = "without correction" if correction == "none" else f"corrected together ({correction})"
        sentences.append(
            f"{tests:,} paired randomisation tests were made, {how}; each interval holds at {level:.0%} for its own "
            "difference."
        )
    return tuple(sentences)


def _ranking(rows: Sequence[Difference]) -> str:
    """Who comes first, and how many systems are better and worse than the baseline; ``rows`` are the best first."""
    first, baseline = rows[0], rows[0].baseline
    higher = bool(direction(first.metric))
    leads = first.difference != 0 and (first.difference > 0) == higher
    name, value = (first.system, first.value) if leads else (baseline, first.baseline_value)
    significant = [row for row in rows if row.significant]
    better = sum((row.difference > 0) == higher for row in significant)
    counts = {"better": better, "worse": len(significant) - better, "undecided": len(rows) - len(significant)}
    against = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return (
        f"{name} comes first of {len(rows) + 1} systems by {first.metric} ({value:.4f}). Against {baseline}: {against}."
    )


def _overall(row: Difference, level: float) -> str:
    name = f"{row.metric} ({row.value:.4f} against {row.baseline_value:.4f})"
    if row.significant is None:
        return f"{row.system} and {row.baseline} cannot be told apart by {name}: {row.note or 'every user ties'}."
    interval = "" if row.low is None else f" [{row.low:+.4f}, {row.high:+.4f}]"
    numbers = f"{row.difference:+.4f}{interval}, adjusted p {p_in_words(row.p_adjusted)}, n = {row.n:,}"
    if not row.significant:
        smallest = row.smallest_detectable or 0.0
        return (
            f"No difference between {row.system} and {row.baseline} can be concluded by {name}: {numbers}. "
            f"A single test of this size finds true differences from about {smallest:.4f} on."
        )
    better = direction(row.metric)
    if better is None:
        word = "higher" if row.difference > 0 else "lower"
    else:
        word = "better" if (row.difference > 0) == better else "worse"
    than = (
        f"{word} than {row.baseline}" if better is not None else f"{word} under {row.system} than under {row.baseline}"
    )
    subject = f"{row.system} is {than} by {name}" if better is not None else f"{name} is {than}"
    gain, lose = ("gain", "lose") if better is not None else ("have a higher value", "a lower one")
    return f"{subject}: {numbers}; {row.gained:,} users {gain}, {row.lost:,} {lose}, {row.ties:,} tie."


def _opposed(row: Difference, overall: Difference) -> bool:
    return row.difference * overall.difference < 0


def p_in_words(p: float | None) -> str:
    """A p-value as it follows the letter p: ``= 0.012``, ``< 0.001``, or a dash where there is none."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
