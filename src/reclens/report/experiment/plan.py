"""The plan of an experiment as a document: everything that is decided before the data are seen."""

from __future__ import annotations

from reclens.experiment.assignment.assign import sql_of
from reclens.experiment.planning.decision_rule import SKEWED, TOO_SKEWED
from reclens.experiment.planning.looks import sequential_of
from reclens.experiment.planning.plan import Plan
from reclens.experiment.planning.power_question import effect_by_days, power_curve
from reclens.experiment.planning.sizing import MetricSize, Sizing, look_schedule
from reclens.report._toolkit.card import DecisionWords, Tone
from reclens.report._toolkit.document import DocumentPart, RenderedDocument, write_document
from reclens.report._toolkit.format import decimal, percent, significant, whole
from reclens.report._toolkit.html import Figure, figure_of
from reclens.report.experiment.method_words import FORMULA_TITLES, adjustment_text
from reclens.report.experiment.plan_charts import bounds_chart, detectable_chart, power_curve_chart
from reclens.report.experiment.plan_tables import (
    arm_table,
    bounds_table,
    metric_table,
    neighbour_table,
    price_table,
    size_table,
)
from reclens.report.experiment.plan_words import SIZE_NOTES, decision_rule, describe_checks, risks_of, simulated_text
from reclens.report.experiment.terms import READING, definitions
from reclens.report.experiment.words import KIND_TEXTS, margin_text
from reclens.stats.sequential import price_in_power

__all__ = ["build_plan_document", "figures_of", "summary_of"]


def build_plan_document(sizing: Sizing) -> RenderedDocument:
    """Write the plan of an experiment.

    Args:
        sizing: The plan with its sizes.

    Returns:
        The document as HTML and Markdown.
    """
    plan = sizing.plan
    parts = [
        _question(plan),
        _sizes(sizing),
        *_looks(sizing),
        DocumentPart(title="Risks", points=risks_of(plan)),
        _metrics(plan),
        DocumentPart(
            title="Decision rule",
            lead="The first that applies is the decision.",
            points=decision_rule(plan),
            ordered=True,
        ),
        DocumentPart(
            title="Trust checks before any decision",
            lead="One that fails forbids the decision to ship, and says why.",
            points=describe_checks(plan),
        ),
        _randomisation(plan),
        _analysis(plan),
        DocumentPart(
            title="The plan as a file",
            lead="Everything spelled out, defaults too.",
            code=plan.to_toml(),
            language="toml",
        ),
        definitions("control", "guardrail", "interval", "looks", "power", "primary_metric", "trust_check", "units"),
    ]
    start = f", from {plan.start:%Y-%m-%d}" if plan.start else ""
    length = f" · {plan.days} days{start}" if plan.days is not None else ""
    return write_document(
        title=f"Test plan: {plan.name}",
        subject=f"{len(plan.arms)} arms by {plan.unit}{length}",
        heading="In short",
        summary=summary_of(sizing),
        card=_answer(sizing),
        reading=READING,
        parts=parts,
        synthetic=sizing.synthetic,
    )


def _answer(sizing: Sizing) -> DecisionWords:
    """Whether the test can start: what it can find, what must not get worse, how long it takes, what is open."""
    plan = sizing.plan
    headline, tone = _ready(sizing)
    limits = [
        f"{metric.name} may {'move by' if metric.equivalence else 'lose'} {margin_text(metric)}"
        for metric in plan.guardrails
    ]
    lines = [
        (
            "Lift",
            "; ".join(
                f"{metric.name}: {percent(metric.effect, 2)} is worth finding"
                for metric in plan.primary
                if metric.effect
            )
            or "no effect worth finding is named",
        ),
        ("Who loses", f"To be read by {', '.join(plan.segments)}" if plan.segments else "No segments are planned"),
        ("Cost", f"Guardrails: {'; '.join(limits)}" if limits else "No guardrail is planned"),
        ("How sure", _sure(sizing)),
    ]
    return DecisionWords(f"{plan.name} · {len(plan.arms)} arms by {plan.unit}", headline, tone, tuple(lines))


def _sure(sizing: Sizing) -> str:
    """The required power, the smallest power of the planned sample, and the level."""
    plan, said = sizing.plan, f"Power {percent(sizing.plan.power, 0)} asked for"
    powers = {each.metric.name: each.power for each in sizing.metrics if each.metric.role == "primary"}
    known = {name: power for name, power in powers.items() if power is not None}
    if sizing.planned is not None and known:
        name = min(known, key=known.__getitem__)
        said += f", {percent(known[name], 1)} as planned" + (f" ({name})" if len(powers) > 1 else "")
    said += f"; level {percent(plan.level, 0)}"
    return said + (f"; not sized: {', '.join(sizing.unsized)}" if sizing.unsized else "")


