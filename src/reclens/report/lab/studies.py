"""The studies of the lab as documents: what was found in plain sentences, what cannot be concluded, then the numbers.

Everything here happened in a simulated world. Where it was drawn the document says that its data is made up; where it
was fitted to data, that its users' choices still are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from reclens.lab.correlation import Correlation, OfflineOnline
from reclens.lab.interference_study import DesignResult, Interference
from reclens.lab.long_run import LongRun
from reclens.lab.simulation import Simulation
from reclens.lab.strategy_family import OVERALL
from reclens.report._toolkit.document import DocumentPart, Written, appendix, write_document
from reclens.report._toolkit.format import between, in_words, rank, share
from reclens.report._toolkit.html import Figure, figure_of
from reclens.report._toolkit.tables import Table, format_number
from reclens.report.lab import charts as lab_charts
from reclens.report.lab.tables import correlation_table, interference_table, long_run_tables, simulation_table
from reclens.settings import to_toml
from reclens.stats.estimate import Estimate

__all__ = [
    "build_correlation_report",
    "build_holdout_report",
    "build_interference_report",
    "build_simulation_report",
    "summary_of_correlation",
    "summary_of_holdout",
    "summary_of_interference",
    "summary_of_simulation",
]

_SHOWN: Final = 3
"""Best and worst metrics that get a scatter."""
_LIMITS: Final = (
    "One choice model holds for everybody in this world: its effects are orders of magnitude, not forecasts."
)
_FITTED: Final = "The world is fitted to data; what its users choose is simulated all the same."


def build_correlation_report(found: OfflineOnline, *, fitted: bool = False) -> Written:
    """Offline metrics against true lifts.

    Args:
        found: The study.
        fitted: Whether the world is fitted to data; a drawn one is made up, which the page then says.
    """
    segments = list(dict.fromkeys(each.segment for each in found.correlations))
    named = [
        each for each in found.correlations if each.segment == OVERALL and each.spearman.value == each.spearman.value
    ]
    # The ends of the ranking, without showing a metric twice where there are few.
    shown = named[:_SHOWN] + named[max(_SHOWN, len(named) - _SHOWN) :]
    scatters = [
        (
            lab_charts.offline_online_chart(found, metric=each.metric, segment=OVERALL),
            f"{each.metric} against the true lift: Spearman {rank(each.spearman)}",
        )
        for each in shown
    ]
    orders = [
        (lab_charts.correlation_chart(found, segment=each), f"Rank correlation of every metric, {_who(each)}")
        for each in segments
    ]
    control = found.lifts.control
    parts = [
        DocumentPart(
            title="The best and the worst metrics",
            figures=_figures(scatters),
            lead=f"A dot is a strategy; its line is the interval of its true lift over {control}, which is often too "
            "narrow to see. Where a metric tells who wins, dots rise to the right.",
        ),
        DocumentPart(
            title="Rank correlations",
            figures=_figures(orders),
            tables=(correlation_table(found),),
            lead="1: the metric orders the strategies as their true lifts do; 0: it says nothing; -1: the other way. "
            "Faded: the interval holds 0.",
        ),
        DocumentPart(
            title="True lifts",
            tables=(_lift_table(found),),
            lead="Everybody lived under each strategy, with the same luck; intervals are over replicates, each with "
            f"other luck.{_held([cells[OVERALL] for cells in found.lifts.values.values()])}",
        ),
        appendix({"correlations": found.to_dicts(), "points": found.points}),
    ]
    return write_document(
        title="Offline metrics against true lifts",
        heading="In short",
        parts=parts,
        synthetic=not fitted,
        scoped=True,
        subject=f"{len(found.lifts.values)} strategies · lift of {in_words(found.lifts.metric)} a user over {control}",
        summary=[*summary_of_correlation(found), _FITTED if fitted else _LIMITS],
    )


def summary_of_correlation(found: OfflineOnline) -> list[str]:
    """Which metrics tell who wins, which do not, and what cannot be concluded."""
    named = [
        each for each in found.correlations if each.segment == OVERALL and each.spearman.value == each.spearman.value
    ]
    if not named:
        return ["No metric differs between the strategies, so that none can tell who wins."]
    best = named[0]
    cost = "the best" if best.regret <= 0 else f"at {100 * best.regret:.2f} points of lift below the best"
    said = [
        (
            f"{best.metric} tells best who wins: over {best.spearman.n} strategies its rank correlation with the true "
            f"lift is {rank(best.spearman)}. It puts {best.chosen} first, {cost}."
        )
    ]
    away = [each.metric for each in named if _above(each.spearman) is False]
    open_ = [each.metric for each in named if _above(each.spearman) is None]
    if away:
        said.append(f"The other way point {_list(away)}: what is higher there has the lower true lift.")
    if open_:
        said.append(f"Nothing can be concluded about {_list(open_)}: their intervals hold 0.")
    near = [each.metric for each in named[1:] if _overlap(each, best)]
    if near:
        said.append(
            f"Which of {_list([best.metric, *near])} is the best guide cannot be concluded: their intervals overlap."
        )
    return [*said, "This is one world and one family of strategies; other families may be ordered otherwise."]


def build_interference_report(found: Interference, *, arms: tuple[str, str], fitted: bool = False) -> Written:
    """Designs of A/B tests against the truth.

    Args:
        found: The study.
        arms: Treatment and control, in words.
        fitted: Whether the worlds are fitted to data.
    """
    drawn = [
        (lab_charts.design_chart(found), "Mean estimate of each design beside the truth"),
        (lab_charts.bias_chart(found), "Bias: estimate minus truth"),
        (lab_charts.sign_chart(found), "Share of tests with the wrong sign"),
    ]
    parts = [
        DocumentPart(
            title="Designs",
            figures=_figures(drawn),
            tables=(interference_table(found),),
            lead="Each design ran once in each world, and was held against everybody treated minus nobody treated in "
            "that world.",
        ),
        DocumentPart(
            title="What the designs are",
            points=(
                "shared: users are randomised, and both arms train on what everybody consumed: the usual A/B test.",
                "diverted: each arm trains on its own users from the first day on (Holtz et al. 2023).",
                "separate: each arm trains on its own users alone, also on the time before.",
                "clusters: groups of like-minded users are randomised whole, and are the units of the test.",
            ),
        ),
        appendix({"designs": found.to_dicts(), "worlds": found.effects}),
    ]
    return write_document(
        title="How far A/B tests are bent",
        subject=f"{arms[0]} against {arms[1]} · {found.seeds} worlds · {in_words(found.metric)} a user",
        heading="In short",
        parts=parts,
        synthetic=not fitted,
        scoped=True,
        summary=[*summary_of_interference(found), _FITTED if fitted else _LIMITS],
    )


def summary_of_interference(found: Interference) -> list[str]:
    """The truth, what each design makes of it, and what so few worlds cannot show."""
    truth = found.designs[0].truth
    helps = {True: "helps", False: "harms", None: "cannot be said to help or to harm"}[_above(truth)]
    said = [
        f"In truth the treatment {helps}: {between(truth)} {in_words(found.metric)} a user, over {found.seeds} worlds."
    ]
    said += [_of_design(each, found.seeds) for each in found.designs]
    unsure = [each.design for each in found.designs if _above(each.bias) is None]
    if unsure:
        said.append(
            f"That {_list(unsure)} {'is' if len(unsure) == 1 else 'are'} free of bias cannot be concluded: an "
            "interval that holds 0 only says how large a bias may be."
        )
    most = max((each.wrong_sign.high or 0.0 for each in found.designs if each.wrong_sign.value == 0), default=0.0)
    if most > 0:
        said.append(f"With {found.seeds} worlds, no wrong sign seen means that up to {most:.0%} of tests may have one.")
    return said


def build_holdout_report(found: LongRun) -> Written:
    """The long run: power over months, the surrogate index beside the truth, the effect by age of exposure."""
    parts: list[DocumentPart] = []
    tables = iter(long_run_tables(found))
    if found.power:
        parts.append(
            DocumentPart(
                title="Power over months",
                tables=(next(tables),),
                figures=_figures([(lab_charts.holdout_power_chart(found), "Power after each month")]),
                lead="Months of one user are alike: each adds less than the one before.",
            )
        )
    if found.surrogate is not None:
        drawn = [(lab_charts.estimate_chart(found), f"Effect after {found.long} days: index, test and truth")]
        parts.append(
            DocumentPart(
                title="Early signs",
                tables=(next(tables),),
                figures=_figures(drawn),
                lead="A surrogate index predicts the long-term effect from the first days of a test "
                "(Athey et al. 2019). Here the truth is known.",
            )
        )
    if found.ages:
        drawn = [(lab_charts.age_chart(found), "Effect by days since first exposure")]
        parts.append(
            DocumentPart(
                title="Novelty",
                tables=(next(tables),),
                figures=_figures(drawn),
                lead="A novelty wears off towards zero; a change that is learned rises.",
            )
        )
    world = found.surrogate is not None
    end = (
        [_FITTED if found.fitted else _LIMITS]
        if world
        else ["It rests on the numbers that were given, and on them alone."]
    )
    return write_document(
        title="The long run",
        subject=f"{in_words(found.metric)} a user",
        heading="In short",
        parts=[*parts, appendix(found.record())],
        synthetic=world and not found.fitted,
        scoped=True,
        summary=[*summary_of_holdout(found), *end],
    )


def summary_of_holdout(found: LongRun) -> list[str]:
    """When a holdout finds its effect, what the early index was worth, and how the effect began and ended."""
    said: list[str] = []
    if found.power:
        last = found.power[-1]
        enough = next((row for row in found.power if row["power"] >= found.goal), None)
        lift = f"A lift of {found.lift or 0:.2%}"
        said.append(
            f"{lift} is found with a power of {enough['power']:.0%} after {_count(int(enough['month']), 'month')}."
            if enough is not None
            else f"{lift} is not found with a power of {found.goal:.0%} within {_count(int(last['month']), 'month')}: "
            f"the power is then {last['power']:.0%}, and the smallest lift found {last['detectable_lift']:.2%}."
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
            if _above(residual) is None
            else "the surrogates do not carry all of the effect, so that the index is not to be trusted for its size"
        )
        said.append(f"Given the surrogates, treatment still does {between(residual)}: {carried}.")
    if found.ages:
        first, last = (
            Estimate(row["difference"], row["low"], row["high"], row["users"])
            for row in (found.ages[0], found.ages[-1])
        )
        apart = _above(Estimate(first.value - last.value, _less(first.low, last.high), _less(first.high, last.low), 0))
        fate = {True: "it fell", False: "it rose", None: "whether it fell cannot be concluded, the intervals overlap"}
        said.append(
            f"On the day of first exposure the effect was {between(first)}, {found.ages[-1]['age']} days later "
            f"{between(last)}: {fate[apart]}."
        )
    return said


def build_simulation_report(found: Simulation, *, fitted: bool = False) -> Written:
    """A simulated A/B test beside its truth."""
    arms = found.run.arms
    drawn = [
        (lab_charts.lift_chart(found, arm=arm), f"{arm} over {arms[0]}: what the test says, and the truth")
        for arm in arms[1:]
    ]
    happened = _happened(found)
    parts = (
        [
            DocumentPart(
                title="Effects",
                figures=_figures(drawn),
                tables=(simulation_table(found),),
                lead="The truth: everybody treated against nobody treated, with the same luck; its interval is over "
                f"replicates, each with other luck.{_held([truth['clicks'].lift for truth in found.truths.values()])}",
            )
        ]
        if arms[1:]
        else []
    )
    parts += [
        DocumentPart(title="What happened", tables=(happened,)),
        DocumentPart(title="The simulation as a file", code=to_toml(found.settings), language="toml"),
        appendix(
            {
                "effects": found.to_dicts(),
                "arms": happened.records,
                "days": found.run.days.cast({"variant": str}).to_dicts(),
            }
        ),
    ]
    return write_document(
        title="A simulated A/B test",
        subject=f"{' against '.join(reversed(arms))} · {found.settings.days} days · "
        f"{found.world.users.height:,} users · {found.settings.training} training data",
        heading="In short",
        summary=[*summary_of_simulation(found), _FITTED if fitted else _LIMITS],
        parts=parts,
        synthetic=not fitted,
        scoped=True,
    )


def summary_of_simulation(found: Simulation) -> list[str]:
    """What the test said of clicks beside the truth, which metrics it missed, and what one test cannot show."""
    if not found.differences:
        return ["There is one arm: nothing is compared."]
    said: list[str] = []
    rows = found.to_dicts()
    for arm in found.run.arms[1:]:
        lift = found.differences[arm, "clicks"].relative
        word = {True: "more", False: "fewer", None: "no difference in"}[_above(lift)]
        text = f"The test of {arm} finds {word} clicks: a lift of {share(lift)}"
        if arm in found.truths:
            truth = found.truths[arm]["clicks"].lift
            own = [row for row in rows if row["arm"] == arm and row["covers"] is not None]
            missed = [in_words(row["metric"]) for row in own if not row["covers"]]
            text += f". The truth is {share(truth)}"
            said.append(
                f"{text}. "
                + (
                    f"Its interval misses the truth for {_list(missed)}."
                    if missed
                    else f"Its interval holds the truth for all {len(own)} metrics."
                )
            )
        else:
            said.append(f"{text}. The truth was left out, so that nothing can be said about its bias.")
    chance = f"One test is one draw: {1 - found.settings.level:.0%} of such intervals miss the truth by chance."
    return [*said, f"{chance} Whether the design is biased takes many worlds: reclens experiment interference."]


def _of_design(each: DesignResult, worlds: int) -> str:
    bias = _above(each.bias)
    small = bias is not None and bias != (each.truth.value > 0)
    verdict = "no bias is shown" if bias is None else "it finds too little" if small else "it finds too much"
    wrong, held = (round(part.value * worlds) for part in (each.wrong_sign, each.coverage))
    return (
        f"{each.design}: {verdict} (bias {between(each.bias)}); the wrong sign in {wrong} of {worlds} tests; the "
        f"interval held the truth in {held} of {worlds}."
    )


def _lift_table(found: OfflineOnline) -> Table:
    cells = sorted(found.lifts.values.items(), key=lambda pair: -pair[1][OVERALL].value)
    segments = list(cells[0][1])
    rows = tuple((name, *(share(own[each]) for each in segments)) for name, own in cells)
    return Table(
        f"Lift over {found.lifts.control}",
        ("strategy", *(_who(each) for each in segments)),
        rows,
        tuple(found.lifts.to_dicts()),
    )


def _happened(found: Simulation) -> Table:
    records = found.run.to_dicts()
    rows = tuple(
        tuple(
            f"{value:,}" if isinstance(value, int) else format_number(value) if isinstance(value, float) else str(value)
            for value in row.values()
        )
        for row in records
    )
    return Table("What happened", tuple(in_words(name) for name in records[0]), rows, tuple(records))


def _figures(drawn: Sequence[tuple[Any, str]]) -> tuple[Figure, ...]:
    return tuple(figure_of(chart, caption) for chart, caption in drawn if chart is not None)


def _held(truths: Sequence[Estimate]) -> str:
    """What coverage was simulated for intervals of the truth, where it is less than their level."""
    known = [(each.coverage, each.level) for each in truths if each.coverage is not None]
    if not known:
        return ""
    coverage, level = min(known)
    return (
        f" Strategies learn here, and few lives of them can all miss what is rare: such {level:.0%} intervals held "
        f"the truth in {coverage:.0%} of simulations or more."
    )


def _above(found: Estimate) -> bool | None:
    """Whether an interval lies above 0 (True), below (False), or holds it (None); without one the value speaks."""
    low, high = (found.value if end is None else end for end in (found.low, found.high))
    return True if low > 0 else False if high < 0 else None


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _overlap(one: Correlation, other: Correlation) -> bool:
    ends = (one.spearman.high, other.spearman.low)
    return ends[0] is not None and ends[1] is not None and ends[0] >= ends[1]


def _who(segment: tuple[str, str]) -> str:
    return "everybody" if segment == OVERALL else f"{segment[0]}: {segment[1]}"


def _list(names: Sequence[str], most: int = 6) -> str:
    """Names as words; where there are many, the first ones and how many more."""
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1} others"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
