"""Exposure of groups of items: the attention each gets, compared with equal treatment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import numpy as np

from reclens.audit.measure import AuditMeasures
from reclens.audit.rows import AuditRow, audit_row
from reclens.evaluation.results import OVERALL
from reclens.stats.replicated import Replicated
from reclens.stats.summary import Cell

__all__ = ["BASELINES", "Baseline", "baseline_shares", "exposure_rows", "exposure_shares", "parity_rows"]

Baseline = Literal["catalogue", "merit", "profile"]
BASELINES: Final[tuple[Baseline, ...]] = ("catalogue", "merit", "profile")
"""What a share of exposure is held against: the share of the items; the mean share of the relevant items of a user; the
mean share of the items of a user's history."""


def exposure_shares(measures: AuditMeasures, attribute: str, cell: Cell = OVERALL) -> Replicated:
    """The share of all exposure that each group of items gets, shape (G,).

    Formula: Σ_u Σ_j v_j · [item at rank j of user u is in the group] ÷ the same over all groups.
    """
    exposure = measures.by_group("exposure", attribute, cell)
    return exposure / exposure.sum()


def baseline_shares(measures: AuditMeasures, attribute: str, baseline: Baseline, cell: Cell = OVERALL) -> Replicated:
    """The shares of the groups of items under equal treatment, shape (G,)."""
    if baseline == "catalogue":
        sizes = measures.groups[attribute].sizes
        return Replicated(sizes / sizes.sum(), np.repeat(sizes[:, None] / sizes.sum(), measures.summary.replicates, 1))
    return measures.by_group(baseline, attribute, cell)


def exposure_rows(measures: AuditMeasures, attribute: str, *, cells: Iterable[Cell] = (OVERALL,)) -> list[AuditRow]:
    """The share of exposure of each group of items compared with each available baseline.

    A ratio of 1 is parity: demographic parity of exposure for the catalogue, equity of attention for merit, and no
    amplification for the profile.

    Args:
        measures: The sums.
        attribute: The attribute of items.
        cells: The groups of users whose lists are audited.

    References:
        Singh and Joachims (2018), Fairness of exposure in rankings; Biega, Gummadi, Weikum (2018), Equity of attention.
    """
    rows: list[AuditRow] = []
    labels = measures.groups[attribute].labels
    for by, segment in cells:
        cell = (by, segment)
        shares = exposure_shares(measures, attribute, cell)
        for baseline in BASELINES:
            if baseline != "catalogue" and not measures.has(baseline):
                continue
            alike = baseline_shares(measures, attribute, baseline, cell)
            n = measures.n(cell) if baseline == "catalogue" else measures.n_of(baseline, attribute, cell)
            rows += [
                audit_row(
                    shares[at],
                    alike[at],
                    n=min(n, measures.n(cell)),
                    scale="logit",
                    **measures.settings.rules,
                    section="exposure",
                    measure="exposure_share",
                    attribute=attribute,
                    group=label,
                    by=by,
                    segment=segment,
                    reference=baseline,
                )
                for at, label in enumerate(labels)
            ]
    return rows


def parity_rows(measures: AuditMeasures, attribute: str, *, cell: Cell = OVERALL) -> list[AuditRow]:
    """Each group of items beside all others: exposure of an item, and exposure and hits for the relevance there is.

    Formulas, with E = mean exposure of an item of the group, U = mean number of users for whom an item is relevant, and
    C = mean exposure of an item to users for whom it is relevant, and the rest in the denominators:
    ``exposure_of_an_item`` E ÷ E_rest; ``treatment`` (E ÷ U) ÷ (E_rest ÷ U_rest); ``impact`` (C ÷ U) ÷ (C_rest ÷
    U_rest). 1 is parity.

    References:
        Singh and Joachims (2018), Fairness of exposure in rankings, section 4: demographic parity, disparate treatment
        ratio, disparate impact ratio.
    """
    groups = measures.groups[attribute]
    sizes, n = groups.sizes, measures.n(cell)
    exposure = measures.by_group("exposure", attribute, cell)
    kinds: dict[str, tuple[Replicated, Replicated]] = {
        "exposure_of_an_item": (exposure / sizes, _rest(exposure, sizes))
    }
    if measures.has_truth:
        relevant = measures.by_group("relevant", attribute, cell)
        attention = measures.by_group("attention", attribute, cell)
        kinds["treatment"] = exposure / relevant, _rest(exposure) / _rest(relevant)
        kinds["impact"] = attention / relevant, _rest(attention) / _rest(relevant)
    return [
        audit_row(
            mine[at],
            rest[at],
            n=n,
            **measures.settings.rules,
            section="exposure",
            measure=measure,
            attribute=attribute,
            group=label,
            by=cell[0],
            segment=cell[1],
            reference="rest",
        )
        for measure, (mine, rest) in kinds.items()
        for at, label in enumerate(groups.labels)
    ]


def _rest(sums: Replicated, sizes: np.ndarray | None = None) -> Replicated:
    """The total of all other groups; a mean of their items where sizes are given."""
    rest = sums.sum() - sums
    return rest if sizes is None else rest / (sizes.sum() - sizes)
