"""What the studies of the lab found, in sentences: what is shown, and what cannot be concluded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reclens.lab.correlation import Correlation, OfflineOnline
from reclens.lab.interference_study import DesignResult, Interference
from reclens.lab.long_run import LongRun
from reclens.lab.method_comparison import MethodComparison
from reclens.lab.method_verdict import CautionCode, MethodVerdict
from reclens.lab.simulation import Simulation
from reclens.lab.strategy_family import OVERALL
from reclens.report._toolkit.format import (
    between,
    count_of,
    decimal,
    format_estimate,
    in_words,
    listed,
    percent,
    rank,
    share,
)
from reclens.report._toolkit.notes import note_text
from reclens.report.experiment.off_policy_words import BY_PLACE, objection_text, refusal_text
from reclens.stats.estimate import Estimate

__all__ = [
    "DESIGNS",
    "FITTED",
    "LIMITS",
    "WAYS",
    "WAYS_EXPLAINED",
    "WAYS_LEAD",
    "above",
    "caution_text",
    "doubts_of",
    "held_text",
    "method_name",
    "summary_of_correlation",
    "summary_of_holdout",
    "summary_of_interference",
    "summary_of_simulation",
    "summary_of_verdicts",
    "ways_in_words",
]

_MOST: Final = 6  # names of a list in a sentence
LIMITS: Final = (
    "One choice model holds for everybody in this world: its effects are orders of magnitude, not forecasts."
)
FITTED: Final = "The world is fitted to data; what its users choose is simulated all the same."


DESIGNS: Final = (
    "shared: users are randomised, and both arms train on what everybody consumed: the usual A/B test.",
    "diverted: each arm trains on its own users from the first day on (Holtz et al. 2023).",
    "separate: each arm trains on its own users alone, also on the time before.",
    "clusters: groups of like-minded users are randomised whole, and are the units of the test.",
)
"""What the designs of an A/B test are."""


def _listed(names: Sequence[str]) -> str:
    return listed(names, most=_MOST)


def summary_of_correlation(found: OfflineOnline) -> list[str]:
    """Which metrics tell who wins, which do not, and what cannot be concluded."""
    named = [
        each for each in found.correlations if each.segment == OVERALL and each.spearman.value == each.spearman.value
    ]
    if not named:
        return ["No metric differs between the strategies, so that none can tell who wins."]
    best = named[0]
    cost = "the best" if best.regret <= 0 else f"at {decimal(100 * best.regret, 2)} points of lift below the best"
    said = [
        (
            f"{best.metric} tells best who wins: over {best.spearman.n} strategies its rank correlation with the true "
            f"lift is {rank(best.spearman)}. It puts {best.chosen} first, {cost}."
        )
    ]
    away = [each.metric for each in named if above(each.spearman) is False]
    open_ = [each.metric for each in named if above(each.spearman) is None]
    if away:
        said.append(f"The other way point {_listed(away)}: what is higher there has the lower true lift.")
    if open_:
        said.append(f"Nothing can be concluded about {_listed(open_)}: their intervals hold 0.")
    near = [each.metric for each in named[1:] if _overlap(each, best)]
    if near:
        said.append(
            f"Which of {_listed([best.metric, *near])} is the best guide cannot be concluded: their intervals overlap."
        )
    return [*said, "This is one world and one family of strategies; other families may be ordered otherwise."]


def summary_of_interference(found: Interference) -> list[str]:
    """The truth, what each design makes of it, and what so few worlds cannot show."""
    truth = found.designs[0].truth
    helps = {True: "helps", False: "harms", None: "cannot be said to help or to harm"}[above(truth)]
    said = [
        f"In truth the treatment {helps}: {between(truth)} {in_words(found.metric)} a user, over {found.seeds} worlds."
    ]
    said += [_of_design(each, found.seeds) for each in found.designs]
    unsure = [each.design for each in found.designs if above(each.bias) is None]
    if unsure:
        said.append(
            f"That {_listed(unsure)} {'is' if len(unsure) == 1 else 'are'} free of bias cannot be concluded: an "
            "interval that holds 0 only says how large a bias may be."
        )
    most = max((each.wrong_sign.high or 0.0 for each in found.designs if each.wrong_sign.value == 0), default=0.0)
    if most > 0:
        said.append(
            f"With {found.seeds} worlds, no wrong sign seen means that up to {percent(most, 0)} of tests may have one."
        )
    return said


def summary_of_holdout(found: LongRun) -> list[str]:
    """When a holdout finds its effect, what the early index was worth, and how the effect began and ended."""
    said: list[str] = []
    if found.power:
        last = found.power[-1]
        enough = next((row for row in found.power if row["power"] >= found.goal), None)
        lift = f"A lift of {percent(found.lift or 0, 2)}"
        said.append(
            f"{lift} is found with a power of {percent(enough['power'], 0)} after "
            f"{count_of(int(enough['month']), 'month')}."
            if enough is not None
            else f"{lift} is not found with a power of {percent(found.goal, 0)} within "
            f"{count_of(int(last['month']), 'month')}: the power is then {percent(last['power'], 0)}, "
            "and the smallest lift "
            f"found {percent(last['detectable_lift'], 2)}."
        )
    if found.surrogate is not None:
        index, truth, residual = found.surrogate.index, found.surrogate.truth, found.surrogate.residual
        verdict = "its interval holds the truth" if found.surrogate.covers else "its interval misses the truth"
        said.append(
            f"After {found.short} days the surrogate index says {between(index)} {in_words(found.metric)} a "
            f"user; the truth after {found.long} days is {between(truth)}: {verdict}."
        )
        carried = (
            "beyond the surrogates no effect is shown, which does not prove that they carry all of it"
            if above(residual) is None
            else "the surrogates do not carry all of the effect, so that the index is not to be trusted for its size"
        )
        said.append(f"Given the surrogates, treatment still does {between(residual)}: {carried}.")
    if found.ages:
        first, last = (
            Estimate(row["difference"], low=row["low"], high=row["high"], n=row["users"])
            for row in (found.ages[0], found.ages[-1])
        )
        apart = above(
            Estimate(first.value - last.value, low=_less(first.low, last.high), high=_less(first.high, last.low), n=0)
        )
        fate = {True: "it fell", False: "it rose", None: "whether it fell cannot be concluded, the intervals overlap"}
        said.append(
            f"On the day of first exposure the effect was {between(first)}, {found.ages[-1]['age']} days later "
            f"{between(last)}: {fate[apart]}."
        )
    return said


def summary_of_simulation(found: Simulation) -> list[str]:
    """What the test said of clicks beside the truth, which metrics it missed, and what one test cannot show."""
    if not found.differences:
        return ["There is one arm: nothing is compared."]
    said: list[str] = []
    rows = found.to_dicts()
    for arm in found.run.arms[1:]:
        lift = found.differences[arm, "clicks"].relative
        word = {True: "more", False: "fewer", None: "no difference in"}[above(lift)]
        text = f"The test of {arm} finds {word} clicks: a lift of {share(lift)}"
        if arm in found.truths:
            truth = found.truths[arm]["clicks"].lift
            own = [row for row in rows if row["arm"] == arm and row["covers"] is not None]
            missed = [in_words(row["metric"]) for row in own if not row["covers"]]
            text += f". The truth is {share(truth)}"
            said.append(
                f"{text}. "
                + (
                    f"Its interval misses the truth for {_listed(missed)}."
                    if missed
                    else f"Its interval holds the truth for all {len(own)} metrics."
                )
            )
        else:
            said.append(f"{text}. The truth was left out, so that nothing can be said about its bias.")
    chance = f"One test is one draw: {percent(1 - found.settings.level, 0)} of such intervals miss the truth by chance."
    return [*said, f"{chance} Whether the design is biased takes many worlds: reclens experiment interference."]


def _of_design(each: DesignResult, worlds: int) -> str:
    bias = above(each.bias)
    small = bias is not None and bias != (each.truth.value > 0)
    verdict = "no bias is shown" if bias is None else "it finds too little" if small else "it finds too much"
    wrong, held = (round(part.value * worlds) for part in (each.wrong_sign, each.coverage))
    return (
        f"{each.design}: {verdict} (bias {between(each.bias)}); the wrong sign in {wrong} of {worlds} tests; the "
        f"interval held the truth in {held} of {worlds}."
    )


def held_text(truths: Sequence[Estimate]) -> str:
    """What coverage was simulated for intervals of the truth, where it is less than their level."""
    known = [(each.coverage, each.level) for each in truths if each.coverage is not None]
    if not known:
        return ""
    coverage, level = min(known)
    return (
        " Strategies learn here, and few lives of them can all miss what is rare: such "
        f"{percent(level, 0)} intervals held "
        f"the truth in {percent(coverage, 0)} of simulations or more."
    )


def above(found: Estimate) -> bool | None:
    """Whether an interval lies above 0 (True), below (False), or holds it (None); without one the value speaks."""
    low, high = (found.value if end is None else end for end in (found.low, found.high))
    return True if low > 0 else False if high < 0 else None


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _overlap(one: Correlation, other: Correlation) -> bool:
    ends = (one.spearman.high, other.spearman.low)
    return ends[0] is not None and ends[1] is not None and ends[0] >= ends[1]


_CAUTIONS: Final[dict[CautionCode, str]] = {
    "known_bias": "balanced lists favour one ranker where clicks are at random: the verdict may be of that",
    "few_credited": "too few users gave credit",
    "by_place": BY_PLACE,
    "exact_for_these_users": "over users like these; of these users it is exact",
}


def caution_text(row: MethodVerdict) -> str | None:
    """What to keep in mind of a verdict; None where there is nothing."""
    if row.caution == "objected":
        return " ".join(map(objection_text, row.objections))
    if row.caution == "refused" and row.value is not None:
        return refusal_text(row.value)
    return note_text(row.found.note) if row.caution is None else _CAUTIONS[row.caution]


WAYS: Final = ("truth", "A/B", "A/B, lists alone", "interleaving", "off-policy")
"""The verdicts, in the order they are shown."""


WAYS_LEAD: Final = (
    "A change of a recommender is judged in several ways before everybody gets it. Here the users are simulated: the "
    "true effect is known, and each way is held against it."
)
WAYS_EXPLAINED: Final = (
    "Truth: all users live once with the old system and once with the new one. Only a simulation can do that.",
    "A/B: half of the users get the new system, and the halves are compared after all days.",
    "A/B, lists alone: the same, by the lists of the first day, before users change what they like.",
    "Interleaving: both systems fill the same list in turn; a click counts for the system that brought the item.",
    "Interleaving needs few users, since each one compares both systems; it does not measure the size of the effect.",
    "Off-policy: no experiment. A log of the past is weighted as if the new system had chosen what was shown.",
    "Off-policy works where the log has tried what the new system would show.",
    "In the table, says names the side that an estimate calls better, and right tells whether the truth agrees.",
)


def summary_of_verdicts(found: MethodComparison) -> list[str]:
    """What is true, and who says so."""
    rows = found.to_dicts()
    said = []
    for row in rows:
        if row["verdict"] == "truth":
            what = {"treatment": "raises", "control": "lowers"}.get(row["says"], "does not clearly change")
            said.append(
                f"In truth the treatment {what} {in_words(row['measure'])}: "
                f"{format_estimate(row, value='effect', signed=True)} ({row['method']})."
            )
    said += [f"{way}, {ways_in_words(rows, way)}." for way in WAYS[1:] if any(row["verdict"] == way for row in rows)]
    return [*said, "This is one world and one seed: how often each way is right takes many of them."]


def ways_in_words(rows: Sequence[Mapping[str, Any]], way: str) -> str:
    """How many estimates of a way are right, such as ``2 estimates: 1 right, 1 undecided``."""
    mine = [row for row in rows if row["verdict"] == way]
    counts = {
        "right": sum(row["right"] is True for row in mine),
        "wrong": sum(row["right"] is False for row in mine),
        "undecided": sum(row["says"] == "undecided" for row in mine),
        "without a verdict": sum(row["says"] == "none" for row in mine),
    }
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"{count_of(len(mine), 'estimate')}: {told}"


_METHODS: Final = {
    "ab": "mean by list",
    "dm": "direct method",
    "dr": "doubly robust",
    "dr_os": "DRos",
    "switch_dr": "Switch-DR",
    "mips": "marginalised IPS",
    "pi": "pseudo-inverse",
    "iips": "independent IPS",
    "rips": "reward-interaction IPS",
    "sips": "standard IPS of lists",
    "sn_iips": "independent SNIPS",
    "sn_rips": "reward-interaction SNIPS",
    "ips": "IPS",
    "snips": "SNIPS",
}
"""What the field calls the methods whose names are abbreviations."""


def method_name(name: str) -> str:
    """A way to measure, or an estimator, as people call it.

    Example:
        >>> method_name("switch_dr"), method_name("team_draft")
        ('Switch-DR', 'team draft')
    """
    return _METHODS.get(name) or in_words(name)


def doubts_of(found: MethodComparison) -> tuple[str, ...]:
    """What speaks against the weights of the log, and which estimators give no verdict or run high."""
    both = (found.off_policy, found.off_policy_lists)
    said = [objection_text(objection) for each in both for objection in each.objections]
    said = said or ["The log explores enough: no objection to its weights."]
    said += [
        f"{method_name(value.estimator)}: {refusal_text(value)}."
        for each in both
        for value in each.values
        if value.refused is not None
    ]
    return tuple(dict.fromkeys([*said, *([BY_PLACE] if found.off_policy.by_place else [])]))
