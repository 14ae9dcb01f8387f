"""What an audit gives back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import polars as pl

from reclens.audit.adjusted import AdjustedGap
from reclens.audit.amortised import AmortisedExposure
from reclens.audit.cards import AuditCard
from reclens.audit.intersections import Intersections
from reclens.audit.loop import LoopCurve
from reclens.audit.mitigate.lab import Mitigation
from reclens.audit.popularity import PopularityBias
from reclens.audit.position import PositionBias
from reclens.audit.preflight import Preflight
from reclens.audit.rows import AuditRow, Section
from reclens.audit.severity import Opinion
from reclens.data.read.frames import read_parquet
from reclens.errors import DataError
from reclens.files import made_folder
from reclens.findings import Finding
from reclens.records import revived
from reclens.tabular import Tabular

__all__ = ["Audit", "Lacking", "NotMeasured"]

Lacking = Literal[
    "truth",
    "train",
    "user_groups",
    "item_groups",
    "log",
    "scores",
    "rankers",
    "loop",
    "retrieved",
    "memory",
    "two_sided",
]
"""What an audit would have needed: relevant items; training data; groups of users; groups of items; an impression log;
scores that are probabilities; a log of several rankers; a simulated feedback loop; lists that are longer than what is
shown; lists that fit into memory, and were not streamed; that the two-sided annex is asked for."""


@dataclass(frozen=True, kw_only=True)
class NotMeasured(Tabular):
    """Something that was not audited for want of data.

    Attributes:
        section: What it would have told of.
        measure: What was not measured, such as ``"exposure_share"``.
        lacking: What would be needed.
    """

    section: Section
    measure: str
    lacking: Lacking

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row of a table."""
        return [asdict(self)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Audit(Tabular):
    """Who and what is treated worse by a system, by how much, and how sure that is.

    Attributes:
        system: Name of the system.
        rows: Every number that a group was held against a reference by, the gravest first.
        opinions: What each criterion comes to.
        findings: What wants a person to look at it, the gravest first.
        bias: Parity of the tiers of popularity.
        lorenz: Curves ``{"items", "share"}`` of the exposure of single items, and of what users have.
        gini: Gini of those two, where they were measured.
        not_measured: What was not audited, and what would be needed.
        adjusted: Gaps of the primary metric, adjusted for activity and popularity of profiles.
        intersections: The search over products of segmentations; its rows stand in ``rows`` too.
        position: How often each place is looked at, where there was a log of impressions.
        loop: The rounds of a simulated feedback loop, where one was asked for; its rows stand in ``rows`` too.
        mitigation: What was tried against a declared gap, what was chosen on validation, and what that came to on test.
        amortised: Exposure of each group of items that the log adds up to, day by day.
        preflight: Rankers whose numbers are known, measured on the same data.
        users: ``user_id``, a column a metric (NaN is "not defined") and a column a segmentation: what groups of users
            are made of.
        card: What was measured on what, how, and under which rules.
    """

    system: str
    rows: tuple[AuditRow, ...]
    opinions: Mapping[Section, Opinion]
    findings: tuple[Finding, ...]
    bias: tuple[PopularityBias, ...] = ()
    lorenz: Mapping[str, list[dict[str, float]]]
    gini: Mapping[str, float]
    not_measured: tuple[NotMeasured, ...] = ()
    preflight: Preflight
    adjusted: tuple[AdjustedGap, ...] = ()
    intersections: Intersections | None = None
    position: PositionBias | None = None
    loop: LoopCurve | None = None
    mitigation: Mitigation | None = None
    amortised: tuple[AmortisedExposure, ...] = ()
    users: pl.DataFrame
    card: AuditCard

    def _about(self) -> str:
        return f"Audit of '{self.system}'"

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per number, the gravest first."""
        return [row.to_dicts()[0] for row in self.rows]

    def section(self, section: Section) -> list[AuditRow]:
        """The rows of one criterion, the gravest first."""
        return [row for row in self.rows if row.section == section]

    def save(self, folder: str | Path) -> None:
        """Write JSON, the numbers as CSV and the users as Parquet into a folder, made where it is absent."""
        path = made_folder(folder)
        kept = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "users"}
        text = json.dumps(kept, default=asdict, indent=1, ensure_ascii=False)
        (path / "audit.json").write_text(text, encoding="utf-8")
        self.to_frame().write_csv(path / "numbers.csv")
        self.users.write_parquet(path / "users.parquet")

    @classmethod
    def load(cls, folder: str | Path) -> Audit:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: If the folder does not hold a whole audit.
        """
        path = Path(folder)
        try:
            users = read_parquet(path / "users.parquet")
            kept = json.loads((path / "audit.json").read_text(encoding="utf-8"))
            return revived(cls, {**kept, "users": users})
        except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
            raise DataError(f"not a whole audit ({error})", source=str(path), fix="Audit again and save it.") from error
