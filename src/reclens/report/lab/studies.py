"""The studies of the lab as documents: what was found in plain sentences, what cannot be concluded, then the numbers.

Everything here happened in a simulated world. Where it was drawn the document says that its data is made up; where it
was fitted to data, that its users' choices still are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from reclens.lab.correlation import OfflineOnline
from reclens.lab.interference_study import Interference
from reclens.lab.long_run import LongRun
from reclens.lab.simulation import Simulation
from reclens.lab.strategy_family import OVERALL
from reclens.report._toolkit.document import DocumentPart, RenderedDocument, appendix, write_document
from reclens.report._toolkit.format import format_number, in_words, rank, share, whole
from reclens.report._toolkit.html import Figure, figure_of
from reclens.report._toolkit.tables import Table
from reclens.report.experiment.terms import READING, definitions
from reclens.report.lab import charts as lab_charts
from reclens.report.lab.cards import correlation_card, holdout_card, interference_card, simulation_card
from reclens.report.lab.tables import correlation_table, interference_table, long_run_tables, simulation_table
from reclens.report.lab.words import (
    DESIGNS,
    held_text,
    summary_of_correlation,
    summary_of_holdout,
    summary_of_interference,
    summary_of_simulation,
)
from reclens.settings import to_toml

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


def build_correlation_report(found: OfflineOnline, *, fitted: bool = False) -> RenderedDocument:
    """Offline metrics against true lifts.

    Args:
        found: The study.
        fitted: Whether the world is fitted to data; a drawn one is made up, which the page then says.
    """
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
        for each in dict.fromkeys(one.segment for one in found.correlations)
    ]
    control, said = found.lifts.control, summary_of_correlation(found)
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
            title="The true lifts",
            tables=(_lift_table(found),),
            lead="Everybody lived under each strategy, with the same luck; intervals are over replicates, each with "
            f"other luck.{held_text([cells[OVERALL] for cells in found.lifts.values.values()])}",
        ),
        definitions("interval", "lift", "truth"),
        appendix({"correlations": found.to_dicts(), "points": found.points}),
    ]
    return write_document(
        title="Offline metrics against true lifts",
        heading="In short",
        parts=parts,
        synthetic=not fitted,
        subject=f"{len(found.lifts.values)} strategies · lift of {in_words(found.lifts.metric)} a user over {control}",
        summary=said[1:-1],
        card=correlation_card(found, said, fitted=fitted),
        reading=READING,
    )


def build_interference_report(found: Interference, *, arms: tuple[str, str], fitted: bool = False) -> RenderedDocument:
    """Designs of A/B tests against the truth.

    Args:
        found: The study.
        arms: Treatment and control, in words.
        fitted: Whether the worlds are fitted to data.
    """
    said = summary_of_interference(found)
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
            points=DESIGNS,
        ),
        definitions("A/B_test", "bias", "control", "interval", "truth", "units"),
        appendix({"designs": found.to_dicts(), "worlds": found.effects}),
    ]
    return write_document(
        title="How far A/B tests are bent",
        subject=f"{arms[0]} against {arms[1]} · {found.seeds} worlds · {in_words(found.metric)} a user",
        heading="In short",
        parts=parts,
        synthetic=not fitted,
        summary=said[1:-1],
        card=interference_card(found, said, fitted=fitted),
        reading=READING,
    )


def build_holdout_report(found: LongRun) -> RenderedDocument:
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
    return write_document(
        title="The long run",
        subject=f"{in_words(found.metric)} a user",
        heading="In short",
        parts=[*parts, definitions("A/B_test", "interval", "lift", "power", "truth"), appendix(found.record())],
        synthetic=found.surrogate is not None and not found.fitted,
        summary=summary_of_holdout(found),
        card=holdout_card(found),
        reading=READING,
    )


def build_simulation_report(found: Simulation, *, fitted: bool = False) -> RenderedDocument:
    """A simulated A/B test beside its truth."""
    arms, said = found.run.arms, summary_of_simulation(found)
    drawn = [
        (lab_charts.lift_chart(found, arm=arm), f"{arm} over {arms[0]}: what the test says, and the truth")
        for arm in arms[1:]
    ]
    happened = _happened(found)
    held = held_text([truth["clicks"].lift for truth in found.truths.values()])
    parts = (
        [
            DocumentPart(
                title="Effects",
                figures=_figures(drawn),
                tables=(simulation_table(found),),
                lead="The truth: everybody treated against nobody treated, with the same luck; its interval is over "
                f"replicates, each with other luck.{held}",
            )
        ]
        if arms[1:]
        else []
    )
    parts += [
        DocumentPart(title="What happened", tables=(happened,)),
        DocumentPart(title="The simulation as a file", code=to_toml(found.settings), language="toml"),
        definitions("A/B_test", "control", "interval", "lift", "truth"),
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
        f"{whole(found.world.users.height)} users · {found.settings.training} training data",
        heading="In short",
        summary=said[max(len(arms) - 1, 0) : -1],
        card=simulation_card(found, said, fitted=fitted),
        reading=READING,
        parts=parts,
        synthetic=not fitted,
    )


def _lift_table(found: OfflineOnline) -> Table:
    cells = sorted(found.lifts.values.items(), key=lambda pair: -pair[1][OVERALL].value)
    segments = list(cells[0][1])
    rows = tuple((name, *(share(own[each]) for each in segments)) for name, own in cells)
    return Table(
        title=f"Lift over {found.lifts.control}",
        columns=("strategy", *(_who(each) for each in segments)),
        rows=rows,
        records=tuple(found.lifts.to_dicts()),
    )


def _happened(found: Simulation) -> Table:
    records = found.run.to_dicts()
    rows = tuple(
        tuple(
            whole(value) if isinstance(value, int) else format_number(value) if isinstance(value, float) else str(value)
            for value in row.values()
        )
        for row in records
    )
    return Table(
        title="What happened", columns=tuple(in_words(name) for name in records[0]), rows=rows, records=tuple(records)
    )


def _figures(drawn: Sequence[tuple[Any, str]]) -> tuple[Figure, ...]:
    return tuple(figure_of(chart, caption) for chart, caption in drawn if chart is not None)


def _who(segment: tuple[str, str]) -> str:
    return "everybody" if segment == OVERALL else f"{segment[0]}: {segment[1]}"
