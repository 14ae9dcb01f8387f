"""Flash cards for knowledge: the learner answers aloud, looks, and grades the answer."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from reclens.errors import UnknownNameError

__all__ = ["KINDS", "Card", "all_cards", "card_of"]

KINDS: Final[Mapping[str, str]] = {
    "beginner": "Beginner",
    "intermediate": "Intermediate",
    "advanced": "Advanced",
    "scenario": "Scenarios",
    "workflow": "Workflow and tools",
    "behaviour": "Behaviour",
}
"""Kind of a card -> its name: the six kinds of question that interviews have."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """A flash card.

    Attributes:
        code: Its code.
        kind: One of :data:`KINDS`.
        question: What is asked.
        answer: What a good answer holds.
        exercise: Code of the exercise that shows it.
        lesson: Code of the lesson that explains it.
    """

    code: str
    kind: str
    question: str
    answer: str
    exercise: str
    lesson: str


@cache
def all_cards() -> tuple[Card, ...]:
    """All cards, kind by kind."""
    text = (files("reclens.report.learn") / "cards.toml").read_text(encoding="utf-8")
    return tuple(Card(code=code, **each) for code, each in tomllib.loads(text).items())


def card_of(code: str) -> Card:
    """A card by its code.

    Raises:
        UnknownNameError: If there is none.

    Example:
        >>> card_of("why-ndcg").exercise
        '1.3'
    """
    found = {each.code: each for each in all_cards()}
    if code not in found:
        raise UnknownNameError("card", code, list(found))
    return found[code]
