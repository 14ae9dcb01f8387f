"""Tables of the lab: correlations, designs, the long run, and simulated tests beside their truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reclens.lab.correlation import OfflineOnline
from reclens.lab.holdout import SurrogateStudy
from reclens.lab.interference_study import Interference
from reclens.lab.long_run import LongRun
from reclens.lab.simulation import Simulation
from reclens.report._toolkit.format import (
    NOTHING,
    between,
    decimal,
    format_number,
    in_words,
    p_value,
    percent,
    rank,
    share,
    whole,
)
from reclens.report._toolkit.tables import Table
from reclens.stats.estimate import Estimate

__all__ = [
    "correlation_table",
    "interference_table",
    "long_run_tables",
    "simulation_table",
]

_WEEK: Final = 7


def correlation_table(found: OfflineOnline, *, segments: bool = True) -> Table:
    """Metrics by segment: rank correlations with the true lift, the strategy that is put first, its regret."""
    kept = [each for each in found.correlations if segments or each.segment == ("all", "all")]
    records = [row for row in found.to_dicts() if segments or row["by"] == "all"]
    rows = tuple(
        (
            each.metric,
            "all" if each.segment[0] == "all" else f"{each.segment[0]}: {each.segment[1]}",
            rank(each.spearman),
            rank(each.kendall),
            each.chosen,
            percent(each.regret, 2),
        )
        for each in kept
    )
    heads = ("metric", "segment", "Spearman", "Kendall", "puts first", "regret")
    notes = (
        "regret: lift of the best strategy minus that of the one the metric puts first.",
        "Intervals are over strategies, each for itself.",
    )
    return Table(
        title="Offline metrics against true lifts, by rank",
        columns=heads,
        rows=rows,
        records=tuple(records),
        notes=notes,
    )


def interference_table(found: Interference) -> Table:
    """Designs: truth, estimate, bias, spread, shares of tests with the wrong sign and of intervals that hold."""
    rows = tuple(
        (
            each.design,
            between(each.truth),
            between(each.estimate),
            between(each.bias),
            format_number(each.spread),
            share(each.wrong_sign, 0, signed=False),
            share(each.misled, 0, signed=False),
            share(each.coverage, 0, signed=False),
        )
        for each in found.designs
    )
    heads = ("design", "truth", "estimate", "bias", "spread", "wrong sign", "misled", "covers")
    notes = (
        f"{in_words(found.metric)} a user, {found.seeds} worlds; intervals are over worlds.",
        "misled: significant with the wrong sign. covers: the interval of the test holds the truth of its world.",
    )
    return Table(
        title="Designs against the truth", columns=heads, rows=rows, records=tuple(found.to_dicts()), notes=notes
    )


def long_run_tables(found: LongRun) -> list[Table]:
    """What there is of: power by month, the surrogate index beside the truth, the effect by days since exposure."""
    tables = [_power_table(found)] if found.power else []
    tables += [_surrogate_table(found, found.surrogate)] if found.surrogate is not None else []
    return tables + ([_age_table(found)] if found.ages else [])


def _power_table(found: LongRun) -> Table:
    rows = tuple(
        (
            str(int(row["month"])),
            whole(row["users"]),
            percent(row["error"], 3),
            percent(row["power"], 1),
            percent(row["detectable_lift"], 2),
        )
        for row in found.power
    )
    heads = ("month", "users", "standard error", "power", "detectable lift")
    note = (
        f"Power for a lift of {percent(found.lift or 0, 2)}; detectable lift: found with a power "
        f"of {percent(found.goal, 0)}."
    )
    return Table(title="Power of the holdout", columns=heads, rows=rows, records=found.power, notes=(note,))


def _surrogate_table(found: LongRun, study: SurrogateStudy) -> Table:
    named = (
        (f"surrogate index, day {found.short}", study.index),
        (f"test, day {found.long}", study.long),
        ("truth", study.truth),
        ("residual effect given the surrogates", study.residual),
    )
    weights = ", ".join(f"{name} {format_number(value, signed=True)}" for name, value in study.weights.items())
    notes = (
        f"The index: {weights}; R² {decimal(study.r2, 2)} where it was made.",
        "residual: what treatment does beyond the surrogates; 0 if they carry all of it.",
    )
    return Table(
        title=f"Effect on {in_words(found.metric)} a user after {found.long} days",
        columns=("what", "effect"),
        rows=tuple((name, between(each)) for name, each in named),
        records=tuple(study.to_dicts()),
        notes=notes,
    )


def _age_table(found: LongRun) -> Table:
    shown = [row for row in found.ages if row["age"] < _WEEK or row["age"] % _WEEK == 0]
    rows = tuple(
        (
            str(row["age"]),
            whole(row["users"]),
            format_number(row["control"]),
            format_number(row["treatment"]),
            _difference(row),
        )
        for row in shown
    )
    note = "Days of the first week, then one a week; CSV, JSON and the appendix hold every day."
    heads = ("days since first exposure", "users", "control", "treatment", "difference")
    return Table(
        title=f"Effect on {in_words(found.metric)} by days since first exposure",
        columns=heads,
        rows=rows,
        records=found.ages,
        notes=(note,),
    )


def simulation_table(found: Simulation) -> Table:
    """The A/B estimate of each arm and metric beside the truth, as lifts; what happened where there is one arm."""
    records = found.to_dicts()
    rows = []
    for (arm, metric), said in found.differences.items():
        truth = found.truths[arm][metric].lift if arm in found.truths else None
        covers = next(row["covers"] for row in records if (row["arm"], row["metric"]) == (arm, metric))
        rows.append(
            (
                arm,
                in_words(metric),
                format_number(said.control),
                format_number(said.treatment),
                share(said.relative),
                p_value(said.p_value),
                share(truth) if truth is not None else NOTHING,
                NOTHING if covers is None else "yes" if covers else "no",
            )
        )
    heads = ("arm", "metric", "control", "treated", "A/B lift", "p", "true lift", "covers")
    note = "covers: the interval of the A/B test holds the true lift."
    return Table(
        title="A/B estimate and truth, as lifts over control",
        columns=heads,
        rows=tuple(rows),
        records=tuple(records),
        notes=(note,),
    )


def _difference(row: Mapping[str, Any]) -> str:
    return between(Estimate(row["difference"], low=row["low"], high=row["high"], n=row["users"]))
