"""Item and user vectors of a fitted recommender, in one space.

The dot product of a user and an item is the score that the model gives, or comes nearest to it in the dimensions asked
for: a model of item-item weights W scores by the history x as x W, and with W ≈ U S Vᵀ the user is x U √S and the item
its row of V √S.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from reclens.engine import LocalEngine, Progress, chunk_ranges, quiet
from reclens.errors import ArgumentValueError, UsageError
from reclens.explore.linear_algebra import truncated_svd
from reclens.explore.space import EmbeddingCard, EmbeddingSpace, Entity
from reclens.models import Recommender, get, names
from reclens.models._core.block import Block
from reclens.models._core.factors import FactorModel
from reclens.models._core.item_weights import ItemWeights
from reclens.models.ease import EASE
from reclens.schema import ITEM, USER, stable_hash

__all__ = ["ModelSpaces", "embed_model"]

_USERS: Final = 4096


class ModelSpaces(NamedTuple):
    """Items and users of one model, in one space.

    Attributes:
        items: The items.
        users: The users of the training data.
    """

    items: EmbeddingSpace
    users: EmbeddingSpace


def embed_model(
    model: Recommender,
    *,
    dimension: int = 64,
    items: pl.DataFrame | None = None,
    users: pl.DataFrame | None = None,
    name: str | None = None,
    progress: Progress = quiet,
) -> ModelSpaces:
    """The vectors of a fitted model: of its items, and of its users.

    Factor models (ALS, BPR, PureSVD) have them; BPR's bias of an item is the last dimension of its vector, where that
    of every user is 1. Models of item-item weights (EASE, SLIM, RP3beta) have the leading singular vectors of
    their weights.

    Args:
        model: The model.
        dimension: Length of the vectors of a model of item-item weights.
        items: Attributes by ``item_id``.
        users: Attributes by ``user_id``.
        name: Name of the spaces; None for that of the model.
        progress: Called as users are done.

    Returns:
        The two spaces. An id whose vector is 0 is listed in ``left_out``.

    Raises:
        NotFittedError: If the model was not fitted.
        UsageError: If the model has no vectors.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> from reclens.models import PureSVD
        >>> data = synthetic_movielens(n_users=50, n_items=40, n_ratings=900)
        >>> embed_model(PureSVD(factors=8).fit(data)).items.vectors.shape
        (40, 8)
    """
    model._need_fit()
    if isinstance(model, FactorModel):
        of_items, of_users, told = model.item_factors_, _users_of_factors(model, progress), {}
    elif isinstance(model, EASE | ItemWeights):
        of_items, of_users, told = _of_weights(model, dimension, progress)
    else:
        able = [each for each in names() if issubclass(get(each), FactorModel | EASE | ItemWeights)]
        raise UsageError(f"{model.name} has no vectors of items and users. Models that do: {', '.join(able)}.")
    digest = hashlib.blake2b(np.ascontiguousarray(of_items).view(np.uint8).data, digest_size=8).hexdigest()
    settings = {**told, "train": model.train_["hash"], "synthetic": model.train_["synthetic"]}
    card = EmbeddingCard(
        model=model.name,
        revision=digest,
        dimension=of_items.shape[1],
        source="model",
        normalized=False,
        similarity="dot",
        settings=settings,
    )
    label = name or model.name

    def space(ids: pl.Series, vectors: np.ndarray, entity: Entity, attributes: pl.DataFrame | None) -> EmbeddingSpace:
        return EmbeddingSpace.of_usable(ids, vectors, card, entity=entity, name=label, attributes=attributes)

    about_items = _joined(model.items_.ids, items, ITEM)
    if about_items is None and model.titles_ is not None:
        about_items = pl.DataFrame({"title": model.titles_})
    return ModelSpaces(
        space(model.items_.ids, of_items, "item", about_items),
        space(model.users_.ids, of_users, "user", _joined(model.users_.ids, users, USER)),
    )


def _users_of_factors(model: FactorModel, progress: Progress) -> np.ndarray:
    keys = stable_hash(model.users_.ids)
    parts = chunk_ranges(len(model.users_), _USERS)

    def vectors(part: range) -> np.ndarray:
        rows = np.arange(part.start, part.stop)
        return model._vectors(Block.of_training(rows, model.seen_, keys[rows]))

    found: list[np.ndarray] = []
    for part in LocalEngine().map(vectors, parts):
        found.append(part)
        progress("vectors of users", len(found), len(parts))
    return np.concatenate(found)


def _of_weights(
    model: EASE | ItemWeights, dimension: int, progress: Progress
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Items and users by the leading singular vectors of item-item weights, and how much of the weights these hold."""
    from scipy.sparse import csr_array

    if dimension < 1:
        raise ArgumentValueError("dimension", f"is {dimension}, expected 1 or more")
    n = len(model.items_)
    if isinstance(model, EASE):
        weights: Any = model.weights_
        total = float(np.square(weights, dtype=np.float64).sum())
    else:
        near = model.weights_
        weights = csr_array((near.values, near.indices, near.indptr), shape=(n, n))
        total = float(np.square(near.values, dtype=np.float64).sum())
    left, values, right = truncated_svd(weights, dimension)
    progress("singular vectors", 1, 1)
    seen, root = model.seen_, np.sqrt(values)
    histories: Any = csr_array((seen.values, seen.indices, seen.indptr), shape=(seen.n_rows, n))
    share = float((values**2).sum() / total) if total else 0.0
    return right.T * root, histories @ (left * root), {"method": "svd of item weights", "explained": share}


def _joined(ids: pl.Series, table: pl.DataFrame | None, column: str) -> pl.DataFrame | None:
    """The rows of a table of attributes, in the order of ids; null where an id is not in it."""
    if table is None:
        return None
    own = table.unique(column, keep="first").with_columns(pl.col(column).cast(ids.dtype))
    joined = pl.DataFrame({column: ids}).join(own, on=column, how="left", maintain_order="left").drop(column)
    return joined.rename({"id": "id_"}) if "id" in joined.columns else joined