def _ready(sizing: Sizing) -> tuple[str, Tone]:
    """Whether the planned days bring enough units."""
    if sizing.enough is not None and sizing.planned is not None and sizing.needed is not None:
        planned = (
            f"the {sizing.plan.days} planned days bring {whole(sizing.planned)} units, and {whole(sizing.needed)} are "
            "needed"
        )
        return (f"Ready to start: {planned}", "good") if sizing.enough else (f"Not ready: {planned}", "bad")
    if sizing.needed is not None:
        return f"{whole(sizing.needed)} units are needed; how many days that takes is not known", "open"
    return "Nothing can be said of its size: no primary metric has a history or a baseline", "open"


def summary_of(sizing: Sizing) -> list[str]:
    """What matters about a plan, in a few sentences."""
    plan, said = sizing.plan, list[str]()
    if plan.hypothesis:
        said.append(plan.hypothesis)
    for each in sizing.metrics:
        if each.metric.role == "primary" and each.size is not None:
            days = f", {whole(each.days)} days of traffic" if each.days is not None else ""
            aim = f"That the difference lies within {margin_text(each.metric)} is shown"
            if each.metric.effect is not None:
                aim = f"An effect of {percent(each.metric.effect, 2)} is found"
            said.append(
                f"{each.metric.name} decides. {aim} with a power of {percent(plan.power, 0)} by {whole(each.size.n)} "
                f"units over all arms{days} ({FORMULA_TITLES[each.size.formula]})."
            )
    limits = [
        f"{metric.name} may {'move by' if metric.equivalence else 'lose'} {margin_text(metric)}"
        for metric in plan.guardrails
    ]
    if limits:
        said.append(f"Guardrails: {'; '.join(limits)}.")
    if sizing.enough is not None and sizing.planned is not None and sizing.needed is not None:
        verdict = "enough" if sizing.enough else "NOT ENOUGH: run longer, look for a larger effect, or add covariates"
        said.append(
            f"The {plan.days} planned days bring {whole(sizing.planned)} units; {whole(sizing.needed)} are needed: "
            f"{verdict}."
        )
    if sizing.unsized:
        said.append(f"Not sized, for want of a history or a baseline: {', '.join(sizing.unsized)}.")
    if plan.sequential is not None:
        said.append(
            f"Looks before the end are planned, at the price of {decimal(sizing.inflation, 3)} times the sample."
        )
    return said


def _question(plan: Plan) -> DocumentPart:
    points = [f"Who is left out before randomisation: {each}." for each in plan.exclusions]
    points += (
        [f"Segments that are looked at: {', '.join(plan.segments)}, with the false discovery rate controlled."]
        if plan.segments
        else []
    )
    return DocumentPart(
        title="Hypothesis",
        lead=plan.hypothesis or "None is written down: say what is expected, and why.",
        points=tuple(points),
        tables=(arm_table(plan),),
    )


def _randomisation(plan: Plan) -> DocumentPart:
    low, high = plan.slice
    points = [
        f"Unit: {plan.unit}" + (f", randomised whole by {plan.cluster}." if plan.cluster else "."),
        f'The position of a unit is the first 13 hexadecimal digits of md5("{plan.salt}:" + id) over 16^13.',
        "The arms share 0 … 1 in the order above: the same id gets the same arm on every machine, for ever.",
        f"Layer: {plan.layer}"
        + (f", units from {significant(low)} to {significant(high)} of it." if (low, high) != (0.0, 1.0) else ".")
        + " Experiments in other layers overlap independently; in this layer their slices must not overlap.",
    ]
    if plan.triggered is not None:
        points.append(
            "Effects are those of the triggered units, whose experience could differ; they are read over all "
            f"units too. They are told by {plan.triggered}."
        )
    if plan.holdout:
        points.append(f"{percent(plan.holdout, 1)} of all units are held out of every experiment.")
    if plan.layer_holdout:
        points.append(f"{percent(plan.layer_holdout, 1)} are held out of every experiment of the layer.")
    return DocumentPart(
        title="Randomisation",
        lead="By a salted hash; the SQL gives a table named units the same arms.",
        points=tuple(points),
        code=sql_of(plan),
        language="sql",
    )


def _metrics(plan: Plan) -> DocumentPart:
    kinds = dict.fromkeys(metric.kind for metric in plan.metrics)
    return DocumentPart(
        title="Metrics", points=tuple(f"{kind}: {KIND_TEXTS[kind]}." for kind in kinds), tables=(metric_table(plan),)
    )


