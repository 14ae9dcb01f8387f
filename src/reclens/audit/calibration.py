"""Calibration: whether lists mirror the tastes of users, over all users and by group; and distance from parity."""

from __future__ import annotations

from typing import Any

import numpy as np

from reclens.audit.distances import DISTANCES
from reclens.audit.measure import AuditMeasures
from reclens.audit.preflight import Preflight
from reclens.audit.rows import AuditRow, Section, audit_row
from reclens.evaluation.context import UNKNOWN
from reclens.evaluation.results import OVERALL
from reclens.stats.replicated import Replicated

__all__ = ["distance_rows"]


def distance_rows(measures: AuditMeasures, *, checked: Preflight | None = None, level: float = 0.95) -> list[AuditRow]:
    """The distances of lists, over all users beside random lists, and of each group of users beside the others.

    A list of k items is never exactly like a target, so that the distance of random lists of the same length is what a
    distance is held against.

    Args:
        measures: The sums.
        checked: The preflight, which has the distances of random lists; without it all users have no row.
        level: Confidence level.
    """
    rows: list[AuditRow] = []
    for attribute in measures.groups:
        for kind in DISTANCES:
            column = f"{kind}|{attribute}"
            if column not in measures.summary.columns:
                continue
            section: Section = "calibration" if kind == "miscalibration" else "exposure"
            about: dict[str, Any] = {
                "section": section,
                "measure": kind,
                "attribute": attribute,
                "harm": "high",
                "level": level,
            }
            if checked is not None:
                rows.append(
                    audit_row(
                        measures.mean(column),
                        _drawn(checked, column, measures),
                        n=measures.n(OVERALL, column),
                        reference="random",
                        test="difference",
                        **about,
                    )
                )
            if kind == "miscalibration":
                rows += _by_group(measures, column, about)
    return rows


def _drawn(checked: Preflight, column: str, measures: AuditMeasures) -> Replicated:
    """The mean of random lists, with replicates of the error that it has itself."""
    seed = [measures.settings.seed, measures.summary.columns.index(column)]
    noise = np.random.default_rng(seed).normal(size=measures.summary.replicates)
    value = checked.random[column]
    return Replicated(np.asarray(value), value + checked.random_error[column] * noise)


def _by_group(measures: AuditMeasures, column: str, about: dict[str, Any]) -> list[AuditRow]:
    return [
        audit_row(
            measures.mean(column, cell),
            measures.mean(column, others),
            n=measures.n(cell, column),
            n_reference=measures.n(others, column),
            by=cell[0],
            segment=cell[1],
            reference="rest" if cell[1] != UNKNOWN else "known",
            test="difference",
            **about,
        )
        for cell in measures.cells
        if cell != OVERALL and (others := measures.others(cell))
    ]
