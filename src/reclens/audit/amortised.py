"""Exposure accumulated over the days of a log: later lists can compensate for an unfair one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.audit.measure import AuditMeasures
from reclens.audit.rows import AuditRow, audit_row
from reclens.errors import DataError
from reclens.schema import ITEM, POSITION, TIMESTAMP, USER, stable_hash
from reclens.stats.estimate import Estimate
from reclens.stats.replicated import Replicated, replicated_means
from reclens.stats.summary import Summary
from reclens.tabular import Tabular
from reclens.vocabulary import number_ids

__all__ = ["AmortisedExposure", "amortised_exposure", "amortised_rows"]

_STEPS: Final = 12
"""Days, at most, up to which the exposure is told."""


@dataclass(frozen=True, kw_only=True)
class AmortisedExposure(Tabular):
    """The exposure of a group of items from the first day of a log up to a day.

    Attributes:
        attribute: The attribute of items.
        group: The group.
        until: The last included day, such as ``"2026-03-01"``; None if the log has no times.
        share: Share of the exposure so far.
        reference: Reference of the share: ``"merit"``, or ``"catalogue"`` without a truth.
        ratio: The share ÷ that of the reference; 1 is parity.
    """

    attribute: str
    group: str
    until: str | None
    share: Estimate
    reference: str
    ratio: Estimate

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row of a table."""
        about = {key: each for key, each in asdict(self).items() if not isinstance(each, dict)}
        ends = {"low": self.ratio.low, "high": self.ratio.high}
        return [about | {"share": self.share.value, "ratio": self.ratio.value} | ends]


def amortised_exposure(measures: AuditMeasures, log: pl.DataFrame, attribute: str) -> list[AmortisedExposure]:
    """The share of exposure that each group of items has got up to each of at most twelve days of a log.

    Formula: Σ over the impressions so far of the weight of their position, in the group ÷ in all groups; the weights
    are those of the audit, and 0 beyond its k places. Users are resampled.

    Args:
        measures: The sums of the audit, with the groups of items and their reference.
        log: ``user_id, item_id, position`` from 1, and ``timestamp`` for the days.
        attribute: The attribute of items.

    Raises:
        DataError: If a column is missing, or no impression is in the first k positions.

    References:
        Biega, Gummadi, Weikum (2018), Equity of attention: amortizing individual fairness in rankings.
    """
    n, stages = _stages(measures, log, attribute)
    reference, alike = _reference(measures, attribute)
    level = measures.settings.level
    found = []
    for until, shares in stages:
        ratio = shares / alike
        found += [
            AmortisedExposure(
                attribute=attribute,
                group=label,
                until=until,
                share=shares[at].estimate(n=n, level=level, scale="logit"),
                reference=reference,
                ratio=ratio[at].estimate(n=n, level=level, scale="log"),
            )
            for at, label in enumerate(measures.groups[attribute].labels)
        ]
    return found


def amortised_rows(measures: AuditMeasures, log: pl.DataFrame, attribute: str) -> list[AuditRow]:
    """The share of exposure over the whole log compared with merit, or with the catalogue without a truth."""
    n, stages = _stages(measures, log, attribute, whole=True)
    reference, alike = _reference(measures, attribute)
    ((_, shares),), settings = stages, measures.settings
    return [
        audit_row(
            shares[at],
            alike[at],
            n=n,
            scale="logit",
            **settings.rules,
            section="exposure",
            measure="amortised_exposure",
            attribute=attribute,
            group=label,
            reference=reference,
        )
        for at, label in enumerate(measures.groups[attribute].labels)
    ]


def _reference(measures: AuditMeasures, attribute: str) -> tuple[str, Replicated]:
    if measures.has("merit"):
        return "merit", measures.by_group("merit", attribute)
    sizes = measures.groups[attribute].sizes / measures.groups[attribute].sizes.sum()
    return "catalogue", Replicated(sizes, sizes[:, None].repeat(measures.summary.replicates, axis=1))


def _stages(
    measures: AuditMeasures, log: pl.DataFrame, attribute: str, *, whole: bool = False
) -> tuple[int, list[tuple[str | None, Replicated]]]:
    """Users, and for each day the shares of exposure up to it, shape (groups,)."""
    rows = _impressions(measures, log)
    users, user = number_ids(rows[USER])
    keys, groups = stable_hash(users), measures.groups[attribute]
    items = measures.context.items.encode(rows[ITEM]).astype(np.int32)[:, None]
    if not measures.context.catalogue.in_catalogue[items[items >= 0]].any():
        raise DataError(
            "no item is one of the catalogue",
            source="the impression log",
            column=ITEM,
            fix="Check that the ids are those of the lists, and of the same type.",
        )
    exposure = groups.of_lists(items, measures.weights[rows[POSITION].to_numpy() - 1][:, None])
    parts: list[tuple[str | None, np.ndarray]] = [(None, np.ones(rows.height))]
    if TIMESTAMP in rows.columns and not whole:
        days = rows[TIMESTAMP].dt.date()
        distinct = days.unique().sort()
        ends = distinct.gather(np.unique(np.linspace(0, len(distinct) - 1, _STEPS).round().astype(int)))
        parts = [(str(end), (days <= end).to_numpy().astype(np.float64)) for end in ends]
    found = []
    for until, counted in parts:
        sums = np.stack([np.bincount(user, each * counted, minlength=len(users)) for each in exposure.T], axis=1)
        summary = Summary.of(
            keys,
            {label: sums[:, at] for at, label in enumerate(groups.labels)},
            replicates=measures.settings.replicates,
            seed=measures.settings.seed,
        )
        means = replicated_means(summary, ("overall", "all"), groups.labels)
        found.append((until, means / means.sum()))
    return len(users), found


def _impressions(measures: AuditMeasures, log: pl.DataFrame) -> pl.DataFrame:
    """The impressions of the first k positions."""
    missing = [column for column in (USER, ITEM, POSITION) if column not in log.columns]
    if missing:
        raise DataError(
            f"there is no column '{missing[0]}'; there are {', '.join(log.columns)}",
            source="the impression log",
            fix="Rename the columns to user_id, item_id, position and clicked, one row an impression.",
        )
    rows = log.filter(pl.col(POSITION).is_between(1, measures.settings.k))
    if not rows.height:
        raise DataError("no impression stands in the places that are audited", source="the impression log")
    if TIMESTAMP in rows.columns and not rows.schema[TIMESTAMP].is_temporal():
        rows = rows.drop(TIMESTAMP)
    return rows
