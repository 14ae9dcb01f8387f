"""The newest artefact of a workspace as a table beside a lesson: live numbers of the reader's own."""

from __future__ import annotations

from typing import Any, Final

from reclens.report._toolkit.tables import Table

__all__ = ["KIND_OF_LESSON", "own_table"]

KIND_OF_LESSON: Final = {
    "1.a": "evaluation",
    "1.b": "evaluation",
    "2.a": "readout",
    "2.b": "evaluation",
    "2.c": "readout",
    "2.d": "comparison",
    "3.a": "comparison",
    "3.b": "evaluation",
    "3.c": "exploration",
    "4.a": "audit",
    "4.b": "audit",
    "4.c": "audit",
    "5.a": "health",
    "5.b": "exploration",
    "5.c": "comparison",
}
"""Lesson -> the kind of artefact that shows what it is about."""


def own_table(kind: str, name: str, artefact: Any) -> Table:
    """The main table of an artefact.

    Args:
        kind: Its kind, one of :data:`KIND_OF_LESSON`.
        name: Its name.
        artefact: What was kept.
    """
    if kind == "evaluation":
        from reclens.report.evaluation.tables import leaderboard

        return leaderboard({name: artefact})
    if kind == "comparison":
        from reclens.report.evaluation.tables import comparison_table

        return comparison_table(artefact)
    if kind == "readout":
        from reclens.report.experiment.readout_tables import effect_table

        return effect_table(artefact)
    if kind == "audit":
        from reclens.report.audit.tables import opinion_table

        return opinion_table(artefact)
    if kind == "health":
        from reclens.report.monitor.tables import day_table

        return day_table(artefact)
    from reclens.report.explore.tables import exploration_table

    return exploration_table(artefact)
