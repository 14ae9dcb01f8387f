"""What an exploration found: every part as a record, its numbers as rows, and what wants a person to look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.data.manifest import reading
from reclens.data.read.frames import read_parquet
from reclens.errors import UnknownNameError
from reclens.explore.cards import ExplorationCard
from reclens.explore.cluster import Purity, Regions
from reclens.explore.coverage import Coverage
from reclens.explore.demand import SupplyDemand
from reclens.explore.drift import Drift
from reclens.explore.geometry import Duplicates, SpaceShape
from reclens.explore.hubness import Hubness, Occurrence, Remedy
from reclens.explore.project import PointMap
from reclens.explore.quality import MapQuality
from reclens.explore.reach import IndexProbe, Reach
from reclens.explore.retrieval import RetrievalRecall
from reclens.files import made_folder
from reclens.findings import Finding
from reclens.records import read_record, write_record
from reclens.stats.estimate import Estimate
from reclens.tabular import Tabular

__all__ = ["Exploration", "Measure", "MeasureName", "Missing"]

MeasureName = Literal[
    "coverage",
    "unshown_wants",
    "blind_spots",
    "not_in_index",
    "index_unreachable",
    "structurally_unreachable",
    "far_queries",
    "outside_queries",
    "dead_stock",
    "near_duplicates",
    "strong_hubs",
    "anti_hubs",
    "hub_skewness",
    "mean_cosine",
    "alignment",
    "recall",
    "worst_recall",
    "moved",
    "trustworthiness",
    "continuity",
    "neighbours_kept",
    "purity",
]

_FILE: Final = "exploration"

Missing = Literal["lists", "truth", "users", "store", "before", "map", "category"]
"""What was not given, so that what rests on it was not measured."""


@dataclass(frozen=True)
class Measure:
    """One number of an exploration.

    Attributes:
        measure: What it is. Shares are of the catalogue, but ``unshown_wants`` and ``blind_spots`` (of all wanted
            interactions), ``far_queries`` and ``outside_queries`` (of the queries).
        estimate: Its value, with an interval where it is one of a sample.
        exact: Whether it is exact: about the catalogue as it is, of which nothing was drawn.
    """

    measure: MeasureName
    estimate: Estimate
    exact: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Exploration(Tabular):
    """What a recommender reaches of a space, and what it never finds.

    Attributes:
        name: Name of the space, or of the system whose lists were given.
        measures: Every number that a gate can hold to a bound.
        findings: What wants a person to look at it, the gravest first.
        regions: The regions, named.
        map: Places on the map; None where none was given.
        quality: How far the map can be trusted.
        hubness: How often items are neighbours of others.
        remedies: What hubness would be under other similarities.
        duplicates: Groups of near-duplicates.
        shape: Uniformity, anisotropy, dimension.
        purity: How the regions match a category.
        coverage: What is shown, never shown and wanted, by region.
        popularity: Training interactions with each item, shape (n,); None without training data.
        held: Whether the index holds each item, shape (n,), bool; None without an index.
        probe: What the index returns of what it holds.
        reach: Why items are in no list.
        demand: Who looks where there is nothing, and what lies where nobody looks.
        retrieval: What the index finds of what exact search finds.
        drift: What changed since an earlier version.
        missing: What was not given.
        card: What was explored, how, and under which settings.
    """

    name: str
    measures: tuple[Measure, ...]
    findings: tuple[Finding, ...]
    regions: Regions
    map: PointMap | None = None
    quality: MapQuality | None = None
    hubness: Hubness
    remedies: Mapping[Remedy, Occurrence]
    duplicates: Duplicates
    shape: SpaceShape
    purity: Purity | None = None
    coverage: Coverage | None = None
    popularity: np.ndarray | None = None
    held: np.ndarray | None = None
    probe: IndexProbe | None = None
    reach: Reach | None = None
    demand: SupplyDemand | None = None
    retrieval: RetrievalRecall | None = None
    drift: Drift | None = None
    missing: tuple[Missing, ...] = ()
    card: ExplorationCard

    def _about(self) -> str:
        return f"Exploration of '{self.name}'"

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per number."""
        return [{"measure": each.measure, "exact": each.exact, **asdict(each.estimate)} for each in self.measures]

    def items(self) -> pl.DataFrame:
        """One row per item: its place and region, how often it is shown and wanted, and why it is in no list.

        What was not given is null; so is the reason of items that are in a list.
        """
        count = len(self.regions.fine)
        nothing = pl.Series([None] * count, dtype=pl.Int64)
        reasons = np.full(count, None, object)
        if self.reach is not None:
            reasons[self.reach.rows] = self.reach.reasons
        shown, wanted, trained = (
            nothing if values is None else pl.Series(values).cast(pl.Int64)
            for values in (
                None if self.coverage is None else self.coverage.exposures,
                None if self.coverage is None else self.coverage.wants,
                self.popularity,
            )
        )
        places = np.full((count, 2), np.nan) if self.map is None else self.map.points.astype(np.float64)
        return pl.DataFrame(
            {
                "item_id": self.hubness.ids,
                "x": pl.Series(places[:, 0]).fill_nan(None),
                "y": pl.Series(places[:, 1]).fill_nan(None),
                "region": self.regions.fine,
                "region_name": [self.regions.name(int(each)) for each in self.regions.fine],
                "times_shown": shown,
                "times_wanted": wanted,
                "popularity": trained,
                "reason": pl.Series(reasons.tolist(), dtype=pl.String),
                "k_occurrence": pl.Series(self.hubness.counts).cast(pl.Int64),
            }
        )

    def region_table(self) -> pl.DataFrame:
        """One row per region: its items, and of lists what is shown and wanted of it."""
        table = self.regions.to_frame()
        if self.coverage is None:
            return table
        rows = [{"region": each.region, **each.numbers()} for each in self.coverage.regions]
        return table.join(pl.DataFrame(rows, infer_schema_length=None), on="region", how="left", maintain_order="left")

    def save(self, folder: str | Path) -> None:
        """Write JSON, arrays, ids, and as Parquet the numbers, items and regions into a folder, made where absent."""
        path = made_folder(folder)
        write_record(self, path, _FILE)
        for name, table in (("numbers", self.to_frame()), ("items", self.items()), ("regions", self.region_table())):
            table.write_parquet(path / f"{name}.parquet")

    @classmethod
    def load(cls, folder: str | Path) -> Exploration:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: If the folder does not hold a whole exploration.
        """
        path = Path(folder)
        with reading(path, "exploration", fix="Explore again and save it."):
            tables = {file.stem: read_parquet(file) for file in path.glob(f"{_FILE}-*.parquet")}
            return read_record(cls, path, _FILE, columns=tables)

    def __getitem__(self, measure: MeasureName) -> Estimate:
        """A number by its name.

        Raises:
            UnknownNameError: If it was not measured.
        """
        known = {each.measure: each.estimate for each in self.measures}
        if measure not in known:
            raise UnknownNameError("measure of the exploration", measure, known)
        return known[measure]
