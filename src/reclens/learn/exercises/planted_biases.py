"""Exercise 4.1: an audit of three systems, of which one is unbiased; what the others have, the world has put in."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.cards import Fact
from reclens.errors import DataError
from reclens.learn.answers import read_toml_text
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import toml_header
from reclens.learn.shop import KINDS, Bias, Shop, ndcg, shown_lists

__all__ = ["PlantedBiases"]

_SYSTEMS: Final = ("a", "b", "c")
_CORRECTIONS: Final = ("holm", "bonferroni", "benjamini_hochberg")
_MOST: Final = 4
"""Most biases of a system."""
_RECALL: Final = 0.75
_MOST_FALSE: Final = 1
_WEEKS: Final = 6
_VIEWS: Final = 20_000
_SCORED: Final = 15_000
_BELOW: Final = {
    "seller_under_exposed",
    "new_items_held_back",
    "group_under_served",
    "group_narrow_lists",
    "group_offers_withheld",
    "group_short_lists",
}
"""Ratios that a bias makes small."""
_DIFFERENCES: Final = {"language_placed_low", "concentration_grows"}
"""Differences that a bias makes large; whatever is left is a ratio that a bias makes large."""
_RANGES: Final = (
    (0, 1, sorted(_BELOW)),
    (1, 10, sorted(KINDS.keys() - _BELOW - _DIFFERENCES)),
    (0, 10, sorted(_DIFFERENCES)),
)
"""Between which numbers the limit of a kind lies."""
_LIMITS: Final[Mapping[str, float]] = (
    dict.fromkeys(sorted(_BELOW), 0.8)
    | dict.fromkeys(sorted(KINDS.keys() - _BELOW - _DIFFERENCES), 1.2)
    | {"language_placed_low": 1.0, "concentration_grows": 0.05}
)
"""Limits of the shipped answer."""

Found = tuple[str, str, str]
"""System, kind and group."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _World:
    """What is written, and what was put in."""

    shop: Shop
    planted: Mapping[str, tuple[Bias, ...]]
    lists: Mapping[str, np.ndarray]
    weeks: pl.DataFrame
    log: pl.DataFrame


class PlantedBiases(Exercise):
    """Findings are held against what was put in; the data are drawn from the criteria, so these came first."""

    code = "4.1"
    name = "find_what_was_planted"
    files = ("criteria.toml", "findings.toml")
    minutes = 120
    redraws = frozenset({"within_own_limit", "too_few_found", "too_many_false", "unbiased_accused"})

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """How it is graded."""
        groups = "; ".join(f"{kind.column}: {', '.join(kind.groups)}" for kind in KINDS.values())
        return {
            "recall": round(100 * _RECALL),
            "false": _MOST_FALSE,
            "most": _MOST,
            "weeks": _WEEKS,
            "groups": groups,
            "corrections": ", ".join(f"`{name}`" for name in _CORRECTIONS),
        }

    def write_data(self, draw: Draw, folder: Path) -> None:
        """Once the criteria are sealed, the tables of the world that is drawn from them."""
        path = folder / "criteria.toml"
        # As an answer is read: with or without the mark that some editors begin a file with.
        text = path.read_bytes().decode("utf-8-sig", errors="replace") if path.is_file() else ""
        if not _sealed(text):
            return
        world = _world(draw, _digest(text))
        shop = world.shop
        places = folder / "data"
        places.mkdir(exist_ok=True)
        shop.users.write_parquet(places / "users.parquet")
        shop.items.write_parquet(places / "items.parquet")
        shop.pairs(shop.history).write_parquet(places / "history.parquet")
        shop.pairs(shop.truth).write_parquet(places / "truth.parquet")
        lists = [_list_table(shop, system, lists) for system, lists in world.lists.items()]
        pl.concat(lists).write_parquet(places / "lists.parquet")
        world.weeks.write_parquet(places / "weeks.parquet")
        world.log.write_parquet(places / "log.parquet")

    def templates(self, draw: Draw) -> dict[str, str]:
        """Criteria that are not sealed, and no finding."""
        limits = dict.fromkeys(KINDS, 0.0)
        return {"criteria.toml": _criteria(draw, limits, sealed=False), "findings.toml": _findings(draw, [], [])}

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Hold the findings against the criteria, and against what was put in."""
        criteria, given = tomllib.loads(answer["criteria.toml"]), tomllib.loads(answer["findings.toml"])
        remarks = [*_bad_criteria(criteria), *_bad_findings(given)]
        yield from remarks
        if remarks:
            return
        world = _world(draw, _digest(answer["criteria.toml"]))
        named = {(each["system"], each["kind"], each["group"]) for each in given.get("finding", [])}
        values = _measured(world)
        for each in sorted(named):
            if not _beyond(each[1], values[each], float(criteria["limits"][each[1]])):
                yield Remark("within_own_limit", dict(zip(("system", "bias", "group"), each, strict=True)))
        put_in = {(system, each.kind, each.group) for system, held in world.planted.items() for each in held}
        found, false = len(named & put_in), len(named - put_in)
        if found < _RECALL * len(put_in):
            yield Remark("too_few_found", {"found": found, "of": len(put_in), "share": round(100 * _RECALL)})
        if false > _MOST_FALSE:
            yield Remark("too_many_false", {"seen": false, "most": _MOST_FALSE})
        if any(not world.planted[system] for system, _, _ in named):
            yield Remark("unbiased_accused")

    def solve(self, draw: Draw, folder: Path) -> None:
        """Measure all kinds by their definitions, and name what is beyond the limits."""
        _answer(draw, folder, _LIMITS)


def _sealed(text: str) -> bool:
    try:
        return read_toml_text("criteria.toml", text).get("sealed") is True
    except DataError:
        return False


def _digest(text: str) -> str:
    """What the data are drawn from beside the learner's seed: the criteria, to the letter."""
    return hashlib.sha256("\n".join(text.strip().splitlines()).encode()).hexdigest()


