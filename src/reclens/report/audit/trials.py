"""Mitigation trials of an audit: what a smaller gap costs, what was chosen, who pays, and what the long run brings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from reclens.audit.mitigate.lab import Mitigation
from reclens.audit.mitigate.trials import Levelling, Sweep, Trial
from reclens.audit.mitigate.who_pays import Change, Payer, Side
from reclens.report._toolkit.document import DocumentPart
from reclens.report._toolkit.format import (
    NOTHING,
    between,
    count_of,
    decimal,
    format_number,
    percent,
    sentence,
    significant,
    whole,
)
from reclens.report._toolkit.html import Figure, figure_of
from reclens.report._toolkit.tables import Table
from reclens.report.audit.charts_trials import dumbbell_chart, gap_name, pareto_chart, trial_name
from reclens.report.audit.words import LEFT_OUT, MITIGATIONS, measure_name

__all__ = [
    "ADVISED",
    "LEVELLING",
    "choice_sentence",
    "long_run_table",
    "payer_table",
    "price_sentence",
    "trial_records",
    "trial_table",
    "trials_part",
]

LEVELLING: Final[Mapping[Levelling, str]] = {"none": "no", "possible": "possible", "shown": "yes"}
"""Whether a gap was closed by harming both sides."""
SIDES: Final[Mapping[Side, str]] = {
    "users": "users",
    "items": "items",
    "items_within": "items within a group",
}
CODES: Final[Mapping[Change, str]] = {"gains": "gains", "loses": "loses", "undecided": "cannot tell"}
_SHOWN: Final = 6
_DO: Final = {"loses": "lose", "gains": "gain"}
HELD_OUT: Final[Mapping[str, str]] = {
    "part": "the validation part of the split",
    "users": "half of the users, set aside by a hash of their ids",
}
ADVISED: Final[Mapping[str, tuple[str, ...]]] = {
    "rerank_exposure": ("dual_prices", "fair_top_k", "det_greedy", "det_cons", "det_relaxed", "amortised"),
    "rerank_popularity": ("xquad", "popularity_discount"),
    "rerank_calibrated": ("calibrated",),
    "weight_training": ("inverse_propensity", "popularity_weights", "group_weights"),
}
"""Advice -> the mitigations that follow it, whose trials measured its price."""


def trial_table(found: Sweep) -> Table:
    """One row a trial: what it costs, what it closes, whether it levels down, how far it is from what can be had."""
    cells = tuple(
        (
            trial_name(each),
            between(each.accuracy_lost),
            between(each.gap_closed),
            percent(each.share_closed, 0),
            LEVELLING[each.levelling_down],
            "yes" if each.on_front else "",
            NOTHING if each.distance is None else format_number(each.distance.distance.value),
            whole(sum(payer.code == "loses" for payer in each.payers)),
            decimal(each.seconds, 2),
        )
        for each in found.trials
    )
    heads = (
        "mitigation",
        f"{found.metric} lost",
        "gap closed",
        "share closed",
        "levels down",
        "on the front",
        "distance to the frontier",
        "groups that lose",
        "seconds",
    )
    note = (
        "Levels down: the gap is smaller because both sides have less. Distance to the frontier (DPFR): to the middle "
        "of the Pareto frontier of NDCG and exposure that the truth allows (Rampisela et al. 2025); 0 is the best "
        "there is."
    )
    return Table(title="Trials", columns=heads, rows=cells, records=tuple(found.to_dicts()), notes=(note,))


def payer_table(trial: Trial, *, title: str = "Who pays", most: int = _SHOWN) -> Table:
    """What a mitigation changes for each group, and for the head, middle and tail within groups of items.

    Args:
        trial: The trial.
        title: Of the table.
        most: Groups of items that are shown of each kind, those that change most first; the rest stand in the CSV.
    """
    kept: list[Payer] = []
    for side in SIDES:
        own = [each for each in trial.payers if each.side == side]
        kept += own if side == "users" else sorted(own, key=lambda each: -abs(each.change.value))[:most]
    cells = tuple(
        (
            SIDES[each.side],
            each.group if each.by in ("overall", "(within)") else f"{each.group} ({each.by})",
            format_number(each.before) if each.side == "users" else percent(each.before, 1),
            between(each.change),
            CODES[each.code],
        )
        for each in kept
    )
    records = tuple(row for each in trial.payers for row in each.to_dicts())
    left = len(trial.payers) - len(kept)
    notes = ("Users: accuracy. Items: share of the exposure.",)
    notes += (f"{whole(left)} groups of items that change less are left out.",) if left else ()
    return Table(
        title=title, columns=("side", "group", "before", "change", ""), rows=cells, records=records, notes=notes
    )


def long_run_table(found: Mitigation) -> Table:
    """What each mitigation changes in the feedback loop: consumption over all rounds, the rest in the last one."""
    rows = [each for each in found.loop if each.mitigation != "none"]
    measures = list(dict.fromkeys(each.measure for each in rows))
    changes = {(each.mitigation, each.strength, each.measure): between(each.change) for each in rows}
    without = {each.measure: format_number(each.without) for each in rows}
    cells = [("none", *(without[measure] for measure in measures))]
    for name, strength in dict.fromkeys((each.mitigation, each.strength) for each in rows):
        told = (changes[name, strength, measure] for measure in measures)
        cells.append((f"{MITIGATIONS.get(name, name)} {significant(strength)}", *told))
    heads = ("mitigation", *(measure_name(f"loop_{measure}") for measure in measures))
    notes = ("First row: the loop without a mitigation. The others: what each changes, paired by run.",)
    return Table(
        title="The long run",
        columns=heads,
        rows=tuple(cells),
        records=tuple(row for each in rows for row in each.to_dicts()),
        notes=notes,
    )


def choice_sentence(found: Mitigation) -> str:
    """What was chosen on validation, and what it came to on test."""
    choice, sweep = found.choice, found.validation
    rule = (
        f"the most gap closed for a loss that certainly stays within {percent(choice.most_lost, 0)} of {sweep.metric}"
        if choice.rule == "budget"
        else "the knee of the Pareto front"
    )
    if found.test is None:
        return f"None of {whole(choice.looked_at)} trials meets the rule ({rule}): nothing was chosen."
    test = found.test
    return (
        f"Chosen of {whole(choice.looked_at)} trials by {rule}: {trial_name(choice)}. On test, looked at once, it "
        f"closes {percent(test.share_closed, 0)} of the gap of {gap_name(sweep)} "
        f"({between(test.gap_closed, signed=False)}) and costs {between(test.accuracy_lost, signed=False)} of "
        f"{sweep.metric}{_part_lost(test)}.{_levels(test)}"
    )


def _part_lost(trial: Trial) -> str:
    before = trial.accuracy.value + trial.accuracy_lost.value
    return f" ({percent(trial.accuracy_lost.value / before, 1)})" if before > 0 else ""


def _levels(trial: Trial) -> str:
    told = {"none": "", "possible": " Both sides may have less: it may level down.", "shown": " It levels down."}
    return told[trial.levelling_down]


def price_sentence(found: Mitigation, advice: str) -> str | None:
    """The measured price of an advice: of the chosen trial on test, else of the best of its kind on validation.

    None where nothing of its kind was tried.
    """
    kinds, sweep, choice = ADVISED.get(advice, ()), found.validation, found.choice
    trials = [each for each in sweep.trials if each.mitigation in kinds]
    if not trials:
        return None
    if found.test is not None and choice.mitigation in kinds:
        return _price(found.test, found, "on test")
    before = sweep.trials[0].accuracy.value
    good = [each for each in trials if each.levelling_down == "none" and each.gap_closed.value > 0 and not each.turned]
    able = [each for each in good if each.accuracy_lost.value <= choice.most_lost * before]
    if not able:
        return (
            f"Price: no strength that was tried closes the gap of {gap_name(sweep)} for "
            f"{percent(choice.most_lost, 0)} of {sweep.metric} without harming both sides."
        )
    return _price(max(able, key=lambda each: each.gap_closed.value), found, "on validation")


def _price(trial: Trial, found: Mitigation, where: str) -> str:
    groups = [each for each in trial.payers if each.side == "users" and each.by != "overall"]
    losing = sum(each.code == "loses" for each in groups)
    pays = f"; {whole(losing)} of {whole(len(groups))} groups of users certainly lose" if losing else ""
    return (
        f"Price, {where}: {trial_name(trial)} costs {between(trial.accuracy_lost, signed=False)} of "
        f"{found.validation.metric}{_part_lost(trial)} and closes {percent(trial.share_closed, 0)} of the gap of "
        f"{gap_name(found.validation)}{pays}."
    )


def trial_records(found: Mitigation) -> list[dict[str, Any]]:
    """Every number of the trials as rows of one table: trials, who pays on test, and the long run."""
    rows = [{"table": "trial", **row} for row in found.to_dicts()]
    told = [("validation", each) for each in found.validation.trials]
    told += [] if found.test is None else [("test", found.test)]
    for part, trial in told:
        about = {"table": "who_pays", "part": part, "mitigation": trial.mitigation, "strength": trial.strength}
        rows += [{**about, **row} for each in trial.payers for row in each.to_dicts()]
    rows += [{"table": "long_run", **row} for each in found.loop for row in each.to_dicts()]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name) for name in names} for row in rows]


def trials_part(found: Mitigation | None) -> DocumentPart:
    """The trials, the choice, who pays and the long run; without trials, that there were none."""
    title = "Mitigation trials"
    if found is None:
        return DocumentPart(
            title=title,
            lead="No mitigation was tried in this audit, so that actions have no measured price yet. [mitigation] of "
            "audit.toml sweeps re-rankers and weights on validation.",
        )
    sweep, shown = found.validation, _shown(found)
    points = [choice_sentence(found)]
    if shown is not None:
        points += _paying(shown)
    points += [
        f"Not tried: {MITIGATIONS.get(each.mitigation, each.mitigation)}. {sentence(LEFT_OUT[each.reason])}."
        for each in found.left_out
    ]
    tables: list[Table] = [trial_table(sweep)]
    if shown is not None:
        tables.append(payer_table(shown, title=f"Who pays for {trial_name(shown)}"))
    if found.loop:
        tables.append(long_run_table(found))
        points.append(_long_run(found))
    return DocumentPart(
        title=title,
        lead=f"Swept on {HELD_OUT[found.held_out]} ({count_of(sweep.n, 'user')}), against the gap of "
        f"{gap_name(sweep)}, which was chosen before the sweep. The base is the first places of the candidates.",
        points=tuple(points),
        figures=tuple(_figures(found, shown)),
        tables=tuple(tables),
    )


def _shown(found: Mitigation) -> Trial | None:
    """The trial that is described by group: the chosen one on test, else the knee, else the end of the front."""
    if found.test is not None:
        return found.test
    sweep = found.validation
    if sweep.knee is not None:
        return sweep.trials[sweep.knee]
    return next((each for each in reversed(sweep.front) if each.mitigation != "none"), None)


def _figures(found: Mitigation, shown: Trial | None) -> list[Figure]:
    caption = "Accuracy lost against gap closed; the line is the Pareto front, the ring its knee, the square the choice"
    figures = [figure_of(pareto_chart(found.validation, found.choice), caption)]
    if shown is None:
        return figures
    about: dict[Side, str] = {
        "users": "Accuracy of groups of users",
        "items": "Exposure of groups of items",
        "items_within": "Exposure within groups of items",
    }
    for side, told in about.items():
        chart: Any = dumbbell_chart(shown, side, found.validation.metric)
        if chart is not None:
            figures.append(figure_of(chart, f"{told}, before and after {trial_name(shown)}"))
    return figures


def _paying(trial: Trial) -> list[str]:
    """Groups that certainly lose, and groups that certainly gain."""
    found = []
    for code in ("loses", "gains"):
        named = [each for each in trial.payers if each.code == code and each.by != "overall"]
        if named:
            told = ", ".join(dict.fromkeys(each.group for each in named[:8]))
            more = f" and {whole(len(named) - 8)} more" if len(named) > 8 else ""
            found.append(f"Certainly {_DO[code]} by {trial_name(trial)}: {told}{more}.")
    return found


def _long_run(found: Mitigation) -> str:
    rows = [each for each in found.loop if each.measure == "consumption" and each.mitigation != "none"]
    n = rows[0].change.n if rows else 0
    pays = [
        each for each in rows if each.change.low is not None and math.isfinite(each.change.low) and each.change.low >= 0
    ]
    costs = [each for each in rows if each.change.high is not None and each.change.high < 0]
    return (
        f"Long run, in {count_of(n, 'run')} of a feedback loop in a simulated world: of "
        f"{count_of(len(rows), 'mitigation')} {whole(len(costs))} certainly cost consumption over all rounds, "
        f"{whole(len(pays))} certainly do not."
    )
