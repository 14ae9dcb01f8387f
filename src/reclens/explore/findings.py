"""The findings of an exploration: results that need attention, with their rows and advice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.explore.coverage import RegionCoverage
from reclens.explore.result import Exploration, MeasureName
from reclens.findings import Finding, Severity

__all__ = ["FindingCode", "exploration_findings"]

FindingCode = Literal[
    "blind_spot",
    "not_in_index",
    "index_unreachable",
    "structurally_unreachable",
    "hole",
    "dead_stock",
    "near_duplicates",
    "hubs",
    "low_recall",
    "uneven_recall",
    "thinned_by_filter",
    "outside_queries",
    "moved",
    "narrow_cone",
    "untrue_map",
    "too_few_queries",
]
"""What was found; the kind says of which part: ``coverage``, ``reach``, ``demand``, ``geometry``, ``retrieval``,
``drift`` or ``map``."""

_ADVICE: Final[Mapping[FindingCode, tuple[str, ...]]] = {
    "blind_spot": ("look_at_examples", "add_candidates", "rerank_coverage"),
    "not_in_index": ("rebuild_index",),
    "index_unreachable": ("rebuild_index", "probe_more_lists"),
    "structurally_unreachable": ("normalize_vectors", "raise_dimension", "add_candidates"),
    "hole": ("buy_content", "check_queries"),
    "dead_stock": ("check_texts", "campaign"),
    "near_duplicates": ("merge_duplicates",),
    "hubs": ("mutual_proximity", "local_scaling"),
    "low_recall": ("probe_more_lists", "rebuild_index"),
    "uneven_recall": ("probe_more_lists",),
    "thinned_by_filter": ("exact_for_narrow_filters",),
    "outside_queries": ("check_queries", "train_on_queries"),
    "moved": ("rebuild_index", "look_at_examples"),
    "narrow_cone": ("centre_vectors",),
    "untrue_map": ("trust_lists",),
    "too_few_queries": ("more_users",),
}
_MEASURE_OF: Final[Mapping[FindingCode, MeasureName]] = {
    "not_in_index": "not_in_index",
    "index_unreachable": "index_unreachable",
    "structurally_unreachable": "structurally_unreachable",
}
_SPOTS: Final = 10
_EXAMPLES: Final = 5
_CONE: Final = 0.5
_UNTRUE: Final = 0.85
_UNEVEN: Final = 0.1
_GRAVITY: Final[tuple[Severity, ...]] = ("critical", "warning", "note")


def exploration_findings(found: Exploration, *, rare: float, recall: float) -> tuple[Finding, ...]:
    """The findings of an exploration, the most severe first.

    Args:
        found: The exploration, without findings.
        rare: Share that must be significantly exceeded for a warning.
        recall: Required recall of an index.
    """
    parts = (_coverage, _reach, _demand, _geometry, _drift, _map)
    listed = [each for part in parts for each in part(found, rare)]
    listed += list(_retrieval(found, recall))
    return tuple(sorted(listed, key=lambda each: _GRAVITY.index(each.severity)))


def _finding(
    found: Exploration,
    kind: str,
    code: FindingCode,
    severity: Severity,
    *,
    measure: MeasureName | None = None,
    **more: Any,
) -> Finding:
    estimate = more.pop("estimate", None) or (found[measure] if measure else None)
    return Finding(
        severity=severity, kind=kind, code=code, about=(found.name,), estimate=estimate, advice=_ADVICE[code], **more
    )


def _surely(found: Exploration, measure: MeasureName, rare: float) -> bool:
    """Whether a share significantly exceeds the threshold."""
    estimate = found[measure]
    return estimate.low is not None and estimate.low > rare


def _coverage(found: Exploration, _: float) -> Iterator[Finding]:
    if found.coverage is None:
        return
    for spot in found.coverage.blind_spots[:_SPOTS]:
        yield _finding(
            found,
            "coverage",
            "blind_spot",
            "warning",
            estimate=spot.gap,
            evidence=(_spot_row(spot),),
            examples=spot.examples,
            suspects=tuple(each.code for each in spot.suspects),
        )
    curve = found.coverage.curve
    if curve.too_few_queries > 0.5 and curve.shown < curve.catalogue:
        row = {
            "users": found.coverage.users,
            "shown": curve.shown,
            "expected": curve.expected,
            "items": curve.catalogue,
        }
        yield _finding(found, "coverage", "too_few_queries", "note", measure="coverage", evidence=(row,))


def _spot_row(spot: RegionCoverage) -> dict[str, Any]:
    row = asdict(spot)
    return {name: row[name] for name in ("region", "name", "items", "shown_items", "shown", "wanted", "unshown")}


def _reach(found: Exploration, rare: float) -> Iterator[Finding]:
    lost: dict[FindingCode, np.ndarray] = {
        "not_in_index": np.zeros(0, int) if found.held is None else np.flatnonzero(~found.held),
        "index_unreachable": np.zeros(0, int) if found.probe is None else found.probe.unreachable,
    }
    if found.reach is not None and found.reach.structure is not None:
        structure = found.reach.structure
        lost["structurally_unreachable"] = structure.rows[[each == "unreachable" for each in structure.status]]
    for code, rows in lost.items():
        if len(rows):
            grave = code == "index_unreachable" and _surely(found, _MEASURE_OF[code], rare)
            yield _finding(
                found,
                "reach",
                code,
                "critical" if grave else "warning",
                measure=_MEASURE_OF[code],
                evidence=({"items": len(rows), "of": found.card["items"]},),
                examples=_ids(found.hubness.ids, rows[:_EXAMPLES]),
            )


def _demand(found: Exploration, rare: float) -> Iterator[Finding]:
    if found.demand is None:
        return
    if found.demand.holes and _surely(found, "far_queries", rare):
        rows = tuple(
            {"queries": len(hole.queries), "similarity": hole.similarity, "nearest": list(hole.nearest)}
            for hole in found.demand.holes[:_SPOTS]
        )
        examples = found.demand.holes[0].queries[:_EXAMPLES]
        yield _finding(found, "demand", "hole", "warning", measure="far_queries", evidence=rows, examples=examples)
    if _surely(found, "dead_stock", rare):
        dead = found.demand.dead_stock
        yield _finding(
            found,
            "demand",
            "dead_stock",
            "warning",
            measure="dead_stock",
            evidence=({"items": len(dead), "of": found.card["items"]},),
            examples=_ids(found.hubness.ids, dead[:_EXAMPLES]),
        )
    if _surely(found, "outside_queries", 5 * 0.01):
        yield _finding(found, "demand", "outside_queries", "warning", measure="outside_queries")


def _geometry(found: Exploration, rare: float) -> Iterator[Finding]:
    groups = found.duplicates.groups
    if groups:
        severity: Severity = "warning" if _surely(found, "near_duplicates", rare) else "note"
        rows = tuple(
            {"items": len(group.ids), "least": group.least, "ids": list(group.ids[:_EXAMPLES])} for group in groups
        )
        yield _finding(
            found,
            "geometry",
            "near_duplicates",
            severity,
            measure="near_duplicates",
            evidence=rows[:_SPOTS],
            examples=groups[0].ids[:_EXAMPLES],
        )
    strong = found.hubness.strong
    if len(strong) and _surely(found, "strong_hubs", rare):
        rows = tuple(found.hubness.to_dicts()[:_SPOTS])
        examples = _ids(found.hubness.ids, strong[:_EXAMPLES])
        yield _finding(found, "geometry", "hubs", "warning", measure="strong_hubs", evidence=rows, examples=examples)
    if found.shape.mean_cosine > _CONE:
        rows = tuple(found.shape.to_dicts())
        yield _finding(found, "geometry", "narrow_cone", "note", measure="mean_cosine", evidence=rows)


def _retrieval(found: Exploration, target: float) -> Iterator[Finding]:
    if found.retrieval is None:
        return
    recall = found.retrieval.recall
    if recall.high is not None and recall.high < target:
        yield _finding(found, "retrieval", "low_recall", "warning", measure="recall")
    bad = [
        each
        for each in found.retrieval.regions
        if each.recall.high is not None and each.recall.high < recall.value - _UNEVEN
    ]
    if bad:
        rows = tuple({"region": each.region, "name": each.name, "recall": each.recall.value} for each in bad[:_SPOTS])
        yield _finding(found, "retrieval", "uneven_recall", "warning", estimate=bad[0].recall, evidence=rows)
    for each in found.retrieval.filters:
        if each.items and (each.short > 0 or (each.recall.high or 0.0) < target):
            row = {"where": dict(each.where), "items": each.items, "selectivity": each.selectivity, "short": each.short}
            yield _finding(found, "retrieval", "thinned_by_filter", "warning", estimate=each.recall, evidence=(row,))


def _drift(found: Exploration, rare: float) -> Iterator[Finding]:
    if found.drift is None or not _surely(found, "moved", rare):
        return
    regions = tuple(
        {"region": each.region, "name": each.name, "items": each.items, "share_moved": each.share_moved}
        for each in found.drift.regions
        if each.share_moved > 0
    )
    examples = _ids(found.drift.ids, found.drift.far[:_EXAMPLES])
    yield _finding(found, "drift", "moved", "warning", measure="moved", evidence=regions[:_SPOTS], examples=examples)


def _map(found: Exploration, _: float) -> Iterator[Finding]:
    if found.quality is not None and found.quality.trustworthiness < _UNTRUE:
        rows = tuple(found.quality.to_dicts())
        yield _finding(found, "map", "untrue_map", "note", measure="trustworthiness", evidence=rows)


def _ids(ids: pl.Series, rows: np.ndarray) -> tuple[Any, ...]:
    return tuple(ids.gather(rows).to_list())
