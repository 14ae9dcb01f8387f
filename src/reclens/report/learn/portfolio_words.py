"""What a portfolio says beside its numbers: a sentence for a director and a ticket for engineers, to be edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from reclens.cards import Fact
from reclens.report._toolkit.format import count_of, format_number, listed, percent, whole
from reclens.report.learn.remarks import remark_sentence
from reclens.stats.estimate import Estimate

__all__ = [
    "CHART_TEXT",
    "COUNTED_WHOLE",
    "QUESTIONS",
    "REFUSED",
    "TITLES",
    "VERDICTS",
    "built_sentences",
    "director_sentence",
    "interval_text",
    "refused_sentence",
    "reproduced_sentences",
    "ticket_text",
]

TITLES: Final[Mapping[str, str]] = {
    "diagnostics": "Diagnostics of film recommendations",
    "experiment": "An A/B test, simulated and read",
    "audit": "Fairness audit of a marketplace",
    "explorer": "What lists reach of a catalogue",
    "monitor": "Watching the health of a recommender",
}
QUESTIONS: Final[Mapping[str, str]] = {
    "diagnostics": "Which of four recommenders gives users the best lists, and for whom does the choice matter?",
    "experiment": "Does a recommender that learns from similar items get more clicks than the popular items?",
    "audit": "Do all sellers get the attention that their sales merit, and are all households served alike?",
    "explorer": "What do users want that the recommender never shows, and how much of the catalogue does it reach?",
    "monitor": "Did the recommender get worse in the last week, where, and what happened?",
}
CHART_TEXT: Final = "A dot for each number with its 95 % interval; the table below has the same"
"""Alternative text of the chart, unless the author writes another."""
COUNTED_WHOLE: Final = "about the catalogue as it is: nothing was drawn"
"""Why a number about the whole catalogue has no interval."""
VERDICTS: Final[Mapping[str, str]] = {
    "better": "better; the interval excludes 'no difference'",
    "worse": "worse; the interval excludes 'no difference'",
    "cannot_be_told_apart": "cannot be told apart; the interval holds 'no difference'",
    "described": "different; the interval excludes 'no difference'",
    "": "a level; nothing is compared",
}
_DIRECTOR: Final[Mapping[str, Mapping[str, str]]] = {
    "model_over_popular": {
        "better": "Lists of this model hold more of what users choose next than the popular items do: {number}.",
        "worse": "This model is worse than simply showing what is popular: {number}.",
        "cannot_be_told_apart": "This model and the popular items cannot be told apart on these data: {number}.",
    },
    "lift": {
        "better": "The new recommender raises the number ({label}): {number}.",
        "worse": "The new recommender is worse ({label}): {number}.",
        "cannot_be_told_apart": "The test cannot tell whether anything changed ({label}): {number}.",
    },
    "true_lift": {
        "better": "The simulation knows the truth: with everybody treated the lift would be {number}.",
        "worse": "The simulation knows the truth, and it is a loss: {number}.",
        "cannot_be_told_apart": "The simulation knows the truth, and it is close to nothing: {number}.",
    },
    "exposure": {
        "described": "The attention of the seller is not what its sales merit: {number} of it.",
        "worse": "The seller gets less attention than its sales merit, and is at a disadvantage: {number} of it.",
        "cannot_be_told_apart": "The attention of the seller cannot be told apart from its merit: {number} of it.",
    },
    "group_gap": {
        "better": "These households get better lists than all others: {number}.",
        "worse": "These households get worse lists than all others: {number}.",
        "cannot_be_told_apart": "The lists of these households cannot be told apart from those of others: {number}.",
    },
    "blind_spot": {
        "described": "Of what users turn out to want, {number} is in no list of anybody.",
        "cannot_be_told_apart": "What users want is in the lists of somebody, as far as these data can tell: {number}.",
    },
    "coverage": {"": "The recommender shows {number} of the catalogue; the rest is in no list."},
    "week": {
        "better": "The click rate is higher than in the week before: {number}. Part of it may be a fault that ended.",
        "worse": "The click rate is worse than in the week before: {number}.",
        "cannot_be_told_apart": "The click rate cannot be told apart from that of the week before: {number}.",
    },
}
_TICKETS: Final[Mapping[str, str]] = {
    "model_over_popular": "Repeat on the next month of data with the same split. Done when the interval of "
    "{label} is in "
    "the report again, by activity of the users too.",
    "lift": "Plan the test with the size that the interval shows to be needed. Done when plan and readout name {label} "
    "as primary.",
    "true_lift": "Hold the estimate of the test against the truth over more seeds. Done when the share of "
    "intervals that "
    "hold it is reported.",
    "exposure": "Re-rank within a budget of accuracy, and audit again. Done when the interval of {label} holds 1.",
    "group_gap": "Look at what these households bought before and at what the model knows of it. Done when the "
    "interval "
    "of {label} holds 0, or the cause is named.",
    "blind_spot": "List the items that are wanted and never shown, and add a retriever that brings them. Done "
    "when {label} "
    "is measured again.",
    "coverage": "Count the items without text, price or history among those never shown. Done when causes have shares.",
    "week": "Name the incidents of both weeks and their surfaces. Done when each has an owner and a cause, and {label} "
    "is measured again.",
}
_EDIT: Final = (
    "Beside each finding stand a sentence for a director and a ticket. Write your own into [finding.KEY] of "
    "project.toml; "
    "the pages then mark them as edited."
)
REFUSED: Final[Mapping[str, str]] = {
    "too_large": "{file}: the portfolio would have {bytes} bytes; at most {most} are allowed.",
    "attack_lives": "{project}: a text would run or load something on the page ({seen}).",
    "sheet_too_long": "{project}: the summary takes {pages} pages. Shorten decision, not_concluded and next_step until "
    "it fits on one.",
}


def interval_text(found: Estimate, *, in_percent: bool) -> str:
    """A number with its interval, in words.

    >>> interval_text(Estimate(0.031, low=0.01, high=0.052, n=9), in_percent=True)
    '3.10% (95 % interval 1.00% to 5.20%)'
    """

    def written(value: float | None) -> str:
        return percent(value, 2) if in_percent else format_number(value)

    if found.low is None or found.high is None:
        return written(found.value)
    return f"{written(found.value)} (95 % interval {written(found.low)} to {written(found.high)})"


def director_sentence(code: str, verdict: str, label: str, number: str) -> str:
    """The generated sentence for a director; empty where there is none."""
    said = _DIRECTOR.get(code, {}).get(verdict, "")
    return said.format(label=label, number=number)


def ticket_text(code: str, label: str) -> str:
    """The generated ticket for engineers."""
    return _TICKETS.get(code, "").format(label=label)


def refused_sentence(project: str, code: str, facts: Mapping[str, Fact]) -> str:
    """Why a portfolio is not written, or what is wrong with one."""
    if code in REFUSED:
        return REFUSED[code].format_map(facts)
    return f"{project}: {remark_sentence(code, facts)}"


def built_sentences(folder: Path, numbers: int, printed: Mapping[str, str]) -> list[str]:
    """Where a portfolio is, and what is left to do.

    Args:
        folder: Its folder.
        numbers: How many numbers it has.
        printed: Project -> what became of its PDF.
    """
    missing = [name for name, outcome in printed.items() if outcome != "printed"]
    lines = [
        f"{folder / 'index.html'}: {count_of(len(printed), 'project')}, {count_of(numbers, 'number')}",
        _EDIT,
        f"'reclens portfolio verify {folder}' computes every number again.",
    ]
    if missing:
        lines.append(f"No PDF of {listed(missing)}: no Chromium could print it. Install one, or set RECLENS_CHROMIUM.")
    return lines


def reproduced_sentences(
    reproduced: int,
    numbers: int,
    on: str,
    changed: Sequence[str],
    remarks: Sequence[tuple[str, str, Mapping[str, Fact]]],
) -> list[str]:
    """How many numbers were reproduced, and what else is wrong.

    >>> reproduced_sentences(27, 27, "2026-11-30", [], [])
    ['27 of 27 numbers reproduced on 2026-11-30.']
    """
    lines = [f"{whole(reproduced)} of {count_of(numbers, 'number')} reproduced on {on}."]
    if changed:
        lines.append(f"Not as they were written: {listed(list(changed), 12)}.")
    return lines + [refused_sentence(*each) for each in remarks]
