"""What a pipeline is made of, checked before anything is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from reclens.errors import ArgumentTypeError, UnknownNameError, UsageError, expect_type
from reclens.models import build
from reclens.models._core.parameters import is_label
from reclens.pipeline import rerank as rerankers
from reclens.pipeline.boosted import BoostedRanker
from reclens.pipeline.candidates import FUSION
from reclens.pipeline.vectors import build_retriever

__all__ = ["PipelineSpec", "check_spec"]

_KEEP = 100


@dataclass(frozen=True, kw_only=True)
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
        ArgumentTypeError: If a stage is no mapping.
        UsageError: If there is no retriever, or a k is missing or no positive whole number.
        UnknownNameError: If a model, re-ranker or parameter does not exist.
    """
    _expect(retrieve, rank, rerank)
    if not retrieve:
        raise UsageError(f"a pipeline needs a retriever, such as {_RETRIEVE}.")
    models: dict[str, dict[str, Any]] = {}
    ks: dict[str, int] = {}
    for label, about in retrieve.items():
        if not is_label(label):
            raise UsageError(
                f"retriever '{label}': use letters, digits, '_' and '-' in its label, and no name of a device such as "
                "'con'."
            )
        if alike := [other for other in models if other.casefold() == label.casefold()]:
            raise UsageError(
                f"retriever '{label}': there is '{alike[0]}', which is the same name where file systems do not tell "
                "capitals from small letters. Choose another label."
            )
        models[label] = dict(about)
        if "k" not in models[label]:
            raise UsageError(f"retriever '{label}' has no k: say how many items it brings, such as k = 200.")
        ks[label] = _count(models[label].pop("k"), f"k of the retriever '{label}'")
        build_retriever(label, models[label])
    for about in rerank:
        rerankers.build(about)
    if rank is None:
        return PipelineSpec(
            retrievers=models, ks=ks, ranker=None, boosted=None, rank_label=FUSION, keep=None, rerankers=rerank
        )
    ranker = dict(rank)
    keep = _count(ranker.pop("keep"), "keep of the ranker") if "keep" in ranker else None
    name = ranker.get("model")
    if name is None:
        raise UsageError("the ranker has no model: say which, such as rank = { model = 'ease' } or 'boosted'.")
    if name == "boosted":
        del ranker["model"]
        return PipelineSpec(
            retrievers=models,
            ks=ks,
            ranker={},
            boosted=_boosted(ranker),
            rank_label="boosted",
            keep=keep,
            rerankers=rerank,
        )
    build("rank", ranker)
    return PipelineSpec(
        retrievers=models, ks=ks, ranker=ranker, boosted=None, rank_label=str(name), keep=keep, rerankers=rerank
    )


def _expect(retrieve: object, rank: object, rerank: object) -> None:
    """Refuse stages that are not written as stages, with how they are written.

    Raises:
        ArgumentTypeError: If one is of another type.
    """
    stages = f"retrieve={{'{retrieve}': {{'k': 200}}}}" if isinstance(retrieve, str) else _RETRIEVE
    expect_type("retrieve", retrieve, Mapping, expected="a mapping of labels to retrievers", fix=f"Write {stages}.")
    assert isinstance(retrieve, Mapping)
    for label, about in retrieve.items():
        expect_type("the label of a retriever", label, str, expected="a text", fix=f"Write {_RETRIEVE}.")
        fix = f"Write retrieve={{'{label}': {{'k': {about if isinstance(about, int) else 200}}}}}."
        expect_type(f"the retriever '{label}'", about, Mapping, expected="a mapping with its k", fix=fix)
    if rank is not None:
        ranker = f"rank={{'model': '{_name_of(rank) or 'ease'}'}}"
        expect_type("rank", rank, Mapping, expected="a mapping with its model", fix=f"Write {ranker}.")
    kinds = [rerank] if isinstance(rerank, str | Mapping) else list(rerank) if isinstance(rerank, Sequence) else []
    written = [each if isinstance(each, Mapping) else {"kind": _name_of(each) or "mmr"} for each in kinds]
    fix = f"Write rerank={[dict(each) for each in written] or [{'kind': 'mmr'}]}."
    if isinstance(rerank, str | Mapping):
        raise ArgumentTypeError("rerank", rerank, expected="a list of mappings, each with its kind", fix=fix)
    expect_type("rerank", rerank, Sequence, expected="a list of mappings, each with its kind", fix=fix)
    for at, each in enumerate(kinds):
        expect_type(f"rerank[{at}]", each, Mapping, expected="a mapping with its kind", fix=fix)


_RETRIEVE: Final = "retrieve={'item_knn': {'k': 200}}"


def _name_of(stage: object) -> str | None:
    """What a stage is called: the text itself, or the name of a model or re-ranker that was made already."""
    name = stage if isinstance(stage, str) else getattr(stage, "name", getattr(stage, "kind", None))
    return name if isinstance(name, str) else None


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
