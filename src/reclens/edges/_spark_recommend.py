"""Lists of a fitted model for the users of a frame of Spark: each task reads the model, and serves its users."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import polars as pl

from reclens.data.manifest import MANIFEST
from reclens.edges._spark_frames import column_of, frame_of, is_spark_frame
from reclens.errors import ArgumentTypeError, ArgumentValueError, DataError
from reclens.models._core.loading import load_any_model
from reclens.schema import ITEM, RANK, SCORE, USER
from reclens.workspace import Workspace

__all__ = ["recommend_on"]

_CARD: Final = "card.json"
_AT_ONCE: Final = 10_000
"""Users that are served at a time: their lists are in memory together."""


def recommend_on(engine: Any, folder: str | Path, users: Any, **how: Any) -> Any:
    """The frame of the lists; it is computed when it is written or shown.

    Args:
        engine: The engine.
        folder: Folder of the model, by a path that the driver and every executor have: one that ``save`` wrote, or
            ``model/NAME`` of a workspace.
        users: A frame with ``user_id``.
        **how: Other arguments of :meth:`~reclens.models.Recommender.recommend` that are the same for every user.
    """
    for name in ("candidates", "exclude"):
        if is_spark_frame(how[name]) or isinstance(how[name], pl.DataFrame):
            raise ArgumentTypeError(name, how[name], expected="ids, which are the same for every user")
    place = Path(folder).absolute()
    stamp = _stamp(place)
    model = _model(place, stamp)
    frame = frame_of(engine, users, "the users", USER).select(USER).distinct()
    integer = dict(frame.dtypes)[USER] != "string"
    if integer != model.users_.is_integer and len(model.users_):
        kinds = ["strings", "integers"]
        raise DataError(
            f"ids of users are {kinds[integer]}, and those of the model {kinds[not integer]}, so that none can match",
            column=USER,
            fix="Cast the column.",
        )
    if integer:
        frame = frame.withColumn(USER, column_of(USER).cast("bigint"))
    kind = "bigint" if integer else "string"
    item = "bigint" if model.items_.is_integer else "string"
    n = engine.partitions
    if n is not None and n < 1:
        raise ArgumentValueError("partitions", f"is {n}, expected 1 or more, or None for the session's")
    cut = frame.repartition(n, USER) if n else frame
    columns = f"{USER} {kind}, {ITEM} {item}, {RANK} int, {SCORE} double"
    return cut.mapInArrow(partial(_served, place, stamp, how), columns)


def _served(place: Path, stamp: str, how: dict[str, Any], batches: Iterator[Any]) -> Iterator[Any]:
    """The work of a task: the lists of its users, some users at a time."""
    import pyarrow as pa

    for batch in batches:
        users = pl.DataFrame(pl.from_arrow(batch))[USER]
        for start in range(0, len(users), _AT_ONCE):
            lists = _model(place, stamp).recommend(users.slice(start, _AT_ONCE), threads=1, **how).table
            text = pa.string() if lists[USER].dtype == pl.String else pa.int64()
            items = pa.string() if lists[ITEM].dtype == pl.String else pa.int64()
            kinds = pa.schema([(USER, text), (ITEM, items), (RANK, pa.int32()), (SCORE, pa.float64())])
            found = lists.select(USER, ITEM, RANK, SCORE).to_arrow(compat_level=pl.CompatLevel.oldest())
            yield from found.cast(kinds).to_batches()


@lru_cache(maxsize=1)
def _model(place: Path, stamp: str) -> Any:
    """The model of a folder, read once by each process.

    Raises:
        DataError: If it is not whole, or another one than the driver read.
    """
    if _stamp(place) != stamp:
        raise DataError(
            "it holds another model than the driver read", source=str(place), fix="Copy it to every executor."
        )
    kept = place.parent.name == "model" and (place / _CARD).is_file()
    return Workspace(place.parent.parent).load("model", place.name) if kept else load_any_model(place)


def _stamp(place: Path) -> str:
    """What tells a saved model from others: the hash of its manifest, or of its card in a workspace.

    Raises:
        DataError: If there is no model.
    """
    for name in (MANIFEST, _CARD):
        if (place / name).is_file():
            return sha256((place / name).read_bytes()).hexdigest()
    raise DataError("there is no model", source=str(place), fix="Name a folder that every executor can read.")
