"""Group the evaluations of a workspace by the data they were measured on, so that each group is comparable."""

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
    """A group of comparable evaluations.

    Attributes:
        names: Their names, newest first.
        cards: Name -> card.
    """

    names: tuple[str, ...]
    cards: Mapping[str, Mapping[str, Any]] = field(repr=False)

    @property
    def card(self) -> Mapping[str, Any]:
        """The card of the newest evaluation."""
        return self.cards[self.names[0]]


def run_groups(artefacts: Iterable[Artefact]) -> list[RunGroup]:
    """Group the evaluations among some artefacts; the group to show by default comes first.

    Groups are sorted by their second newest member, so that a single new evaluation does not change which group comes
    first. Single evaluations come last. Broken ones are left out.

    Args:
        artefacts: Artefacts as returned by ``Workspace.list``, newest first.
    """
    found = [each for each in artefacts if each.kind == "evaluation"]
    cards = {each.name: card for each in found if (card := card_of(each)) is not None}
    places = {name: at for at, name in enumerate(cards)}
    groups = [RunGroup(tuple(names), {name: cards[name] for name in names}) for names in together(cards)]
    return sorted(groups, key=lambda each: (len(each.names) < 2, places[each.names[:2][-1]]))


def measured_alike(artefacts: Iterable[Artefact], name: str) -> tuple[str, ...]:
    """Return the names of the evaluations comparable with one, including itself; empty if it does not exist."""
    return next((each.names for each in run_groups(artefacts) if name in each.names), ())


def runs_on(artefacts: Iterable[Artefact], split: Split) -> RunGroup | None:
    """Return the comparable evaluations that were measured on a split, or None if there is none.

    If there are several groups, for example with several seeds, the first of :func:`run_groups` is returned.
    """
    hashes = split.card.get("hashes") or {}
    wanted = [hashes.get(part) for part in ("train", "test")]

    def fits(card: Mapping[str, Any]) -> bool:
        known = (card.get("split") or {}).get("hashes") or {}
        return None not in wanted and [known.get(part) for part in ("train", "test")] == wanted

    return next((each for each in run_groups(artefacts) if fits(each.card)), None)


def protocol_of(card: Mapping[str, Any], split: Split) -> dict[str, Any]:
    """Return the settings of an evaluation on a split as arguments of ``evaluate``, to make a comparable one.

    Segmentations that the split lacks are left out.
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
    """Return the card of an evaluation, or None if it cannot be read."""
    if isinstance(card := artefact.card.get("evaluation"), Mapping):
        return card
    with suppress(OSError, ValueError, KeyError):  # saved before the artefact's card contained it
        return json.loads((artefact.path / "evaluation.json").read_text(encoding="utf-8"))["card"]
    return None
