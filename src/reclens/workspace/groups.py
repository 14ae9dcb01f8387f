"""The evaluations of a workspace in groups that can be compared, found by what they were measured on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from reclens.data.segments import usual
from reclens.data.split import Split
from reclens.evaluation.argument_checks import named_in
from reclens.evaluation.together import together
from reclens.metrics.conventions import Convention
from reclens.schema import USER
from reclens.workspace.artefact import Artefact

__all__ = ["RunGroup", "card_of", "measured_alike", "protocol_of", "run_groups", "runs_on"]


@dataclass(frozen=True)
class RunGroup:
    """Evaluations that can be compared.

    Attributes:
        names: Their names, newest first.
        cards: Name -> card.
    """

    names: tuple[str, ...]
    cards: Mapping[str, Mapping[str, Any]] = field(repr=False)

    @property
    def card(self) -> Mapping[str, Any]:
        """The card of the newest."""
        return self.cards[self.names[0]]


def run_groups(artefacts: Iterable[Artefact]) -> list[RunGroup]:
    """The evaluations among some artefacts, in groups; the one that is to be looked at first comes first.

    A group is as new as its second newest member: one evaluation that is added, wherever it belongs, does not change
    which group comes first. Single evaluations come last. Broken ones are left out.

    Args:
        artefacts: As of ``Workspace.list``, newest first.
    """
    found = [each for each in artefacts if each.kind == "evaluation"]
    cards = {each.name: card for each in found if (card := card_of(each)) is not None}
    places = {name: at for at, name in enumerate(cards)}
    groups = [RunGroup(tuple(names), {name: cards[name] for name in names}) for names in together(cards)]
    return sorted(groups, key=lambda each: (len(each.names) < 2, places[each.names[:2][-1]]))


def measured_alike(artefacts: Iterable[Artefact], name: str) -> tuple[str, ...]:
    """The names of the evaluations that one belongs with, itself included; none where there is none of that name."""
    return next((each.names for each in run_groups(artefacts) if name in each.names), ())


def runs_on(artefacts: Iterable[Artefact], split: Split) -> RunGroup | None:
    """The evaluations that were measured on a split, as far as they can be compared; None if there is none.

    Of several groups, such as with several seeds, it is the one that :func:`run_groups` has first.
    """
    hashes = split.card.get("hashes") or {}
    wanted = [hashes.get(part) for part in ("train", "test")]

    def fits(card: Mapping[str, Any]) -> bool:
        known = (card.get("split") or {}).get("hashes") or {}
        return None not in wanted and [known.get(part) for part in ("train", "test")] == wanted

    return next((each for each in run_groups(artefacts) if fits(each.card)), None)


def protocol_of(card: Mapping[str, Any], split: Split) -> dict[str, Any]:
    """How an evaluation on a split was made, as arguments of ``evaluate``, so that another one can be held against it.

    Segmentations that the split does not know are left out.
    """
    train = split.train
    tables = [table.columns for table in (train.segments, train.users) if table is not None]
    known = {name for names in [*tables, usual(train)] for name in names} - {USER}
    return {
        "metrics": list(card["metrics"]),
        "by": [name for name in card["by"] if set(named_in([name])) <= known],
        "relevance": card["relevance"] if card["relevance"] in split.test.columns else None,
        "convention": Convention(**card["convention"]),
        "level": card["level"],
        "replicates": card["replicates"],
        "rng": card["seed"],
    }


def card_of(artefact: Artefact) -> Mapping[str, Any] | None:
    """The card of an evaluation; None if it cannot be read."""
    if isinstance(card := artefact.card.get("evaluation"), Mapping):
        return card
    with suppress(OSError, ValueError, KeyError):  # kept before the card of the artefact had it
        return json.loads((artefact.path / "evaluation.json").read_text(encoding="utf-8"))["card"]
    return None
