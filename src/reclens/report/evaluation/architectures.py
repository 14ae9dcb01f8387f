"""Classic and deep models side by side: what they are good for, what they cost, and what the one has over the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reclens import models
from reclens.evaluation import Evaluation
from reclens.evaluation.architectures import Contrast, contrasts
from reclens.metrics import family_of
from reclens.report._toolkit.charts import dots, rows_of, zero
from reclens.report._toolkit.format import NOTHING, format_estimate, format_number, listed, significant, whole
from reclens.report._toolkit.html import Section, figure_of
from reclens.report._toolkit.tables import Table
from reclens.report.evaluation.tables import best_first

__all__ = [
    "architecture_section",
    "architecture_table",
    "architecture_text",
    "contrast_chart",
    "contrast_table",
    "deep_against_classic",
    "kinds_of",
    "sides_of",
]

_NOT_PERSONAL: Final = ("popular", "recent_popular", "random")
_FAMILIES: Final = ("accuracy", "diversity", "novelty", "popularity", "calibration")
"""Families of which one metric each is shown."""

_USUAL: Final = ("novelty@", "arp@")

_COSTS: Final = (("fit_cpu_seconds", "training, CPU s"), ("list_cpu_seconds", "1,000 requests, CPU s"))


def kinds_of(results: Mapping[str, Evaluation]) -> dict[str, str]:
    """System -> ``deep``, ``classic``, ``not personal``, ``pipeline`` or ``from elsewhere``."""
    return {name: _kind(result.card.get("lists") or {}) for name, result in results.items()}


def _kind(lists: Mapping[str, Any]) -> str:
    model = lists.get("model")
    if "stages" in lists or "stage" in lists:
        return "pipeline"
    if model not in models.names():
        return "from elsewhere"
    if model in _NOT_PERSONAL:
        return "not personal"
    return "deep" if models.get(str(model)).extra == "deep" else "classic"


def sides_of(results: Mapping[str, Evaluation]) -> list[str]:
    """One metric of each side that all systems have for each user: accuracy first, then what it is traded for."""
    first = next(iter(results.values()))
    shared = [name for name in first.summary.columns if all(name in each.summary.columns for each in results.values())]
    by_family: dict[str, str] = {}
    for name in sorted(shared, key=lambda name: not name.startswith(_USUAL)):  # else the first of a family
        by_family.setdefault(family_of(name), name)
    return [by_family[family] for family in _FAMILIES if family in by_family]


def deep_against_classic(
    results: Mapping[str, Evaluation], *, metrics: Sequence[str], by: Sequence[str] = ()
) -> list[Contrast]:
    """Deep less classic models; empty where there are none of one kind."""
    kinds = kinds_of(results)
    deep, classic = ({name: results[name] for name in kinds if kinds[name] == kind} for kind in ("deep", "classic"))
    return contrasts(deep, classic, metrics=metrics, by=by) if deep and classic and metrics else []


def architecture_table(results: Mapping[str, Evaluation], *, metrics: Sequence[str]) -> Table:
    """Systems, their kind, one metric of each side with its interval, and what they cost; the most accurate first."""
    kinds = kinds_of(results)
    rows, records = [], []
    for system in best_first(results, metrics[0] if metrics else ""):
        result = results[system]
        cost = _cost(result)
        own = {row["metric"]: row for row in result.to_dicts() if row["by"] == "overall"}
        records += [{"system": system, "kind": kinds[system], **own[name], **cost} for name in metrics]
        cells = [format_estimate(own[name]) for name in metrics]
        rows.append((system, kinds[system], *(_seconds(cost[name]) for name, _ in _COSTS), *cells))
    note = (
        "Intervals over users. CPU seconds are those of one run of a job, all threads together, and were measured "
        f"once; lists are made for many users at a time. {NOTHING} where they were not measured: lists that were not "
        "made by a job."
    )
    return Table(
        title="Classic and deep models side by side",
        columns=("system", "kind", *(head for _, head in _COSTS), *metrics),
        rows=tuple(rows),
        records=tuple(records),
        notes=(note,),
    )


def _cost(result: Evaluation) -> dict[str, float | None]:
    cost = (result.card.get("lists") or {}).get("cost") or {}
    users = cost.get("users")
    lists = None if not users else 1_000 * cost["list_cpu_seconds"] / users
    return {"fit_cpu_seconds": cost.get("fit_cpu_seconds"), "list_cpu_seconds": lists}


def _seconds(value: float | None) -> str:
    return NOTHING if value is None else significant(value, 2)


def contrast_table(found: Sequence[Contrast]) -> Table:
    """Deep less classic models: means of both, the difference with its interval, by metric and segment."""
    rows = tuple(
        (
            each.metric,
            "all users" if each.by == "overall" else f"{each.by}: {each.segment}",
            format_number(each.first),
            format_number(each.second),
            format_estimate(each.to_dicts()[0], signed=True),
            "different" if each.conclusive else "not concluded",
            whole(each.difference.n),
        )
        for each in found
    )
    note = (
        "Means over the systems of each kind, paired by user; models that are not personal, pipelines and lists from "
        "elsewhere belong to neither. Intervals are over users: with other models of the same kinds the numbers would "
        "differ too. Each interval holds by itself."
    )
    heads = ("metric", "users", "deep", "classic", "deep less classic", "verdict", "n")
    records = tuple(row for each in found for row in each.to_dicts())
    return Table(title="Deep less classic models", columns=heads, rows=rows, records=records, notes=(note,))


def contrast_chart(found: Sequence[Mapping[str, Any]], *, metric: str) -> Any:
    """Deep less classic models by one metric, all users and every segment, from rows of contrasts."""
    import altair as alt

    rows = []
    for each in found:
        if each["metric"] == metric and each["n"]:
            where = "all users" if each["by"] == "overall" else f"{each['by']}: {each['segment']}"
            tip = f"{where}: {format_estimate(each, signed=True)}, n = {whole(each['n'])}"
            small = not each["conclusive"]
            rows.append({**each, "system": "deep less classic", "where": where, "small": small, "tip": tip})
    if not rows:
        return None
    order = rows_of("where", [row["where"] for row in rows])
    title = f"{metric}: deep less classic"
    drawn = dots(rows, y=order, row_height=26 * len(rows), systems=["deep less classic"], title=title)
    return alt.layer(zero(), drawn)


def architecture_text(found: Sequence[Contrast], results: Mapping[str, Evaluation]) -> list[str]:
    """How the kind of model affects each side, in sentences."""
    kinds = kinds_of(results)
    named = {kind: [name for name in kinds if kinds[name] == kind] for kind in ("deep", "classic")}
    if not found:
        missing = listed([kind for kind in named if not named[kind]])
        return [f"There is nothing to hold against each other: no run is of a {missing} model."]
    said = [f"Deep: {listed(named['deep'])}. Classic: {listed(named['classic'])}."]
    for each in found:
        if each.by == "overall":
            numbers = format_estimate(each.to_dicts()[0], signed=True)
            way = "higher" if each.difference.value > 0 else "lower"
            verdict = f"{way} with the deep models" if each.conclusive else "not shown to differ"
            said.append(f"{each.metric}: {verdict} ({numbers}).")
    return said


def architecture_section(results: Mapping[str, Evaluation], *, by: Sequence[str]) -> Section | None:
    """Classic and deep models side by side, as a part of a report; None where there are not both."""
    sides = sides_of(results)
    found = deep_against_classic(results, metrics=sides, by=by)
    if not found:
        return None
    rows = [row for each in found for row in each.to_dicts()]
    drawn = ((contrast_chart(rows, metric=name), name) for name in sides)
    figures = tuple(figure_of(chart, f"{name}: deep less classic models") for chart, name in drawn)
    return Section(
        title="Architecture trade-offs",
        lead="How the kind of model affects each side. Faded dots: the interval includes zero.",
        points=tuple(architecture_text(found, results)),
        figures=figures,
        tables=(architecture_table(results, metrics=sides),),
        folded=(contrast_table(found),),
    )
