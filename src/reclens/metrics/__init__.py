"""The metrics: one decorated function each. ``names()`` lists them, ``describe("ndcg")`` describes one.

Each is here under its name: ``rl.metrics.ndcg @ 10`` is the same as ``"ndcg@10"``. To add one, write a function
in any module of this package (or in your own code) and decorate it with :func:`metric`.
"""

from __future__ import annotations

from reclens.errors import suggest
from reclens.metrics.conventions import CONVENTIONS, Convention, convention_named
from reclens.metrics.of_predictions import OF_PREDICTIONS
from reclens.metrics.registry import (
    ALIASES,
    Metric,
    MetricSpec,
    canonical,
    describe,
    direction,
    family_of,
    is_count,
    is_share,
    metric,
    names,
    needs_of,
    parse,
    preferred_side,
)

__all__ = [
    "ALIASES",
    "CONVENTIONS",
    "OF_PREDICTIONS",
    "Convention",
    "Metric",
    "MetricSpec",
    "canonical",
    "convention_named",
    "describe",
    "direction",
    "family_of",
    "is_count",
    "is_share",
    "metric",
    "names",
    "needs_of",
    "parse",
    "preferred_side",
]


def __getattr__(name: str) -> Metric:
    if name.startswith("_"):
        raise AttributeError(f"module 'reclens.metrics' has no attribute '{name}'")
    known = names()
    if name not in known:
        raise AttributeError(f"there is no metric '{name}'.{suggest(name, known)}")
    return describe(name)


def __dir__() -> list[str]:
    return [*__all__, *names()]
