"""Scenario questions, mock interviews and the quiz in words: tables, choices, what was right, what to learn next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from reclens.report._toolkit.format import NOTHING, count_of, decimal, listed, p_text, percent, whole
from reclens.report._toolkit.tables import Table
from reclens.report.learn.cards import all_cards
from reclens.report.learn.path import phase_of
from reclens.report.learn.tasks import title_of

__all__ = [
    "DEBRIEFS",
    "QUESTIONS",
    "choice_text",
    "dashboard_tables",
    "debrief_sentences",
    "mock_sentences",
    "mock_table",
    "placement_sentences",
]

QUESTIONS: Final[Mapping[str, str]] = {
    "cause": "What is the cause?",
    "where": "Where is it?",
    "first_check": "What do you check first, to tell it from the others?",
    "containment": "What contains the damage?",
}

_CHOICES: Final[Mapping[str, str]] = {
    "logging": "clicks are not logged",
    "stale_features": "features are stale",
    "routing": "traffic is routed elsewhere",
    "model": "a version of the model is bad",
    "season": "the season",
    "ios": "iOS",
    "android": "Android",
    "item_page": "item page",
    "orders_against_clicks": "orders against clicks, by platform",
    "age_of_features": "the age of the features, by surface",
    "traffic_by_version": "the share of traffic by version",
    "clicks_by_version": "the click rate by version",
    "same_days_last_year": "the same days of last year",
    "mend_the_log_and_annotate": "mend the log, mark the day in all reports, change no model",
    "run_the_feature_job_again": "run the feature job again, and alert on the age of features",
    "restore_the_routing": "restore the routing to the models",
    "roll_the_version_back": "roll the version back",
    "leave_everything_as_it_is": "leave everything as it is, and say why",
    "novelty": "novelty, which fades",
    "lasting_effect": "an effect that lasts",
    "lost_users": "users who were lost in one arm",
    "one_robot": "one robot",
    "lift_by_week": "the lift by week",
    "sizes_of_the_arms": "the sizes of the arms",
    "largest_users": "the largest users",
    "ship_with_a_holdout": "ship, and keep a holdout",
    "mend_the_assignment_and_repeat": "mend the assignment and repeat the test",
    "remove_robots_and_read_again": "remove robots from both arms and read again",
    "activity_hides_a_gap": "a gap that activity hides",
    "activity_makes_a_gap": "no gap: activity makes it",
    "real_gap": "a gap at every level of activity",
    "too_few_users": "too few users to tell",
    "within_activity": "the gap within levels of activity",
    "interval_of_the_gap": "the interval of the gap",
    "collect_more_before_a_claim": "collect more before any claim",
    "nothing_to_do": "nothing",
}
"""Choices whose words are others than their code."""

DEBRIEFS: Final[Mapping[str, str]] = {
    "logging": "Clicks fell on one platform, and its orders did not: users clicked, and the log lost it. Whoever rolls "
    "a model back here changes what was never broken.",
    "stale_features": "On one surface the features were more than a day old, and its clicks fell. The model is as it "
    "was; what it is fed is old.",
    "routing": "No version lost clicks by itself. Half of the traffic went to the fallback, which always had fewer.",
    "model": "One version lost half of its clicks at an unchanged share of the traffic; the other did not.",
    "season": "Everything fell alike, and as much as on the same days of the year before.",
    "novelty": "The lift is large in the first week and gone in the last two. Nothing is left to ship.",
    "lasting_effect": "The lift is about the same in all weeks, the arms are as planned, no user stands out.",
    "lost_users": "The arms are not as planned, and chance does not do that. Who was lost is not known, so no effect "
    "can be read.",
    "one_robot": "One user of the new arm has thousands of clicks in a week. Without it nothing is left.",
    "activity_hides_a_gap": "Within both levels of activity the region is served worse. It has more active users, who "
    "get better lists, and so the average looks fair.",
    "activity_makes_a_gap": "Within each level of activity there is no gap. The region has more occasional users, who "
    "get worse lists everywhere.",
    "real_gap": "The gap is there overall and within both levels of activity.",
    "too_few_users": "The interval of the gap holds zero and much else. Neither a gap nor fairness can be claimed.",
}
"""Cause -> what told it from the others."""

_TITLES: Final[Mapping[str, str]] = {
    "platform": "By platform",
    "surface": "By surface",
    "version": "By version of the model",
    "year_before": "The same days of the year before",
    "weeks": "Lift by week",
    "arms": "Arms",
    "groups": "Users and quality",
    "gaps": "Region minus others",
}
_HEADS: Final[Mapping[str, str]] = {
    "slice": "Slice",
    "impressions": "Impressions",
    "impressions_before": "On a day before",
    "ctr": "Clicked",
    "ctr_before": "Clicked before",
    "orders": "Orders",
    "orders_before": "Orders before",
    "feature_age_hours": "Age of features (h)",
    "days": "Days",
    "week": "Week",
    "lift": "Lift",
    "low": "95 % interval from",
    "high": "to",
    "arm": "Arm",
    "users": "Users",
    "clicks": "Clicks",
    "largest_user": "Clicks of the largest user",
    "p_of_the_sizes": "p of the sizes",
    "group": "Region",
    "activity": "Activity",
    "quality": "Quality",
    "gap": "Gap",
}
_SHARES: Final = frozenset({"ctr", "ctr_before"})


def choice_text(code: str) -> str:
    """A choice in words.

    >>> choice_text("routing"), choice_text("do_not_ship")
    ('traffic is routed elsewhere', 'do not ship')
    """
    return _CHOICES.get(code, code.replace("_", " "))


def dashboard_tables(tables: Mapping[str, pl.DataFrame]) -> list[Table]:
    """The tables of a scenario.

    Args:
        tables: Name -> rows.
    """
    return [_table(name, frame) for name, frame in tables.items()]


def _table(name: str, frame: pl.DataFrame) -> Table:
    signed = name in ("weeks", "gaps")
    shown = [
        tuple(_cell(key, value, signed=signed, share=name == "weeks") for key, value in row.items())
        for row in frame.to_dicts()
    ]
    return Table(
        title=_TITLES[name],
        columns=tuple(_HEADS[each] for each in frame.columns),
        rows=tuple(shown),
        records=tuple(frame.to_dicts()),
    )


def _cell(key: str, value: Any, *, signed: bool, share: bool) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return choice_text(value)
    if key.startswith("p_"):
        return p_text(value)
    if key in _SHARES or share:
        return percent(value, 2, signed=share)
    written: Callable[[Any], str] = whole if key.startswith(("impressions", "orders", "clicks", "users")) else str
    if isinstance(value, int) or written is whole:
        return whole(value)
    return decimal(value, 1 if key.endswith("hours") else 3, signed=signed)


def debrief_sentences(given: Mapping[str, str], right: Mapping[str, str]) -> list[str]:
    """What was right of an answer, and what told the cause from the others.

    Args:
        given: Question -> what was answered.
        right: Question -> what the world says.
    """
    good = [key for key, value in right.items() if given.get(key) == value]
    lines = [f"{len(good)} of {count_of(len(right), 'answer')} right."]
    for key, value in right.items():
        if key not in good:
            said = choice_text(given.get(key, ""))
            lines.append(f"{QUESTIONS[key]} You said: {said}. The world says: {choice_text(value)}.")
    return [*lines, DEBRIEFS[right["cause"]]]


def mock_table(grades: Mapping[str, bool | None]) -> Table:
    """A finished mock interview by kind of question."""
    cards = {each.code: each for each in all_cards()}
    words = {True: "good", False: "not yet", None: "no time"}
    rows, records = [], []
    for code, grade in grades.items():
        card = cards.get(code)
        about = title_of(code) if card is None else card.question
        learn = "Interview" if card is None else f"Lesson {card.lesson}, exercise {card.exercise}"
        rows.append((about, words[grade], learn))
        records.append({"question": code, "grade": grade, "lesson": card.lesson if card else None})
    columns = ("Question", "Answer", "Where it is learned")
    return Table(title="Mock interview", columns=columns, rows=tuple(rows), records=tuple(records))


def mock_sentences(grades: Mapping[str, bool | None], minutes: float, of: int) -> list[str]:
    """How a mock interview went, and what to learn next.

    Args:
        grades: Question -> whether it was answered well; None if the time was over.
        minutes: How long it took.
        of: Minutes that there were.
    """
    good = sum(grade is True for grade in grades.values())
    lines = [f"{good} of {count_of(len(grades), 'question')} answered well, in {whole(minutes)} of {of} minutes."]
    late = sum(grade is None for grade in grades.values())
    if late:
        lines.append(f"The time was over before {count_of(late, 'question')}: practise answers of two minutes.")
    cards = {each.code: each for each in all_cards()}
    weak = [code for code, grade in grades.items() if grade is not True]
    lessons = _in_order(cards[code].lesson for code in weak if code in cards)
    exercises = _in_order(cards[code].exercise for code in weak if code in cards)
    scenarios = [code for code in weak if code not in cards]
    if lessons:
        lines.append(f"Learn next: lesson {listed(lessons)}; then exercise {listed(exercises)}.")
    if scenarios:
        lines.append(f"Ask again: {listed([f'reclens learn interview {each}' for each in scenarios])}.")
    return lines if weak else [*lines, "Nothing is left to learn from this one. The next has other questions."]


def placement_sentences(right: Mapping[int, int], start: str, each: int) -> list[str]:
    """Where the quiz places a learner.

    Args:
        right: Phase -> right answers.
        start: Code of the exercise to start with.
        each: Questions of a phase.
    """
    lines = [
        f"Phase {phase}, {phase_of(phase).title}: {count} of {count_of(each, 'answer')} right."
        for phase, count in right.items()
    ]
    phase = phase_of(int(start.partition(".")[0]))
    return [*lines, f"Start with phase {phase.number}, {phase.title}: 'reclens learn start {start}'."]


def _in_order(codes: Iterable[str]) -> Sequence[str]:
    return sorted(set(codes))
