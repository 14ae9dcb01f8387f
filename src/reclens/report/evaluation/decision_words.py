"""A decision in words: what is recommended, by how much, who loses, what it costs, how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from reclens.evaluation.decision import Decision, DecisionCode
from reclens.evaluation.differences import PairedDifference
from reclens.metrics import direction, family_of, is_share
from reclens.metrics.registry import Family
from reclens.report._toolkit.card import DecisionWords, Tone
from reclens.report._toolkit.format import (
    count_of,
    format_estimate,
    format_number,
    listed,
    p_in_words,
    percent,
    share,
    whole,
)

__all__ = ["DecisionWords", "decision_in_words"]

_MOST: Final = 3
"""Segments and systems that are named in a sentence."""


def decision_in_words(found: Decision) -> DecisionWords:
    """Write the card of a decision."""
    lines = [
        ("Lift", _lift(found)),
        ("Who loses", _losers(found)),
        ("Cost", _costs(found)),
        ("No hit", _without_hit(found)),
        ("How sure", _sure(found)),
    ]
    return DecisionWords(
        _about(found),
        _HEADLINES[found.code](found),
        _TONES[found.code],
        tuple((label, text) for label, text in lines if text),
    )


def _about(found: Decision) -> str:
    data = found.data or "data without a name"
    made = " (synthetic data)" if found.synthetic and "synthetic" not in data else ""
    return f"{data}{made} · {count_of(found.n_users, 'user')} · {count_of(found.systems, 'system')}"


_TONES: Final[Mapping[DecisionCode, Tone]] = {
    "winner": "good",
    "tied": "good",
    "baseline": "good",
    "undecided": "open",
    "no_direction": "open",
    "different_users": "open",
    "not_compared": "open",
    "faulty": "bad",
}


def _tied(found: Decision) -> str:
    names = [found.system, *found.tied_with]
    return (
        f"Use {listed(names, _MOST)}: each is better than {found.baseline} by {found.metric}, and which of them is "
        "the best cannot be told"
    )


def _undecided(found: Decision) -> str:
    return f"No winner: no system is shown to be better than {found.baseline} by {found.metric}"


def _not_compared(found: Decision) -> str:
    if found.metric is None:
        return "Nothing can be recommended: no metric is averaged over users"
    return f"Nothing can be recommended: no baseline was compared with. {found.system} comes first by {found.metric}"


_HEADLINES: Final[Mapping[DecisionCode, Callable[[Decision], str]]] = {
    "winner": lambda found: f"Use {found.system} in the place of {found.baseline}",
    "tied": _tied,
    "baseline": lambda found: f"Keep {found.baseline}: every other system is worse by {found.metric}",
    "undecided": _undecided,
    "faulty": lambda found: "Nothing can be recommended: the numbers may be wrong",
    "no_direction": lambda found: (
        f"Nothing can be recommended by {found.metric}: neither more nor less of it is better"
    ),
    "different_users": lambda found: (
        f"Nothing can be recommended by {found.metric}: the systems have values for different users"
    ),
    "not_compared": _not_compared,
}


def _lift(found: Decision) -> str:
    row = found.lift
    if row is None or not row.n:
        return ""
    numbers = format_estimate(dict(vars(row)), value="difference", signed=True)
    relative = "" if row.relative is None else f" ({percent(row.relative, 1, signed=True)})"
    return (
        f"{numbers}{relative} in {row.metric} for {row.system} against {row.baseline}, "
        f"{percent(found.level, 0)} interval"
    )


def _losers(found: Decision) -> str:
    row = found.lift
    if row is None or not row.n:
        return ""
    lost = ""
    if row.lost is not None and direction(row.metric) is not None:
        lost = f"; {percent(row.lost / row.n, 0)} of all users get less, {percent((row.gained or 0) / row.n, 0)} more"
    if not found.segments:
        return f"No segments were compared{lost}"
    if found.worse_for:
        return f"Worse for {_named(found.worse_for)}{lost}"
    said = f"No segment of {found.segments} is shown to lose"
    if found.open_for:
        said += f"; not concluded for {_named(found.open_for)}"
    return said + lost


def _named(rows: Sequence[PairedDifference]) -> str:
    """Segments with their difference, the largest loss first."""
    ordered = sorted(rows, key=lambda row: row.difference * (1 if direction(row.metric) else -1))
    return listed([f"{row.by} {row.segment} ({format_number(row.difference, signed=True)})" for row in ordered], _MOST)


def _costs(found: Decision) -> str:
    if found.lift is None:
        return ""
    shown: dict[Family, PairedDifference] = {}
    for row in found.costs:  # the first metric of each family: others of it, and other cut-offs, say the same
        shown.setdefault(family_of(row.metric), row)
    if not shown:
        return "Exposure and popularity were not measured"
    first: tuple[Family, ...] = ("exposure", "popularity")
    kept = sorted(shown, key=lambda family: (family not in first, list(shown).index(family)))[:_MOST]
    said = [_change(shown[family]) for family in kept]
    missing = [family for family in first if family not in shown]
    return "; ".join(said) + (f"; {listed(missing)} not measured" if missing else "")


def _change(row: PairedDifference) -> str:
    of_all = is_share(row.metric)
    written = [percent(value, 1) if of_all else format_number(value) for value in (row.baseline_value, row.value)]
    verdict = {"better": ", better", "worse": ", worse", "undecided": ", not concluded"}.get(row.outcome, "")
    return f"{row.metric} from {written[0]} to {written[1]}{verdict}"


def _without_hit(found: Decision) -> str:
    missed = found.without_hit
    if missed is None or missed.value != missed.value:
        return ""
    return f"{share(missed, 0, signed=False)} of the users get no hit by {found.metric} under {found.system}"


def _sure(found: Decision) -> str:
    parts = []
    row = found.lift
    if row is not None and row.p_adjusted is not None:
        corrected = "" if found.correction in (None, "none") else f" after the correction ({found.correction})"
        parts.append(f"p {p_in_words(row.p_adjusted)}{corrected}, n = {whole(row.n)}")
    if found.code == "undecided" and row is not None and row.smallest_detectable is not None:
        parts.append(f"a test of this size finds differences from about {format_number(row.smallest_detectable)} on")
    if found.code == "winner" and found.systems > 2:
        parts.append(f"no other system may be the best at {percent(found.level, 0)}")
    if found.findings:
        critical = sum(each.severity == "critical" for each in found.findings)
        what = "finding says" if critical == 1 else "findings say"
        parts.append(
            f"{critical} {what} that numbers may be wrong"
            if critical
            else f"{count_of(len(found.findings), 'finding')} on lists and truth to look at"
        )
    return "; ".join(parts)
