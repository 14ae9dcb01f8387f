"""The data of Home, Diagnostics and Compare: runs, their comparison and the decision.

All three compare by all metrics and segmentations that the runs share, so that each number is tested once and is the
same on every page.
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
        workspace: The workspace of the runs.
        results: Name -> evaluation.
        comparison: All of them against the baseline; None if there is nothing to compare.
        decision: The resulting decision.
        metrics: The metrics that all of them have.
        by: The segmentations that all of them have.
        segments_of: The system whose segments were tested; None if those of all systems were.
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
        baseline: The baseline of the comparison; None compares nothing.
        correction: Correction of the p-values.
        intervals: Whether intervals hold individually or simultaneously.
        metric: The metric to decide by; by default the first one.
        segments_of: With many runs, the system whose segments are tested; by default the recommended one.

    Raises:
        IncomparableError: If they were not measured alike.
    """
    stamps = {each.name: each.created.isoformat() for each in store.listing(workspace, "evaluation")}
    written = tuple((name, stamps.get(name, "")) for name in chosen)
    return _scene(str(workspace.folder), written, baseline, correction, intervals, metric, segments_of)


def opening_scene(workspace: Workspace, chosen: Sequence[str]) -> Scene:
    """Return the initial scene of Home: the newest readable runs against the default baseline."""
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
    # Cached as one object: charts are identified by the comparison that they draw.
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
    """Return a comparison with the segment tests of another one."""
    rows = [row for row in segments.differences if row.family == "segments"]
    families = {**comparison.card["families"], "segments": segments.card["families"].get("segments", 0)}
    card = {**comparison.card, "families": families, "tests": sum(families.values())}
    return replace(comparison, differences=(*comparison.differences, *rows), card=card)


_KEPT: Final = "_kept_runs"


def keep_runs(chosen: Sequence[str]) -> None:
    """Remember the chosen runs for the other pages."""
    st.session_state[_KEPT] = list(chosen)


def kept_runs(known: Sequence[str]) -> list[str]:
    """Return the runs that were last chosen on any page, without removed ones."""
    return [name for name in st.session_state.get(_KEPT, ()) if name in known]
