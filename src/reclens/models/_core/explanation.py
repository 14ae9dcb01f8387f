"""Explanations of recommendations: reasons whose contributions add up to the score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reclens.tabular import Tabular

__all__ = ["Explanation"]


@dataclass(frozen=True, kw_only=True)
class Explanation(Tabular):
    """Why an item was recommended to a user.

    Attributes:
        user: The user.
        item: The item.
        score: Its score; the contributions of all reasons add up to it.
        kind: What the reasons are: ``"item"`` (items of their history), ``"user"`` (users like them), ``"feature"``
            (attributes and words of the item), ``"factor"`` (learned dimensions, without a name), ``"model"`` (the
            models that a hybrid is made of), ``"rule"`` (requirements) or ``"count"``.
        reasons: (id, contribution), the largest contribution first; at most ``n``.
        rest: Sum of the contributions that are not shown.
        item_title: The title of the item, None where it is not known.
        titles: The title of each reason, None where it is no item or its title is not known.
    """

    user: Any
    item: Any
    score: float
    kind: str
    reasons: tuple[tuple[Any, float], ...]
    rest: float
    item_title: str | None = None
    titles: tuple[str | None, ...] = ()

    def shares(self) -> tuple[float, ...]:
        """Share of each reason in the sum of absolute contributions, and last that of all reasons not shown.

        Contributions may be negative. Without any contribution the shares are 0.
        """
        sizes = [abs(part) for _, part in self.reasons] + [abs(self.rest)]
        total = sum(sizes)
        return tuple(size / total if total else 0.0 for size in sizes)

    @property
    def explained(self) -> float | None:
        """Total share of the reasons shown; None if there are no contributions."""
        shares = self.shares()
        return sum(shares[:-1]) if any(shares) else None

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a reason."""
        shared = {"user": self.user, "item": self.item, "score": self.score, "kind": self.kind}
        titles = self.titles or (None,) * len(self.reasons)
        return [
            shared | {"reason": reason, "title": title, "contribution": part}
            for (reason, part), title in zip(self.reasons, titles, strict=True)
        ]