def _bad_criteria(given: Mapping[str, Any]) -> Iterator[Remark]:
    if given.get("sealed") is not True:
        yield Remark("not_sealed")
    level = given.get("level")
    if not isinstance(level, float) or not 0 < level <= 0.1:
        yield Remark("no_level", {"seen": str(level)})
    if given.get("correction") not in _CORRECTIONS:
        yield Remark("no_correction", {"seen": str(given.get("correction")), "names": list(_CORRECTIONS)})
    limits = given.get("limits")
    for low, high, kinds in _RANGES:
        values = [limits.get(kind) if isinstance(limits, dict) else None for kind in kinds]
        pairs = zip(kinds, values, strict=True)
        bad: list[str] = [k for k, value in pairs if not isinstance(value, int | float) or not low < value < high]
        if bad:
            yield Remark("no_limit", {"keys": bad, "low": low, "high": high})


def _bad_findings(given: Mapping[str, Any]) -> Iterator[Remark]:
    cleared, findings = given.get("cleared"), given.get("finding", [])
    if not isinstance(cleared, list) or not isinstance(findings, list):
        yield Remark("no_findings")
        return
    named: set[str] = set()
    for each in findings:
        system, kind, group = (str(each.get(key)) if isinstance(each, dict) else "" for key in _KEYS)
        if system not in _SYSTEMS or kind not in KINDS or group not in KINDS[kind].groups:
            yield Remark("unknown_finding", {"system": system, "bias": kind, "group": group})
        named.add(system)
    for system in _SYSTEMS:
        if (system in named) is (system in cleared):
            yield Remark("no_opinion", {"system": system})


_KEYS: Final = ("system", "kind", "group")


@lru_cache(maxsize=8)
def _world(draw: Draw, digest: str) -> _World:
    rng = draw.rng(f"world {digest}")
    shop = Shop.drawn(rng)
    counts = rng.permutation([0, int(rng.integers(0, _MOST + 1)), int(rng.integers(1, _MOST + 1))])
    planted: dict[str, tuple[Bias, ...]] = {}
    for system, count in zip(_SYSTEMS, counts.tolist(), strict=True):
        kinds = [KINDS[code] for code in rng.choice(list(KINDS), count, replace=False).tolist()]
        planted[system] = tuple(Bias(kind.code, str(rng.choice(kind.groups))) for kind in kinds)
    lists = {system: shown_lists(shop, list(biases), rng) for system, biases in planted.items()}
    return _World(
        shop=shop,
        planted=planted,
        lists=lists,
        weeks=pl.concat([_weeks(shop, system, lists[system], planted[system], rng) for system in _SYSTEMS]),
        log=pl.concat([_log(shop, system, planted[system], rng) for system in _SYSTEMS]),
    )


def _list_table(shop: Shop, system: str, lists: np.ndarray) -> pl.DataFrame:
    ranks = np.broadcast_to(np.arange(1, lists.shape[1] + 1), lists.shape)
    return shop.pairs(lists, rank=ranks).select(pl.lit(system).alias("system"), pl.all())


