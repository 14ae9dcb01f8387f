"""Which items meet requirements, for re-rankers that treat some items differently."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reclens.data.dataset import Dataset
from reclens.errors import UsageError
from reclens.models._knowledge.attributes import Attributes
from reclens.models._knowledge.requirements import WISHES, parse_requirement
from reclens.schema import Vocabulary

__all__ = ["items_where"]


def items_where(kind: str, where: str | Sequence[str], train: Dataset, items: Vocabulary) -> np.ndarray:
    """Which items meet every requirement, bool, shape (items,).

    An item of which the attribute is not known does not meet it.

    Args:
        kind: Who asks, for messages.
        where: A requirement such as ``"price <= 20"``, or several; the grammar is that of the model knowledge.
        train: The training part, whose items table holds the attributes.
        items: The items.

    Raises:
        UsageError: If a requirement cannot be read, or is a wish, which is met more or less.
        UnknownNameError: If there is no such attribute.
    """
    attributes = Attributes.of(train.items, items)
    met = np.ones(len(items), bool)
    for text in [where] if isinstance(where, str) else where:
        requirement = parse_requirement(text)
        attributes.check(requirement)
        if requirement.operator in WISHES:
            raise UsageError(f"{kind}: '{text}' is met more or less. Require a limit, such as 'price <= 20'.")
        met &= attributes.met(requirement)
    return met