def _sizes(sizing: Sizing) -> DocumentPart:
    answers = [(each.metric.name, each.size) for each in sizing.metrics if each.size is not None]
    changed: dict[str, list[str]] = {}
    for name, answer in answers:
        for said in answer.adjustments:
            changed.setdefault(adjustment_text(said), []).append(name)
    points = [f"{', '.join(names)}: {said}." for said, names in changed.items()]
    points += [f"{each.metric.name}: {simulated_text(each)}." for each in sizing.metrics if each.simulated is not None]
    points += [
        f"{each.metric.name}: {SIZE_NOTES[each.note]}." for each in sizing.metrics if each.note and each.size is None
    ]
    points += [_skewed(each, sizing) for each in sizing.metrics if each.skew is not None and abs(each.skew) > SKEWED]
    figures = [
        figure for each in sizing.metrics if each.metric.role == "primary" for figure in figures_of(each, sizing)
    ]
    tables = [size_table(sizing)] + ([neighbour_table(answers)] if answers else [])
    lead = "One question has several honest answers: each number names its formula, and its neighbours stand below."
    return DocumentPart(title="Sizes", lead=lead, points=tuple(points), figures=tuple(figures), tables=tuple(tables))


def _skewed(each: MetricSize, sizing: Sizing) -> str:
    """What skewed values in arms of unequal size ask for."""
    assert each.skew is not None
    n = sizing.planned or (each.size.n if each.size is not None else 0)
    enough = n * (each.skew / TOO_SKEWED) ** 2
    told = (
        f"{each.metric.name}: its values are skewed, and the arms differ in size. At {whole(n)} units the skewness of "
    )
    told += (
        f"the difference is {decimal(each.skew, 2, signed=True)}. The test allows for up to ± {significant(TOO_SKEWED)}"
    )
    if abs(each.skew) <= TOO_SKEWED:
        return f"{told}."
    return (
        f"{told}; beyond, the readout decides nothing. Cap the metric, or plan arms of one size or {whole(enough)} "
        "units."
    )


def figures_of(each: MetricSize, sizing: Sizing) -> list[Figure]:
    """The power curves of a metric, and what is found by day where the traffic is known."""
    if each.question is None or each.size is None:
        return []
    effect, margin = each.size.effect, each.question.margin or 0.0
    effects = [0.0, margin / 4, margin / 2] if each.question.equivalence else [effect / 2, effect, 1.5 * effect]
    curves = power_curve(each.question, effects=effects, around=each.size.n, plan=sizing.plan)
    drawn = [
        figure_of(
            power_curve_chart(curves, power=sizing.plan.power, planned=sizing.planned), f"Power of {each.metric.name}"
        )
    ]
    if sizing.daily is not None and not each.question.equivalence:
        days = max(sizing.plan.days or 0, each.days or 0, 14)
        found = effect_by_days(
            each.question,
            daily=sizing.daily,
            days=min(days + 7, 120),
            power=sizing.plan.power,
            arrivals=sizing.arrivals,
        )
        if len(found) > 1:
            chart = detectable_chart(found, worth=each.metric.effect, days=sizing.plan.days)
            drawn.append(figure_of(chart, f"Smallest effect of {each.metric.name} found after each day"))
    return drawn


def _looks(sizing: Sizing) -> list[DocumentPart]:
    plan, looks = sizing.plan, sizing.plan.sequential
    often = 4 if looks is None else min(plan.days or 28, 50)  # an always-valid interval is looked at every day
    times = looks.times if looks is not None and looks.method == "group" else often
    prices = price_table(price_in_power(times, level=plan.level, power=plan.power))
    if looks is None:
        lead = (
            "There is one look, at the end. Looking earlier without a plan raises the false positives; the table "
            "shows what honest ways to look cost."
        )
        return [DocumentPart(title="Looks", lead=lead, tables=(prices,))]
    if looks.method != "group":
        lead = (
            "The interval is valid at every moment, so that anybody may look at any time; it is wider for that "
            f"(sample × {decimal(sizing.inflation, 3)} for the same power)."
        )
        return [DocumentPart(title="Looks", lead=lead, tables=(prices,))]
    bounds = sequential_of(plan)
    lead = "The statistic is held against the bound of its look; nothing else is decided before the end."
    figure = figure_of(bounds_chart(bounds.to_dicts()), "Bounds of the statistic at each look")
    return [
        DocumentPart(
            title="Looks",
            lead=lead,
            figures=(figure,),
            tables=(bounds_table(bounds, schedule=look_schedule(sizing)), prices),
        )
    ]


def _analysis(plan: Plan) -> DocumentPart:
    code = "\n".join(
        (
            f"reclens experiment assign plan.toml units.csv --out arms.csv   # who gets which arm, by {plan.unit}",
            "reclens experiment check plan.toml units.csv                     # uniform, independent, as planned",
            "reclens experiment read plan.toml results.parquet --out readout  # decision, trust checks, intervals",
        )
    )
    lead = (
        "Intervals are two-sided. Means, ratios and shares by unit (delta method), quantiles by unit, "
        "coverage, Gini and effective items by the jackknife over units; covariates by CUPED."
    )
    return DocumentPart(title="Analysis", lead=lead, code=code, language="bash")