def _weeks(
    shop: Shop, system: str, lists: np.ndarray, biases: tuple[Bias, ...], rng: np.random.Generator
) -> pl.DataFrame:
    """Views of each item in each week; where concentration grows, what is seen much is seen more the next week."""
    base = np.bincount(lists[lists >= 0], minlength=shop.items.height) + 1.0
    grows = KINDS["concentration_grows"].strength * any(each.kind == "concentration_grows" for each in biases)
    rows: list[pl.DataFrame] = []
    for week in range(1, _WEEKS + 1):
        chance = base ** (1 + grows * (week - 1))
        views = rng.multinomial(_VIEWS, chance / chance.sum())
        rows.append(pl.DataFrame({"week": week, "item_id": shop.items["item_id"], "views": views}))
    return pl.concat(rows).select(pl.lit(system).alias("system"), pl.all())


def _log(shop: Shop, system: str, biases: tuple[Bias, ...], rng: np.random.Generator) -> pl.DataFrame:
    """Scores that say how likely a click is, and whether there was one."""
    source = next((each.group for each in biases if each.kind == "scores_overstate"), None)
    items = rng.integers(0, shop.items.height, _SCORED)
    score = rng.beta(2, 6, _SCORED)
    by = np.where(shop.of_item("source")[items] == source, KINDS["scores_overstate"].strength, 1.0)
    return pl.DataFrame(
        {
            "system": [system] * _SCORED,
            "user_id": rng.choice(shop.users["user_id"].to_numpy(), _SCORED),
            "item_id": items + 1,
            "score": np.round(score, 4),
            "clicked": rng.random(_SCORED) < score / by,
        }
    )


def _measured(world: _World) -> dict[Found, float]:
    """The measure of each kind and group, by its definition."""
    return {
        (system, kind, group): value
        for system in _SYSTEMS
        for kind, group, value in (
            *_of_users(world.shop, world.lists[system]),
            *_of_items(world.shop, world.lists[system]),
            *_of_tables(world, system),
        )
    }


def _of_users(shop: Shop, lists: np.ndarray) -> Iterator[tuple[str, str, float]]:
    """A mean over the users of a group, divided by the mean over all others."""
    genre, offer, price = (shop.of_item(name) for name in ("genre", "offer", "price"))
    held = lists >= 0
    length = held.sum(1)
    shown = (held[:, :, None] & (genre[lists][:, :, None] == np.unique(genre))).sum(1)
    before = (genre[shop.history][:, :, None] == np.unique(genre)).sum(1)
    tastes = np.abs(shown / length[:, None] - before / before.sum(1, keepdims=True)).sum(1) / 2
    dearer = (price[lists] * held).sum(1) / length / price[shop.truth].mean(1)
    for kind, values in (
        ("group_under_served", ndcg(lists, shop.truth)),
        ("group_narrow_lists", (shown > 0).sum(1).astype(float)),
        ("group_steered_to_price", dearer),
        ("group_miscalibrated", tastes),
        ("group_short_lists", length.astype(float)),
    ):
        column = shop.of_user(KINDS[kind].column)
        for group in KINDS[kind].groups:
            yield kind, group, float(values[column == group].mean() / values[column != group].mean())
    plans = shop.of_user("plan")
    for group in KINDS["group_offers_withheld"].groups:
        rows = plans == group
        places = (offer[lists[rows]] & held[rows]).sum() / held[rows].sum()
        yield "group_offers_withheld", group, float(places / offer[shop.truth[rows]].mean())


def _of_items(shop: Shop, lists: np.ndarray) -> Iterator[tuple[str, str, float]]:
    """Share of the places divided by the share of the truth; and how much lower items of a language stand."""
    held = lists >= 0
    for kind in ("seller_under_exposed", "new_items_held_back", "popular_items_pushed"):
        column = shop.of_item(KINDS[kind].column)
        for group in KINDS[kind].groups:
            mine = column == group
            yield kind, group, float((mine[lists] & held).sum() / held.sum() / mine[shop.truth].mean())
    language = shop.of_item("language")
    ranks = np.broadcast_to(np.arange(1, lists.shape[1] + 1), lists.shape)
    for group in KINDS["language_placed_low"].groups:
        mine = (language == group)[lists]
        yield "language_placed_low", group, float(ranks[mine & held].mean() - ranks[~mine & held].mean())


