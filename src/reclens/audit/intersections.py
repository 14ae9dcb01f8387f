"""Search all products of the segmentations for the groups of users that are served worst."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np

from reclens.audit.measure import AuditMeasures
from reclens.audit.rows import AuditRow, audit_row
from reclens.errors import Advice, Setting, UsageError
from reclens.evaluation.results import OVERALL
from reclens.metrics.registry import direction, in_unit_range
from reclens.stats.replicated import means_of_rest, replicated_means
from reclens.stats.summary import Summary
from reclens.tabular import Tabular

__all__ = ["Intersections", "search_intersections"]

_NAME_GROUPS: Final = Advice("name_groups", (Setting("by", ["gender", "age"]),), "Name them, as by {by}.")

DEEPEST: Final = 3
"""Segmentations that are crossed at most."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Intersections(Tabular):
    """What the search found.

    Attributes:
        metric: The metric.
        rows: Every group with enough users, beside all users outside of it; they are exploratory.
        groups: Groups that were looked at.
        small: Groups among them with too few users, which have no row.
        users_in_small: Users in the small groups of the deepest product.
    """

    metric: str
    rows: tuple[AuditRow, ...]
    groups: int
    small: int
    users_in_small: int

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per group."""
        return [row.to_dicts()[0] for row in self.rows]


def search_intersections(
    measures: AuditMeasures, metric: str, *, deepest: int = DEEPEST, minimum: int | None = None
) -> Intersections:
    """Hold every product of two or more segmentations against all other users.

    The tests are corrected for the number of groups by Benjamini and Hochberg, and called exploratory: what is found is
    to be confirmed on other data. Users of unknown group take part as such.

    Args:
        measures: The sums, with the metric and at least two segmentations.
        metric: A metric that was measured.
        deepest: Segmentations that are crossed at most.
        minimum: Groups with fewer users are left out and counted; as in the settings by default.

    Raises:
        UsageError: If there are fewer than two segmentations.
    """
    singles = {by: found for by, found in measures.context.groups.items() if " × " not in by}
    if len(singles) < 2:
        raise UsageError("intersections need two segmentations or more", advice=_NAME_GROUPS)
    minimum = measures.settings.minimum if minimum is None else minimum
    values = measures.per_user[metric].to_numpy()
    groups = {
        " × ".join(chosen): _crossed([singles[by] for by in chosen])
        for depth in range(2, min(deepest, len(singles)) + 1)
        for chosen in combinations(singles, depth)
    }
    summary = Summary.of(
        measures.context.keys,
        {metric: values},
        groups=groups,
        replicates=measures.settings.replicates,
        seed=measures.settings.seed,
    )
    cells = [cell for cell in summary.cells if cell != OVERALL and summary.n[summary.index(cell, metric)] > 0]
    sizes = {cell: int(summary.n[summary.index(cell, metric)]) for cell in cells}
    whole = int(summary.n[summary.index(OVERALL, metric)])
    last = list(groups)[-1]
    rows = [
        audit_row(
            replicated_means(summary, cell, [metric])[0],
            means_of_rest(summary, cell, [metric])[0],
            n=sizes[cell],
            n_reference=whole - sizes[cell],
            scale="logit" if in_unit_range(metric) else "identity",
            test="difference",
            level=measures.settings.level,
            minimum=minimum,
            band=measures.settings.band,
            section="users",
            measure=metric,
            by=cell[0],
            segment=cell[1],
            reference="rest",
            harm="high" if direction(metric) is False else "low",
            family="exploratory",
        )
        for cell in cells
        if minimum <= sizes[cell] < whole
    ]
    return Intersections(
        metric=metric,
        rows=tuple(rows),
        groups=len(cells),
        small=sum(n < minimum for n in sizes.values()),
        users_in_small=sum(n for cell, n in sizes.items() if cell[0] == last and n < minimum),
    )


def _crossed(parts: list[tuple[list[str], np.ndarray]]) -> tuple[list[str], np.ndarray]:
    """Labels and codes of a product of segmentations."""
    labels, codes = parts[0]
    for more, more_codes in parts[1:]:
        labels = [f"{a} × {b}" for a in labels for b in more]
        codes = codes * len(more) + more_codes
    return list(labels), codes
