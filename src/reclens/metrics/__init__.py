"""The metrics: one decorated function each. ``names()`` lists them, ``describe("ndcg")`` tells what one is.

To add one, write a function in any module of this package (or in your own code) and decorate it with :func:`metric`.
"""

from __future__ import annotations

from reclens.metrics.conventions import CONVENTIONS, Convention, convention_named
from reclens.metrics.registry import (
    ALIASES,
    OF_PREDICTIONS,
    MetricInfo,
    MetricSpec,
    canonical,
    describe,
    direction,
    family_of,
    is_count,
    metric,
    names,
    needs_of,
    parse,
)

__all__ = [
    "ALIASES",
    "CONVENTIONS",
    "OF_PREDICTIONS",
    "Convention",
    "MetricInfo",
    "MetricSpec",
    "canonical",
    "convention_named",
    "describe",
    "direction",
    "family_of",
    "is_count",
    "metric",
    "names",
    "needs_of",
    "parse",
]
