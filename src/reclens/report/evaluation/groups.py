"""What evaluations that belong together were measured on, in a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from reclens.report._toolkit.format import whole

__all__ = ["SPLITS_IN_WORDS", "measured_on", "titles_of_groups"]

SPLITS_IN_WORDS: Final[Mapping[str, str]] = {
    "by_time": "split by time",
    "rolling": "split by time",
    "last_n": "last interactions held out",
    "random": "random split",
    "by_user": "split by users",
    "given": "split made elsewhere",
}

_TASKS: Final = {"new_items": "new items", "with_repeats": "with repeats"}


def measured_on(card: Mapping[str, Any]) -> str:
    """What an evaluation was measured on: its data, split, task and users.

    Example:
        >>> measured_on({"train": {"name": "shop"}, "split": {"method": "by_time"}, "task": "new_items", "n_users": 90})
        'shop, split by time, new items, 90 users'
    """
    split = card.get("split") or {}
    n_users = card.get("n_users")
    parts = [
        str((card.get("train") or {}).get("name") or "truth without training data"),
        SPLITS_IN_WORDS.get(str(split.get("method", "")), ""),
        _TASKS.get(str(card.get("task")), ""),
        "" if n_users is None else f"{whole(n_users)} users",
    ]
    name = parts[0] + (" (synthetic)" if card.get("synthetic") and parts[0] != "synthetic" else "")
    return ", ".join(part for part in (name, *parts[1:]) if part)


def titles_of_groups(cards: Sequence[Mapping[str, Any]]) -> list[str]:
    """A title of each group, given by the card of one of its members; no two are the same.

    What tells groups of one title apart stands behind it: the rows of the truth, the seed, and a number at last.
    """
    titles = [measured_on(card) for card in cards]
    for more in (_truth, _seed, _seen):
        said = [more(card) for card in cards]
        kinds = Counter(title for title, _ in set(zip(titles, said, strict=True)))
        titles = [
            f"{title}, {own}" if kinds[title] > 1 and own else title for title, own in zip(titles, said, strict=True)
        ]
    counts, seen = Counter(titles), Counter[str]()
    for at, title in enumerate(titles):
        seen[title] += 1
        if counts[title] > 1:
            titles[at] = f"{title} ({seen[title]})"
    return titles


def _truth(card: Mapping[str, Any]) -> str:
    rows = (card.get("truth") or {}).get("rows")
    return "" if rows is None else f"{whole(rows)} held out"


def _seed(card: Mapping[str, Any]) -> str:
    return "" if card.get("seed") is None else f"seed {card['seed']}"


def _seen(card: Mapping[str, Any]) -> str:
    seen = {"excluded": "lists without seen items", "included": "lists with seen items"}
    return seen.get(str(card.get("seen_items")), "")
