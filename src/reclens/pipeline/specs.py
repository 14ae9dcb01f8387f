"""What a pipeline is made of, checked before anything is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from reclens.errors import UnknownNameError, UsageError
from reclens.models import build
from reclens.pipeline import rerank as rerankers
from reclens.pipeline.boosted import BoostedRanker
from reclens.pipeline.candidates import FUSION

__all__ = ["PipelineSpec", "check_spec"]

_KEEP = 100


@dataclass(frozen=True)
class PipelineSpec:
    """The stages, each as the spec of what it is made from.

    Attributes:
        retrievers: Label -> spec of a model.
        ks: Label -> items for each user.
        ranker: Spec of a model; None for the order of the candidates; empty for ``boosted``.
        boosted: The trees, not grown yet; None for another ranker.
        rank_label: What the ranker is called.
        keep: Places that go on from the ranker; None where nothing was said.
        rerankers: Specs of the re-rankers.
    """

    retrievers: Mapping[str, Mapping[str, Any]]
    ks: Mapping[str, int]
    ranker: Mapping[str, Any] | None
    boosted: BoostedRanker | None
    rank_label: str
    keep: int | None
    rerankers: Sequence[Mapping[str, Any]]

    def keep_for(self, k: int) -> int:
        """Places that go on from the ranker to lists of k: 100 and never fewer than k, unless something was said."""
        return max(_KEEP, k) if self.keep is None else self.keep


def check_spec(
    retrieve: Mapping[str, Mapping[str, Any]], rank: Mapping[str, Any] | None, rerank: Sequence[Mapping[str, Any]]
) -> PipelineSpec:
    """Read the stages of a pipeline.

    Raises:
        UsageError: If there is no retriever, or a k is missing or no positive whole number.
        UnknownNameError: If a model, re-ranker or parameter does not exist.
    """
    if not retrieve:
        raise UsageError("a pipeline needs a retriever, such as retrieve={'item_knn': {'k': 200}}.")
    models: dict[str, dict[str, Any]] = {}
    ks: dict[str, int] = {}
    for label, about in retrieve.items():
        if not label.replace("_", "").replace("-", "").isalnum():
            raise UsageError(f"retriever '{label}': use letters, digits, '_' and '-' in its label.")
        models[label] = dict(about)
        if "k" not in models[label]:
            raise UsageError(f"retriever '{label}' has no k: say how many items it brings, such as k = 200.")
        ks[label] = _count(models[label].pop("k"), f"k of the retriever '{label}'")
        build(label, models[label])
    for about in rerank:
        rerankers.build(about)
    if rank is None:
        return PipelineSpec(models, ks, None, None, FUSION, None, rerank)
    ranker = dict(rank)
    keep = _count(ranker.pop("keep"), "keep of the ranker") if "keep" in ranker else None
    name = ranker.get("model")
    if name is None:
        raise UsageError("the ranker has no model: say which, such as rank = { model = 'ease' } or 'boosted'.")
    if name == "boosted":
        del ranker["model"]
        return PipelineSpec(models, ks, {}, _boosted(ranker), "boosted", keep, rerank)
    build("rank", ranker)
    return PipelineSpec(models, ks, ranker, None, str(name), keep, rerank)


def _boosted(parameters: Mapping[str, Any]) -> BoostedRanker:
    known = [field.name for field in fields(BoostedRanker)]
    for name in parameters:
        if name not in known:
            raise UnknownNameError("parameter of the ranker boosted", name, known)
    return BoostedRanker(**parameters)


def _count(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"the {what} is {value!r}, expected a whole number of 1 or more.")
    return value
