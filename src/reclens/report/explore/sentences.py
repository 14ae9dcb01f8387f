"""Sentences on an exploration: what each finding says, and what it all comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from reclens.explore.result import Exploration
from reclens.findings import Finding
from reclens.report._toolkit.format import count_of, decimal, format_number, listed, percent, significant, whole
from reclens.report.explore.words import FINDINGS, REMEDIES, SUSPECTS
from reclens.stats.estimate import Estimate

__all__ = [
    "NO_TITLES",
    "finding_sentence",
    "overall_sentence",
    "quality_sentence",
    "share_text",
    "unexplored_sentence",
]


NO_TITLES: Final[Mapping[str, str]] = {}


def share_text(found: Estimate | None) -> str:
    """A share with its interval, such as ``1.0% [0.8%, 1.3%]``."""
    if found is None:
        return "–"
    ends = f" [{percent(found.low, 1)}, {percent(found.high, 1)}]" if found.low is not None else ""
    return f"{percent(found.value, 1)}{ends}"


def overall_sentence(found: Exploration) -> str:
    """What the exploration comes to, in one sentence."""
    grave = [each for each in found.findings if each.severity != "note"]
    if not grave:
        return f"Nothing of {found.name} needs action, by what was given."
    kinds = list(dict.fromkeys(FINDINGS[each.code].lower() for each in grave))
    verb = "needs" if len(grave) == 1 else "need"
    return f"{count_of(len(grave), 'finding')} of {found.name} {verb} action: {listed(kinds, 4)}."


def finding_sentence(
    found: Exploration, each: Finding, titles: Mapping[str, str] = NO_TITLES, *, examples: int = 5
) -> str:
    """What a finding says: where, how much, and for example what.

    Args:
        found: The exploration.
        each: One of its findings.
        titles: Id, as text, -> title; what has none is called by its id.
        examples: The most examples that are named.
    """
    return _SAID[each.code](found, each) + _examples(each, titles, examples)


def quality_sentence(found: Exploration) -> str:
    """How far the map can be trusted; printed where the map is."""
    if found.quality is None:
        return "No map was given."
    quality = found.quality
    return (
        f"A map in two dimensions misleads. This one has a trustworthiness of {decimal(quality.trustworthiness, 3)} "
        f"and a continuity of {decimal(quality.continuity, 3)}; it keeps {percent(quality.kept, 0)} of the {quality.k} "
        "nearest neighbours."
    )


def unexplored_sentence(found: Exploration, regions: Sequence[int]) -> str:
    """Which regions near a user hold nothing that the user has had or is shown."""
    if not len(regions):
        return "No region near this user is without an item of the history or the list."
    sizes = [count_of(int((found.regions.fine == each).sum()), "item") for each in regions]
    named = [f"{found.regions.name(each)} ({size})" for each, size in zip(regions, sizes, strict=True)]
    return f"Near this user, and with nothing of the history or the list: {listed(named)}."


def _examples(each: Finding, titles: Mapping[str, str], most: int) -> str:
    if not each.examples:
        return ""
    return f" For example: {listed([titles.get(str(name), str(name)) for name in each.examples[:most]])}."


def _row(each: Finding) -> Mapping[str, Any]:
    return each.evidence[0] if each.evidence else {}


def _blind_spot(found: Exploration, each: Finding) -> str:
    row = _row(each)
    suspects = [SUSPECTS[code] for code in each.suspects]
    blamed = f" Suspects: {listed(suspects)}." if suspects else ""
    return (
        f"The region {row['name']} ({count_of(row['items'], 'item')}) has {percent(row['wanted'], 1)} of what users "
        f"wanted and {percent(row['shown'], 1)} of what they are shown; {percent(row['unshown'], 1)} of all wants are "
        f"with items of it that nobody is shown.{blamed}"
    )


def _of_items(words: str) -> Callable[[Exploration, Finding], str]:
    def written(found: Exploration, each: Finding) -> str:
        row = _row(each)
        number = row["items"]
        return f"{count_of(number, 'item')} of {whole(row['of'])} ({percent(number / row['of'], 2)}) {words}"

    return written


def _hole(found: Exploration, each: Finding) -> str:
    row = _row(each)
    return (
        f"{share_text(each.estimate)} of the users or queries are far from every item, in "
        f"{count_of(len(each.evidence), 'direction')}; in the first the nearest item has a cosine of "
        f"{decimal(row['similarity'], 2)}."
    )


def _duplicates(found: Exploration, each: Finding) -> str:
    groups = found.duplicates.groups
    return (
        f"{count_of(found.duplicates.items, 'item')} stand in {count_of(len(groups), 'group')} of near-duplicates "
        f"(cosine of at least {significant(found.duplicates.threshold)})."
    )


def _hubs(found: Exploration, each: Finding) -> str:
    total = found.hubness.total
    best = min(found.remedies.items(), key=lambda each: each[1].skewness, default=None)
    helped = ""
    if best is not None and best[0] != "none":
        helped = f" By {REMEDIES[best[0]]} the skewness would be {decimal(best[1].skewness, 1)}."
    return (
        f"{count_of(len(found.hubness.strong), 'item')} are a nearest neighbour of at least five times as many others "
        f"as the average; the skewness of the k-occurrences is {decimal(total.skewness, 1)}.{helped}"
    )


def _recall(found: Exploration, each: Finding) -> str:
    return f"The index finds {share_text(each.estimate)} of what exact search finds."


def _uneven(found: Exploration, each: Finding) -> str:
    row, whole = _row(each), found["recall"]
    return (
        f"In {count_of(len(each.evidence), 'region')} the index finds much less than elsewhere: in {row['name']} "
        f"{percent(row['recall'], 0)}, and {percent(whole.value, 0)} over all."
    )


def _thinned(found: Exploration, each: Finding) -> str:
    row = _row(each)
    where = ", ".join(f"{name} = {value}" for name, value in row["where"].items())
    return (
        f"With the filter {where} ({percent(row['selectivity'], 1)} of the items) the index finds "
        f"{share_text(each.estimate)}, and {percent(row['short'], 0)} of the answers are too short."
    )


def _outside(found: Exploration, each: Finding) -> str:
    return (
        f"{share_text(each.estimate)} of the users or queries are farther from the catalogue than 99% of its items are."
    )


def _moved(found: Exploration, each: Finding) -> str:
    changed = [row["name"] for row in each.evidence if row["share_moved"] >= 0.5]
    where = f" Changed as a whole: {listed(changed, 4)}." if changed else ""
    return f"{share_text(each.estimate)} of the items moved far beside the others.{where}"


def _cone(found: Exploration, each: Finding) -> str:
    return (
        f"The vectors lie in a narrow cone: their mean cosine is {format_number(found.shape.mean_cosine)}, so that "
        "cosines differ little."
    )


def _untrue(found: Exploration, each: Finding) -> str:
    return quality_sentence(found)


def _few(found: Exploration, each: Finding) -> str:
    row = _row(each)
    return (
        f"{whole(row['shown'])} of {count_of(row['items'], 'item')} are in the lists of "
        f"{count_of(row['users'], 'user')}; with ever more such users it would be {whole(row['expected'])} or more. "
        "Never shown is not yet never."
    )


_SAID: Final[Mapping[str, Callable[[Exploration, Finding], str]]] = {
    "blind_spot": _blind_spot,
    "not_in_index": _of_items("are not in the index."),
    "index_unreachable": _of_items("are in the index, and not returned to the queries that should find them."),
    "structurally_unreachable": _of_items("can be brought into the first places by no user vector at all."),
    "hole": _hole,
    "dead_stock": _of_items("are far from every user or query."),
    "near_duplicates": _duplicates,
    "hubs": _hubs,
    "low_recall": _recall,
    "uneven_recall": _uneven,
    "thinned_by_filter": _thinned,
    "outside_queries": _outside,
    "moved": _moved,
    "narrow_cone": _cone,
    "untrue_map": _untrue,
    "too_few_queries": _few,
}
