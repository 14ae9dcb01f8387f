"""A world like a data set: its users' tastes, its items' appeal, its activity.

Tastes and items come from the singular vectors of the normalised user-item matrix, D_u^-1/2 R D_i^-1/2 (the spectral
embedding of the bipartite graph: Dhillon 2001; as a recommender: PureSVD, Cremonesi, Koren, Turrin 2010), and appeal
from log popularity. How strong tastes are against appeal is one number, the scale of the utilities. It begins where it
makes interactions that the vectors were not fitted to most likely, under a multinomial choice among items met by
popularity (conditional logit: McFadden 1974). Then the world is lived some times, and appeal and scale are moved until
what is consumed has the popularity of the data, and a recommender tells held-out items from others as popular as well
as it does there (indirect inference: Gouriéroux, Monfort, Renault 1993): nobody takes a thing twice, which takes most
from the most popular, and fitted vectors know less than users do. What a personal recommender is worth in the world
rests on the scale, and co-occurrence hardly binds it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.errors import UsageError
from reclens.schema import ITEM, USER
from reclens.world.cards import WorldCard
from reclens.world.effect_size import held_out_auc
from reclens.world.population import World, build_world, organic_table
from reclens.world.realism_result import history_of
from reclens.world.settings import WorldSettings

__all__ = ["fit_world"]

_HELD_OUT: Final = 0.1
_PAIRS: Final = 20_000
_MET: Final = 16
_PRIOR: Final = 10.0
"""Interactions that are worth as much as what is known beforehand."""
_ROUNDS: Final = 5
_STEP: Final = 0.8
_CASES: Final = 4_000
_LEAST_SKILL: Final = 0.01
"""Less than this above one half is noise."""


def fit_world(data: Dataset, settings: WorldSettings | None = None, *, seed: int = 0) -> World:
    """A world that is like a data set.

    Users of the world are users of the data, drawn with replacement where the settings ask for another number; their
    attributes and numbers of interactions come with them. What they had before the first day is lived anew, by the
    choices of the world, so that the realism report can hold it against the data.

    Args:
        data: What the world should be like.
        settings: What cannot be seen in interactions: examination, satiation, return …; ``items`` is that of the data,
            and ``users`` too without settings.
        seed: Seed of the random numbers.

    Raises:
        UsageError: If the data has fewer than 20 users or items.
    """
    matrix = data.matrix()
    if min(matrix.n_rows, matrix.n_columns) < 20:
        raise UsageError(
            f"the data set '{data.name}' has {matrix.n_rows} users and {matrix.n_columns} items: expected 20 or more "
            "of each to fit a world to. Draw one instead."
        )
    rng = np.random.default_rng([seed, 7])
    given = settings if settings is not None else WorldSettings(users=matrix.n_rows)
    d = min(given.factors, min(matrix.n_rows, matrix.n_columns) - 2)
    left = rng.random(len(matrix.indices)) >= _HELD_OUT
    tastes, vectors = _embed(matrix, left, d)
    counts = np.bincount(matrix.indices, minlength=matrix.n_columns)
    appeal = np.log(counts + 1.0)
    appeal -= appeal.mean()
    scale = _scale(matrix, ~left, tastes, vectors, appeal, rng)
    activity = np.diff(matrix.indptr)
    source = np.arange(matrix.n_rows)
    if given.users != matrix.n_rows:
        source = rng.integers(0, matrix.n_rows, given.users)
    final = given.model_copy(update={"items": matrix.n_columns, "factors": d, "users": len(source)})
    topics = _group(vectors, final.topics, rng)
    born = _births(matrix.n_columns, final, rng)
    parts: dict[str, Any] = {
        "users": _people(data, source),
        "items": _things(data),
        "tastes": tastes[source],
        "vectors": vectors,
        "topics": topics,
        "born": born,
        "seed": seed,
        "activity": activity[source],
    }
    whole = {**parts, "settings": final.model_copy(update={"new_share": 0.0}), "born": np.full_like(born, -1)}
    appeal, scale = _matched(data, counts, whole, appeal, scale)
    card: WorldCard = {
        "kind": "fitted",
        "data": data.name,
        "hash": data.fingerprint,
        "seed": seed,
        "scale": scale,
        "resampled": final.users != matrix.n_rows,
    }
    return build_world(final, appeal=appeal, scale=scale, card=card, **parts)


def _births(n_items: int, settings: WorldSettings, rng: np.random.Generator) -> np.ndarray:
    """The day on which each item appears: most before the first day, some while the world is lived."""
    born = -rng.integers(0, 2_000, n_items)
    later = rng.permutation(n_items)[: int(settings.births * n_items)]
    born[later] = rng.integers(1, settings.birth_days + 1, len(later))
    return born


def _matched(
    data: Dataset, counts: np.ndarray, parts: dict[str, Any], appeal: np.ndarray, scale: float
) -> tuple[np.ndarray, float]:
    """Appeal and scale with which the world has the popularity of the data and tells held-out items as well.

    Args:
        data: The data to resemble.
        counts: Interactions of each item.
        parts: Of the world, without ``card``, ``appeal`` and ``scale``.
        appeal: To begin with, shape (items,).
        scale: To begin with.
    """
    seed = parts["seed"]
    skill = max(held_out_auc(data, cases=_CASES, seed=seed) - 0.5, _LEAST_SKILL)
    for _ in range(_ROUNDS):
        lived = history_of(build_world(**parts, card={}, appeal=appeal, scale=scale))
        seen = np.bincount(data.item_vocabulary.encode(lived.interactions[ITEM]), minlength=len(counts))
        appeal = appeal + _STEP * np.log((counts / counts.sum() * seen.sum() + 1) / (seen + 1))
        reached = max(held_out_auc(lived, cases=_CASES, seed=seed) - 0.5, _LEAST_SKILL)
        scale *= float(np.clip((skill / reached) ** 1.5, 0.5, 2.0))
    return appeal, scale


def _embed(matrix: UserItemMatrix, kept: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Singular vectors of the normalised matrix without its first pair, which is popularity again."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import svds

    rows = np.repeat(np.arange(matrix.n_rows), np.diff(matrix.indptr))[kept]
    columns = matrix.indices[kept]
    by_user = np.bincount(rows, minlength=matrix.n_rows) + 1.0
    by_item = np.bincount(columns, minlength=matrix.n_columns) + 1.0
    values = 1 / np.sqrt(by_user[rows] * by_item[columns])
    sparse = csr_matrix((values, (rows, columns)), shape=(matrix.n_rows, matrix.n_columns))
    start = np.ones(min(matrix.n_rows, matrix.n_columns))  # svds would draw its own
    solve: Any = svds  # half-typed
    u, s, vt = solve(sparse, k=d + 1, v0=start)
    order = np.argsort(-s)[1:]
    return _shrunk(u[:, order] * s[order], by_user), _shrunk(vt[order].T, by_item)


def _shrunk(points: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Singular vectors as positions, shrunk towards the centre for rows with little data; the longest are clipped."""
    places = points * (np.sqrt(counts) / (counts + _PRIOR))[:, None]
    lengths = np.linalg.norm(places, axis=1)
    places *= np.minimum(1, np.quantile(lengths, 0.98) / np.maximum(lengths, 1e-12))[:, None]
    return places / np.sqrt((places**2).sum(axis=1).mean())


