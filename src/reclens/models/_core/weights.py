"""Warnings for weights at or below zero: recommenders count every interaction as one, even a return."""

from __future__ import annotations

import warnings

from reclens.data.dataset import Dataset
from reclens.errors import Advice, RecLensWarning, Setting
from reclens.schema import WEIGHT

__all__ = ["WeightsWarning", "say_odd_weights"]


class WeightsWarning(RecLensWarning):
    """Interactions with a weight of zero or below were used like all others; the card has their number."""


def say_odd_weights(train: Dataset) -> dict[str, int]:
    """Count the weights at or below zero, and warn if there are any.

    Returns:
        The numbers of ``negative`` and ``zero`` weights, without those that are 0.
    """
    if not train.has_weights:
        return {}
    weights = train.interactions[WEIGHT]
    found = {"negative": int((weights < 0).sum()), "zero": int((weights == 0).sum())}
    if not any(found.values()):
        return {}
    warnings.warn(
        WeightsWarning(
            f"{found['negative']:,} interactions of '{train.name}' have a weight below zero and {found['zero']:,} a "
            "weight of zero, and were learned from like all others: recommenders count an interaction as one, whatever "
            "its weight. Where they are no sign of interest, leave them out before the split",
            advice=Advice(
                "read_without_weights",
                (Setting("columns", {WEIGHT: None}),),
                "In Python: data.with_events(data.events.filter(pl.col('weight') > 0)). Where they are, read the data "
                "without the column: {columns}",
            ),
        ),
        stacklevel=4,
    )
    return found
