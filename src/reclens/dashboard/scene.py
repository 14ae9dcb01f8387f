"""What Home, Diagnostics and Compare look at: runs, their comparison, and what it comes to.

All three make the comparison alike, by all metrics and segmentations that the runs share, so that a number is tested
once and counted alike wherever it is seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import streamlit as st

from reclens.dashboard import store
from reclens.evaluation import Comparison, Evaluation
from reclens.evaluation.compare import Intervals
from reclens.evaluation.decision import Decision, decide
from reclens.workspace import Workspace

__all__ = ["MANY", "Scene", "keep_runs", "kept_runs", "opening_scene", "scene_of"]

MANY: Final = 12
"""Runs above which segments are tested for the recommended system alone: all of them would take long."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Scene:
    """Runs that were measured alike.

    Attributes:
        workspace: Where they lie.
        results: Name -> evaluation.
        comparison: All of them against the baseline; None where there is nothing to compare.
        decision: What it comes to.
        metrics: The metrics that all of them have.
        by: The segmentations that all of them have.
        segments_of: The system whose segments were tested; None where all systems' were.
    """

    workspace: Workspace
    results: Mapping[str, Evaluation]
    comparison: Comparison | None
    decision: Decision
    metrics: list[str]
    by: list[str]
    segments_of: str | None = None

    @property
    def averaged(self) -> list[str]:
        """The metrics that are averaged over users."""
        known = store.averaged(self.results)
        return [name for name in self.metrics if name in known]


def scene_of(
    workspace: Workspace,
    chosen: Sequence[str],
    *,
    baseline: str | None = None,
    correction: str = "holm",
    intervals: Intervals = "single",
    metric: str | None = None,
    segments_of: str | None = None,
) -> Scene:
    """Load runs, compare and decide.

    Args:
        workspace: The workspace.
        chosen: Names of evaluations that share a metric.
        baseline: What they are held against; None compares nothing.
        correction: Of p-values.
        intervals: Whether intervals hold alone or together.
        metric: The metric to decide by; by default the first one.
        segments_of: Of many runs, the system whose segments are tested; by default the one that is recommended.

    Raises:
        IncomparableError: If they were not measured alike.
    """
    stamps = {each.name: each.created.isoformat() for each in store.listing(workspace, "evaluation")}
    written = tuple((name, stamps.get(name, "")) for name in chosen)
    return _scene(str(workspace.folder), written, baseline, correction, intervals, metric, segments_of)


def opening_scene(workspace: Workspace, chosen: Sequence[str]) -> Scene:
    """What Home opens with: the newest runs, or those of them that can be read, against the one of custom."""
    return scene_of(workspace, chosen, baseline=store.popular_of(workspace, chosen))


@st.cache_resource(show_spinner=False, max_entries=64)
def _scene(
    folder: str,
    written: tuple[tuple[str, str], ...],
    baseline: str | None,
    correction: str,
    intervals: Intervals,
    metric: str | None,
    segments_of: str | None,
) -> Scene:
    # Kept whole: charts are told apart by the comparison that they draw.
    workspace, chosen = Workspace(folder), [name for name, _ in written]
    results = store.evaluations(workspace, chosen)
    metrics, by, _ = store.shared(results)
    if baseline is None or len(chosen) < 2:
        return Scene(
            workspace=workspace,
            results=results,
            comparison=None,
            decision=decide(results, metric=metric),
            metrics=metrics,
            by=by,
        )
    averaged = store.averaged(results)
    metrics = list(dict.fromkeys([*averaged[:1], *metrics]))
    many = len(chosen) > MANY
    comparison = store.compared(
        workspace,
        chosen,
        baseline=baseline,
        correction=correction,
        metrics=metrics,
        by=[] if many else by,
        intervals=intervals,
    )
    decision = decide(results, comparison, metric=metric)
    tested = segments_of or decision.system
    if not many or not by or tested == baseline:
        return Scene(
            workspace=workspace, results=results, comparison=comparison, decision=decision, metrics=metrics, by=by
        )
    segments = store.compared(
        workspace,
        [tested, baseline],
        baseline=baseline,
        correction=correction,
        metrics=metrics,
        by=by,
        intervals=intervals,
    )
    comparison = _with_segments(comparison, segments)
    return Scene(
        workspace=workspace,
        results=results,
        comparison=comparison,
        decision=decide(results, comparison, metric=metric),
        metrics=metrics,
        by=by,
        segments_of=tested,
    )


def _with_segments(comparison: Comparison, segments: Comparison) -> Comparison:
    """A comparison with the tests of segments that another one has."""
    rows = [row for row in segments.differences if row.family == "segments"]
    families = {**comparison.card["families"], "segments": segments.card["families"].get("segments", 0)}
    card = {**comparison.card, "families": families, "tests": sum(families.values())}
    return replace(comparison, differences=(*comparison.differences, *rows), card=card)


_KEPT: Final = "_kept_runs"


def keep_runs(chosen: Sequence[str]) -> None:
    """Remember the runs that are looked at, for the other pages."""
    st.session_state[_KEPT] = list(chosen)


def kept_runs(known: Sequence[str]) -> list[str]:
    """The runs that were looked at last, on whichever page; those that are gone are left out."""
    return [name for name in st.session_state.get(_KEPT, ()) if name in known]
