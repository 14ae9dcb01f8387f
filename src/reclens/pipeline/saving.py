"""How a fitted pipeline is kept: its spec as JSON, every model in a folder of its own, re-rankers as arrays.

Written and checked as a model is: see :mod:`reclens.models._core.saving`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import polars as pl

from reclens.cards import TrainCard
from reclens.data.dataset import UserItemMatrix
from reclens.data.manifest import VerifiedFolder, mapping, reading, start_writing, write_manifest
from reclens.errors import DataError
from reclens.models import Recommender, get
from reclens.models._core.saving import read_matrix, read_model, write_histories, write_model
from reclens.pipeline import rerank as rerankers
from reclens.pipeline.boosted import BoostedRanker
from reclens.pipeline.candidates import merge
from reclens.pipeline.rerank._base import Reranker
from reclens.pipeline.specs import PipelineSpec
from reclens.pipeline.vectors import retriever_class
from reclens.schema import ITEM, RANK, SCORE, USER, Recommendations, Vocabulary, versions

__all__ = ["FittedPipeline", "load_pipeline", "save_pipeline", "write_pipeline"]

FORMAT = 2
"""Version of the saved form: 2 has a manifest, and every array its form."""


class FittedPipeline(Protocol):
    """What is kept of a fitted pipeline."""

    retrieve: Mapping[str, Mapping[str, Any]]
    rank: Mapping[str, Any] | None
    rerank: Sequence[Mapping[str, Any]]
    exclude_seen: bool
    name: str
    retrievers_: dict[str, Recommender]
    ranker_: Recommender | BoostedRanker | None
    rerankers_: list[Reranker]
    users_: Vocabulary
    items_: Vocabulary
    seen_: UserItemMatrix
    train_: TrainCard

    def _spec(self) -> PipelineSpec: ...


Kind = TypeVar("Kind", bound=FittedPipeline)


def save_pipeline(pipeline: FittedPipeline, folder: Path) -> None:
    """Write a fitted pipeline into an existing, empty folder, and last the manifest."""
    start_writing(folder)
    write_pipeline(pipeline, folder)
    write_manifest(folder)


def write_pipeline(pipeline: FittedPipeline, folder: Path) -> None:
    """Write a fitted pipeline into an existing, empty folder whose manifest somebody else writes."""
    ranker = pipeline.ranker_
    header: dict[str, Any] = {
        "format": FORMAT,
        "spec": {
            "retrieve": dict(pipeline.retrieve),
            "rank": pipeline.rank,
            "rerank": list(pipeline.rerank),
            "exclude_seen": pipeline.exclude_seen,
            "name": pipeline.name,
        },
        "retrievers": {label: model.name for label, model in pipeline.retrievers_.items()},
        "learned": ranker.learned_ if isinstance(ranker, BoostedRanker) else None,
        "ranker": ranker.name if isinstance(ranker, Recommender) else None,
        "train": pipeline.train_,
        "versions": versions(),
    }
    (folder / "pipeline.json").write_text(json.dumps(header, indent=1, default=str), encoding="utf-8")
    write_histories(pipeline.users_, pipeline.items_, pipeline.seen_, folder)
    for label, model in pipeline.retrievers_.items():
        write_model(model, _made(folder / "retrieve" / label))
    if isinstance(ranker, Recommender):
        write_model(ranker, _made(folder / "rank"))
    elif ranker is not None:
        ranker.save(_made(folder / "rank"))
    for number, each in enumerate(pipeline.rerankers_, 1):
        np.savez(folder / f"rerank-{number}.npz", allow_pickle=False, **each.state())


def load_pipeline(cls: type[Kind], folder: Path) -> Kind:
    """Read a pipeline back; nothing in the folder is executed.

    Raises:
        DataError: If the folder does not hold a whole pipeline.
    """
    with reading(folder, "pipeline", fix="Fit it again and save it."):
        return _read(cls, VerifiedFolder.open(folder))


def _read(cls: type[Kind], kept: VerifiedFolder) -> Kind:
    header = kept.json("pipeline.json")
    if header["format"] != FORMAT:
        raise DataError(f"it has format {header['format']}, expected {FORMAT}")
    pipeline = cls(**mapping(header["spec"], "the spec"))
    spec = pipeline._spec()
    pipeline.users_, pipeline.items_ = kept.ids("users.parquet", USER), kept.ids("items.parquet", ITEM)
    pipeline.seen_ = read_matrix(kept, pipeline.users_, pipeline.items_)
    about: Any = mapping(header["train"], "what is said of the training data")
    pipeline.train_ = about
    # A label names a folder inside this one, and nothing else: the spec's own check keeps it to letters and digits.
    names = mapping(header["retrievers"], "the list of retrievers")
    inside = kept.part("retrieve")
    pipeline.retrievers_ = {
        label: read_model(retriever_class(names[label]), inside.part(label)) for label in spec.retrievers
    }
    pipeline.ranker_ = None
    if isinstance(spec.boosted, BoostedRanker):
        spec.boosted.restore(kept.part("rank"))
        learned = header.get("learned")
        told: Any = None if learned is None else mapping(learned, "what is said of the trees")
        spec.boosted.learned_ = told
        _check_names(spec.boosted, list(spec.retrievers))
        pipeline.ranker_ = spec.boosted
    elif header["ranker"] is not None:
        pipeline.ranker_ = read_model(get(header["ranker"]), kept.part("rank"))
    models = [*pipeline.retrievers_.items(), *([("rank", pipeline.ranker_)] if header["ranker"] is not None else [])]
    for label, model in models:
        assert isinstance(model, Recommender)
        if not model.users_.ids.equals(pipeline.users_.ids) or model.items_.is_integer != pipeline.items_.is_integer:
            raise DataError(f"its model '{label}' was fitted on other data")
    pipeline.rerankers_ = [rerankers.build(about) for about in spec.rerankers]
    for number, each in enumerate(pipeline.rerankers_, 1):
        each.restore(kept.arrays(f"rerank-{number}.npz"), pipeline.items_)
    return pipeline


def _check_names(ranker: BoostedRanker, labels: list[str]) -> None:
    """Raise DataError unless the trees are about the features that candidates of these retrievers have."""
    nothing = pl.DataFrame(
        schema={
            USER: ranker.features_.users.ids.dtype,
            ITEM: ranker.features_.items.ids.dtype,
            RANK: pl.Int32(),
            SCORE: pl.Float32(),
        }
    )
    _, names = ranker.features_.table(merge({label: Recommendations(nothing, label, {}) for label in labels}))
    if names != ranker.names_:
        raise DataError("the trees were grown on other features than the pipeline has")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