def _scale(
    matrix: UserItemMatrix,
    held: np.ndarray,
    tastes: np.ndarray,
    vectors: np.ndarray,
    appeal: np.ndarray,
    rng: np.random.Generator,
) -> float:
    """The scale that makes held-out interactions most likely among items met by popularity; by golden section."""
    rows = np.repeat(np.arange(matrix.n_rows), np.diff(matrix.indptr))[held]
    columns = matrix.indices[held]
    if len(rows) > _PAIRS:
        some = rng.choice(len(rows), _PAIRS, replace=False)
        rows, columns = rows[some], columns[some]
    table = organic_table(appeal)
    met = np.column_stack([columns, table[rng.integers(0, len(table), (len(rows), _MET))]])
    values = np.einsum("nd,nkd->nk", tastes[rows], vectors[met])

    def loss(log_scale: float) -> float:
        utility = np.exp(log_scale) * values
        top = utility.max(axis=1)
        return float((top + np.log(np.exp(utility - top[:, None]).sum(axis=1)) - utility[:, 0]).mean())

    low, high, ratio = -8.0, 6.0, (np.sqrt(5) - 1) / 2
    for _ in range(60):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return float(np.exp((low + high) / 2))


def _group(vectors: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Topics: k-means on the directions of the items."""
    points = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    centres = points[rng.choice(len(points), min(n, len(points)), replace=False)]
    for _ in range(20):
        labels = np.argmax(points @ centres.T, axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, labels, points)
        size = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(size > 0, sums / np.maximum(size, 1e-12), centres)
    return np.argmax(points @ centres.T, axis=1)


def _people(data: Dataset, source: np.ndarray) -> pl.DataFrame:
    """Ids and attributes of the users; copies of a user get new ids and name their original."""
    ids = data.user_vocabulary.ids.alias(USER).to_frame()
    if data.users is not None:
        known = data.users.drop([name for name in ("cohort", "variant") if name in data.users.columns])
        ids = ids.join(
            known.with_columns(pl.col(USER).cast(ids.schema[USER])), on=USER, how="left", maintain_order="left"
        )
    if len(source) == ids.height and (source == np.arange(len(source))).all():
        return ids
    people = ids[source].rename({USER: "like"})
    return people.select(pl.Series(USER, np.arange(len(source))), pl.all())


def _things(data: Dataset) -> pl.DataFrame:
    ids = data.item_vocabulary.ids.alias(ITEM).to_frame()
    if data.items is None:
        return ids
    known = data.items.drop([name for name in ("topic", "born") if name in data.items.columns])
    return ids.join(known.with_columns(pl.col(ITEM).cast(ids.schema[ITEM])), on=ITEM, how="left", maintain_order="left")
