"""What an audit looks at, and by which rules it concludes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypedDict

from reclens.audit.attention import Attention, position_weights
from reclens.audit.position import Method
from reclens.errors import ArgumentValueError
from reclens.evaluation.argument_checks import asked_metrics, asked_segments, named_in
from reclens.schema import USER
from reclens.tabular import Tabular

__all__ = ["AuditSettings", "Hypothesis", "Rules"]

_METRICS: Final = ("ndcg@{k}", "recall@{k}")


class Rules(TypedDict):
    """By which a row is tested."""

    level: float
    minimum: int
    band: float


@dataclass(frozen=True, kw_only=True)
class Hypothesis(Tabular):
    """A comparison that was declared before the lists were looked at; Holm's correction is over all of them.

    Attributes:
        measure: A metric, such as ``"ndcg@10"``; or ``"exposure_share"``, ``"exposure_of_an_item"``, ``"treatment"``,
            ``"impact"``, ``"popularity_lift"``.
        by: The segmentation of users it is about; ``"overall"`` for all users.
        attribute: The attribute of items it is about, or None.
        reference: What is held against, such as ``"merit"``; None for any that is measured.
    """

    measure: str
    by: str = "overall"
    attribute: str | None = None
    reference: str | None = None

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row of a table."""
        return [asdict(self)]


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """What an audit looks at, and by which rules it concludes.

    Attributes:
        k: Places of each list that count.
        retrieved: Places of each list that the scores chose, of which the first k are shown; 0 where lists end
            with what is shown.
        metrics: Metrics of users, the first the primary one; by default NDCG and recall at k, where there is a truth.
        attributes: Attributes of items to group by; ``"popularity"`` is head, middle and tail.
        by: Groups of users: segmentations of the training data, attributes of the users, and products of two.
        protected: Attributes of users or items that are protected; the rest are judged less gravely.
        hypotheses: Comparisons declared beforehand. By default: each group of users by the primary metric, each
            attribute of items by its share of exposure against merit (or the catalogue, without a truth), and the
            popularity lift over all users. Whatever else is tested is exploratory.
        attention: Model of attention, or one weight a rank.
        patience: Of the model ``"rbp"``.
        tiers: Shares of the interactions that the head and the tail of popularity have.
        minimum: Groups with fewer users are inconclusive.
        band: A ratio between this and its inverse is no material difference.
        alpha: Level of the tests, after the correction; intervals have level 1 - alpha.
        examination: How attention by position is told from a log; see :func:`reclens.audit.position_bias`.
        context: Columns of the log within which the relevance of an item is the same.
        two_sided: Whether the annex of joint measures is made, in another pass over the lists.
        replicates: Bootstrap replicates.
        seed: Seed of the replicates.

    Raises:
        UsageError: If a number is out of range, a metric has no cut-off, or something is protected that is not audited.
        UnknownNameError: If there is no such metric.
        ArgumentTypeError: If something is no name.
    """

    k: int = 10
    retrieved: int = 0
    metrics: Sequence[str] | None = None
    attributes: Sequence[str] = ()
    by: str | Sequence[str | tuple[str, str]] = ()
    protected: Sequence[str] = ()
    hypotheses: Sequence[Hypothesis] | None = None
    attention: Attention | Sequence[float] = "log"
    patience: float = 0.85
    tiers: tuple[float, float] = (0.2, 0.2)
    minimum: int = 30
    band: float = 0.9
    alpha: float = 0.05
    examination: Method = "harvest"
    context: Sequence[str] = (USER,)
    two_sided: bool = False
    replicates: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        if self.retrieved and self.retrieved <= self.k:
            raise ArgumentValueError(
                "retrieved", f"is {self.retrieved}, expected more places than the {self.k} that are shown"
            )
        position_weights(self.k, self.attention, patience=self.patience)
        asked_segments(self.by)
        if self.metrics:
            asked_metrics(list(self.metrics))
        looked_at = {*self.attributes, *named_in(asked_segments(self.by))}
        for name in self.protected:
            if name not in looked_at:
                raise ArgumentValueError("protected", f"has '{name}', which is in neither by nor attributes")
        if not 0 < self.alpha < 0.5:
            raise ArgumentValueError("alpha", f"is {self.alpha}, expected a level between 0 and 0.5 such as 0.05")
        if not 0 < self.band < 1:
            raise ArgumentValueError("band", f"is {self.band}, expected a ratio between 0 and 1 such as 0.9")
        if self.minimum < 2:
            raise ArgumentValueError("minimum", f"is {self.minimum}, expected 2 or more users")
        if self.replicates < 200:
            raise ArgumentValueError(
                "replicates", f"is {self.replicates}, expected 200 or more: fewer give no standard error"
            )

    @property
    def level(self) -> float:
        """Confidence level of the intervals."""
        return 1 - self.alpha

    @property
    def rules(self) -> Rules:
        """By which a row is tested."""
        return {"level": self.level, "minimum": self.minimum, "band": self.band}

    def metrics_of(self, *, truth: bool) -> tuple[str, ...]:
        """The metrics of users that are measured; none by default without a truth."""
        if self.metrics is not None:
            return tuple(self.metrics)
        return tuple(each.format(k=self.k) for each in _METRICS) if truth else ()
