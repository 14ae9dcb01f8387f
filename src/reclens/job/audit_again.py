"""Sensitivity analysis of an audit: other k, rank weights, groups, candidates or seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from reclens.audit import Audit, run
from reclens.audit.position import PositionBias
from reclens.errors import UsageError
from reclens.job.checks import built_segmenters
from reclens.report.audit.words import CANDIDATE_CHOICES
from reclens.schema import ITEM, RANK, USER

if TYPE_CHECKING:
    from reclens.job.audit_inputs import AuditInputs
    from reclens.job.audit_settings import AuditJobSettings, Candidates

__all__ = ["tells_all", "variants_of"]


def variants_of(
    settings: AuditJobSettings, inputs: AuditInputs, position: PositionBias | None
) -> dict[str, Callable[[str], Audit]]:
    """The other choices of ``[sensitivity]``, and the attention that a log tells: name -> what audits the system again.

    Args:
        settings: The audit.
        inputs: What it is made from.
        position: Attention estimated from the log, if there is one.

    Raises:
        UsageError: If other groups or candidates are asked for that the data do not have.
    """
    about = settings.sensitivity
    changed: dict[str, dict[str, Any]] = dict(settings.variants())
    assumed = isinstance(settings.audit.attention, str)  # and not told from the log already
    if position is not None and assumed and tells_all(position, settings.audit.k):
        changed["attention from the log"] = {"attention": position.weights}
    found = {name: _audit(settings, inputs, more) for name, more in changed.items()}
    for name, segment in about.segments.items():
        if inputs.train is None:
            raise UsageError("[sensitivity.segments] are of users of the training data: name [data] split, or train.")
        train = inputs.train.with_segments(**built_segmenters({name: segment}))
        found[f"{name} in other groups"] = _audit(settings, replace(inputs, train=train), {"hypotheses": None})
    for kind in about.candidates:
        among = replace(inputs, lists=_among(inputs, kind))
        found[f"candidates: {CANDIDATE_CHOICES[kind]}"] = _audit(settings, among, {})
    return found


def _audit(settings: AuditJobSettings, inputs: AuditInputs, changed: dict[str, Any]) -> Callable[[str], Audit]:
    """What audits the system again with other settings, or another inputs."""

    def again(name: str) -> Audit:
        how: dict[str, Any] = {"log": inputs.log, "predictions": inputs.predictions, "train": inputs.train}
        return run(inputs.lists, inputs.truth, settings=settings.settings(**changed), name=name, **how)

    return again


def _among(inputs: AuditInputs, kind: Candidates) -> Any:
    """The lists restricted to the candidates, without gaps."""
    table = inputs.lists.table
    if kind == "unseen":
        if inputs.train is None:
            raise UsageError('[sensitivity] candidates = ["unseen"] needs the training data.')
        kept = table.join(
            inputs.train.interactions.select(USER, ITEM), on=[USER, ITEM], how="anti", maintain_order="left"
        )
    else:
        if inputs.truth is None:
            raise UsageError('[sensitivity] candidates = ["test"] needs the truth.')
        kept = table.filter(pl.col(ITEM).is_in(inputs.truth[ITEM].unique().implode()))
    closed = pl.col(RANK).rank("ordinal").over(USER).cast(table.schema[RANK])
    return replace(inputs.lists, table=kept.with_columns(closed.alias(RANK)))


def tells_all(found: PositionBias, k: int) -> bool:
    """Whether each of the first k positions could be estimated."""
    return found.unidentified is None and len(found.examination) >= k
