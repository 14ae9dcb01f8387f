"""How a fitted pipeline is kept: its spec as JSON, every model in a folder of its own, re-rankers as arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import polars as pl

from reclens.data.dataset import UserItemMatrix
from reclens.data.frames import read_parquet
from reclens.errors import RecLensError, WorkspaceError
from reclens.models import Recommender, get
from reclens.pipeline import rerank as rerankers
from reclens.pipeline.boosted import BoostedRanker
from reclens.schema import ITEM, USER, Vocabulary, read_arrays, versions

if TYPE_CHECKING:
    from reclens.pipeline.pipeline import Pipeline

__all__ = ["load_pipeline", "save_pipeline"]

FORMAT = 1
"""Version of the saved form."""

Kind = TypeVar("Kind", bound="Pipeline")


def save_pipeline(pipeline: Pipeline, folder: Path) -> None:
    """Write a fitted pipeline into an existing, empty folder."""
    ranker = pipeline.ranker_
    header: dict[str, Any] = {
        "format": FORMAT,
        "spec": {"retrieve": dict(pipeline.retrieve), "rank": pipeline.rank, "rerank": list(pipeline.rerank),
                 "exclude_seen": pipeline.exclude_seen, "name": pipeline.name},
        "retrievers": {label: model.name for label, model in pipeline.retrievers_.items()},
        "learned": ranker.learned_ if isinstance(ranker, BoostedRanker) else None,
        "ranker": ranker.name if isinstance(ranker, Recommender) else None,
        "train": pipeline.train_,
        "versions": versions(),
    }  # fmt: skip
    (folder / "pipeline.json").write_text(json.dumps(header, indent=1, default=str), encoding="utf-8")
    pl.DataFrame({USER: pipeline.users_.ids}).write_parquet(folder / "users.parquet")
    pl.DataFrame({ITEM: pipeline.items_.ids}).write_parquet(folder / "items.parquet")
    np.savez(folder / "seen.npz", indptr=pipeline.seen_.indptr, indices=pipeline.seen_.indices)
    for label, model in pipeline.retrievers_.items():
        model.save(_made(folder / "retrieve" / label))
    if ranker is not None:
        ranker.save(_made(folder / "rank"))
    for number, each in enumerate(pipeline.rerankers_, 1):
        np.savez(folder / f"rerank-{number}.npz", allow_pickle=False, **each.state())


def load_pipeline(cls: type[Kind], folder: Path) -> Kind:
    """Read a pipeline back; nothing in the folder is executed.

    Raises:
        WorkspaceError: If the folder does not hold a whole pipeline.
    """
    try:
        header = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        if header["format"] != FORMAT:
            raise ValueError(f"it has format {header['format']}")
        pipeline = cls(**header["spec"])
        spec = pipeline._spec()
        pipeline.users_ = Vocabulary(read_parquet(folder / "users.parquet")[USER])
        pipeline.items_ = Vocabulary(read_parquet(folder / "items.parquet")[ITEM])
        seen = read_arrays(folder / "seen.npz")
        ones = np.ones(len(seen["indices"]), np.float32)
        pipeline.seen_ = UserItemMatrix(seen["indptr"], seen["indices"], ones, len(pipeline.items_))
        pipeline.train_ = header["train"]
        # A label names a folder inside this one, and nothing else: the spec's own check keeps it to letters and digits.
        names = header["retrievers"]
        pipeline.retrievers_ = {label: get(names[label]).load(folder / "retrieve" / label) for label in spec.retrievers}
        pipeline.ranker_ = None
        if isinstance(spec.boosted, BoostedRanker):
            spec.boosted.restore(folder / "rank")
            spec.boosted.learned_ = header.get("learned")
            pipeline.ranker_ = spec.boosted
        elif header["ranker"] is not None:
            pipeline.ranker_ = get(header["ranker"]).load(folder / "rank")
        pipeline.rerankers_ = [rerankers.build(about) for about in spec.rerankers]
        for number, each in enumerate(pipeline.rerankers_, 1):
            each.restore(read_arrays(folder / f"rerank-{number}.npz"))
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError, RecLensError) as error:
        raise WorkspaceError(f"{folder}: not a whole pipeline ({error}). Fit it again and save it.") from error
    return pipeline


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
