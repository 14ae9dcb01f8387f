"""The cards of the studies of the lab: what follows, by how much, who loses, what it costs, how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reclens.lab.correlation import Correlation, OfflineOnline
from reclens.lab.group_differences import group_differences
from reclens.lab.interference_study import DesignResult, Interference
from reclens.lab.long_run import LongRun
from reclens.lab.simulation import Simulation
from reclens.lab.strategy_family import OVERALL
from reclens.metrics import describe, family_of, names
from reclens.report._toolkit.card import DecisionWords, Tone
from reclens.report._toolkit.format import (
    between,
    count_of,
    decimal,
    format_number,
    in_words,
    listed,
    percent,
    rank,
    sentence,
    share,
    whole,
)
from reclens.report.lab.words import FITTED, LIMITS, above

__all__ = ["correlation_card", "holdout_card", "interference_card", "simulation_card"]

_MOST: Final = 3
"""Segments and designs that are named in a line."""

_REACH: Final = ("exposure", "popularity")
"""Families of metrics that tell what a choice costs in reach: how many items are shown, how evenly, how popular."""


def correlation_card(found: OfflineOnline, said: Sequence[str], *, fitted: bool) -> DecisionWords:
    """The metric to rank strategies by.

    Args:
        found: The study.
        said: Its sentences, the last of which says how far it goes.
        fitted: Whether the world is fitted to data.
    """
    named = [each for each in found.correlations if each.segment == OVERALL]
    best = next((each for each in named if above(each.spearman)), None)
    if best is None:
        headline, tone, lines = "No metric is shown to tell who wins", "open", [("Closest", said[0])]
    else:
        headline, tone = f"Rank strategies by {best.metric}: it is shown to tell who wins", "good"
        chosen = found.lifts.values[best.chosen][OVERALL]
        lift = f"The strategy that it puts first, {best.chosen}, has a true lift of {share(chosen)} over "
        lines = [
            ("Lift", f"{lift}{found.lifts.control}; rank correlation {rank(best.spearman)}"),
            ("Who loses", _losers_under(found, best)),
            ("Cost", _cost_of(found, best)),
        ]
    return _card(_world(fitted), headline, tone, lines, _sure(said, fitted=fitted))


def _losers_under(found: OfflineOnline, best: Correlation) -> str:
    """The segments in which the strategy that a metric puts first does worse than the control."""
    cells = {cell: each for cell, each in found.lifts.values[best.chosen].items() if cell != OVERALL}
    if not cells:
        return "Segments were not simulated apart"
    worse = [f"{by} {name} ({share(cells[by, name])})" for by, name in cells if above(cells[by, name]) is False]
    if worse:
        return f"Worse for {listed(worse, _MOST)} under {best.chosen}"
    open_ = [f"{by} {name}" for by, name in cells if above(cells[by, name]) is None]
    said = f"No segment of {len(cells)} loses under {best.chosen}"
    return f"{said}; not concluded for {listed(open_, _MOST)}" if open_ else said


def _cost_of(found: OfflineOnline, best: Correlation) -> str:
    """What is lost against the best strategy, and how far the chosen one reaches beside the control."""
    regret = (
        "It puts the best strategy first"
        if best.regret <= 0
        else f"{decimal(100 * best.regret, 2)} points of lift are lost"
    )
    against = "" if best.regret <= 0 else " against the best strategy"
    offline = {
        (row["strategy"], row["metric"]): row["offline"]
        for row in found.points
        if (row["by"], row["segment"]) == OVERALL and row["offline"] == row["offline"]
    }
    moved = []
    for metric in dict.fromkeys(metric for _, metric in offline):
        pair = [offline.get((name, metric)) for name in (found.lifts.control, best.chosen)]
        if family_of(metric) in _REACH and None not in pair:
            moved.append(f"{metric} from {_written(pair[0], metric)} to {_written(pair[1], metric)}")
    return "; ".join([f"{regret}{against}", *(moved or [_NOT_MEASURED])])


_NOT_MEASURED: Final = "exposure and popularity were not measured"


def _written(value: float | None, metric: str) -> str:
    """A value of a metric as readers know it: studies turn the sign where less is better."""
    name = metric.partition("@")[0]
    turned = name in names() and describe(name).higher_is_better is False
    return format_number(-value if turned and value is not None else value)


def interference_card(found: Interference, said: Sequence[str], *, fitted: bool) -> DecisionWords:
    """The design to test with: of those that show no bias the one whose estimates spread least."""
    free = sorted((each for each in found.designs if above(each.bias) is None), key=lambda each: each.spread)
    bent = [each for each in found.designs if above(each.bias) is not None]
    headline = f"Test by the design {free[0].design}: no bias of it is shown" if free else "Every design is biased"
    truth = found.designs[0].truth
    lines = [
        ("Lift", f"In truth {between(truth)} {in_words(found.metric)} a user, over {found.seeds} worlds"),
        ("Who loses", _misled(bent, found.seeds)),
        ("Cost", _spread_of(free[0] if free else None, found.designs)),
    ]
    return _card(_world(fitted), headline, "good" if free else "open", lines, _sure(said, fitted=fitted))


def _misled(bent: Sequence[DesignResult], worlds: int) -> str:
    """The consequence of acting on a biased design."""
    if not bent:
        return "No design is shown to mislead; segments of users were not compared"
    signs = [f"the wrong sign in {round(each.wrong_sign.value * worlds)} of {worlds}" for each in bent]
    wrong = [f"{each.design} (bias {between(each.bias)}, {sign})" for each, sign in zip(bent, signs, strict=True)]
    return f"Whoever acts on {listed(wrong, _MOST)}; segments of users were not compared"


def _spread_of(best: DesignResult | None, designs: Sequence[DesignResult]) -> str:
    """What the design costs in users beside the one whose estimates spread least."""
    least = min(designs, key=lambda each: each.spread)
    times = 1.0 if best is None or not least.spread > 0 else best.spread / least.spread
    if times < 1.005:
        return f"No other design spreads less; {_NOT_MEASURED}"
    return (
        f"Its estimates spread {decimal(times, 2)} times as wide as those of {least.design}: for the same precision it "
        f"takes {decimal(times**2, 1)} times the users; {_NOT_MEASURED}"
    )


def holdout_card(found: LongRun) -> DecisionWords:
    """How long to hold out, and whether the early index may be acted on."""
    world = found.surrogate is not None
    heads: list[tuple[str, bool]] = []
    lifts: list[str] = []
    enough = next((row for row in found.power if row["power"] >= found.goal), None)
    if found.power:
        last = found.power[-1]
        lasts = count_of(int((enough or last)["month"]), "month")
        heads.append((f"Hold out for {lasts}" if enough else f"{lasts} of holdout cannot tell", enough is not None))
        lifts.append(f"Planned for a lift of {percent(found.lift)}")
    if found.surrogate is not None:
        holds = found.surrogate.covers
        head = "the early index holds the truth here" if holds else "do not act on the early index: it misses the truth"
        heads.append((head, holds))
        lifts.append(
            f"in truth {between(found.surrogate.truth)} {in_words(found.metric)} a user after {found.long} days"
        )
    if found.ages:
        first, last = found.ages[0], found.ages[-1]
        lifts.append(
            f"{format_number(first['difference'], signed=True)} on the day of first exposure, "
            f"{format_number(last['difference'], signed=True)} {last['age']} days later"
        )
    headline = "; ".join(head for head, _ in heads) or "Nothing was studied"
    tone: Tone = "good" if heads and all(good for _, good in heads) else "open"
    lines = [("Lift", "; ".join(lifts)), ("Who loses", _held_out(found, enough)), ("Cost", _price_of(found, enough))]
    given = "It rests on the numbers that were given, and on them alone."
    end = (FITTED if found.fitted else LIMITS) if world else given
    about = _world(fitted=found.fitted) if world else f"{in_words(found.metric)} a user"
    return _card(about, sentence(headline), tone, lines, end)


def _held_out(found: LongRun, enough: Mapping[str, float] | None) -> str:
    if not found.power:
        return "Segments were not simulated apart"
    months = int((enough or found.power[-1])["month"])
    return f"The users held out go without the change for {count_of(months, 'month')}; segments were not looked at"


def _price_of(found: LongRun, enough: Mapping[str, float] | None) -> str:
    said = [_NOT_MEASURED]
    if found.power:
        row = enough or found.power[-1]
        stay = f"{whole(row['users'])} users take part to the end"
        said = [f"{stay}; lifts below {percent(row['detectable_lift'])} are not found", *said]
    return "; ".join(said)


def simulation_card(found: Simulation, said: Sequence[str], *, fitted: bool) -> DecisionWords:
    """Which arm is better in truth, or by the test where the truth was left out."""
    arms = found.run.arms[1:]
    if not arms:
        return _card(_world(fitted), "There is one arm: nothing is compared", "open", [], _sure(said, fitted=fitted))
    known = {
        arm: found.truths[arm]["clicks"].lift if arm in found.truths else found.differences[arm, "clicks"].relative
        for arm in arms
    }
    better = [arm for arm in arms if above(known[arm])]
    worse = [arm for arm in arms if above(known[arm]) is False]
    if better:
        best = max(better, key=lambda arm: known[arm].value)
        headline, tone = f"Use {best}: it raises clicks", "good"
    elif len(worse) == len(arms):
        headline, tone = f"Keep {found.run.arms[0]}: {listed(worse, _MOST)} {_lower(worse)} clicks", "good"
    else:
        headline, tone = "No winner: no arm is shown to raise clicks", "open"
    lines = [("Lift", " ".join(said[: len(arms)])), ("Who loses", _cohorts(found)), ("Cost", _reach(found))]
    return _card(_world(fitted), headline, tone, lines, _sure(said, fitted=fitted))


def _lower(arms: Sequence[str]) -> str:
    return "lowers" if len(arms) == 1 else "lower"


def _cohorts(found: Simulation) -> str:
    """The groups of users that the test shows to lose clicks, with intervals that allow for all of them."""
    cells = group_differences(found)
    if not cells:
        return "No segments were compared"
    several = len(found.run.arms) > 2
    called = {(arm, name): f"{name}{f' under {arm}' if several else ''}" for arm, name in cells}
    lifts = {key: each.relative for key, each in cells.items()}
    worse = [f"{called[key]} ({share(lift)})" for key, lift in lifts.items() if above(lift) is False]
    if worse:
        return f"Worse for users who are {listed(worse, _MOST)}, by the test"
    open_ = [called[key] for key, lift in lifts.items() if above(lift) is not True]
    told = f"No group of {len(cells)} is shown to lose by the test"
    return f"{told}; not concluded for {listed(open_, _MOST)}" if open_ else told


def _reach(found: Simulation) -> str:
    """How many items each arm shows and how evenly, beside the control."""
    control, *others = found.run.to_dicts()
    said = []
    for row in others:
        items = f"items shown from {whole(control['items_shown'])} to {whole(row['items_shown'])}"
        ends = [format_number(each["exposure_gini"]) for each in (control, row)]
        name = f"{row['variant']}: " if len(others) > 1 else ""
        said.append(f"{name}{items}, Gini of exposure from {ends[0]} to {ends[1]}")
    return "; ".join(said)


def _card(about: str, headline: str, tone: Any, lines: Sequence[tuple[str, str]], sure: str) -> DecisionWords:
    return DecisionWords(about, headline, tone, (*lines, ("How sure", sure)))


def _sure(said: Sequence[str], *, fitted: bool) -> str:
    """The last sentence of a study, and what its world allows."""
    return " ".join([*said[1:][-1:], FITTED if fitted else LIMITS])


def _world(fitted: bool) -> str:
    return "a simulated world, fitted to data" if fitted else "a simulated world"
