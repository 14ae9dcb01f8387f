"""Which evaluations belong together: those that were measured on the same truth, data and protocol.

What has to agree is the *fingerprint* of a card. Two evaluations of one fingerprint can still contradict each other in
what their lists declare, such as their length; lists from elsewhere declare nothing and contradict nobody.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

__all__ = ["Aspect", "Disagreement", "disagreements", "fingerprint_of", "together"]

Measured = Literal[
    "truth",
    "train",
    "history",
    "catalogue",
    "seen_items",
    "relevance",
    "convention",
    "seed",
    "replicates",
]
"""What was measured on, as the card has it; all of it has to agree."""

Declared = Literal["k", "exclude_seen", "learned_from"]
"""What lists say of how they were made, as far as it bears on the metrics."""

Aspect = Literal[Measured, Declared]

_MEASURED: Final[tuple[Measured, ...]] = get_args(Measured)

Card = Mapping[str, Any]


@dataclass(frozen=True)
class Disagreement:
    """Something in which two evaluations were not measured alike.

    Attributes:
        aspect: What it is.
        one: What the first card says of it.
        other: What the second card says of it.
    """

    aspect: Aspect
    one: Any
    other: Any


def fingerprint_of(card: Card) -> str:
    """What an evaluation was measured on, as 16 hexadecimal digits: data, split, truth and protocol, and no names.

    Example:
        >>> import polars as pl
        >>> from reclens.evaluation import evaluate
        >>> lists = pl.DataFrame({"user_id": [1], "item_id": [7], "rank": [1]})
        >>> truth = pl.DataFrame({"user_id": [1], "item_id": [7]})
        >>> one, other = (evaluate(lists, truth, name=name).card for name in ("ours", "theirs"))
        >>> fingerprint_of(one) == fingerprint_of(other)
        True
    """
    content = [_content(card.get(aspect)) for aspect in _MEASURED]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def disagreements(one: Card, other: Card) -> list[Disagreement]:
    """Everything in which two evaluations, given by their cards, were not measured alike."""
    measured = [
        Disagreement(aspect, one.get(aspect), other.get(aspect))
        for aspect in _MEASURED
        if _content(one.get(aspect)) != _content(other.get(aspect))
    ]
    ours, theirs = _declared(one), _declared(other)
    declared = [
        Disagreement(aspect, value, theirs[aspect])
        for aspect, value in ours.items()
        if aspect in theirs and theirs[aspect] != value
    ]
    return measured + declared


def together(cards: Mapping[str, Card]) -> list[list[str]]:
    """Names of evaluations in groups that can be compared; both the groups and their members in the order given.

    Each joins the first group with none of whose members it disagrees.

    Args:
        cards: Name -> card.
    """
    groups: dict[str, list[list[str]]] = {}
    declared = {name: _declared(card) for name, card in cards.items()}
    for name, card in cards.items():
        alike = groups.setdefault(fingerprint_of(card), [])
        own = declared[name]
        home = next((each for each in alike if not any(_contradict(own, declared[one]) for one in each)), None)
        if home is None:
            alike.append([name])
        else:
            home.append(name)
    places = {name: at for at, name in enumerate(cards)}
    return sorted((group for alike in groups.values() for group in alike), key=lambda group: places[group[0]])


def _contradict(one: Mapping[Declared, Any], other: Mapping[Declared, Any]) -> bool:
    return any(one[aspect] != other[aspect] for aspect in one if aspect in other)


def _content(value: Any) -> Any:
    """A value without the names that people gave: of data its hash, and what JSON makes of the rest."""
    if isinstance(value, Mapping) and "hash" in value:
        return value["hash"]
    return json.loads(json.dumps(value, default=str, sort_keys=True))


def _declared(card: Card) -> dict[Declared, Any]:
    lists = card.get("lists") or {}
    said: dict[Declared, Any] = {}
    if lists.get("k") is not None:
        # Longer lists than any metric looks at are as good as lists of that length.
        said["k"] = min(int(lists["k"]), int(card["depth"]))
    if lists.get("exclude_seen") is not None:
        said["exclude_seen"] = bool(lists["exclude_seen"])
    if isinstance(lists.get("train"), Mapping):
        said["learned_from"] = lists["train"].get("hash")
    return said
