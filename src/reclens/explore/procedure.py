"""One exploration: regions, geometry, what is shown and wanted, why the rest is not, the index, and what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np
import polars as pl

from reclens.data.dataset import as_dataset
from reclens.data.read.tables import read_recommendations
from reclens.engine import Progress, quiet
from reclens.errors import Advice, Setting, UsageError
from reclens.explore.cards import EmbeddingRow, ExplorationCard, ExploreSettingsCard
from reclens.explore.checks import check_before, check_columns, check_users
from reclens.explore.cluster import Regions, cluster_map, cluster_space, purity
from reclens.explore.coverage import Coverage, measure_coverage, suspects_of
from reclens.explore.demand import SupplyDemand, supply_and_demand
from reclens.explore.drift import Drift, drift_between
from reclens.explore.findings import exploration_findings
from reclens.explore.geometry import near_duplicates, space_shape
from reclens.explore.hubness import hubness, remedies
from reclens.explore.labels import name_regions
from reclens.explore.measures import measures_of
from reclens.explore.neighbours import NeighbourGraph, neighbour_graph
from reclens.explore.project import PointMap
from reclens.explore.quality import map_quality
from reclens.explore.reach import IndexProbe, Reach, probe_index, reach_ladder, stored_rows
from reclens.explore.result import Exploration, Missing
from reclens.explore.retrieval import RetrievalRecall, retrieval_recall
from reclens.explore.settings import ExploreSettings
from reclens.explore.space import EmbeddingSpace
from reclens.explore.users import mean_users
from reclens.protocols import VectorStore
from reclens.schema import ITEM, RANK, Recommendations

__all__ = ["run"]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Given:
    """What an exploration works on."""

    space: EmbeddingSpace
    lists: pl.DataFrame | None
    truth: pl.DataFrame | None
    users: EmbeddingSpace | None
    popularity: np.ndarray | None
    store: VectorStore | None
    probes: Mapping[str, np.ndarray]
    settings: ExploreSettings
    progress: Progress


def run(
    space: EmbeddingSpace,
    lists: Any = None,
    truth: Any = None,
    *,
    users: EmbeddingSpace | None = None,
    train: Any = None,
    store: VectorStore | None = None,
    probes: Mapping[str, np.ndarray] | None = None,
    before: EmbeddingSpace | None = None,
    point_map: PointMap | None = None,
    settings: ExploreSettings | None = None,
    progress: Progress = quiet,
    **options: Any,
) -> Exploration:
    """Explore a space: what the recommender shows of it, what it never finds, and why.

    Only the space is needed. What is not given is not measured, and ``missing`` says so.

    Args:
        space: The items.
        lists: Lists of any system, as for ``rl.evaluate``, of which the first ``k`` count as shown.
        truth: Held-out interactions: what users turned out to want.
        users: Vectors of users or queries in the same space. Without them, and with ``train``, users are the mean of
            their items.
        train: Training interactions: popularity, and users.
        store: The index that the recommender searches, of any backend.
        probes: Held-out queries and novel texts as vectors, by kind, for the index; by default the users.
        before: An earlier version of the space, of the same model; it may have been trained anew.
        point_map: A map. The clusters of UMAP are the regions; without one, and for principal components, the space
            itself is clustered.
        settings: What is looked at; or give its fields by name.
        progress: Called as work goes on.
        options: Fields of :class:`ExploreSettings`, such as ``k=20``.

    Raises:
        DataError: If a table is not what it has to be, or has no item of the space, or the space has a single item.
        IncomparableError: If the users, or the earlier version, were made by another model than the items.
        UnknownNameError: If the settings name an attribute that the space does not have.
        UsageError: If settings and their fields are both given, or the map is of other items.

    Example:
        >>> from reclens.explore.planted import planted_space
        >>> world = planted_space("hole", strength=0.02, n_items=600, n_users=200, clusters=6)
        >>> found = run(world.items, world.lists, world.truth, users=world.users, store=world.store)
        >>> [each.code for each in found.findings if each.severity == "warning"]
        ['hole']
    """
    if settings is not None and options:
        raise UsageError(
            f"settings and {', '.join(options)} are both given",
            advice=Advice("one_of_settings", (Setting("settings"),), "Put all of them into {settings}."),
        )
    settings = settings or ExploreSettings(**options)
    if point_map is not None and not point_map.ids.equals(space.ids):
        raise UsageError("the map is of other items than the space, or in another order: make it of this space.")
    check_columns(space, settings)
    if users is not None:
        check_users(space, users)
    if before is not None:
        check_before(space, before)
    trained = None if train is None else as_dataset(train, argument="train").interactions
    if users is None and trained is not None:
        users = mean_users(space, trained)
    given = _Given(
        space=space,
        lists=None if lists is None else _lists(lists, settings.k),
        truth=None if truth is None else as_dataset(truth, argument="truth").interactions,
        users=users,
        popularity=None if trained is None else _popularity(space, trained),
        store=store,
        probes=probes or ({} if users is None else {"users": users.unit}),
        settings=settings,
        progress=progress,
    )
    found = _explored(given, before, point_map, _name(space, lists))
    told = dict(lists.card) if isinstance(lists, Recommendations) else {}
    return replace(found, card={**found.card, "lists": told})


def _name(space: EmbeddingSpace, lists: Any) -> str:
    return lists.name if isinstance(lists, Recommendations) else space.name


def _lists(lists: Any, k: int) -> pl.DataFrame:
    """The first k of each list: what comes after is not shown."""
    read = lists if isinstance(lists, Recommendations) else read_recommendations(lists)
    return read.table.filter(pl.col(RANK) <= k)


def _popularity(space: EmbeddingSpace, interactions: pl.DataFrame) -> np.ndarray:
    rows = space.rows(interactions[ITEM])
    return np.bincount(rows[rows >= 0], minlength=len(space)).astype(np.float64)


def _explored(given: _Given, before: EmbeddingSpace | None, point_map: PointMap | None, name: str) -> Exploration:
    space, settings = given.space, given.settings
    most = max(1, len(space) - 1)
    k = min(settings.k, most)
    graph = neighbour_graph(
        space,
        k=min(settings.neighbours, most),
        store=given.store,
        threads=settings.threads,
        progress=given.progress,
    )
    regions = _regions(given, graph, point_map)
    hubs = hubness(space, graph, k=k)
    demand = _demand(given, graph)
    coverage = _coverage(given, regions)
    held = None if given.store is None else stored_rows(space, given.store)
    probe = None if held is None else _probed(given, _to_probe(given, coverage, held))
    reach = None if coverage is None else _reach(given, coverage, hubs.counts, demand, (held, probe))
    if coverage is not None:
        coverage = _with_suspects(given, coverage, regions, held, reach)
    category = settings.category
    found = Exploration(
        name=name,
        measures=(),
        findings=(),
        regions=regions,
        map=point_map,
        quality=None if point_map is None else map_quality(space, point_map.points, k=_half(settings, len(space))),
        hubness=hubs,
        remedies=remedies(space, graph, k=k, rng=settings.seed) if settings.remedies else {},
        duplicates=near_duplicates(space, graph, threshold=settings.duplicate, popularity=given.popularity),
        shape=space_shape(space, graph, rng=settings.seed),
        purity=None if category is None else purity(regions.fine, space.attributes[category]),
        coverage=coverage,
        popularity=given.popularity,
        held=held,
        probe=probe,
        reach=reach,
        demand=demand,
        retrieval=_retrieval(given, regions),
        drift=_drift(given, before, regions),
        missing=tuple(_missing(given, before, point_map)),
        card=_card(given, graph),
    )
    found = replace(found, measures=measures_of(found, space, given.users, given.truth, level=settings.level))
    return replace(found, findings=exploration_findings(found, rare=settings.rare, recall=settings.recall))


def _half(settings: ExploreSettings, items: int) -> int:
    return max(1, min(settings.neighbours, (items - 1) // 2))


def _regions(given: _Given, graph: NeighbourGraph, point_map: PointMap | None) -> Regions:
    settings = given.settings
    given.progress("regions", 0, 1)
    if point_map is None or point_map.method == "pca":  # two directions of many keep no groups apart
        count = None if settings.regions is None else min(settings.regions, len(given.space))
        found = cluster_space(given.space, count=count or min(len(given.space), _usual(given.space)), rng=settings.seed)
    else:
        found = cluster_map(point_map.points, given.space, graph)
    named = name_regions(found, given.space, attributes=settings.labels, texts=_texts(given))
    given.progress("regions", 1, 1)
    return named


def _usual(space: EmbeddingSpace) -> int:
    return int(np.clip(len(space) // 100, 2, 60))


def _texts(given: _Given) -> tuple[str, ...]:
    return () if given.settings.text is None else (given.settings.text,)


def _demand(given: _Given, graph: NeighbourGraph) -> SupplyDemand | None:
    if given.users is None:
        return None
    settings = given.settings
    return supply_and_demand(
        given.space,
        given.users,
        graph,
        k=settings.k,
        level=settings.level,
        threads=settings.threads,
        progress=given.progress,
    )


def _coverage(given: _Given, regions: Regions) -> Coverage | None:
    if given.lists is None:
        return None
    return measure_coverage(
        given.space, regions.fine, given.lists, given.truth, names=regions.names, level=given.settings.level
    )


def _with_suspects(
    given: _Given, coverage: Coverage, regions: Regions, held: np.ndarray | None, reach: Reach | None
) -> Coverage:
    """The blind spots with what they may come from."""
    space, settings = given.space, given.settings
    text = settings.text or next((each for each in space.card.text_columns if each in space.attributes.columns), None)
    prices = (
        None
        if settings.price is None
        else space.attributes[settings.price].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    )
    left_out = None
    if reach is not None and given.users is not None:
        left_out = reach.rows, np.array([each == "in_reach" for each in reach.reasons], bool)
    about: dict[str, Any] = {
        "held": held,
        "left_out": left_out,
        "popularity": given.popularity,
        "texts": None if text is None else space.attributes[text],
        "price": prices,
    }
    found = []
    for each in coverage.regions:
        if each.blind:
            inside = regions.fine == each.region
            here, elsewhere = np.flatnonzero(inside & ~coverage.shown), np.flatnonzero(~inside)
            each = replace(each, suspects=suspects_of(here, elsewhere, **about))
        found.append(each)
    return replace(coverage, regions=tuple(found))


def _reach(
    given: _Given,
    coverage: Coverage,
    occurrences: np.ndarray,
    demand: SupplyDemand | None,
    index: tuple[np.ndarray | None, IndexProbe | None],
) -> Reach:
    settings = given.settings
    return reach_ladder(
        given.space,
        coverage.shown,
        k=min(settings.k, len(given.space)),
        users=given.users,
        occurrences=occurrences,
        demand=demand,
        held=index[0],
        probe=index[1],
        most_exact=settings.most_exact,
        rng=settings.seed,
        progress=given.progress,
    )


def _to_probe(given: _Given, coverage: Coverage | None, held: np.ndarray) -> np.ndarray:
    """Items to query by their own vectors: those without exposure, or a sample if there are no lists."""
    if coverage is not None:
        return np.flatnonzero(~coverage.shown & held)
    return np.sort(_sampled(np.flatnonzero(held), given.settings))


def _probed(given: _Given, rows: np.ndarray) -> IndexProbe | None:
    if not given.probes or given.store is None:
        return None
    sampled = {name: _sampled(each, given.settings) for name, each in given.probes.items()}
    return probe_index(
        given.space, given.store, sampled, rows=rows, threads=given.settings.threads, progress=given.progress
    )


def _sampled(queries: np.ndarray, settings: ExploreSettings) -> np.ndarray:
    if len(queries) <= settings.probes:
        return queries
    return queries[np.sort(np.random.default_rng(settings.seed).choice(len(queries), settings.probes, replace=False))]


def _retrieval(given: _Given, regions: Regions) -> RetrievalRecall | None:
    if given.store is None or not given.probes:
        return None
    settings = given.settings
    return retrieval_recall(
        given.space,
        given.store,
        np.concatenate([_sampled(np.asarray(each, np.float32), settings) for each in given.probes.values()]),
        k=settings.k,
        regions=regions.fine,
        names=regions.names,
        filters=settings.filters,
        level=settings.level,
        threads=settings.threads,
        progress=given.progress,
    )


def _drift(given: _Given, before: EmbeddingSpace | None, regions: Regions) -> Drift | None:
    if before is None:
        return None
    at = given.space.rows(before.ids)
    places = np.where(at >= 0, regions.fine[np.maximum(at, 0)], -1)
    settings = given.settings
    return drift_between(
        before,
        given.space,
        k=settings.k,
        regions=places,
        names=regions.names,
        level=settings.level,
        threads=settings.threads,
        progress=given.progress,
    )


def _missing(given: _Given, before: EmbeddingSpace | None, point_map: PointMap | None) -> list[Missing]:
    parts: dict[Missing, Any] = {
        "lists": given.lists,
        "truth": given.truth,
        "users": given.users,
        "store": given.store,
        "before": before,
        "map": point_map,
        "category": given.settings.category,
    }
    return [name for name, value in parts.items() if value is None]


def _card(given: _Given, graph: NeighbourGraph) -> ExplorationCard:
    space, store = given.space, given.store
    return {
        "space": space.name,
        "entity": space.entity,
        "revision": space.revision,
        "model": cast("EmbeddingRow", asdict(space.card)),
        "items": len(space),
        "left_out": space.left_out.height,
        "users": 0 if given.users is None else len(given.users),
        "graph": "exact" if graph.exact else "store",
        "store": None if store is None else store.describe().backend,
        "settings": cast("ExploreSettingsCard", asdict(given.settings)),
    }
