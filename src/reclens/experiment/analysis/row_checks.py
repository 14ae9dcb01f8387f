"""Trust checks on the rows of an experiment: what is missing, duplicated or extreme in one arm more than in another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.aggregate.tally import Coarser, Tally
from reclens.experiment.analysis.words import p_in_words
from reclens.experiment.check_result import BEYOND_CHANCE, TrustCheck, TrustCheckCode, TrustCheckStatus
from reclens.stats.multiplicity import adjust

__all__ = ["LOST_SHARE", "row_checks"]

LOST_SHARE = 0.01
"""Share of the units that may be left out without the plan's word for it."""


def row_checks(sums: Aggregates) -> list[TrustCheck]:
    """The trust checks on rows that were looked at; of sums that another engine made nothing is known."""
    tallies = [*sums.tallies, *(sums.tails.extremes if sums.tails is not None else ())]

    def of(*codes: str) -> list[Tally]:
        return [each for each in tallies if each.code in codes]

    found = [
        _check("missing_values", of("missing_events", "missing_units"), _missing, "Every value is there."),
        _check("duplicates", of("duplicate_rows"), _duplicated, "No row stands there twice."),
        _check("extreme_units", of("extreme_units"), _extreme, "No unit has values far beyond all others."),
        _unit(sums.coarser),
    ]
    return [each for each in found if each is not None]


def _check(
    code: TrustCheckCode,
    tallies: Sequence[Tally],
    judged: Callable[[Tally, float], tuple[TrustCheckStatus, str]],
    clean: str,
) -> TrustCheck | None:
    """The worst of several tallies, with the p-values of all of them adjusted together (Holm)."""
    if not tallies:
        return None
    p = adjust(np.array([each.p_value for each in tallies]), correction="holm")
    found = [(each, *judged(each, float(value))) for each, value in zip(tallies, p, strict=True)]
    rows = tuple(
        {**row, "p_adjusted": float(value)} for each, value in zip(tallies, p, strict=True) for row in each.to_dicts()
    )
    for status in ("fail", "warn", "skipped"):
        said = [text for _, how, text in found if how == status]
        if said:
            return TrustCheck(code, status, " ".join(said), rows)
    return TrustCheck(code, "pass", clean, rows)


def _missing(tally: Tally, p: float) -> tuple[TrustCheckStatus, str]:
    if not tally.found:
        return "pass", ""
    events = tally.code == "missing_events"
    seen = f"{_shares(tally)} {'events' if events else 'units'} have no {tally.column} ({p_in_words(p)})"
    if p < BEYOND_CHANCE and tally.handled != "zero":
        return "fail", f"Not alike: {seen}. Find out why the log of one arm loses more values."
    units = sum(each.units for each in tally.arms.values())
    if not events and tally.handled == "unsaid" and tally.found > LOST_SHARE * units:
        return "fail", (
            f'{seen}, and the plan does not say what that means. Say missing = "zero" of the metric '
            'where nothing happened, "leave_out" where it is not known.'
        )
    done = "counted as 0, as planned" if tally.handled == "zero" else "left out"
    differ = ": the arms differ, which the effect itself may do" if p < BEYOND_CHANCE else ""
    return "warn", f"{seen}, {done}{differ}."


def _duplicated(tally: Tally, p: float) -> tuple[TrustCheckStatus, str]:
    if tally.handled == "not_checked":
        return "skipped", "Rows carry neither a time of day nor an id, so that duplicates cannot be told."
    if not tally.found:
        return "pass", ""
    seen = f"{_shares(tally)} rows are repeated ({tally.column}; {p_in_words(p)})"
    if tally.handled == "dropped":
        return "warn", f"{seen}; each counts once."
    if p < BEYOND_CHANCE:
        return "fail", (
            f"Not alike: {seen}. Mend the log, or count each row once (--drop-duplicates; --event-id "
            "names the id of an event)."
        )
    return "warn", f"{seen}; all of them count."


def _extreme(tally: Tally, p: float) -> tuple[TrustCheckStatus, str]:
    if not tally.found:
        return "pass", ""
    held = ", ".join(
        f"{arm} {each.faulty:,} ({each.rows / each.of_rows if each.of_rows else 0:.1%} of all its {tally.column})"
        for arm, each in tally.arms.items()
    )
    assert tally.limit is not None
    limit = f"{tally.limit:,.0f}" if tally.limit >= 1000 else f"{tally.limit:.4g}"
    seen = f"Units with more than {limit} {tally.column}, far beyond all others: {held}, {p_in_words(p)}."
    if p < BEYOND_CHANCE:
        return "fail", (
            f"Not alike: {seen} Are they bots? Leave them out of all arms by a rule that does not know "
            "the arm, or cap the metric."
        )
    return "warn", seen


def _unit(found: Sequence[Coarser]) -> TrustCheck | None:
    if not found:
        return None
    rows = tuple(row for each in found for row in each.to_dicts())
    wrong = [each for each in found if each.p_value < BEYOND_CHANCE]
    if not wrong:
        names = ", ".join(each.column for each in found)
        return TrustCheck("unit", "pass", f"Units of one {names} fall into the arms one by one.", rows)
    worst = min(wrong, key=lambda each: each.expected / each.groups)
    return TrustCheck(
        "unit",
        "fail",
        f"{worst.one_arm:,} of the {worst.groups:,} values of {worst.column} with several "
        f"units have all of them in one arm; randomised one by one it would be {worst.expected:,.0f} of them "
        f'({p_in_words(worst.p_value)}). If {worst.column} was randomised, say cluster = "{worst.column}" '
        "in the plan: units that share it are not independent.",
        rows,
    )


def _shares(tally: Tally) -> str:
    """The share of each arm, such as ``old 0.0%, new 15.2% of``."""
    parts: Iterable[str] = (
        f"{arm} {each.rows / each.of_rows if each.of_rows else 0:.2%}" for arm, each in tally.arms.items()
    )
    return f"{', '.join(parts)} of the"
