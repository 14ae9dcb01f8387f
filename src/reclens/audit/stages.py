"""Locate the source of a gap: the same number in the data, in the retrieved items, and in the lists."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

from reclens.audit.exposure import exposure_shares
from reclens.audit.measure import AuditMeasures
from reclens.audit.measuring import REACHES
from reclens.audit.rows import AuditRow, audit_row
from reclens.evaluation.groups import UNKNOWN
from reclens.evaluation.results import OVERALL
from reclens.stats.replicated import Replicated

__all__ = ["STAGES", "stage_rows"]

STAGES: Final = ("stage_data", "stage_scores", "stage_lists")
"""Measures: from the catalogue to the histories; from those to the places that the scores chose; from those to the
first k places. Of groups of users: the share of their relevant items that is left after each stage."""


def stage_rows(measures: AuditMeasures) -> list[AuditRow]:
    """Each stage beside the one before it, for groups of items; and each beside the other groups, for groups of users.

    The ratios of the three stages of a group of items multiply to its share of exposure ÷ its share of the catalogue.
    The rows are not tested: they show the source of tested gaps. None without ``retrieved`` in the settings.
    """
    if not measures.settings.retrieved:
        return []
    rows = [row for attribute in measures.groups for row in _of_items(measures, attribute)]
    return rows + (_of_users(measures) if measures.has_truth else [])


def _of_items(measures: AuditMeasures, attribute: str) -> list[AuditRow]:
    groups = measures.groups[attribute]
    sizes = groups.sizes / groups.sizes.sum()
    shares: dict[str, Replicated] = {
        "catalogue": Replicated(sizes, sizes[:, None].repeat(measures.summary.replicates, axis=1))
    }
    if measures.has("profile"):
        shares["profile"] = measures.by_group("profile", attribute)
    retrieved = measures.by_group("retrieved", attribute)
    shares["scores"] = retrieved / retrieved.sum()
    shares["lists"] = exposure_shares(measures, attribute)
    steps = list(shares)
    measure = {"profile": "stage_data", "scores": "stage_scores", "lists": "stage_lists"}
    return [
        audit_row(
            shares[step][at],
            shares[before][at],
            n=measures.n(),
            scale="logit",
            section="exposure",
            measure=measure[step],
            attribute=attribute,
            group=label,
            reference=before,
            **_rules(measures),
        )
        for before, step in pairwise(steps)
        for at, label in enumerate(groups.labels)
    ]


def _of_users(measures: AuditMeasures) -> list[AuditRow]:
    return [
        audit_row(
            measures.mean(f"reach|{stage}", cell),
            measures.mean(f"reach|{stage}", others),
            n=measures.n(cell, f"reach|{stage}"),
            n_reference=measures.n(others, f"reach|{stage}"),
            scale="logit",
            test="difference",
            section="users",
            measure=measure,
            by=cell[0],
            segment=cell[1],
            reference="rest" if cell[1] != UNKNOWN else "known",
            **_rules(measures),
        )
        for cell in measures.cells
        if cell != OVERALL and (others := measures.others(cell))
        for stage, measure in zip(REACHES, STAGES, strict=True)
    ]


def _rules(measures: AuditMeasures) -> dict[str, Any]:
    return {**measures.settings.rules, "family": "descriptive"}
