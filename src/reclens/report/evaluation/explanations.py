"""Why an item was recommended, as rows with shares, and how much of the score the reasons explain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from reclens.models import Explanation
from reclens.report._toolkit.format import count_of, format_number, percent, significant

__all__ = ["explanation_rows", "explanation_share", "explanation_text"]

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


_SENTENCES: Final[Mapping[str, str]] = {
    "item": "{item} is close to what the user has: {named}.",
    "user": "Users with a similar history have {item}: {named}.",
    "feature": "{item} has what the user's history has: {named}.",
    "factor": "{item} fits the user in what the model learned without a name for it: {named}.",
    "model": "{item} is put forward by {named}.",
    "rule": "{item} meets {named}.",
    "count": "{named}.",
}
"""What reasons are -> how they are said."""


def explanation_text(found: Explanation) -> str:
    """The explanation as a sentence, with titles where the model has them.

    Example:
        >>> why = {"kind": "item", "reasons": ((15, 0.5), (11, 0.4)), "item_title": "Brazil", "titles": (None, "Alien")}
        >>> explanation_text(Explanation(user="ann", item=12, score=0.9, rest=0.0, **why))
        'Brazil is close to what the user has: 15 (0.5), Alien (0.4).'
    """
    item = found.item_title or found.item
    if not found.reasons:
        return f"Nothing in the training data speaks for {item}."
    shown = zip(found.titles or (None,) * len(found.reasons), found.reasons, strict=True)
    named = ", ".join(f"{title or reason} ({significant(part, 3)})" for title, (reason, part) in shown)
    return _SENTENCES[found.kind].format(item=item, named=named)


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