def _of_tables(world: _World, system: str) -> Iterator[tuple[str, str, float]]:
    """Growth of the Gini coefficient of views, and mean score divided by the share of clicks."""
    views = world.weeks.filter(system=system).sort("week", "item_id")["views"].to_numpy().reshape(_WEEKS, -1)
    yield "concentration_grows", "all", _gini(views[-1]) - _gini(views[0])
    log = world.log.filter(system=system)
    items, scores, clicked = log["item_id"].to_numpy() - 1, log["score"].to_numpy(), log["clicked"].to_numpy()
    source = world.shop.of_item("source")
    for group in KINDS["scores_overstate"].groups:
        rows = (source == group)[items]
        yield "scores_overstate", group, float(scores[rows].mean() / clicked[rows].mean())


def _gini(counts: np.ndarray) -> float:
    ordered = np.sort(counts)
    ranks = np.arange(1, len(ordered) + 1)
    return float((2 * ranks - len(ordered) - 1) @ ordered / (len(ordered) * ordered.sum()))


def _beyond(kind: str, value: float, limit: float) -> bool:
    return value <= limit if kind in _BELOW else value >= limit


def _criteria(draw: Draw, limits: Mapping[str, float], *, sealed: bool, level: float = 0.05) -> str:
    head = [
        f"sealed = {str(sealed).lower()}  # true once all is decided: the data are drawn from this file",
        f"level = {level}  # of all comparisons together",
        f'correction = "{_CORRECTIONS[0] if sealed else ""}"',
        "",
        "[limits]  # from where on a gap matters",
    ]
    return toml_header(draw) + "\n".join([*head, *(f"{kind} = {limits[kind]}" for kind in KINDS)]) + "\n"


def _findings(draw: Draw, cleared: Sequence[str], found: Sequence[Found]) -> str:
    names = ", ".join(f'"{system}"' for system in cleared)
    rows = [
        "\n[[finding]]\n" + "".join(f'{key} = "{value}"\n' for key, value in zip(_KEYS, each, strict=True))
        for each in found
    ]
    return toml_header(draw) + f"cleared = [{names}]  # systems in which you found nothing\n" + "".join(rows)


def _write(draw: Draw, folder: Path, limits: Mapping[str, float], found: Sequence[Found]) -> None:
    cleared = [system for system in _SYSTEMS if system not in {each[0] for each in found}]
    (folder / "criteria.toml").write_text(_criteria(draw, limits, sealed=True), encoding="utf-8")
    (folder / "findings.toml").write_text(_findings(draw, cleared, found), encoding="utf-8")


def _answer(
    draw: Draw, folder: Path, limits: Mapping[str, float], change: Callable[[list[Found]], list[Found]] = list
) -> None:
    """Name what is beyond the limits, changed in one respect."""
    world = _world(draw, _digest(_criteria(draw, limits, sealed=True)))
    found = [each for each, value in _measured(world).items() if _beyond(each[1], value, limits[each[1]])]
    _write(draw, folder, limits, change(sorted(found)))


def _changed(change: Callable[[list[Found]], list[Found]]) -> Callable[[Draw, Path], None]:
    return lambda draw, folder: _answer(draw, folder, _LIMITS, change)


def _any_gap(draw: Draw, folder: Path) -> None:
    """Limits so tight that luck is beyond them."""
    tight = {name: 0.98 if name in _BELOW else 1.02 for name in KINDS}
    _answer(draw, folder, tight | {"language_placed_low": 0.05, "concentration_grows": 0.001})


def _criteria_afterwards(draw: Draw, folder: Path) -> None:
    """Findings of one draw, with criteria that were changed once the data had been seen."""
    world = _world(draw, _digest(_criteria(draw, _LIMITS, sealed=True)))
    put_in = [(system, each.kind, each.group) for system, held in world.planted.items() for each in held]
    _write(draw, folder, {**_LIMITS, "group_under_served": 0.85}, put_in)


PlantedBiases.wrong = {
    "names nothing": _changed(lambda found: []),
    "names everything": lambda draw, folder: _write(
        draw, folder, _LIMITS, [(s, kind.code, g) for s in _SYSTEMS for kind in KINDS.values() for g in kind.groups]
    ),
    "any gap is a finding": _any_gap,
    "criteria afterwards": _criteria_afterwards,
    "accuses the unbiased": _changed(
        lambda found: [
            *found,
            *(
                (system, "seller_under_exposed", "s1")
                for system in _SYSTEMS
                if system not in {each[0] for each in found}
            ),
        ]
    ),
    "half of them": _changed(lambda found: found[: len(found) // 2]),
}
