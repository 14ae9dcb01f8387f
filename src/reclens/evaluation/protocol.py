"""The protocol card: what was measured on what, and whether two cards may be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, Literal, cast

from reclens.data.dataset import Dataset
from reclens.data.split import task_of
from reclens.errors import IncomparableError
from reclens.evaluation.cards import EvaluationCard
from reclens.evaluation.together import Aspect, disagreements
from reclens.metrics.conventions import Convention
from reclens.schema import versions

__all__ = [
    "TaskProblem",
    "check_comparable",
    "make_card",
    "not_alike",
]

TaskProblem = Literal["seen_items_listed", "seen_items_filtered", "truth_in_training"]
"""How the lists or the truth do not fit the task, which is the split's.

``seen_items_listed``: only new items count, but lists hold items that the user had. ``seen_items_filtered``: repeats
count, but the lists leave out what the user had. ``truth_in_training``: more than 1 % of the truth stands in training,
and the split, if there is one, does not say that repeats count.
"""
_MANY: Final = 0.01


def make_card(
    given: Mapping[str, Any],
    counts: Mapping[str, int | None],
    *,
    source_card: Mapping[str, Any],
    rules: Sequence[Mapping[str, Any]],
    train: Dataset | None,
    metrics: Sequence[str],
    depth: int,
    convention: Convention,
    level: float,
    replicates: int,
    seed: int,
    by: Sequence[str],
) -> EvaluationCard:
    """The card of an evaluation.

    ``seen_items`` is observed and not declared: ``"excluded"`` when no list holds an item of the user's training data.
    ``task`` is that of the split, and ``task_problems`` has a :data:`TaskProblem` for what does not fit it.
    """
    seen = counts["recommendations_seen_in_training"]
    split = None if train is None else train.card.get("split")
    card = {
        **given,
        **counts,
        "metrics": list(metrics),
        "by": list(by),
        "depth": depth,
        "convention": asdict(convention),
        "seen_items": "unknown" if seen is None else "excluded" if seen == 0 else "included",
        "split": split,
        "task": task_of(split),
        "synthetic": _is_synthetic(train, source_card),
        "level": level,
        "interval": "bca_widened",
        "replicates": replicates,
        "seed": seed,
        "lists": dict(source_card),
        "rules": [dict(rule) for rule in rules],
        "versions": versions(),
    }
    return cast("EvaluationCard", {**card, "task_problems": list(_problems_of(card))})


def _is_synthetic(train: Dataset | None, lists: Mapping[str, Any]) -> bool:
    """Whether the truth or the training data is synthetic."""
    learned = lists.get("train")
    held = None if train is None else train.card.get("synthetic")
    return bool(held or lists.get("synthetic") or (isinstance(learned, Mapping) and learned.get("synthetic")))


def _problems_of(card: Mapping[str, Any]) -> Iterator[TaskProblem]:
    held, of = card["truth_pairs_in_training"] or 0, card["truth"]["rows"]
    if card["task"] == "with_repeats":
        declared = card["lists"].get("exclude_seen")
        excluded = card["seen_items"] == "excluded" if declared is None else declared
        if held and excluded:
            yield "seen_items_filtered"
        return
    if held > _MANY * of:
        yield "truth_in_training"
    if card["task"] == "new_items" and card["seen_items"] == "included":
        yield "seen_items_listed"


_ASPECTS: Final[Mapping[Aspect, str]] = {
    "truth": "the held-out truth",
    "train": "the training data",
    "history": "the histories that came with the question",
    "catalogue": "the candidate items",
    "seen_items": "how items the user has already seen are treated",
    "relevance": "what counts as relevant",
    "convention": "the convention of the metrics",
    "seed": "the seed of the replicates",
    "replicates": "the number of replicates",
    "k": "the length that lists were asked for (k)",
    "exclude_seen": "whether seen items were left out",
    "learned_from": "the data that the model learned from",
}


def check_comparable(cards: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse to compare runs that were not measured alike.

    Args:
        cards: Name of the run -> its card.

    Raises:
        IncomparableError: Naming everything in which two cards differ, with both values.
    """
    first, *others = cards
    for name in others:
        if differing := not_alike({first: cards[first], name: cards[name]}):
            raise IncomparableError(
                f"'{first}' and '{name}' were not measured alike. They differ in {'; '.join(differing)}. "
                "Evaluate both with the same truth, training data, catalogue, seen-item filter and convention."
            )


def not_alike(pair: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Everything in which two evaluations were not measured alike, in words.

    Args:
        pair: The names of two runs -> their cards.
    """
    (one, ours), (other, theirs) = pair.items()
    said: list[str] = []
    for each in disagreements(ours, theirs):
        first, second = _shown(each.aspect, each.one, ours), _shown(each.aspect, each.other, theirs)
        values = f"{first} for '{one}', {second} for '{other}'"
        said.append(f"{_ASPECTS[each.aspect]}: {values if first != second else f'{first} in both, of other content'}")
    return said


def _shown(aspect: Aspect, value: Any, card: Mapping[str, Any]) -> str:
    """An entry of a card for messages, without hashes."""
    if value is None:
        return "none"
    if aspect == "learned_from":
        return str((card.get("lists") or {}).get("train", {}).get("name") or "data without a name")
    if aspect == "catalogue":
        return f"{card.get('n_items', 0):,} items"
    if aspect == "convention":
        return ", ".join(f"{name} {each}" for name, each in value.items())
    if isinstance(value, Mapping):
        name = f" of {value['name']}" if value.get("name") else ""
        return f"{value.get('rows', 0):,} rows{name}"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
