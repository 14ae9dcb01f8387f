"""Claims about two models, of a small grammar: whether they can be read, and whether they hold on a split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np

from reclens.learn.two_splits import METRICS, SEGMENTS, Split, paired

__all__ = [
    "APART",
    "CLAIMS",
    "GREATER",
    "RELATIONS",
    "Z_SHOWN",
    "Claim",
    "Values",
    "all_pairs",
    "holds",
    "read_claims",
    "some_apart",
    "z_of",
]

CLAIMS: Final = 3
GREATER, APART = "greater", "cannot_be_told_apart"
RELATIONS: Final = (GREATER, APART)
Z_SHOWN: Final = 1.959963984540054
"""A claim that one is greater needs an interval above 0, and one that two are alike an interval that holds 0."""

Values = Mapping[str, Mapping[str, np.ndarray]]
"""Model -> metric -> a value a user."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim about two models.

    Attributes:
        a: Model.
        relation: What is said of a and b.
        b: Model.
        metric: Of which metric.
        segment: For whom.
    """

    a: str
    relation: str
    b: str
    metric: str
    segment: str

    def written(self) -> str:
        """As it stands in messages."""
        return f"{self.a} {self.relation} {self.b} in {self.metric} for {self.segment}"


def read_claims(given: object, models: Mapping[str, Any]) -> list[Claim] | None:
    """The claims; None if they are not of the grammar."""
    if not isinstance(given, list) or len(given) != CLAIMS:
        return None
    words = {"a": models, "relation": RELATIONS, "b": models, "metric": METRICS, "segment": SEGMENTS}
    for each in given:
        if not isinstance(each, dict) or any(str(each.get(key)) not in known for key, known in words.items()):
            return None
        if each["a"] == each["b"]:
            return None
    return [Claim(**{key: str(each[key]) for key in words}) for each in given]


def z_of(claim: Claim, values: Values, split: Split) -> float:
    """Standard errors by which a is above b, paired by user."""
    inside = split.inside(claim.segment)
    return paired(values[claim.a][claim.metric][inside], values[claim.b][claim.metric][inside]).z


def holds(claim: Claim, values: Values, split: Split, apart: float) -> bool:
    """Whether a claim holds on a split; two that cannot be told apart differ by less than ``apart`` standard errors."""
    z = z_of(claim, values, split)
    return z > Z_SHOWN if claim.relation == GREATER else abs(z) < apart


def all_pairs(models: Iterable[str]) -> list[Claim]:
    """Each pair of models in each metric and segment, as a claim that they cannot be told apart."""
    return [
        Claim(a=a, relation=APART, b=b, metric=metric, segment=segment)
        for a, b in combinations(models, 2)
        for metric in METRICS
        for segment in SEGMENTS
    ]


def some_apart(values: Values, split: Split) -> bool:
    """Whether two of the models cannot be told apart in some metric and segment."""
    return any(holds(each, values, split, Z_SHOWN) for each in all_pairs(values))
