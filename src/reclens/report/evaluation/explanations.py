"""Why an item was recommended, as rows with shares, and how much of the score the reasons explain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from reclens.models import Explanation
from reclens.report._toolkit.format import count_of, percent
from reclens.report._toolkit.tables import format_number

__all__ = ["explanation_rows", "explanation_share"]

_REST: Final[Mapping[str, str]] = {
    "item": "the other items of the history",
    "user": "the other users with a similar history",
    "feature": "the other attributes and words",
    "factor": "the other factors",
    "model": "the other models",
    "rule": "the other rules",
    "count": "the other counts",
}
"""What reasons are -> what those that are not shown are."""


def explanation_share(found: Explanation) -> str:
    """How much of the score is explained by the reasons that are shown, and what the rest is."""
    share = found.explained
    if share is None:
        return f"The score of {found.item_title or found.item} is {format_number(found.score)}: no reason adds to it."
    return (
        f"{count_of(len(found.reasons), 'reason')} explain {percent(share, 0)} of what moves the score of "
        f"{found.item_title or found.item}; the rest is {_REST.get(found.kind, 'everything else')}."
    )


def explanation_rows(found: Explanation, title: Callable[[Any], str]) -> list[dict[str, Any]]:
    """A row a reason, the last of all that is not shown: what it is, what it adds, its share.

    Args:
        found: The explanation.
        title: What an item is called.
    """
    shares = found.shares()
    named = [
        (known or (title(reason) if found.kind == "item" else str(reason)), part)
        for (reason, part), known in zip(found.reasons, found.titles or (None,) * len(found.reasons), strict=True)
    ]
    named.append((f"everything else: {_REST.get(found.kind, 'what is not shown')}", found.rest))
    return [
        {"because of": text, "adds": part, "share": share} for (text, part), share in zip(named, shares, strict=True)
    ]
