"""Calibration of lists against the tastes of users, and of scores against probabilities; and distance from parity."""

from __future__ import annotations

from typing import Any

from reclens.audit.distances import DISTANCES
from reclens.audit.measure import AuditMeasures
from reclens.audit.measuring import SCORE_BINS
from reclens.audit.preflight import Preflight
from reclens.audit.rows import AuditRow, Section, audit_row
from reclens.evaluation.groups import UNKNOWN
from reclens.evaluation.results import OVERALL
from reclens.stats.replicated import Replicated
from reclens.stats.summary import Cell

__all__ = ["distance_rows", "score_rows"]


def distance_rows(measures: AuditMeasures, *, checked: Preflight | None = None) -> list[AuditRow]:
    """The distances of lists, over all users beside random lists, and of each group of users beside the others.

    A list of k items never matches a target exactly, so that distances are compared with those of random lists of the
    same length.

    Args:
        measures: The sums.
        checked: The preflight, which has the distances of random lists; without it there is no row for all users.
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
                **measures.settings.rules,
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
    """The mean of random lists, with replicates of its own error."""
    return Replicated.normal(
        checked.random[column],
        checked.random_error[column],
        replicates=measures.summary.replicates,
        seed=[measures.settings.seed, measures.summary.columns.index(column)],
    )


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


def score_rows(measures: AuditMeasures) -> list[AuditRow]:
    """Scores that are probabilities beside the share of places that hold a relevant item.

    Of all users and of each group, the share of relevant places is compared with the mean score, and the ratio of the
    two against that of the other groups; of all users also within each tenth of the scores, whose groups are named by
    their ends. Users without relevant items are left out, since the truth does not know them.

    Args:
        measures: The sums; without scores in 0 … 1 and a truth there are no rows.

    References:
        Chouldechova (2017), Fair prediction with disparate impact; Kleinberg, Mullainathan, Raghavan (2017), Inherent
        trade-offs in the fair determination of risk scores.
    """
    if not (measures.has_chances and measures.has_truth):
        return []
    rows = []
    for cell in measures.cells:
        if measures.n(cell, "score|all|places"):
            rows.append(_beside_scores(measures, "all", cell))
            if cell != OVERALL and (others := measures.others(cell)):
                rows.append(_beside_others(measures, cell, others))
    for at in range(SCORE_BINS):
        if measures.n(OVERALL, f"score|{at}|places"):
            ends = f"{at / SCORE_BINS:g} to {(at + 1) / SCORE_BINS:g}"
            rows.append(_beside_scores(measures, str(at), OVERALL, attribute="score", group=ends))
    return rows


def _beside_scores(measures: AuditMeasures, name: str, cell: Cell, **about: Any) -> AuditRow:
    found, expected = _rates(measures, name, cell)
    return audit_row(
        found,
        expected,
        n=measures.n(cell, f"score|{name}|places"),
        by=cell[0],
        segment=cell[1],
        reference="scores",
        scale="logit",
        test="difference",
        **_about_scores(measures),
        **about,
    )


def _beside_others(measures: AuditMeasures, cell: Cell, others: list[Cell]) -> AuditRow:
    """Ratio of the actual to the predicted share for each side."""
    (found, expected), (theirs, promised) = (_rates(measures, "all", each) for each in (cell, others))
    return audit_row(
        found / expected,
        theirs / promised,
        n=measures.n(cell, "score|all|places"),
        n_reference=measures.n(others, "score|all|places"),
        by=cell[0],
        segment=cell[1],
        reference="rest" if cell[1] != UNKNOWN else "known",
        test="difference",
        **_about_scores(measures),
    )


def _about_scores(measures: AuditMeasures) -> dict[str, Any]:
    about = {"section": "calibration", "measure": "score_calibration", "harm": "either"}
    return {**measures.settings.rules, **about}


def _rates(measures: AuditMeasures, name: str, cells: Cell | list[Cell]) -> tuple[Replicated, Replicated]:
    """The share of places that hold a relevant item, and the mean score of a place."""
    places, scores, hits = (measures.mean(f"score|{name}|{part}", cells) for part in ("places", "scores", "hits"))
    return hits / places, scores / places
