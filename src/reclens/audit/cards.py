"""What the card of an audit holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NotRequired

from reclens.cards import AppliedRule
from reclens.evaluation.cards import GroundCard, HashedRows, IdProblemRow

__all__ = ["AuditCard", "MeasuresCard"]


class MeasuresCard(GroundCard):
    """What the sums of an audit were measured on.

    Attributes:
        users: Users with a list or with relevant items.
        users_without_list: Users without a list.
        id_problems: What is odd about ids.
        recommendations: Rows of the lists that were looked at.
        recommendations_outside_catalogue: Of items outside the catalogue.
        rules: Rules that were applied to the lists.
    """

    users: int
    users_without_list: int
    id_problems: list[IdProblemRow]
    recommendations: int
    recommendations_outside_catalogue: int
    rules: Sequence[AppliedRule]


class AuditCard(MeasuresCard):
    """What an audit measured on what, how, and under which rules.

    Attributes:
        settings: ``AuditSettings``, field -> value.
        system: Name of the system.
        candidates: Which items could be shown to a user.
        lists: Rows and fingerprint of the lists; of a job alone.
        synthetic: True where the data is; of a job alone.
    """

    settings: dict[str, Any]
    system: str
    candidates: Literal["unseen_items"]
    lists: NotRequired[HashedRows]
    synthetic: NotRequired[Literal[True]]
