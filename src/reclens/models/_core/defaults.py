"""Data-dependent defaults: a hyper-parameter that is None gets its value from a rule during the fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from reclens.data.dataset import Dataset

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["Automatic", "Extent", "Rule"]


@dataclass(frozen=True)
class Extent:
    """Size of the training data, on which most rules depend.

    Attributes:
        users: Users with an interaction.
        items: Items with an interaction.
        interactions: Pairs of a user and an item that they have.
    """

    users: int
    items: int
    interactions: int

    @classmethod
    def of(cls, train: Dataset) -> Extent:
        """The extent of a data set; repeats of a pair count once."""
        seen = train.matrix()
        return cls(seen.n_rows, seen.n_columns, len(seen.indices))

    @property
    def per_user(self) -> float:
        """Interactions per user."""
        return self.interactions / self.users

    @property
    def per_item(self) -> float:
        """Interactions per item."""
        return self.interactions / self.items

    @property
    def density(self) -> float:
        """Share of the pairs that are interactions."""
        return self.interactions / (self.users * self.items)


@dataclass(frozen=True)
class Rule:
    """Rule that sets a hyper-parameter that is None.

    Attributes:
        formula: The rule in words and numbers, as the documentation and the command line state it.
        of: The value for a model and its training data.
    """

    formula: str
    of: Callable[[Any, Dataset], float]


class Automatic:
    """A model with hyper-parameters that are set by rules unless they are given."""

    automatic: ClassVar[Mapping[str, Rule]] = {}
    """The rules of the hyper-parameters that may be None, in the order of evaluation."""

    resolved_: dict[str, float]
    """Values that the rules gave in the fit."""

    def resolve(self, train: Dataset) -> None:
        """Evaluate the rules of the hyper-parameters that were not given."""
        self.resolved_ = {}
        for name, rule in self.automatic.items():
            if getattr(self, name) is None:
                self.resolved_[name] = rule.of(self, train)

    def in_use(self, name: str) -> Any:
        """The value of a hyper-parameter in the fit, given or set by its rule."""
        value = getattr(self, name)
        return self.resolved_[name] if value is None and name in self.automatic else value

    def settings(self: Any) -> dict[str, Any]:
        """All hyper-parameters of the fit; a model with these values learns the same from the same data."""
        own: DataclassInstance = self
        return {field.name: self.in_use(field.name) for field in fields(own)}
