"""The contents of the card of an audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict

from reclens.audit.attention import Attention
from reclens.audit.position import Method
from reclens.cards import AppliedRule
from reclens.evaluation.cards import GroundCard, HashedRows, IdProblemRow

__all__ = ["AuditCard", "AuditSettingsCard", "HypothesisCard", "MeasuresCard"]


class MeasuresCard(GroundCard):
    """The data behind the sums of an audit.

    Attributes:
        users: Users with a list or with relevant items.
        users_without_list: Users without a list.
        id_problems: Problems of ids.
        recommendations: Number of rows of the audited lists.
        recommendations_outside_catalogue: Number of these rows with items outside the catalogue.
        rules: Rules applied to the lists.
    """

    users: int
    users_without_list: int
    id_problems: list[IdProblemRow]
    recommendations: int
    recommendations_outside_catalogue: int
    rules: Sequence[AppliedRule]


class HypothesisCard(TypedDict):
    """A :class:`reclens.audit.Hypothesis`, field -> value."""

    measure: str
    by: str
    attribute: str | None
    reference: str | None


class AuditSettingsCard(TypedDict):
    """:class:`reclens.audit.AuditSettings`, field -> value."""

    k: int
    retrieved: int
    metrics: Sequence[str] | None
    attributes: Sequence[str]
    by: str | Sequence[str | Sequence[str]]
    protected: Sequence[str]
    hypotheses: Sequence[HypothesisCard] | None
    attention: Attention | Sequence[float]
    patience: float
    tiers: Sequence[float]
    minimum: int
    band: float
    alpha: float
    examination: Method
    context: Sequence[str]
    two_sided: bool
    replicates: int
    seed: int


class AuditCard(MeasuresCard):
    """The data, settings and rules of an audit.

    Attributes:
        settings: ``AuditSettings``, field -> value.
        system: Name of the system.
        candidates: The candidate items of a user.
        lists: Rows and fingerprint of the lists; only for jobs.
        synthetic: True where the data is; only for jobs.
    """

    settings: AuditSettingsCard
    system: str
    candidates: Literal["unseen_items"]
    lists: NotRequired[HashedRows]
    synthetic: NotRequired[Literal[True]]
