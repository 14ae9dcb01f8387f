"""Gaps between groups of users, in accuracy and in what they are shown."""

from __future__ import annotations

from collections.abc import Iterable

from reclens.audit.measure import AuditMeasures
from reclens.audit.rows import AuditRow, Harm, Section, audit_row
from reclens.evaluation.groups import UNKNOWN
from reclens.evaluation.results import OVERALL
from reclens.metrics.registry import direction, family_of, in_unit_range

__all__ = ["gap_rows"]


def gap_rows(measures: AuditMeasures, *, metrics: Iterable[str] | None = None) -> list[AuditRow]:
    """Each group of users beside the other groups of its segmentation, by each metric.

    The reference is all other users whose group is known, so that the choice does not depend on the values. Users of
    unknown group form a separate group. The difference is tested, by the bootstrap over users; the ratio says how
    large it is.

    Args:
        measures: The sums, with metrics and groups of users.
        metrics: Metrics to compare; by default all measured metrics.
    """
    wanted = [spec.text for spec in measures.metrics] if metrics is None else list(metrics)
    rows: list[AuditRow] = []
    for cell in measures.cells:
        others = [] if cell == OVERALL else measures.others(cell)
        if not others:
            continue
        for metric in wanted:
            section: Section = "users" if family_of(metric) in ("accuracy", "service") else "lists"
            rows.append(
                audit_row(
                    measures.mean(metric, cell),
                    measures.mean(metric, others),
                    n=measures.n(cell, metric),
                    n_reference=measures.n(others, metric),
                    scale="logit" if in_unit_range(metric) else "identity",
                    test="difference",
                    **measures.settings.rules,
                    section=section,
                    measure=metric,
                    by=cell[0],
                    segment=cell[1],
                    reference="rest" if cell[1] != UNKNOWN else "known",
                    harm=_harm(metric),
                )
            )
    return rows


def _harm(metric: str) -> Harm:
    better = direction(metric)
    return "either" if better is None else "low" if better else "high"
